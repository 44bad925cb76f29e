//! The Touchstone oracle node: engine, key vault, storage and operator commands
