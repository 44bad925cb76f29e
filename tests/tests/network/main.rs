//! Committees of real nodes over a bad network: delay, loss, duplication, reordering, cuts, partitions, sleeping and crashing
//! members. Nothing is replaced but the wire, and no story asserts on how long a round takes; it reports it.
//!
//! After every story all that was attested must verify, agree and accuse nobody ([`Story::end`]). `TOUCHSTONE_LONG=1` makes
//! members sleep for a minute in place of twelve seconds.

mod absence;
mod commands;
mod cuts;
mod seven;
mod steady;
mod story;
