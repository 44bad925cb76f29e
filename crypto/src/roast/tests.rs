use super::*;
use crate::{
    FrostScheme, NonceStore, SignTarget, SignatureShare, SignerSet, sign,
    testing::{keys, rng, statement},
};
use proptest::prelude::*;
use rand_chacha::rand_core::RngCore;
use touchstone_types::Suite;

/// Shares that say themselves whether they are right.
struct Symbolic;

type Commitment = (u16, u32);

#[derive(Clone, PartialEq, Debug)]
struct Symbol {
    by: MemberId,
    for_signers: Vec<(MemberId, Commitment)>,
    honest: bool,
}

impl ShareScheme for Symbolic {
    type Commitments = Commitment;
    type Share = Symbol;
    type Signature = ();

    fn verify_share(
        &self,
        signers: &[(MemberId, Commitment)],
        member: MemberId,
        share: &Symbol,
    ) -> bool {
        share.honest && share.by == member && share.for_signers == signers
    }

    fn aggregate(
        &self,
        signers: &[(MemberId, Commitment)],
        shares: &[(MemberId, Symbol)],
    ) -> Result<(), Vec<MemberId>> {
        let lied = |(m, s): &&(MemberId, Symbol)| !self.verify_share(signers, *m, s);
        let culprits: Vec<_> = shares.iter().filter(lied).map(|(m, _)| *m).collect();
        if culprits.is_empty() {
            Ok(())
        } else {
            Err(culprits)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Behaviour {
    Honest,
    /// Never says anything, not even that it is ready.
    Absent,
    /// Is ready, and then answers nothing.
    Silent,
    /// Answers wrongly, always.
    Liar,
    /// Answers rightly at first, then wrongly.
    LateLiar,
    /// Answers rightly once, without a next commitment.
    Quitter,
    /// Offers a commitment again that it used before.
    Reuser,
}

enum Message {
    Ready(MemberId, Commitment),
    Request(MemberId, SessionId, Vec<(MemberId, Commitment)>),
    Share(SessionId, MemberId, Symbol, Option<Commitment>),
}

#[derive(Default)]
struct Outcome {
    sessions: usize,
    done: bool,
    blamed: Vec<MemberId>,
}

/// Drives a coordinator over a network that delivers in any order, and some messages twice.
fn simulate(behaviours: &[Behaviour], threshold: usize, seed: u64) -> Outcome {
    let mut rng = rng(seed);
    let mut roast = Roast::new(Symbolic, threshold);
    let mut counters = alloc::vec![0u32; behaviours.len()];
    let mut network = Vec::new();
    let mut outcome = Outcome::default();
    let mut used = BTreeSet::new();
    for (i, behaviour) in (0u16..).zip(behaviours) {
        if *behaviour != Behaviour::Absent {
            network.push(Message::Ready(MemberId(i), (i, 0)));
        }
    }
    while !network.is_empty() {
        let pick = usize::try_from(rng.next_u64() % u64::try_from(network.len()).unwrap()).unwrap();
        let message = network.swap_remove(pick);
        let twice = rng.next_u32().is_multiple_of(8);
        let outputs = match message {
            Message::Ready(member, commitment) => roast.ready(member, commitment),
            Message::Share(id, member, share, next) => {
                if twice {
                    network.push(Message::Share(id, member, share.clone(), next));
                }
                roast.share(id, member, share, next)
            }
            Message::Request(member, id, signers) => {
                let behaviour = behaviours[member.index()];
                let counter = &mut counters[member.index()];
                let first = *counter == 0;
                *counter += 1;
                if behaviour == Behaviour::Silent || (behaviour == Behaviour::Quitter && !first) {
                    continue;
                }
                let next = match behaviour {
                    Behaviour::Quitter => None,
                    Behaviour::Reuser => Some((member.0, 0)),
                    _ => Some((member.0, *counter)),
                };
                let honest = match behaviour {
                    Behaviour::Liar => false,
                    Behaviour::LateLiar => first,
                    _ => true,
                };
                let symbol = Symbol {
                    by: member,
                    for_signers: signers,
                    honest,
                };
                network.push(Message::Share(id, member, symbol, next));
                continue;
            }
        };
        for output in outputs {
            match output {
                RoastOutput::Session { id, signers } => {
                    assert_eq!(usize::from(id.0), outcome.sessions);
                    outcome.sessions += 1;
                    assert_eq!(signers.len(), threshold);
                    for (member, commitment) in &signers {
                        assert_eq!(member.0, commitment.0);
                        assert!(used.insert(*commitment), "{commitment:?} used twice");
                        network.push(Message::Request(*member, id, signers.clone()));
                    }
                }
                RoastOutput::Done(()) => {
                    assert!(!outcome.done);
                    outcome.done = true;
                }
                RoastOutput::Blame(blame) => outcome.blamed.push(blame.member),
            }
        }
    }
    assert_eq!(roast.sessions(), outcome.sessions);
    assert_eq!(roast.is_done(), outcome.done);
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_f_faulty_members_cost_at_most_f_further_sessions(
        f in 0usize..6,
        extra in 0usize..3,
        kinds in proptest::collection::vec(1usize..7, 6),
        places in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let n = 3 * f + 1 + extra;
        let faulty = [
            Behaviour::Absent, Behaviour::Silent, Behaviour::Liar,
            Behaviour::LateLiar, Behaviour::Quitter, Behaviour::Reuser,
        ];
        let mut behaviours = alloc::vec![Behaviour::Honest; n];
        for (i, kind) in kinds.iter().take(f).enumerate() {
            let start = usize::try_from(places % u64::try_from(n).unwrap()).unwrap();
            behaviours[(start + 2 * i) % n] = faulty[kind - 1];
        }
        let outcome = simulate(&behaviours, n - f, seed);
        prop_assert!(outcome.done);
        prop_assert!(outcome.sessions <= f + 1, "{} sessions", outcome.sessions);
        for member in outcome.blamed {
            let behaviour = behaviours[member.index()];
            prop_assert!(matches!(behaviour, Behaviour::Liar | Behaviour::LateLiar), "{:?}", behaviour);
        }
    }
}

#[test]
fn with_more_than_f_silent_members_nothing_is_signed() {
    let mut behaviours = [Behaviour::Honest; 7];
    behaviours[..3].fill(Behaviour::Silent);
    for seed in 0..50 {
        assert!(!simulate(&behaviours, 5, seed).done);
    }
}

#[test]
fn repeated_late_and_unexpected_answers_are_nobodys_fault() {
    let mut roast = Roast::new(Symbolic, 2);
    assert!(roast.ready(MemberId(0), (0, 0)).is_empty());
    let opened = roast.ready(MemberId(1), (1, 0));
    let signers = Vec::from([(MemberId(0), (0, 0)), (MemberId(1), (1, 0))]);
    let id = SessionId(0);
    let session = RoastOutput::Session {
        id,
        signers: signers.clone(),
    };
    assert_eq!(opened, [session]);
    let symbol = |by: u16, honest| Symbol {
        by: MemberId(by),
        for_signers: signers.clone(),
        honest,
    };
    // Not a signer, an unknown session, and an offer out of turn.
    assert!(
        roast
            .share(id, MemberId(2), symbol(2, false), None)
            .is_empty()
    );
    assert!(
        roast
            .share(SessionId(9), MemberId(1), symbol(1, false), None)
            .is_empty()
    );
    assert!(roast.ready(MemberId(1), (1, 1)).is_empty());
    assert!(
        roast
            .share(id, MemberId(0), symbol(0, true), None)
            .is_empty()
    );
    // A second answer, even a wrong one, changes nothing.
    assert!(
        roast
            .share(id, MemberId(0), symbol(0, false), None)
            .is_empty()
    );
    let done = roast.share(id, MemberId(1), symbol(1, true), None);
    assert_eq!(done, [RoastOutput::Done(())]);
    assert!(
        roast
            .share(id, MemberId(1), symbol(1, true), None)
            .is_empty()
    );
    assert!(roast.ready(MemberId(2), (2, 0)).is_empty());
    assert_eq!(roast.excluded().count(), 0);
}

/// The same with real shares: member 2 of 4 lies.
#[test]
fn real_shares_settle_and_the_liar_is_named() {
    let keys = keys(4, 5);
    let mut rng = rng(5);
    let statement = statement(1);
    let target = SignTarget::Statement(&statement);
    let scheme = FrostScheme::new(keys.public.clone(), &target);
    let mut roast = Roast::new(scheme, keys.committee.signing_threshold());
    let mut stores: Vec<NonceStore> = (0..4).map(|_| NonceStore::new(&mut rng)).collect();
    let mut held = alloc::vec![None; 4];
    let mut outputs = VecDeque::new();
    let mut fresh =
        |i: usize, held: &mut Vec<Option<crate::NonceId>>, stores: &mut Vec<NonceStore>| {
            let share = &keys.outputs[i].keys[0];
            let (id, commitments) = stores[i].fresh(share, &mut rng);
            held[i] = Some(id);
            crate::Commitments::decode(Suite::Ed25519, share.member(), &commitments.bytes).unwrap()
        };
    for i in 0..4 {
        let commitments = fresh(i, &mut held, &mut stores);
        outputs.extend(roast.ready(MemberId(u16::try_from(i).unwrap()), commitments));
    }
    let mut blamed = Vec::new();
    let mut signature = None;
    while let Some(output) = outputs.pop_front() {
        match output {
            RoastOutput::Session { id, signers } => {
                let set = SignerSet::from_decoded(Suite::Ed25519, &signers).unwrap();
                for (member, _) in &signers {
                    let i = member.index();
                    let nonces = stores[i].take(held[i].take().unwrap()).unwrap();
                    let mut share = sign(&keys.outputs[i].keys[0], nonces, &set, &target).unwrap();
                    if i == 2 {
                        share = SignatureShare([1; 32]);
                        share.0[31] = 0;
                    }
                    let next = fresh(i, &mut held, &mut stores);
                    outputs.extend(roast.share(id, *member, share, Some(next)));
                }
            }
            RoastOutput::Blame(blame) => blamed.push(blame.member),
            RoastOutput::Done(done) => signature = Some(done),
        }
    }
    assert_eq!(blamed, [MemberId(2)]);
    assert!(roast.sessions() <= 2);
    let signature = signature.unwrap();
    let key = keys.public.group_key();
    assert_eq!(
        key.verify_statement(&statement, signature.as_bytes()),
        Ok(())
    );
}
