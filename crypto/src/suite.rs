//! What the key generation needs of a FROST ciphersuite beyond `frost_core::Ciphersuite`.
//!
//! A second curve is added by an `impl FrostSuite` here, one of `Curve` in `sign`, and one arm in each `match` over the
//! enums of `sign` and `dkg`.

use frost_core::{Ciphersuite, Error, Identifier};
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Group;
use k256::Scalar;
use sha3::{Digest as _, Keccak256};
use touchstone_types::{Committee, MemberId, Suite};

use crate::group::secp256k1::{CONTEXT, challenge, hash_to_scalar};

/// A ciphersuite of a network.
pub(crate) trait FrostSuite: Ciphersuite {
    /// Its name among the network's suites.
    const SUITE: Suite;
}

impl FrostSuite for Ed25519Sha512 {
    const SUITE: Suite = Suite::Ed25519;
}

/// FROST(secp256k1, Keccak-256): the group of RFC 9591, section 6.5, with Keccak-256 in the place of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Secp256k1Keccak256;

impl Secp256k1Keccak256 {
    fn hash(purpose: &[u8], input: &[u8]) -> [u8; 32] {
        let hash = Keccak256::new().chain_update(CONTEXT);
        hash.chain_update(purpose)
            .chain_update(input)
            .finalize()
            .into()
    }
}

impl Ciphersuite for Secp256k1Keccak256 {
    const ID: &'static str = "FROST-secp256k1-KECCAK256-v1";

    type Group = Secp256K1Group;
    type HashOutput = [u8; 32];
    type SignatureSerialization = [u8; 65];

    fn H1(m: &[u8]) -> Scalar {
        hash_to_scalar(b"rho", &[m])
    }

    fn H2(m: &[u8]) -> Scalar {
        challenge(&[m])
    }

    fn H3(m: &[u8]) -> Scalar {
        hash_to_scalar(b"nonce", &[m])
    }

    fn H4(m: &[u8]) -> [u8; 32] {
        Self::hash(b"msg", m)
    }

    fn H5(m: &[u8]) -> [u8; 32] {
        Self::hash(b"com", m)
    }

    fn HDKG(m: &[u8]) -> Option<Scalar> {
        Some(hash_to_scalar(b"dkg", &[m]))
    }

    fn HID(m: &[u8]) -> Option<Scalar> {
        Some(hash_to_scalar(b"id", &[m]))
    }
}

impl FrostSuite for Secp256k1Keccak256 {
    const SUITE: Suite = Suite::Secp256k1Keccak;
}

/// FROST's identifier of a member: its index plus one.
pub(crate) fn identifier<C: FrostSuite>(member: MemberId) -> Result<Identifier<C>, Error<C>> {
    let number = member.0.checked_add(1).ok_or(Error::MalformedIdentifier)?;
    Identifier::try_from(number)
}

/// The member behind an identifier, if it is one of the committee's.
pub(crate) fn member<C: FrostSuite>(committee: Committee, id: &Identifier<C>) -> Option<MemberId> {
    committee
        .members()
        .find(|m| identifier::<C>(*m).is_ok_and(|i| i == *id))
}
