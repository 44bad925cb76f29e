use super::*;
use crate::testing::{committee, identities, keys, receivers, rng, start_dkg};
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::RngCore};
use std::{format, string::ToString};
use touchstone_types::{Committee, Suite};

/// All members of a run, with a network that the test delivers by hand.
struct Net {
    identities: Vec<Arc<IdentityKey>>,
    sides: Vec<Dkg>,
    queue: Vec<DkgEnvelope>,
}

/// What a test does to an envelope under way: nothing to deliver, or something else.
type Tamper<'a> = &'a mut dyn FnMut(&Net, &DkgEnvelope, MemberId) -> Vec<DkgEnvelope>;

impl Net {
    fn new(n: usize) -> Self {
        let mut rng = rng(11);
        let identities = identities(n, &mut rng);
        let (sides, queue) = start_dkg(&identities, &mut rng);
        Self {
            identities,
            sides,
            queue,
        }
    }

    /// The envelope with another body, signed by its sender.
    fn resign(&self, envelope: &DkgEnvelope, body: Vec<u8>) -> DkgEnvelope {
        let mut altered = DkgEnvelope {
            body,
            ..envelope.clone()
        };
        let identity = &self.identities[altered.from.index()];
        altered.signature = identity.sign_dkg(altered.digest());
        altered
    }

    /// Delivers everything, first come first served; gives every member's error.
    fn run(&mut self, tamper: Tamper<'_>) -> Vec<(MemberId, DkgError)> {
        let n = self.sides.len();
        let mut errors = Vec::new();
        while !self.queue.is_empty() {
            let envelope = self.queue.remove(0);
            for to in receivers(&envelope, n) {
                for altered in tamper(self, &envelope, to) {
                    match self.sides[to.index()].handle(altered) {
                        Ok(sent) => self.queue.extend(sent),
                        Err(error) => errors.push((to, error)),
                    }
                }
            }
        }
        errors
    }

    /// Runs with a cheat, and gives the fault that the first honest member to notice finds.
    fn culprit(n: usize, tamper: Tamper<'_>) -> (MemberId, DkgFault) {
        let mut net = Self::new(n);
        let errors = net.run(tamper);
        let (by, first) = errors.first().expect("somebody notices").clone();
        assert!(first.is_fatal(), "{first}");
        assert!(net.sides[by.index()].take_output().is_none());
        assert!(net.sides[by.index()].waiting_for().is_empty());
        // Once failed, always failed.
        let harmless = net.sides[0].sent()[0].clone();
        let again = net.sides[by.index()].handle(harmless);
        assert_eq!(again, Err(first.clone()));
        match first {
            DkgError::Fault { culprit, fault } => (culprit, fault),
            other => panic!("{other}"),
        }
    }
}

fn flip(body: &[u8], position: usize) -> Vec<u8> {
    let mut body = body.to_vec();
    body[position] ^= 1;
    body
}

const CHEAT: MemberId = MemberId(2);

/// Where things stand in the Commit of four members: 3 FROST commitments, 2 of the coin.
const FROST_AT: usize = 64;
const FROST_PROOF_AT: usize = FROST_AT + 3 * 32;
const COIN_AT: usize = FROST_PROOF_AT + 64;
const COIN_PROOF_AT: usize = COIN_AT + 2 * 32;

fn altered_commit(alter: impl Fn(&[u8]) -> Vec<u8>) -> (MemberId, DkgFault) {
    Net::culprit(4, &mut |net, envelope, _| {
        if envelope.from == CHEAT && envelope.step == DkgStep::Commit {
            [net.resign(envelope, alter(&envelope.body))].into()
        } else {
            [envelope.clone()].into()
        }
    })
}

#[test]
fn everybody_ends_with_shares_of_the_same_keys() {
    for n in [2, 3, 4, 7] {
        let keys = keys(n, 21);
        for (i, output) in keys.outputs.iter().enumerate() {
            assert_eq!(output.public, keys.outputs[0].public, "n = {n}");
            assert_eq!(output.transcript, output.public.transcript);
            assert_eq!(output.keys[0].member().index(), i);
            assert_eq!(output.coin.member().index(), i);
        }
        let secrets: alloc::collections::BTreeSet<_> = keys
            .outputs
            .iter()
            .map(|o| o.keys[0].to_secret_bytes().to_vec())
            .collect();
        assert_eq!(secrets.len(), n);
        let other = self::keys(n, 22);
        assert_ne!(other.outputs[0].transcript, keys.outputs[0].transcript);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn order_and_repetition_make_no_difference(seed in any::<u64>()) {
        let mut net = Net::new(4);
        let mut rng = rng(seed);
        let mut flying: Vec<(MemberId, DkgEnvelope)> = Vec::new();
        loop {
            for envelope in core::mem::take(&mut net.queue) {
                flying.extend(receivers(&envelope, 4).into_iter().map(|to| (to, envelope.clone())));
            }
            if flying.is_empty() {
                break;
            }
            let pick = usize::try_from(rng.next_u64() % u64::try_from(flying.len()).unwrap()).unwrap();
            let (to, envelope) = flying.swap_remove(pick);
            if rng.next_u32().is_multiple_of(4) {
                flying.push((to, envelope.clone()));
            }
            // Through the wire form.
            let envelope = DkgEnvelope::from_bytes(&envelope.to_bytes()).unwrap();
            net.queue.extend(net.sides[to.index()].handle(envelope).unwrap());
        }
        let outputs: Vec<_> = net.sides.iter_mut().map(|s| s.take_output().unwrap().public).collect();
        prop_assert!(outputs.windows(2).all(|w| w[0] == w[1]));
    }

    #[test]
    fn bytes_that_are_no_envelope_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(envelope) = DkgEnvelope::from_bytes(&bytes) {
            prop_assert_eq!(&envelope.to_bytes(), &bytes);
        }
        let mut framed = [&[1u8][..], &[7; 32], &[0, 1, 0xff, 0xff, 1]].concat();
        framed.extend(bytes);
        if let Ok(envelope) = DkgEnvelope::from_bytes(&framed) {
            prop_assert_eq!(&envelope.to_bytes(), &framed);
        }
    }

    /// A signed Commit, Echo or Share of any content ends the run with its sender named, or changes nothing.
    #[test]
    fn no_body_breaks_the_receiver(body in proptest::collection::vec(any::<u8>(), 0..500), step in 0..3usize) {
        let step = [DkgStep::Commit, DkgStep::Echo, DkgStep::Share][step];
        let (culprit, _) = Net::culprit(4, &mut |net, envelope, _| {
            if envelope.from == CHEAT && envelope.step == step {
                [net.resign(envelope, body.clone())].into()
            } else {
                [envelope.clone()].into()
            }
        });
        prop_assert_eq!(culprit, CHEAT);
    }
}

#[test]
fn malformed_commits_name_their_sender() {
    let part = DkgPart::Envelope(DkgStep::Commit);
    let malformed = |part| (CHEAT, DkgFault::Malformed { part });
    assert_eq!(
        altered_commit(|b| b[1..].to_vec()),
        (CHEAT, DkgFault::Setup)
    );
    assert_eq!(altered_commit(|b| flip(b, 0)), (CHEAT, DkgFault::Setup));
    assert_eq!(
        altered_commit(|b| b[..b.len() - 1].to_vec()),
        malformed(part)
    );
    assert_eq!(altered_commit(|b| [b, &[0]].concat()), malformed(part));
    let spoil = |at: usize| {
        altered_commit(move |b| {
            let mut body = b.to_vec();
            body[at..at + 32].fill(0xff);
            body
        })
    };
    assert_eq!(spoil(32), malformed(part));
    assert_eq!(
        spoil(FROST_AT + 32),
        malformed(DkgPart::Suite(Suite::Ed25519))
    );
    assert_eq!(spoil(COIN_AT), malformed(DkgPart::Coin));
}

#[test]
fn wrong_proofs_of_knowledge_name_their_sender() {
    let suite = DkgPart::Suite(Suite::Ed25519);
    let proof = |part| (CHEAT, DkgFault::Proof { part });
    assert_eq!(
        altered_commit(|b| flip(b, FROST_PROOF_AT + 32)),
        proof(suite)
    );
    assert_eq!(
        altered_commit(|b| flip(b, COIN_PROOF_AT)),
        proof(DkgPart::Coin)
    );
    assert_eq!(
        altered_commit(|b| flip(b, COIN_PROOF_AT + 32)),
        proof(DkgPart::Coin)
    );
    // The constant term of somebody else, proof and all: the proofs are bound to the member.
    let stolen = Net::new(4).sides[0].sent()[0].body.clone();
    let steal = |from: usize, to: usize| {
        let stolen = stolen.clone();
        altered_commit(move |b| [&b[..from], &stolen[from..to], &b[to..]].concat())
    };
    assert_eq!(steal(FROST_AT, COIN_AT), proof(suite));
    assert_eq!(steal(COIN_AT, COIN_PROOF_AT + 64), proof(DkgPart::Coin));
}

#[test]
fn two_commits_to_one_member_are_a_contradiction() {
    let (culprit, fault) = Net::culprit(4, &mut |net, envelope, _| {
        let mut deliver = Vec::from([envelope.clone()]);
        if envelope.from == CHEAT && envelope.step == DkgStep::Commit {
            let other = other_commit(net);
            deliver.push(net.resign(envelope, other));
        }
        deliver
    });
    assert_eq!(culprit, CHEAT);
    let DkgFault::Contradiction { first, second } = fault else {
        panic!("{fault}");
    };
    assert_ne!(first.body, second.body);
    assert_eq!((first.from, second.from), (CHEAT, CHEAT));
}

/// The body of a sound Commit of the cheat from another start.
fn other_commit(net: &Net) -> Vec<u8> {
    let (sides, _) = start_dkg(&net.identities, &mut rng(99));
    sides[CHEAT.index()].sent()[0].body.clone()
}

#[test]
fn different_commits_to_different_members_are_found_by_the_echo() {
    let (culprit, fault) = Net::culprit(4, &mut |net, envelope, to| {
        if envelope.from == CHEAT && envelope.step == DkgStep::Commit && to == MemberId(1) {
            let other = other_commit(net);
            [net.resign(envelope, other)].into()
        } else {
            [envelope.clone()].into()
        }
    });
    assert_eq!(culprit, CHEAT);
    let DkgFault::TwoCommits {
        held,
        other_hash,
        other_signature,
    } = fault
    else {
        panic!("{fault}");
    };
    // The evidence convinces a third party.
    let key = Net::new(4).identities[CHEAT.index()].public();
    assert_ne!(held.body_hash(), other_hash);
    assert!(verify_dkg(&key, held.digest(), &held.signature).is_ok());
    let digest = held.digest_with_body(other_hash);
    assert!(verify_dkg(&key, digest, &other_signature).is_ok());
}

fn altered_echo(alter: impl Fn(&[u8]) -> Vec<u8>) -> (MemberId, DkgFault) {
    Net::culprit(4, &mut |net, envelope, _| {
        if envelope.from == CHEAT && envelope.step == DkgStep::Echo {
            [net.resign(envelope, alter(&envelope.body))].into()
        } else {
            [envelope.clone()].into()
        }
    })
}

#[test]
fn a_false_echo_names_the_one_who_sent_it() {
    let about = MemberId(3);
    assert_eq!(
        altered_echo(|b| flip(b, 3 * ECHO_ENTRY_BYTES)),
        (CHEAT, DkgFault::FalseEcho { about })
    );
    // About itself, too, if it does not sign it.
    let about = CHEAT;
    assert_eq!(
        altered_echo(|b| flip(b, 2 * ECHO_ENTRY_BYTES)),
        (CHEAT, DkgFault::FalseEcho { about })
    );
    let part = DkgPart::Envelope(DkgStep::Echo);
    let malformed = (CHEAT, DkgFault::Malformed { part });
    assert_eq!(altered_echo(|b| b[..b.len() - 1].to_vec()), malformed);
    assert_eq!(altered_echo(|b| [b, &[0]].concat()), malformed);
    assert_eq!(altered_echo(|_| Vec::new()), malformed);
}

/// The cheat encrypts something else to its receiver.
fn altered_share(alter: impl Fn(&mut Vec<u8>)) -> (MemberId, DkgFault) {
    Net::culprit(4, &mut |net, envelope, to| {
        if envelope.from != CHEAT || envelope.step != DkgStep::Share {
            return [envelope.clone()].into();
        }
        let cheat = &net.sides[CHEAT.index()];
        let receiver = &net.sides[to.index()];
        let key = cheat.channel.public();
        let opened = receiver.channel.open(CHEAT, &key, &envelope.body);
        let mut plain = opened.unwrap().to_vec();
        alter(&mut plain);
        let key = receiver.channel.public();
        let body = cheat.channel.seal(to, &key, &plain).unwrap();
        [net.resign(envelope, body)].into()
    })
}

#[test]
fn wrong_shares_name_their_sender() {
    let suite = DkgPart::Suite(Suite::Ed25519);
    let wrong = |part| (CHEAT, DkgFault::Share { part });
    assert_eq!(altered_share(|p| p[0] ^= 1), wrong(suite));
    assert_eq!(altered_share(|p| p[31] = 0xff), wrong(suite));
    assert_eq!(altered_share(|p| p[32] ^= 1), wrong(DkgPart::Coin));
    assert_eq!(altered_share(|p| p[63] = 0xff), wrong(DkgPart::Coin));
    let part = DkgPart::Envelope(DkgStep::Share);
    let malformed = (CHEAT, DkgFault::Malformed { part });
    assert_eq!(altered_share(|p| p.truncate(63)), malformed);
    assert_eq!(altered_share(|p| p.push(0)), malformed);
    let (culprit, fault) = Net::culprit(4, &mut |net, envelope, _| {
        if envelope.from == CHEAT && envelope.step == DkgStep::Share {
            [net.resign(envelope, flip(&envelope.body, 0))].into()
        } else {
            [envelope.clone()].into()
        }
    });
    assert_eq!((culprit, fault), (CHEAT, DkgFault::Undecryptable));
}

#[test]
fn shares_are_for_their_receiver_only() {
    let mut net = Net::new(4);
    let mut seen = Vec::new();
    let errors = net.run(&mut |_, envelope, _| {
        if envelope.step == DkgStep::Share {
            seen.push(envelope.clone());
        }
        [envelope.clone()].into()
    });
    assert!(errors.is_empty());
    assert_eq!(seen.len(), 12);
    for envelope in seen {
        let key = net.sides[envelope.from.index()].channel.public();
        for side in &net.sides {
            let opened = side.channel.open(envelope.from, &key, &envelope.body);
            assert_eq!(opened.is_some(), Some(side.setup.me) == envelope.to);
        }
    }
}

#[test]
fn envelopes_that_are_not_authentic_change_nothing() {
    let mut net = Net::new(4);
    let mut stranger = rng(5);
    let errors = net.run(&mut |net, envelope, to| {
        let mut forged = Vec::new();
        let mut alter = |f: &dyn Fn(&mut DkgEnvelope)| {
            let mut other = envelope.clone();
            f(&mut other);
            forged.push(other);
        };
        alter(&|e| e.signature.0[0] ^= 1);
        alter(&|e| e.body.push(0));
        alter(&|e| e.session = Digest([8; 32]));
        alter(&|e| e.from = MemberId(4));
        alter(&|e| e.from = to);
        alter(&|e| e.from = MemberId((e.from.0 + 1) % 4));
        alter(&|e| e.to = Some(MemberId(3 - to.0)));
        alter(&|e| e.signature = IdentityKey::generate(&mut rng(1)).sign_dkg(e.digest()));
        let _ = (net, stranger.next_u32());
        forged.push(envelope.clone());
        forged
    });
    assert!(
        errors
            .iter()
            .all(|(_, e)| !e.is_fatal() && e.culprit().is_none())
    );
    // 4 Commits and 4 Echoes to three members each, and 12 Shares.
    assert_eq!(errors.len(), 36 * 8);
    assert!(net.sides.iter_mut().all(|s| s.take_output().is_some()));
}

#[test]
fn nothing_comes_out_while_anybody_is_missing() {
    for (silent_from, phase) in [
        (DkgStep::Commit, Phase::Committing),
        (DkgStep::Echo, Phase::Echoing),
        (DkgStep::Share, Phase::Sharing),
    ] {
        let mut net = Net::new(4);
        let errors = net.run(&mut |_, envelope, _| {
            if envelope.from == CHEAT && envelope.step >= silent_from {
                Vec::new()
            } else {
                [envelope.clone()].into()
            }
        });
        assert!(errors.is_empty());
        for side in net.sides.iter_mut().filter(|s| s.setup.me != CHEAT) {
            assert_eq!(side.phase, phase);
            assert_eq!(side.waiting_for(), [CHEAT]);
            assert!(side.take_output().is_none() && !side.is_finished());
        }
        // The missing envelopes come late, all at once.
        for envelope in net.sides[CHEAT.index()].sent().to_vec() {
            for to in receivers(&envelope, 4) {
                let sent = net.sides[to.index()].handle(envelope.clone()).unwrap();
                net.queue.extend(sent);
            }
        }
        assert!(net.run(&mut |_, e, _| [e.clone()].into()).is_empty());
        // What the silent one sent in answer went through the queue; its own sends are delivered again, harmlessly.
        for envelope in net.sides[CHEAT.index()].sent().to_vec() {
            for to in receivers(&envelope, 4) {
                net.sides[to.index()].handle(envelope.clone()).unwrap();
            }
        }
        assert!(
            net.sides.iter_mut().all(|s| s.take_output().is_some()),
            "{phase:?}"
        );
    }
}

#[test]
fn setups_that_do_not_fit_are_refused() {
    let mut rng = rng(1);
    let keys = identities(4, &mut rng);
    let good = DkgSetup {
        session: Digest([7; 32]),
        me: MemberId(1),
        committee: committee(4),
        members: keys.iter().map(|k| k.public()).collect(),
        suites: [Suite::Ed25519].into(),
    };
    let start = |setup: &DkgSetup| {
        let mut rng: ChaCha20Rng = rng.clone();
        let result = Dkg::new(setup.clone(), keys[1].clone(), &mut rng);
        result.map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(start(&good), Ok(()));
    let mut bad = good.clone();
    bad.me = MemberId(2);
    let error = start(&bad).unwrap_err();
    assert_eq!(
        error,
        "key generation: the identity listed for member 2 is not this node's"
    );
    let mut bad = good.clone();
    bad.members.pop();
    let error = start(&bad).unwrap_err();
    assert_eq!(
        error,
        "key generation: 3 identities, must be 4, one for each member"
    );
    let mut bad = good.clone();
    bad.members[3] = bad.members[0];
    assert!(start(&bad).unwrap_err().contains("belongs to two members"));
    let mut bad = good.clone();
    bad.suites.clear();
    assert!(start(&bad).is_err());
    bad.suites = [Suite::Ed25519, Suite::Ed25519].into();
    assert!(start(&bad).is_err());
    bad.suites = [Suite::Secp256k1Keccak, Suite::Ed25519].into();
    assert!(start(&bad).is_err());
    bad.suites.reverse();
    assert!(start(&bad).is_ok());
    let mut bad = good;
    bad.committee = Committee::new(1, 0).unwrap();
    assert!(start(&bad).unwrap_err().contains("must be at least 2"));
}

#[test]
fn envelopes_are_bounded_and_secrets_are_not_printed() {
    let net = Net::new(4);
    let envelope = &net.sides[0].sent()[0];
    let bytes = envelope.to_bytes();
    assert_eq!(bytes.len(), envelope.body.len() + DKG_ENVELOPE_OVERHEAD);
    for length in 0..bytes.len() {
        assert!(DkgEnvelope::from_bytes(&bytes[..length]).is_err());
    }
    let long = DkgEnvelope {
        body: alloc::vec![0; DKG_BODY_MAX + 1],
        ..envelope.clone()
    };
    let error = DkgEnvelope::from_bytes(&long.to_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "dkg length: must be at most 16384");
    assert!(format!("{:?}", net.sides[0]).contains("<redacted>"));
}
