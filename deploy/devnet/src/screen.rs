//! What the person in front of the terminal sees.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use touchstone_types::{FeedName, Round, Status};

use crate::{network::Process, run::best_known, stats::Latency};

/// Notices that stay below the table.
const NOTICES_SHOWN: usize = 6;
/// Without a terminal: one line every so many rounds.
const LINE_EVERY: u64 = 10;

/// One feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedRow {
    pub(crate) feed: FeedName,
    pub(crate) price: String,
    pub(crate) low: String,
    pub(crate) high: String,
    pub(crate) observers: Option<u16>,
    /// Age of the trades behind the price, in milliseconds.
    pub(crate) trade_age_ms: Option<u64>,
    pub(crate) status: Option<Status>,
}

/// One member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberRow {
    pub(crate) process: Process,
    pub(crate) healthy: bool,
}

/// Everything that changes.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) round: Option<Round>,
    /// Age of the newest round, in milliseconds.
    pub(crate) round_age_ms: Option<u64>,
    pub(crate) attested: u64,
    pub(crate) missed: u64,
    pub(crate) latency: Latency,
    pub(crate) feeds: Vec<FeedRow>,
    pub(crate) members: Vec<MemberRow>,
}

/// Where the view goes.
#[derive(Debug)]
pub(crate) struct Screen {
    form: Form,
    /// Lines above the table that stay.
    heading: Vec<String>,
    notices: Vec<String>,
    told: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// Redrawn in place.
    Table,
    /// Line by line to standard output.
    Lines,
    /// Line by line to standard error, because standard output is for the result.
    ErrorLines,
}

impl Screen {
    /// A live table on a terminal, lines otherwise; nothing to standard output if `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        let form = match (quiet, io::stdout().is_terminal()) {
            (true, _) => Form::ErrorLines,
            (false, true) => Form::Table,
            (false, false) => Form::Lines,
        };
        Self {
            form,
            heading: Vec::new(),
            notices: Vec::new(),
            told: 0,
        }
    }

    /// A line of progress, or a notice once the table stands.
    pub(crate) fn say(&mut self, text: &str) {
        if self.form == Form::Table && !self.heading.is_empty() {
            self.notices.extend(text.lines().map(str::to_owned));
        } else {
            self.print(text);
        }
    }

    /// The lines that stay above the table.
    pub(crate) fn set_heading(&mut self, lines: Vec<String>) {
        if self.form == Form::Table {
            // Progress so far is pushed out of sight, not erased.
            self.print("\x1b[2J");
        } else {
            for line in &lines {
                self.print(line);
            }
        }
        self.heading = lines;
    }

    /// Shows the view; `new_round` if a round has been attested since the last time.
    pub(crate) fn show(&mut self, view: &View, new_round: bool) {
        if self.form == Form::Table {
            let text = table(&self.heading, view, &self.notices);
            self.print_raw(&in_place(&text));
        } else if new_round
            && (view.attested == 1 || view.attested >= self.told.saturating_add(LINE_EVERY))
        {
            self.told = view.attested;
            self.print(&line(view));
        }
    }

    fn print(&self, text: &str) {
        self.print_raw(&format!("{text}\n"));
    }

    fn print_raw(&self, text: &str) {
        // Whoever closes the output does not want to read it.
        let _ = match self.form {
            Form::ErrorLines => io::stderr().write_all(text.as_bytes()),
            Form::Table | Form::Lines => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
        };
    }
}

/// The text from the upper left corner on, each line cleared behind, the rest of the screen as well.
fn in_place(text: &str) -> String {
    let mut out = String::from("\x1b[H");
    for line in text.lines() {
        out.push_str(line);
        out.push_str("\x1b[K\n");
    }
    out.push_str("\x1b[J");
    out
}

fn table(heading: &[String], view: &View, notices: &[String]) -> String {
    let mut out = String::new();
    for line in heading {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(
        out,
        "\n{:<14}{:>20}{:>20}{:>20}{:>11}{:>9}  status",
        "feed", "price", "low", "high", "observers", "age"
    );
    for row in &view.feeds {
        let observers = row
            .observers
            .map_or_else(|| "-".to_owned(), |o| o.to_string());
        let status = row.status.map_or_else(|| "-".to_owned(), |s| s.to_string());
        let _ = writeln!(
            out,
            "{:<14}{:>20}{:>20}{:>20}{:>11}{:>9}  {}",
            row.feed,
            row.price,
            row.low,
            row.high,
            observers,
            seconds(row.trade_age_ms),
            status
        );
    }
    let _ = writeln!(out, "\n{}", summary(view));
    let _ = writeln!(out, "members{}", members(&view.members));
    let first = notices.len().saturating_sub(NOTICES_SHOWN);
    for notice in notices.get(first..).unwrap_or_default() {
        let _ = writeln!(out, "{notice}");
    }
    out
}

fn summary(view: &View) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1} ms"));
    let round = view.round.map_or_else(|| "-".to_owned(), |r| r.to_string());
    format!(
        "round {round} ({} old)   attested {}, missed {}   latency p50 {}, p99 {}",
        seconds(view.round_age_ms),
        view.attested,
        view.missed,
        number(view.latency.p50),
        number(view.latency.p99)
    )
}

fn members(rows: &[MemberRow]) -> String {
    let mut out = String::new();
    for (id, row) in rows.iter().enumerate() {
        let _ = match (row.process, row.healthy) {
            (Process::Running(pid), true) => write!(out, "   {id} up (pid {pid})"),
            (Process::Running(pid), false) => write!(out, "   {id} starting (pid {pid})"),
            (Process::Killed, _) => write!(out, "   {id} DOWN (killed)"),
            (Process::Died, _) => write!(out, "   {id} DOWN (ended unexpectedly)"),
        };
    }
    out
}

/// The view in one line.
fn line(view: &View) -> String {
    let up = view.members.iter().filter(|m| m.healthy).count();
    let mut out = summary(view);
    let _ = write!(out, "   members {up}/{} up", view.members.len());
    let feeds: Vec<FeedName> = view.feeds.iter().map(|r| r.feed).collect();
    let known = best_known(&feeds);
    if let Some(row) = view.feeds.iter().find(|r| Some(r.feed) == known) {
        let _ = write!(out, "   {} {}", row.feed, row.price);
    }
    out
}

fn seconds(ms: Option<u64>) -> String {
    ms.map_or_else(
        || "-".to_owned(),
        |ms| format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            round: Some(Round(1_790_000_000)),
            round_age_ms: Some(1_260),
            attested: 41,
            missed: 1,
            latency: Latency {
                p50: Some(20.5),
                p99: Some(99.0),
            },
            feeds: vec![FeedRow {
                feed: FeedName::new("BTC-USD").expect("name"),
                price: "67123.45000000".to_owned(),
                low: "67120.10000000".to_owned(),
                high: "67125.00000000".to_owned(),
                observers: Some(4),
                trade_age_ms: Some(900),
                status: Some(Status::OK),
            }],
            members: vec![
                MemberRow {
                    process: Process::Running(17),
                    healthy: true,
                },
                MemberRow {
                    process: Process::Running(18),
                    healthy: false,
                },
                MemberRow {
                    process: Process::Killed,
                    healthy: false,
                },
                MemberRow {
                    process: Process::Died,
                    healthy: true,
                },
            ],
        }
    }

    #[test]
    fn the_table_shows_everything() {
        let text = table(&["heading".to_owned()], &view(), &["notice".to_owned()]);
        for part in [
            "heading",
            "BTC-USD",
            "67123.45000000",
            "67120.10000000",
            "67125.00000000",
            "0.9 s",
            "ok",
            "round 1790000000 (1.2 s old)",
            "attested 41, missed 1",
            "p50 20.5 ms, p99 99.0 ms",
            "0 up (pid 17)",
            "1 starting",
            "2 DOWN (killed)",
            "3 DOWN (ended unexpectedly)",
            "notice",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn one_line_says_the_same_in_brief() {
        let text = line(&view());
        assert!(
            text.contains("members 2/4 up") && text.ends_with("BTC-USD 67123.45000000"),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }

    #[test]
    fn redrawing_clears_what_was_longer() {
        let text = in_place("a\nb");
        assert_eq!(text, "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    }
}
