//! The group's signature, which the runtime's Ed25519 program checks and this one finds.
//!
//! The Ed25519 program is told by its instruction data where key, signature and message lie: in that very instruction or in
//! any other one of the transaction, and for several signatures at once. A program that looks at such an instruction without
//! reading the offsets as the Ed25519 program does can be shown one signature and made to believe in another. So nothing is
//! interpreted here: the transaction must hold an instruction whose 144 bytes are exactly those of [`instruction_data`],
//! which leave no choice. There is one signature, and key, signature and message are in that instruction, in that order.
//!
//! It does not matter where in the transaction it stands, before the update or behind it: one that fails fails everything.
//!
//! # The same signatures as everywhere else
//!
//! The Ed25519 program calls `verify_strict` of ed25519-dalek 1.0.1, the other verifiers follow the one of 2.2. Both refuse
//! keys and `R` of small order and an `s` that is not below the group's order. They differ in one thing: 1.0.1 compares
//! `R` as a point, and so takes an encoding of it with `y >= p`, where 2.2 compares bytes. [`is_canonical`] closes this; and
//! [`crate::group_key`] refuses the keys that the Ed25519 program would take and others do not.

use crate::{
    Address, Error, Hash,
    bytes::{array_at, equal, u16_le_at},
};

/// The program `Ed25519SigVerify111111111111111111111111111`.
pub const ED25519_PROGRAM: Address = [
    0x03, 0x7d, 0x46, 0xd6, 0x7c, 0x93, 0xfb, 0xbe, 0x12, 0xf9, 0x42, 0x8f, 0x83, 0x8d, 0x40, 0xff,
    0x05, 0x70, 0x74, 0x49, 0x27, 0xf4, 0x8a, 0x64, 0xfc, 0xca, 0x70, 0x44, 0x80, 0x00, 0x00, 0x00,
];
/// The account `Sysvar1nstructions1111111111111111111111111`.
pub const INSTRUCTIONS_SYSVAR: Address = [
    0x06, 0xa7, 0xd5, 0x17, 0x18, 0x7b, 0xd1, 0x66, 0x35, 0xda, 0xd4, 0x04, 0x55, 0xfd, 0xc2, 0xc0,
    0xc1, 0x24, 0xc6, 0x8f, 0x21, 0x56, 0x75, 0xa5, 0xdb, 0xba, 0xcb, 0x5f, 0x08, 0x00, 0x00, 0x00,
];
/// Length of the Ed25519 program's instruction data.
pub const INSTRUCTION_BYTES: usize = 144;

/// One signature, no padding, then little-endian: signature at 48, key at 16, message at 112 with 32 bytes, each in this very
/// instruction (index 0xffff).
const HEADER: [u8; 16] = [
    1, 0, 48, 0, 0xff, 0xff, 16, 0, 0xff, 0xff, 112, 0, 32, 0, 0xff, 0xff,
];

/// Instruction data with which the Ed25519 program, which takes no accounts, checks one signature over a digest.
pub fn instruction_data(
    key: &[u8; 32],
    signature: &[u8; 64],
    digest: &Hash,
) -> [u8; INSTRUCTION_BYTES] {
    let mut data = [0; INSTRUCTION_BYTES];
    let parts = [&HEADER[..], key, signature, digest];
    for (slot, byte) in data.iter_mut().zip(parts.into_iter().flatten()) {
        *slot = *byte;
    }
    data
}

/// Whether the data is that of [`instruction_data`].
#[inline(always)]
fn is_instruction(data: &[u8], key: &[u8; 32], signature: &[u8; 64], digest: &Hash) -> bool {
    let same = || {
        let (header, rest) = data.split_first_chunk()?;
        let (its_key, rest) = rest.split_first_chunk()?;
        let (its_signature, rest) = rest.split_first_chunk()?;
        let message = rest.try_into().ok()?;
        let same = equal(header, &HEADER)
            && equal(its_key, key)
            && equal(its_signature, signature)
            && equal(message, digest);
        Some(same)
    };
    same() == Some(true)
}

/// Whether the signature's `R` is encoded canonically: `y < p = 2^255 - 19`, without the sign bit.
#[inline(always)]
pub fn is_canonical(signature: &[u8; 64]) -> bool {
    let (words, _) = signature.as_chunks::<8>();
    let [a, b, c, d, ..] = words else {
        return false;
    };
    // The words of p, the lowest first, are 2^64 - 19, twice 2^64 - 1, and 2^63 - 1.
    let p = u64::from_le_bytes(*a) >= u64::MAX.wrapping_sub(18)
        && u64::from_le_bytes(*b) == u64::MAX
        && u64::from_le_bytes(*c) == u64::MAX
        && u64::from_le_bytes(*d) | 1 << 63 == u64::MAX;
    !p
}

/// Finds the check of this signature among the transaction's instructions, given the data of the instructions sysvar: `count
/// u16 | count * offset u16 | instructions`, little-endian, an instruction being `accounts u16 | accounts * (flags u8 | key
/// (32)) | program (32) | length u16 | data`.
///
/// # Errors
/// [`Error::NoPrecompile`] or [`Error::BadSignature`]; [`Error::WrongSysvar`] for data of another form, which the runtime
/// never makes.
#[inline(always)]
pub fn find(
    sysvar: &[u8],
    key: &[u8; 32],
    signature: &[u8; 64],
    digest: &Hash,
) -> Result<(), Error> {
    if !is_canonical(signature) {
        return Err(Error::BadSignature);
    }
    let count = u16_le_at(sysvar, 0).ok_or(Error::WrongSysvar)?;
    let mut verdict = Err(Error::NoPrecompile);
    for i in 0..usize::from(count) {
        let (program, data) = instruction(sysvar, i).ok_or(Error::WrongSysvar)?;
        if !equal(program, &ED25519_PROGRAM) {
            continue;
        }
        if is_instruction(data, key, signature, digest) {
            return Ok(());
        }
        verdict = Err(Error::BadSignature);
    }
    verdict
}

/// Program and data of the `i`-th instruction.
#[inline(always)]
fn instruction(sysvar: &[u8], i: usize) -> Option<(&Address, &[u8])> {
    let offset = u16_le_at(sysvar, i.checked_mul(2)?.checked_add(2)?)?;
    let bytes = sysvar.get(usize::from(offset)..)?;
    let accounts = usize::from(u16_le_at(bytes, 0)?).checked_mul(33)?;
    let bytes = bytes.get(accounts.checked_add(2)?..)?;
    let program = array_at(bytes, 0)?;
    let len = usize::from(u16_le_at(bytes, 32)?);
    Some((program, bytes.get(34..)?.get(..len)?))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// A signature whose `R` has `y = 2^255 - 256 + low`, of which those from `p = 2^255 - 19` upwards are not canonical.
    fn signature(low: u8, sign: bool) -> [u8; 64] {
        let mut signature = [0x55; 64];
        signature[..32].fill(0xff);
        signature[0] = low;
        signature[31] = if sign { 0xff } else { 0x7f };
        signature
    }

    /// The sysvar of a transaction with this one check.
    fn sysvar(key: &[u8; 32], signature: &[u8; 64], digest: &Hash) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend([1, 0, 4, 0]);
        bytes.extend([0, 0]);
        bytes.extend(ED25519_PROGRAM);
        bytes.extend([144, 0]);
        bytes.extend(instruction_data(key, signature, digest));
        bytes.extend([0, 0]);
        bytes
    }

    /// Nobody can sign with such an `R` without its discrete logarithm, so no transaction shows this.
    #[test]
    fn an_r_that_is_not_canonical_is_refused_even_if_it_was_checked() {
        let (key, digest) = ([1; 32], [2; 32]);
        for low in 0..=u8::MAX {
            for sign in [false, true] {
                let signature = signature(low, sign);
                let canonical = low < 0xed;
                assert_eq!(is_canonical(&signature), canonical, "{low}");
                let found = find(
                    &sysvar(&key, &signature, &digest),
                    &key,
                    &signature,
                    &digest,
                );
                let expected = match canonical {
                    true => Ok(()),
                    false => Err(Error::BadSignature),
                };
                assert_eq!(found, expected, "{low}");
            }
        }
        // One bit less anywhere above the lowest byte, and it is below p.
        for bit in 8..255 {
            let mut signature = signature(0xff, false);
            signature[bit / 8] ^= 1 << (bit % 8);
            assert!(is_canonical(&signature), "{bit}");
        }
    }

    #[test]
    fn a_sysvar_that_ends_early_or_points_behind_its_end_is_refused() {
        let (key, digest) = ([1; 32], [2; 32]);
        let signature = signature(0, false);
        let whole = sysvar(&key, &signature, &digest);
        let find = |sysvar: &[u8]| find(sysvar, &key, &signature, &digest);
        // The last two bytes are the index of the instruction that runs, which does not matter.
        for len in 0..whole.len() - 2 {
            assert_eq!(find(&whole[..len]), Err(Error::WrongSysvar), "{len}");
        }
        for at in [2, 4, 38] {
            let mut other = whole.clone();
            other[at..at + 2].fill(0xff);
            assert_eq!(find(&other), Err(Error::WrongSysvar), "{at}");
        }
        assert_eq!(find(&whole), Ok(()));
    }
}
