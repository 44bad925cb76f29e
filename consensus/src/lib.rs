//! One oracle round as a sans-IO state machine
