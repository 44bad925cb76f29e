//! What the key generation needs of a FROST ciphersuite beyond `frost_core::Ciphersuite`.
//!
//! A second curve is added by an `impl FrostSuite` here, one of `Curve` in `sign`, and one arm in each `match` over the
//! enums of `sign` and `dkg`.

use frost_core::{Ciphersuite, Error, Identifier};
use frost_ed25519::Ed25519Sha512;
use touchstone_types::{Committee, MemberId, Suite};

/// A ciphersuite of a network.
pub(crate) trait FrostSuite: Ciphersuite {
    /// Its name among the network's suites.
    const SUITE: Suite;
}

impl FrostSuite for Ed25519Sha512 {
    const SUITE: Suite = Suite::Ed25519;
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
