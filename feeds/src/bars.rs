//! Recorded market history: one bar per minute, as gzip-compressed CSV.
//!
//! A file is named `SOURCE_BASE-QUOTE*.csv.gz`; the source's name ends at the last `_` before the pair. Its columns are
//! `ts,open,high,low,close,volume[,trades]`, `ts` the Unix second at the start of the bar. A missing row means that
//! nobody traded in that minute. Files are read as streams, line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use thiserror::Error;
use touchstone_types::{Decimal, FeedName, Market};

/// Longest line that is read, in bytes.
const LINE_MAX: u64 = 1_024;
const COLUMNS: [&str; 6] = ["ts", "open", "high", "low", "close", "volume"];
const SUFFIX: &str = ".csv.gz";

/// One bar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// Unix second at its start.
    pub ts: u64,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Traded, in units of the base currency. Some recorders write a row with volume 0 where nobody traded.
    pub volume: Decimal,
    /// Number of trades, if the file has that column.
    pub trades: Option<u64>,
}

/// Why recorded bars cannot be read.
#[derive(Debug, Error)]
pub enum BarsError {
    /// The file system's error.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// A line that is no bar.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line in the decompressed file, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A file of bars and the market it is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BarFile {
    /// Where it is.
    pub path: PathBuf,
    /// Name of the exchange.
    pub source: String,
    /// The market there.
    pub pair: FeedName,
}

impl BarFile {
    /// The market of the file.
    pub fn market(&self) -> Market {
        Market {
            source: self.source.clone(),
            pair: self.pair,
        }
    }
}

/// The files of bars in a folder, sorted by path; other files are ignored.
///
/// # Errors
/// A folder that cannot be read.
pub fn find(dir: &Path) -> Result<Vec<BarFile>, BarsError> {
    let io_error = |error| BarsError::Io {
        path: dir.to_owned(),
        error,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io_error)? {
        let path = entry.map_err(io_error)?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        if let Some((source, pair)) = name.and_then(market_of) {
            found.push(BarFile { path, source, pair });
        }
    }
    found.sort();
    Ok(found)
}

/// Source and pair of a file's name.
fn market_of(name: &str) -> Option<(String, FeedName)> {
    let stem = name.strip_suffix(SUFFIX)?;
    let (before, after) = stem.split_once('-')?;
    let (source, base) = before.rsplit_once('_')?;
    let quote: String = after
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        .collect();
    let pair = FeedName::pair(base, &quote).ok()?;
    (!source.is_empty()).then(|| (source.to_owned(), pair))
}

/// Reads one file, bar by bar, in strictly ascending order of time.
pub struct BarReader {
    path: PathBuf,
    input: BufReader<MultiGzDecoder<File>>,
    line: u64,
    last_ts: Option<u64>,
    has_trades: bool,
    failed: bool,
}

impl BarReader {
    /// Opens a file and checks its header.
    ///
    /// # Errors
    /// A file that cannot be read or that has other columns.
    pub fn open(path: &Path) -> Result<Self, BarsError> {
        let file = File::open(path).map_err(|error| BarsError::Io {
            path: path.to_owned(),
            error,
        })?;
        let mut reader = Self {
            path: path.to_owned(),
            input: BufReader::new(MultiGzDecoder::new(file)),
            line: 0,
            last_ts: None,
            has_trades: false,
            failed: false,
        };
        let header = reader.next_line()?.unwrap_or_default();
        let columns: Vec<&str> = header.split(',').collect();
        reader.has_trades = match columns.strip_prefix(COLUMNS.as_slice()) {
            Some([]) => false,
            Some(["trades"]) => true,
            _ => {
                return Err(reader.refuse(format!(
                    "the header must be {}[,trades], not {header:?}",
                    COLUMNS.join(",")
                )));
            }
        };
        Ok(reader)
    }

    fn refuse(&self, reason: String) -> BarsError {
        BarsError::Line {
            path: self.path.clone(),
            line: self.line,
            reason,
        }
    }

    fn next_line(&mut self) -> Result<Option<String>, BarsError> {
        self.line = self.line.saturating_add(1);
        let mut line = Vec::new();
        let read = (&mut self.input)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_)
                if line.ends_with(b"\n")
                    || line.len() < usize::try_from(LINE_MAX).unwrap_or(usize::MAX) => {}
            Ok(_) => return Err(self.refuse(format!("the line is longer than {LINE_MAX} bytes"))),
            Err(error) => return Err(self.refuse(format!("cannot be decompressed: {error}"))),
        }
        let text = String::from_utf8(line).map_err(|_| self.refuse("not UTF-8".to_owned()))?;
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn next_bar(&mut self) -> Result<Option<Bar>, BarsError> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let bar = parse_row(&line, self.has_trades).map_err(|reason| self.refuse(reason))?;
        if self.last_ts.is_some_and(|last| bar.ts <= last) {
            return Err(self.refuse(format!("ts {} does not come after the one before", bar.ts)));
        }
        self.last_ts = Some(bar.ts);
        Ok(Some(bar))
    }
}

/// Ends after the first error.
impl Iterator for BarReader {
    type Item = Result<Bar, BarsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_bar().transpose();
        self.failed = matches!(next, None | Some(Err(_)));
        next
    }
}

fn parse_row(line: &str, has_trades: bool) -> Result<Bar, String> {
    let cells: Vec<&str> = line.split(',').collect();
    let (ts, open, high, low, close, volume, trades) = match (cells.as_slice(), has_trades) {
        (&[ts, open, high, low, close, volume], false) => {
            (ts, open, high, low, close, volume, None)
        }
        (&[ts, open, high, low, close, volume, trades], true) => {
            (ts, open, high, low, close, volume, Some(trades))
        }
        _ => {
            return Err(format!(
                "{} columns, the header has {}",
                cells.len(),
                if has_trades { 7 } else { 6 }
            ));
        }
    };
    let whole = |column: &str, text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{column} {text:?} is not a whole number"))
    };
    let price = |column: &str, text: &str| match Decimal::parse(text) {
        Ok(price) if price.is_positive() => Ok(price),
        Ok(_) => Err(format!("{column} {text:?} is not above zero")),
        Err(error) => Err(format!("{column} {text:?}: {error}")),
    };
    let bar = Bar {
        ts: whole("ts", ts)?,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume: Decimal::parse(volume)
            .ok()
            .filter(|v| v.mantissa >= 0)
            .ok_or_else(|| format!("volume {volume:?} is not a number from zero up"))?,
        trades: trades.map(|t| whole("trades", t)).transpose()?,
    };
    if bar.low.cmp_value(&bar.high).is_gt() {
        return Err(format!("low {low} is above high {high}"));
    }
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        let mut gzip = GzEncoder::new(File::create(&path).expect("file"), Compression::fast());
        gzip.write_all(text.as_bytes()).expect("write");
        gzip.finish().expect("finish");
        path
    }

    fn read(text: &str) -> Result<Vec<Bar>, String> {
        let dir = tempfile::tempdir().expect("dir");
        let path = write(dir.path(), "kraken_BTC-USD.csv.gz", text);
        let bars = BarReader::open(&path).and_then(Iterator::collect);
        bars.map_err(|e| e.to_string().replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn bars_with_and_without_trades() {
        let bars = read(
            "ts,open,high,low,close,volume,trades\n60,1.0,1.2,0.9,1.1,255.80144423000002,7\n180,1.1,1.1,1.1,1.1,0,0\n",
        );
        let bars = bars.expect("bars");
        assert_eq!(bars.len(), 2);
        assert_eq!(
            (
                bars[0].ts,
                bars[0].close.to_string().as_str(),
                bars[0].trades
            ),
            (60, "1.1", Some(7))
        );
        assert_eq!(bars[0].volume.to_string(), "255.80144423000002");
        let bars = read("ts,open,high,low,close,volume\r\n60,1,1,1,1,5\r\n").expect("bars");
        assert_eq!(bars[0].trades, None);
    }

    #[test]
    fn errors_name_file_and_line() {
        let head = "ts,open,high,low,close,volume\n";
        for (rows, want) in [
            ("60,1,1,1,1\n", "FILE:2: 5 columns, the header has 6"),
            (
                "60,1,1,1,1,0\n60,1,1,1,1,0\n",
                "FILE:3: ts 60 does not come after",
            ),
            ("60,1,1,1,x,0\n", "FILE:2: close \"x\": not a decimal"),
            ("60,1,1,1,-1,0\n", "FILE:2: close \"-1\" is not above zero"),
            ("60,1,1,2,1,0\n", "FILE:2: low 2 is above high 1"),
            (
                "6e1,1,1,1,1,0\n",
                "FILE:2: ts \"6e1\" is not a whole number",
            ),
        ] {
            let error = read(&format!("{head}{rows}")).expect_err(rows);
            assert!(error.starts_with(want), "{error}");
        }
        assert!(
            read("time,price\n")
                .expect_err("header")
                .starts_with("FILE:1: the header must be")
        );
        let long = format!("{head}{}", "9".repeat(5_000));
        assert!(
            read(&long)
                .expect_err("long")
                .starts_with("FILE:2: the line is longer than")
        );
    }

    #[test]
    fn what_is_no_gzip_is_an_error() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("kraken_BTC-USD.csv.gz");
        std::fs::write(&path, "ts,open\n").expect("write");
        assert!(BarReader::open(&path).is_err());
        assert!(BarReader::open(&dir.path().join("absent.csv.gz")).is_err());
    }

    #[test]
    fn names_of_files() {
        let dir = tempfile::tempdir().expect("dir");
        for name in [
            "binance_us_BTC-USD.csv.gz",
            "kraken_USDC-USD_1m.csv.gz",
            "panel_close_20230310.csv.gz",
            "README.md",
            "kraken_BTC-USD.csv",
            "_BTC-USD.csv.gz",
        ] {
            write(dir.path(), name, "");
        }
        let found = find(dir.path()).expect("folder");
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.source.as_str(), f.pair.as_str()))
            .collect();
        assert_eq!(found, [("binance_us", "BTC-USD"), ("kraken", "USDC-USD")]);
        assert!(find(&dir.path().join("absent")).is_err());
    }
}
