//! A demo market: an HTTP server that answers in the exchanges' own shapes.
//!
//! The prices come from a seeded random walk ([`Market::demo`]) or from recorded bars ([`Market::replay`]). An exchange's
//! API stands below its name: `http://HOST:PORT/kraken` is a base URL for the adapter `kraken`. What a node fetches here
//! it fetches as from the exchange itself: same paths, same field names, same JSON types, same errors.

mod asset;
mod clock;
mod demo;
mod fault;
mod hash;
mod replay;
mod server;
mod shape;
mod trade;
mod walk;

use std::path::Path;

pub use clock::{Speed, SpeedError, TimeError, parse_time};
pub use fault::{Fault, Faults};
pub use replay::ReplayError;
pub use server::{router, serve};
use touchstone_types::FeedName;
use touchstone_types::Market as MarketName;
pub use trade::{Day, Side, Summary, Trade};

use crate::{demo::Demo, replay::Replay};

/// Where prices come from.
#[derive(Debug)]
pub struct Market {
    origin: Origin,
    faults: Faults,
    seed: u64,
}

#[derive(Debug)]
enum Origin {
    Demo(Demo),
    Replay(Replay),
}

impl Market {
    /// A random walk for every pair of the known currencies, with the [usual](Faults::usual) faults. The same seed gives
    /// the same prices at the same time of the wall clock, whenever the server was started.
    pub fn demo(seed: u64) -> Self {
        Self {
            origin: Origin::Demo(Demo::new(seed)),
            faults: Faults::usual(),
            seed,
        }
    }

    /// Recorded bars from the files of `dir`, without faults. The market's clock shows `from_ms` at the wall clock's
    /// `start_ms` (both Unix milliseconds) and runs `speed` times as fast; every time that is served is shifted
    /// accordingly.
    ///
    /// # Errors
    /// A folder or file that cannot be read, no file of a known exchange, `from_ms` outside of what was recorded.
    pub fn replay(
        dir: &Path,
        from_ms: u64,
        speed: Speed,
        start_ms: u64,
    ) -> Result<Self, ReplayError> {
        Ok(Self {
            origin: Origin::Replay(Replay::load(dir, from_ms, speed, start_ms)?),
            faults: Faults::none(),
            seed: 0,
        })
    }

    /// The same market with other faults.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Every market that is served, in order of source and pair.
    pub fn markets(&self) -> Vec<MarketName> {
        match &self.origin {
            Origin::Demo(demo) => demo.markets(),
            Origin::Replay(replay) => replay.markets(),
        }
    }

    /// When the recorded history is over, in Unix milliseconds of the wall clock; a random walk never is.
    pub fn ends_at_ms(&self) -> Option<u64> {
        match &self.origin {
            Origin::Demo(_) => None,
            Origin::Replay(replay) => Some(replay.ends_at_ms()),
        }
    }

    /// The latest trades of a market up to `now_ms`, the newest first, at most `limit`.
    pub fn trades(&self, source: &str, pair: FeedName, now_ms: u64, limit: usize) -> Vec<Trade> {
        match &self.origin {
            Origin::Demo(demo) => demo.trades(source, pair, now_ms, limit),
            Origin::Replay(replay) => replay.trades(source, pair, now_ms, limit),
        }
    }

    /// What a ticker shows, once the market has had a trade.
    pub fn summary(&self, source: &str, pair: FeedName, now_ms: u64) -> Option<Summary> {
        match &self.origin {
            Origin::Demo(demo) => demo.summary(source, pair, now_ms),
            Origin::Replay(replay) => replay.summary(source, pair, now_ms),
        }
    }

    /// What goes wrong with a market's answers in this second, if anything does.
    pub fn fault(&self, source: &str, pair: FeedName, now_ms: u64) -> Option<Fault> {
        self.faults.at(self.seed, source, pair, now_ms)
    }
}
