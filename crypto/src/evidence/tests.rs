use std::{string::ToString as _, vec};

use curve25519_dalek::{constants::EIGHT_TORSION, edwards::CompressedEdwardsY};
use proptest::prelude::*;
use touchstone_types::{
    FeedName, FeedSpec, HEADER_BYTES, Market, Member, MemberSignature, NonceCommitments,
    SessionSigner, Statement, commit_body, sha256,
};

use super::*;
use crate::{
    IdentityKey, NonceStore, Nonces,
    testing::{Keys, keys, rng, statement},
};

const ROUND: u64 = 77;

/// A committee with keys, and what a judge knows of it.
struct World {
    keys: Keys,
    identities: Vec<IdentityKey>,
    manifest: Manifest,
    record: EpochRecord,
    network: NetworkId,
    judge: EvidenceJudge,
}

impl World {
    fn new(n: usize, seed: u64) -> Self {
        let keys = keys(n, seed);
        let mut rng = rng(seed + 1);
        let identities: Vec<_> = (0..n).map(|_| IdentityKey::generate(&mut rng)).collect();
        let manifest = manifest(&identities, keys.committee.f());
        let record = keys.outputs[0].public.clone();
        let record = record.into_record(Epoch(0), manifest.hash());
        let network = NetworkId(manifest.hash());
        Self {
            judge: EvidenceJudge::new(network, &manifest, &record).unwrap(),
            keys,
            identities,
            manifest,
            record,
            network,
        }
    }

    fn statement(&self) -> Statement {
        Statement {
            network: self.network,
            ..statement(ROUND)
        }
    }

    /// Fresh nonces of some members and the session of their commitments.
    fn session(&self, members: &[usize], seed: u64) -> (Vec<Nonces>, SigningSession) {
        let mut rng = rng(seed);
        let mut nonces = Vec::new();
        let mut signers = Vec::new();
        for i in members {
            let share = &self.keys.outputs[*i].keys[0];
            let mut store = NonceStore::new(&mut rng);
            let (id, commitments) = store.fresh(share, &mut rng);
            nonces.push(store.take(id).unwrap());
            signers.push(SessionSigner {
                member: share.member(),
                nonces: vec![commitments],
            });
        }
        let statement = self.statement();
        (nonces, SigningSession { statement, signers })
    }

    /// What an honest member answers in a session.
    fn honest(
        &self,
        member: usize,
        nonces: Nonces,
        session: &SigningSession,
    ) -> Result<Vec<u8>, SignError> {
        let keys = &self.keys.public;
        let prepared = prepare(keys, session).map_err(|refusal| match refusal {
            EvidenceRefusal::Unusable { error, .. } => error,
            other => panic!("{other}"),
        })?;
        let share = prepared.sign(&self.keys.outputs[member].keys[0], nonces)?;
        Ok(share.0.to_vec())
    }

    fn header(&self, member: usize, kind: MessageKind, body: &[u8]) -> SignedHeader {
        let header = Header {
            tag: Header::tag(self.network, Epoch(0)),
            kind,
            round: Round(ROUND),
            view: View(2),
            instance: 1,
            member: MemberId(u16::try_from(member).unwrap()),
            body_hash: sha256(&[body]),
        };
        self.sign(member, header)
    }

    fn sign(&self, member: usize, header: Header) -> SignedHeader {
        SignedHeader {
            header,
            signature: self.identities[member].sign_header(&header),
        }
    }

    /// Evidence that this is what a member answered, in a SHARE.
    fn evidence(
        &self,
        member: usize,
        session: &SigningSession,
        shares: Vec<(Suite, Vec<u8>)>,
    ) -> Evidence {
        let body = given(session, shares);
        Evidence::BadShare {
            share: self.header(member, MessageKind::Share, &body),
            body,
            session: session.clone(),
        }
    }

    /// The same in a COMMIT.
    fn commit(
        &self,
        member: usize,
        session: &SigningSession,
        shares: Vec<(Suite, Vec<u8>)>,
    ) -> Evidence {
        let value = Digest([6; 32]);
        let extra = [&given(session, shares)[..], b"nonces"].concat();
        Evidence::BadShare {
            share: self.header(member, MessageKind::Commit, &commit_body(&value, &extra)),
            body: [&value.0[..], &extra].concat(),
            session: session.clone(),
        }
    }

    fn contradiction(&self, member: usize, kind: MessageKind) -> Evidence {
        Evidence::Contradiction {
            first: self.header(member, kind, b"yes"),
            second: self.header(member, kind, b"no"),
        }
    }

    /// A wrong share of the last of a session's members.
    fn bad_share(&self) -> Evidence {
        let (_, session) = self.session(&[0, 1, 2], 5);
        self.evidence(2, &session, vec![(Suite::Ed25519, vec![3; 32])])
    }
}

/// Shares with the session that they are for.
fn given(session: &SigningSession, shares: Vec<(Suite, Vec<u8>)>) -> Vec<u8> {
    let given = SessionShare {
        session: session.digest(),
        shares,
    };
    let mut body = Vec::new();
    SessionShare::write_option(Some(&given), &mut body);
    body
}

fn manifest(identities: &[IdentityKey], f: u16) -> Manifest {
    let name = FeedName::new("BTC-USD").unwrap();
    let member = |(id, key): (u16, &IdentityKey)| Member {
        id: MemberId(id),
        identity: key.public().to_digest(),
        address: "127.0.0.1:1".to_string(),
    };
    Manifest {
        network: "evidence".to_string(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: Round(1),
        first_round_at_ms: 0,
        f,
        suites: vec![Suite::Ed25519],
        members: (0..).zip(identities).map(member).collect(),
        feeds: vec![FeedSpec {
            name,
            exponent: -8,
            sources: vec![Market {
                source: "kraken".to_string(),
                pair: name,
            }],
            min_sources: 1,
            max_quote_age_ms: 60_000,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 1_000,
        }],
    }
}

/// A commitment with a small-order part added to its hiding half.
fn twisted(commitments: &NonceCommitments) -> NonceCommitments {
    let mut bytes = commitments.bytes.clone();
    let point = CompressedEdwardsY::from_slice(&bytes[..32]).unwrap();
    let twisted = point.decompress().unwrap() + EIGHT_TORSION[1];
    bytes[..32].copy_from_slice(twisted.compress().as_bytes());
    NonceCommitments {
        bytes,
        ..*commitments
    }
}

#[test]
fn two_bodies_for_one_slot_are_a_contradiction_in_every_kind_of_message() {
    let world = World::new(4, 1);
    for kind in MessageKind::ALL {
        let evidence = world.contradiction(3, *kind);
        let guilt = world.judge.judge(&evidence).unwrap();
        assert_eq!((guilt.member, guilt.round), (MemberId(3), Round(ROUND)));
        let bytes = evidence.to_bytes();
        assert_eq!(bytes.len(), 292);
        let again = Evidence::from_bytes(&bytes).unwrap();
        assert_eq!(world.judge.judge(&again), Ok(guilt));
    }
    let guilt = world
        .judge
        .judge(&world.contradiction(1, MessageKind::Vote));
    assert_eq!(
        guilt.unwrap().to_string(),
        "member 1 of epoch 0, in round 77, signed two different VOTE messages for one slot (view 2, instance 1)"
    );
}

#[test]
fn headers_of_two_slots_or_of_one_body_are_none() {
    let world = World::new(4, 1);
    let first = world.header(1, MessageKind::Vote, b"yes");
    let other = world.header(1, MessageKind::Vote, b"no").header;
    let mut others = vec![first.header];
    others.push(Header {
        view: View(3),
        ..other
    });
    others.push(Header {
        instance: 2,
        ..other
    });
    others.push(Header {
        round: Round(78),
        ..other
    });
    others.push(Header {
        kind: MessageKind::Ack,
        ..other
    });
    others.push(Header {
        member: MemberId(2),
        ..other
    });
    others.push(Header {
        tag: Digest([9; 32]),
        ..other
    });
    for header in others {
        let second = world.sign(1, header);
        let refusal = world
            .judge
            .judge(&Evidence::Contradiction { first, second });
        let none = EvidenceRefusal::Form(EvidenceError::NoContradiction);
        assert_eq!(refusal, Err(none), "{header:?}");
    }
}

#[test]
fn nobody_is_accused_with_another_ones_signature() {
    let world = World::new(4, 1);
    let Evidence::Contradiction { first, second } = world.contradiction(1, MessageKind::Prepare)
    else {
        panic!()
    };
    let forged = world.sign(2, second.header);
    for (evidence, which) in [
        (
            Evidence::Contradiction {
                first,
                second: forged,
            },
            "second",
        ),
        (
            Evidence::Contradiction {
                first: forged,
                second: first,
            },
            "first",
        ),
    ] {
        let member = MemberId(1);
        let refusal = EvidenceRefusal::Signature { which, member };
        assert_eq!(world.judge.judge(&evidence), Err(refusal));
    }
    let stranger = Header {
        member: MemberId(4),
        ..first.header
    };
    let other = Header {
        member: MemberId(4),
        ..second.header
    };
    let evidence = Evidence::Contradiction {
        first: world.sign(1, stranger),
        second: world.sign(1, other),
    };
    let refusal = EvidenceRefusal::NoMember(MemberId(4));
    assert_eq!(world.judge.judge(&evidence), Err(refusal));
}

#[test]
fn evidence_of_another_network_or_epoch_is_refused() {
    let world = World::new(4, 1);
    let elsewhere = NetworkId(Digest([8; 32]));
    for evidence in [world.contradiction(1, MessageKind::Obs), world.bad_share()] {
        let verdict = |network, manifest: &Manifest, record: &EpochRecord| {
            verify_evidence(&evidence, network, manifest, record)
        };
        verdict(world.network, &world.manifest, &world.record).unwrap();
        let refusal = verdict(elsewhere, &world.manifest, &world.record).unwrap_err();
        assert_eq!(refusal.code(), "unknown-epoch");
        let mut next = world.manifest.clone();
        next.epoch = Epoch(1);
        let refusal = verdict(world.network, &next, &world.record).unwrap_err();
        assert_eq!(refusal.code(), "bad-pin", "another epoch's record");
        let record = EpochRecord {
            epoch: Epoch(1),
            manifest_hash: next.hash(),
            ..world.record.clone()
        };
        let refusal = verdict(world.network, &next, &record).unwrap_err();
        assert_eq!(refusal.code(), "unknown-epoch");
    }
}

/// Such a record is no key generation's; then no share can be judged, but signatures can.
#[test]
fn contradictions_are_judged_without_the_keys_of_the_group() {
    let world = World::new(4, 1);
    let mut record = world.record.clone();
    record.keys[0].verifying_shares[1] = record.keys[0].verifying_shares[2].clone();
    let judge = EvidenceJudge::new(world.network, &world.manifest, &record).unwrap();
    judge
        .judge(&world.contradiction(1, MessageKind::Obs))
        .unwrap();
    let refusal = judge.judge(&world.bad_share()).unwrap_err();
    assert!(matches!(
        refusal,
        EvidenceRefusal::Keys(KeyError::Inconsistent { .. })
    ));
}

#[test]
fn a_wrong_share_is_its_authors() {
    let world = World::new(4, 1);
    let evidence = world.bad_share();
    let guilt = world.judge.judge(&evidence).unwrap();
    let fault = ShareFault::Wrong;
    let (kind, suite) = (MessageKind::Share, Suite::Ed25519);
    assert_eq!(guilt.member, MemberId(2));
    assert_eq!(guilt.offence, Offence::BadShare { kind, suite, fault });
    let again = Evidence::from_bytes(&evidence.to_bytes()).unwrap();
    assert_eq!(world.judge.judge(&again), Ok(guilt));
    // The right share in a session of other nonces is wrong in this one.
    let (mut nonces, one) = world.session(&[0, 1, 2], 5);
    let (_, other) = world.session(&[0, 1, 2], 6);
    let share = world.honest(2, nonces.remove(2), &one).unwrap();
    let shares = vec![(Suite::Ed25519, share)];
    let right = world.evidence(2, &one, shares.clone());
    let innocent = EvidenceRefusal::Innocent(MemberId(2));
    assert_eq!(world.judge.judge(&right), Err(innocent));
    let wrong = world
        .judge
        .judge(&world.evidence(2, &other, shares.clone()));
    assert_eq!(wrong.unwrap().offence, guilt.offence);
    // In a COMMIT as in a SHARE.
    let commit = world.commit(2, &one, shares.clone());
    let innocent = EvidenceRefusal::Innocent(MemberId(2));
    assert_eq!(world.judge.judge(&commit), Err(innocent));
    let commit = world.commit(2, &other, shares.clone());
    let guilt = world.judge.judge(&commit).unwrap();
    let kind = MessageKind::Commit;
    assert_eq!(guilt.offence, Offence::BadShare { kind, suite, fault });
    assert_eq!(
        guilt.offence.to_string(),
        "signed a COMMIT whose ed25519 share is wrong in the session that it names"
    );
    // And one member's is not another's.
    let taken = world.judge.judge(&world.evidence(1, &one, shares));
    assert_eq!(taken.unwrap().member, MemberId(1));
}

#[test]
fn what_is_not_one_share_for_each_suite_is_bad_too() {
    let world = World::new(4, 1);
    let (mut nonces, session) = world.session(&[0, 1, 3], 5);
    let right = world.honest(3, nonces.remove(2), &session).unwrap();
    let (ed, secp) = (Suite::Ed25519, Suite::Secp256k1Keccak);
    let cases = [
        (vec![], ed, ShareFault::Missing),
        (vec![(ed, vec![])], ed, ShareFault::Length(0)),
        (
            vec![(ed, [&right[..], &[0]].concat())],
            ed,
            ShareFault::Length(33),
        ),
        (vec![(ed, vec![0xff; 32])], ed, ShareFault::Wrong),
        (
            vec![(ed, right.clone()), (secp, right)],
            secp,
            ShareFault::Superfluous,
        ),
    ];
    for (shares, suite, fault) in cases {
        let evidence = world.evidence(3, &session, shares);
        let guilt = world.judge.judge(&evidence).unwrap();
        let kind = MessageKind::Share;
        assert_eq!(guilt.offence, Offence::BadShare { kind, suite, fault });
        assert!(!guilt.to_string().is_empty());
    }
}

#[test]
fn in_a_session_that_cannot_be_used_nobody_is_guilty() {
    let world = World::new(4, 1);
    let (_, good) = world.session(&[0, 1, 2], 5);
    let wrong = |session: &SigningSession| {
        let evidence = world.evidence(2, session, vec![(Suite::Ed25519, vec![3; 32])]);
        world.judge.judge(&evidence)
    };
    wrong(&good).unwrap();
    let mut sessions = Vec::new();
    for author in [0, 2] {
        for bytes in [vec![0xff; 64], [vec![1], vec![0; 63]].concat()] {
            let mut session = good.clone();
            session.signers[author].nonces[0].bytes = bytes;
            sessions.push(session);
        }
        let mut session = good.clone();
        session.signers[author].nonces.clear();
        sessions.push(session);
    }
    let mut reordered = good.clone();
    reordered.signers.swap(0, 1);
    let mut twice = good.clone();
    twice.signers[0] = twice.signers[1].clone();
    let mut stranger = good.clone();
    stranger.signers[1].member = MemberId(4);
    stranger.signers.swap(1, 2);
    let mut few = good;
    few.signers.remove(0);
    let (_, many) = world.session(&[0, 1, 2, 3], 5);
    sessions.extend([reordered, twice, stranger, few, many]);
    for session in sessions {
        let refusal = wrong(&session).unwrap_err();
        assert_eq!(refusal.code(), "bad-session", "{refusal}");
    }
}

/// A coordinator, or another signer, that plays with small-order parts gets an honest member's right share or none.
#[test]
fn small_order_parts_frame_nobody_but_their_author() {
    let world = World::new(4, 1);
    let (mut nonces, mut session) = world.session(&[0, 1, 2], 5);
    session.signers[0].nonces[0] = twisted(&session.signers[0].nonces[0]);
    let share = world.honest(2, nonces.remove(2), &session).unwrap();
    let evidence = world.evidence(2, &session, vec![(Suite::Ed25519, share)]);
    let innocent = EvidenceRefusal::Innocent(MemberId(2));
    assert_eq!(world.judge.judge(&evidence), Err(innocent));
    // Its author cannot make a share that fits, and is guilty of whatever it signs.
    let (mut own, mut plain) = world.session(&[0, 1, 2], 5);
    let share = world.honest(0, own.remove(0), &plain).unwrap();
    plain.signers[0].nonces[0] = twisted(&plain.signers[0].nonces[0]);
    let evidence = world.evidence(0, &plain, vec![(Suite::Ed25519, share)]);
    assert_eq!(world.judge.judge(&evidence).unwrap().member, MemberId(0));
    // A coordinator that lists twisted commitments for an honest member is not answered.
    let (mut nonces, mut session) = world.session(&[0, 1, 2], 5);
    session.signers[2].nonces[0] = twisted(&session.signers[2].nonces[0]);
    let answer = world.honest(2, nonces.remove(2), &session);
    assert_eq!(answer, Err(SignError::WrongNonces));
}

#[test]
fn no_bit_of_evidence_can_be_changed() {
    let world = World::new(4, 1);
    let (_, session) = world.session(&[0, 1, 2], 5);
    let commit = world.commit(2, &session, vec![(Suite::Ed25519, vec![3; 32])]);
    let contradiction = world.contradiction(1, MessageKind::Obs);
    for evidence in [contradiction, world.bad_share(), commit] {
        let bytes = evidence.to_bytes();
        world
            .judge
            .judge(&Evidence::from_bytes(&bytes).unwrap())
            .unwrap();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[position] ^= 1 << bit;
                let verdict = Evidence::from_bytes(&bytes).map(|e| world.judge.judge(&e));
                assert!(
                    !matches!(verdict, Ok(Ok(_))),
                    "{} byte {position} bit {bit}",
                    evidence.kind()
                );
            }
        }
        for length in 0..bytes.len() {
            assert!(Evidence::from_bytes(&bytes[..length]).is_err());
        }
        assert!(Evidence::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }
}

/// ZIP-215 takes points with small-order parts, but neither a scalar beyond the order nor another `R`: whoever holds a
/// signature can make no second one of it.
#[test]
fn a_signature_has_no_other_form() {
    let world = World::new(4, 1);
    let Evidence::Contradiction { first, second } = world.contradiction(1, MessageKind::Obs) else {
        panic!()
    };
    let mut twisted = first;
    let r = CompressedEdwardsY::from_slice(&first.signature.0[..32]).unwrap();
    let r = r.decompress().unwrap() + EIGHT_TORSION[1];
    twisted.signature.0[..32].copy_from_slice(r.compress().as_bytes());
    let mut beyond = first;
    // The order of the group, little-endian, added to s.
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = hex::decode(order).unwrap();
    let mut carry = 0;
    for (byte, add) in beyond.signature.0[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    for first in [twisted, beyond] {
        let evidence = Evidence::Contradiction { first, second };
        let refusal = world.judge.judge(&evidence).unwrap_err();
        assert_eq!(refusal.code(), "bad-member-signature");
    }
}

#[test]
fn the_same_evidence_has_one_name_whichever_header_comes_first() {
    let world = World::new(4, 1);
    let evidence = world.contradiction(1, MessageKind::Obs);
    let Evidence::Contradiction { first, second } = evidence else {
        panic!()
    };
    let swapped = Evidence::Contradiction {
        first: second,
        second: first,
    };
    assert_eq!(swapped.id(), evidence.id());
    let kept = SignedHeader {
        signature: MemberSignature([7; 64]),
        ..first
    };
    let other = Evidence::Contradiction {
        first: kept,
        second,
    };
    assert_ne!(other.id(), evidence.id());
    assert_eq!(SignedHeader::BYTES, HEADER_BYTES + 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the others in the session put there that decodes, an honest member's share does not speak against it.
    #[test]
    fn an_honest_share_is_never_evidence(seed in any::<u32>(), out in 0usize..4, me in 0usize..3, twist in any::<[bool; 3]>()) {
        let world = World::new(4, 1);
        let members: Vec<usize> = (0..4).filter(|m| *m != out).collect();
        let (mut nonces, mut session) = world.session(&members, seed.into());
        for (position, twist) in twist.into_iter().enumerate() {
            if twist && position != me {
                session.signers[position].nonces[0] = twisted(&session.signers[position].nonces[0]);
            }
        }
        let share = world.honest(members[me], nonces.remove(me), &session).unwrap();
        let evidence = world.evidence(members[me], &session, vec![(Suite::Ed25519, share)]);
        let innocent = MemberId(u16::try_from(members[me]).unwrap());
        prop_assert_eq!(world.judge.judge(&evidence), Err(EvidenceRefusal::Innocent(innocent)));
    }
}
