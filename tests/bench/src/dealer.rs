//! Keys of a committee from a trusted dealer. The distributed key generation of a hundred members takes minutes, and what a
//! round costs does not depend on where its keys come from.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic of a finite field cannot overflow"
)]

use std::sync::Arc;

use anyhow::{Context as _, Result};
use curve25519_dalek::{EdwardsPoint, RistrettoPoint, Scalar};
use rand_core::CryptoRngCore;
use touchstone_consensus::{FrostSuite, keys::MemberKeys};
use touchstone_crypto::{
    CoinPublic, CoinSecretShare, IdentityKey, Roster, SigningPublic, SigningShare,
};
use touchstone_types::{
    Committee, Digest, EpochRecord, Manifest, MemberId, NetworkId, Suite, SuiteKeys,
};

/// A polynomial over the field of scalars, by its coefficients.
struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// A random one whose value at 0 any `threshold` shares determine.
    fn random(threshold: usize, rng: &mut impl CryptoRngCore) -> Self {
        Self((0..threshold).map(|_| Scalar::random(rng)).collect())
    }

    fn secret(&self) -> Scalar {
        self.at(0)
    }

    /// The share of a member: its place is its number plus one.
    fn share(&self, member: MemberId) -> Scalar {
        self.at(u64::from(member.0) + 1)
    }

    fn at(&self, x: u64) -> Scalar {
        let x = Scalar::from(x);
        let down = self.0.iter().rev();
        down.fold(Scalar::ZERO, |sum, c| sum * x + c)
    }
}

/// What the dealer knows.
pub(crate) struct Dealer {
    committee: Committee,
    identities: Vec<Arc<IdentityKey>>,
    signing: Polynomial,
    coin: Polynomial,
}

impl Dealer {
    /// Fresh keys.
    pub(crate) fn new(committee: Committee, rng: &mut impl CryptoRngCore) -> Self {
        let identity = |_| Arc::new(IdentityKey::generate(rng));
        Self {
            committee,
            identities: committee.members().map(identity).collect(),
            signing: Polynomial::random(committee.signing_threshold(), rng),
            coin: Polynomial::random(committee.coin_threshold(), rng),
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
        let point = |secret| EdwardsPoint::mul_base(&secret).compress().0;
        let coin = |secret| Digest(RistrettoPoint::mul_base(&secret).compress().0);
        let members = || self.committee.members();
        let keys = SuiteKeys {
            suite: Suite::Ed25519,
            group_key: point(self.signing.secret()).to_vec(),
            verifying_shares: members()
                .map(|m| point(self.signing.share(m)).to_vec())
                .collect(),
        };
        EpochRecord {
            epoch: manifest.epoch,
            manifest_hash: manifest.hash(),
            keys: vec![keys],
            coin_key: coin(self.coin.secret()),
            coin_shares: members().map(|m| coin(self.coin.share(m))).collect(),
            transcript: Digest::default(),
            member_signatures: Vec::new(),
            group_signatures: Vec::new(),
        }
    }

    /// A member's share of the group key.
    pub(crate) fn signing_share(
        &self,
        member: MemberId,
        public: &SigningPublic,
    ) -> Result<SigningShare> {
        let secret = self.signing.share(member).to_bytes();
        Ok(SigningShare::from_secret_bytes(&secret, member, public)?)
    }

    /// A member's vault.
    pub(crate) fn member<G: CryptoRngCore>(
        &self,
        member: MemberId,
        suite: &Arc<FrostSuite>,
        (network, manifest): (NetworkId, &Manifest),
        (signing, coin): (&SigningPublic, &CoinPublic),
        rng: G,
    ) -> Result<MemberKeys<G>> {
        let identity = self.identities.get(member.index()).context("identity")?;
        let secret = self.coin.share(member).to_bytes();
        Ok(MemberKeys::new(
            Arc::clone(suite),
            Arc::clone(identity),
            vec![self.signing_share(member, signing)?],
            CoinSecretShare::from_secret_bytes(&secret, member, coin)?,
            network,
            manifest.epoch,
            rng,
        ))
    }
}
