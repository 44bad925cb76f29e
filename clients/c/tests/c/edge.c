/*
 * What a caller can do wrong, and what an adversary can send: edge DIRECTORY STEP [SEED].
 *
 * DIRECTORY holds the shared vectors. Every STEPth bit of an update is flipped, and every STEPth length tried; 1 is all.
 */
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "check.h"
#include "json.h"
#include "touchstone.h"

/* 1.79e12 is the time of the vectors' rounds. */
#define NOW UINT64_C(1790000000100)
#define FEED "BTC-USD", 7

/* What the tests work on: a pinned network, an update of all its feeds, and one of a single feed. */
static touchstone_verifier *verifier;
static uint8_t network_id[TOUCHSTONE_NETWORK_ID_BYTES];
static uint8_t group_key[32];
static uint8_t *update_bytes, *small_bytes;
static size_t update_len, small_len;
static char *pin_text;
static size_t pin_len;

static json open_json(const char *root, const char *name, char **owned)
{
    size_t len;
    char *path = join(root, name);
    *owned = read_file(path, &len);
    free(path);
    return json_parse(*owned, len);
}

static void set_up(const char *root)
{
    char *text, *path = join(root, "pin/network.json");
    pin_text = read_file(path, &pin_len);
    free(path);
    EXPECT(touchstone_verifier_from_pin((const uint8_t *)pin_text, pin_len, &verifier), "ok");
    EXPECT(touchstone_verifier_network_id(verifier, network_id), "ok");

    size_t len;
    json file = open_json(root, "update/valid/computed-round.json", &text);
    update_bytes = json_hex(json_get(file, "update"), &update_len);
    uint8_t *key = json_hex(json_get(json_get(file, "group_keys"), "ed25519"), &len);
    REQUIRE(len == sizeof group_key, "a key of another length");
    memcpy(group_key, key, len);
    free(key);
    free(text);
    file = open_json(root, "update/valid/tree-00012-middle.json", &text);
    small_bytes = json_hex(json_get(file, "update"), &small_len);
    free(text);
}

static void tear_down(void)
{
    touchstone_verifier_free(verifier);
    free(update_bytes);
    free(small_bytes);
    free(pin_text);
}

/* ---- Arguments -------------------------------------------------------------------------------------------------------- */

static void null_pointers(void)
{
    const uint8_t *bytes = update_bytes;
    touchstone_policy policy = touchstone_policy_fresh(NOW, 10000);
    touchstone_group_key key = {TOUCHSTONE_ED25519, group_key, sizeof group_key};
    touchstone_verifier *other;
    touchstone_update *update, *none;
    touchstone_update_info info;
    touchstone_feed feed;
    touchstone_price price;
    touchstone_i128 number = {0, 0};
    uint8_t bit;
    char text[TOUCHSTONE_DECIMAL_TEXT_MAX];
    EXPECT(touchstone_update_verify(verifier, bytes, update_len, &update), "ok");

    const char *want = "invalid-pointer";
    EXPECT(touchstone_verifier_from_pin(NULL, pin_len, &other), want);
    EXPECT(touchstone_verifier_from_pin((const uint8_t *)pin_text, pin_len, NULL), want);
    EXPECT(touchstone_verifier_new(NULL, 32, &key, 1, &other), want);
    EXPECT(touchstone_verifier_new(network_id, 32, NULL, 1, &other), want);
    EXPECT(touchstone_verifier_new(network_id, 32, &key, 1, NULL), want);
    EXPECT(touchstone_verifier_network_id(NULL, network_id), want);
    EXPECT(touchstone_verifier_network_id(verifier, NULL), want);
    EXPECT(touchstone_update_verify(NULL, bytes, update_len, &none), want);
    REQUIRE(none == NULL, "a failure leaves a handle");
    EXPECT(touchstone_update_verify(verifier, NULL, update_len, &none), want);
    EXPECT(touchstone_update_verify(verifier, bytes, update_len, NULL), want);
    EXPECT(touchstone_update_describe(NULL, &info), want);
    EXPECT(touchstone_update_describe(update, NULL), want);
    EXPECT(touchstone_update_feed(NULL, 0, &feed), want);
    EXPECT(touchstone_update_feed(update, 0, NULL), want);
    EXPECT(touchstone_update_price(NULL, FEED, &policy, &price), want);
    EXPECT(touchstone_update_price(update, NULL, 7, &policy, &price), want);
    EXPECT(touchstone_update_price(update, FEED, NULL, &price), want);
    EXPECT(touchstone_update_price(update, FEED, &policy, NULL), want);
    EXPECT(touchstone_verify(NULL, bytes, update_len, FEED, &policy, &price), want);
    EXPECT(touchstone_verify(verifier, NULL, update_len, FEED, &policy, &price), want);
    EXPECT(touchstone_verify(verifier, bytes, update_len, NULL, 7, &policy, &price), want);
    EXPECT(touchstone_verify(verifier, bytes, update_len, FEED, NULL, &price), want);
    EXPECT(touchstone_verify(verifier, bytes, update_len, FEED, &policy, NULL), want);
    EXPECT(touchstone_status_from_name(NULL, 5, &bit), want);
    EXPECT(touchstone_status_from_name("stale", 5, NULL), want);
    EXPECT(touchstone_status_text(0, NULL, 64), want);
    EXPECT(touchstone_decimal_text(NULL, 0, text, sizeof text), want);
    EXPECT(touchstone_decimal_text(&number, 0, NULL, sizeof text), want);
    EXPECT(touchstone_verifier_network_id(verifier, network_id), "ok");
    key.key = NULL;
    EXPECT(touchstone_verifier_new(network_id, 32, &key, 1, &other), want);
    REQUIRE(other == NULL, "a failure leaves a handle");

    touchstone_verifier_free(NULL);
    touchstone_update_free(NULL);
    touchstone_update_free(update);
}

static void misaligned_pointers(void)
{
    alignas(16) unsigned char room[sizeof(touchstone_policy) + 1];
    touchstone_policy policy = touchstone_policy_fresh(NOW, 10000);
    memcpy(room + 1, &policy, sizeof policy);
    touchstone_price price;
    const void *odd = room + 1;
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, FEED, odd, &price), "invalid-pointer");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, FEED, &policy, (void *)(room + 1)), "invalid-pointer");
    EXPECT(touchstone_verifier_new(network_id, 32, odd, 1, (void *)(room + 1)), "invalid-pointer");
}

static void lengths(void)
{
    touchstone_update *update;
    touchstone_verifier *other;
    touchstone_price price;
    uint8_t bit;
    touchstone_policy policy = touchstone_policy_fresh(NOW, 10000);
    touchstone_group_key keys[2] = {{TOUCHSTONE_ED25519, group_key, 32}, {TOUCHSTONE_ED25519, group_key, 32}};

    EXPECT(touchstone_update_verify(verifier, NULL, 0, &update), "truncated");
    EXPECT(touchstone_update_verify(verifier, update_bytes, 0, &update), "truncated");
    EXPECT(touchstone_update_verify(verifier, update_bytes, SIZE_MAX, &update), "invalid-pointer");
    EXPECT(touchstone_update_verify(verifier, update_bytes, (size_t)PTRDIFF_MAX + 1, &update), "invalid-pointer");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, NULL, 0, &policy, &price), "invalid-feed-name");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, "BTC-USD", 8, &policy, &price), "invalid-feed-name");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, "btc-usd", 7, &policy, &price), "invalid-feed-name");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, "\xff\xfe-USD", 6, &policy, &price), "invalid-feed-name");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, "BTC-USDT", 8, &policy, &price), "no-feed");
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, "BTC-USDT", 7, &policy, &price), "ok");
    EXPECT(touchstone_verifier_from_pin(NULL, 0, &other), "bad-pin");
    EXPECT(touchstone_verifier_from_pin((const uint8_t *)pin_text, 0, &other), "bad-pin");
    EXPECT(touchstone_verifier_new(NULL, 0, keys, 1, &other), "invalid-argument");
    EXPECT(touchstone_verifier_new(network_id, 31, keys, 1, &other), "invalid-argument");
    EXPECT(touchstone_verifier_new(network_id, 33, keys, 1, &other), "invalid-argument");
    EXPECT(touchstone_verifier_new(network_id, 32, NULL, 0, &other), "no-key");
    EXPECT(touchstone_verifier_new(network_id, 32, keys, 0, &other), "no-key");
    EXPECT(touchstone_verifier_new(network_id, 32, keys, 2, &other), "invalid-argument");
    EXPECT(touchstone_verifier_new(network_id, 32, keys, SIZE_MAX / 8, &other), "invalid-pointer");
    keys[0].key_len = 0;
    EXPECT(touchstone_verifier_new(network_id, 32, keys, 1, &other), "bad-group-key");
    keys[0].suite = 257; /* 1 in its low byte */
    EXPECT(touchstone_verifier_new(network_id, 32, keys, 1, &other), "unknown-suite");
    keys[0].suite = 0;
    EXPECT(touchstone_verifier_new(network_id, 32, keys, 1, &other), "unknown-suite");
    REQUIRE(other == NULL, "a failure leaves a handle");
    EXPECT(touchstone_status_from_name("", 0, &bit), "invalid-status");
    EXPECT(touchstone_status_from_name("ok", 2, &bit), "invalid-status");
    EXPECT(touchstone_status_from_name("stale", 4, &bit), "invalid-status");
    REQUIRE(bit == 0, "a failure leaves a bit");
}

/* Buffers of every length up to what is enough: nothing is written past the end, and no part of the text. */
static void buffers(void)
{
    static const struct {
        touchstone_i128 number;
        int32_t exponent;
        const char *text;
    } decimals[] = {
        {{6712345000000, 0}, -8, "67123.45000000"},
        {{0, 0}, 0, "0"},
        {{0, 0}, -3, "0.000"},
        {{UINT64_MAX, -1}, -2, "-0.01"},
        {{7, 0}, 3, "7000"},
        {{0, INT64_MIN}, 38, "-17014118346046923173168730371588410572800000000000000000000000000000000000000"},
        {{UINT64_MAX, INT64_MAX}, -38, "1.70141183460469231731687303715884105727"},
    };
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        size_t need = strlen(decimals[i].text) + 1;
        REQUIRE(need <= TOUCHSTONE_DECIMAL_TEXT_MAX, "a longer text than the header says");
        for (size_t len = 0; len <= need; len++) {
            /* Of exactly this length, for the sanitizer; and one byte behind it, for everybody. */
            char *text = malloc(len + 1);
            REQUIRE(text, "memory");
            memset(text, '#', len + 1);
            EXPECT(touchstone_decimal_text(&decimals[i].number, decimals[i].exponent, text, len),
                   len == need ? "ok" : "buffer-too-small");
            REQUIRE(text[len] == '#', "written behind the end");
            if (len > 0)
                REQUIRE(strcmp(text, len == need ? decimals[i].text : "") == 0, "another text");
            free(text);
        }
    }
    char text[TOUCHSTONE_DECIMAL_TEXT_MAX] = "old";
    touchstone_i128 one = {1, 0};
    EXPECT(touchstone_decimal_text(&one, 39, text, sizeof text), "invalid-argument");
    REQUIRE(text[0] == 0, "a failure leaves a text");
    EXPECT(touchstone_decimal_text(&one, INT32_MIN, text, sizeof text), "invalid-argument");

    for (unsigned status = 0; status < 256; status++) {
        char names[TOUCHSTONE_STATUS_TEXT_MAX];
        EXPECT(touchstone_status_text((uint8_t)status, names, sizeof names), status & 0x60 ? "invalid-status" : "ok");
    }
    EXPECT(touchstone_status_text(0, text, sizeof text), "ok");
    REQUIRE(strcmp(text, "ok") == 0, "another name");
    EXPECT(touchstone_status_text(TOUCHSTONE_STATUS_STALE | TOUCHSTONE_STATUS_MARKET_CLOSED, text, sizeof text), "ok");
    REQUIRE(strcmp(text, "stale+market-closed") == 0, "other names");
    EXPECT(touchstone_status_text(0, text, 2), "buffer-too-small");
    EXPECT(touchstone_status_text(0, text, 0), "buffer-too-small");
}

static void codes(void)
{
    REQUIRE(strcmp(touchstone_code_text(TOUCHSTONE_TOO_OLD), "too-old") == 0, "another text");
    for (touchstone_result code = -300; code < 300; code++)
        REQUIRE(touchstone_code_text(code)[0], "no text");
    REQUIRE(strcmp(touchstone_code_text(INT32_MIN), "unknown") == 0, "a text for nothing");
    REQUIRE(touchstone_features() & TOUCHSTONE_FEATURE_PIN, "no pin");
}

/* ---- Policies --------------------------------------------------------------------------------------------------------- */

static void refused(const touchstone_policy *policy, const char *want)
{
    touchstone_price price, zero;
    memset(&price, 0xa5, sizeof price);
    memset(&zero, 0, sizeof zero);
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, FEED, policy, &price), want);
    REQUIRE(memcmp(&price, &zero, sizeof price) == 0, "a refusal leaves a number");
}

static void policies(void)
{
    touchstone_price price;
    const touchstone_policy good = touchstone_policy_fresh(NOW, 10000);
    touchstone_policy policy = good;
    EXPECT(touchstone_verify(verifier, update_bytes, update_len, FEED, &good, &price), "ok");
    REQUIRE(price.price.low == 6712345000100 && price.price.high == 0 && price.exponent == -8, "another price");

    memset(&policy, 0, sizeof policy);
    refused(&policy, "invalid-argument");
    /* A size alone states no age. */
    policy.size = sizeof policy;
    refused(&policy, "invalid-argument");
    /* And an age that nobody stated is 0: of this very millisecond. */
    policy.when = TOUCHSTONE_FRESH;
    policy.time_ms = NOW;
    refused(&policy, "too-old");

    for (uint32_t size = 0; size < 2 * sizeof policy; size++) {
        policy = good;
        policy.size = size;
        if (size != sizeof policy)
            refused(&policy, "invalid-argument");
    }
    for (unsigned when = 0; when < 8; when++) {
        policy = good;
        policy.when = when;
        if (when != TOUCHSTONE_FRESH)
            refused(&policy, "invalid-argument");
    }
    policy = good;
    policy.has_last_round = 2;
    refused(&policy, "invalid-argument");
    policy = good;
    policy.reserved = 1;
    refused(&policy, "invalid-argument");
    policy = good;
    policy.allowed_status = 32;
    refused(&policy, "invalid-status");

    /* An instant needs the update after it, and is no age. */
    policy = touchstone_policy_at(NOW, NULL);
    refused(&policy, "invalid-argument");
    touchstone_update *update;
    EXPECT(touchstone_update_verify(verifier, update_bytes, update_len, &update), "ok");
    policy = touchstone_policy_at(NOW, update);
    refused(&policy, "no-pair");
    policy.max_age_ms = 1;
    refused(&policy, "invalid-argument");
    policy = good;
    policy.next = update;
    refused(&policy, "invalid-argument");
    touchstone_update_free(update);
}

/* ---- Adversaries ------------------------------------------------------------------------------------------------------ */

/* A copy of exactly the length that is told, for the sanitizer; whether it was accepted. */
static int accepted(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    REQUIRE(copy, "memory");
    memcpy(copy, bytes, len);
    touchstone_update *update = (touchstone_update *)copy;
    touchstone_result result = touchstone_update_verify(verifier, copy, len, &update);
    REQUIRE((update != NULL) == (result == TOUCHSTONE_OK), "a handle and no result, or a result and no handle");
    REQUIRE(result == TOUCHSTONE_OK || (result >= 20 && result < 40), "a code of another kind");
    check_count++;
    touchstone_update_free(update);
    free(copy);
    return result == TOUCHSTONE_OK;
}

static void adversaries(size_t step)
{
    REQUIRE(accepted(small_bytes, small_len), "the update itself");
    uint8_t *bytes = malloc(small_len + 64);
    REQUIRE(bytes, "memory");
    memcpy(bytes, small_bytes, small_len);
    memset(bytes + small_len, 0, 64);
    for (size_t bit = 0; bit < 8 * small_len; bit += step) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        REQUIRE(!accepted(bytes, small_len), "a flipped bit");
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < small_len; len += step)
        REQUIRE(!accepted(bytes, len), "a truncated update");
    for (size_t len = small_len + 1; len < small_len + 64; len++)
        REQUIRE(!accepted(bytes, len), "an extended update");
    free(bytes);
}

/* xorshift64*: the same bytes from the same seed everywhere. */
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

/* Noise, and updates with a few bytes changed, moved or repeated. */
static void fuzz(uint64_t seed, size_t runs)
{
    enum { ROOM = 4096 };
    uint8_t *bytes = malloc(ROOM);
    REQUIRE(bytes && update_len < ROOM, "memory");
    random_state = seed | 1;
    for (size_t run = 0; run < runs; run++) {
        size_t len = next_random() % ROOM;
        if (run % 4 == 0) {
            for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)next_random();
        } else {
            len = update_len;
            memcpy(bytes, update_bytes, len);
            for (uint64_t changes = 1 + next_random() % 4; changes > 0; changes--) {
                size_t at = next_random() % len, from = next_random() % len;
                size_t count = 1 + next_random() % (len - (at > from ? at : from));
                if (run % 4 == 1)
                    bytes[at] ^= (uint8_t)(1 + next_random() % 255);
                else
                    memmove(bytes + at, bytes + from, count);
            }
            if (run % 4 == 3)
                len = next_random() % (len + 1);
        }
        int same = len == update_len && memcmp(bytes, update_bytes, len) == 0;
        REQUIRE(accepted(bytes, len) == same, "noise is accepted");
    }
    free(bytes);
}

/* Whatever stands in a pin, there is a verifier or a code. */
static void fuzz_pin(uint64_t seed, size_t runs)
{
    random_state = seed | 1;
    uint8_t *text = malloc(pin_len);
    REQUIRE(text, "memory");
    for (size_t run = 0; run < runs; run++) {
        memcpy(text, pin_text, pin_len);
        text[next_random() % pin_len] = (uint8_t)next_random();
        size_t len = run % 3 ? pin_len : next_random() % pin_len;
        touchstone_verifier *other;
        touchstone_result result = touchstone_verifier_from_pin(text, len, &other);
        REQUIRE((other != NULL) == (result == TOUCHSTONE_OK), "a handle and no result, or a result and no handle");
        REQUIRE(result == TOUCHSTONE_OK || result / 10 == 4 || result == TOUCHSTONE_UNSUPPORTED_SUITE, "a code of another kind");
        check_count++;
        touchstone_verifier_free(other);
    }
    free(text);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------------- */

/* One verifier, one update and one policy, shared; no shared variable of the test's own is written. */
static int reader(void *argument)
{
    const touchstone_update *update = argument;
    touchstone_policy policy = touchstone_policy_fresh(NOW, 10000);
    for (int i = 0; i < 20; i++) {
        touchstone_price shared, own;
        if (touchstone_update_price(update, FEED, &policy, &shared) != TOUCHSTONE_OK
            || touchstone_verify(verifier, update_bytes, update_len, FEED, &policy, &own) != TOUCHSTONE_OK
            || memcmp(&shared, &own, sizeof own) != 0)
            return 1;
    }
    return 0;
}

static void threads(void)
{
    thrd_t list[4];
    touchstone_update *update;
    EXPECT(touchstone_update_verify(verifier, update_bytes, update_len, &update), "ok");
    for (int i = 0; i < 4; i++)
        REQUIRE(thrd_create(&list[i], reader, update) == thrd_success, "a thread");
    for (int i = 0; i < 4; i++) {
        int failed;
        REQUIRE(thrd_join(list[i], &failed) == thrd_success && !failed, "a thread's result");
    }
    touchstone_update_free(update);
}

/* ----------------------------------------------------------------------------------------------------------------------- */

#define RUN(test) (check_context = #test, test)

int main(int argc, char **argv)
{
    REQUIRE(argc == 3 || argc == 4, "usage: edge DIRECTORY STEP [SEED]");
    size_t step = strtoul(argv[2], NULL, 10);
    uint64_t seed = argc == 4 ? strtoull(argv[3], NULL, 10) : 1;
    REQUIRE(step > 0, "a step above 0");
    set_up(argv[1]);
    RUN(null_pointers());
    RUN(misaligned_pointers());
    RUN(lengths());
    RUN(buffers());
    RUN(codes());
    RUN(policies());
    RUN(threads());
    RUN(adversaries(step));
    RUN(fuzz(seed, 20000 / step));
    RUN(fuzz_pin(seed, 2000 / step));
    tear_down();
    printf("step %zu, seed %llu: %lu calls\n", step, (unsigned long long)seed, check_count);
    return 0;
}
