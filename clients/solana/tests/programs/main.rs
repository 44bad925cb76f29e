//! The compiled programs in the Solana virtual machine.

mod costs;
