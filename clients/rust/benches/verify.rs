//! The time to verify a price update, against a bare strict Ed25519 verification in the same run.

fn main() {}
