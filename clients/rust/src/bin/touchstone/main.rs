//! `touchstone`: fetches and verifies prices of a pinned network.

mod args;
mod commands;
mod evidence;
mod failure;
mod output;
mod units;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;

use crate::{
    args::{Cli, Command, EvidenceCommand},
    failure::Failure,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The process-wide TLS provider; an error only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let json = cli.json;
    let result = match cli.command {
        Command::Get(args) => commands::get(args, json).await,
        Command::Verify(args) => commands::verify(&args, json),
        Command::At(args) => commands::at(args, json).await,
        Command::Recompute(args) => commands::recompute(args, json).await,
        Command::Watch(args) => commands::watch(args, json).await,
        Command::Evidence(EvidenceCommand::Verify(args)) => evidence::verify(&args, json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read us has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => report(&failure, json),
    }
}

fn report(failure: &Failure, json: bool) -> ExitCode {
    if json && !failure.is_told() {
        let _ = writeln!(std::io::stdout(), "{}", failure.to_json());
    }
    if !failure.is_told() {
        eprintln!("touchstone: {failure}");
    }
    ExitCode::from(failure.exit_code())
}
