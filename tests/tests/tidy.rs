//! Rules about the tree itself: which crate may use which, and what no source file may contain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What drives the core may use without the weight of the rest.
const CORE: &[&str] = &[
    "touchstone-types",
    "touchstone-crypto",
    "touchstone-consensus",
    "touchstone-sim",
];

/// Folder, package, and what it may use of the workspace outside of tests. `None`: anything.
const LAYERS: &[(&str, &str, Option<&[&str]>)] = &[
    ("types", "touchstone-types", Some(&[])),
    ("crypto", "touchstone-crypto", Some(&["touchstone-types"])),
    ("feeds", "touchstone-feeds", Some(&["touchstone-types"])),
    (
        "consensus",
        "touchstone-consensus",
        Some(&["touchstone-types", "touchstone-crypto"]),
    ),
    (
        "transport",
        "touchstone-transport",
        Some(&["touchstone-types", "touchstone-crypto"]),
    ),
    (
        "oracle-node",
        "touchstone-oracle-node",
        Some(&[
            "touchstone-types",
            "touchstone-crypto",
            "touchstone-consensus",
            "touchstone-transport",
            "touchstone-feeds",
        ]),
    ),
    (
        "aggregator",
        "touchstone-aggregator",
        Some(&[
            "touchstone-types",
            "touchstone-crypto",
            "touchstone-transport",
        ]),
    ),
    (
        "clients/rust",
        "touchstone-client",
        Some(&["touchstone-types", "touchstone-crypto"]),
    ),
    ("clients/c", "touchstone-c", Some(&["touchstone-client"])),
    (
        "deploy/market",
        "touchstone-market",
        Some(&["touchstone-types", "touchstone-feeds"]),
    ),
    ("deploy/devnet", "touchstone-devnet", None),
    ("tests", "touchstone-tests", None),
    ("tests/sim", "touchstone-sim", Some(CORE)),
    ("tests/fuzz", "touchstone-fuzz", Some(CORE)),
    ("tests/bench", "touchstone-bench", Some(CORE)),
    ("tests/model", "touchstone-model", Some(CORE)),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(folder: &Path) -> toml::Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn keys(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    let table = manifest.get(section).and_then(toml::Value::as_table);
    table.map_or_else(BTreeSet::new, |t| t.keys().cloned().collect())
}

#[test]
fn the_table_of_layers_is_the_workspace() {
    let workspace = manifest(&root());
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("members");
    let members: BTreeSet<_> = members.iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(members, LAYERS.iter().map(|(folder, ..)| *folder).collect());
    for (folder, package, _) in LAYERS {
        let name = manifest(&root().join(folder))["package"]["name"].clone();
        assert_eq!(name.as_str(), Some(*package), "{folder}");
    }
}

#[test]
fn edges_between_crates_only_go_down() {
    let ours: BTreeSet<&str> = LAYERS.iter().map(|(_, package, _)| *package).collect();
    let mut wrong = Vec::new();
    for (folder, package, allowed) in LAYERS {
        let Some(allowed) = allowed else { continue };
        let manifest = manifest(&root().join(folder));
        for section in ["dependencies", "build-dependencies"] {
            for used in keys(&manifest, section) {
                if ours.contains(used.as_str()) && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{package} must not use {used}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_crates_do_no_io() {
    let io = [
        "tokio",
        "reqwest",
        "quinn",
        "rustls",
        "axum",
        "sqlx",
        "hyper",
        "tokio-util",
        "tracing",
    ];
    for folder in ["types", "crypto", "consensus"] {
        let used = keys(&manifest(&root().join(folder)), "dependencies");
        let found: Vec<_> = io.iter().filter(|name| used.contains(**name)).collect();
        assert!(found.is_empty(), "{folder} uses {found:?}");
    }
    for folder in ["types", "crypto", "consensus", "feeds"] {
        let bans = root().join(folder).join("clippy.toml");
        let text = fs::read_to_string(&bans).unwrap_or_else(|e| panic!("{}: {e}", bans.display()));
        let bans: toml::Table = text.parse().expect("TOML");
        let types = bans["disallowed-types"].as_array().expect("a list");
        assert!(
            types.iter().all(|ban| ban.get("reason").is_some()),
            "{folder}: a ban without reason"
        );
    }
}

fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<_> = LAYERS
        .iter()
        .map(|(folder, ..)| root().join(folder))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                found.insert(path, text);
            }
        }
    }
    found
}

#[test]
fn every_file_says_what_it_is_and_nothing_is_left_open() {
    // Put together here, so that this file does not contain them.
    let left_open = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
        ["#[ign", "ore"].concat(),
    ];
    let mut wrong = Vec::new();
    let sources = sources();
    assert!(sources.len() > 100, "only {} files found", sources.len());
    for (path, text) in &sources {
        let own_page = text.starts_with("#![doc = include_str!");
        // A module of tests is about the module beside it.
        let beside = path.file_name().is_some_and(|name| name == "tests.rs");
        if !text.starts_with("//!") && !own_page && !beside {
            wrong.push(format!("{}: does not begin with //!", path.display()));
        }
        for mark in &left_open {
            if text.contains(mark) {
                wrong.push(format!("{}: contains {mark}", path.display()));
            }
        }
        let lines = text.lines().count();
        if lines > 400 {
            println!("{}: {lines} lines", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines of each fenced block of a Markdown text.
fn blocks(text: &str) -> Vec<String> {
    let fenced = text.split("```").skip(1).step_by(2);
    let code = fenced.filter_map(|block| block.split_once('\n'));
    code.map(|(_, lines)| lines.to_owned()).collect()
}

#[test]
fn the_examples_of_the_documentation_are_those_that_run() {
    let docs = root().join("docs");
    let text = fs::read_to_string(docs.join("verify.md")).expect("docs/verify.md");
    let (_, text) = text
        .split_once("## By language and chain")
        .expect("the section");
    let (text, _) = text.split_once("\n## ").expect("a section behind it");
    let mut seen = 0;
    for section in text.split("\n### ").skip(1) {
        let (_, link) = section.split_once("](").expect("a link");
        let (link, _) = link.split_once(')').expect("a link");
        let readme = fs::read_to_string(docs.join(link)).unwrap_or_else(|e| panic!("{link}: {e}"));
        for block in blocks(section) {
            assert!(readme.contains(&block), "{link} does not have\n{block}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} examples");
}
