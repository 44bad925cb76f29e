//! A committee of four that holds a group key of the second suite, and signs as nodes do: by distributed key generation and
//! FROST of touchstone-crypto.

use std::sync::{Arc, Mutex};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use touchstone_client::Verifier;
use touchstone_crypto::{
    Dkg, DkgOutput, DkgSetup, GroupKey, IdentityKey, IdentityPublic, NonceStore, SignTarget,
    SignerSet, aggregate, sign,
};
use touchstone_types::{
    Attestation, Committee, Digest, Epoch, FeedName, Leaf, NetworkId, PriceUpdate, Round,
    STATEMENT_MAGIC, Statement, Status, Suite, merkle, sha256,
};

const SUITE: Suite = Suite::Secp256k1Keccak;

/// Four members of whom three sign.
pub struct Committee4 {
    members: Vec<DkgOutput>,
    rng: Mutex<ChaCha20Rng>,
}

impl Committee4 {
    /// Generates the keys from a seed.
    pub fn generate(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let committee = Committee::new(4, 1).expect("four members, one fault");
        let identities: Vec<_> = (0..4)
            .map(|_| Arc::new(IdentityKey::generate(&mut rng)))
            .collect();
        let keys: Vec<IdentityPublic> = identities.iter().map(|k| k.public()).collect();
        let (mut sides, mut queue) = (Vec::new(), Vec::new());
        for (me, identity) in committee.members().zip(&identities) {
            let setup = DkgSetup {
                session: sha256(&[&seed.to_be_bytes()]),
                me,
                committee,
                members: keys.clone(),
                suites: vec![SUITE],
            };
            let (side, first) = Dkg::new(setup, Arc::clone(identity), &mut rng).expect("a setup");
            sides.push(side);
            queue.extend(first);
        }
        while let Some(envelope) = queue.pop() {
            for to in committee.members() {
                if to != envelope.from && envelope.to.is_none_or(|t| t == to) {
                    queue.extend(sides[to.index()].handle(envelope.clone()).expect("honest"));
                }
            }
        }
        let members = sides
            .iter_mut()
            .map(|s| s.take_output().expect("finished"))
            .collect();
        Self {
            members,
            rng: Mutex::new(rng),
        }
    }

    /// The group key, 33 bytes.
    pub fn group_key(&self) -> Vec<u8> {
        self.members[0].public.keys[0].group_key.clone()
    }

    /// The Rust verifier that pins this committee's key.
    pub fn verifier(&self, network: NetworkId) -> Verifier {
        let key = GroupKey::new(SUITE, &self.group_key()).expect("a key that contracts take");
        Verifier::new(network, [key])
    }

    /// The group's signature: 96 bytes.
    pub fn sign(&self, statement: &Statement) -> Vec<u8> {
        let mut rng = self.rng.lock().expect("no test panicked in here");
        let target = SignTarget::Statement(statement);
        let (mut nonces, mut commitments) = (Vec::new(), Vec::new());
        for member in &self.members[..3] {
            let share = &member.keys[0];
            let mut store = NonceStore::new(&mut *rng);
            let (id, public) = store.fresh(share, &mut *rng);
            nonces.push(store.take(id).expect("made just now"));
            commitments.push((share.member(), public.bytes));
        }
        let set = SignerSet::decode(SUITE, &commitments).expect("three signers");
        let shares: Vec<_> = self.members[..3]
            .iter()
            .zip(nonces)
            .map(|(m, nonces)| {
                (
                    m.keys[0].member(),
                    sign(&m.keys[0], nonces, &set, &target).expect("a share"),
                )
            })
            .collect();
        let public = self.members[0].keys[0].public();
        aggregate(public, &set, &shares, &target)
            .expect("honest shares")
            .into_bytes()
    }

    /// An update of the first suite as this committee would have signed it: another suite byte, another signature, and every
    /// other byte as it is. Of one that is cut off, the same part.
    pub fn sign_anew(&self, update: &[u8]) -> Vec<u8> {
        let Some((head, rest)) = update.split_at_checked(120) else {
            return [
                &update[..1],
                &[SUITE.byte()],
                update.get(2..).unwrap_or_default(),
            ]
            .concat();
        };
        let statement = [STATEMENT_MAGIC, &head[2..]].concat();
        let signature = self.sign(&Statement::from_bytes(&statement).expect("of this length"));
        let (signature, rest) = match rest.split_at_checked(64) {
            Some((_, rest)) => (&signature[..], rest),
            None => (&signature[..rest.len()], &[][..]),
        };
        [&head[..1], &[SUITE.byte()], &head[2..], signature, rest].concat()
    }

    /// A signed update that shows the leaves at these indices.
    pub fn update(&self, statement: &Statement, leaves: &[Leaf], indices: &[u16]) -> PriceUpdate {
        update_over(statement, self.sign(statement), leaves, indices)
    }
}

/// An update under a signature that was made before.
pub fn update_over(
    statement: &Statement,
    signature: Vec<u8>,
    leaves: &[Leaf],
    indices: &[u16],
) -> PriceUpdate {
    let attestation = Attestation {
        statement: *statement,
        signatures: vec![(SUITE, signature)],
        leaves: leaves.to_vec(),
        observations: Vec::new(),
    };
    attestation
        .update(SUITE, indices)
        .expect("leaves at these indices")
}

/// A statement over these leaves.
pub fn statement_over(
    network: NetworkId,
    round: u64,
    timestamp_ms: u64,
    leaves: &[Leaf],
) -> Statement {
    let hashes: Vec<Digest> = leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    Statement {
        network,
        epoch: Epoch(0),
        round: Round(round),
        timestamp_ms,
        feed_count: u16::try_from(leaves.len()).expect("few leaves"),
        feeds_root: merkle::root(&hashes),
        observations_root: sha256(&[b"observations"]),
    }
}

/// A plain leaf, observed when the round is.
pub fn feed_leaf(name: &str, price: i128, observed_at_ms: u64) -> Leaf {
    Leaf {
        feed: FeedName::new(name).expect("a name"),
        status: Status::OK,
        exponent: -8,
        price,
        low: price - 1_000,
        high: price + 1_000,
        observed_at_ms,
        observers: 4,
    }
}

/// The leaves of a network of `count` feeds, in order of their names.
pub fn leaves(count: u16, observed_at_ms: u64) -> Vec<Leaf> {
    (0..count)
        .map(|i| {
            let price = 6_712_345_000_000 + i128::from(i) * 1_234_567;
            feed_leaf(&format!("F{i:05}-USD"), price, observed_at_ms)
        })
        .collect()
}
