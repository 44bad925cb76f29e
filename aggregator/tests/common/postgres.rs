//! A PostgreSQL of one's own: in a temporary folder, on a Unix socket, ended with the test.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

/// PostgreSQL refuses to run as root; then it runs as nobody.
const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

pub(crate) struct Postgres {
    child: Child,
    folder: TempDir,
}

impl Postgres {
    /// Starts one; `None` (with a line of explanation) where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(binaries) = find() else {
            assert_ne!(
                env::var("TOUCHSTONE_REQUIRE").as_deref(),
                Ok("all"),
                "PostgreSQL is not installed, and TOUCHSTONE_REQUIRE=all wants it"
            );
            println!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = TempDir::new().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
        let data = folder.path().join("data");
        let status = unprivileged(&binaries.join("initdb"))
            .args([
                "--auth=trust",
                "--username=oracle",
                "--no-sync",
                "--encoding=UTF8",
                "--pgdata",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(status.success(), "initdb: {status}");
        let child = unprivileged(&binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres runs");
        let server = Self { child, folder };
        server.wait(&binaries);
        Some(server)
    }

    fn wait(&self, binaries: &Path) {
        for _ in 0..200 {
            let ready = Command::new(binaries.join("pg_isready"))
                .arg("-h")
                .arg(self.folder.path())
                .stdout(Stdio::null())
                .status()
                .expect("pg_isready runs");
            if ready.success() {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not become ready");
    }

    pub(crate) fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres://oracle@localhost/postgres?host={folder}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is its fast shutdown; SIGKILL would leave shared memory behind.
        let _ = Command::new("kill")
            .arg("-INT")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn unprivileged(program: &Path) -> Command {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    if is_root {
        let mut command = Command::new("setpriv");
        command.args(NOBODY).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// The folder of its programs: the newest under /usr/lib/postgresql, or one on the PATH.
fn find() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .collect();
    versions.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = versions.into_iter().rev().map(|(_, folder)| folder);
    installed.chain(env::split_paths(&path)).find(|folder| {
        ["initdb", "postgres"]
            .iter()
            .all(|p| folder.join(OsStr::new(p)).is_file())
    })
}
