//! A network with real keys: key generation among four members, and FROST signatures of any three of them.

use std::sync::Arc;

use cosmwasm_std::HexBinary;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use touchstone_cosmwasm::msg::{GroupKeys, InstantiateMsg};
use touchstone_crypto::{
    Dkg, DkgEnvelope, DkgOutput, DkgSetup, IdentityKey, NonceStore, PreparedSession, SignTarget,
    SignatureShare, SigningPublic,
};
use touchstone_types::{
    Attestation, Committee, Digest, Epoch, FeedName, Leaf, MemberId, NetworkId, Round, SUITES,
    Statement, Status, Suite, merkle, sha256,
};

/// Time of round 0, in Unix milliseconds.
pub const START_MS: u64 = 1_790_000_000_000;
/// Time from one round to the next, in milliseconds.
pub const INTERVAL_MS: u64 = 1_000;

/// A committee of four with keys of both suites.
pub struct Network {
    /// The network's id.
    pub id: NetworkId,
    committee: Committee,
    outputs: Vec<DkgOutput>,
    rng: ChaCha20Rng,
}

impl Network {
    /// Generates keys; the same seed gives the same network.
    pub fn generate(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let id = NetworkId(sha256(&[b"network", &seed.to_be_bytes()]));
        let committee = Committee::new(4, 1).expect("a committee");
        let outputs = key_generation(id, committee, &mut rng);
        Self {
            id,
            committee,
            outputs,
            rng,
        }
    }

    /// The group's public key of a suite.
    pub fn group_key(&self, suite: Suite) -> Vec<u8> {
        let keys = &self.outputs[0].public.keys;
        let keys = keys.iter().find(|keys| keys.suite == suite);
        keys.expect("both suites").group_key.clone()
    }

    /// What pins this network, with its keys of these suites.
    pub fn pin(&self, suites: &[Suite]) -> InstantiateMsg {
        let key = |suite| {
            let asked = suites.contains(&suite);
            asked.then(|| HexBinary::from(self.group_key(suite)))
        };
        InstantiateMsg {
            network_id: HexBinary::from(self.id.0.0),
            group_keys: GroupKeys {
                ed25519: key(Suite::Ed25519),
                secp256k1_keccak: key(Suite::Secp256k1Keccak),
            },
            max_skew_ms: None,
        }
    }

    /// The group's signature on a statement: members 0, 1 and 2 sign, then 1, 2 and 3, by the round.
    pub fn sign(&mut self, suite: Suite, statement: &Statement) -> Vec<u8> {
        let keys = &self.outputs[0].public.keys;
        let keys = keys.iter().find(|keys| keys.suite == suite);
        let public = SigningPublic::new(self.committee, keys.expect("both suites")).expect("keys");
        let first = usize::from(statement.round.0 % 2 == 1);
        let signers: Vec<_> = self.outputs[first..first + 3]
            .iter()
            .map(|output| output.keys.iter().find(|key| key.suite() == suite))
            .map(|share| share.expect("both suites"))
            .collect();
        let mut entries = Vec::new();
        let mut nonces = Vec::new();
        for share in &signers {
            let mut store = NonceStore::new(&mut self.rng);
            let (id, commitments) = store.fresh(share, &mut self.rng);
            entries.push((share.member(), commitments.bytes));
            nonces.push(store.take(id).expect("fresh nonces"));
        }
        let target = SignTarget::Statement(statement);
        let session = PreparedSession::new(&public, &entries, &target).expect("a session");
        let shares: Vec<(MemberId, SignatureShare)> = signers
            .iter()
            .zip(nonces)
            .map(|(share, nonces)| {
                (
                    share.member(),
                    session.sign(share, nonces).expect("a share"),
                )
            })
            .collect();
        session
            .aggregate(&shares)
            .expect("a signature")
            .into_bytes()
    }

    /// A round over these leaves, signed in both suites. `change` may alter what is signed.
    pub fn attest(
        &mut self,
        round: u64,
        leaves: Vec<Leaf>,
        change: impl FnOnce(&mut Statement),
    ) -> Attestation {
        let hashes: Vec<Digest> = leaves
            .iter()
            .map(|leaf| merkle::leaf_hash(&leaf.to_bytes()))
            .collect();
        let mut statement = Statement {
            network: self.id,
            epoch: Epoch(0),
            round: Round(round),
            timestamp_ms: time_ms(round),
            feed_count: u16::try_from(leaves.len()).expect("few leaves"),
            feeds_root: merkle::root(&hashes),
            observations_root: sha256(&[b"observations", &round.to_be_bytes()]),
        };
        change(&mut statement);
        let signatures = SUITES.map(|suite| (suite, self.sign(suite, &statement)));
        Attestation {
            statement,
            signatures: signatures.to_vec(),
            leaves,
            observations: Vec::new(),
        }
    }

    /// A round over [`leaves`] with nothing special.
    pub fn round(&mut self, round: u64, feeds: usize) -> Attestation {
        self.attest(round, leaves(round, feeds), |_| {})
    }
}

/// The binary update of these leaves of a round.
pub fn update(attestation: &Attestation, suite: Suite, indices: &[u16]) -> Vec<u8> {
    let update = attestation.update(suite, indices);
    update.expect("these leaves exist").to_bytes()
}

/// The time of a round, in Unix milliseconds.
pub fn time_ms(round: u64) -> u64 {
    START_MS + round * INTERVAL_MS
}

/// Name of the `index`-th feed.
pub fn feed(index: usize) -> String {
    format!("F{index:04}-USD")
}

/// `count` leaves of a round, in order of their names; each price says its feed and round.
pub fn leaves(round: u64, count: usize) -> Vec<Leaf> {
    (0..count)
        .map(|index| {
            let price = 6_712_345_000_000 + 1_000 * i128::from(round) + index as i128;
            Leaf {
                feed: FeedName::new(&feed(index)).expect("a name"),
                status: Status::OK,
                exponent: -8,
                price,
                low: price - 100,
                high: price + 100,
                observed_at_ms: time_ms(round) - 300,
                observers: 4,
            }
        })
        .collect()
}

fn key_generation(id: NetworkId, committee: Committee, rng: &mut ChaCha20Rng) -> Vec<DkgOutput> {
    let identities: Vec<Arc<IdentityKey>> = committee
        .members()
        .map(|_| Arc::new(IdentityKey::generate(rng)))
        .collect();
    let members: Vec<_> = identities.iter().map(|key| key.public()).collect();
    let mut sides = Vec::new();
    let mut queue: Vec<DkgEnvelope> = Vec::new();
    for (me, identity) in committee.members().zip(identities) {
        let setup = DkgSetup {
            session: id.0,
            me,
            committee,
            members: members.clone(),
            suites: SUITES.to_vec(),
        };
        let (side, first) = Dkg::new(setup, identity, rng).expect("a setup");
        sides.push(side);
        queue.extend(first);
    }
    while let Some(envelope) = queue.pop() {
        for to in committee.members() {
            let addressed = envelope.to.map_or(to != envelope.from, |only| only == to);
            if addressed {
                let answers = sides[to.index()].handle(envelope.clone());
                queue.extend(answers.expect("honest members"));
            }
        }
    }
    sides
        .iter_mut()
        .map(|side| side.take_output().expect("keys"))
        .collect()
}
