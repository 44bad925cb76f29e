//! A verifier out of a pin, and the signatures inside the pin.

use alloc::vec::Vec;

use thiserror::Error;
use touchstone_crypto::{GroupKey, GroupKeyError};
#[cfg(feature = "members")]
use touchstone_types::MemberId;
use touchstone_types::{Epoch, Pin, PinError, Suite};

use crate::Verifier;

/// Why a pin is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PinRefused {
    /// Its form, or its chain of manifests, is broken.
    #[error(transparent)]
    Form(#[from] PinError),
    /// A group key is malformed, not canonical or not of prime order.
    #[error("genesis record: {0}")]
    Key(#[from] GroupKeyError),
    /// None of its suites can be verified by this version.
    #[error("the pin has no group key of a suite that this version can verify")]
    NoKey,
    /// An epoch record without the group's signature of a suite.
    #[error("epoch {epoch}: the record lacks the group's {suite} signature")]
    Unsigned {
        /// The epoch.
        epoch: Epoch,
        /// The suite.
        suite: Suite,
    },
    /// An epoch record whose group signature is not the group key's.
    #[error("epoch {epoch}: the {suite} signature on the record is not the group key's")]
    BadSignature {
        /// The epoch.
        epoch: Epoch,
        /// The suite.
        suite: Suite,
    },
    /// The genesis record has not one signature for each member.
    #[cfg(feature = "members")]
    #[error("genesis record: {got} members' signatures, must be {expected}")]
    MemberCount {
        /// How many there are.
        got: usize,
        /// How many members there are.
        expected: usize,
    },
    /// A member's identity key is no key, or its signature on the genesis record is not the member's.
    #[cfg(feature = "members")]
    #[error("genesis record: the signature of member {member} is not its identity's")]
    BadMember {
        /// The member.
        member: MemberId,
    },
}

impl PinRefused {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "bad-pin",
            Self::Key(_) => "bad-group-key",
            Self::NoKey => "unsupported-suite",
            Self::Unsigned { .. } | Self::BadSignature { .. } => "bad-epoch-signature",
            #[cfg(feature = "members")]
            Self::MemberCount { .. } | Self::BadMember { .. } => "bad-member-signature",
        }
    }
}

impl Verifier {
    /// The verifier of a pinned network.
    ///
    /// The pin's form is checked again, and in every epoch the group key's signature on the epoch record: whoever wrote
    /// the pin held a record of a key that works. That the key is the right one is what the pin is trusted for.
    ///
    /// # Errors
    /// See [`PinRefused`].
    pub fn from_pin(pin: &Pin) -> Result<Self, PinRefused> {
        pin.validate()?;
        let mut keys = Vec::new();
        for entry in &pin.genesis_record.keys {
            keys.push(GroupKey::new(entry.suite, &entry.group_key)?);
        }
        if keys.is_empty() {
            return Err(PinRefused::NoKey);
        }
        for (manifest, record) in pin.epochs() {
            let epoch = manifest.epoch;
            for key in &keys {
                let suite = key.suite();
                let signed = record.group_signatures.iter().find(|s| s.suite == suite);
                let signed = signed.ok_or(PinRefused::Unsigned { epoch, suite })?;
                key.verify_epoch_record(record, &signed.signature)
                    .map_err(|_| PinRefused::BadSignature { epoch, suite })?;
            }
        }
        Ok(Self::new(pin.network_id(), keys))
    }
}

/// Checks that every member of the genesis manifest signed the genesis record with its identity.
///
/// # Errors
/// A missing signature, or the first member whose signature is not its own.
#[cfg(feature = "members")]
pub fn check_pin_members(pin: &Pin) -> Result<(), PinRefused> {
    let (members, record) = (&pin.genesis_manifest.members, &pin.genesis_record);
    let (got, expected) = (record.member_signatures.len(), members.len());
    if got != expected {
        return Err(PinRefused::MemberCount { got, expected });
    }
    for (member, signature) in members.iter().zip(&record.member_signatures) {
        touchstone_crypto::IdentityPublic::try_from(member.identity)
            .ok()
            .and_then(|key| touchstone_crypto::verify_epoch_record(&key, record, signature).ok())
            .ok_or(PinRefused::BadMember { member: member.id })?;
    }
    Ok(())
}
