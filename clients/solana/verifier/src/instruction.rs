//! The program's three instructions, and the addresses of its accounts.
//!
//! The first byte of the data says which. Addresses are program addresses of the seeds below, with the canonical bump. Nobody
//! signs anything: who may write what follows from what is written alone. Rent is not the program's affair: whoever wants an
//! account transfers the lamports to its address first, in the same transaction.
//!
//! | instruction | data | accounts |
//! |---|---|---|
//! | [`INITIALIZE`] | `0`, network id (32), group key (32) | config (writable), system program |
//! | [`CREATE`] | `1`, feed (32) | price account (writable), config, system program |
//! | [`UPDATE`] | `2`, price update | config, instructions sysvar, price account (writable) of each entry in turn |
//!
//! A transaction with an update also holds an instruction of the Ed25519 program, at any place, without accounts and with the
//! data of [`crate::signature::instruction_data`].

use crate::{Address, Feed, Hash, Sha256, bytes::array_at, update::STATEMENT_MAGIC};

/// Pins a network for ever, at an address that stands for exactly this network and this key.
pub const INITIALIZE: u8 = 0;
/// Creates the price account of one feed under a config.
pub const CREATE: u8 = 1;
/// Stores the prices of a round.
pub const UPDATE: u8 = 2;

/// The first seed of a config; the others are network id and group key.
pub const CONFIG_SEED: &[u8] = b"config";
/// The first seed of a price account; the others are the config's address and the feed's padded name.
pub const PRICE_SEED: &[u8] = b"price";

/// How far a statement's timestamp may be ahead of the cluster's clock when it is stored, in milliseconds. The clock counts
/// whole seconds and is the median of what validators report, so it may well be some seconds behind.
pub const MAX_AHEAD_MS: u64 = 10_000;

/// What the runtime appends to seeds and program before it hashes them to an address.
const MARKER: &[u8] = b"ProgramDerivedAddress";

/// Seeds of a config, without the bump.
pub fn config_seeds<'a>(network: &'a [u8; 32], group_key: &'a [u8; 32]) -> [&'a [u8]; 3] {
    [CONFIG_SEED, network, group_key]
}

/// Seeds of a price account, without the bump.
pub fn price_seeds<'a>(config: &'a Address, feed: &'a [u8; 32]) -> [&'a [u8]; 3] {
    [PRICE_SEED, config, feed]
}

/// The address that these seeds and this bump give. It is a program address if it is off the curve, which was checked when
/// the account was created: to recognise the address, the hash is enough.
#[inline(always)]
pub(crate) fn program_address(
    seeds: [&[u8]; 3],
    bump: u8,
    program: &Address,
    sha256: &impl Sha256,
) -> Address {
    let [a, b, c] = seeds;
    sha256.hash(&[a, b, c, &[bump], program, MARKER])
}

/// Data of [`INITIALIZE`].
pub fn initialize(network: &[u8; 32], group_key: &[u8; 32]) -> [u8; 65] {
    let mut data = [INITIALIZE; 65];
    let [_, rest @ ..] = &mut data;
    for (slot, byte) in rest.iter_mut().zip(network.iter().chain(group_key)) {
        *slot = *byte;
    }
    data
}

/// Data of [`CREATE`].
pub fn create(feed: &Feed) -> [u8; 33] {
    let mut data = [CREATE; 33];
    let [_, rest @ ..] = &mut data;
    *rest = *feed.as_bytes();
    data
}

/// What the Ed25519 program has to check for an update, as it stands in the update's bytes: the signature, and the digest that
/// it is over. `None` if the bytes are too short to hold them. For whoever builds a transaction; it checks nothing.
pub fn signed(update: &[u8], sha256: &impl Sha256) -> Option<([u8; 64], Hash)> {
    let tail: &[u8; 118] = array_at(update, 2)?;
    let signature = array_at(update, 120)?;
    Some((*signature, sha256.hash(&[STATEMENT_MAGIC, tail])))
}
