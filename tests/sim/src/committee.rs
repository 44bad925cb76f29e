//! Committees to simulate: their manifest, and keys that are real or symbolic.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use touchstone_consensus::{FrostSuite, Rules, Verifier, keys::Keys, keys::MemberKeys};
use touchstone_crypto::{
    CoinPublic, CoinSecretShare, Dkg, DkgOutput, DkgPublic, DkgSetup, IdentityKey, SigningPublic,
    SigningShare,
};
use touchstone_types::{
    Committee, Digest, Epoch, EpochRecord, FeedName, FeedSpec, Manifest, Market, Member, MemberId,
    NetworkId, Round, RoundClock, Suite, Terms, View, sha256,
};

use super::symbols::{Secrets, SymbolicKeys, Symbols};

/// Start of the first round, in Unix milliseconds.
pub(super) const START_MS: u64 = 1_790_000_000_000;
/// How many feeds the simulated network has.
pub(super) const FEEDS: u16 = 3;

/// Everything that the members of one simulated network share, and their secrets.
pub struct Network {
    manifest: Arc<Manifest>,
    terms: Arc<Terms>,
    keys: NetworkKeys,
}

enum NetworkKeys {
    Symbolic(Arc<Secrets>),
    Real(Arc<RealKeys>),
}

struct RealKeys {
    record: EpochRecord,
    identities: Vec<Arc<IdentityKey>>,
    outputs: Vec<DkgOutput>,
}

impl Network {
    /// A network with symbolic keys.
    ///
    /// # Errors
    /// An impossible size.
    pub fn symbolic(n: u16, seed: u64) -> Result<Self> {
        let identities: Vec<_> = (0..n)
            .map(|m| sha256(&[b"symbol", &m.to_be_bytes()]))
            .collect();
        let manifest = manifest(&identities)?;
        let secrets = Secrets::new(seed, manifest.committee()?);
        Self::new(manifest, NetworkKeys::Symbolic(secrets))
    }

    /// A network whose members have run the distributed key generation.
    ///
    /// # Errors
    /// An impossible size, or a key generation that does not end.
    pub fn real(n: u16, seed: u64) -> Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let identities: Vec<_> = (0..n)
            .map(|_| Arc::new(IdentityKey::generate(&mut rng)))
            .collect();
        let public: Vec<_> = identities.iter().map(|k| k.public().to_digest()).collect();
        let manifest = manifest(&public)?;
        let outputs = generate(manifest.committee()?, &identities, &mut rng)?;
        let first = outputs.first().context("a committee has members")?;
        let record = DkgPublic::into_record(first.public.clone(), Epoch(0), manifest.hash());
        let keys = RealKeys {
            record,
            identities,
            outputs,
        };
        Self::new(manifest, NetworkKeys::Real(Arc::new(keys)))
    }

    fn new(manifest: Manifest, keys: NetworkKeys) -> Result<Self> {
        let terms = Arc::new(manifest.terms(NetworkId(manifest.hash()))?);
        Ok(Self {
            manifest: Arc::new(manifest),
            terms,
            keys,
        })
    }

    /// The same network with other symbols, hence other coins; real keys stay as they are.
    pub(super) fn for_run(&self, seed: u64) -> Self {
        let keys = match &self.keys {
            NetworkKeys::Symbolic(_) => {
                NetworkKeys::Symbolic(Secrets::new(seed, self.terms.committee))
            }
            NetworkKeys::Real(keys) => NetworkKeys::Real(Arc::clone(keys)),
        };
        Self {
            manifest: Arc::clone(&self.manifest),
            terms: Arc::clone(&self.terms),
            keys,
        }
    }

    /// What reports depend on.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// How rounds are numbered in a run.
    pub(super) fn clock(first_round: Round, interval_ms: u64) -> RoundClock {
        RoundClock {
            first_round,
            first_round_at_ms: START_MS,
            interval_ms,
        }
    }

    /// What one member checks messages against. What it remembers is its own.
    pub(super) fn verifier<R: Rules>(&self, rules: R) -> Result<Verifier<R>> {
        let terms = Arc::clone(&self.terms);
        Ok(match &self.keys {
            NetworkKeys::Symbolic(secrets) => {
                let threshold = rules.signing_threshold(terms.committee);
                let symbols = Symbols::new(Arc::clone(secrets), threshold);
                Verifier::with_rules(Arc::new(symbols), terms, rules)
            }
            NetworkKeys::Real(keys) => {
                let suite = FrostSuite::new(terms.network, &self.manifest, &keys.record)?;
                Verifier::with_rules(Arc::new(suite), terms, rules)
            }
        })
    }

    /// The secrets of a member for one life of its process.
    pub(super) fn keys(&self, member: MemberId, life: u32, seed: u64) -> Result<Box<dyn Keys>> {
        match &self.keys {
            NetworkKeys::Symbolic(secrets) => {
                Ok(Box::new(SymbolicKeys::new(secrets, member, life)))
            }
            NetworkKeys::Real(keys) => {
                let suite = FrostSuite::new(self.terms.network, &self.manifest, &keys.record)?;
                keys.member(Arc::new(suite), &self.terms, member, life, seed)
            }
        }
    }

    /// The leader that a coin elects, for a scheduler that knows it as soon as it can be known; only with symbolic keys.
    pub(super) fn leader(&self, round: Round, view: View) -> Option<MemberId> {
        match &self.keys {
            NetworkKeys::Symbolic(secrets) => Some(secrets.leader(round, view)),
            NetworkKeys::Real(_) => None,
        }
    }
}

impl RealKeys {
    fn member(
        &self,
        suite: Arc<FrostSuite>,
        terms: &Terms,
        member: MemberId,
        life: u32,
        seed: u64,
    ) -> Result<Box<dyn Keys>> {
        let identity = self.identities.get(member.index()).context("identity")?;
        let output = self.outputs.get(member.index()).context("key share")?;
        let identity = Arc::clone(identity);
        let shares = output
            .keys
            .iter()
            .zip(&self.record.keys)
            .map(|(share, public)| {
                let public = SigningPublic::new(terms.committee, public)?;
                Ok(SigningShare::from_secret_bytes(
                    &share.to_secret_bytes(),
                    member,
                    &public,
                )?)
            });
        let public = CoinPublic::from_record(terms.committee, &self.record)?;
        let coin =
            CoinSecretShare::from_secret_bytes(&output.coin.to_secret_bytes(), member, &public)?;
        let rng =
            ChaCha20Rng::seed_from_u64(seed ^ u64::from(life) << 48 ^ u64::from(member.0) << 32);
        let shares = shares.collect::<Result<Vec<_>>>()?;
        Ok(Box::new(MemberKeys::new(
            suite,
            identity,
            shares,
            coin,
            terms.network,
            terms.epoch,
            rng,
        )))
    }
}

fn manifest(identities: &[Digest]) -> Result<Manifest> {
    let n = u16::try_from(identities.len())?;
    let member = |(id, identity): (u16, &Digest)| Member {
        id: MemberId(id),
        identity: *identity,
        address: format!("127.0.0.1:{}", 9_000 + id),
    };
    let manifest = Manifest {
        network: "simulated".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: Round(1),
        first_round_at_ms: START_MS,
        f: Committee::max_faults(n),
        suites: vec![Suite::Ed25519],
        members: (0..n).zip(identities).map(member).collect(),
        feeds: ["AAA", "BBB", "CCC"]
            .into_iter()
            .map(feed)
            .collect::<Result<_>>()?,
    };
    manifest.validate()?;
    Ok(manifest)
}

fn feed(base: &str) -> Result<FeedSpec> {
    let name = FeedName::pair(base, "USD")?;
    let source = |source: &str| Market {
        source: source.into(),
        pair: name,
    };
    Ok(FeedSpec {
        name,
        exponent: -8,
        sources: ["bitstamp", "coinbase", "kraken"].map(source).to_vec(),
        min_sources: 2,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 2_000,
    })
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
