//! The stages of a round one by one, over the real messages of a round: what is in the table of `round-bench`, in parts.
//!
//! `cargo bench -p touchstone-bench`; a single signature against a batch, and a batch against one that was checked before, stand
//! side by side so that their ratio is that of one machine in one state.

use std::{hint::black_box, time::Duration};

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use rand_core::OsRng;
use touchstone_bench::Network;
use touchstone_consensus::{Content, Message, Signed};
use touchstone_crypto::{
    NonceStore, PreparedSession, SignTarget, SignatureShare, SigningPublic, Unverified,
};
use touchstone_types::{
    Contribution, Digest, Header, MemberId, MemberSignature, MessageKind, Report, Round, SUITES,
    Statement,
};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const SEED: u64 = 1;
const KINDS: [MessageKind; 3] = [MessageKind::Obs, MessageKind::Prepare, MessageKind::Commit];

fn network(n: u16, feeds: u16) -> Network {
    Network::new(n, feeds, &SUITES[..1], SEED).expect("a committee")
}

/// What one member got in a round, of one kind.
struct Batch {
    from: Vec<MemberId>,
    bytes: Vec<std::sync::Arc<[u8]>>,
    messages: Vec<Message>,
}

impl Batch {
    fn signed(&self) -> impl Iterator<Item = &Signed> {
        self.messages.iter().filter_map(|message| match message {
            Message::Signed(signed) => Some(signed),
            Message::Reply { .. } => None,
        })
    }

    fn signatures(&self) -> Vec<(Header, MemberSignature)> {
        self.signed().map(|s| (s.header, s.signature)).collect()
    }
}

fn batch(network: &mut Network, kind: MessageKind) -> Batch {
    let inboxes = network.inboxes(MemberId(1)).expect("a round");
    let mut batch = Batch {
        from: Vec::new(),
        bytes: Vec::new(),
        messages: Vec::new(),
    };
    for (from, bytes) in inboxes.into_iter().flatten() {
        let message = decode(network.verifier().tag(), from, &bytes);
        if matches!(&message, Message::Signed(s) if s.header.kind == kind) {
            batch.from.push(from);
            batch.bytes.push(bytes);
            batch.messages.push(message);
        }
    }
    assert!(!batch.messages.is_empty(), "no {kind:?}");
    batch
}

fn decode(tag: Digest, from: MemberId, bytes: &[u8]) -> Message {
    Message::from_bytes(tag, from, bytes).expect("an honest member's message")
}

/// From bytes to believed messages: everything of one kind that a member gets in a round.
fn messages(c: &mut Criterion) {
    for n in [7, 31] {
        let mut network = network(n, 64);
        let roster = network.roster();
        for kind in KINDS {
            let batch = batch(&mut network, kind);
            let verifier = network.verifier();
            let mut group = c.benchmark_group(format!("{kind:?} of the others, n = {n}"));
            group.throughput(Throughput::Elements(batch.bytes.len() as u64));
            group.bench_function("decode", |b| {
                b.iter(|| {
                    for (from, bytes) in batch.from.iter().zip(&batch.bytes) {
                        black_box(decode(verifier.tag(), *from, bytes));
                    }
                });
            });
            let signatures = batch.signatures();
            group.bench_function("signatures one by one", |b| {
                let right = |(h, s)| roster.verify_header(h, s).is_ok();
                b.iter(|| assert!(signatures.iter().all(|(h, s)| right((h, s)))));
            });
            group.bench_function("signatures together", |b| {
                b.iter(|| assert!(roster.verify_headers(&signatures).iter().all(|v| *v)));
            });
            let mut spoilt = signatures.clone();
            spoilt[0].1.0[40] ^= 1;
            group.bench_function("signatures together, one of them wrong", |b| {
                b.iter(|| {
                    let verdicts = roster.verify_headers(&spoilt);
                    assert_eq!(verdicts.iter().filter(|v| !**v).count(), 1);
                });
            });
            group.bench_function("check, signatures seen before", |b| {
                let fresh = || {
                    batch
                        .messages
                        .iter()
                        .cloned()
                        .map(Unverified::new)
                        .collect()
                };
                let check = |messages| Unverified::verify_many(messages, verifier);
                assert!(check(fresh()).iter().all(Result::is_ok));
                b.iter_batched(fresh, check, criterion::BatchSize::SmallInput);
            });
            group.finish();
        }
    }
}

fn report(c: &mut Criterion) {
    let mut group = c.benchmark_group("report");
    for (n, feeds) in [(7, 64), (31, 64), (7, 2_000), (31, 2_000)] {
        let mut network = network(n, feeds);
        let batch = batch(&mut network, MessageKind::Obs);
        let contributions: Vec<_> = batch
            .signed()
            .filter_map(|signed| match &signed.content {
                Content::Obs { body, observation } => Some(Contribution {
                    header: &signed.header,
                    body,
                    observation,
                }),
                _ => None,
            })
            .collect();
        let round = contributions[0].header.round;
        let terms = network.verifier().terms();
        group.throughput(Throughput::Elements(u64::from(feeds)));
        group.bench_function(BenchmarkId::new(format!("{feeds} feeds"), n), |b| {
            b.iter(|| Report::compute(terms, round, &contributions).expect("a quorum"));
        });
    }
    group.finish();
}

/// What a signer pays for its commitments, for the session, and for the sum of the shares. The share itself takes
/// microseconds.
fn signing(c: &mut Criterion) {
    let mut group = c.benchmark_group("signing");
    for n in [7, 31, 100] {
        let network = Network::new(n, 1, &SUITES, SEED).expect("a committee");
        for public in network.signing() {
            signing_in(&mut group, &network, public);
        }
    }
    group.finish();
}

fn signing_in(group: &mut Group<'_>, network: &Network, public: &SigningPublic) {
    let at = |what| {
        BenchmarkId::new(
            what,
            format!("{} {}", public.suite(), public.committee().n()),
        )
    };
    let terms = network.verifier().terms();
    let statement = Statement {
        network: terms.network,
        epoch: terms.epoch,
        round: Round(1),
        timestamp_ms: 0,
        feed_count: 1,
        feeds_root: Digest::default(),
        observations_root: Digest::default(),
    };
    let target = SignTarget::Statement(&statement);
    let mut store = NonceStore::new(&mut OsRng);
    let signers = terms
        .committee
        .members()
        .take(terms.committee.signing_threshold());
    let signers: Vec<_> = signers
        .map(|member| {
            let share = network.signing_share(member, public).expect("a member");
            let (id, commitments) = store.fresh(&share, &mut OsRng);
            (member, share, id, commitments.bytes)
        })
        .collect();
    let entries: Vec<_> = signers.iter().map(|(m, _, _, c)| (*m, c)).collect();
    let prepare = || PreparedSession::new(public, &entries, &target).expect("signers");
    let session = prepare();
    let shares: Vec<(MemberId, SignatureShare)> = signers
        .iter()
        .map(|(member, share, id, _)| {
            let nonces = store.take(*id).expect("a fresh nonce");
            (*member, session.sign(share, nonces).expect("a share"))
        })
        .collect();
    group.bench_function(at("commit"), |b| {
        let (_, share, _, _) = &signers[0];
        b.iter(|| store.fresh(share, &mut OsRng));
    });
    group.bench_function(at("prepare"), |b| b.iter(prepare));
    group.bench_function(at("verify a share"), |b| {
        let (member, share) = &shares[0];
        b.iter(|| session.verify_share(*member, share).expect("right"));
    });
    group.bench_function(at("aggregate"), |b| {
        b.iter(|| session.aggregate(&shares).expect("right"));
    });
}

/// A round of the whole committee in one thread; divided by `n` it is a member's part.
fn round(c: &mut Criterion) {
    let mut group = c.benchmark_group("round of all members");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3));
    for n in [7, 31] {
        let mut network = network(n, 64);
        group.throughput(Throughput::Elements(u64::from(n)));
        group.bench_function(BenchmarkId::new("64 feeds", n), |b| {
            b.iter(|| network.round(false).expect("signed"));
        });
    }
    group.finish();
}

criterion_group!(benches, messages, report, signing, round);
criterion_main!(benches);
