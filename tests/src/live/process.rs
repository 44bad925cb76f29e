//! One process of the network: started, stopped, halted or killed; its output goes to a file.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    process::{Child, ChildStdin, Command},
    time::timeout,
};

/// Makes the program end when its standard input does, which happens when this process is gone, however it went.
const SUPERVISED: &str = "TOUCHSTONE_DEVNET_SUPERVISED";
/// How long a process may take to stop by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
const TAIL_LINES: usize = 20;

/// What the program is to be: its first argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Node,
    Aggregator,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Node => "oracle-node",
            Self::Aggregator => "aggregator",
        }
    }
}

/// A signal that changes whether a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// It halts where it is, and notices nothing.
    Stop,
    /// It goes on.
    Continue,
}

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    child: Child,
    leash: Option<ChildStdin>,
    log: PathBuf,
}

fn command(program: &Path, role: Role, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .arg(role.name())
        .args(arguments)
        .env(SUPERVISED, "1")
        .stdin(Stdio::piped())
        // A Ctrl-C at the terminal is for this process, which ends its children in order.
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn append(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("{} cannot be opened", path.display()))
}

impl Process {
    /// Starts it; what it says is appended to the log in `folder`.
    pub(super) fn start(
        name: &str,
        program: &Path,
        role: Role,
        arguments: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{}.log", role.name()));
        let output = append(&log)?;
        let errors = output.try_clone()?;
        let mut child = command(program, role, arguments)
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self {
            name: name.to_owned(),
            leash: child.stdin.take(),
            child,
            log,
        })
    }

    /// Runs a program to its end, and gives back what it wrote to standard output.
    pub(super) async fn output(
        name: &str,
        program: &Path,
        role: Role,
        arguments: &[&str],
        patience: Duration,
    ) -> anyhow::Result<Vec<u8>> {
        let mut child = command(program, role, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        // Waiting would close it at once.
        let leash = child.stdin.take();
        let output = timeout(patience, child.wait_with_output()).await;
        drop(leash);
        let output = output.with_context(|| format!("{name}: not done after {patience:?}"))??;
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "{name}: {}\n{errors}",
            output.status
        );
        Ok(output.stdout)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Everything that it has said.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it has said.
    pub(super) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.len().saturating_sub(TAIL_LINES);
        let shown = lines.get(end..).unwrap_or_default().join("\n  | ");
        format!("the end of the log of {}:\n  | {shown}", self.name)
    }

    /// SIGSTOP or SIGCONT.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self
            .pid()
            .with_context(|| format!("{} has ended", self.name))?;
        let signal = match signal {
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill \"$0\" \"$1\"", signal, &pid.to_string()])
            .status()?;
        anyhow::ensure!(sent.success(), "{}: kill {signal} {pid}: {sent}", self.name);
        Ok(())
    }

    /// SIGKILL; waits until it is gone.
    pub(super) async fn kill(mut self) -> anyhow::Result<()> {
        let killed = self.child.kill().await;
        killed.with_context(|| format!("{} cannot be killed", self.name))
    }

    /// Asks it to stop, and waits.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.leash.take());
        let ended = timeout(STOP_PATIENCE, self.child.wait()).await;
        let name = &self.name;
        let status =
            ended.with_context(|| format!("{name} did not stop within {STOP_PATIENCE:?}"))??;
        anyhow::ensure!(status.success(), "{name}: {status}; {}", self.tail());
        Ok(())
    }
}
