//! The programs that the executable can be, and how they end when the devnet is gone.

use std::{env, ffi::OsString, io, process, process::ExitCode, thread, time::Duration};

/// Set for processes that the devnet has started: their standard input is a pipe that it holds open.
const SUPERVISED: &str = "TOUCHSTONE_DEVNET_SUPERVISED";
/// How long a process may take to stop by itself, once it was asked to.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A program of the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// An oracle node.
    Node,
    /// The aggregator.
    Aggregator,
}

impl Role {
    /// The first argument that makes the executable this program.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "oracle-node",
            Self::Aggregator => "aggregator",
        }
    }

    /// The role that a command line names.
    pub(crate) fn of(arguments: &[OsString]) -> Option<Self> {
        let name = arguments.get(1)?;
        [Self::Node, Self::Aggregator]
            .into_iter()
            .find(|role| name == role.name())
    }

    /// Is that program, to the end.
    pub(crate) fn play(self, arguments: Vec<OsString>) -> ExitCode {
        if env::var_os(SUPERVISED).is_some() {
            stop_when_orphaned();
        }
        match self {
            Self::Node => touchstone_oracle_node::cli_main(arguments),
            Self::Aggregator => touchstone_aggregator::cli_main(arguments),
        }
    }
}

/// A command that starts this executable in a role, to be ended by closing its standard input.
///
/// # Errors
/// The executable cannot be found any more.
pub(crate) fn command(role: Role) -> io::Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(env::current_exe()?);
    command
        .arg(role.name())
        .env(SUPERVISED, "1")
        .stdin(process::Stdio::piped())
        // A Ctrl-C at the terminal is for the devnet, which ends its processes in order.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// Sends this process SIGTERM as soon as its standard input ends, which happens when the devnet closes it or is gone,
/// however it went.
fn stop_when_orphaned() {
    thread::spawn(|| {
        // An error is as good as the end.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let asked = process::Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &process::id().to_string()])
            .stdin(process::Stdio::null())
            .status();
        if asked.is_ok_and(|status| status.success()) {
            thread::sleep(STOP_PATIENCE);
        }
        process::exit(1);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_argument_names_a_role() {
        let role = |line: &[&str]| Role::of(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(role(&["devnet", "oracle-node", "run"]), Some(Role::Node));
        assert_eq!(role(&["devnet", "aggregator"]), Some(Role::Aggregator));
        assert_eq!(role(&["oracle-node", "run"]), None);
        assert_eq!(role(&["devnet", "--nodes", "aggregator"]), None);
        assert_eq!(role(&["devnet"]), None);
    }
}
