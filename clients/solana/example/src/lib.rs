//! A consumer: a program that reads the price of SOL-USD, at most thirty seconds old, and hands it to its caller.
//!
//! Accounts: a price account. Data: the addresses of the oracle program and of the config, 32 bytes each. A real program holds
//! these two as constants; here they come with the instruction because each test network has its own.
#![no_std]

use touchstone_solana::{Error, Feed, Pin, Policy, get_price, reader::now_ms};
use touchstone_solana_runtime::{Call, Failure, clock_unix_timestamp, set_return_data, sha256};

const SOL_USD: Feed = Feed::new("SOL-USD").unwrap();
const MAX_AGE_MS: u64 = 30_000;

touchstone_solana_runtime::entrypoint!(process);

/// Returns mantissa (16 bytes, little-endian) and exponent (1 byte).
///
/// # Errors
/// Whatever [`get_price`] refuses.
pub fn process(call: Call<'_>) -> Result<(), Failure> {
    let Call { accounts, data, .. } = call;
    let [account] = accounts else {
        return Err(Error::AccountCount.into());
    };
    let (program, rest) = data.split_first_chunk().ok_or(Error::Truncated)?;
    let config = rest.try_into().map_err(|_| Error::Truncated)?;
    let pin = Pin {
        program: *program,
        config,
    };
    let policy = Policy::fresh(now_ms(clock_unix_timestamp()?), MAX_AGE_MS);
    let price = get_price(account.view(), &pin, &SOL_USD, &policy, &sha256)?;
    let mut data = [0; 17];
    let (mantissa, exponent) = data.split_at_mut(16);
    mantissa.copy_from_slice(&price.price.to_le_bytes());
    exponent.copy_from_slice(&price.exponent.to_le_bytes());
    set_return_data(&data);
    Ok(())
}
