//! Recorded bars, served as if they happened now.

use std::{collections::BTreeMap, path::Path};

use thiserror::Error;
use touchstone_feeds::{
    Exchange,
    bars::{self, BarFile, BarReader, BarsError},
};
use touchstone_types::{Decimal, FeedName, Market};

use crate::{
    clock::{Clock, Speed, show_ms},
    trade::{Day, Side, Summary, Trade, shifted},
};

const BAR_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;
/// The most bars that are kept of one market: ten years.
const BARS_MAX: usize = 5_256_000;
/// Half of the spread, in millionths of the price.
const HALF_SPREAD_PPM: i128 = 60;

/// Why history cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A folder or file cannot be read.
    #[error(transparent)]
    Bars(#[from] BarsError),
    /// Nothing that could be served.
    #[error("{folder}: no file SOURCE_BASE-QUOTE*.csv.gz of {known}")]
    NoMarket {
        /// The folder.
        folder: String,
        /// The exchanges that can be served.
        known: String,
    },
    /// Two files of one market whose times overlap.
    #[error("{path}: starts before the end of the file before it, which is of the same market")]
    Overlap {
        /// The second of them.
        path: String,
    },
    /// More bars than are kept.
    #[error("{path}: more than {BARS_MAX} bars of one market")]
    TooMany {
        /// The file.
        path: String,
    },
    /// A start outside of the recording.
    #[error("the replay cannot start at {from}: the recording goes from {first} to {last}")]
    From {
        /// The start.
        from: String,
        /// The first trade.
        first: String,
        /// The last trade.
        last: String,
    },
}

/// The end of a bar in which something was traded.
#[derive(Clone, Copy, Debug)]
struct Close {
    /// Its last instant, in Unix milliseconds of the recording.
    t_ms: u64,
    open: Decimal,
    price: Decimal,
    volume: Decimal,
}

#[derive(Debug)]
pub(crate) struct Replay {
    series: BTreeMap<String, BTreeMap<FeedName, Vec<Close>>>,
    clock: Clock,
    last_ms: u64,
}

impl Replay {
    pub(crate) fn load(
        dir: &Path,
        from_ms: u64,
        speed: Speed,
        start_ms: u64,
    ) -> Result<Self, ReplayError> {
        let mut series: BTreeMap<String, BTreeMap<FeedName, Vec<Close>>> = BTreeMap::new();
        // Enough before the start for the figures of the last 24 hours.
        let since_ms = from_ms.saturating_sub(DAY_MS);
        let mut bounds: Option<(u64, u64)> = None;
        for file in bars::find(dir)? {
            if Exchange::by_name(&file.source).is_none() {
                tracing::info!(source = file.source, pair = %file.pair, "no such exchange here, left out");
                continue;
            }
            let closes = series
                .entry(file.source.clone())
                .or_default()
                .entry(file.pair)
                .or_default();
            let (first, last) = bounds.unwrap_or((u64::MAX, 0));
            let (file_first, file_last) = load_file(&file, since_ms, closes)?;
            bounds = Some((first.min(file_first), last.max(file_last)));
        }
        let Some((first_ms, last_ms)) = bounds else {
            return Err(ReplayError::NoMarket {
                folder: dir.display().to_string(),
                known: Exchange::names(),
            });
        };
        if !(first_ms.saturating_sub(BAR_MS)..=last_ms).contains(&from_ms) {
            return Err(ReplayError::From {
                from: show_ms(from_ms),
                first: show_ms(first_ms),
                last: show_ms(last_ms),
            });
        }
        Ok(Self {
            series,
            clock: Clock {
                from_ms,
                start_ms,
                speed,
            },
            last_ms,
        })
    }

    pub(crate) fn markets(&self) -> Vec<Market> {
        let of_source = |(source, pairs): (&String, &BTreeMap<FeedName, Vec<Close>>)| {
            let market = |pair: &FeedName| Market {
                source: source.clone(),
                pair: *pair,
            };
            pairs.keys().map(market).collect::<Vec<_>>()
        };
        self.series.iter().flat_map(of_source).collect()
    }

    pub(crate) fn ends_at_ms(&self) -> u64 {
        self.clock.shift(self.last_ms)
    }

    /// The market's closes that have happened by now.
    fn past(&self, source: &str, pair: FeedName, now_ms: u64) -> &[Close] {
        let closes = self.series.get(source).and_then(|pairs| pairs.get(&pair));
        let closes = closes.map_or([].as_slice(), Vec::as_slice);
        let count = closes.partition_point(|close| self.clock.shift(close.t_ms) <= now_ms);
        closes.get(..count).unwrap_or_default()
    }

    fn trade(&self, close: &Close) -> Trade {
        Trade {
            // Bars do not number their trades; one per minute has a number of its own.
            id: close.t_ms / BAR_MS,
            time_us: self.clock.shift(close.t_ms).saturating_mul(1_000),
            price: close.price,
            amount: close.volume,
            side: if close.price.cmp_value(&close.open).is_lt() {
                Side::Sell
            } else {
                Side::Buy
            },
        }
    }

    pub(crate) fn trades(
        &self,
        source: &str,
        pair: FeedName,
        now_ms: u64,
        limit: usize,
    ) -> Vec<Trade> {
        let past = self.past(source, pair, now_ms);
        past.iter()
            .rev()
            .take(limit)
            .map(|close| self.trade(close))
            .collect()
    }

    pub(crate) fn summary(&self, source: &str, pair: FeedName, now_ms: u64) -> Option<Summary> {
        let past = self.past(source, pair, now_ms);
        let last = past.last()?;
        let day_start = past.partition_point(|close| close.t_ms < last.t_ms.saturating_sub(DAY_MS));
        let day = past.get(day_start..).unwrap_or_default();
        Some(Summary {
            last: self.trade(last),
            bid: shifted(last.price, -HALF_SPREAD_PPM),
            ask: shifted(last.price, HALF_SPREAD_PPM),
            day: day_of(day, last),
        })
    }
}

fn day_of(day: &[Close], last: &Close) -> Day {
    let by_value = |a: &&Close, b: &&Close| a.price.cmp_value(&b.price);
    let price = |close: Option<&Close>| close.unwrap_or(last).price;
    // The sum may have more digits than fit; the last bar's volume is better than none.
    let volume = day
        .iter()
        .try_fold(0i128, |sum, close| {
            let part = close.volume.rescale(-8).ok()?;
            sum.checked_add(part.mantissa)
        })
        .map_or(last.volume, |sum| Decimal::new(sum, -8));
    Day {
        open: day.first().unwrap_or(last).open,
        high: price(day.iter().max_by(by_value)),
        low: price(day.iter().min_by(by_value)),
        vwap: last.price,
        volume,
        count: u64::try_from(day.len()).unwrap_or(u64::MAX),
    }
}

/// Appends a file's closes from `since_ms` on; returns the times of its first and last close.
fn load_file(
    file: &BarFile,
    since_ms: u64,
    closes: &mut Vec<Close>,
) -> Result<(u64, u64), ReplayError> {
    let path = || file.path.display().to_string();
    let earlier_ms = closes.last().map(|close| close.t_ms);
    let (mut first_ms, mut last_ms) = (u64::MAX, 0);
    for bar in BarReader::open(&file.path)? {
        let bar = bar?;
        // Some recorders write a bar without a trade, at the price of the bar before it.
        if bar.volume.mantissa == 0 {
            continue;
        }
        let t_ms = bar.ts.saturating_mul(1_000).saturating_add(BAR_MS - 1);
        if earlier_ms.is_some_and(|earlier| t_ms <= earlier) {
            return Err(ReplayError::Overlap { path: path() });
        }
        (first_ms, last_ms) = (first_ms.min(t_ms), last_ms.max(t_ms));
        if t_ms < since_ms {
            continue;
        }
        if closes.len() == BARS_MAX {
            return Err(ReplayError::TooMany { path: path() });
        }
        closes.push(Close {
            t_ms,
            open: bar.open,
            price: bar.close,
            volume: bar.volume,
        });
    }
    Ok((first_ms, last_ms))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write, path::PathBuf};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const DAY: u64 = 1_678_492_800_000; // 2023-03-11T00:00:00Z
    const NOW: u64 = 1_700_000_000_000;

    fn write(dir: &Path, name: &str, rows: &[(u64, &str, &str)]) -> PathBuf {
        let path = dir.join(name);
        let mut gzip = GzEncoder::new(File::create(&path).expect("file"), Compression::fast());
        writeln!(gzip, "ts,open,high,low,close,volume").expect("write");
        for (minute, close, volume) in rows {
            let ts = DAY / 1_000 + minute * 60;
            writeln!(gzip, "{ts},{close},{close},{close},{close},{volume}").expect("write");
        }
        gzip.finish().expect("finish");
        path
    }

    fn pair(text: &str) -> FeedName {
        FeedName::new(text).expect(text)
    }

    fn speed(text: &str) -> Speed {
        text.parse().expect(text)
    }

    #[test]
    fn a_close_is_a_trade_at_the_last_instant_of_its_bar() {
        let dir = tempfile::tempdir().expect("dir");
        write(
            dir.path(),
            "kraken_BTC-USD.csv.gz",
            &[(0, "100.5", "1"), (1, "101.5", "1"), (4, "104.5", "1")],
        );
        let replay = Replay::load(dir.path(), DAY, speed("60"), NOW).expect("loads");
        let last = |now| {
            replay
                .trades("kraken", pair("BTC-USD"), now, 1)
                .first()
                .map(|t| (t.price.to_string(), t.time_ms()))
        };
        assert_eq!(last(NOW + 998), None, "the first bar is not over");
        assert_eq!(last(NOW + 999), Some(("100.5".into(), NOW + 999)));
        assert_eq!(last(NOW + 1_999), Some(("101.5".into(), NOW + 1_999)));
        // Nobody traded in minutes 2 and 3: the old trade stays, with its old time.
        assert_eq!(last(NOW + 4_998), Some(("101.5".into(), NOW + 1_999)));
        assert_eq!(last(NOW + 4_999), Some(("104.5".into(), NOW + 4_999)));
        assert_eq!(last(NOW + 9_999_999), Some(("104.5".into(), NOW + 4_999)));
        assert_eq!(replay.ends_at_ms(), NOW + 4_999);
    }

    #[test]
    fn a_start_in_the_middle_has_a_past() {
        let dir = tempfile::tempdir().expect("dir");
        write(
            dir.path(),
            "kraken_BTC-USD.csv.gz",
            &[(0, "100", "1"), (10, "110", "2"), (20, "120", "3")],
        );
        let replay = Replay::load(dir.path(), DAY + 900_000, speed("1"), NOW).expect("loads");
        let trades = replay.trades("kraken", pair("BTC-USD"), NOW, 9);
        let seen: Vec<_> = trades
            .iter()
            .map(|t| (t.price.to_string(), NOW - t.time_ms()))
            .collect();
        assert_eq!(seen, [("110".into(), 240_001), ("100".into(), 840_001)]);
        let day = replay
            .summary("kraken", pair("BTC-USD"), NOW)
            .expect("traded")
            .day;
        assert_eq!(
            (
                day.low.to_string(),
                day.high.to_string(),
                day.volume.trimmed().to_string()
            ),
            ("100".into(), "110".into(), "3".into())
        );
    }

    #[test]
    fn a_bar_without_volume_is_no_trade() {
        let dir = tempfile::tempdir().expect("dir");
        write(
            dir.path(),
            "kraken_BTC-USD.csv.gz",
            &[(0, "100", "1"), (1, "100", "0.0")],
        );
        let replay = Replay::load(dir.path(), DAY, speed("1"), NOW).expect("loads");
        assert_eq!(
            replay
                .trades("kraken", pair("BTC-USD"), NOW + 600_000, 9)
                .len(),
            1
        );
    }

    #[test]
    fn markets_come_from_the_files_names() {
        let dir = tempfile::tempdir().expect("dir");
        for name in [
            "kraken_BTC-USD.csv.gz",
            "binance_us_BTC-USD.csv.gz",
            "mtgox_BTC-USD.csv.gz",
            "panel_close.csv.gz",
        ] {
            write(dir.path(), name, &[(0, "100", "1")]);
        }
        let replay = Replay::load(dir.path(), DAY, speed("1"), NOW).expect("loads");
        let names: Vec<String> = replay.markets().into_iter().map(|m| m.source).collect();
        assert_eq!(
            names,
            ["binance_us", "kraken"],
            "there is no adapter for mtgox"
        );
    }

    #[test]
    fn a_market_may_have_several_files_that_do_not_overlap() {
        let dir = tempfile::tempdir().expect("dir");
        write(dir.path(), "kraken_BTC-USD_1.csv.gz", &[(0, "100", "1")]);
        write(dir.path(), "kraken_BTC-USD_2.csv.gz", &[(1, "101", "1")]);
        let load = || Replay::load(dir.path(), DAY, speed("1"), NOW);
        assert_eq!(
            load()
                .expect("loads")
                .trades("kraken", pair("BTC-USD"), u64::MAX, 9)
                .len(),
            2
        );
        write(dir.path(), "kraken_BTC-USD_3.csv.gz", &[(1, "101", "1")]);
        assert!(matches!(load(), Err(ReplayError::Overlap { .. })));
    }

    #[test]
    fn what_cannot_be_replayed_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let load = |from| {
            Replay::load(dir.path(), from, speed("1"), NOW)
                .expect_err("refused")
                .to_string()
        };
        assert!(load(DAY).contains("no file SOURCE_BASE-QUOTE*.csv.gz of coinbase"));
        write(dir.path(), "kraken_BTC-USD.csv.gz", &[(0, "100", "1")]);
        let want = "cannot start at 2023-03-12T00:00:00Z: the recording goes from 2023-03-11T00:00:59.999Z to";
        assert!(load(DAY + DAY_MS).contains(want));
        assert!(load(0).contains("cannot start at 1970-01-01T00:00:00Z"));
    }
}
