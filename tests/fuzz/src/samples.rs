//! Valid bytes for every decoder: what mutations start from, and a fuzzer's first corpus.

use touchstone_consensus::Message;
use touchstone_crypto::dkg::{DkgEnvelope, DkgStep};
use touchstone_types::{
    Attestation, Committee, Decimal, Digest, Epoch, EpochRecord, Evidence, FeedName,
    FeedObservation, FeedSpec, Header, Leaf, Manifest, Market, Member, MemberId, MemberSignature,
    MessageKind, NetworkId, NonceCommitments, Observation, Pin, PriceUpdate, Reader, Round, SUITES,
    SessionShare, SessionSigner, SignedHeader, SignedObservation, SigningSession, Statement,
    Status, Suite, SuiteKeys, View, canonical_json, merkle, read_nonces, sha256, write_nonces,
};

use crate::inputs;

/// Valid bytes.
pub struct Sample {
    /// The name of their entry point in [`crate::DECODERS`].
    pub decoder: &'static str,
    /// The bytes as the entry point takes them.
    pub bytes: Vec<u8>,
    /// Whether bytes are read without an error.
    pub accepted: fn(&[u8]) -> bool,
}

/// At least one sample for each decoder.
pub fn all() -> Vec<Sample> {
    let mut samples = messages();
    let mut add = |decoder, bytes, accepted| {
        samples.push(Sample {
            decoder,
            bytes,
            accepted,
        });
    };
    let attestation = attestation(5);
    let plain = Attestation {
        observations: Vec::new(),
        ..attestation.clone()
    };
    let signed: fn(&[u8]) -> bool = |b| Attestation::from_bytes(b).is_ok();
    add("attestation", attestation.to_bytes(), signed);
    add("attestation", plain.to_bytes(), signed);
    for indices in [&[0_u16][..], &[1, 3, 4]] {
        let update = attestation
            .update(Suite::Ed25519, indices)
            .expect("leaves that are there");
        add("update", update.to_bytes(), |b| {
            PriceUpdate::from_bytes(b).is_ok()
        });
    }
    let observation = observation(3);
    add("observation", observation.to_bytes(), |b| {
        Observation::from_bytes(b).is_ok()
    });
    let statement = attestation.statement;
    add("statement", statement.to_bytes().to_vec(), |b| {
        Statement::from_bytes(b).is_ok()
    });
    let header = header(MessageKind::Share, 1);
    add("header", header.to_bytes().to_vec(), |b| {
        Header::read(&mut Reader::new(b)).is_ok()
    });
    add("leaf", attestation.leaves[0].to_bytes().to_vec(), |b| {
        Leaf::read(&mut Reader::new(b)).is_ok()
    });
    let mut nonces = Vec::new();
    write_nonces(&observation.nonces, &mut nonces);
    add("nonces", nonces, |b| {
        read_nonces(&mut Reader::new(b)).is_ok()
    });
    let session = session(statement);
    add("session", session.to_bytes(), |b| {
        SigningSession::read(&mut Reader::new(b)).is_ok()
    });
    let mut share = Vec::new();
    SessionShare::write_option(Some(&answer(&session)), &mut share);
    add("share", share.clone(), |b| {
        SessionShare::read_option(&mut Reader::new(b)).is_ok()
    });
    for evidence in evidence(&session, &share) {
        add("evidence", evidence.to_bytes(), |b| {
            Evidence::from_bytes(b).is_ok()
        });
    }
    let envelope = DkgEnvelope {
        session: Digest([1; 32]),
        from: MemberId(0),
        to: Some(MemberId(2)),
        step: DkgStep::Commit,
        body: vec![5; 200],
        signature: MemberSignature([3; 64]),
    };
    add("envelope", envelope.to_bytes(), |b| {
        DkgEnvelope::from_bytes(b).is_ok()
    });
    let (manifest, record) = (manifest(), record());
    add("manifest", json(&manifest), |b| {
        Manifest::from_json(b).is_ok()
    });
    add("record", json(&record), |b| {
        serde_json::from_slice::<EpochRecord>(b).is_ok()
    });
    let pin = Pin {
        genesis_manifest: manifest,
        genesis_record: record,
        later: Vec::new(),
    };
    add("pin", json(&pin), |b| Pin::from_json(b).is_ok());
    add("feed_name", b"BTC-USD".to_vec(), |b| {
        FeedName::new(&String::from_utf8_lossy(b)).is_ok()
    });
    for number in [
        "-12.345",
        "0",
        "1e-7",
        "170141183460469231731687303715884105727",
    ] {
        add("decimal", number.as_bytes().to_vec(), |b| {
            Decimal::parse(&String::from_utf8_lossy(b)).is_ok()
        });
    }
    samples
}

fn json<T: serde::Serialize>(thing: &T) -> Vec<u8> {
    canonical_json(thing).expect("integers, text and lists")
}

fn messages() -> Vec<Sample> {
    fn accepted(bytes: &[u8]) -> bool {
        let Some((from, bytes)) = bytes.split_first_chunk() else {
            return false;
        };
        Message::from_bytes(Digest([7; 32]), MemberId(u16::from_be_bytes(*from)), bytes).is_ok()
    }
    let mut samples = Vec::new();
    for (from, bytes) in inputs::messages() {
        let behind_sender = [&from.0.to_be_bytes(), bytes.as_slice()].concat();
        // Kind, round and presence are 10 bytes, an empty list of observations 2.
        if let (Some(130), Some(value)) =
            (bytes.first(), bytes.get(10..bytes.len().saturating_sub(2)))
            && bytes.ends_with(&[0, 0])
        {
            samples.push(Sample {
                decoder: "value",
                bytes: value.to_vec(),
                accepted: |_| true,
            });
        }
        samples.push(Sample {
            decoder: "message",
            bytes: behind_sender,
            accepted,
        });
    }
    // Two contributors and no session.
    let mut value = vec![0, 2];
    for member in [0, 3] {
        value.extend_from_slice(&[0, member]);
        value.extend_from_slice(&[member; 32]);
    }
    value.push(0);
    samples.push(Sample {
        decoder: "value",
        bytes: value,
        accepted: |_| true,
    });
    samples
}

fn commitments(byte: u8) -> Vec<NonceCommitments> {
    let of = |suite: Suite| NonceCommitments {
        suite,
        bytes: vec![byte; suite.commitments_bytes()],
    };
    SUITES.into_iter().map(of).collect()
}

fn observation(feeds: u16) -> Observation {
    let feed = |feed_index| FeedObservation {
        feed_index,
        status: Status::OK,
        mantissa: -5,
        trade_time_ms: 9,
    };
    Observation {
        timestamp_ms: 1,
        feeds: (0..feeds).map(feed).collect(),
        nonces: commitments(4),
    }
}

fn header(kind: MessageKind, member: u16) -> Header {
    Header {
        tag: Header::tag(NetworkId(Digest([5; 32])), Epoch(0)),
        kind,
        round: Round(7),
        view: View(0),
        instance: 0,
        member: MemberId(member),
        body_hash: Digest([6; 32]),
    }
}

fn attestation(feeds: u16) -> Attestation {
    let leaf = |number: u16| Leaf {
        feed: FeedName::new(&format!("F{number}-USD")).expect("a name"),
        status: Status::OK,
        exponent: -8,
        price: 5,
        low: 4,
        high: 6,
        observed_at_ms: 3,
        observers: 3,
    };
    let leaves: Vec<_> = (0..feeds).map(leaf).collect();
    let signed = |member| {
        let body = observation(feeds).to_bytes();
        let header = Header {
            body_hash: sha256(&[&body]),
            ..header(MessageKind::Obs, member)
        };
        SignedObservation {
            header,
            signature: MemberSignature([2; 64]),
            body,
        }
    };
    let observations: Vec<_> = (0..3).map(signed).collect();
    let hashes: Vec<_> = leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    let observed: Vec<_> = observations
        .iter()
        .map(SignedObservation::leaf_hash)
        .collect();
    Attestation {
        statement: Statement {
            network: NetworkId(Digest([5; 32])),
            epoch: Epoch(0),
            round: Round(7),
            timestamp_ms: 1,
            feed_count: feeds,
            feeds_root: merkle::root(&hashes),
            observations_root: merkle::root(&observed),
        },
        signatures: SUITES
            .into_iter()
            .map(|s| (s, vec![1; s.signature_bytes()]))
            .collect(),
        leaves,
        observations,
    }
}

fn session(statement: Statement) -> SigningSession {
    let signer = |member| SessionSigner {
        member: MemberId(member),
        nonces: commitments(8),
    };
    SigningSession {
        statement,
        signers: (0..3).map(signer).collect(),
    }
}

fn answer(session: &SigningSession) -> SessionShare {
    let shares = SUITES
        .into_iter()
        .map(|suite| (suite, vec![7; 32]))
        .collect();
    SessionShare {
        session: session.digest(),
        shares,
    }
}

fn evidence(session: &SigningSession, share: &[u8]) -> [Evidence; 2] {
    let signed = |header| SignedHeader {
        header,
        signature: MemberSignature([1; 64]),
    };
    let first = header(MessageKind::Vote, 2);
    let second = Header {
        body_hash: Digest([9; 32]),
        ..first
    };
    let header = Header {
        body_hash: sha256(&[share]),
        ..header(MessageKind::Share, 1)
    };
    [
        Evidence::Contradiction {
            first: signed(first),
            second: signed(second),
        },
        Evidence::BadShare {
            share: signed(header),
            body: share.to_vec(),
            session: session.clone(),
        },
    ]
}

fn manifest() -> Manifest {
    let member = |id: u16| Member {
        id: MemberId(id),
        identity: sha256(&[&id.to_be_bytes()]),
        address: format!("127.0.0.1:{}", 9_000 + id),
    };
    let feed = |name: &str| {
        let name = FeedName::new(name).expect("a name");
        FeedSpec {
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
        }
    };
    Manifest {
        network: "sample \u{20ac}".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: 1_000,
        first_round: Round(1),
        first_round_at_ms: 1_790_000_000_000,
        f: Committee::max_faults(4),
        suites: vec![Suite::Ed25519],
        members: (0..4).map(member).collect(),
        feeds: vec![feed("BTC-USD"), feed("ETH-USD")],
    }
}

fn record() -> EpochRecord {
    let manifest = manifest();
    let keys = SuiteKeys {
        suite: Suite::Ed25519,
        group_key: vec![1; 32],
        verifying_shares: vec![vec![2; 32]; 4],
    };
    EpochRecord {
        epoch: Epoch(0),
        manifest_hash: manifest.hash(),
        keys: vec![keys],
        coin_key: Digest([1; 32]),
        coin_shares: vec![Digest([2; 32]); 4],
        transcript: Digest([3; 32]),
        member_signatures: vec![MemberSignature([4; 64]); 4],
        group_signatures: Vec::new(),
    }
}
