//! A whole Touchstone network on one machine: a market, a committee of oracle nodes that generate their keys together, and
//! an aggregator, each node a process of its own, all over real sockets on loopback.
//!
//! The devnet holds no shortcut. Its nodes run the shipped node with the shipped commands (`init`, `dkg`, `run`); what it
//! shows it has fetched from the aggregator's public API and verified with the pinned group key, as any consumer would.
//!
//! There is one executable: for the processes of the network it starts itself with the role as first argument
//! ([`cli_main`]), so that nothing has to be built or found beside it.

mod args;
mod bench;
mod child;
mod consumer;
mod files;
mod genesis;
mod market;
mod network;
mod plan;
mod ports;
mod procfs;
mod report;
mod roles;
mod run;
mod schedule;
mod screen;
mod stats;

use std::{ffi::OsString, process::ExitCode};

/// The program, with its arguments from the outside; the first one is the program's name.
///
/// Not generic, here and in the programs that it can be: all that they await is compiled once, in their library.
///
/// Where the second one names a role (`oracle-node`, `aggregator`), the process is that program, with the arguments that
/// follow.
pub fn cli_main(arguments: Vec<OsString>) -> ExitCode {
    match roles::Role::of(&arguments) {
        Some(role) => role.play(arguments.into_iter().skip(1).collect()),
        None => run::main(arguments),
    }
}
