//! Keys of a committee from a trusted dealer. The distributed key generation of a hundred members takes minutes, and what a
//! round costs does not depend on where its keys come from.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field cannot overflow"
)]

use std::{
    ops::{Add, Mul},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use curve25519_dalek::{EdwardsPoint, RistrettoPoint, Scalar};
use k256::{
    ProjectivePoint,
    elliptic_curve::{Field as _, sec1::ToEncodedPoint as _},
};
use rand_core::CryptoRngCore;
use touchstone_consensus::{FrostSuite, keys::MemberKeys};
use touchstone_crypto::{
    CoinPublic, CoinSecretShare, IdentityKey, Roster, SigningPublic, SigningShare,
};
use touchstone_types::{
    Committee, Digest, EpochRecord, Manifest, MemberId, NetworkId, Suite, SuiteKeys,
};

/// A polynomial over the field of a group's scalars, by its coefficients.
struct Polynomial<S>(Vec<S>);

impl<S: Copy + From<u64> + Add<Output = S> + Mul<Output = S>> Polynomial<S> {
    /// Any `threshold` shares of it determine its value at 0.
    fn random(threshold: usize, coefficient: impl FnMut() -> S) -> Self {
        Self(
            std::iter::repeat_with(coefficient)
                .take(threshold)
                .collect(),
        )
    }

    fn secret(&self) -> S {
        self.at(0)
    }

    /// The share of a member: its place is its number plus one.
    fn share(&self, member: MemberId) -> S {
        self.at(u64::from(member.0) + 1)
    }

    fn at(&self, x: u64) -> S {
        let x = S::from(x);
        let down = self.0.iter().rev();
        down.fold(S::from(0), |sum, c| sum * x + *c)
    }
}

/// The secret of one suite.
enum Signing {
    Ed25519(Polynomial<Scalar>),
    Secp256k1(Polynomial<k256::Scalar>),
}

impl Signing {
    fn random(suite: Suite, threshold: usize, rng: &mut impl CryptoRngCore) -> Self {
        match suite {
            Suite::Ed25519 => Self::Ed25519(Polynomial::random(threshold, || Scalar::random(rng))),
            Suite::Secp256k1Keccak => {
                let coefficient = || k256::Scalar::random(&mut *rng);
                Self::Secp256k1(Polynomial::random(threshold, coefficient))
            }
        }
    }

    fn suite(&self) -> Suite {
        match self {
            Self::Ed25519(_) => Suite::Ed25519,
            Self::Secp256k1(_) => Suite::Secp256k1Keccak,
        }
    }

    fn share(&self, member: MemberId) -> Vec<u8> {
        match self {
            Self::Ed25519(secret) => secret.share(member).to_bytes().to_vec(),
            Self::Secp256k1(secret) => secret.share(member).to_bytes().to_vec(),
        }
    }

    /// The point of a member's share, or of the secret itself.
    fn public(&self, member: Option<MemberId>) -> Vec<u8> {
        match self {
            Self::Ed25519(secret) => {
                let scalar = member.map_or_else(|| secret.secret(), |m| secret.share(m));
                EdwardsPoint::mul_base(&scalar).compress().0.to_vec()
            }
            Self::Secp256k1(secret) => {
                let scalar = member.map_or_else(|| secret.secret(), |m| secret.share(m));
                let point = (ProjectivePoint::GENERATOR * scalar).to_affine();
                point.to_encoded_point(true).as_bytes().to_vec()
            }
        }
    }
}

/// What the dealer knows.
pub(crate) struct Dealer {
    committee: Committee,
    identities: Vec<Arc<IdentityKey>>,
    signing: Vec<Signing>,
    coin: Polynomial<Scalar>,
}

impl Dealer {
    /// Fresh keys of these suites.
    pub(crate) fn new(
        committee: Committee,
        suites: &[Suite],
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let identity = |_| Arc::new(IdentityKey::generate(rng));
        let identities = committee.members().map(identity).collect();
        let threshold = committee.signing_threshold();
        let signing = suites.iter().map(|s| Signing::random(*s, threshold, rng));
        Self {
            committee,
            identities,
            signing: signing.collect(),
            coin: Polynomial::random(committee.coin_threshold(), || Scalar::random(rng)),
        }
    }

    /// The members' identities, in their order.
    pub(crate) fn identities(&self) -> impl Iterator<Item = Digest> + '_ {
        self.identities.iter().map(|k| k.public().to_digest())
    }

    /// The members' identities, decoded.
    pub(crate) fn roster(&self) -> Roster {
        Roster::new(self.identities.iter().map(|k| k.public()))
    }

    /// The public keys. Nobody signed them, because nobody here doubts the dealer.
    pub(crate) fn record(&self, manifest: &Manifest) -> EpochRecord {
        let coin = |secret| Digest(RistrettoPoint::mul_base(&secret).compress().0);
        let members = || self.committee.members();
        let keys = self.signing.iter().map(|signing| SuiteKeys {
            suite: signing.suite(),
            group_key: signing.public(None),
            verifying_shares: members().map(|m| signing.public(Some(m))).collect(),
        });
        EpochRecord {
            epoch: manifest.epoch,
            manifest_hash: manifest.hash(),
            keys: keys.collect(),
            coin_key: coin(self.coin.secret()),
            coin_shares: members().map(|m| coin(self.coin.share(m))).collect(),
            transcript: Digest::default(),
            member_signatures: Vec::new(),
            group_signatures: Vec::new(),
        }
    }

    /// A member's share of the group key of a suite.
    pub(crate) fn signing_share(
        &self,
        member: MemberId,
        public: &SigningPublic,
    ) -> Result<SigningShare> {
        let suite = public.suite();
        let signing = self.signing.iter().find(|s| s.suite() == suite);
        let secret = signing.context("suite")?.share(member);
        Ok(SigningShare::from_secret_bytes(&secret, member, public)?)
    }

    /// A member's vault.
    pub(crate) fn member<G: CryptoRngCore>(
        &self,
        member: MemberId,
        suite: &Arc<FrostSuite>,
        (network, manifest): (NetworkId, &Manifest),
        (signing, coin): (&[SigningPublic], &CoinPublic),
        rng: G,
    ) -> Result<MemberKeys<G>> {
        let identity = self.identities.get(member.index()).context("identity")?;
        let secret = self.coin.share(member).to_bytes();
        let shares = signing.iter().map(|s| self.signing_share(member, s));
        Ok(MemberKeys::new(
            Arc::clone(suite),
            Arc::clone(identity),
            shares.collect::<Result<_>>()?,
            CoinSecretShare::from_secret_bytes(&secret, member, coin)?,
            network,
            manifest.epoch,
            rng,
        ))
    }
}
