//! A deterministic simulator of whole committees.
//!
//! Every member is the shipped [`touchstone_consensus::Core`]; the simulator plays the shell around each, the network between
//! them, the clock, and the faulty members. One seed and one commit reproduce a run.
//!
//! | module | what |
//! |---|---|
//! | `plan` | what happens in a run: `draw` draws it from the seed, `scenes` has those with a purpose |
//! | `world` | the run: events in the order of time, and the shell of each member (`node`, `machine`) |
//! | `post`, `letter` | the network and those who schedule it |
//! | `adversary` | Byzantine members |
//! | `concert` | attacks of network and members together |
//! | `committee`, `symbols` | keys, real or symbolic |
//! | `check` | what must hold |
//! | `campaign`, `report` | many runs, and what they tell |
//! | `mutants` | the core with one rule dropped, which a campaign must notice |

mod adversary;
mod campaign;
mod check;
pub mod cli;
mod committee;
mod concert;
mod dice;
mod draw;
mod letter;
mod machine;
pub mod mutants;
mod node;
mod plan;
mod post;
mod report;
mod scenes;
mod symbols;
mod world;

pub use self::{
    adversary::Behaviour,
    campaign::{Campaign, Mode, Options, Stop},
    check::{Finding, Property},
    committee::Network,
    concert::Concert,
    report::{Failure, Kind, Report, Spread},
    world::Verdict,
};
