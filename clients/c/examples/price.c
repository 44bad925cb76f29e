/*
 * Verifies an update and prints one price: price NETWORK.JSON UPDATE.BIN FEED MAX_AGE_MS
 *
 * The update is what an aggregator answers to GET /v1/feeds/FEED/latest?encoding=binary.
 *
 *     cc -std=c11 price.c $(pkg-config --cflags --libs touchstone) -o price
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <touchstone.h>

/* No pin and no update is larger. */
enum { ROOM = 1 << 24 };

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(ROOM);
    if (!file || !bytes) {
        perror(path);
        exit(1);
    }
    *len = fread(bytes, 1, ROOM, file);
    fclose(file);
    return bytes;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Pins the network and asks for the price. */
static touchstone_result get(char **argv, touchstone_price *price)
{
    size_t pin_len, update_len;
    uint8_t *pin = read_file(argv[1], &pin_len), *update = read_file(argv[2], &update_len);
    touchstone_verifier *verifier;
    touchstone_result result = touchstone_verifier_from_pin(pin, pin_len, &verifier);
    if (result == TOUCHSTONE_OK) {
        touchstone_policy policy = touchstone_policy_fresh(now_ms(), strtoull(argv[4], NULL, 10));
        policy.allowed_status = TOUCHSTONE_STATUS_DEGRADED; /* fewer sources are good enough here */
        result = touchstone_verify(verifier, update, update_len, argv[3], strlen(argv[3]), &policy, price);
    }
    touchstone_verifier_free(verifier);
    free(update);
    free(pin);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s NETWORK.JSON UPDATE.BIN FEED MAX_AGE_MS\n", argv[0]);
        return 2;
    }
    touchstone_price price;
    touchstone_result result = get(argv, &price);
    char value[TOUCHSTONE_DECIMAL_TEXT_MAX], low[TOUCHSTONE_DECIMAL_TEXT_MAX], high[TOUCHSTONE_DECIMAL_TEXT_MAX];
    char status[TOUCHSTONE_STATUS_TEXT_MAX];
    if (result == TOUCHSTONE_OK)
        result = touchstone_decimal_text(&price.price, price.exponent, value, sizeof value);
    if (result == TOUCHSTONE_OK)
        result = touchstone_decimal_text(&price.low, price.exponent, low, sizeof low);
    if (result == TOUCHSTONE_OK)
        result = touchstone_decimal_text(&price.high, price.exponent, high, sizeof high);
    if (result == TOUCHSTONE_OK)
        result = touchstone_status_text(price.status, status, sizeof status);
    if (result != TOUCHSTONE_OK) {
        fprintf(stderr, "%s: %s\n", argv[3], touchstone_code_text(result));
        return 1;
    }
    printf("%s %s (%s to %s), %s, round %llu, %u observers\n", price.feed, value, low, high, status,
           (unsigned long long)price.round, (unsigned)price.observers);
    return 0;
}
