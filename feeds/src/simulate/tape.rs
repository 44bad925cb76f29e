//! The bars of one market, as they end.

use std::collections::BTreeMap;

use touchstone_types::{Decimal, Market};

use crate::{
    Quote,
    bars::{Bar, BarFile, BarReader, BarsError},
};

/// Rows from which the length of a bar is told.
const PROBE_ROWS: usize = 10_000;
const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;

/// The close of a bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Close {
    pub(super) close: Decimal,
    /// When the bar ended, in Unix milliseconds.
    pub(super) ends_ms: u64,
}

impl Close {
    pub(super) fn of(self, market: &Market) -> Quote {
        Quote {
            source: market.source.clone(),
            pair: market.pair,
            price: self.close,
            // The last trade was some time in the bar, and at its end at the latest.
            trade_time_ms: Some(self.ends_ms.saturating_sub(1)),
            volume: None,
        }
    }
}

pub(super) struct Tape {
    market: Market,
    bars: BarReader,
    step_ms: u64,
    first_end_ms: u64,
    ahead: Option<Bar>,
    last: Option<Close>,
    /// What was the last at the instants that were asked for.
    kept: BTreeMap<u64, Close>,
}

impl Tape {
    /// None for a file without bars.
    pub(super) fn open(file: &BarFile) -> Result<Option<Self>, BarsError> {
        let mut step_s = MINUTE_MS / SECOND_MS;
        let mut before: Option<u64> = None;
        for bar in BarReader::open(&file.path)?.take(PROBE_ROWS) {
            let ts = bar?.ts;
            step_s = before.map_or(step_s, |before| step_s.min(ts.saturating_sub(before)));
            before = Some(ts);
        }
        // Minutes are the longest bars that there are; anything shorter is in seconds.
        let step_ms = match step_s.saturating_mul(SECOND_MS) {
            MINUTE_MS => MINUTE_MS,
            _ => SECOND_MS,
        };
        let mut bars = BarReader::open(&file.path)?;
        let Some(first) = bars.next().transpose()? else {
            return Ok(None);
        };
        Ok(Some(Self {
            market: file.market(),
            bars,
            step_ms,
            first_end_ms: ends_ms(&first, step_ms),
            ahead: Some(first),
            last: None,
            kept: BTreeMap::new(),
        }))
    }

    pub(super) fn market(&self) -> &Market {
        &self.market
    }

    pub(super) fn step_ms(&self) -> u64 {
        self.step_ms
    }

    pub(super) fn first_end_ms(&self) -> u64 {
        self.first_end_ms
    }

    /// Whether all bars were handed out.
    pub(super) fn is_over(&self) -> bool {
        self.ahead.is_none()
    }

    /// The close of the newest bar with trades among those that have ended since the last call.
    pub(super) fn advance(&mut self, now_ms: u64) -> Result<Option<Close>, BarsError> {
        let mut newest = None;
        while let Some(bar) = self
            .ahead
            .take_if(|bar| ends_ms(bar, self.step_ms) <= now_ms)
        {
            if bar.volume.is_positive() {
                newest = Some(Close {
                    close: bar.close,
                    ends_ms: ends_ms(&bar, self.step_ms),
                });
            }
            self.ahead = self.bars.next().transpose()?;
        }
        self.last = newest.or(self.last);
        Ok(newest)
    }

    /// The last close up to an instant, for whoever asks at every step from before that instant on.
    pub(super) fn last_before(&mut self, instant_ms: u64) -> Option<Close> {
        if let Some(last) = self.last.filter(|last| last.ends_ms <= instant_ms) {
            self.kept.insert(instant_ms, last);
        }
        self.kept.get(&instant_ms).copied()
    }
}

fn ends_ms(bar: &Bar, step_ms: u64) -> u64 {
    bar.ts.saturating_mul(SECOND_MS).saturating_add(step_ms)
}
