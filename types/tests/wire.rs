//! Properties of every wire form: what is written is read back, nothing may follow it, no prefix passes for the whole, no
//! input panics, and a form that was read is written again as the same bytes.

use proptest::{collection::vec, prelude::*};
use touchstone_types::{
    Attestation, Committee, Contribution, Digest, EXPONENT_MAX, EXPONENT_MIN, Epoch, FeedName,
    FeedObservation, HEADER_BYTES, Header, LEAF_BYTES, Leaf, Manifest, MemberId, MemberSignature,
    MessageKind, NetworkId, NonceCommitments, Observation, Pin, PriceUpdate, Reader, Report, Round,
    STATEMENT_BYTES, SUITES, SignedObservation, Statement, Status, Suite, Terms, View, merkle,
    sha256,
};

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn feed() -> impl Strategy<Value = FeedName> {
    "[A-Z0-9.]{1,15}-[A-Z0-9.]{1,15}".prop_map(|name| FeedName::new(&name).expect("by the rule"))
}

fn priced_status() -> impl Strategy<Value = Status> {
    any::<u8>().prop_map(|bits| Status::from_bits(bits & 0x1f).expect("known bits"))
}

fn leaf_of(feed: FeedName) -> impl Strategy<Value = Leaf> {
    let values = (any::<i128>(), any::<i128>(), any::<i128>());
    (
        priced_status(),
        EXPONENT_MIN..=EXPONENT_MAX,
        values,
        any::<u64>(),
        any::<u16>(),
        any::<bool>(),
    )
        .prop_map(
            move |(status, exponent, (a, b, c), observed_at_ms, observers, priced)| {
                let mut sorted = [a, b, c];
                sorted.sort_unstable();
                let [low, price, high] = sorted;
                if !priced {
                    return Leaf::unavailable(feed, exponent, status, observers);
                }
                Leaf {
                    feed,
                    status,
                    exponent,
                    price,
                    low,
                    high,
                    observed_at_ms,
                    observers,
                }
            },
        )
}

fn leaf() -> impl Strategy<Value = Leaf> {
    feed().prop_flat_map(leaf_of)
}

fn statement() -> impl Strategy<Value = Statement> {
    (
        digest(),
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<u16>(),
        digest(),
        digest(),
    )
        .prop_map(
            |(network, epoch, round, timestamp_ms, feed_count, feeds_root, observations_root)| {
                Statement {
                    network: NetworkId(network),
                    epoch: Epoch(epoch),
                    round: Round(round),
                    timestamp_ms,
                    feed_count,
                    feeds_root,
                    observations_root,
                }
            },
        )
}

fn header() -> impl Strategy<Value = Header> {
    (
        digest(),
        0..MessageKind::ALL.len(),
        any::<u64>(),
        any::<u32>(),
        any::<u16>(),
        any::<u16>(),
        digest(),
    )
        .prop_map(
            |(tag, kind, round, view, instance, member, body_hash)| Header {
                tag,
                kind: MessageKind::ALL[kind],
                round: Round(round),
                view: View(view),
                instance,
                member: MemberId(member),
                body_hash,
            },
        )
}

fn observation() -> impl Strategy<Value = Observation> {
    let value = (priced_status(), any::<i128>(), any::<u64>());
    let feeds = proptest::collection::btree_map(any::<u16>(), value, 0..20);
    (any::<u64>(), feeds, any::<[bool; 2]>(), any::<u8>()).prop_map(
        |(timestamp_ms, feeds, suites, byte)| Observation {
            timestamp_ms,
            feeds: feeds
                .into_iter()
                .map(
                    |(feed_index, (status, mantissa, trade_time_ms))| FeedObservation {
                        feed_index,
                        status,
                        mantissa,
                        trade_time_ms,
                    },
                )
                .collect(),
            nonces: SUITES
                .into_iter()
                .zip(suites)
                .filter(|(_, named)| *named)
                .map(|(suite, _)| NonceCommitments {
                    suite,
                    bytes: vec![byte; suite.commitments_bytes()],
                })
                .collect(),
        },
    )
}

fn signature(suite: Suite, byte: u8) -> Vec<u8> {
    vec![byte; suite.signature_bytes()]
}

/// A round over some leaves, with or without observations, whose roots are right.
fn attestation() -> impl Strategy<Value = Attestation> {
    let names = proptest::collection::btree_set(feed(), 1..12);
    let leaves = names.prop_flat_map(|names| names.into_iter().map(leaf_of).collect::<Vec<_>>());
    let bodies = proptest::collection::btree_map(any::<u16>(), observation(), 0..5);
    (statement(), leaves, bodies, 0..3usize, any::<u8>()).prop_map(
        |(mut statement, leaves, bodies, suites, byte)| {
            let hashes: Vec<_> = leaves
                .iter()
                .map(|l| merkle::leaf_hash(&l.to_bytes()))
                .collect();
            statement.feed_count = u16::try_from(leaves.len()).expect("few");
            statement.feeds_root = merkle::root(&hashes);
            let tag = Header::tag(statement.network, statement.epoch);
            let observations: Vec<_> = bodies
                .into_iter()
                .map(|(member, body)| {
                    let body = body.to_bytes();
                    let header = Header {
                        tag,
                        kind: MessageKind::Obs,
                        round: statement.round,
                        view: View(0),
                        instance: 0,
                        member: MemberId(member),
                        body_hash: sha256(&[&body]),
                    };
                    SignedObservation {
                        header,
                        signature: MemberSignature([byte; 64]),
                        body,
                    }
                })
                .collect();
            if !observations.is_empty() {
                let hashes: Vec<_> = observations.iter().map(|o| o.leaf_hash()).collect();
                statement.observations_root = merkle::root(&hashes);
            }
            let suites = match suites {
                0 => &SUITES[..1],
                1 => &SUITES[1..],
                _ => &SUITES[..],
            };
            Attestation {
                statement,
                signatures: suites.iter().map(|s| (*s, signature(*s, byte))).collect(),
                leaves,
                observations,
            }
        },
    )
}

/// Every proper prefix and every extension of the bytes of a thing is refused.
fn is_exact<T>(bytes: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Result<(), TestCaseError> {
    for end in 0..bytes.len() {
        prop_assert!(read(&bytes[..end]).is_none(), "a prefix of {} bytes", end);
    }
    for extra in [&[0][..], &[0xff], &[0; 92]] {
        let longer = [bytes, extra].concat();
        prop_assert!(read(&longer).is_none(), "{} bytes more", extra.len());
    }
    Ok(())
}

/// Reads with a cursor and lets nothing follow.
fn whole<'a, T, E>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, E>,
) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let thing = read(&mut reader).ok()?;
    reader.finish().ok()?;
    Some(thing)
}

/// Some bytes, and with them the bytes of a thing in which one was changed: the likeliest to be nearly right.
fn nearly(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = bytes.len();
    (0..len, any::<u8>(), any::<bool>()).prop_map(move |(at, byte, cut)| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        if cut {
            changed.truncate(at);
        }
        changed
    })
}

proptest! {
    #[test]
    fn statement_round_trip(statement in statement()) {
        let bytes = statement.to_bytes();
        prop_assert_eq!(bytes.len(), STATEMENT_BYTES);
        prop_assert_eq!(Statement::from_bytes(&bytes), Ok(statement));
        is_exact(&bytes, |b| Statement::from_bytes(b).ok())?;
    }

    #[test]
    fn header_round_trip(header in header()) {
        let bytes = header.to_bytes();
        prop_assert_eq!(bytes.len(), HEADER_BYTES);
        prop_assert_eq!(whole(&bytes, Header::read), Some(header));
        is_exact(&bytes, |b| whole(b, Header::read))?;
    }

    #[test]
    fn leaf_round_trip(leaf in leaf()) {
        let bytes = leaf.to_bytes();
        prop_assert_eq!(bytes.len(), LEAF_BYTES);
        prop_assert_eq!(whole(&bytes, Leaf::read), Some(leaf));
        is_exact(&bytes, |b| whole(b, Leaf::read))?;
    }

    #[test]
    fn observation_round_trip(observation in observation()) {
        let bytes = observation.to_bytes();
        prop_assert_eq!(Observation::from_bytes(&bytes), Ok(observation));
        is_exact(&bytes, |b| Observation::from_bytes(b).ok())?;
    }

    #[test]
    fn attestation_round_trip(attestation in attestation()) {
        let bytes = attestation.to_bytes();
        prop_assert_eq!(Attestation::from_bytes(&bytes), Ok(attestation));
        is_exact(&bytes, |b| Attestation::from_bytes(b).ok())?;
    }

    #[test]
    fn update_round_trip(attestation in attestation(), picks in vec(any::<prop::sample::Index>(), 1..6)) {
        let count = attestation.leaves.len();
        let indices: Vec<u16> = picks.iter().map(|p| u16::try_from(p.index(count)).expect("few")).collect();
        for (suite, _) in &attestation.signatures {
            let update = attestation.update(*suite, &indices).expect("these leaves exist");
            prop_assert_eq!(update.check_inclusion(), Ok(()));
            let bytes = update.to_bytes();
            prop_assert_eq!(PriceUpdate::from_bytes(&bytes), Ok(update));
            is_exact(&bytes, |b| PriceUpdate::from_bytes(b).ok())?;
        }
    }

    #[test]
    fn what_is_read_is_written_as_the_same_bytes(
        (attestation, update, observation) in attestation().prop_flat_map(|a| {
            let update = a.update(a.signatures[0].0, &[0]).expect("it has a leaf").to_bytes();
            let body = a.observations.first().map_or(vec![0], |o| o.body.clone());
            (nearly(a.to_bytes()), nearly(update), nearly(body))
        })
    ) {
        if let Ok(read) = Attestation::from_bytes(&attestation) {
            prop_assert_eq!(read.to_bytes(), attestation);
        }
        if let Ok(read) = PriceUpdate::from_bytes(&update) {
            prop_assert_eq!(read.to_bytes(), update);
        }
        if let Ok(read) = Observation::from_bytes(&observation) {
            prop_assert_eq!(read.to_bytes(), observation);
        }
    }

    #[test]
    fn a_changed_leaf_is_not_included(attestation in attestation(), byte in 0..LEAF_BYTES, bit in 0..8u8) {
        let suite = attestation.signatures[0].0;
        let mut update = attestation.update(suite, &[0]).expect("it has a leaf");
        let mut bytes = update.entries[0].leaf.to_bytes();
        bytes[byte] ^= 1 << bit;
        if let Some(leaf) = whole(&bytes, Leaf::read) {
            update.entries[0].leaf = leaf;
            prop_assert!(update.check_inclusion().is_err());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..600), version in 0..3u8) {
        let mut bytes = bytes;
        for _ in 0..2 {
            let _ = Statement::from_bytes(&bytes);
            let _ = whole(&bytes, Header::read);
            let _ = whole(&bytes, Leaf::read);
            let _ = Observation::from_bytes(&bytes);
            let _ = Attestation::from_bytes(&bytes);
            let _ = PriceUpdate::from_bytes(&bytes).map(|u| u.check_inclusion());
            let _ = Manifest::from_json(&bytes);
            let _ = Pin::from_json(&bytes);
            // Random bytes seldom get past the first two: a version and a suite.
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            if let Some(second) = bytes.get_mut(1) {
                *second = version;
            }
        }
    }

    #[test]
    fn bytes_that_are_nearly_right_do_not_panic(
        bytes in attestation().prop_flat_map(|a| nearly(a.to_bytes()))
    ) {
        let _ = Attestation::from_bytes(&bytes);
        let _ = PriceUpdate::from_bytes(&bytes);
        let _ = Observation::from_bytes(&bytes);
    }

    #[test]
    fn feed_names_are_read_as_written(feed in feed(), bytes in any::<[u8; 32]>()) {
        prop_assert_eq!(FeedName::from_bytes(feed.to_bytes()), Ok(feed));
        prop_assert_eq!(FeedName::new(feed.as_str()), Ok(feed));
        prop_assert_eq!(FeedName::pair(feed.base(), feed.quote()), Ok(feed));
        if let Ok(read) = FeedName::from_bytes(bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
    }

    #[test]
    fn the_report_lies_inside_the_honest_range(
        prices in vec(-1_000_000i128..1_000_000, 4..=4),
        liar in 0..4usize,
        lie in any::<i128>(),
        clock in any::<u64>(),
    ) {
        let terms = Terms {
            network: NetworkId(Digest([1; 32])),
            epoch: Epoch(0),
            committee: Committee::new(4, 1).expect("possible"),
            suites: Vec::new(),
            feeds: vec![(FeedName::new("A-B").expect("a name"), 0)],
        };
        let observations: Vec<Observation> = (0..4usize)
            .map(|member| Observation {
                timestamp_ms: if member == liar { clock } else { 1_000 },
                feeds: vec![FeedObservation {
                    feed_index: 0,
                    status: if member == liar { Status::HALTED } else { Status::OK },
                    mantissa: if member == liar { lie } else { prices[member] },
                    trade_time_ms: if member == liar { clock } else { 900 },
                }],
                nonces: Vec::new(),
            })
            .collect();
        let bodies: Vec<Vec<u8>> = observations.iter().map(Observation::to_bytes).collect();
        let headers: Vec<Header> = bodies
            .iter()
            .zip(0..)
            .map(|(body, member)| Header {
                tag: Header::tag(terms.network, terms.epoch),
                kind: MessageKind::Obs,
                round: Round(5),
                view: View(0),
                instance: 0,
                member: MemberId(member),
                body_hash: sha256(&[body]),
            })
            .collect();
        let contributions: Vec<Contribution<'_>> = (0..4)
            .map(|i| Contribution { header: &headers[i], body: &bodies[i], observation: &observations[i] })
            .collect();
        let report = Report::compute(&terms, Round(5), &contributions).expect("four of four");
        let leaf = report.leaves[0];
        let honest = || (0..4).filter(|m| *m != liar).map(|m| prices[m]);
        let (lowest, highest) = (honest().min().expect("three"), honest().max().expect("three"));
        prop_assert!(lowest <= leaf.low && leaf.low <= leaf.price);
        prop_assert!(leaf.price <= leaf.high && leaf.high <= highest);
        prop_assert_eq!(leaf.status, Status::OK);
        prop_assert_eq!((report.statement.timestamp_ms, leaf.observed_at_ms), (1_000, 900));
        prop_assert_eq!(whole(&leaf.to_bytes(), Leaf::read), Some(leaf));
    }
}
