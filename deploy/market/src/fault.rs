//! What goes wrong at an exchange now and then.

use touchstone_types::FeedName;

use crate::hash::Place;

/// A bad or missing answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A price a thousand times too high.
    TooHigh,
    /// A price a thousand times too low.
    TooLow,
    /// A body that ends in the middle.
    Truncated,
    /// HTTP 500 with a page for people.
    ServerError,
    /// HTTP 200 with nothing in it.
    Empty,
    /// No answer for ten seconds.
    Silent,
}

const KINDS: [Fault; 6] = [
    Fault::TooHigh,
    Fault::TooLow,
    Fault::Truncated,
    Fault::ServerError,
    Fault::Empty,
    Fault::Silent,
];

/// How often something goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    per_million: u32,
}

impl Faults {
    /// Never.
    pub fn none() -> Self {
        Self::per_million(0)
    }

    /// In one percent of all seconds of each market.
    pub fn usual() -> Self {
        Self::per_million(10_000)
    }

    /// In so many of a million seconds of each market.
    pub fn per_million(per_million: u32) -> Self {
        Self { per_million }
    }

    /// What goes wrong in this second: the same for everybody who asks.
    pub(crate) fn at(self, seed: u64, source: &str, pair: FeedName, now_ms: u64) -> Option<Fault> {
        let place = Place::new(seed)
            .named("fault")
            .named(source)
            .named(pair.as_str())
            .at(now_ms / 1_000);
        if place.below(1_000_000) >= u64::from(self.per_million) {
            return None;
        }
        let kind = place.named("kind").bits() % 6;
        KINDS
            .into_iter()
            .zip(0..)
            .find(|(_, i)| *i == kind)
            .map(|(fault, _)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked_for_and_in_every_kind() {
        let pair = FeedName::new("BTC-USD").expect("name");
        let count = |faults: Faults, kind: Option<Fault>| {
            (0..100_000u64)
                .filter_map(|s| faults.at(1, "kraken", pair, s * 1_000))
                .filter(|f| kind.is_none_or(|k| k == *f))
                .count()
        };
        assert_eq!(count(Faults::none(), None), 0);
        assert!((900..1_100).contains(&count(Faults::usual(), None)));
        for kind in KINDS {
            assert!(count(Faults::usual(), Some(kind)) > 100, "{kind:?}");
        }
    }
}
