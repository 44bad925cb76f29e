//! What one member pays for each primitive: two tables of the signing path against frost-core and of members' signatures
//! against ed25519-zebra, both sides in one run, and then criterion's statistics of the coin and of single signatures.
//!
//! `cargo bench -p touchstone-crypto --bench primitives` (with `-- none` for the tables alone)

mod comparison;

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group};
use rand_core::OsRng;
use touchstone_crypto::{
    CoinInput, CoinPublic, Dkg, DkgOutput, DkgSetup, IdentityKey, IdentityPublic, verify_header,
    verify_headers_batch,
};
use touchstone_types::{
    Committee, Digest, Epoch, Header, MemberId, MessageKind, NetworkId, Round, Statement, Suite,
    View,
};

const SIZES: [usize; 3] = [4, 16, 31];

struct Network {
    committee: Committee,
    identities: Vec<Arc<IdentityKey>>,
    members: Vec<DkgOutput>,
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
    let record = public.into_record(Epoch(0), Digest([0; 32]));
    Network {
        committee,
        identities,
        members,
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
        group.bench_function(BenchmarkId::new("verify f + 1 shares", n), |b| {
            b.iter(|| network.coin.verify_shares(&input, &shares));
        });
        group.bench_function(BenchmarkId::new("combine", n), |b| {
            b.iter(|| network.coin.combine(&shares).unwrap());
        });
    }
    group.finish();
}

fn header(member: MemberId) -> Header {
    Header {
        tag: Header::tag(NetworkId(Digest([1; 32])), Epoch(0)),
        kind: MessageKind::Vote,
        round: Round(1),
        view: View(1),
        instance: 0,
        member,
        body_hash: Digest([2; 32]),
    }
}

fn member_signatures(c: &mut Criterion) {
    let mut group = c.benchmark_group("member signature");
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

criterion_group!(benches, coin, member_signatures);

fn main() {
    comparison::signing(&statement());
    comparison::members(header);
    benches();
    Criterion::default().configure_from_args().final_summary();
}
