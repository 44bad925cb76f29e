//! The public edge of Touchstone: collects attestations, verifies, stores and serves them
