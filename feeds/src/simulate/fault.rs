//! What can be wrong with a source.

use std::{fmt, str::FromStr};

use jiff::{Span, Timestamp};
use thiserror::Error;
use touchstone_types::Decimal;

use super::tape::Close;

/// How long a fault lasts unless it says so.
const DURATION_MS: u64 = 60_000;
const HUNDRED: Decimal = Decimal::new(100, 0);

/// A source that errs for a while: `SOURCE:KIND@TIME[/DURATION]`, as in `kraken:spike=-40@2023-03-11T07:00:00Z/PT1M`; an
/// interval as ISO 8601 writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The exchange, with all its markets.
    pub source: String,
    /// What it does.
    pub kind: FaultKind,
    /// From this instant on, in Unix milliseconds.
    pub from_ms: u64,
    /// Until before this one.
    pub to_ms: u64,
}

/// What a source does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// `gap`: it says nothing.
    Gap,
    /// `flat`: it repeats its last price under fresh times.
    Flat,
    /// `spike=PERCENT`: all its prices are off by so much.
    Spike(Decimal),
}

/// A text that is no fault.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "{text:?}: {why}; a fault is SOURCE:KIND@TIME[/DURATION], KIND is gap, flat or spike=PERCENT (above -100), TIME as in 2023-03-11T07:00:00Z, DURATION as in PT5M"
)]
pub struct FaultError {
    text: String,
    why: String,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |why: &str| FaultError {
            text: text.to_owned(),
            why: why.to_owned(),
        };
        let (source, rest) = text.split_once(':').ok_or_else(|| error("no kind"))?;
        let (kind, interval) = rest.split_once('@').ok_or_else(|| error("no time"))?;
        let kind = match kind.split_once('=') {
            None if kind == "gap" => FaultKind::Gap,
            None if kind == "flat" => FaultKind::Flat,
            Some(("spike", percent)) => {
                let percent = Decimal::parse(percent).map_err(|e| error(&e.to_string()))?;
                if factor(percent).is_none() {
                    return Err(error("no price is left"));
                }
                FaultKind::Spike(percent)
            }
            _ => return Err(error("an unknown kind")),
        };
        let (from, duration) = match interval.split_once('/') {
            Some((from, duration)) => (from, Some(duration)),
            None => (interval, None),
        };
        let from: Timestamp = from
            .parse()
            .map_err(|e: jiff::Error| error(&e.to_string()))?;
        let from_ms = u64::try_from(from.as_millisecond()).map_err(|_| error("before 1970"))?;
        let duration_ms = match duration {
            None => DURATION_MS,
            Some(duration) => {
                let span: Span = duration
                    .parse()
                    .map_err(|e: jiff::Error| error(&e.to_string()))?;
                let to = from.checked_add(span).map_err(|e| error(&e.to_string()))?;
                u64::try_from(to.as_millisecond())
                    .ok()
                    .and_then(|to_ms| to_ms.checked_sub(from_ms))
                    .filter(|ms| *ms > 0)
                    .ok_or_else(|| error("a duration that is not above zero"))?
            }
        };
        if source.is_empty() {
            return Err(error("no source"));
        }
        Ok(Self {
            source: source.to_owned(),
            kind,
            from_ms,
            to_ms: from_ms.saturating_add(duration_ms),
        })
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap => f.write_str("gap"),
            Self::Flat => f.write_str("flat"),
            Self::Spike(percent) => write!(f, "spike={percent}"),
        }
    }
}

/// What a price is multiplied by, in hundredths; none if nothing would be left of it.
fn factor(percent: Decimal) -> Option<Decimal> {
    let percent = percent.rescale(-6).ok()?;
    let hundred = HUNDRED.rescale(-6).ok()?;
    let sum = hundred.mantissa.checked_add(percent.mantissa)?;
    (sum > 0).then_some(Decimal::new(sum, -8))
}

impl Fault {
    /// What the source says instead of its quote.
    pub(super) fn apply(
        &self,
        quote: Option<Close>,
        before: Option<Close>,
        now_ms: u64,
    ) -> Option<Close> {
        // A bar that ends at `from_ms` was traded before.
        if now_ms <= self.from_ms || now_ms > self.to_ms {
            return quote;
        }
        match self.kind {
            FaultKind::Gap => None,
            FaultKind::Flat => before.map(|close| Close {
                ends_ms: now_ms,
                ..close
            }),
            FaultKind::Spike(percent) => {
                let quote = quote?;
                let close = quote.close.checked_mul(factor(percent)?).ok()?;
                Some(Close { close, ..quote })
            }
        }
    }
}
