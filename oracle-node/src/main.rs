//! The `oracle-node` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    touchstone_oracle_node::cli_main(std::env::args_os().collect())
}
