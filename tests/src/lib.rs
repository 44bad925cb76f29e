//! The deterministic simulator, the adversary, end-to-end stories and the shared vectors


pub mod vectors;
