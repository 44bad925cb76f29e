//! The bytes of evidence and of signing sessions: what they are, and what is refused.

use proptest::prelude::*;
use touchstone_types::{
    Committee, DecodeError, Digest, Epoch, Evidence, EvidenceError, Header, MemberId,
    MemberSignature, MessageKind, NetworkId, NonceCommitments, Reader, Round, SessionShare,
    SessionSigner, SignedHeader, SigningSession, Statement, Suite, View, commit_body, sha256,
};

const NETWORK: NetworkId = NetworkId(Digest([1; 32]));
const SUITES: [Suite; 2] = [Suite::Ed25519, Suite::Secp256k1Keccak];

fn statement() -> Statement {
    Statement {
        network: NETWORK,
        epoch: Epoch(3),
        round: Round(77),
        timestamp_ms: 1_790_000_000_123,
        feed_count: 12,
        feeds_root: Digest([2; 32]),
        observations_root: Digest([3; 32]),
    }
}

fn header(kind: MessageKind, member: u16, body: &[u8]) -> Header {
    Header {
        tag: Header::tag(NETWORK, Epoch(3)),
        kind,
        round: Round(77),
        view: View(2),
        instance: 1,
        member: MemberId(member),
        body_hash: sha256(&[body]),
    }
}

fn signed(header: Header) -> SignedHeader {
    SignedHeader {
        header,
        signature: MemberSignature([5; 64]),
    }
}

fn nonces(suite: Suite) -> NonceCommitments {
    NonceCommitments {
        suite,
        bytes: vec![suite.byte(); suite.commitments_bytes()],
    }
}

fn session(members: &[u16]) -> SigningSession {
    let signer = |member: &u16| SessionSigner {
        member: MemberId(*member),
        nonces: vec![nonces(Suite::Ed25519)],
    };
    SigningSession {
        statement: statement(),
        signers: members.iter().map(signer).collect(),
    }
}

fn body(share: &SessionShare) -> Vec<u8> {
    let mut body = Vec::new();
    SessionShare::write_option(Some(share), &mut body);
    body.extend_from_slice(b"the rest of the body");
    body
}

fn share(session: &SigningSession) -> SessionShare {
    SessionShare {
        session: session.digest(),
        shares: vec![(Suite::Ed25519, vec![4; 32])],
    }
}

/// Parts that belong together; each test breaks one of them.
fn bad_share() -> (Header, Vec<u8>, SigningSession) {
    let session = session(&[0, 1, 3]);
    let body = body(&share(&session));
    (header(MessageKind::Share, 3, &body), body, session)
}

fn evidence((header, body, session): (Header, Vec<u8>, SigningSession)) -> Evidence {
    Evidence::BadShare {
        share: signed(header),
        body,
        session,
    }
}

fn contradiction() -> Evidence {
    Evidence::Contradiction {
        first: signed(header(MessageKind::Vote, 2, b"yes")),
        second: signed(header(MessageKind::Vote, 2, b"no")),
    }
}

#[test]
fn a_contradiction_is_292_bytes_and_says_who_when_and_what() {
    let evidence = contradiction();
    let bytes = evidence.to_bytes();
    assert_eq!(bytes.len(), 292);
    assert_eq!(bytes[..2], [1, 1]);
    let again = Evidence::from_bytes(&bytes).expect("evidence");
    assert_eq!(again.id(), evidence.id());
    assert_eq!(again.to_bytes(), bytes);
    assert_eq!((again.member(), again.round()), (MemberId(2), Round(77)));
    assert_eq!(again.kind(), "contradiction");
    let id = sha256(&[b"touchstone/evi/1", &bytes]);
    assert_eq!(evidence.id(), id);
    assert_eq!(
        again.share(),
        Err(EvidenceError::Mismatch("a share")),
        "it has none"
    );
}

#[test]
fn a_bad_share_carries_what_is_needed_to_check_it() {
    let evidence = evidence(bad_share());
    let bytes = evidence.to_bytes();
    assert_eq!(bytes[..2], [1, 2]);
    // Two bytes, header, signature, length, body, statement, count, three signers of one suite.
    let expected = 2 + 145 + 2 + (1 + 32 + 1 + 34 + 20) + 134 + 2 + 3 * (2 + 1 + 1 + 64);
    assert_eq!(bytes.len(), expected);
    let again = Evidence::from_bytes(&bytes).expect("evidence");
    assert_eq!(again, evidence);
    assert_eq!(again.kind(), "bad_share");
    assert_eq!(again.share(), Ok(share(&session(&[0, 1, 3]))));
}

/// The signed body of a COMMIT holds the hash of what the share stands in.
#[test]
fn a_share_in_a_commit_comes_with_the_value_that_was_voted_for() {
    let session = session(&[0, 1, 3]);
    let (value, extra) = (Digest([7; 32]), body(&share(&session)));
    let header = header(MessageKind::Commit, 3, &commit_body(&value, &extra));
    let commit = |value: [u8; 32], extra: &[u8]| {
        evidence((header, [&value, extra].concat(), session.clone()))
    };
    let good = commit(value.0, &extra);
    assert_eq!(good.check_form(), Ok(()));
    assert_eq!(good.share(), Ok(share(&session)));
    let again = Evidence::from_bytes(&good.to_bytes());
    assert_eq!(again, Ok(good));
    let wrong = Err(EvidenceError::Mismatch("the body"));
    assert_eq!(commit([8; 32], &extra).check_form(), wrong);
    assert_eq!(commit(value.0, &extra[1..]).check_form(), wrong);
    let bare = evidence((header, extra, session.clone()));
    assert_eq!(bare.check_form(), wrong);
    let short = evidence((header, vec![1; 31], session.clone()));
    assert_eq!(short.check_form(), wrong);
}

#[test]
fn headers_that_say_the_same_or_are_of_two_slots_contradict_nothing() {
    let first = header(MessageKind::Vote, 2, b"yes");
    let no = header(MessageKind::Vote, 2, b"no");
    let seconds = [
        first,
        Header {
            view: View(1),
            ..no
        },
        Header { instance: 0, ..no },
        Header {
            round: Round(78),
            ..no
        },
        Header {
            member: MemberId(3),
            ..no
        },
        Header {
            kind: MessageKind::Ack,
            ..no
        },
        Header {
            tag: Digest([0; 32]),
            ..no
        },
    ];
    for second in seconds {
        let evidence = Evidence::Contradiction {
            first: signed(first),
            second: signed(second),
        };
        assert_eq!(evidence.check_form(), Err(EvidenceError::NoContradiction));
        let refusal = Evidence::from_bytes(&evidence.to_bytes());
        assert_eq!(refusal, Err(EvidenceError::NoContradiction));
    }
}

#[test]
fn parts_of_a_bad_share_that_do_not_belong_together_are_named() {
    type Parts = (Header, Vec<u8>, SigningSession);
    type Change = fn(&mut Parts);
    let cases: [(&str, Change); 8] = [
        ("the body", |(_, body, _)| body.push(0)),
        ("the body", |(header, _, _)| header.kind = MessageKind::Obs),
        ("the session", |(_, _, session)| {
            session.signers[0].nonces[0].bytes[0] ^= 1;
        }),
        ("the session", |(_, _, session)| {
            session.statement.timestamp_ms += 1;
        }),
        ("the statement", |(header, _, _)| header.round = Round(78)),
        ("the statement", |(header, _, _)| {
            header.tag = Header::tag(NETWORK, Epoch(4));
        }),
        ("the signer", |(header, _, _)| header.member = MemberId(2)),
        ("a body without a share", |(header, body, _)| {
            *body = vec![0];
            header.body_hash = sha256(&[&*body]);
        }),
    ];
    for (named, change) in cases {
        let mut parts = bad_share();
        change(&mut parts);
        let evidence = evidence(parts);
        assert_eq!(
            evidence.check_form(),
            Err(EvidenceError::Mismatch(named)),
            "{named}"
        );
        assert!(Evidence::from_bytes(&evidence.to_bytes()).is_err());
    }
}

#[test]
fn what_is_no_evidence_is_refused_with_its_field() {
    let field = |bytes: &[u8]| match Evidence::from_bytes(bytes) {
        Err(EvidenceError::Decode(DecodeError::Invalid { field, .. })) => field,
        other => panic!("{other:?}"),
    };
    let mut bytes = contradiction().to_bytes();
    bytes[0] = 2;
    assert_eq!(field(&bytes), "evidence version");
    bytes[..2].copy_from_slice(&[1, 3]);
    assert_eq!(field(&bytes), "evidence kind");
    // A body of more than 1,024 bytes.
    let mut bytes = evidence(bad_share()).to_bytes();
    bytes[147..149].copy_from_slice(&1_025u16.to_be_bytes());
    assert_eq!(field(&bytes), "evidence body length");
    let mut bytes = contradiction().to_bytes();
    bytes[2 + 32] = 200;
    assert_eq!(field(&bytes), "header kind");
}

#[test]
fn bytes_that_end_early_or_go_on_are_refused() {
    for evidence in [contradiction(), evidence(bad_share())] {
        let bytes = evidence.to_bytes();
        for length in 0..bytes.len() {
            assert!(Evidence::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Evidence::from_bytes(&longer).is_err());
    }
}

#[test]
fn a_session_is_well_formed_with_exactly_the_threshold_in_ascending_order() {
    let committee = Committee::new(4, 1).expect("a committee");
    for (members, well_formed) in [
        (&[0, 1, 2][..], true),
        (&[0, 1, 3], true),
        (&[0, 1], false),
        (&[0, 1, 2, 3], false),
        (&[1, 0, 2], false),
        (&[0, 1, 1], false),
        (&[0, 1, 4], false),
        (&[], false),
    ] {
        let formed = session(members).well_formed(committee);
        assert_eq!(formed, well_formed, "{members:?}");
    }
    let session = session(&[0, 2, 3]);
    assert_eq!(
        session.signer(MemberId(2)).map(|s| s.member),
        Some(MemberId(2))
    );
    assert_eq!(session.signer(MemberId(1)), None);
}

#[test]
fn shares_must_be_of_known_suites_in_order() {
    let shares = |suites: &[Suite]| {
        let given = SessionShare {
            session: Digest([6; 32]),
            shares: suites.iter().map(|s| (*s, vec![1; 32])).collect(),
        };
        let mut bytes = Vec::new();
        SessionShare::write_option(Some(&given), &mut bytes);
        SessionShare::read_option(&mut Reader::new(&bytes))
    };
    assert!(shares(&[]).is_ok());
    assert!(shares(&SUITES).is_ok());
    assert!(shares(&[SUITES[1], SUITES[0]]).is_err());
    assert!(shares(&[SUITES[0], SUITES[0]]).is_err());
    let mut none = Vec::new();
    SessionShare::write_option(None, &mut none);
    assert_eq!(none, [0]);
    assert_eq!(SessionShare::read_option(&mut Reader::new(&none)), Ok(None));
    assert!(SessionShare::read_option(&mut Reader::new(&[2])).is_err());
}

prop_compose! {
    fn any_session()(
        members in proptest::collection::vec((any::<u16>(), 0usize..4), 0..6),
        round in any::<u64>(),
    ) -> SigningSession {
        let signer = |(member, suites): (u16, usize)| SessionSigner {
            member: MemberId(member),
            nonces: SUITES.iter().enumerate().filter(|(i, _)| suites >> i & 1 == 1).map(|(_, s)| nonces(*s)).collect(),
        };
        SigningSession {
            statement: Statement { round: Round(round), ..statement() },
            signers: members.into_iter().map(signer).collect(),
        }
    }
}

proptest! {
    #[test]
    fn sessions_survive_the_way(session in any_session()) {
        let bytes = session.to_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(SigningSession::read(&mut reader), Ok(session));
        prop_assert_eq!(reader.remaining(), 0);
    }

    /// Two sessions of one name would let a right share look wrong.
    #[test]
    fn different_sessions_have_different_names(one in any_session(), other in any_session()) {
        prop_assert_eq!(one == other, one.digest() == other.digest());
    }

    #[test]
    fn shares_survive_the_way(session: [u8; 32], lengths in proptest::collection::vec(0usize..256, 0..3)) {
        let shares = SUITES.into_iter().zip(lengths).map(|(suite, length)| (suite, vec![7; length]));
        let given = Some(SessionShare { session: Digest(session), shares: shares.collect() });
        let mut bytes = Vec::new();
        SessionShare::write_option(given.as_ref(), &mut bytes);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(SessionShare::read_option(&mut reader), Ok(given));
        prop_assert_eq!(reader.remaining(), 0);
    }

    /// Nothing panics, and what is taken says the same after another turn.
    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in proptest::collection::vec(any::<u8>(), 0..700), kind in 1u8..3) {
        if let [version, second, ..] = &mut bytes[..] {
            (*version, *second) = (1, kind);
        }
        if let Ok(evidence) = Evidence::from_bytes(&bytes) {
            let again = Evidence::from_bytes(&evidence.to_bytes());
            prop_assert_eq!(again.map(|e| e.id()), Ok(evidence.id()));
        }
    }

    #[test]
    fn changed_bytes_are_refused_or_read(at in 0usize..700, xor in 1u8.., share: bool) {
        let evidence = if share { evidence(bad_share()) } else { contradiction() };
        let mut bytes = evidence.to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= xor;
        if let Ok(changed) = Evidence::from_bytes(&bytes) {
            // What may change is what only a key can tell: signatures, and hashes and slots that stay alike.
            prop_assert_ne!(changed.id(), evidence.id());
        }
    }
}

#[test]
fn a_commit_is_judged_by_what_its_signed_body_holds_the_hash_of() {
    let session = session(&[0, 1, 3]);
    let extra = body(&share(&session));
    let value = sha256(&[b"value"]);
    let signed_body = commit_body(&value, &extra);
    let whole = [value.0.as_slice(), &extra].concat();
    let header = header(MessageKind::Commit, 3, &signed_body);
    let good = evidence((header, whole.clone(), session.clone()));
    assert_eq!(good.check_form(), Ok(()));
    assert_eq!(good.share(), Ok(share(&session)));
    assert_eq!(Evidence::from_bytes(&good.to_bytes()).as_ref(), Ok(&good));
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 1;
        let bent = evidence((header, other, session.clone()));
        assert_eq!(bent.check_form(), Err(EvidenceError::Mismatch("the body")));
    }
    let short = evidence((header, whole[..31].to_vec(), session));
    assert_eq!(short.check_form(), Err(EvidenceError::Mismatch("the body")));
}
