//! What the tests of the C interface share.

pub(crate) mod network;
pub(crate) mod toolchain;
