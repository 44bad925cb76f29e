//! What a member that floods costs another one; see `touchstone_fuzz::flood`.

use std::process::ExitCode;

fn main() -> ExitCode {
    touchstone_fuzz::flood::main()
}
