//! docs/protocol.md and the code speak of the same rules.

use std::collections::BTreeSet;

use touchstone_consensus::Rule;

#[test]
fn every_rule_of_the_code_is_in_the_document_and_the_other_way_round() {
    let document = include_str!("../../docs/protocol.md");
    let written: BTreeSet<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("* **")?.split_once("**"))
        .map(|(code, _)| code)
        .collect();
    let coded: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    assert_eq!(written, coded);
}
