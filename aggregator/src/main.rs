//! The aggregator's program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    touchstone_aggregator::cli_main(std::env::args_os().collect())
}
