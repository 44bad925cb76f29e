//! The devnet's program under a name that the end-to-end tests can find: it is every process of a network.

use std::process::ExitCode;

fn main() -> ExitCode {
    touchstone_devnet::cli_main(std::env::args_os().collect())
}
