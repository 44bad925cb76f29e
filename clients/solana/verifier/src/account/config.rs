//! The config: which network, and which key.

use crate::{Error, bytes::equal};

/// Length of a config in bytes.
pub const CONFIG_BYTES: usize = 80;
const KIND: [u8; 8] = *b"tsconf/1";

/// A config: written once, when it is created, and by no instruction afterwards. Its address is derived from network id and
/// group key, so an address stands for one pair and there is no race for it.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | `tsconf/1` |
/// | 8 | 32 | network id |
/// | 40 | 32 | Ed25519 group key |
/// | 72 | 1 | bump of the address |
/// | 73 | 7 | zero |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config<'a> {
    /// The network's name for ever.
    pub network: &'a [u8; 32],
    /// The group's public key, of prime order.
    pub group_key: &'a [u8; 32],
}

impl<'a> Config<'a> {
    /// Reads a config. That the program owns the account is the caller's to check.
    ///
    /// # Errors
    /// [`Error::WrongKind`].
    #[inline(always)]
    pub fn read(data: &'a [u8]) -> Result<Self, Error> {
        let fields = || {
            let data: &[u8; CONFIG_BYTES] = data.try_into().ok()?;
            let (kind, data) = data.split_first_chunk()?;
            let (network, data) = data.split_first_chunk()?;
            let (group_key, _) = data.split_first_chunk()?;
            equal(kind, &KIND).then_some(Self { network, group_key })
        };
        fields().ok_or(Error::WrongKind)
    }

    /// The account's data.
    pub fn write(&self, bump: u8) -> [u8; CONFIG_BYTES] {
        let mut data = [0; CONFIG_BYTES];
        let parts = [&KIND[..], self.network, self.group_key, &[bump]];
        for (slot, byte) in data.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        data
    }
}
