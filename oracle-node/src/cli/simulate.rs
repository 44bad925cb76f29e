//! `oracle-node feeds simulate`.

use std::{
    fs::{self, File},
    io::{BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use touchstone_feeds::{
    bars, default_feeds, feeds_for_markets,
    simulate::{Chart, Fault, Settings, Simulation, Summary, Table},
};
use touchstone_types::{FeedSpec, Market};

use super::{print, print_json};
use crate::feed_file::read_feeds;

/// Longest age of a quote in the feeds that `--recorded` makes.
const RECORDED_AGE_MS: u64 = 180_000;
const DAY_MS: u64 = 86_400_000;

#[derive(Args, Debug)]
pub(super) struct SimulateArgs {
    /// A folder with bars of seconds or minutes: SOURCE_BASE-QUOTE*.csv.gz with the columns
    /// ts,open,high,low,close,volume[,trades], ts the Unix second at a bar's start
    #[arg(long, value_name = "DIR")]
    history: PathBuf,
    /// The feeds: a file with a list as in the manifest, JSON or TOML ([[feeds]]) [default: the built-in feeds]
    #[arg(long, value_name = "FILE")]
    feeds: Option<PathBuf>,
    /// Feeds made of all markets that are recorded, in place of the built-in ones
    #[arg(long, conflicts_with = "feeds")]
    recorded: bool,
    /// The first instant, such as 2023-03-10T00:00:00Z [default: the end of the first bar]
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The last instant [default: the end of the last bar]
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// A source that errs: SOURCE:KIND@TIME[/DURATION]; KIND is gap, flat or spike=PERCENT, DURATION as in PT5M [default: PT1M]
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Where tables and pictures go; what they are called there is overwritten
    #[arg(long, value_name = "DIR", default_value = "simulation")]
    out: PathBuf,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// The files of one feed.
struct Output {
    table: Table,
    rows: BufWriter<File>,
    chart: Chart,
    picture: PathBuf,
}

impl Output {
    fn create(folder: &Path, index: usize, feed: &FeedSpec) -> anyhow::Result<Self> {
        let path = folder.join(format!("{}.csv", feed.name));
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let table = Table::new(index, feed);
        let mut rows = BufWriter::new(file);
        writeln!(rows, "{}", table.header())?;
        Ok(Self {
            table,
            rows,
            chart: Chart::new(index, feed),
            picture: path.with_extension("svg"),
        })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.rows.flush()?;
        let name = || self.picture.display().to_string();
        match self.chart.svg() {
            Some(svg) => fs::write(&self.picture, svg).with_context(name),
            // A picture of another run would be taken for this one's.
            None if self.picture.exists() => fs::remove_file(&self.picture).with_context(name),
            None => Ok(()),
        }
    }
}

fn feeds(args: &SimulateArgs) -> anyhow::Result<Vec<FeedSpec>> {
    if let Some(path) = &args.feeds {
        return read_feeds(path);
    }
    if args.recorded {
        let files = bars::find(&args.history)?;
        let markets: Vec<Market> = files.iter().map(bars::BarFile::market).collect();
        return Ok(feeds_for_markets(&markets, RECORDED_AGE_MS));
    }
    Ok(default_feeds())
}

fn unix_ms(option: &str, time: Option<Timestamp>) -> anyhow::Result<Option<u64>> {
    let ms = time.map(|time| u64::try_from(time.as_millisecond()));
    ms.transpose()
        .with_context(|| format!("--{option}: must not lie before 1970"))
}

pub(super) fn simulate(args: &SimulateArgs) -> anyhow::Result<()> {
    let settings = Settings {
        feeds: feeds(args)?,
        from_ms: unix_ms("from", args.from)?,
        to_ms: unix_ms("to", args.to)?,
        faults: args.fault.clone(),
    };
    let simulation = Simulation::open(&args.history, settings)?;
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let feeds = simulation.feeds();
    let mut outputs = feeds
        .iter()
        .enumerate()
        .map(|(index, feed)| Output::create(&args.out, index, feed))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut summary = Summary::new(feeds);
    let progress = std::io::stderr().is_terminal();
    simulation.run(|moment| -> anyhow::Result<()> {
        if progress && moment.now_ms % DAY_MS == 0 {
            let day = Timestamp::from_millisecond(i64::try_from(moment.now_ms)?)?;
            eprintln!("{day}");
        }
        summary.add(moment);
        for output in &mut outputs {
            output.chart.add(moment);
            if let Some(row) = output.table.row(moment) {
                writeln!(output.rows, "{row}")?;
            }
        }
        Ok(())
    })?;
    for output in outputs {
        output.finish()?;
    }
    if args.json {
        return print_json(&summary);
    }
    print(summary.to_string().trim_end())?;
    print(&format!(
        "\n\"max dev.\" is from the plain median of the venues that traded in the last bar; \"1 % by\": the fewest of the used sources that\nwould have had to lie at some instant to move the price by 1 %. Tables and pictures: {}",
        args.out.display()
    ))
}
