//! The command line: what it prints and how it exits.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_touchstone-sim"))
        .args(arguments)
        .output()
        .expect("the simulator starts")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn the_last_line_is_one_object() {
    let output = simulate(&["--good-case", "--nodes", "7", "--runs", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output);
    let objects: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let [object] = objects.as_slice() else {
        panic!("{} lines are JSON", objects.len());
    };
    let last = text.lines().next_back().expect("a line");
    assert_eq!(
        serde_json::from_str::<Value>(last).ok().as_ref(),
        Some(object)
    );
    assert_eq!(object["runs"], 3);
    assert_eq!(object["verdicts"]["Pass"], 3);
    assert_eq!(object["views"]["max"], 0);
    for key in ["min", "mean", "max"] {
        assert_eq!(object["delays"][key], 4.0, "{key}");
    }
    assert_eq!(object["messages"], 3 * (3 * 7 * 6 + 6));
}

#[test]
fn a_broken_property_and_a_wrong_argument_exit_differently() {
    let broken = simulate(&["--mutant", "no-fence", "--runs", "100", "--json"]);
    assert_eq!(broken.status.code(), Some(1));
    let object = text(&broken).lines().next_back().map(serde_json::from_str);
    let object: Value = object.expect("a line").expect("an object");
    assert!(object["verdicts"]["Diverged"].as_u64() > Some(0));
    assert!(object["broken"]["OneBody"].as_u64() > Some(0));
    assert!(object["failed"][0]["seed"].as_u64() > Some(0));
    for wrong in [
        ["--mutant", "nobody"],
        ["--faults", "nothing"],
        ["--nodes", "3"],
        ["--crashed", "2"],
        ["--stop-at", "Anything"],
    ] {
        let output = simulate(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_seed_traces_the_same_run_again() {
    let trace = || simulate(&["--runs", "1", "--seed", "77", "--trace"]);
    let (first, second) = (trace(), trace());
    assert_eq!(first.status.code(), Some(0));
    assert!(text(&first).lines().count() > 50);
    assert_eq!(text(&first), text(&second));
    let other = simulate(&["--runs", "1", "--seed", "78", "--trace"]);
    assert_ne!(text(&first), text(&other));
}
