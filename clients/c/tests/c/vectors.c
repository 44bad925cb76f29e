/*
 * Runs every shared vector that a verifier can run: vectors DIRECTORY; with a second argument the valid updates only.
 * Prints how many files there were.
 */
#define _POSIX_C_SOURCE 200809L /* scandir */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "touchstone.h"

static unsigned long file_count;

/* ---- Files ------------------------------------------------------------------------------------------------------------ */

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static void with_file(const char *path, void (*run)(json))
{
    size_t len;
    char *text = read_file(path, &len);
    check_context = path;
    run(json_parse(text, len));
    file_count++;
    free(text);
}

static void with_folder(const char *root, const char *folder, void (*run)(json))
{
    char *directory = join(root, folder);
    struct dirent **entries;
    int count = scandir(directory, &entries, is_json, alphasort);
    REQUIRE(count > 0, directory);
    for (int i = 0; i < count; i++) {
        char *path = join(directory, entries[i]->d_name);
        with_file(path, run);
        free(path);
        free(entries[i]);
    }
    free(entries);
    free(directory);
}

/* ---- Verifiers -------------------------------------------------------------------------------------------------------- */

static uint32_t suite_of(json name)
{
    if (json_is(name, "ed25519"))
        return TOUCHSTONE_ED25519;
    REQUIRE(json_is(name, "secp256k1-keccak"), "a suite that is not known");
    return TOUCHSTONE_SECP256K1_KECCAK;
}

/* Pins a network id and one key for each member of `keys`. */
static touchstone_verifier *pin(json network_id, json keys)
{
    touchstone_group_key list[2];
    uint8_t *owned[2];
    size_t count = 0, at = 0, id_len;
    uint8_t *id = json_hex(network_id, &id_len);
    json suite, key;
    while (json_next(keys, &at, &suite, &key)) {
        REQUIRE(count < 2, "more keys than suites");
        owned[count] = json_hex(key, &list[count].key_len);
        list[count].key = owned[count];
        list[count].suite = suite_of(suite);
        count++;
    }
    touchstone_verifier *verifier = NULL;
    EXPECT(touchstone_verifier_new(id, id_len, list, count, &verifier), "ok");
    uint8_t pinned[TOUCHSTONE_NETWORK_ID_BYTES];
    EXPECT(touchstone_verifier_network_id(verifier, pinned), "ok");
    REQUIRE(memcmp(pinned, id, sizeof pinned) == 0, "another network is pinned");
    while (count > 0)
        free(owned[--count]);
    free(id);
    return verifier;
}

static touchstone_result verify_hex(const touchstone_verifier *verifier, json hex, touchstone_update **out)
{
    size_t len;
    uint8_t *bytes = json_hex(hex, &len);
    touchstone_result result = touchstone_update_verify(verifier, bytes, len, out);
    free(bytes);
    return result;
}

/* ---- Values ----------------------------------------------------------------------------------------------------------- */

static void same_bytes(const uint8_t *got, size_t got_len, json want)
{
    size_t len;
    uint8_t *bytes = json_hex(want, &len);
    REQUIRE(len == got_len && memcmp(bytes, got, len) == 0, "other bytes");
    free(bytes);
}

static void same_text(const char *got, json want)
{
    want = json_string(want);
    REQUIRE(json_is(want, got), "another text");
}

/* The mantissa as a whole number: its text with exponent 0. */
static void same_mantissa(touchstone_i128 got, json want)
{
    char text[TOUCHSTONE_DECIMAL_TEXT_MAX];
    EXPECT(touchstone_decimal_text(&got, 0, text, sizeof text), "ok");
    same_text(text, want);
#ifdef __SIZEOF_INT128__
    /* Once more without the library, digit by digit, negative as the most negative number has no positive one. */
    touchstone_int128 number = 0;
    json digits = json_string(want);
    int negative = digits.text[0] == '-';
    for (size_t i = (size_t)negative; i < digits.len; i++)
        number = number * 10 - (digits.text[i] - '0');
    REQUIRE(touchstone_i128_value(got) == (negative ? number : -number), "another mantissa");
#endif
}

/* ---- update/ ---------------------------------------------------------------------------------------------------------- */

static uint8_t status_bits(json names)
{
    size_t at = 0;
    json name;
    unsigned bits = 0;
    while (json_next(names, &at, NULL, &name)) {
        uint8_t bit;
        name = json_string(name);
        EXPECT(touchstone_status_from_name(name.text, name.len, &bit), "ok");
        bits |= bit;
    }
    return (uint8_t)bits;
}

static void check_entry(const touchstone_update *update, const touchstone_update_info *info, size_t index, json want)
{
    json name = json_string(json_get(want, "feed"));
    touchstone_feed feed;
    EXPECT(touchstone_update_feed(update, index, &feed), "ok");
    REQUIRE(json_is(name, feed.name), "another feed");
    REQUIRE(feed.status == json_u64(json_get(want, "status_bits")), "another status");
    REQUIRE(feed.status == status_bits(json_get(want, "status")), "other names of the status");

    touchstone_policy policy = touchstone_policy_fresh(info->timestamp_ms, 0);
    policy.max_skew_ms = UINT64_MAX;
    touchstone_price price;
    if (feed.status & TOUCHSTONE_STATUS_UNAVAILABLE) {
        policy.allowed_status = feed.status;
        EXPECT(touchstone_update_price(update, name.text, name.len, &policy, &price), "unavailable");
        return;
    }
    if (feed.status != TOUCHSTONE_STATUS_OK) {
        EXPECT(touchstone_update_price(update, name.text, name.len, &policy, &price), "status");
        policy.allowed_status = feed.status;
    }
    EXPECT(touchstone_update_price(update, name.text, name.len, &policy, &price), "ok");
    REQUIRE(strcmp(price.feed, feed.name) == 0, "the price of another feed");
    REQUIRE(price.exponent == json_i64(json_get(want, "exponent")), "another exponent");
    same_mantissa(price.price, json_get(want, "price"));
    same_mantissa(price.low, json_get(want, "low"));
    same_mantissa(price.high, json_get(want, "high"));
    REQUIRE(price.observed_at_ms == json_u64(json_get(want, "observed_at_ms")), "another time of the trades");
    REQUIRE(price.observers == json_u64(json_get(want, "observers")), "another number of observers");
    REQUIRE(price.status == feed.status, "another status");
    REQUIRE(price.round == info->round && price.epoch == info->epoch, "another round");
    REQUIRE(price.timestamp_ms == info->timestamp_ms, "another time");
}

static void valid(json file)
{
    touchstone_verifier *verifier = pin(json_get(file, "network_id"), json_get(file, "group_keys"));
    touchstone_update *update;
    EXPECT(verify_hex(verifier, json_get(file, "update"), &update), "ok");
    /* An update does not need its verifier. */
    touchstone_verifier_free(verifier);

    json want = json_get(file, "valid"), statement = json_get(want, "statement"), entry;
    touchstone_update_info info;
    EXPECT(touchstone_update_describe(update, &info), "ok");
    same_bytes(info.network_id, 32, json_get(statement, "network_id"));
    same_bytes(info.feeds_root, 32, json_get(statement, "feeds_root"));
    same_bytes(info.observations_root, 32, json_get(statement, "observations_root"));
    same_bytes(info.digest, 32, json_get(statement, "digest"));
    REQUIRE(info.epoch == json_u64(json_get(statement, "epoch")), "another epoch");
    REQUIRE(info.round == json_u64(json_get(statement, "round")), "another round");
    REQUIRE(info.timestamp_ms == json_u64(json_get(statement, "timestamp_ms")), "another time");
    REQUIRE(info.feed_count == json_u64(json_get(statement, "feed_count")), "another number of feeds");
    REQUIRE(info.suite == suite_of(json_string(json_get(want, "suite"))), "another suite");

    size_t at = 0, index = 0;
    while (json_next(json_get(want, "entries"), &at, NULL, &entry))
        check_entry(update, &info, index++, entry);
    REQUIRE(index == info.entries && index > 0, "another number of entries");
    touchstone_feed feed;
    EXPECT(touchstone_update_feed(update, index, &feed), "no-feed");
    touchstone_update_free(update);
}

/* A JSON string as one of C. */
static const char *c_text(json string, char out[64])
{
    REQUIRE(string.len < 64, "a long code");
    memcpy(out, string.text, string.len);
    out[string.len] = 0;
    return out;
}

static void invalid(json file)
{
    char code[64];
    touchstone_verifier *verifier = pin(json_get(file, "network_id"), json_get(file, "group_keys"));
    touchstone_update *update = (touchstone_update *)verifier;
    EXPECT(verify_hex(verifier, json_get(file, "update"), &update), c_text(json_string(json_get(file, "code")), code));
    REQUIRE(update == NULL, "a refusal leaves a handle");
    touchstone_verifier_free(verifier);
}

/* ---- group-keys.json -------------------------------------------------------------------------------------------------- */

static void group_keys(json file)
{
    static const uint8_t network_id[TOUCHSTONE_NETWORK_ID_BYTES] = {1};
    size_t at = 0, count = 0;
    json vector;
    while (json_next(file, &at, NULL, &vector)) {
        char code[64] = "ok";
        json refused = json_find(vector, "code");
        if (refused.text)
            c_text(json_string(refused), code);
        touchstone_group_key key = {suite_of(json_string(json_get(vector, "suite"))), NULL, 0};
        uint8_t *bytes = json_hex(json_get(vector, "key"), &key.key_len);
        key.key = bytes;
        touchstone_verifier *verifier;
        EXPECT(touchstone_verifier_new(network_id, sizeof network_id, &key, 1, &verifier), code);
        REQUIRE((verifier == NULL) == (refused.text != NULL), "a refusal leaves a handle");
        touchstone_verifier_free(verifier);
        free(bytes);
        count++;
    }
    REQUIRE(count > 30, "few keys");
}

/* ---- policy.json ------------------------------------------------------------------------------------------------------ */

/* The policy of a case. Members that are not known here are an error, so none is passed over. */
static touchstone_policy policy_of(json conditions, const touchstone_update *next)
{
    json now = json_find(conditions, "now_ms"), value, name;
    touchstone_policy policy;
    if (now.text)
        policy = touchstone_policy_fresh(json_u64(now), json_u64(json_get(conditions, "max_age_ms")));
    else
        policy = touchstone_policy_at(json_u64(json_get(conditions, "at_ms")), next);
    size_t at = 0;
    while (json_next(conditions, &at, &name, &value)) {
        if (json_is(name, "now_ms") || json_is(name, "max_age_ms") || json_is(name, "at_ms"))
            continue;
        if (json_is(name, "max_skew_ms")) {
            policy.max_skew_ms = json_u64(value);
        } else if (json_is(name, "max_trade_age_ms")) {
            policy.max_trade_age_ms = json_u64(value);
        } else if (json_is(name, "min_observers")) {
            policy.min_observers = (uint16_t)json_u64(value);
        } else if (json_is(name, "max_gap")) {
            policy.max_gap = json_u64(value);
        } else if (json_is(name, "newer_than")) {
            policy.last_round = json_u64(value);
            policy.has_last_round = 1;
        } else {
            REQUIRE(json_is(name, "allow_status"), "a condition that is not known");
            policy.allowed_status = status_bits(value);
        }
    }
    return policy;
}

static void policy_case(const touchstone_verifier *verifier, json vector)
{
    touchstone_update *update, *next = NULL;
    EXPECT(verify_hex(verifier, json_get(vector, "update"), &update), "ok");
    json next_hex = json_find(vector, "next");
    if (next_hex.text)
        EXPECT(verify_hex(verifier, next_hex, &next), "ok");
    touchstone_policy policy = policy_of(json_get(vector, "policy"), next);
    json feed = json_string(json_get(vector, "feed")), code = json_find(vector, "code");
    char want[64] = "ok";
    if (code.text)
        c_text(json_string(code), want);

    touchstone_price price, again, zero;
    memset(&price, 0xa5, sizeof price);
    memset(&zero, 0, sizeof zero);
    EXPECT(touchstone_update_price(update, feed.text, feed.len, &policy, &price), want);
    if (code.text) {
        REQUIRE(memcmp(&price, &zero, sizeof price) == 0, "a refusal leaves a number");
    } else {
        char text[TOUCHSTONE_DECIMAL_TEXT_MAX];
        EXPECT(touchstone_decimal_text(&price.price, price.exponent, text, sizeof text), "ok");
        same_text(text, json_get(vector, "price"));
    }
    /* The same in one call. */
    size_t len;
    uint8_t *bytes = json_hex(json_get(vector, "update"), &len);
    EXPECT(touchstone_verify(verifier, bytes, len, feed.text, feed.len, &policy, &again), want);
    REQUIRE(memcmp(&price, &again, sizeof price) == 0, "another result in one call");
    free(bytes);
    touchstone_update_free(next);
    touchstone_update_free(update);
}

static void policies(json file)
{
    REQUIRE(json_u64(json_get(file, "default_max_skew_ms")) == TOUCHSTONE_DEFAULT_MAX_SKEW_MS, "another default");
    size_t key_len, id_len, at = 0, count = 0;
    uint8_t *id = json_hex(json_get(file, "network_id"), &id_len);
    uint8_t *bytes = json_hex(json_get(file, "group_key"), &key_len);
    touchstone_group_key key = {TOUCHSTONE_ED25519, bytes, key_len};
    touchstone_verifier *verifier;
    EXPECT(touchstone_verifier_new(id, id_len, &key, 1, &verifier), "ok");
    json vector;
    while (json_next(json_get(file, "cases"), &at, NULL, &vector)) {
        policy_case(verifier, vector);
        count++;
    }
    REQUIRE(count > 40, "few cases");
    touchstone_verifier_free(verifier);
    free(bytes);
    free(id);
}

/* ---- pin/ ------------------------------------------------------------------------------------------------------------- */

static void good_pin(json file)
{
    touchstone_verifier *verifier;
    EXPECT(touchstone_verifier_from_pin((const uint8_t *)file.text, file.len, &verifier), "ok");
    touchstone_verifier_free(verifier);
}

static void bad_pin(json file)
{
    char want[64];
    json pin_text = json_get(file, "pin");
    touchstone_verifier *verifier;
    c_text(json_string(json_get(file, "code")), want);
    /* The members' own signatures are a feature of the library's build. */
    if (strcmp(want, "bad-member-signature") == 0 && !(touchstone_features() & TOUCHSTONE_FEATURE_MEMBERS))
        strcpy(want, "ok");
    EXPECT(touchstone_verifier_from_pin((const uint8_t *)pin_text.text, pin_text.len, &verifier), want);
    REQUIRE((verifier != NULL) == (strcmp(want, "ok") == 0), "a refusal leaves a handle");
    touchstone_verifier_free(verifier);
}

/* ----------------------------------------------------------------------------------------------------------------------- */

static void with_root_file(const char *root, const char *name, void (*run)(json))
{
    char *path = join(root, name);
    with_file(path, run);
    free(path);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2 || argc == 3, "usage: vectors DIRECTORY [updates]");
    REQUIRE(touchstone_abi_version() == TOUCHSTONE_ABI_VERSION, "a library of another version");
    const char *root = argv[1];
    with_folder(root, "update/valid", valid);
    if (argc == 2) {
        with_folder(root, "update/invalid", invalid);
        with_root_file(root, "group-keys.json", group_keys);
        with_root_file(root, "policy.json", policies);
        with_root_file(root, "pin/network.json", good_pin);
        with_root_file(root, "pin/two-epochs.json", good_pin);
        with_folder(root, "pin/invalid", bad_pin);
        REQUIRE(file_count > 170, "few files");
    }
    printf("%lu files, %lu calls\n", file_count, check_count);
    return 0;
}
