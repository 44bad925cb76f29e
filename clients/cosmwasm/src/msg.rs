//! Every message of the contract, and every answer. `schema/` holds the same as JSON Schema.
//!
//! Byte strings are hexadecimal where a person compares them (ids, keys) and base64 where they are long (updates: the text
//! that the HTTP API has in its member `update`). Rounds, times and mantissas are decimal text, because a JSON reader may
//! know doubles only; ages and counts are numbers. Times are Unix milliseconds. A member that is not named here is refused:
//! a misspelt condition must not be taken for none.

use cosmwasm_schema::{QueryResponses, cw_serde};
use cosmwasm_std::{Binary, HexBinary, Int128, Uint64};

/// What the contract pins, once and for all.
#[cw_serde]
#[serde(deny_unknown_fields)]
#[schemaifier(mute_warnings)]
pub struct InstantiateMsg {
    /// The network's id, 32 bytes.
    pub network_id: HexBinary,
    /// The network's group key, in one suite or in both.
    pub group_keys: GroupKeys,
    /// How far a signed time may be ahead of the block's, in milliseconds: 2,000 if it is left out, at most 60,000. A chain
    /// whose block time lags behind the clock by more than that needs more, or fresh updates are refused.
    #[serde(default)]
    pub max_skew_ms: Option<u64>,
}

/// The group's keys, at least one, by suite in this chain's spelling (`secp256k1_keccak`).
#[cw_serde]
#[derive(Default)]
#[serde(deny_unknown_fields)]
#[schemaifier(mute_warnings)]
pub struct GroupKeys {
    /// Suite 1: 32 bytes, RFC 8032 encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ed25519: Option<HexBinary>,
    /// Suite 2: 33 bytes, compressed as in SEC 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secp256k1_keccak: Option<HexBinary>,
}

/// What anybody may send. No funds are accepted.
#[cw_serde]
#[serde(deny_unknown_fields)]
#[schemaifier(mute_warnings)]
pub enum ExecuteMsg {
    /// Verifies a price update and keeps each feed of it whose round is above the one that is kept. Fails with `not-newer` if
    /// there is no such feed: then nothing changes.
    Update {
        /// The binary price update.
        update: Binary,
    },
    /// Fails with `has-admin` if the chain knows an admin of this contract. The contract sends it to itself when it is made,
    /// so that making it with an admin fails; an admin cannot be added later.
    AssertNoAdmin {},
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
#[serde(deny_unknown_fields)]
#[schemaifier(mute_warnings)]
pub enum QueryMsg {
    /// What is pinned.
    #[returns(ConfigResponse)]
    Config {},
    /// The price of a feed that is kept.
    #[returns(PriceResponse)]
    Price {
        /// The feed, such as `BTC-USD`.
        feed: String,
        /// How old the round may be by the block's time, in milliseconds.
        max_age_ms: u64,
        /// Everything else; strict if it is left out.
        #[serde(default)]
        conditions: Conditions,
    },
    /// The feeds that are kept, by name: which round and status each has, but no number.
    #[returns(FeedsResponse)]
    Feeds {
        /// Only feeds behind this name.
        #[serde(default)]
        start_after: Option<String>,
        /// How many at most: 30 if it is left out, and never more than 100.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// The price in an update that the caller holds. Nothing is kept, and what is kept is not looked at.
    #[returns(PriceResponse)]
    Verify {
        /// The binary price update.
        update: Binary,
        /// The feed.
        feed: String,
        /// How old the round may be by the block's time, in milliseconds.
        max_age_ms: u64,
        /// Everything else; strict if it is left out.
        #[serde(default)]
        conditions: Conditions,
    },
    /// The price at a past instant: that of the update before it, where the next update after it proves that nobody picked a
    /// convenient one.
    #[returns(PriceResponse)]
    VerifyAt {
        /// The update whose time is at or before the instant.
        before: Binary,
        /// The update whose time is after the instant.
        after: Binary,
        /// The feed.
        feed: String,
        /// The instant, in Unix milliseconds.
        instant_ms: Uint64,
        /// How many rounds the two updates may be apart: 1 if it is left out, which leaves no round to be hidden.
        #[serde(default)]
        max_gap: Option<u64>,
        /// Everything else; strict if it is left out.
        #[serde(default)]
        conditions: Conditions,
    },
}

/// What a caller accepts. Left out means strict.
#[cw_serde]
#[derive(Default)]
#[serde(deny_unknown_fields)]
#[schemaifier(mute_warnings)]
pub struct Conditions {
    /// Status bits that are accepted, by name. By default none is.
    #[serde(default)]
    pub allow_status: Vec<Status>,
    /// How old the trades behind the price may be, in milliseconds. Not asked for by default.
    #[serde(default)]
    pub max_trade_age_ms: Option<u64>,
    /// How many members must have observed the feed, beside the network's own bound.
    #[serde(default)]
    pub min_observers: Option<u16>,
    /// The last round that the caller saw: only a higher one is accepted.
    #[serde(default)]
    pub newer_than: Option<Uint64>,
}

/// Why a price is less than good, by the names of the HTTP API in this chain's spelling (`market_closed`). No bit means ok.
#[cw_serde]
#[derive(Copy)]
pub enum Status {
    /// Fewer sources or conversion anchors than the manifest asks for.
    Degraded,
    /// The newest trade is older than the feed's bound.
    Stale,
    /// Halted by governance.
    Halted,
    /// A conversion used a currency that is off its peg.
    Depegged,
    /// The feed's market is closed.
    MarketClosed,
    /// No price. Allowing it gives none either.
    Unavailable,
}

/// What is pinned.
#[cw_serde]
pub struct ConfigResponse {
    /// The network's id, 32 bytes.
    pub network_id: HexBinary,
    /// The group keys by suite.
    pub group_keys: GroupKeys,
    /// How far a signed time may be ahead of the block's, in milliseconds.
    pub max_skew_ms: u64,
}

/// A price that satisfies what the caller asked for, with everything that the group signed about it.
#[cw_serde]
pub struct PriceResponse {
    /// The feed.
    pub feed: String,
    /// Lower median of the observations, exact decimal text such as `67123.45000000`.
    pub price: String,
    /// Not below the lowest honest observation.
    pub low: String,
    /// Not above the highest honest observation.
    pub high: String,
    /// The same price for arithmetic: `price = price_mantissa * 10^exponent`.
    pub price_mantissa: Int128,
    /// Mantissa of `low`.
    pub low_mantissa: Int128,
    /// Mantissa of `high`.
    pub high_mantissa: Int128,
    /// Exponent of the three mantissas, from -38 to 38.
    pub exponent: i8,
    /// The bits that are set, all of them allowed by the caller.
    pub status: Vec<Status>,
    /// How many members observed the feed.
    pub observers: u16,
    /// Time of the trades behind the price.
    pub observed_at_ms: Uint64,
    /// The epoch of the network's committee.
    pub epoch: u32,
    /// The round.
    pub round: Uint64,
    /// The round's time.
    pub timestamp_ms: Uint64,
}

/// The feeds that are kept.
#[cw_serde]
pub struct FeedsResponse {
    /// In the order of their names.
    pub feeds: Vec<FeedState>,
}

/// What is kept of a feed, without its number.
#[cw_serde]
pub struct FeedState {
    /// The feed.
    pub feed: String,
    /// The round that is kept.
    pub round: Uint64,
    /// The round's time.
    pub timestamp_ms: Uint64,
    /// The bits that are set.
    pub status: Vec<Status>,
}

impl Status {
    /// Every status with the bit that stands for it in a leaf.
    const BITS: [(Self, touchstone_types::Status); 6] = [
        (Self::Degraded, touchstone_types::Status::DEGRADED),
        (Self::Stale, touchstone_types::Status::STALE),
        (Self::Halted, touchstone_types::Status::HALTED),
        (Self::Depegged, touchstone_types::Status::DEPEGGED),
        (Self::MarketClosed, touchstone_types::Status::MARKET_CLOSED),
        (Self::Unavailable, touchstone_types::Status::UNAVAILABLE),
    ];

    /// The names of the bits that are set.
    pub fn of(bits: touchstone_types::Status) -> Vec<Self> {
        let set = Self::BITS.iter().filter(|(_, bit)| bits.contains(*bit));
        set.map(|(status, _)| *status).collect()
    }

    /// The bits of these names.
    pub fn bits(names: &[Self]) -> touchstone_types::Status {
        let named = Self::BITS.iter().filter(|(name, _)| names.contains(name));
        named.fold(touchstone_types::Status::OK, |all, (_, bit)| all.with(*bit))
    }
}
