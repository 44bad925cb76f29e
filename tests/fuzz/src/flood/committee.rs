//! A committee with real keys.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use touchstone_consensus::{FrostSuite, Verifier, keys::MemberKeys};
use touchstone_crypto::{
    CoinPublic, CoinSecretShare, Dkg, DkgOutput, DkgSetup, IdentityKey, SigningPublic, SigningShare,
};
use touchstone_types::{
    Committee, Digest, Epoch, EpochRecord, FeedName, FeedSpec, Manifest, Market, Member, MemberId,
    NetworkId, Round, Suite, Terms,
};

/// Start of round 1, in Unix milliseconds.
pub(super) const START_MS: u64 = 1_790_000_000_000;
/// Milliseconds from round to round.
pub(super) const INTERVAL_MS: u64 = 1_000;

/// Everybody's keys.
pub(super) struct Network {
    pub(super) manifest: Manifest,
    pub(super) terms: Arc<Terms>,
    record: EpochRecord,
    pub(super) identities: Vec<Arc<IdentityKey>>,
    outputs: Vec<DkgOutput>,
}

impl Network {
    pub(super) fn new(n: u16, feeds: u16) -> Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let identities: Vec<_> = (0..n)
            .map(|_| Arc::new(IdentityKey::generate(&mut rng)))
            .collect();
        let manifest = manifest(&identities, feeds)?;
        let terms = Arc::new(manifest.terms(NetworkId(manifest.hash()))?);
        let outputs = generate(terms.committee, &identities, &mut rng)?;
        let public = outputs
            .first()
            .context("a committee has members")?
            .public
            .clone();
        let record = public.into_record(manifest.epoch, manifest.hash());
        Ok(Self {
            manifest,
            terms,
            record,
            identities,
            outputs,
        })
    }

    /// A public side with empty caches.
    pub(super) fn suite(&self) -> Result<Arc<FrostSuite>> {
        Ok(Arc::new(FrostSuite::new(
            self.terms.network,
            &self.manifest,
            &self.record,
        )?))
    }

    pub(super) fn verifier(&self, suite: &Arc<FrostSuite>) -> Verifier {
        Verifier::new(Arc::clone(suite) as _, Arc::clone(&self.terms))
    }

    /// The secrets of a member.
    pub(super) fn keys(
        &self,
        suite: &Arc<FrostSuite>,
        member: MemberId,
    ) -> Result<MemberKeys<ChaCha20Rng>> {
        let output = self
            .outputs
            .get(member.index())
            .context("a member's key share")?;
        let identity = self
            .identities
            .get(member.index())
            .context("a member's identity")?;
        let committee = self.terms.committee;
        let share = |(share, public): (&SigningShare, _)| {
            let public = SigningPublic::new(committee, public)?;
            Ok(SigningShare::from_secret_bytes(
                &share.to_secret_bytes(),
                member,
                &public,
            )?)
        };
        let shares = output
            .keys
            .iter()
            .zip(&self.record.keys)
            .map(share)
            .collect::<Result<Vec<_>>>()?;
        let public = CoinPublic::from_record(committee, &self.record)?;
        let coin =
            CoinSecretShare::from_secret_bytes(&output.coin.to_secret_bytes(), member, &public)?;
        let rng = ChaCha20Rng::seed_from_u64(u64::from(member.0));
        let (network, epoch) = (self.terms.network, self.terms.epoch);
        Ok(MemberKeys::new(
            Arc::clone(suite),
            Arc::clone(identity),
            shares,
            coin,
            network,
            epoch,
            rng,
        ))
    }
}

fn manifest(identities: &[Arc<IdentityKey>], feeds: u16) -> Result<Manifest> {
    let n = u16::try_from(identities.len())?;
    let member = |(id, identity): (u16, &Arc<IdentityKey>)| Member {
        id: MemberId(id),
        identity: identity.public().to_digest(),
        address: format!("127.0.0.1:{}", 9_000 + id),
    };
    let feed = |number: u16| -> Result<FeedSpec> {
        let name = FeedName::pair(&format!("F{number:04}"), "USD")?;
        Ok(FeedSpec {
            name,
            exponent: -8,
            sources: vec![Market {
                source: "kraken".into(),
                pair: name,
            }],
            min_sources: 1,
            max_quote_age_ms: 60_000,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 1_000,
        })
    };
    let manifest = Manifest {
        network: "flood".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: INTERVAL_MS,
        first_round: Round(1),
        first_round_at_ms: START_MS,
        f: Committee::max_faults(n),
        suites: vec![Suite::Ed25519],
        members: (0..n).zip(identities).map(member).collect(),
        feeds: (0..feeds).map(feed).collect::<Result<_>>()?,
    };
    manifest.validate()?;
    Ok(manifest)
}

/// Runs the key generation with every envelope delivered.
fn generate(
    committee: Committee,
    identities: &[Arc<IdentityKey>],
    rng: &mut ChaCha20Rng,
) -> Result<Vec<DkgOutput>> {
    let (mut sides, mut queue) = (Vec::new(), Vec::new());
    for (me, identity) in committee.members().zip(identities) {
        let setup = DkgSetup {
            session: Digest([7; 32]),
            me,
            committee,
            members: identities.iter().map(|k| k.public()).collect(),
            suites: vec![Suite::Ed25519],
        };
        let (side, first) = Dkg::new(setup, Arc::clone(identity), rng)?;
        sides.push(side);
        queue.extend(first);
    }
    while let Some(envelope) = queue.pop() {
        for (to, side) in committee.members().zip(&mut sides) {
            if to != envelope.from && envelope.to.is_none_or(|only| only == to) {
                queue.extend(side.handle(envelope.clone())?);
            }
        }
    }
    let outputs = sides.iter_mut().map(Dkg::take_output);
    outputs
        .collect::<Option<_>>()
        .context("the key generation must end when everything is delivered")
}
