/* Prints how long one verification takes: bench DIRECTORY, where the shared vectors are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "json.h"
#include "touchstone.h"

enum { ROUNDS = 20, CALLS = 200 };

static double now_us(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void bench(const char *root, const char *name, const char *suite, uint32_t number)
{
    size_t text_len, id_len, len;
    char *path = join(root, name), *text = read_file(path, &text_len);
    json file = json_parse(text, text_len);
    touchstone_group_key key = {number, NULL, 0};
    uint8_t *id = json_hex(json_get(file, "network_id"), &id_len), *bytes = json_hex(json_get(file, "update"), &len);
    uint8_t *key_bytes = json_hex(json_get(json_get(file, "group_keys"), suite), &key.key_len);
    key.key = key_bytes;
    json entry;
    size_t at = 0;
    REQUIRE(json_next(json_get(json_get(file, "valid"), "entries"), &at, NULL, &entry), "an entry");
    json feed = json_string(json_get(entry, "feed"));
    touchstone_policy policy = touchstone_policy_fresh(
        json_u64(json_get(json_get(json_get(file, "valid"), "statement"), "timestamp_ms")), 10000);
    touchstone_verifier *verifier;
    EXPECT(touchstone_verifier_new(id, id_len, &key, 1, &verifier), "ok");

    /* The best of several: other programs only add to it. */
    double best = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();
        for (int call = 0; call < CALLS; call++) {
            touchstone_price price;
            EXPECT(touchstone_verify(verifier, bytes, len, feed.text, feed.len, &policy, &price), "ok");
        }
        double each = (now_us() - start) / CALLS;
        if (round == 0 || each < best)
            best = each;
    }
    printf("%-18s %4zu bytes %8.1f us\n", suite, len, best);
    touchstone_verifier_free(verifier);
    free(key_bytes);
    free(bytes);
    free(id);
    free(text);
    free(path);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2, "usage: bench DIRECTORY");
    bench(argv[1], "update/valid/tree-00012-middle.json", "ed25519", TOUCHSTONE_ED25519);
    bench(argv[1], "update/valid/secp256k1-tree-00012-middle.json", "secp256k1-keccak", TOUCHSTONE_SECP256K1_KECCAK);
    return 0;
}
