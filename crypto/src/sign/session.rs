//! One signing session, prepared once for whoever signs, checks and adds up in it.
//!
//! Everything in a session that does not depend on a secret or a share, which is nearly all the work, is the same for the
//! signer and for the aggregator: the points, the binding factors, the group commitment, the challenge and the Lagrange
//! coefficients. [`PreparedSession`] holds it; a clone is one reference, and a node prepares a session once.
//!
//! # Small-order parts of commitments
//!
//! Ed25519's curve has eight times as many points as its group of prime order: a point may have a small-order part. RFC 9591
//! has every commitment checked for one when it is decoded, which costs more than everything else in a session together.
//! Here a commitment must be canonical and not the identity, and a small-order part is left to the check of shares, for
//! these reasons:
//!
//! * *One verdict.* A share is right if and only if `z_i * B == D_i + rho_i * E_i + lambda_i * c * Y_i`, without a
//!   cofactor. All points come from canonical encodings by exact formulas, which are complete for points of every order;
//!   `rho_i` counts as the integer below the group's order that it is; `Y_i` is of prime order, which [`SigningPublic`]
//!   checks. So the verdict is a function of the bytes of keys, commitments, digest and share, the same for members and
//!   for those who check evidence, however the sums are computed.
//! * *Only the author suffers.* Everything on the right but `D_i + rho_i * E_i` is of prime order, as is the left, so a
//!   small-order part that remains in `D_i + rho_i * E_i` makes every share of member `i` wrong, and nobody else's: the
//!   equation of another member does not hold `D_i` or `E_i` but as input of hashes. The author is named as any other liar.
//! * *Nothing wrong comes out.* If all shares are right, their sum gives `z * B == R + c * Y` exactly, with `R` of prime
//!   order. In any case the signature is checked by the strict rules before anybody sees it.
//! * *Nothing leaks.* An honest signer multiplies the points of others with public numbers only. What it gives away is
//!   `d + rho * e + lambda * c * s`, where `rho` and `c` are hashes of the very bytes that arrived; in the proof of FROST
//!   they are answers of a random oracle, for whatever bytes. A signature under an `R` with a small-order part is not valid
//!   here; elsewhere, under rules with a cofactor, it would be one over the very digest that the signers approved.
//!
//! As without small-order parts, wrong shares may add up to a right signature, if two authors' errors cancel. Nothing is lost
//! then, as the signature is the group's; whoever checks one of the two shares still finds it wrong, and so does everybody.
//!
//! The shares of one session are never checked by a random linear combination: small-order parts cancel in one with
//! probability 1/8, and the verdict would depend on chance.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use touchstone_types::{Committee, Digest, MemberId, Suite};

use super::{
    AggregateError, GroupSignature, Nonces, SignError, SignTarget, SignatureShare, SignerSet,
    SigningPublic, SigningShare,
    curve::{Ed25519, Secp256k1},
    frost::Session,
    keys::{PublicKind, ShareKind},
    nonces::NonceKind,
    set::{SetKind, check_signers},
};

/// A signing session of known signers over a known object, with everything computed that its shares have in common.
///
/// It holds no secret. Cloning it copies a reference.
#[derive(Clone)]
pub struct PreparedSession(Arc<Inner>);

struct Inner {
    public: SigningPublic,
    digest: Digest,
    /// In ascending order.
    members: Vec<MemberId>,
    kind: SessionKind,
}

enum SessionKind {
    Ed25519(Session<Ed25519>),
    Secp256k1(Session<Secp256k1>),
}

impl PreparedSession {
    /// Prepares the session of these members with these nonce commitments (`hiding | binding`), in any order.
    ///
    /// # Errors
    /// A member that is named twice or is none of the committee's, fewer members than the threshold, commitments that do
    /// not decode.
    pub fn new<B: AsRef<[u8]>>(
        public: &SigningPublic,
        entries: &[(MemberId, B)],
        target: &SignTarget<'_>,
    ) -> Result<Self, SignError> {
        // Before anything is decoded, so that a list of any length costs little.
        check_signers(public.committee(), entries.iter().map(|(m, _)| *m))?;
        let set = SignerSet::decode(public.suite(), entries)?;
        Self::with_digest(public, &set, target.digest())
    }

    /// Prepares a session with commitments that were decoded before.
    ///
    /// # Errors
    /// Fewer members than the threshold, a stranger, another suite.
    pub fn from_set(
        public: &SigningPublic,
        signers: &SignerSet,
        target: &SignTarget<'_>,
    ) -> Result<Self, SignError> {
        Self::with_digest(public, signers, target.digest())
    }

    pub(super) fn with_digest(
        public: &SigningPublic,
        signers: &SignerSet,
        digest: Digest,
    ) -> Result<Self, SignError> {
        check_signers(public.committee(), signers.members().iter().copied())?;
        let kind = match (public.kind(), signers.kind()) {
            (PublicKind::Ed25519(keys), SetKind::Ed25519(pairs)) => SessionKind::Ed25519(
                Session::new(&keys.group_key, pairs, &digest.0).ok_or(SignError::Refused)?,
            ),
            (PublicKind::Secp256k1(keys), SetKind::Secp256k1(pairs)) => SessionKind::Secp256k1(
                Session::new(&keys.group_key, pairs, &digest.0).ok_or(SignError::Refused)?,
            ),
            _ => return Err(SignError::OtherKey),
        };
        Ok(Self(Arc::new(Inner {
            public: public.clone(),
            digest,
            members: signers.members().to_vec(),
            kind,
        })))
    }

    /// The signers, in ascending order.
    pub fn members(&self) -> &[MemberId] {
        &self.0.members
    }

    /// The suite.
    pub fn suite(&self) -> Suite {
        self.0.public.suite()
    }

    /// The committee that holds the key.
    pub fn committee(&self) -> Committee {
        self.0.public.committee()
    }

    /// Makes this member's share of the group's signature.
    ///
    /// The nonces are consumed whatever the result is.
    ///
    /// # Errors
    /// A share of another key, a member that does not sign in this session, or nonces whose commitments are not those that
    /// the session holds for it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "nonces are used up by signing, also by an attempt that fails"
    )]
    pub fn sign(&self, share: &SigningShare, nonces: Nonces) -> Result<SignatureShare, SignError> {
        let member = share.member();
        if share.public().group_key() != self.0.public.group_key() {
            return Err(SignError::OtherKey);
        }
        self.check_signer(member)?;
        match (&self.0.kind, share.kind(), nonces.kind()) {
            (
                SessionKind::Ed25519(session),
                ShareKind::Ed25519(secret),
                NonceKind::Ed25519(nonces),
            ) => session.sign(member, secret, nonces),
            (
                SessionKind::Secp256k1(session),
                ShareKind::Secp256k1(secret),
                NonceKind::Secp256k1(nonces),
            ) => session.sign(member, secret, nonces),
            // Session and share are of one key: the nonces are of another suite.
            _ => None,
        }
        .map(SignatureShare)
        .ok_or(SignError::WrongNonces)
    }

    /// Whether a share is its signer's in this session. It needs nothing secret, and its verdict is everybody's.
    ///
    /// # Errors
    /// [`SignError::Share`] if it is not, [`SignError::Unknown`] if the member does not sign in this session.
    pub fn verify_share(&self, member: MemberId, share: &SignatureShare) -> Result<(), SignError> {
        self.check_signer(member)?;
        let right = match (&self.0.kind, self.0.public.kind()) {
            (SessionKind::Ed25519(session), PublicKind::Ed25519(keys)) => keys
                .verifying(member)
                .is_some_and(|key| session.verify(member, key, &share.0)),
            (SessionKind::Secp256k1(session), PublicKind::Secp256k1(keys)) => keys
                .verifying(member)
                .is_some_and(|key| session.verify(member, key, &share.0)),
            _ => false,
        };
        if right {
            Ok(())
        } else {
            Err(SignError::Share { member })
        }
    }

    /// Adds up one share of each signer, and checks the signature by the strict rules of [`crate::GroupKey`]. Only if that
    /// fails are the shares checked one by one.
    ///
    /// # Errors
    /// [`AggregateError::Shares`] names every signer whose share is wrong.
    pub fn aggregate(
        &self,
        shares: &[(MemberId, SignatureShare)],
    ) -> Result<GroupSignature, AggregateError> {
        let mut authors: Vec<MemberId> = shares.iter().map(|(member, _)| *member).collect();
        authors.sort_unstable();
        if authors != self.members() {
            return Err(AggregateError::Signers);
        }
        let all = shares.iter().map(|(_, share)| &share.0);
        let sum = match &self.0.kind {
            SessionKind::Ed25519(session) => session.sum(all),
            SessionKind::Secp256k1(session) => session.sum(all),
        };
        let key = self.0.public.group_key();
        let bytes = sum.filter(|bytes| key.verify_digest(self.0.digest, bytes).is_ok());
        match bytes {
            Some(bytes) => Ok(GroupSignature::new(self.suite(), bytes)),
            None => Err(self.blame(shares)),
        }
    }

    /// Names every wrong share.
    fn blame(&self, shares: &[(MemberId, SignatureShare)]) -> AggregateError {
        let mut culprits: Vec<MemberId> = shares
            .iter()
            .filter(|(member, share)| self.verify_share(*member, share).is_err())
            .map(|(member, _)| *member)
            .collect();
        culprits.sort_unstable();
        if culprits.is_empty() {
            AggregateError::Sum
        } else {
            AggregateError::Shares { culprits }
        }
    }

    fn check_signer(&self, member: MemberId) -> Result<(), SignError> {
        match self.0.members.binary_search(&member) {
            Ok(_) => Ok(()),
            Err(_) => Err(SignError::Unknown { member }),
        }
    }
}

impl fmt::Debug for PreparedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedSession")
            .field("suite", &self.suite())
            .field("digest", &self.0.digest)
            .field("members", &self.0.members)
            .finish_non_exhaustive()
    }
}
