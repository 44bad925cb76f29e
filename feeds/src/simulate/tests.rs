use std::{convert::Infallible, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use touchstone_types::Status;

use super::*;

const START_S: u64 = 1_678_500_000;

fn write_bars(folder: &Path, name: &str, rows: &[(u64, &str, &str)]) {
    let file = std::fs::File::create(folder.join(format!("{name}.csv.gz"))).expect("a file");
    let mut gzip = GzEncoder::new(file, Compression::fast());
    writeln!(gzip, "ts,open,high,low,close,volume").expect("written");
    for (offset_s, close, volume) in rows {
        let ts = START_S + offset_s;
        writeln!(gzip, "{ts},{close},{close},{close},{close},{volume}").expect("written");
    }
    gzip.finish().expect("written");
}

fn spec(name: &str, sources: &[&str], min_sources: u16) -> FeedSpec {
    let market = |text: &&str| {
        let (source, pair) = text.split_once(' ').expect("source and pair");
        Market {
            source: source.to_owned(),
            pair: FeedName::new(pair).expect(pair),
        }
    };
    FeedSpec {
        name: FeedName::new(name).expect(name),
        exponent: -8,
        sources: sources.iter().map(market).collect(),
        min_sources,
        max_quote_age_ms: 120_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 5_000,
    }
}

fn settings(feeds: Vec<FeedSpec>, faults: &[&str]) -> Settings {
    let faults = faults.iter().map(|text| text.parse().expect(text));
    Settings {
        feeds,
        from_ms: None,
        to_ms: None,
        faults: faults.collect(),
    }
}

/// What never fails but by the simulation itself.
#[derive(Debug)]
struct Failed(SimulateError);

impl From<SimulateError> for Failed {
    fn from(error: SimulateError) -> Self {
        Self(error)
    }
}

impl From<Infallible> for Failed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A feed's price and status.
type Shown = (Option<String>, Status);

struct Seen {
    /// Seconds from the start, then each feed's price and status.
    moments: Vec<(u64, Vec<Shown>)>,
    summary: Summary,
    tables: Vec<Vec<String>>,
    charts: Vec<Option<String>>,
}

fn run(folder: &Path, settings: Settings) -> Result<Seen, SimulateError> {
    let simulation = Simulation::open(folder, settings)?;
    let feeds = simulation.feeds().to_vec();
    let mut seen = Seen {
        moments: Vec::new(),
        summary: Summary::new(&feeds),
        tables: vec![Vec::new(); feeds.len()],
        charts: Vec::new(),
    };
    let mut charts: Vec<Chart> = (0..).zip(&feeds).map(|(i, f)| Chart::new(i, f)).collect();
    let run = simulation.run(|moment| -> Result<(), Failed> {
        let prices = moment
            .priced
            .iter()
            .map(|p| (p.price.map(|p| p.trimmed().to_string()), p.status));
        seen.moments
            .push((moment.now_ms / 1_000 - START_S, prices.collect()));
        seen.summary.add(moment);
        charts.iter_mut().for_each(|chart| chart.add(moment));
        for (i, feed) in feeds.iter().enumerate() {
            let row = Table::new(i, feed).row(moment).expect("a row");
            seen.tables[i].push(row);
        }
        Ok(())
    });
    run.map_err(|Failed(error)| error)?;
    seen.charts = charts.iter().map(Chart::svg).collect();
    Ok(seen)
}

fn three_minutes(folder: &Path) -> FeedSpec {
    write_bars(
        folder,
        "a_BTC-USD",
        &[(0, "100", "1"), (60, "101", "1"), (120, "102", "1")],
    );
    write_bars(
        folder,
        "b_BTC-USD_1m",
        &[(0, "100", "1"), (60, "101.1", "1"), (120, "102", "1")],
    );
    write_bars(
        folder,
        "c_BTC-USD",
        &[(0, "100.2", "1"), (60, "101.2", "1"), (120, "102.2", "1")],
    );
    spec("BTC-USD", &["a BTC-USD", "b BTC-USD", "c BTC-USD"], 2)
}

fn price(seen: &Seen, moment: usize) -> Option<&str> {
    seen.moments[moment].1[0].0.as_deref()
}

#[test]
fn a_bar_is_known_when_it_has_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = three_minutes(folder.path());
    let seen = run(folder.path(), settings(vec![feed], &[])).expect("runs");
    let times: Vec<u64> = seen.moments.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [60, 120, 180]);
    assert_eq!(price(&seen, 0), Some("100"));
    assert_eq!(price(&seen, 1), Some("101.1"));
    let summary = &seen.summary.feeds[0];
    assert_eq!(
        (summary.rounds, summary.priced, summary.compared),
        (3, 3, 3)
    );
    assert_eq!(summary.deviation_ppm_max, 0, "the median is the plain one");
    // Of three prices that differ by little two must lie.
    assert_eq!(summary.weakest.map(|w| (w.liars, w.used)), Some((2, 3)));
    assert_eq!(
        seen.tables[0][1],
        "2023-03-11T02:02:00Z,101.10000000,101,101.2,ok,3,101.1,101,101.1,101.2"
    );
    let svg = seen.charts[0].as_ref().expect("a picture");
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
}

#[test]
fn what_nobody_traded_is_no_quote() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = three_minutes(folder.path());
    // Rows of a flat price without a trade, for an hour.
    let flat: Vec<(u64, &str, &str)> = (0..3).map(|i| (i * 60, "90", "0.0")).collect();
    write_bars(folder.path(), "c_BTC-USD", &flat);
    let seen = run(folder.path(), settings(vec![feed], &[])).expect("runs");
    assert_eq!(seen.summary.feeds[0].dropped.get("missing"), Some(&3));
    assert_eq!(price(&seen, 2), Some("102"));
}

#[test]
fn a_gap_makes_quotes_stale_and_then_there_is_no_price() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = three_minutes(folder.path());
    for source in ["a", "b"] {
        let rows = [(0, "100", "1"), (1_200, "100", "1")];
        write_bars(folder.path(), &format!("{source}_BTC-USD"), &rows);
    }
    let seen = run(folder.path(), settings(vec![feed], &[])).expect("runs");
    let summary = &seen.summary.feeds[0];
    assert!(summary.unavailable > 10, "{summary:?}");
    assert_eq!(summary.unavailable + summary.priced, summary.rounds);
    assert!(summary.dropped["stale"] > 20);
    let last = seen.moments.last().expect("one");
    assert_eq!((last.0, last.1[0].0.as_deref()), (1_260, Some("100")));
}

#[test]
fn faults_hit_their_source_and_their_time_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let feed = three_minutes(folder.path());
    let run =
        |faults: &[&str]| run(folder.path(), settings(vec![feed.clone()], faults)).expect("runs");

    let seen = run(&["c:spike=-40@2023-03-11T02:01:00Z"]);
    let dropped = &seen.summary.feeds[0].dropped;
    assert_eq!(
        dropped.get("outlier"),
        Some(&1),
        "in the second minute alone"
    );
    assert_eq!(price(&seen, 1), Some("101"));
    assert!(
        seen.tables[0][1].ends_with(",101,101.1,outlier"),
        "{}",
        seen.tables[0][1]
    );

    let seen = run(&[
        "a:gap@2023-03-11T02:00:00Z/PT10M",
        "b:flat@2023-03-11T02:01:00Z/PT2M",
    ]);
    assert_eq!(seen.summary.feeds[0].dropped.get("missing"), Some(&3));
    assert!(
        seen.tables[0][2].contains(",100,"),
        "b repeats its first price: {}",
        seen.tables[0][2]
    );

    let unknown = Simulation::open(
        folder.path(),
        settings(vec![feed.clone()], &["mtgox:gap@2023-03-11T02:00:00Z"]),
    );
    let error = unknown.err().expect("refused").to_string();
    assert_eq!(error, "fault of \"mtgox\": there are bars of a, b, c only");
}

#[test]
fn conversions_are_compared_with_conversions() {
    let folder = tempfile::tempdir().expect("a folder");
    write_bars(
        folder.path(),
        "a_BTC-USDT",
        &[(0, "100", "1"), (60, "100", "1")],
    );
    write_bars(
        folder.path(),
        "b_BTC-USDT",
        &[(0, "100", "1"), (60, "100", "1")],
    );
    write_bars(
        folder.path(),
        "a_USDT-USD",
        &[(0, "0.9", "1"), (60, "0.5", "1")],
    );
    let feeds = vec![
        spec("BTC-USD", &["a BTC-USDT", "b BTC-USDT"], 1),
        spec("USDT-USD", &["a USDT-USD"], 1),
    ];
    let seen = run(folder.path(), settings(feeds, &[])).expect("runs");
    assert_eq!((price(&seen, 0), price(&seen, 1)), (Some("90"), Some("50")));
    assert_eq!(seen.summary.feeds[0].deviation_ppm_max, 0);
    assert_eq!(seen.summary.feeds[0].compared, 2);
}

#[test]
fn bars_of_seconds_and_bounds_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<(u64, String)> = (0..4_000)
        .map(|i| (i, format!("{}", 100 + i % 7)))
        .collect();
    let rows: Vec<(u64, &str, &str)> = rows
        .iter()
        .map(|(at, close)| (*at, close.as_str(), "1"))
        .collect();
    write_bars(folder.path(), "a_BTC-USD", &rows);
    let mut settings = settings(vec![spec("BTC-USD", &["a BTC-USD"], 1)], &[]);
    let seen = run(folder.path(), settings.clone()).expect("runs");
    assert_eq!(seen.moments.len(), 4_000);
    // However many instants there are, the picture stays small.
    assert!(
        seen.charts[0]
            .as_ref()
            .is_some_and(|svg| svg.len() < 200_000)
    );

    settings.from_ms = Some((START_S + 100) * 1_000 - 300);
    settings.to_ms = Some((START_S + 109) * 1_000);
    let seen = run(folder.path(), settings.clone()).expect("runs");
    let times: Vec<u64> = seen.moments.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, (100..=109).collect::<Vec<_>>());

    settings.from_ms = Some((START_S + 9_000) * 1_000);
    settings.to_ms = Some((START_S + 8_000) * 1_000);
    let error = run(folder.path(), settings).err().expect("refused");
    assert!(
        error.to_string().starts_with("no bar ends between"),
        "{error}"
    );
}

#[test]
fn a_folder_without_the_markets_says_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let feeds = || vec![spec("ETH-USD", &["a ETH-USD"], 1)];
    let error = |folder: &Path| {
        run(folder, settings(feeds(), &[]))
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(error(folder.path()).ends_with("there are none"));
    three_minutes(folder.path());
    assert!(error(folder.path()).ends_with("there are a BTC-USD, b BTC-USD, c BTC-USD"));
    assert!(error(&folder.path().join("nowhere")).contains("nowhere"));
}

#[test]
fn faults_are_read_as_they_are_written() {
    let fault: Fault = "kraken:spike=-40.5@2023-03-11T07:00:00Z/PT1H"
        .parse()
        .expect("a fault");
    assert_eq!(fault.to_ms - fault.from_ms, 3_600_000);
    assert_eq!(fault.kind.to_string(), "spike=-40.5");
    let fault: Fault = "kraken:flat@2023-03-11T08:00:00+01:00"
        .parse()
        .expect("a fault");
    assert_eq!(
        (fault.from_ms, fault.to_ms - fault.from_ms),
        (1_678_518_000_000, 60_000)
    );
    for (text, why) in [
        ("kraken", "no kind"),
        ("kraken:gap", "no time"),
        (":gap@2023-03-11T07:00:00Z", "no source"),
        ("kraken:ban@2023-03-11T07:00:00Z", "an unknown kind"),
        ("kraken:gap=1@2023-03-11T07:00:00Z", "an unknown kind"),
        ("kraken:spike=-100@2023-03-11T07:00:00Z", "no price is left"),
        (
            "kraken:spike=x@2023-03-11T07:00:00Z",
            "not a decimal number",
        ),
        ("kraken:gap@yesterday", "yesterday"),
        ("kraken:gap@2023-03-11T07:00:00Z/PT0S", "not above zero"),
        ("kraken:gap@1960-03-11T07:00:00Z", "before 1970"),
    ] {
        let error = text.parse::<Fault>().expect_err(text).to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    /// One source of four that says whatever it likes moves no price out of what the others said.
    #[test]
    fn one_spike_of_four_stays_inside(percent in -99i32..10_000, closes in prop::collection::vec(9_900u32..10_100, 4)) {
        let folder = tempfile::tempdir().expect("a folder");
        let names = ["a", "b", "c", "d"];
        for (name, close) in names.iter().zip(&closes) {
            let close = close.to_string();
            let rows = [(0, close.as_str(), "1"), (60, close.as_str(), "1")];
            write_bars(folder.path(), &format!("{name}_BTC-USD"), &rows);
        }
        let feed = spec("BTC-USD", &["a BTC-USD", "b BTC-USD", "c BTC-USD", "d BTC-USD"], 2);
        let fault = format!("d:spike={percent}@2023-03-11T02:00:00Z/PT1H");
        let seen = run(folder.path(), settings(vec![feed], &[&fault])).expect("runs");
        let honest = &closes[..3];
        for (_, feeds) in &seen.moments {
            let price: u32 = feeds[0].0.as_ref().expect("a price").parse().expect("whole");
            prop_assert!(honest.iter().min() <= Some(&price) && Some(&price) <= honest.iter().max());
        }
    }

    #[test]
    fn no_text_of_a_fault_panics(text in "\\PC{0,60}") {
        let _ = text.parse::<Fault>();
    }
}
