//! Which group keys may be pinned: points of prime order in canonical encoding, as everywhere else.
//!
//! A key of small order verifies signatures that nobody made, and one with a small-order part is no FROST key. The runtime
//! multiplies points, and that is enough for the whole check. With `l` the prime order, `(l - 1) P = -P` holds exactly for
//! points whose order divides `l`; the product comes back in canonical encoding, so it equals `-P`, which differs from `P` in
//! the sign bit alone, only if `P` was given in canonical encoding as well; and what is left to refuse is the identity.

use crate::{Error, bytes::equal};

/// `l - 1` with `l = 2^252 + 27742317777372353535851937790883648493`, little-endian.
pub const ORDER_MINUS_ONE: [u8; 32] = [
    0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];
const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// Checks a group key. `multiply(scalar, point)` is the multiplication on the Edwards curve, `None` if the bytes are not a
/// point: the syscall `sol_curve_group_op`.
///
/// # Errors
/// [`Error::GroupKey`].
pub fn check(
    key: &[u8],
    multiply: impl FnOnce(&[u8; 32], &[u8; 32]) -> Option<[u8; 32]>,
) -> Result<[u8; 32], Error> {
    let key: [u8; 32] = key.try_into().map_err(|_| Error::GroupKey)?;
    let product = multiply(&ORDER_MINUS_ONE, &key).ok_or(Error::GroupKey)?;
    let mut negated = key;
    let [.., last] = &mut negated;
    *last ^= 0x80;
    // Zero with a sign bit is an encoding of the identity that is not canonical, and its negation would be.
    match equal(&product, &negated) && !equal(&product, &IDENTITY) {
        true => Ok(key),
        false => Err(Error::GroupKey),
    }
}
