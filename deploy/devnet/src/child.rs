//! One process of the network: started, watched, stopped or killed; its output goes to a file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{process::ChildStdin, time::timeout};

use crate::roles::{self, Role};

/// How much of the end of a log is shown.
const TAIL_BYTES: u64 = 16 * 1024;
const TAIL_LINES: usize = 20;

/// A running process.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    /// The process ends when this is closed.
    leash: Option<ChildStdin>,
    log: PathBuf,
    pid_file: PathBuf,
}

impl Child {
    /// Starts this executable in a role; standard output and error are appended to the log.
    ///
    /// # Errors
    /// No log file, or no process to be had.
    pub(crate) fn start(
        name: &str,
        role: Role,
        arguments: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = log_file(folder, role);
        let output = append(&log)?;
        let errors = output.try_clone()?;
        let mut process = roles::command(role)
            .and_then(|mut command| {
                command
                    .args(arguments)
                    .stdout(output)
                    .stderr(errors)
                    .spawn()
            })
            .with_context(|| format!("{name} cannot be started"))?;
        let pid_file = folder.join("pid");
        if let Some(pid) = process.id() {
            fs::write(&pid_file, format!("{pid}\n"))
                .with_context(|| format!("{} cannot be written", pid_file.display()))?;
        }
        Ok(Self {
            name: name.to_owned(),
            leash: process.stdin.take(),
            process,
            log,
            pid_file,
        })
    }

    /// Runs this executable in a role to its end, and gives back what it wrote to standard output.
    ///
    /// # Errors
    /// It could not be started, took longer than `patience`, or failed; the end of its log is in the message.
    pub(crate) async fn output(
        name: &str,
        role: Role,
        arguments: &[&str],
        folder: &Path,
        patience: Duration,
    ) -> anyhow::Result<Vec<u8>> {
        let log = log_file(folder, role);
        let errors = append(&log)?;
        let mut command = roles::command(role)?;
        command
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(errors);
        let mut process = command
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        // `wait_with_output` would close the leash at once.
        let leash = process.stdin.take();
        let output = timeout(patience, process.wait_with_output()).await;
        drop(leash);
        let Ok(output) = output else {
            anyhow::bail!("{name}: not done after {patience:?}\n{}", tail(&log));
        };
        let output = output?;
        anyhow::ensure!(
            output.status.success(),
            "{name}: {}\n{}",
            output.status,
            tail(&log)
        );
        Ok(output.stdout)
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log)
    }

    /// SIGKILL, as a crash of the machine would be; waits until it is gone.
    pub(crate) async fn kill(mut self) {
        // The only failure is that it is gone already.
        let _ = self.process.kill().await;
    }

    /// Asks it to stop, waits, and kills it where that does not help; true if it stopped by itself without an error.
    pub(crate) async fn stop(mut self) -> bool {
        drop(self.leash.take());
        // The process's own patience, and a little for its last words.
        let patience = roles::STOP_PATIENCE + Duration::from_secs(2);
        let ended = timeout(patience, self.process.wait()).await;
        let clean = matches!(ended, Ok(Ok(status)) if status.success());
        if ended.is_err() {
            let _ = self.process.kill().await;
        }
        clean
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nobody is to take the next process with this id for this one.
        let _ = fs::remove_file(&self.pid_file);
    }
}

fn log_file(folder: &Path, role: Role) -> PathBuf {
    folder.join(format!("{}.log", role.name()))
}

fn append(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("{} cannot be opened", path.display()))
}

/// The last lines of a file, each indented.
fn tail(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    let mut shown = format!("the end of {}:", path.display());
    for line in lines.get(first..).unwrap_or_default() {
        shown.push_str("\n  | ");
        shown.push_str(line);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_short_whatever_the_log() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("log");
        let text: String = (0..10_000).map(|i| format!("line {i}\n")).collect();
        fs::write(&path, text).expect("written");
        let tail = tail(&path);
        assert_eq!(tail.lines().count(), 1 + TAIL_LINES);
        assert!(tail.ends_with("| line 9999"), "{tail}");
    }

    #[test]
    fn a_log_that_is_not_there_is_said() {
        assert!(tail(Path::new("/nonexistent/log")).contains("cannot be read"));
    }
}
