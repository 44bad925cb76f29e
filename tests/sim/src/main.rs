//! Runs whole committees in the deterministic simulator; see `touchstone_sim::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    touchstone_sim::cli::main()
}
