/*
 * Touchstone: verifies prices that a network of oracles signed.
 *
 * Whoever hands you a price update can withhold it, but cannot forge, alter or disguise it, if you pin the network once
 * (touchstone_verifier_*) and take numbers from touchstone_verify or touchstone_update_price only. No number comes without
 * a policy, and no policy without a statement about time.
 *
 * C11 and C++17. MIT OR Apache-2.0.
 *
 * Units        Times are Unix milliseconds. Prices are integers and a power of ten: mantissa * 10^exponent. No float.
 * Lengths      Every buffer comes with its length in bytes. Text that goes in need not end with a zero; text that comes
 *              out does, and fits whole or not at all.
 * Ownership    Arguments are borrowed for the call. A verifier or an update that you were handed is yours until you give it
 *              to its _free, once; NULL may be freed. An update does not need the verifier that made it.
 * Outputs      On every failure the output is set to zeros (a handle to NULL, a text to ""), so no old number stays in it.
 *              Only TOUCHSTONE_INVALID_POINTER for the output itself leaves it alone.
 * Threads      There is no global state and no call that changes a handle. Threads may share handles without a lock, as
 *              long as none of them is freed while another thread uses it.
 * Pointers     NULL and misaligned pointers are refused (TOUCHSTONE_INVALID_POINTER), but for NULL with a length of 0. A
 *              pointer to anything else than this header asks for is undefined behaviour, as everywhere in C.
 * Panics       A bug inside the library becomes TOUCHSTONE_INTERNAL, and says where on standard error. Only memory that runs
 *              out ends the process.
 */
#ifndef TOUCHSTONE_H
#define TOUCHSTONE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. A library of another one must not be used: compare it with touchstone_abi_version(). */
#define TOUCHSTONE_ABI_VERSION 1

/* ---- Results ---------------------------------------------------------------------------------------------------------- */

/*
 * What a call returns: 0, or why it failed. Numbers are never used again for another meaning; later versions may add some.
 * touchstone_code_text gives the text that all clients and contracts of the network share.
 */
typedef int32_t touchstone_result;

enum touchstone_code {
    TOUCHSTONE_OK = 0,

    /* The call is wrong. */
    TOUCHSTONE_INVALID_ARGUMENT = 1,     /* a policy that says nothing about time, or two things; another number out of range */
    TOUCHSTONE_INVALID_POINTER = 2,      /* NULL, or misaligned */
    TOUCHSTONE_BUFFER_TOO_SMALL = 3,     /* the text does not fit */
    TOUCHSTONE_INVALID_FEED_NAME = 4,    /* not BASE-QUOTE, each part 1 to 15 of A-Z 0-9 . */
    TOUCHSTONE_INVALID_STATUS = 5,       /* no status has this name or bit */
    TOUCHSTONE_NO_KEY = 6,               /* nothing is pinned */
    TOUCHSTONE_INTERNAL = 9,             /* a bug in this library; nothing was verified */

    /* Not a price update in form. */
    TOUCHSTONE_TRUNCATED = 20,           /* bytes are missing */
    TOUCHSTONE_TRAILING_BYTES = 21,      /* bytes are left over */
    TOUCHSTONE_UNKNOWN_VERSION = 22,     /* the version byte is not 1 */
    TOUCHSTONE_UNKNOWN_SUITE = 23,       /* no signature suite has this number */
    TOUCHSTONE_NO_ENTRIES = 24,          /* it holds no feed */
    TOUCHSTONE_LEAF_ORDER = 25,          /* feeds are not in strictly ascending order */
    TOUCHSTONE_LEAF_INDEX = 26,          /* a leaf that the network's tree does not have */
    TOUCHSTONE_PATH_LENGTH = 27,         /* a proof of a wrong length */
    TOUCHSTONE_INVALID_LEAF = 28,        /* a feed name, status or price that no leaf may hold */

    /* Not authentic. */
    TOUCHSTONE_WRONG_NETWORK = 30,       /* of another network than the pinned one */
    TOUCHSTONE_UNSUPPORTED_SUITE = 31,   /* of a suite of which no key is pinned */
    TOUCHSTONE_BAD_SIGNATURE = 32,       /* not the group's signature, by strict rules */
    TOUCHSTONE_INCLUSION = 33,           /* a feed that is not under what the group signed */

    /* Not to be pinned. */
    TOUCHSTONE_BAD_GROUP_KEY = 40,       /* of a wrong length, not canonical, or not of prime order */
    TOUCHSTONE_BAD_PIN = 41,             /* the form of network.json or its chain of manifests is broken */
    TOUCHSTONE_BAD_EPOCH_SIGNATURE = 42, /* an epoch record that the group key did not sign */
    TOUCHSTONE_BAD_MEMBER_SIGNATURE = 43, /* a genesis record that a member did not sign (TOUCHSTONE_FEATURE_MEMBERS only) */

    /* Authentic, but refused by the policy. */
    TOUCHSTONE_NO_FEED = 60,             /* the update does not hold the feed */
    TOUCHSTONE_TOO_OLD = 61,             /* the round is older than max_age_ms */
    TOUCHSTONE_AHEAD_OF_NOW = 62,        /* a timestamp is further ahead than max_skew_ms */
    TOUCHSTONE_TRADE_TOO_OLD = 63,       /* the trades are older than max_trade_age_ms */
    TOUCHSTONE_NOT_NEWER = 64,           /* the round is not above last_round */
    TOUCHSTONE_TOO_FEW_OBSERVERS = 65,   /* fewer than min_observers */
    TOUCHSTONE_STATUS = 66,              /* a status bit that allowed_status lacks */
    TOUCHSTONE_UNAVAILABLE = 67,         /* there is no price in this round, whatever is allowed */
    TOUCHSTONE_NO_PAIR = 68,             /* next is of another network, or not of a later round */
    TOUCHSTONE_NOT_AROUND = 69,          /* the instant does not lie from the update to before next */
    TOUCHSTONE_GAP = 70,                 /* more than max_gap rounds lie between the two */
    TOUCHSTONE_OTHER_UPDATE = 71         /* reserved: other clients say it of an update that is not the one before the instant */
};

/* A result's text, such as "too-old"; "unknown" for a number that is no result. Static: never NULL, not to be freed. */
const char *touchstone_code_text(touchstone_result code);

/* TOUCHSTONE_ABI_VERSION of the library. */
uint32_t touchstone_abi_version(void);

/* What the library was built with, as a sum of TOUCHSTONE_FEATURE_*. */
#define TOUCHSTONE_FEATURE_PIN 1u     /* touchstone_verifier_from_pin exists */
#define TOUCHSTONE_FEATURE_MEMBERS 2u /* and checks the members' own signatures too */
uint32_t touchstone_features(void);

/* ---- Pinning a network ------------------------------------------------------------------------------------------------ */

/* A pinned network. Immutable. */
typedef struct touchstone_verifier touchstone_verifier;

/*
 * Reads network.json: checks its form, its chain of manifests, its group keys, and the group's signature on every epoch
 * record. That it is the right network's is what you trust it for: get it by two ways that do not know each other.
 *
 * Fails with: invalid-pointer, bad-pin, bad-group-key, unsupported-suite, bad-epoch-signature, bad-member-signature.
 */
touchstone_result touchstone_verifier_from_pin(const uint8_t *json, size_t json_len, touchstone_verifier **out);

#define TOUCHSTONE_NETWORK_ID_BYTES 32u

enum touchstone_suite {
    TOUCHSTONE_ED25519 = 1,         /* keys of 32 bytes */
    TOUCHSTONE_SECP256K1_KECCAK = 2 /* keys of 33 bytes, SEC 1 compressed */
};

/* A group key. */
typedef struct touchstone_group_key {
    uint32_t suite;     /* enum touchstone_suite */
    const uint8_t *key;
    size_t key_len;
} touchstone_group_key;

/*
 * Pins the least there is: the network's id and its group key, in one suite or in both, at most one of each.
 *
 * Fails with: invalid-pointer, invalid-argument (an id that has not 32 bytes, two keys of one suite), no-key,
 * unknown-suite, bad-group-key.
 */
touchstone_result touchstone_verifier_new(const uint8_t *network_id, size_t network_id_len,
                                          const touchstone_group_key *keys, size_t key_count,
                                          touchstone_verifier **out);

/* The pinned network's id, 32 bytes. Fails with: invalid-pointer. */
touchstone_result touchstone_verifier_network_id(const touchstone_verifier *verifier,
                                                 uint8_t out[TOUCHSTONE_NETWORK_ID_BYTES]);

void touchstone_verifier_free(touchstone_verifier *verifier);

/* ---- Status ----------------------------------------------------------------------------------------------------------- */

/* What must be known about a price before it is used. 0 is ok. */
#define TOUCHSTONE_STATUS_OK 0u
#define TOUCHSTONE_STATUS_DEGRADED 1u       /* "degraded": fewer sources than the network asks for */
#define TOUCHSTONE_STATUS_STALE 2u          /* "stale": the newest trade is older than the feed's bound */
#define TOUCHSTONE_STATUS_HALTED 4u         /* "halted": by governance */
#define TOUCHSTONE_STATUS_DEPEGGED 8u       /* "depegged": a currency used for conversion is off its peg */
#define TOUCHSTONE_STATUS_MARKET_CLOSED 16u /* "market-closed" */
#define TOUCHSTONE_STATUS_UNAVAILABLE 128u  /* "unavailable": there is no price */

/* The bit of one name. Fails with: invalid-pointer, invalid-status. */
touchstone_result touchstone_status_from_name(const char *name, size_t name_len, uint8_t *out);

/* Room for every text of touchstone_status_text, with the zero that ends it. */
#define TOUCHSTONE_STATUS_TEXT_MAX 64u

/* "ok", or the names of the bits joined by '+'. Fails with: invalid-pointer, invalid-status, buffer-too-small. */
touchstone_result touchstone_status_text(uint8_t status, char *out, size_t out_len);

/* ---- Updates ---------------------------------------------------------------------------------------------------------- */

/* A price update that the pinned network signed. Immutable. Shows what it is about, but no number. */
typedef struct touchstone_update touchstone_update;

/*
 * Verifies a binary price update: form, network, the group's signature by strict rules, and the inclusion of every feed, in
 * this order; the first that fails is reported. `bytes` is untrusted and may hold anything.
 *
 * Fails with: invalid-pointer, and everything from 20 to 33.
 */
touchstone_result touchstone_update_verify(const touchstone_verifier *verifier, const uint8_t *bytes, size_t bytes_len,
                                           touchstone_update **out);

void touchstone_update_free(touchstone_update *update);

/* What the group signed. It commits to prices, but holds none. */
typedef struct touchstone_update_info {
    uint8_t network_id[32];
    uint8_t feeds_root[32];        /* Merkle root over all feeds of the round */
    uint8_t observations_root[32]; /* Merkle root over the members' observations */
    uint8_t digest[32];            /* SHA-256 of the statement: what the signature is over */
    uint64_t round;
    uint64_t timestamp_ms;         /* the round's time: lower median of the contributors' clocks */
    uint32_t epoch;
    uint16_t feed_count;           /* feeds that the network has */
    uint8_t entries;               /* feeds that this update holds, 1 to 255 */
    uint8_t suite;                 /* enum touchstone_suite, of the signature that was checked */
} touchstone_update_info;

/* Fails with: invalid-pointer. */
touchstone_result touchstone_update_describe(const touchstone_update *update, touchstone_update_info *out);

/* A feed of an update. */
typedef struct touchstone_feed {
    char name[32];  /* such as "BTC-USD", ended and padded by zeros */
    uint8_t status; /* sum of TOUCHSTONE_STATUS_* */
} touchstone_feed;

/* The feed at `index`, from 0 to below `entries`. Fails with: invalid-pointer, no-feed. */
touchstone_result touchstone_update_feed(const touchstone_update *update, size_t index, touchstone_feed *out);

/* ---- Policies --------------------------------------------------------------------------------------------------------- */

/* How far timestamps may be ahead of now unless the policy says otherwise. */
#define TOUCHSTONE_DEFAULT_MAX_SKEW_MS 2000u

enum touchstone_when {
    TOUCHSTONE_FRESH = 1, /* a price for now: the round is at most max_age_ms older than time_ms, your clock */
    TOUCHSTONE_AT = 2     /* the price at the past instant time_ms, which lies between the update and `next` */
};

/*
 * The conditions under which you accept a price. Make it with touchstone_policy_fresh or touchstone_policy_at, which are
 * strict in everything else, and then change fields by name. A zeroed policy is refused.
 */
typedef struct touchstone_policy {
    uint32_t size;              /* sizeof(touchstone_policy); another size is refused */
    uint32_t when;              /* enum touchstone_when; 0 is refused */
    uint64_t time_ms;           /* TOUCHSTONE_FRESH: your clock. TOUCHSTONE_AT: the instant */
    uint64_t max_age_ms;        /* TOUCHSTONE_FRESH only; 0 accepts a round of this very millisecond */
    uint64_t max_skew_ms;       /* how far timestamps may be ahead of time_ms */
    uint64_t max_trade_age_ms;  /* how old the trades behind the price may be; UINT64_MAX: any age */
    uint64_t last_round;        /* the last round that you saw: only newer ones are accepted, if has_last_round is 1 */
    uint64_t max_gap;           /* TOUCHSTONE_AT only: how many rounds the two updates may be apart. Whoever picked them could
                                   leave out any round between, so above 1 there is a choice among as many prices */
    const touchstone_update *next; /* TOUCHSTONE_AT only: the update after the instant; borrowed */
    uint16_t min_observers;     /* how many members must have observed the feed; 0: the network's own bound */
    uint8_t allowed_status;     /* sum of the TOUCHSTONE_STATUS_* that you accept; unavailable has no price even so */
    uint8_t has_last_round;     /* 0 or 1 */
    uint32_t reserved;          /* 0 */
} touchstone_policy;

/* A price for now: at most `max_age_ms` older than `now_ms`, your clock. */
static inline touchstone_policy touchstone_policy_fresh(uint64_t now_ms, uint64_t max_age_ms)
{
    touchstone_policy policy;
    policy.size = (uint32_t)sizeof policy;
    policy.when = TOUCHSTONE_FRESH;
    policy.time_ms = now_ms;
    policy.max_age_ms = max_age_ms;
    policy.max_skew_ms = TOUCHSTONE_DEFAULT_MAX_SKEW_MS;
    policy.max_trade_age_ms = UINT64_MAX;
    policy.last_round = 0;
    policy.max_gap = 1;
    policy.next = NULL;
    policy.min_observers = 0;
    policy.allowed_status = TOUCHSTONE_STATUS_OK;
    policy.has_last_round = 0;
    policy.reserved = 0;
    return policy;
}

/*
 * The price at a past instant: the update that you ask is the last one at or before it, as `next`, the one after it, shows.
 * `next` must live as long as the policy is used.
 */
static inline touchstone_policy touchstone_policy_at(uint64_t instant_ms, const touchstone_update *next)
{
    touchstone_policy policy = touchstone_policy_fresh(instant_ms, 0);
    policy.when = TOUCHSTONE_AT;
    policy.next = next;
    return policy;
}

/* ---- Prices ----------------------------------------------------------------------------------------------------------- */

/* A signed integer of 128 bits in two's complement: high * 2^64 + low. */
typedef struct touchstone_i128 {
    uint64_t low;
    int64_t high;
} touchstone_i128;

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 touchstone_int128;

/* The integer, where the compiler has one of 128 bits. */
static inline touchstone_int128 touchstone_i128_value(touchstone_i128 number)
{
    /* The product of a negative high half fits; a shift of it would be undefined. */
    return (touchstone_int128)number.high * ((touchstone_int128)1 << 64) + (touchstone_int128)number.low;
}
#endif

/* A price and everything that the group signed about it. Its value is price * 10^exponent, and so are low's and high's. */
typedef struct touchstone_price {
    char feed[32];           /* such as "BTC-USD", ended and padded by zeros */
    touchstone_i128 price;   /* lower median of the observations */
    touchstone_i128 low;     /* not below the lowest honest observation */
    touchstone_i128 high;    /* not above the highest honest observation */
    uint64_t round;
    uint64_t timestamp_ms;   /* the round's time */
    uint64_t observed_at_ms; /* time of the trades behind the price */
    uint32_t epoch;
    uint16_t observers;      /* how many members observed the feed */
    uint8_t status;          /* TOUCHSTONE_STATUS_OK, or bits that the policy allowed */
    int8_t exponent;         /* -38 to 38 */
} touchstone_price;

/*
 * The price of one feed of a verified update, under a policy. `feed` is a name such as "BTC-USD", of `feed_len` bytes.
 *
 * Fails with: invalid-pointer, invalid-argument, invalid-feed-name, invalid-status, and everything from 60 on.
 */
touchstone_result touchstone_update_price(const touchstone_update *update, const char *feed, size_t feed_len,
                                          const touchstone_policy *policy, touchstone_price *out);

/*
 * touchstone_update_verify and touchstone_update_price in one call, for one feed. For several feeds of one update verify it
 * once and ask for each price.
 */
touchstone_result touchstone_verify(const touchstone_verifier *verifier, const uint8_t *bytes, size_t bytes_len,
                                    const char *feed, size_t feed_len, const touchstone_policy *policy,
                                    touchstone_price *out);

/* Room for every text of touchstone_decimal_text, with the zero that ends it. */
#define TOUCHSTONE_DECIMAL_TEXT_MAX 80u

/*
 * mantissa * 10^exponent in full, without an exponent and with every digit: 6712345000000 and -8 are "67123.45000000".
 *
 * Fails with: invalid-pointer, invalid-argument (an exponent outside of -38 to 38), buffer-too-small.
 */
touchstone_result touchstone_decimal_text(const touchstone_i128 *mantissa, int32_t exponent, char *out, size_t out_len);

/* The library was compiled against these sizes. */
#if defined(__cplusplus)
#define TOUCHSTONE_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define TOUCHSTONE_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
TOUCHSTONE_ASSERT_SIZE(touchstone_i128, 16);
TOUCHSTONE_ASSERT_SIZE(touchstone_price, 112);
TOUCHSTONE_ASSERT_SIZE(touchstone_update_info, 152);
TOUCHSTONE_ASSERT_SIZE(touchstone_feed, 33);
#undef TOUCHSTONE_ASSERT_SIZE

#ifdef __cplusplus
}
#endif

#endif /* TOUCHSTONE_H */
