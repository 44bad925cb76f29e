//! Recorded bars through the code that prices live quotes: what would the feeds have shown, and why.
//!
//! At each instant every market's quote is the close of its newest bar that has ended, dated by the bar's last
//! millisecond. A bar with volume 0 is no trade. What the [book](crate::book) and the [policy](crate::policy) make of that is
//! compared with a plain median that trusts everybody.

#[expect(
    clippy::arithmetic_side_effects,
    reason = "coordinates: sums and products of numbers of pixels and columns"
)]
mod chart;
mod fault;
mod summary;
mod table;
mod tape;

use std::{collections::BTreeMap, path::Path};

use thiserror::Error;
use touchstone_types::{Decimal, FeedName, FeedSpec, Market};

pub use chart::Chart;
pub use fault::{Fault, FaultError, FaultKind};
pub use summary::{FeedSummary, Summary, Weakest};
pub use table::Table;
use tape::Tape;

use crate::{
    Book, PlanError, Priced, Pricer,
    bars::{self, BarsError},
};

/// Why nothing can be simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// A file that cannot be read.
    #[error(transparent)]
    Bars(#[from] BarsError),
    /// Feeds that cannot be priced.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A folder without a file for any of the feeds' markets.
    #[error("{folder}: no bars of any market of the feeds; there are {found}")]
    NoMarket {
        /// The folder.
        folder: String,
        /// The markets that are recorded there.
        found: String,
    },
    /// A fault at a source without bars.
    #[error("fault of {source_name:?}: there are bars of {known} only")]
    NoSuchSource {
        /// The source.
        source_name: String,
        /// Those that there are.
        known: String,
    },
    /// Nothing lies between the two instants.
    #[error("no bar ends between {from_ms} and {to_ms} (Unix milliseconds)")]
    Empty {
        /// The first instant.
        from_ms: u64,
        /// The last one.
        to_ms: u64,
    },
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The feeds.
    pub feeds: Vec<FeedSpec>,
    /// The first instant, in Unix milliseconds; none: the end of the first bar.
    pub from_ms: Option<u64>,
    /// The last instant, in Unix milliseconds; none: the end of the last bar.
    pub to_ms: Option<u64>,
    /// What is wrong with the sources.
    pub faults: Vec<Fault>,
}

/// One instant.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// All feeds, in their order.
    pub priced: &'a [Priced],
    /// For each feed the plain median of the markets that traded in the last bar, without any gate or age: of the markets
    /// in the feed's own currency if there are three, else of all, converted by such medians.
    pub reference: &'a [Option<Decimal>],
}

/// What really traded at an instant, by source and pair.
type Traded = BTreeMap<(String, FeedName), Decimal>;

/// Bars on their way through the policy.
pub struct Simulation {
    pricer: Pricer,
    book: Book,
    tapes: Vec<Tape>,
    faults: Vec<Fault>,
    step_ms: u64,
    next_ms: u64,
    to_ms: u64,
}

impl Simulation {
    /// Opens the bars in a folder.
    ///
    /// # Errors
    /// A folder or file that cannot be read, feeds that cannot be priced or have no bars at all, a fault of nobody.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, SimulateError> {
        let pricer = Pricer::new(&settings.feeds)?;
        let book = Book::of_feeds(&settings.feeds);
        let wanted: Vec<Market> = book.markets().collect();
        let files = bars::find(folder)?;
        let mut tapes = Vec::new();
        for file in files.iter().filter(|f| wanted.contains(&f.market())) {
            // A file without bars says nothing.
            tapes.extend(Tape::open(file)?);
        }
        let step_ms = tapes.iter().map(Tape::step_ms).min();
        let first_ms = tapes.iter().map(Tape::first_end_ms).min();
        let (Some(step_ms), Some(first_ms)) = (step_ms, first_ms) else {
            let found: Vec<String> = files
                .iter()
                .map(|f| format!("{} {}", f.source, f.pair))
                .collect();
            return Err(SimulateError::NoMarket {
                folder: folder.display().to_string(),
                found: listed(found),
            });
        };
        for fault in &settings.faults {
            if !tapes.iter().any(|t| t.market().source == fault.source) {
                let known = tapes.iter().map(|t| t.market().source.clone()).collect();
                return Err(SimulateError::NoSuchSource {
                    source_name: fault.source.clone(),
                    known: listed(known),
                });
            }
        }
        // Instants are multiples of the step, as bars' ends are.
        let from_ms = settings.from_ms.unwrap_or(0).max(first_ms);
        let next_ms = from_ms.div_ceil(step_ms).saturating_mul(step_ms);
        Ok(Self {
            pricer,
            book,
            tapes,
            faults: settings.faults,
            step_ms,
            next_ms,
            to_ms: settings.to_ms.unwrap_or(u64::MAX),
        })
    }

    /// Milliseconds from instant to instant: the length of the shortest bars.
    pub fn step_ms(&self) -> u64 {
        self.step_ms
    }

    /// The feeds, in their order.
    pub fn feeds(&self) -> &[FeedSpec] {
        self.pricer.feeds()
    }

    /// The markets that have bars.
    pub fn markets(&self) -> Vec<Market> {
        self.tapes.iter().map(|t| t.market().clone()).collect()
    }

    /// Goes through all instants in order, until the last bar or the last instant.
    ///
    /// # Errors
    /// A file that cannot be read to its end, or no instant at all; what the callback returns.
    pub fn run<E: From<SimulateError>>(
        mut self,
        mut each: impl FnMut(&Moment<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let from_ms = self.next_ms;
        let mut any = false;
        while self.next_ms <= self.to_ms && !self.tapes.iter().all(Tape::is_over) {
            let now_ms = self.next_ms;
            let traded = self.feed(now_ms)?;
            let priced = self.pricer.price(&self.book, now_ms);
            let reference = references(self.pricer.feeds(), &traded);
            each(&Moment {
                now_ms,
                priced: &priced,
                reference: &reference,
            })?;
            any = true;
            self.next_ms = now_ms.saturating_add(self.step_ms);
        }
        if any {
            return Ok(());
        }
        let to_ms = self.to_ms;
        Err(SimulateError::Empty { from_ms, to_ms }.into())
    }

    /// Gives the book what has ended by now, and returns what really traded in the bars that end just now.
    fn feed(&mut self, now_ms: u64) -> Result<Traded, SimulateError> {
        let mut traded = Traded::new();
        for tape in &mut self.tapes {
            let fresh = tape.advance(now_ms)?;
            if let Some(quote) = fresh.as_ref().filter(|q| q.ends_ms == now_ms) {
                let market = tape.market();
                traded.insert((market.source.clone(), market.pair), quote.close);
            }
            let mut spoilt = fresh;
            for fault in &self.faults {
                if fault.source == tape.market().source {
                    spoilt = fault.apply(spoilt, tape.last_before(fault.from_ms), now_ms);
                }
            }
            if let Some(quote) = spoilt {
                self.book.take(quote.of(tape.market()), now_ms);
            }
        }
        Ok(traded)
    }
}

fn listed(mut names: Vec<String>) -> String {
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}

/// See [`Moment::reference`].
fn references(feeds: &[FeedSpec], traded: &Traded) -> Vec<Option<Decimal>> {
    feeds.iter().map(|f| reference(f, feeds, traded)).collect()
}

fn reference(feed: &FeedSpec, feeds: &[FeedSpec], traded: &Traded) -> Option<Decimal> {
    let closes = |direct: bool| {
        let of_kind = move |m: &&Market| (m.pair.quote() == feed.name.quote()) == direct;
        let sources = feed.sources.iter().filter(of_kind);
        sources.filter_map(|market| {
            Some((market, *traded.get(&(market.source.clone(), market.pair))?))
        })
    };
    let mut values: Vec<Decimal> = closes(true).map(|(_, close)| close).collect();
    if values.len() < 3 {
        for (market, close) in closes(false) {
            let name = FeedName::pair(market.pair.quote(), feed.name.quote()).ok();
            let by = name.and_then(|name| feeds.iter().find(|f| f.name == name));
            // Feeds convert by each other in no circle, see `PlanError::Circle`.
            let rate = by.and_then(|by| reference(by, feeds, traded));
            values.extend(rate.and_then(|rate| close.checked_mul(rate).ok()));
        }
    }
    values.sort_by(Decimal::cmp_value);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests;
