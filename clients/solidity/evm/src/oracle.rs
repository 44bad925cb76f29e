//! Calls of the oracle contract.

use revm::primitives::Address;
use touchstone_types::NetworkId;

use crate::{Arg, Artifact, Chain, feed_word};

/// A deployed oracle.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// Where it is.
    pub address: Address,
    artifact: Artifact,
}

/// `Policy` of ITouchstoneOracle.sol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// How old the round may be, in milliseconds.
    pub max_age_ms: u64,
    /// How old the trades may be, in milliseconds; 0 if it does not matter.
    pub max_trade_age_ms: u64,
    /// The last round seen; 0 if there is none.
    pub newer_than: u64,
    /// How many observers there must be.
    pub min_observers: u16,
    /// Status bits that are allowed.
    pub allowed: u8,
}

impl Oracle {
    /// Deploys an oracle of a network with its key and a skew in milliseconds.
    pub fn deploy(chain: &mut Chain, network: NetworkId, key: &[u8], skew_ms: u64) -> Self {
        let args = Self::arguments(network, key, skew_ms);
        Self {
            address: chain.deploy("TouchstoneOracle", &args),
            artifact: Artifact::read("TouchstoneOracle"),
        }
    }

    /// The constructor's arguments.
    pub fn arguments(network: NetworkId, key: &[u8], skew_ms: u64) -> [Arg; 3] {
        [
            Arg::Word(network.0.0),
            Arg::Bytes(key.to_vec()),
            Arg::uint(skew_ms),
        ]
    }

    fn data(&self, function: &str, args: &[Arg]) -> Vec<u8> {
        [self.artifact.selector(function).to_vec(), Arg::encode(args)].concat()
    }

    /// `update`.
    pub fn update(&self, update: &[u8]) -> Vec<u8> {
        self.data("update", &[Arg::Bytes(update.to_vec())])
    }

    /// `updateAndRead`.
    pub fn update_and_read(&self, update: &[u8], feed: &str, max_age_ms: u64) -> Vec<u8> {
        let args = [
            Arg::Bytes(update.to_vec()),
            feed_word(feed),
            Arg::uint(max_age_ms),
        ];
        self.data("updateAndRead", &args)
    }

    /// `read`.
    pub fn read(&self, feed: &str, max_age_ms: u64) -> Vec<u8> {
        self.data("read", &[feed_word(feed), Arg::uint(max_age_ms)])
    }

    /// `readAllowing`.
    pub fn read_allowing(&self, feed: &str, max_age_ms: u64, allowed: u8) -> Vec<u8> {
        let args = [
            feed_word(feed),
            Arg::uint(max_age_ms),
            Arg::uint(allowed.into()),
        ];
        self.data("readAllowing", &args)
    }

    /// `verify` with an age alone.
    pub fn verify(&self, update: &[u8], feed: &str, max_age_ms: u64) -> Vec<u8> {
        let args = [
            Arg::Bytes(update.to_vec()),
            feed_word(feed),
            Arg::uint(max_age_ms),
        ];
        self.data("verify(bytes,bytes32,uint64)", &args)
    }

    /// `verify` with a policy.
    pub fn verify_under(&self, update: &[u8], feed: &str, conditions: Conditions) -> Vec<u8> {
        let args = [
            Arg::Bytes(update.to_vec()),
            feed_word(feed),
            Arg::uint(conditions.max_age_ms),
            Arg::uint(conditions.max_trade_age_ms),
            Arg::uint(conditions.newer_than),
            Arg::uint(conditions.min_observers.into()),
            Arg::uint(conditions.allowed.into()),
        ];
        self.data(
            "verify(bytes,bytes32,(uint64,uint64,uint64,uint16,uint8))",
            &args,
        )
    }

    /// `latestRound`.
    pub fn latest_round(&self, feed: &str) -> Vec<u8> {
        self.data("latestRound", &[feed_word(feed)])
    }
}
