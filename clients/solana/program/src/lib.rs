//! The Touchstone oracle program: it stores the newest prices that it was shown, and nothing that the network did not sign.
//!
//! What it checks is in the crate `touchstone-solana`, which knows bytes; here they meet accounts. Three instructions
//! ([`touchstone_solana::instruction`]), no owner, no fee, no way to change a config or to write a price by other means than an
//! update.
#![no_std]
#![warn(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod create;
mod initialize;
mod update;

use touchstone_solana::{Address, Error, equal, instruction};
use touchstone_solana_runtime::{Account, Call, Failure};

touchstone_solana_runtime::entrypoint!(process);

/// Processes one instruction.
///
/// # Errors
/// Whatever is refused; nothing is written then, since the runtime undoes the whole transaction.
pub fn process(call: Call<'_>) -> Result<(), Failure> {
    let Call {
        program,
        accounts,
        data,
    } = call;
    let (tag, data) = data.split_first().ok_or(Error::UnknownInstruction)?;
    match *tag {
        instruction::INITIALIZE => initialize::process(program, accounts, data),
        instruction::CREATE => create::process(program, accounts, data),
        instruction::UPDATE => update::process(program, accounts, data),
        _ => Err(Error::UnknownInstruction.into()),
    }
}

/// Refuses accounts of other programs: whatever they hold, it is not this program's word.
fn check_owner(account: &Account<'_>, program: &Address) -> Result<(), Error> {
    match equal(account.owner(), program) {
        true => Ok(()),
        false => Err(Error::WrongOwner),
    }
}

fn check_writable(account: &Account<'_>) -> Result<(), Error> {
    match account.is_writable() {
        true => Ok(()),
        false => Err(Error::NotWritable),
    }
}
