//! The deterministic simulator, the adversary, end-to-end stories and the shared vectors

pub mod live;
pub mod relay;
pub mod sim;
pub mod vectors;
