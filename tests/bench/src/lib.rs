//! What a round costs: whole committees in one process and one thread, with real keys, real messages and real checks, but no
//! network and no disk.
//!
//! Every member does what a node does with a message: decode, check in batches, hand to the core, sign what the core wants to
//! say. Time is virtual and goes in steps: in each step a member gets everything that was sent to it in the step before. So
//! CPU time is what is measured, by the thread's own clock; the delays of links and threads are measured by
//! `devnet bench`, over loopback.

mod committee;
mod dealer;
mod measure;
mod meter;
mod node;

pub use self::{
    committee::{Case, Inbox, Network},
    measure::{Line, Options, load_average, measure, spread},
    meter::{Cpu, Part, RoundCost, Sent},
};
