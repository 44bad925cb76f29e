//! What one member pays for each primitive, at committees of 4, 16 and 31.
//!
//! `cargo bench -p touchstone-crypto --bench primitives`

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use rand_core::OsRng;
use touchstone_crypto::{
    CoinInput, CoinPublic, Commitments, Dkg, DkgOutput, DkgSetup, IdentityKey, IdentityPublic,
    NonceStore, SignTarget, SignatureShare, SignerSet, SigningPublic, aggregate, sign,
    verify_header, verify_headers_batch, verify_share,
};
use touchstone_types::{
    Committee, Digest, Epoch, Header, MemberId, MessageKind, NetworkId, NonceCommitments, Round,
    Statement, Suite, View,
};

const SIZES: [usize; 3] = [4, 16, 31];

struct Network {
    committee: Committee,
    identities: Vec<Arc<IdentityKey>>,
    members: Vec<DkgOutput>,
    public: SigningPublic,
    coin: CoinPublic,
}

/// A real key generation, delivered in order.
fn network(n: usize) -> Network {
    let f = Committee::max_faults(u16::try_from(n).unwrap());
    let committee = Committee::new(n, f).unwrap();
    let identities: Vec<_> = (0..n)
        .map(|_| Arc::new(IdentityKey::generate(&mut OsRng)))
        .collect();
    let keys: Vec<IdentityPublic> = identities.iter().map(|k| k.public()).collect();
    let mut queue = Vec::new();
    let mut sides = Vec::new();
    for (me, identity) in committee.members().zip(&identities) {
        let setup = DkgSetup {
            session: Digest([1; 32]),
            me,
            committee,
            members: keys.clone(),
            suites: vec![Suite::Ed25519],
        };
        let (side, first) = Dkg::new(setup, Arc::clone(identity), &mut OsRng).unwrap();
        sides.push(side);
        queue.extend(first);
    }
    while let Some(envelope) = queue.pop() {
        for to in committee.members() {
            if to != envelope.from && envelope.to.is_none_or(|t| t == to) {
                queue.extend(sides[to.index()].handle(envelope.clone()).unwrap());
            }
        }
    }
    let members: Vec<DkgOutput> = sides
        .iter_mut()
        .map(|side| side.take_output().unwrap())
        .collect();
    let public = members[0].public.clone();
    let record = public.clone().into_record(Epoch(0), Digest([0; 32]));
    Network {
        committee,
        identities,
        members,
        public: SigningPublic::new(committee, &public.keys[0]).unwrap(),
        coin: CoinPublic::from_record(committee, &record).unwrap(),
    }
}

fn statement() -> Statement {
    Statement {
        network: NetworkId(Digest([1; 32])),
        epoch: Epoch(0),
        round: Round(1),
        timestamp_ms: 1,
        feed_count: 64,
        feeds_root: Digest([2; 32]),
        observations_root: Digest([3; 32]),
    }
}

struct Session {
    entries: Vec<(MemberId, NonceCommitments)>,
    set: SignerSet,
    shares: Vec<(MemberId, SignatureShare)>,
}

/// A session of exactly a quorum.
fn session(network: &Network, target: &SignTarget<'_>) -> Session {
    let signers = &network.members[..network.committee.signing_threshold()];
    let mut store = NonceStore::new(&mut OsRng);
    let mut entries = Vec::new();
    let mut ids = Vec::new();
    for output in signers {
        let share = &output.keys[0];
        let (id, commitments) = store.fresh(share, &mut OsRng);
        ids.push(id);
        entries.push((share.member(), commitments));
    }
    let bytes: Vec<_> = entries.iter().map(|(m, c)| (*m, &c.bytes)).collect();
    let set = SignerSet::decode(Suite::Ed25519, &bytes).unwrap();
    let shares = signers
        .iter()
        .zip(ids)
        .map(|(output, id)| {
            let nonces = store.take(id).unwrap();
            let share = sign(&output.keys[0], nonces, &set, target).unwrap();
            (output.keys[0].member(), share)
        })
        .collect();
    Session {
        entries,
        set,
        shares,
    }
}

fn frost(c: &mut Criterion) {
    let statement = statement();
    let target = SignTarget::Statement(&statement);
    let mut group = c.benchmark_group("frost");
    for n in SIZES {
        let network = network(n);
        let own = &network.members[0].keys[0];
        let Session {
            entries,
            set,
            shares,
        } = session(&network, &target);
        let mut store = NonceStore::new(&mut OsRng);
        group.bench_function(BenchmarkId::new("commit", n), |b| {
            b.iter(|| store.fresh(own, &mut OsRng));
        });
        group.bench_function(BenchmarkId::new("decode commitments", n), |b| {
            b.iter(|| {
                for (member, c) in &entries {
                    black_box(Commitments::decode(c.suite, *member, &c.bytes).unwrap());
                }
            });
        });
        group.bench_function(BenchmarkId::new("sign", n), |b| {
            let fresh = || {
                let mut store = NonceStore::new(&mut OsRng);
                let (id, commitments) = store.fresh(own, &mut OsRng);
                let own = (own.member(), commitments);
                let others = entries[1..].iter();
                let all: Vec<_> = core::iter::once(&own)
                    .chain(others)
                    .map(|(m, c)| (*m, &c.bytes))
                    .collect();
                let set = SignerSet::decode(Suite::Ed25519, &all).unwrap();
                (store.take(id).unwrap(), set)
            };
            b.iter_batched(
                fresh,
                |(nonces, set)| sign(own, nonces, &set, &target).unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("verify share", n), |b| {
            let (member, share) = &shares[0];
            b.iter(|| verify_share(&network.public, *member, &set, share, &target).unwrap());
        });
        group.bench_function(BenchmarkId::new("aggregate", n), |b| {
            b.iter(|| aggregate(&network.public, &set, &shares, &target).unwrap());
        });
        let signature = aggregate(&network.public, &set, &shares, &target).unwrap();
        group.bench_function(BenchmarkId::new("strict verify", n), |b| {
            let key = network.public.group_key();
            b.iter(|| {
                key.verify_statement(&statement, signature.as_bytes())
                    .unwrap();
            });
        });
    }
    group.finish();
}

fn coin(c: &mut Criterion) {
    let input = CoinInput {
        network: NetworkId(Digest([1; 32])),
        epoch: Epoch(0),
        round: Round(1),
        view: View(1),
    };
    let mut group = c.benchmark_group("coin");
    for n in SIZES {
        let network = network(n);
        let shares: Vec<_> = network.members[..network.committee.coin_threshold()]
            .iter()
            .map(|o| (o.coin.member(), o.coin.share(&input, &mut OsRng)))
            .collect();
        group.bench_function(BenchmarkId::new("share", n), |b| {
            b.iter(|| network.members[0].coin.share(&input, &mut OsRng));
        });
        group.bench_function(BenchmarkId::new("verify share", n), |b| {
            let (member, share) = &shares[0];
            b.iter(|| network.coin.verify_share(*member, &input, share).unwrap());
        });
        group.bench_function(BenchmarkId::new("combine", n), |b| {
            b.iter(|| network.coin.combine(&shares).unwrap());
        });
    }
    group.finish();
}

fn member_signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("member signature");
    let header = |member| Header {
        tag: Header::tag(NetworkId(Digest([1; 32])), Epoch(0)),
        kind: MessageKind::Vote,
        round: Round(1),
        view: View(1),
        instance: 0,
        member,
        body_hash: Digest([2; 32]),
    };
    for n in SIZES {
        let network = network(n);
        let entries: Vec<_> = network
            .committee
            .members()
            .take(network.committee.quorum())
            .map(|m| {
                let key = &network.identities[m.index()];
                (key.public(), header(m), key.sign_header(&header(m)))
            })
            .collect();
        let key = &network.identities[0];
        group.bench_function(BenchmarkId::new("sign", n), |b| {
            b.iter(|| key.sign_header(&header(MemberId(0))));
        });
        group.bench_function(BenchmarkId::new("verify", n), |b| {
            let (key, header, signature) = &entries[0];
            b.iter(|| verify_header(key, header, signature).unwrap());
        });
        group.bench_function(BenchmarkId::new("verify a quorum in a batch", n), |b| {
            b.iter(|| verify_headers_batch(&entries).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, frost, coin, member_signatures);
criterion_main!(benches);
