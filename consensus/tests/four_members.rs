//! Four members with real keys and an orderly network: rounds get signed, also with one member down.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use touchstone_consensus::{
    Core, Draft, Effect, FrostSuite, Input, Message, Now, Params, Setup, Signed, Step, To,
    Verifier,
    keys::{MemberKeys, seal, seal_observation},
};
use touchstone_crypto::{Dkg, DkgSetup, IdentityKey, Unverified};
use touchstone_types::{
    Attestation, Digest, FeedName, FeedObservation, FeedSpec, Manifest, Market, Member, MemberId,
    NetworkId, Round, Status, Suite,
};

const N: u16 = 4;
const INTERVAL_MS: u64 = 1_000;

fn manifest(identities: &[Arc<IdentityKey>]) -> Manifest {
    let feed = |name: &str| FeedSpec {
        name: FeedName::new(name).expect("name"),
        exponent: -8,
        sources: vec![Market {
            source: "kraken".into(),
            pair: FeedName::new(name).expect("name"),
        }],
        min_sources: 1,
        max_quote_age_ms: 60_000,
        outlier_mads_milli: 5_000,
        outlier_floor_ppm: 1_000,
    };
    let member = |(id, key): (u16, &Arc<IdentityKey>)| Member {
        id: MemberId(id),
        identity: key.public().to_digest(),
        address: format!("127.0.0.1:{}", 9_000 + id),
    };
    Manifest {
        network: "four".into(),
        epoch: touchstone_types::Epoch(0),
        previous: None,
        interval_ms: INTERVAL_MS,
        first_round: Round(1),
        first_round_at_ms: 1_790_000_000_000,
        f: 1,
        suites: vec![Suite::Ed25519],
        members: (0..N).zip(identities).map(member).collect(),
        feeds: vec![feed("BTC-USD"), feed("ETH-USD")],
    }
}

struct Node {
    core: Core,
    keys: MemberKeys<ChaCha20Rng>,
    published: BTreeMap<Round, Arc<Attestation>>,
}

struct Network {
    verifier: Verifier,
    nodes: Vec<Node>,
    down: Vec<MemberId>,
    now: Now,
    /// Bytes under way: from, to, content.
    wire: VecDeque<(MemberId, MemberId, Vec<u8>)>,
}

impl Network {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let identities: Vec<_> = (0..N)
            .map(|_| Arc::new(IdentityKey::generate(&mut rng)))
            .collect();
        let manifest = manifest(&identities);
        manifest.validate().expect("manifest");
        let network = NetworkId(manifest.hash());
        let committee = manifest.committee().expect("committee");
        let mut envelopes = VecDeque::new();
        let mut sides: Vec<Dkg> = committee
            .members()
            .map(|me| {
                let setup = DkgSetup {
                    session: Digest([9; 32]),
                    me,
                    committee,
                    members: identities.iter().map(|k| k.public()).collect(),
                    suites: manifest.suites.clone(),
                };
                let identity = Arc::clone(&identities[me.index()]);
                let (side, first) = Dkg::new(setup, identity, &mut rng).expect("setup");
                envelopes.extend(first);
                side
            })
            .collect();
        while let Some(envelope) = envelopes.pop_front() {
            for to in committee.members() {
                if to != envelope.from && envelope.to.is_none_or(|t| t == to) {
                    let more = sides[to.index()].handle(envelope.clone()).expect("honest");
                    envelopes.extend(more);
                }
            }
        }
        let outputs: Vec<_> = sides
            .iter_mut()
            .map(|s| s.take_output().expect("finished"))
            .collect();
        let record = outputs[0]
            .public
            .clone()
            .into_record(manifest.epoch, manifest.hash());
        let terms = Arc::new(manifest.terms(network).expect("terms"));
        let suite = FrostSuite::new(network, &manifest, &record).expect("keys");
        let suite = Arc::new(suite);
        let verifier = Verifier::new(Arc::clone(&suite) as _, terms);
        let nodes = outputs
            .into_iter()
            .zip(&identities)
            .zip(committee.members());
        let nodes = nodes.map(|((output, identity), me)| Node {
            core: Core::new(Setup {
                me,
                verifier: verifier.clone(),
                clock: manifest.clock(),
                params: Params::for_interval(INTERVAL_MS),
                fence: Round(0),
            })
            .expect("params"),
            keys: MemberKeys::new(
                Arc::clone(&suite),
                Arc::clone(identity),
                output.keys,
                output.coin,
                network,
                manifest.epoch,
                ChaCha20Rng::seed_from_u64(u64::from(me.0)),
            ),
            published: BTreeMap::new(),
        });
        Self {
            nodes: nodes.collect(),
            verifier,
            down: Vec::new(),
            now: Now {
                mono_us: 0,
                unix_ms: manifest.first_round_at_ms,
            },
            wire: VecDeque::new(),
        }
    }

    fn send(&mut self, from: MemberId, to: To, bytes: &[u8]) {
        for other in (0..N).map(MemberId) {
            if other != from && to.includes(other) {
                self.wire.push_back((from, other, bytes.to_vec()));
            }
        }
    }

    fn own(&mut self, me: MemberId, to: To, signed: Signed) {
        self.send(me, to, &signed.to_bytes());
        if to.includes(me) {
            self.input(me, Input::Own(Box::new(signed)));
        }
    }

    fn input(&mut self, me: MemberId, input: Input) {
        if self.down.contains(&me) {
            return;
        }
        let Step { effects, faults } = self.nodes[me.index()].core.handle(self.now, input);
        assert_eq!(faults, [], "nobody is faulty");
        let tag = self.verifier.tag();
        for effect in effects {
            let keys = &mut self.nodes[me.index()].keys;
            match effect {
                Effect::PersistFence(_) | Effect::Closed(..) => {}
                Effect::Observe(round) => {
                    let feed = |feed_index: u16| FeedObservation {
                        feed_index,
                        status: Status::OK,
                        mantissa: 1_000 + i128::from(me.0),
                        trade_time_ms: self.now.unix_ms,
                    };
                    let feeds = vec![feed(0), feed(1)];
                    let ms = self.now.unix_ms;
                    let signed = seal_observation(keys, me, tag, round, ms, feeds);
                    self.own(me, To::All, signed);
                }
                Effect::Send { to, round, draft } => {
                    let share = matches!(draft, Draft::Share { .. });
                    let signed = seal(keys, me, tag, round, draft)
                        .unwrap_or_else(|e| panic!("share {share}: {e}"));
                    self.own(me, to, signed);
                }
                Effect::Reply { to, round, reply } => self.send(me, to, &reply.to_bytes(round)),
                Effect::Publish(attestation) => {
                    let round = attestation.round();
                    let before = self.nodes[me.index()].published.insert(round, attestation);
                    assert!(before.is_none(), "published twice");
                }
            }
        }
    }

    fn round(&mut self) {
        for me in (0..N).map(MemberId) {
            self.input(me, Input::Tick);
        }
        // Half a second of timers, and everything that is under way.
        for _ in 0..50 {
            while let Some((from, to, bytes)) = self.wire.pop_front() {
                let message =
                    Message::from_bytes(self.verifier.tag(), from, &bytes).expect("bytes");
                let verified = Unverified::new(message).verify(&self.verifier);
                let verified = verified
                    .map_err(|(m, e)| format!("{e}: {m:?}"))
                    .expect("honest");
                self.input(to, Input::Message(Box::new(verified)));
            }
            self.now.mono_us += 20_000;
            for me in (0..N).map(MemberId) {
                self.input(me, Input::Tick);
            }
        }
        self.now.unix_ms += INTERVAL_MS;
    }
}

#[test]
fn every_round_is_signed_by_everybody() {
    let mut network = Network::new();
    for _ in 0..10 {
        network.round();
    }
    for node in &network.nodes {
        assert!(node.published.len() >= 9, "{:?}", node.published.keys());
        for attestation in node.published.values() {
            assert!(network.verifier.attestation(attestation));
            let bytes = attestation.to_bytes();
            assert_eq!(Attestation::from_bytes(&bytes).as_ref(), Ok(&**attestation));
            let leaf = &attestation.leaves[0];
            assert!((1_000..1_004).contains(&leaf.price), "{leaf:?}");
        }
    }
}

#[test]
fn rounds_are_signed_with_any_one_member_down() {
    for down in (0..N).map(MemberId) {
        let mut network = Network::new();
        network.down.push(down);
        for _ in 0..6 {
            network.round();
        }
        for (id, node) in network.nodes.iter().enumerate() {
            let expected = if id == down.index() { 0 } else { 5 };
            assert!(
                node.published.len() >= expected,
                "{id}: {:?}",
                node.published.keys()
            );
            for attestation in node.published.values() {
                assert_eq!(attestation.leaves[0].observers, 3);
            }
        }
    }
}
