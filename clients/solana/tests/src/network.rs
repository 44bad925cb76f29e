//! Networks as they are: a key that no one holds, and signatures that a committee makes.

use std::sync::Arc;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use touchstone_crypto::{
    Dkg, DkgSetup, IdentityKey, NonceStore, PreparedSession, SignTarget, SigningPublic,
    SigningShare,
};
use touchstone_types::{
    Attestation, Committee, Digest, Epoch, FeedName, Leaf, MemberId, NetworkId, Round, Statement,
    Status, Suite, merkle, sha256,
};

/// Time of a network's first round, in Unix milliseconds.
pub const START_MS: u64 = 1_790_000_000_000;

/// Four members after their key generation.
pub struct Network {
    rng: ChaCha20Rng,
    public: SigningPublic,
    shares: Vec<SigningShare>,
    /// The network's id.
    pub id: [u8; 32],
    /// The group key.
    pub key: [u8; 32],
}

impl Network {
    /// Generates the key among the members.
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let committee = Committee::new(4, 1).expect("four members");
        let identities: Vec<Arc<IdentityKey>> = (0..4)
            .map(|_| Arc::new(IdentityKey::generate(&mut rng)))
            .collect();
        let (mut sides, mut queue) = (Vec::new(), Vec::new());
        for (me, identity) in committee.members().zip(&identities) {
            let setup = DkgSetup {
                session: Digest([7; 32]),
                me,
                committee,
                members: identities.iter().map(|key| key.public()).collect(),
                suites: vec![Suite::Ed25519],
            };
            let (side, first) = Dkg::new(setup, identity.clone(), &mut rng).expect("a setup");
            sides.push(side);
            queue.extend(first);
        }
        while let Some(envelope) = queue.pop() {
            for (member, side) in (0..).map(MemberId).zip(&mut sides) {
                let addressed = envelope
                    .to
                    .map_or(member != envelope.from, |to| to == member);
                if addressed {
                    queue.extend(side.handle(envelope.clone()).expect("an honest envelope"));
                }
            }
        }
        let outputs: Vec<_> = sides
            .iter_mut()
            .map(|side| side.take_output().expect("a key"))
            .collect();
        let public = SigningPublic::new(committee, &outputs[0].public.keys[0]).expect("a good key");
        let key = public.group_key().to_bytes();
        Self {
            rng,
            public,
            shares: outputs.into_iter().map(|mut o| o.keys.remove(0)).collect(),
            id: sha256(&[b"a network of the tests", &seed.to_be_bytes()]).0,
            key: key.try_into().expect("32 bytes"),
        }
    }

    /// The statement over these leaves: the `round`-th round, `round` seconds after the first.
    pub fn statement(&self, round: u64, leaves: &[Leaf]) -> Statement {
        let hashes: Vec<Digest> = leaves
            .iter()
            .map(|leaf| merkle::leaf_hash(&leaf.to_bytes()))
            .collect();
        Statement {
            network: NetworkId(Digest(self.id)),
            epoch: Epoch(0),
            round: Round(round),
            timestamp_ms: START_MS + 1_000 * round,
            feed_count: leaves.len().try_into().expect("a count"),
            feeds_root: merkle::root(&hashes),
            observations_root: sha256(&[b"observations"]),
        }
    }

    /// The group's signature on a statement, made by three of the four.
    pub fn sign(&mut self, statement: &Statement) -> Vec<u8> {
        let mut signers = Vec::new();
        let mut commitments = Vec::new();
        for share in self.shares.iter().skip(1) {
            let mut store = NonceStore::new(&mut self.rng);
            let (id, commitment) = store.fresh(share, &mut self.rng);
            commitments.push((share.member(), commitment.bytes));
            signers.push((share, store.take(id).expect("nonces")));
        }
        let target = SignTarget::Statement(statement);
        let session = PreparedSession::new(&self.public, &commitments, &target).expect("a session");
        let shares: Vec<_> = signers
            .into_iter()
            .map(|(share, nonces)| {
                let made = session.sign(share, nonces).expect("a share");
                (share.member(), made)
            })
            .collect();
        session
            .aggregate(&shares)
            .expect("a signature")
            .into_bytes()
    }

    /// A signed update of the leaves at these indices.
    pub fn update(&mut self, round: u64, leaves: &[Leaf], indices: &[u16]) -> Vec<u8> {
        let statement = self.statement(round, leaves);
        self.update_of(statement, leaves, indices)
    }

    /// The same under a statement of the caller's.
    pub fn update_of(&mut self, statement: Statement, leaves: &[Leaf], indices: &[u16]) -> Vec<u8> {
        let attestation = Attestation {
            statement,
            signatures: vec![(Suite::Ed25519, self.sign(&statement))],
            leaves: leaves.to_vec(),
            observations: Vec::new(),
        };
        let update = attestation.update(Suite::Ed25519, indices);
        update.expect("leaves at these indices").to_bytes()
    }
}

/// The leaves of a network of twelve feeds in a round.
pub fn leaves(round: u64) -> Vec<Leaf> {
    let names = [
        "AAVE", "AVAX", "BTC", "DOGE", "ETH", "EUR", "LINK", "LTC", "SOL", "USDC", "USDT", "XRP",
    ];
    (1i128..)
        .zip(names)
        .map(|(i, name)| leaf(name, 1_000_000_000 * i, round))
        .collect()
}

/// A leaf without a flaw.
pub fn leaf(base: &str, price: i128, round: u64) -> Leaf {
    Leaf {
        feed: FeedName::pair(base, "USD").expect("a name"),
        status: Status::OK,
        exponent: -8,
        price: price + i128::from(round),
        low: price - 1_000,
        high: price + 1_000_000,
        observed_at_ms: START_MS + 1_000 * round - 300,
        observers: 4,
    }
}
