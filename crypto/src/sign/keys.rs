//! The public and the secret side of a suite's group key.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use frost_core::keys::{self, KeyPackage, PublicKeyPackage};
use frost_ed25519::Ed25519Sha512;
use thiserror::Error;
use touchstone_types::{Committee, MemberId, Suite, SuiteKeys};
use zeroize::Zeroizing;

use crate::{
    GroupKey, GroupKeyError,
    suite::{self, FrostSuite, PublicError},
};

/// Why keys are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// The group key is refused.
    #[error(transparent)]
    Group(#[from] GroupKeyError),
    /// A number of verifying shares that is not the committee's size.
    #[error("suite {suite}: {got} verifying shares, must be {must}, one for each member")]
    Size {
        /// The suite.
        suite: Suite,
        /// How many there are.
        got: usize,
        /// How many there must be.
        must: usize,
    },
    /// A verifying share is not a group element other than the identity.
    #[error("suite {suite}: the verifying share of member {member} does not decode")]
    VerifyingShare {
        /// The suite.
        suite: Suite,
        /// Whose share.
        member: MemberId,
    },
    /// The verifying shares are not shares of the group key.
    #[error(
        "suite {suite}: the verifying shares are not shares of the group key with threshold {threshold}"
    )]
    Inconsistent {
        /// The suite.
        suite: Suite,
        /// The signing threshold.
        threshold: usize,
    },
    /// The committee has no such member.
    #[error("suite {suite}: no member {member}")]
    Member {
        /// The suite.
        suite: Suite,
        /// The member.
        member: MemberId,
    },
    /// The secret share is malformed, or not the one behind the member's verifying share.
    #[error("suite {suite}: the secret share is not that of member {member}")]
    Secret {
        /// The suite.
        suite: Suite,
        /// The member.
        member: MemberId,
    },
}

/// The public side of a suite's group key: decoded and checked once, cheap to clone.
#[derive(Clone, Debug)]
pub struct SigningPublic(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    committee: Committee,
    key: GroupKey,
    kind: PublicKind,
}

#[derive(Debug)]
pub(crate) enum PublicKind {
    Ed25519(PublicKeyPackage<Ed25519Sha512>),
}

impl SigningPublic {
    /// Decodes a suite's keys of an epoch record, and checks that the verifying shares are shares of the group key with the
    /// committee's signing threshold.
    ///
    /// # Errors
    /// [`KeyError`] names what does not fit.
    pub fn new(committee: Committee, keys: &SuiteKeys) -> Result<Self, KeyError> {
        let suite = keys.suite;
        let key = GroupKey::new(suite, &keys.group_key)?;
        let must = usize::from(committee.n());
        if keys.verifying_shares.len() != must {
            return Err(KeyError::Size {
                suite,
                got: keys.verifying_shares.len(),
                must,
            });
        }
        let threshold = committee.signing_threshold();
        let refuse = |error| match error {
            PublicError::Key => KeyError::Group(GroupKeyError::Malformed(suite)),
            PublicError::Share(member) => KeyError::VerifyingShare { suite, member },
            PublicError::Inconsistent => KeyError::Inconsistent { suite, threshold },
        };
        let kind = match suite {
            Suite::Ed25519 => PublicKind::Ed25519(
                suite::decode_public(committee, &keys.group_key, &keys.verifying_shares)
                    .map_err(refuse)?,
            ),
            Suite::Secp256k1Keccak => {
                return Err(KeyError::Group(GroupKeyError::UnsupportedSuite(suite)));
            }
        };
        Ok(Self(Arc::new(Inner {
            committee,
            key,
            kind,
        })))
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.0.key.suite()
    }

    /// The committee that holds the key.
    pub fn committee(&self) -> Committee {
        self.0.committee
    }

    /// The group key, for checking what the group signed.
    pub fn group_key(&self) -> &GroupKey {
        &self.0.key
    }

    pub(crate) fn kind(&self) -> &PublicKind {
        &self.0.kind
    }
}

/// One member's secret share of a suite's group key.
pub struct SigningShare {
    committee: Committee,
    member: MemberId,
    kind: ShareKind,
}

pub(super) enum ShareKind {
    Ed25519(KeyPackage<Ed25519Sha512>),
}

impl SigningShare {
    /// Reads a share from a key file and checks that it is the one behind the member's verifying share
    /// (`s_i * B == Y_i`): a share that is not must never sign.
    ///
    /// # Errors
    /// [`KeyError::Secret`] if it is not, [`KeyError::Member`] if there is no such member.
    pub fn from_secret_bytes(
        bytes: &[u8],
        member: MemberId,
        public: &SigningPublic,
    ) -> Result<Self, KeyError> {
        let kind = match public.kind() {
            PublicKind::Ed25519(keys) => {
                ShareKind::Ed25519(load(public.committee(), keys, member, bytes)?)
            }
        };
        Ok(Self {
            committee: public.committee(),
            member,
            kind,
        })
    }

    /// The secret scalar as the suite serialises it, for a sealed key file.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        match &self.kind {
            ShareKind::Ed25519(key) => Zeroizing::new(key.signing_share().serialize()),
        }
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        match self.kind {
            ShareKind::Ed25519(_) => Suite::Ed25519,
        }
    }

    /// Whose share it is.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The committee that holds the key.
    pub fn committee(&self) -> Committee {
        self.committee
    }

    pub(super) fn kind(&self) -> &ShareKind {
        &self.kind
    }

    /// A share of keys from a published vector, whose committee is none of ours.
    #[cfg(test)]
    pub(super) fn from_parts(committee: Committee, member: MemberId, kind: ShareKind) -> Self {
        Self {
            committee,
            member,
            kind,
        }
    }
}

impl fmt::Debug for SigningShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningShare")
            .field("suite", &self.suite())
            .field("member", &self.member)
            .field("secret", &"<redacted>")
            .finish()
    }
}

fn load<C: FrostSuite>(
    committee: Committee,
    keys: &PublicKeyPackage<C>,
    member: MemberId,
    bytes: &[u8],
) -> Result<KeyPackage<C>, KeyError> {
    let suite = C::SUITE;
    let unknown = KeyError::Member { suite, member };
    let id = suite::identifier::<C>(member).map_err(|_| unknown)?;
    let must = keys.verifying_shares().get(&id).ok_or(unknown)?;
    let bad = KeyError::Secret { suite, member };
    let secret = keys::SigningShare::<C>::deserialize(bytes).map_err(|_| bad)?;
    if keys::VerifyingShare::from(secret) != *must {
        return Err(bad);
    }
    let threshold = u16::try_from(committee.signing_threshold()).map_err(|_| bad)?;
    Ok(KeyPackage::new(
        id,
        secret,
        *must,
        *keys.verifying_key(),
        threshold,
    ))
}
