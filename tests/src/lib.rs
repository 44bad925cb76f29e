//! End-to-end stories in real processes, the impaired network that they run over, and the shared vectors

pub mod live;
pub mod relay;
pub mod vectors;
