//! Stores the prices of a round.

use touchstone_solana::{
    Address, Error,
    account::{Config, PriceAccount},
    equal,
    instruction::MAX_AHEAD_MS,
    leaf::Leaf,
    reader::now_ms,
    signature,
    update::{Statement, Update},
};
use touchstone_solana_runtime::{Account, Failure, clock_unix_timestamp, sha256};

/// Accounts: config, instructions sysvar, price account (writable) of each entry in turn. Data: a price update.
///
/// The order of the checks is that of every verifier: form, network, suite, signature, inclusion; then the clock, the accounts
/// and the round.
pub(crate) fn process(
    program: &Address,
    accounts: &mut [Account<'_>],
    data: &[u8],
) -> Result<(), Failure> {
    let [config, sysvar, prices @ ..] = accounts else {
        return Err(Error::AccountCount.into());
    };
    crate::check_owner(config, program)?;
    let pinned = Config::read(config.data())?;
    // The runtime fills the account at this address, so the address is all that there is to check.
    if !equal(sysvar.address(), &signature::INSTRUCTIONS_SYSVAR) {
        return Err(Error::WrongSysvar.into());
    }
    let update = Update::parse(data)?;
    let statement = &update.statement;
    let group_signature = update.signature(pinned.network)?;
    let digest = statement.digest(&sha256);
    signature::find(sysvar.data(), pinned.group_key, group_signature, &digest)?;
    if prices.len() != update.count() {
        return Err(Error::AccountCount.into());
    }
    let ahead_ms = statement
        .timestamp_ms
        .saturating_sub(now_ms(clock_unix_timestamp()?));
    for (entry, account) in update.entries(&sha256).zip(prices) {
        let leaf = entry?.leaf;
        if ahead_ms > MAX_AHEAD_MS {
            return Err(Error::Ahead.into());
        }
        crate::check_owner(account, program)?;
        crate::check_writable(account)?;
        store(account, config.address(), statement, &leaf)?;
    }
    Ok(())
}

/// Writes a leaf into the price account of its feed, if the round is above the one that is there.
fn store(
    account: &mut Account<'_>,
    config: &Address,
    statement: &Statement<'_>,
    leaf: &Leaf<'_>,
) -> Result<(), Error> {
    // The account is the program's, so it was created at the address of the config and the feed that it names.
    let held = PriceAccount::read(account.data())?;
    if !equal(held.config, config) {
        return Err(Error::WrongConfig);
    }
    if !equal(held.feed, leaf.feed) {
        return Err(Error::NoFeed);
    }
    if held
        .stored()
        .is_some_and(|stored| statement.round <= stored.round)
    {
        return Err(Error::NotNewer);
    }
    PriceAccount::store(account.data_mut(), statement, leaf)
}
