//! Creates the price account of one feed.

use touchstone_solana::{
    Address, Error, Feed,
    account::{Config, PRICE_BYTES, PriceAccount},
    instruction,
};
use touchstone_solana_runtime::{Account, Failure, create_account};

/// Accounts: price account (writable), config, system program. Data: feed (32).
///
/// Anybody may do this for any name: an account of a feed that the network does not have stays empty for ever.
pub(crate) fn process(
    program: &Address,
    accounts: &mut [Account<'_>],
    data: &[u8],
) -> Result<(), Failure> {
    let [price, config, _system] = accounts else {
        return Err(Error::AccountCount.into());
    };
    crate::check_writable(price)?;
    crate::check_owner(config, program)?;
    Config::read(config.data())?;
    let name = data.try_into().map_err(|_| Error::Leaf)?;
    let feed = Feed::from_bytes(name).ok_or(Error::Leaf)?;
    let seeds = instruction::price_seeds(config.address(), feed.as_bytes());
    let bump = create_account(price, seeds, PRICE_BYTES, program)?;
    let empty = PriceAccount::create(config.address(), feed.as_bytes(), bump);
    price.data_mut().copy_from_slice(&empty);
    Ok(())
}
