//! The compiled programs in the Solana virtual machine.

mod accounts;
mod costs;
mod deployment;
mod example;
mod features;
mod fuzz;
mod policies;
mod precompile;
mod readme;
mod rounds;
mod shared;
mod world;
