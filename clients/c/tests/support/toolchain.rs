//! The C compiler, and the libraries that cargo built beside this test.

use std::{
    env,
    ffi::OsStr,
    fmt::Debug,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What a C program must hold up to here.
const C_FLAGS: &[&str] = &[
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Werror",
    "-g",
    "-O1",
];
const CXX_FLAGS: &[&str] = &[
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-g",
    "-O1",
];
/// What Rust's standard library links to (`rustc --print native-static-libs`); touchstone.pc has the same.
const SYSTEM: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

/// A file of this package.
pub(crate) fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The shared vectors.
pub(crate) fn vectors() -> PathBuf {
    package("../../tests/vectors")
}

/// `libtouchstone.a` or `libtouchstone.so` of this very build: cargo puts it beside the test's own program.
pub(crate) fn library(name: &str) -> PathBuf {
    let own = env::current_exe().expect("a program has a path");
    let path = own.with_file_name(name);
    assert!(path.is_file(), "{} is not there", path.display());
    path
}

/// Says why a test does nothing, or fails where nothing may be left out.
pub(crate) fn skip(why: &str) {
    let required = env::var("TOUCHSTONE_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word == "all"),
        "{why}, and TOUCHSTONE_REQUIRE asks for everything"
    );
    println!("skipped: {why}");
}

/// Whether a program can be started.
pub(crate) fn has(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// A compiler by its variable, or else by its usual name; none if it cannot be started.
pub(crate) struct Compiler {
    program: String,
    flags: &'static [&'static str],
}

impl Compiler {
    pub(crate) fn c() -> Option<Self> {
        Self::find("CC", "cc", C_FLAGS)
    }

    pub(crate) fn cxx() -> Option<Self> {
        Self::find("CXX", "c++", CXX_FLAGS)
    }

    fn find(variable: &str, usual: &str, flags: &'static [&'static str]) -> Option<Self> {
        let program = env::var(variable).unwrap_or_else(|_| usual.into());
        if has(&program) {
            return Some(Self { program, flags });
        }
        skip(&format!("{program} ({variable}) cannot be started"));
        None
    }

    /// Compiles and links against the static library, with `flags` beside the usual ones.
    pub(crate) fn build(&self, sources: &[PathBuf], flags: &[&str], out: &Path) {
        let mut command = self.command(sources, flags, out);
        command.arg(library("libtouchstone.a")).args(SYSTEM);
        run(&mut command);
    }

    /// The same against the shared library, which is found under its own name at run time in `folder`.
    #[cfg(target_os = "linux")]
    pub(crate) fn build_shared(&self, sources: &[PathBuf], folder: &Path, out: &Path) {
        let mut command = self.command(sources, &[], out);
        command.arg(library("libtouchstone.so"));
        command.arg(format!("-Wl,-rpath,{}", folder.display()));
        run(&mut command);
    }

    fn command(&self, sources: &[PathBuf], flags: &[&str], out: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.flags).args(flags).args(sources);
        command.arg("-I").arg(package("include"));
        command.arg("-I").arg(package("tests/c"));
        command.arg("-o").arg(out);
        command
    }
}

/// Runs a program to a good end, and hands back what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs a program to any end.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a program with arguments and prints what it says.
pub(crate) fn say<A: AsRef<OsStr> + Debug>(program: &Path, arguments: &[A]) {
    let text = run(Command::new(program).args(arguments));
    let name = program.file_name().unwrap_or_default();
    print!("{}: {text}", name.to_string_lossy());
}
