//! See [`touchstone_model::cli`].

fn main() -> std::process::ExitCode {
    touchstone_model::cli::main()
}
