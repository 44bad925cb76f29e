//! The explorer on what ships, on mutants, and against the search that has no reductions.

use std::time::Duration;

use touchstone_model::{
    Config, Limits, Merge, Options, Property, cross_check, explore, repeat, unreduced, walk,
};

fn config(views: u32, active: usize) -> Config {
    Config {
        byzantine_leads: false,
        views,
        active,
    }
}

#[test]
fn what_ships_withstands_views_0_and_1() {
    for byzantine_leads in [false, true] {
        let config = Config {
            byzantine_leads,
            ..config(1, 3)
        };
        let explored = explore(None, &config, Options::default()).expect("an exploration");
        assert!(explored.found.is_none());
        // Eight ways to leave view 0, up to names: who of three is locked, and whether the statement of the fourth may be.
        assert_eq!(explored.count.ends.first(), Some(&8));
        assert!(explored.count.states > 10_000);
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
}

#[test]
fn the_reduced_search_sees_all_that_the_unreduced_one_sees() {
    let options = Options {
        outcomes: true,
        merge: Merge::Exact,
        ..Options::default()
    };
    let reduced = explore(None, &config(0, 2), options).expect("an exploration");
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

#[test]
fn random_schedules_reach_nothing_that_the_reduced_search_misses() {
    let options = Options {
        outcomes: true,
        ..Options::default()
    };
    let reduced = explore(None, &config(1, 3), options).expect("an exploration");
    let walked = walk(None, &config(1, 3), 20, 1).expect("walks");
    assert!(walked.found.is_none() && walked.steps > 500);
    let (_, missed) = cross_check(&reduced, &walked);
    assert_eq!(missed, Vec::new());
}

#[test]
fn a_bound_on_states_is_kept() {
    let options = Options {
        states: 100,
        ..Options::default()
    };
    let error = explore(None, &config(1, 3), options)
        .err()
        .expect("too many");
    assert!(error.to_string().contains("more than 100 states"));
}
