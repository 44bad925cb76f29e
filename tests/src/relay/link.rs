//! One directed link: what it does to datagrams, and how often it has.

use std::{iter::Sum, ops::Add, str::FromStr, time::Duration};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde::Serialize;

/// The longest delay.
const DELAY_MAX: Duration = Duration::from_secs(60);
const MILLION: u32 = 1_000_000;

/// A probability, in millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Chance {
    ppm: u32,
}

impl Chance {
    /// Never.
    pub const NEVER: Self = Self { ppm: 0 };
    /// Each time.
    pub const ALWAYS: Self = Self { ppm: MILLION };

    /// So many per cent, 0 to 100.
    ///
    /// # Errors
    /// A number outside this range.
    pub fn percent(percent: f64) -> Result<Self, ImpairmentError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(ImpairmentError::Chance(percent.to_string()));
        }
        // In range, and rounded to the next millionth.
        let ppm = (percent * 10_000.0).round() as u32;
        Ok(Self { ppm })
    }

    /// In per cent.
    pub fn as_percent(self) -> f64 {
        f64::from(self.ppm) / 10_000.0
    }

    fn strikes(self, rng: &mut ChaCha8Rng) -> bool {
        // Drawn even where the answer is known, so that one probability does not change what another one meets. The bias of
        // the remainder is below 2^-12 of the probability.
        rng.next_u32() % MILLION < self.ppm
    }
}

impl FromStr for Chance {
    type Err = ImpairmentError;

    /// Reads per cent, such as `2` or `0.5`.
    fn from_str(text: &str) -> Result<Self, ImpairmentError> {
        let percent = text.parse();
        percent.map_or_else(
            |_| Err(ImpairmentError::Chance(text.to_owned())),
            Self::percent,
        )
    }
}

/// What a link does to a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Impairment {
    /// Time on the way.
    pub delay: Duration,
    /// How far that time differs either way at most, uniformly; datagrams overtake each other because of it.
    pub jitter: Duration,
    /// How many are lost.
    pub loss: Chance,
    /// How many of those that are not lost come twice, each copy with a delay of its own.
    pub duplication: Chance,
}

/// Why there is no such impairment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ImpairmentError {
    /// No probability.
    Chance(String),
    /// Too slow.
    Delay(Duration),
    /// More jitter than delay.
    Jitter {
        /// The refused jitter.
        jitter: Duration,
        /// The delay, which is the most that it may be.
        delay: Duration,
    },
}

impl std::fmt::Display for ImpairmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chance(text) => write!(f, "{text:?}: must be per cent, 0 to 100"),
            Self::Delay(delay) => write!(f, "delay {delay:?}: must be at most {DELAY_MAX:?}"),
            Self::Jitter { jitter, delay } => {
                write!(f, "jitter {jitter:?}: must be at most the delay, {delay:?}")
            }
        }
    }
}

impl std::error::Error for ImpairmentError {}

impl Impairment {
    /// Checks delay and jitter.
    ///
    /// # Errors
    /// A delay above a minute, or a jitter above the delay.
    pub fn validate(&self) -> Result<(), ImpairmentError> {
        let Self { delay, jitter, .. } = *self;
        if delay > DELAY_MAX {
            return Err(ImpairmentError::Delay(delay));
        }
        if jitter > delay {
            return Err(ImpairmentError::Jitter { jitter, delay });
        }
        Ok(())
    }

    fn time_on_the_way(&self, rng: &mut ChaCha8Rng) -> Duration {
        let span_us = self.jitter.as_micros().saturating_mul(2).saturating_add(1);
        let span_us = u64::try_from(span_us).unwrap_or(u64::MAX);
        let shift = Duration::from_micros(rng.next_u64() % span_us);
        self.delay.saturating_sub(self.jitter).saturating_add(shift)
    }
}

/// What a link has done; all numbers only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counters {
    /// Datagrams handed to the receiver, copies among them.
    pub forwarded: u64,
    /// Bytes of these.
    pub forwarded_bytes: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Datagrams that came while the link was cut.
    pub cut: u64,
    /// Copies that were made.
    pub duplicated: u64,
    /// Datagrams handed over behind one that had come later.
    pub reordered: u64,
    /// Datagrams for which there was no room.
    pub overflowed: u64,
}

impl Counters {
    /// Datagrams that did not get through, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.lost + self.cut + self.overflowed
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            forwarded: self.forwarded + other.forwarded,
            forwarded_bytes: self.forwarded_bytes + other.forwarded_bytes,
            lost: self.lost + other.lost,
            cut: self.cut + other.cut,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
            overflowed: self.overflowed + other.overflowed,
        }
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// A directed link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) impairment: Impairment,
    pub(super) cut: bool,
    pub(super) counters: Counters,
    /// The number of the latest datagram that was handed over.
    latest: u64,
    rng: ChaCha8Rng,
}

impl Link {
    pub(super) fn new(seed: u64, from: usize, to: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let stream = ((from as u64) << 32) | to as u64;
        rng.set_stream(stream);
        Self {
            impairment: Impairment::default(),
            cut: false,
            counters: Counters::default(),
            latest: 0,
            rng,
        }
    }

    /// What becomes of the next datagram: how long each of its copies is on the way; none if it is dropped.
    pub(super) fn fate(&mut self) -> Fate {
        let Self {
            impairment,
            rng,
            counters,
            ..
        } = self;
        // Always the same number of draws, so that a link's k-th datagram has its fate whatever became of the others.
        let lost = impairment.loss.strikes(rng);
        let twice = impairment.duplication.strikes(rng);
        let times = [(); 2].map(|()| impairment.time_on_the_way(rng));
        if self.cut {
            counters.cut += 1;
            Fate { times, copies: 0 }
        } else if lost {
            counters.lost += 1;
            Fate { times, copies: 0 }
        } else {
            counters.duplicated += u64::from(twice);
            let copies = 1 + usize::from(twice);
            Fate { times, copies }
        }
    }

    /// Takes note that a datagram is handed over.
    pub(super) fn handed_over(&mut self, number: u64, bytes: usize) {
        self.counters.forwarded += 1;
        self.counters.forwarded_bytes += bytes as u64;
        if number < self.latest {
            self.counters.reordered += 1;
        }
        self.latest = self.latest.max(number);
    }
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fate {
    times: [Duration; 2],
    copies: usize,
}

impl Fate {
    /// How long each copy is on the way.
    pub(super) fn copies(&self) -> impl Iterator<Item = Duration> + '_ {
        self.times.iter().copied().take(self.copies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn link(seed: u64) -> Link {
        let mut link = Link::new(seed, 0, 1);
        link.impairment = Impairment {
            delay: 50 * MS,
            jitter: 10 * MS,
            loss: Chance::percent(2.0).expect("a chance"),
            duplication: Chance::percent(1.0).expect("a chance"),
        };
        link
    }

    #[test]
    fn a_link_keeps_to_its_numbers() {
        let mut link = link(7);
        let mut times = Vec::new();
        for _ in 0..100_000 {
            times.extend(link.fate().copies());
        }
        let (lost, duplicated) = (link.counters.lost, link.counters.duplicated);
        assert!((1_800..2_200).contains(&lost), "{lost}");
        assert!((850..1_150).contains(&duplicated), "{duplicated}");
        assert_eq!(times.len() as u64, 100_000 - lost + duplicated);
        assert!(times.iter().all(|t| (40 * MS..=60 * MS).contains(t)));
        let mean = times.iter().sum::<Duration>() / u32::try_from(times.len()).expect("few");
        assert!(mean.abs_diff(50 * MS) < MS / 5, "{mean:?}");
    }

    #[test]
    fn fate_follows_from_seed_link_and_number_alone() {
        let fates = |link: &mut Link| (0..500).map(|_| link.fate()).collect::<Vec<_>>();
        assert_eq!(fates(&mut link(1)), fates(&mut link(1)));
        assert_ne!(fates(&mut link(1)), fates(&mut link(2)));
        let mut other = link(1);
        other.rng = Link::new(1, 1, 0).rng;
        assert_ne!(fates(&mut other), fates(&mut link(1)));
        // A cut in between changes nothing for those that come after it.
        let (mut whole, mut cut) = (link(1), link(1));
        cut.cut = true;
        fates(&mut whole);
        assert!(
            fates(&mut cut)
                .iter()
                .all(|fate| fate.copies().count() == 0)
        );
        assert_eq!(cut.counters.cut, 500);
        cut.cut = false;
        assert_eq!(fates(&mut whole), fates(&mut cut));
    }

    #[test]
    fn refusals_name_value_and_range() {
        for text in ["-1", "101", "NaN", "two"] {
            let error = text.parse::<Chance>().expect_err(text).to_string();
            assert!(
                error.contains(text) && error.contains("0 to 100"),
                "{error}"
            );
        }
        assert_eq!("0.5".parse::<Chance>().expect("a chance").as_percent(), 0.5);
        let wild = Impairment {
            delay: MS,
            jitter: 2 * MS,
            ..Impairment::default()
        };
        assert_eq!(
            wild.validate().expect_err("refused").to_string(),
            "jitter 2ms: must be at most the delay, 1ms"
        );
    }
}
