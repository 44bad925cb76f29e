//! Compiles C and C++ programs against the libraries of this build and runs them: on all shared vectors, on what a real
//! committee signs here, and on what a caller or an adversary can get wrong; plain, with sanitizers, and under valgrind.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use support::{
    network::Network,
    toolchain::{Compiler, has, library, output, package, run, say, skip, vectors},
};
use tempfile::TempDir;
use touchstone_types::SUITES;

const SANITIZE: &str = "-fsanitize=address,undefined";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A test program of `tests/c`, compiled.
fn program(compiler: &Compiler, name: &str, flags: &[&str], folder: &Path) -> PathBuf {
    let out = folder.join(name);
    let sources =
        [&format!("{name}.c"), "check.c", "json.c"].map(|source| package("tests/c").join(source));
    compiler.build(&sources, flags, &out);
    out
}

/// Whether the compiler has these flags, and what they need at run time.
fn sanitizes(compiler: &Compiler, folder: &Path) -> bool {
    let source = folder.join("empty.c");
    fs::write(&source, "int main(void) { return 0; }\n").expect("a file");
    let out = folder.join("empty");
    let built = std::panic::catch_unwind(|| compiler.build(&[source], &[SANITIZE], &out));
    built.is_ok()
}

#[test]
fn every_vector_and_every_edge_holds_in_c() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let folder = folder();
    let all = vectors();
    let vectors = program(&compiler, "vectors", &[], folder.path());
    say(&vectors, &[&all]);
    let edge = program(&compiler, "edge", &[], folder.path());
    say(&edge, &[all.as_os_str(), "1".as_ref(), "20261121".as_ref()]);

    if has("valgrind") {
        for (program, more) in [(&vectors, None), (&edge, Some("41"))] {
            let mut command = Command::new("valgrind");
            command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
            let said = run(command.arg(program).arg(&all).args(more));
            print!("valgrind: {said}");
        }
    } else {
        skip("valgrind cannot be started");
    }
}

#[test]
fn every_vector_and_every_edge_holds_under_sanitizers() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let folder = folder();
    if !sanitizes(&compiler, folder.path()) {
        return skip("the C compiler has no sanitizers");
    }
    let flags = [SANITIZE, "-fno-sanitize-recover=all"];
    let all = vectors();
    say(
        &program(&compiler, "vectors", &flags, folder.path()),
        &[&all],
    );
    let edge = program(&compiler, "edge", &flags, folder.path());
    say(&edge, &[all.as_os_str(), "1".as_ref(), "7".as_ref()]);
}

#[test]
fn a_test_program_can_fail() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let folder = folder();
    let vectors = program(&compiler, "vectors", &[], folder.path());
    let copy = folder.path().join("copy/update/valid");
    fs::create_dir_all(&copy).expect("a folder");
    let name = "update/valid/tree-00012-middle.json";
    let text = fs::read_to_string(support::toolchain::vectors().join(name)).expect("a vector");
    let arguments = [
        folder.path().join("copy").into_os_string(),
        "updates".into(),
    ];
    fs::write(copy.join("one.json"), &text).expect("a file");
    say(&vectors, &arguments);
    // A digit of a price that nobody signed.
    let (before, after) = text.split_once("\"price\": \"").expect("a price");
    let wrong = format!("{before}\"price\": \"9{after}");
    fs::write(copy.join("one.json"), wrong).expect("a file");
    assert!(
        !output(Command::new(&vectors).args(&arguments))
            .status
            .success()
    );
}

#[test]
fn what_a_committee_signs_here_is_verified_in_c() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let seed = 4;
    println!("seed {seed}");
    let folder = folder();
    let valid = folder.path().join("update/valid");
    fs::create_dir_all(&valid).expect("a folder");
    let mut network = Network::generate(seed);
    for round in 0..40 {
        for suite in SUITES {
            let signed = network.sign_round(round, suite);
            let name = valid.join(format!("{round}-{suite}.json"));
            fs::write(name, network.vector(&signed)).expect("a file");
        }
    }
    let vectors = program(&compiler, "vectors", &[], folder.path());
    say(&vectors, &[folder.path().as_os_str(), "updates".as_ref()]);
}

#[test]
fn the_header_is_cpp_and_the_library_links_there() {
    let Some(compiler) = Compiler::cxx() else {
        return;
    };
    let folder = folder();
    let out = folder.path().join("header");
    // Twice, for inline functions must not clash between files.
    let sources = ["header.cpp", "header_again.cpp"];
    compiler.build(
        &sources.map(|name| package("tests/c").join(name)),
        &[],
        &out,
    );
    let files = inputs(folder.path());
    assert_eq!(run(Command::new(out).args(&files)), "67123.45000100\n");
}

/// `network.json` and an update of its network, as files.
fn inputs(folder: &Path) -> [PathBuf; 2] {
    let pin = vectors().join("pin/network.json");
    let text = vectors().join("update/valid/computed-round.json");
    let text = fs::read_to_string(text).expect("a vector");
    let (_, hex) = text.split_once("\"update\": \"").expect("an update");
    let (hex, _) = hex.split_once('"').expect("a string");
    let update = folder.join("update.bin");
    fs::write(&update, hex::decode(hex).expect("hexadecimal")).expect("a file");
    [pin, update]
}

#[test]
fn the_five_lines_of_the_readme_work() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let readme = fs::read_to_string(package("README.md")).expect("a README");
    let (_, lines) = readme.split_once("```c\n").expect("an example");
    let (lines, _) = lines.split_once("```").expect("its end");
    assert_eq!(lines.lines().count(), 5);
    let folder = folder();
    let source = folder.path().join("readme.c");
    let frame = fs::read_to_string(package("tests/c/readme.c.in")).expect("a frame");
    fs::write(&source, frame.replace("@EXAMPLE@", lines)).expect("a file");
    let out = folder.path().join("readme");
    compiler.build(&[source, package("tests/c/check.c")], &[], &out);
    let [pin, update] = inputs(folder.path());
    let at = |now: &str| run(Command::new(&out).args([&pin, &update]).arg(now));
    assert_eq!(at("1790000001000"), "67123.45000100\n");
    assert_eq!(at("1790000011000"), "too-old\n");
}

#[test]
fn the_example_program_works() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let folder = folder();
    let out = folder.path().join("price");
    compiler.build(&[package("examples/price.c")], &[], &out);
    let [pin, update] = inputs(folder.path());
    let price =
        |feed: &str, age: &str| output(Command::new(&out).args([&pin, &update]).args([feed, age]));
    // The vectors' time and today's clock: only an age without end accepts it, and a round ahead of the clock nothing.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    if now.as_millis() > 1_790_000_000_021 {
        let got = price("BTC-USD", "18446744073709551615");
        assert!(got.status.success(), "{got:?}");
        let text = String::from_utf8_lossy(&got.stdout);
        assert!(
            text.starts_with("BTC-USD 67123.45000100 (67123.45000100 to 67123.45000200)"),
            "{text}"
        );
        let got = price("BTC-USD", "10000");
        assert_eq!(String::from_utf8_lossy(&got.stderr), "BTC-USD: too-old\n");
    }
    let got = price("ETH-EUR", "10000");
    assert_eq!(String::from_utf8_lossy(&got.stderr), "ETH-EUR: no-feed\n");
    assert_eq!(got.status.code(), Some(1));
}

/// The shared library is asked for by a name with its interface's version, and hands out the header's calls alone.
#[test]
#[cfg(target_os = "linux")]
fn the_shared_library_has_its_name_and_nothing_more_than_the_header() {
    let Some(compiler) = Compiler::c() else {
        return;
    };
    let folder = folder();
    let shared = library("libtouchstone.so");
    std::os::unix::fs::symlink(&shared, folder.path().join("libtouchstone.so.1")).expect("a link");
    let sources = ["vectors.c", "check.c", "json.c"].map(|name| package("tests/c").join(name));
    let out = folder.path().join("shared");
    compiler.build_shared(&sources, folder.path(), &out);
    say(&out, &[vectors()]);

    if !has("nm") {
        return skip("nm cannot be started");
    }
    let exported = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&shared));
    let mut exported: Vec<&str> = exported
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    exported.sort_unstable();
    let header = fs::read_to_string(package("include/touchstone.h")).expect("a header");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']) && !line.starts_with("static"))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("touchstone_"))
        .collect();
    declared.sort_unstable();
    assert_eq!(exported, declared);
}
