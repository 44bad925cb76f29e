//! Pins a network: creates the config of one network id and one group key.

use touchstone_solana::{
    Address, Error,
    account::{CONFIG_BYTES, Config},
    group_key, instruction,
};
use touchstone_solana_runtime::{Account, Failure, create_account, multiply};

/// Accounts: config (writable), system program. Data: network id (32), group key (32).
///
/// Anybody may do this for any network: the address stands for what the config says.
pub(crate) fn process(
    program: &Address,
    accounts: &mut [Account<'_>],
    data: &[u8],
) -> Result<(), Failure> {
    let [config, _system] = accounts else {
        return Err(Error::AccountCount.into());
    };
    crate::check_writable(config)?;
    let (network, key) = data.split_first_chunk().ok_or(Error::Truncated)?;
    let key = group_key::check(key, multiply)?;
    let seeds = instruction::config_seeds(network, &key);
    let bump = create_account(config, seeds, CONFIG_BYTES, program)?;
    let pinned = Config {
        network,
        group_key: &key,
    };
    config.data_mut().copy_from_slice(&pinned.write(bump));
    Ok(())
}
