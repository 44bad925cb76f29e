//! The compiled programs in the Solana virtual machine.

mod accounts;
mod costs;
mod example;
mod fuzz;
mod policies;
mod precompile;
mod rounds;
mod shared;
mod world;
