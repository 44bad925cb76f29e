//! The explorer on what ships, on mutants, and against the search that has no reductions.

use std::{collections::BTreeSet, path::PathBuf, process::Command, time::Duration};

use serde_json::Value;
use touchstone_model::{
    Commitment, Config, Explored, Limits, Merge, Options, Outcome, Property, cross_check, explore,
    repeat, unreduced, walk,
};

fn config(views: u32, active: usize) -> Config {
    Config {
        byzantine_leads: false,
        views,
        active,
    }
}

fn explored(config: &Config, outcomes: bool, merge: Merge) -> Explored {
    let options = Options {
        outcomes,
        merge,
        ..Options::default()
    };
    explore(None, config, options).expect("an exploration")
}

#[test]
fn what_ships_withstands_views_0_and_1() {
    for byzantine_leads in [false, true] {
        let config = Config {
            byzantine_leads,
            ..config(1, 3)
        };
        let explored = explored(&config, false, Merge::View);
        assert!(explored.found.is_none());
        // Eight ways to leave view 0, up to names: who of three is locked, and whether the statement of the fourth may be.
        assert_eq!(explored.count.ends.first(), Some(&8));
        assert!(explored.count.states > 10_000);

        let of_any_view = self::explored(&config, false, Merge::AnyView).count;
        assert!(of_any_view.ends[1] < explored.count.ends[1] && !of_any_view.closed);
    }
}

/// Explores a mutant, and plays what is found again: on the mutant, where it breaks, and on what ships, where it does not.
fn is_caught(mutant: &str, views: u32, byzantine_leads: bool, property: Property) {
    let config = Config {
        byzantine_leads,
        ..config(views, 3)
    };
    let explored = explore(Some(mutant), &config, Options::default()).expect("an exploration");
    let found = explored.found.expect("a violation");
    assert_eq!(found.violation.property, property, "{mutant}");
    let (done, broken) = repeat(Some(mutant), &config, &found.schedule).expect("a schedule");
    assert_eq!(done, found.schedule, "{mutant}");
    assert_eq!(broken.map(|v| v.property), Some(property), "{mutant}");
    let (_, broken) = repeat(None, &config, &found.schedule).expect("a schedule");
    assert_eq!(broken, None, "{mutant}");
}

#[test]
fn mutants_break_within_view_1() {
    is_caught("goes-on-after-timeout", 1, false, Property::Agreement);
    is_caught("no-lock-report", 1, false, Property::Agreement);
    is_caught("small-quorum", 1, true, Property::Agreement);
    is_caught("low-threshold", 1, false, Property::OneSigned);
    is_caught("shares-before-coin", 1, false, Property::OneSigned);
    is_caught("prepares-twice", 0, true, Property::OneBody);
    is_caught("votes-twice", 1, false, Property::OneBody);
    is_caught("trusts-prepares", 1, false, Property::Acceptance);
}

/// What a file says of itself: `# name: text`.
fn said<'a>(text: &'a str, name: &str) -> &'a str {
    let mut comments = text.lines().filter_map(|l| l.strip_prefix("# "));
    comments
        .find_map(|c| c.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or_else(|| panic!("no {name:?}"))
}

fn lines(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty());
    lines.map(str::to_owned).collect()
}

fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), name].iter().collect()
}

/// The schedules of views that take long to search: each breaks its mutant, line by line, and not what ships.
#[test]
fn schedules_break_mutants_and_not_what_ships() {
    let mut mutants = Vec::new();
    for entry in std::fs::read_dir(folder("schedules")).expect("schedules") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a schedule");
        let mutant = said(&text, "mutant");
        let config = Config {
            byzantine_leads: said(&text, "leader of view 0") == "Byzantine",
            ..config(said(&text, "views").parse().expect("a number"), 3)
        };
        let lines = lines(&text);
        let (done, broken) = repeat(Some(mutant), &config, &lines).expect("a schedule");
        assert_eq!(done, lines, "{mutant}");
        let broken = broken.expect("a violation").property.to_string();
        assert_eq!(broken, said(&text, "breaks"), "{mutant}");
        let (_, broken) = repeat(None, &config, &lines).expect("a schedule");
        assert_eq!(broken, None, "{mutant}");
        mutants.push(mutant.to_owned());
    }
    mutants.sort();
    let all = [
        "leaves-before-coin",
        "locks-on-anybody",
        "speculates-everywhere",
        "votes-after-coin",
    ];
    assert_eq!(mutants, all);
}

#[test]
fn the_reduced_search_sees_all_that_the_unreduced_one_sees() {
    let reduced = explored(&config(0, 2), true, Merge::Exact);
    let limits = Limits {
        depth: usize::MAX,
        states: 1_000_000,
        time: Duration::from_secs(600),
    };
    let full = unreduced(None, &config(0, 2), &[], limits).expect("a search");
    assert!(full.complete && full.found.is_none());
    assert!(full.states > 1_000);
    assert_eq!(cross_check(&reduced, &full), (Vec::new(), Vec::new()));
}

/// All interleavings of three members' inputs to a depth, from the start and from inside view 1; random ones to the end; and the
/// states at the ends of views that the search tells apart when it merges nothing.
#[test]
fn nothing_is_lost_by_reductions_in_view_1() {
    let config = config(1, 3);
    let merged = explored(&config, false, Merge::View);
    let reduced = explored(&config, true, Merge::Exact);
    assert!(reduced.found.is_none() && reduced.count.ends > merged.count.ends);
    assert_eq!(reduced.count.essences, merged.count.ends);

    let starts = [
        (None, 3),
        (Some("starts/view-1.txt"), 2),
        (Some("starts/coin-1.txt"), 3),
    ];
    for (start, depth) in starts {
        let text = start.map(|f| std::fs::read_to_string(folder(f)).expect("a schedule"));
        let after = text.map_or(Vec::new(), |t| lines(&t));
        let limits = Limits {
            depth,
            states: 1_000_000,
            time: Duration::from_secs(600),
        };
        let seen = unreduced(None, &config, &after, limits).expect("a search");
        assert!(seen.found.is_none() && seen.depth == depth);
        assert!(seen.states > 500, "{start:?}: {} states", seen.states);
        let (_, missed) = cross_check(&reduced, &seen);
        assert_eq!(missed, Vec::new(), "{start:?}");
    }

    let walked = walk(None, &config, 20, 1).expect("walks");
    assert!(walked.found.is_none() && walked.steps > 500);
    let (_, missed) = cross_check(&reduced, &walked);
    assert_eq!(missed, Vec::new());
}

/// A lock that was not reported is no earlier state of one that was.
#[test]
fn an_outcome_covers_less_progress_and_nothing_else() {
    let outcome = |lock: Option<u32>, reported: &[(u32, Option<u32>)]| {
        let named = |view: Option<u32>| view.map(|v| (v, "a".to_owned()));
        let reported = reported.iter().map(|(view, lock)| (*view, named(*lock)));
        Outcome {
            members: vec![Commitment {
                lock: named(lock),
                reported: reported.collect(),
            }],
            decidable: BTreeSet::new(),
            signable: BTreeSet::new(),
        }
    };
    let locked = outcome(Some(1), &[(0, None), (1, Some(1))]);
    assert!(locked.covers(&locked));
    assert!(locked.covers(&outcome(None, &[(0, None)])));
    assert!(!locked.covers(&outcome(Some(1), &[(1, None)])));
    assert!(!locked.covers(&outcome(Some(0), &[(0, Some(0))])));
    assert!(!outcome(None, &[(0, None)]).covers(&locked));
}

/// Runs the command: its exit code, and the object on its last line.
fn command(arguments: &[&str]) -> (Option<i32>, Option<Value>) {
    let command = Command::new(env!("CARGO_BIN_EXE_explore"))
        .args(["--quiet", "--json"])
        .args(arguments)
        .output()
        .expect("the command");
    let text = String::from_utf8(command.stdout).expect("text");
    let json = text.lines().last().map(serde_json::from_str);
    (command.status.code(), json.map(|j| j.expect("JSON")))
}

#[test]
fn the_command_says_what_it_found() {
    let (code, json) = command(&["--views", "0"]);
    assert_eq!(code, Some(0));
    let json = json.expect("an object");
    assert_eq!(json["ends"], serde_json::json!([8]));
    assert_eq!(json["exhaustive"], true);
    assert_eq!(json["broken"], Value::Null);

    let (code, json) = command(&[
        "--views",
        "1",
        "--mutant",
        "small-quorum",
        "--byzantine-leads",
    ]);
    assert_eq!(code, Some(1));
    assert_eq!(json.expect("an object")["broken"], "agreement");

    let file = folder("schedules/speculates-everywhere.txt");
    let file = file.to_str().expect("a name");
    let replay = ["--views", "3", "--replay", file];
    let (code, json) = command(&replay);
    assert_eq!(code, Some(0));
    assert_eq!(json.expect("an object")["broken"], Value::Null);
    let (code, json) = command(&[&replay[..], &["--mutant", "speculates-everywhere"]].concat());
    assert_eq!(code, Some(1));
    assert_eq!(json.expect("an object")["broken"], "one signed report");

    // Too few states, a mutant and a file that are not there.
    assert_eq!(
        command(&["--views", "1", "--states", "100"]),
        (Some(2), None)
    );
    assert_eq!(command(&["--mutant", "none"]), (Some(2), None));
    assert_eq!(command(&["--replay", "none"]), (Some(2), None));
}
