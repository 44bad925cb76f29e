//! The public and the secret side of a suite's group key.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use thiserror::Error;
use touchstone_types::{Committee, MemberId, Suite, SuiteKeys};
use zeroize::Zeroizing;

use super::{
    curve::{Curve, Ed25519, Secp256k1, Secret},
    lagrange::{abscissa, coefficients},
};
use crate::{GroupKey, GroupKeyError};

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
pub(super) enum PublicKind {
    Ed25519(PublicKeys<Ed25519>),
    Secp256k1(PublicKeys<Secp256k1>),
}

/// The decoded keys of a suite.
#[derive(Debug)]
pub(super) struct PublicKeys<C: Curve> {
    /// The group key, compressed.
    pub(super) group_key: C::Bytes,
    /// The verifying shares in member order.
    verifying: Vec<C::Point>,
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
        let kind = match suite {
            Suite::Ed25519 => PublicKind::Ed25519(PublicKeys::decode(committee, keys)?),
            Suite::Secp256k1Keccak => PublicKind::Secp256k1(PublicKeys::decode(committee, keys)?),
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

    pub(super) fn kind(&self) -> &PublicKind {
        &self.0.kind
    }
}

impl<C: Curve> PublicKeys<C> {
    /// Decodes a group key with its verifying shares, and checks that all of them lie on one polynomial of degree t - 1.
    fn decode(committee: Committee, keys: &SuiteKeys) -> Result<Self, KeyError> {
        let suite = C::SUITE;
        let decode = |bytes: &[u8]| {
            let bytes = C::Bytes::try_from(bytes).ok()?;
            Some((bytes, C::decode_prime_order(&bytes)?))
        };
        let (group_key, key) = decode(&keys.group_key).ok_or(GroupKeyError::Malformed(suite))?;
        let verifying = committee
            .members()
            .zip(&keys.verifying_shares)
            .map(|(member, bytes)| {
                let refused = KeyError::VerifyingShare { suite, member };
                decode(bytes).map(|(_, point)| point).ok_or(refused)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if !on_one_polynomial::<C>(committee, &key, &verifying) {
            let threshold = committee.signing_threshold();
            return Err(KeyError::Inconsistent { suite, threshold });
        }
        Ok(Self {
            group_key,
            verifying,
        })
    }

    /// Reads a member's secret share and checks that it is the one behind its verifying share.
    fn load(&self, member: MemberId, bytes: &[u8]) -> Result<Secret<C>, KeyError> {
        let suite = C::SUITE;
        let must = self
            .verifying(member)
            .ok_or(KeyError::Member { suite, member })?;
        let bad = KeyError::Secret { suite, member };
        let array = Zeroizing::new(<[u8; 32]>::try_from(bytes).map_err(|_| bad)?);
        let secret = Secret::new(C::decode_scalar(&array).ok_or(bad)?);
        if C::mul_base(secret.expose()) == *must {
            Ok(secret)
        } else {
            Err(bad)
        }
    }

    /// A member's verifying share.
    pub(super) fn verifying(&self, member: MemberId) -> Option<&C::Point> {
        self.verifying.get(member.index())
    }
}

/// Whether the members' points and the key, the value at 0, are those of one polynomial of degree t - 1.
fn on_one_polynomial<C: Curve>(committee: Committee, key: &C::Point, points: &[C::Point]) -> bool {
    let threshold = committee.signing_threshold();
    let xs: Vec<u32> = committee.members().map(abscissa).collect();
    let (Some((basis, rest)), Some((points, others))) = (
        xs.split_at_checked(threshold),
        points.split_at_checked(threshold),
    ) else {
        return false;
    };
    let value = |at| coefficients::<C>(basis, at).map(|c| C::multiscalar_mul(&c, points));
    value(0) == Some(*key) && rest.iter().zip(others).all(|(x, p)| value(*x) == Some(*p))
}

/// One member's secret share of a suite's group key.
pub struct SigningShare {
    public: SigningPublic,
    member: MemberId,
    kind: ShareKind,
}

pub(super) enum ShareKind {
    Ed25519(Secret<Ed25519>),
    Secp256k1(Secret<Secp256k1>),
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
            PublicKind::Ed25519(keys) => ShareKind::Ed25519(keys.load(member, bytes)?),
            PublicKind::Secp256k1(keys) => ShareKind::Secp256k1(keys.load(member, bytes)?),
        };
        Ok(Self {
            public: public.clone(),
            member,
            kind,
        })
    }

    /// The secret scalar as the suite serialises it, for a sealed key file.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        let bytes = Zeroizing::new(match &self.kind {
            ShareKind::Ed25519(secret) => Ed25519::encode_scalar(secret.expose()),
            ShareKind::Secp256k1(secret) => Secp256k1::encode_scalar(secret.expose()),
        });
        Zeroizing::new(bytes.to_vec())
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.public.suite()
    }

    /// Whose share it is.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The committee that holds the key.
    pub fn committee(&self) -> Committee {
        self.public.committee()
    }

    /// The public side of the key.
    pub fn public(&self) -> &SigningPublic {
        &self.public
    }

    pub(super) fn kind(&self) -> &ShareKind {
        &self.kind
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
