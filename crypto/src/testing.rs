//! Helpers of this crate's tests.

use alloc::{sync::Arc, vec::Vec};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use touchstone_types::{Committee, Digest, Epoch, MemberId, NetworkId, Round, Statement, Suite};

use crate::{
    CoinPublic, Dkg, DkgEnvelope, DkgOutput, DkgSetup, IdentityKey, IdentityPublic, SigningPublic,
};

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn committee(n: usize) -> Committee {
    let f = u16::try_from((n - 1) / 3).unwrap();
    Committee::new(n, f).unwrap()
}

pub(crate) fn statement(round: u64) -> Statement {
    Statement {
        network: NetworkId(Digest([1; 32])),
        epoch: Epoch(0),
        round: Round(round),
        timestamp_ms: 1_790_000_000_123,
        feed_count: 12,
        feeds_root: Digest([2; 32]),
        observations_root: Digest([3; 32]),
    }
}

/// Everybody's identity.
pub(crate) fn identities(n: usize, rng: &mut ChaCha20Rng) -> Vec<Arc<IdentityKey>> {
    (0..n)
        .map(|_| Arc::new(IdentityKey::generate(rng)))
        .collect()
}

/// Everybody's side of a run, and the first envelopes.
pub(crate) fn start_dkg(
    identities: &[Arc<IdentityKey>],
    rng: &mut ChaCha20Rng,
) -> (Vec<Dkg>, Vec<DkgEnvelope>) {
    let members: Vec<IdentityPublic> = identities.iter().map(|k| k.public()).collect();
    let committee = committee(members.len());
    let mut sides = Vec::new();
    let mut envelopes = Vec::new();
    for (me, identity) in committee.members().zip(identities) {
        let setup = DkgSetup {
            session: Digest([7; 32]),
            me,
            committee,
            members: members.clone(),
            suites: [Suite::Ed25519].to_vec(),
        };
        let (dkg, first) = Dkg::new(setup, identity.clone(), rng).unwrap();
        sides.push(dkg);
        envelopes.extend(first);
    }
    (sides, envelopes)
}

/// Whom an envelope goes to.
pub(crate) fn receivers(envelope: &DkgEnvelope, n: usize) -> Vec<MemberId> {
    let n = u16::try_from(n).unwrap();
    match envelope.to {
        Some(to) => [to].to_vec(),
        None => (0..n)
            .map(MemberId)
            .filter(|m| *m != envelope.from)
            .collect(),
    }
}

/// Keys of a committee of `n`.
pub(crate) struct Keys {
    pub(crate) committee: Committee,
    pub(crate) outputs: Vec<DkgOutput>,
    pub(crate) public: SigningPublic,
    pub(crate) coin: CoinPublic,
}

pub(crate) fn keys(n: usize, seed: u64) -> Keys {
    let mut rng = rng(seed);
    let (mut sides, mut queue) = start_dkg(&identities(n, &mut rng), &mut rng);
    while let Some(envelope) = queue.pop() {
        for to in receivers(&envelope, n) {
            queue.extend(sides[to.index()].handle(envelope.clone()).unwrap());
        }
    }
    let outputs: Vec<DkgOutput> = sides.iter_mut().map(|s| s.take_output().unwrap()).collect();
    let committee = committee(n);
    let public = outputs[0].public.clone();
    Keys {
        committee,
        public: SigningPublic::new(committee, &public.keys[0]).unwrap(),
        coin: CoinPublic::from_record(committee, &public.into_record(Epoch(0), Digest([0; 32])))
            .unwrap(),
        outputs,
    }
}
