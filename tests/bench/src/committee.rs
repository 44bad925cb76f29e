//! A committee in one thread, in steps of virtual time.

use std::{str::FromStr, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::{OsRng, RngCore};
use touchstone_consensus::{Core, FrostSuite, Now, Params, Setup, Verifier};
use touchstone_crypto::{CoinPublic, Roster, SigningPublic, SigningShare};
use touchstone_types::{
    Committee, Epoch, FeedName, FeedObservation, FeedSpec, MANIFEST_FEEDS_MAX, Manifest, Market,
    Member, MemberId, NetworkId, Round, Status, Suite,
};

use crate::{
    dealer::Dealer,
    meter::{Part, RoundCost},
    node::Node,
};

const INTERVAL_MS: u64 = 1_000;
const START_MS: u64 = 1_790_000_000_000;
/// A message delay, in virtual microseconds. It is the same for all, and has no influence on what is measured.
const DELAY_US: u64 = 1_000;
/// A round that needs more steps than this will never end.
const STEPS_MAX: u32 = 1_000;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Nothing.
    Good,
    /// The last `f` members are down from the beginning.
    Silent,
    /// The leader of the round observes, and is down when it ought to propose.
    LeaderDead,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Good, Self::Silent, Self::LeaderDead];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Silent => "silent",
            Self::LeaderDead => "leader-dead",
        }
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let case = Self::ALL.into_iter().find(|c| c.name() == text);
        case.with_context(|| format!("no case {text:?}: must be good, silent or leader-dead"))
    }
}

/// What a member got in one step: from whom, and the bytes.
pub type Inbox = Vec<(MemberId, Arc<[u8]>)>;

/// A committee with its keys.
pub struct Network {
    manifest: Manifest,
    dealer: Dealer,
    signing: Vec<SigningPublic>,
    verifier: Verifier,
    nodes: Vec<Node>,
    round: Round,
    now: Now,
}

impl Network {
    /// A committee of `n` that prices this many feeds and signs in these suites, with all members up.
    ///
    /// # Errors
    /// An impossible size.
    pub fn new(n: u16, feeds: u16, suites: &[Suite], seed: u64) -> Result<Self> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let committee = Committee::new(usize::from(n), Committee::max_faults(n))?;
        let dealer = Dealer::new(committee, suites, &mut rng);
        let manifest = manifest(committee, &dealer, feeds, suites)?;
        let record = dealer.record(&manifest);
        let network = NetworkId(manifest.hash());
        let terms = Arc::new(manifest.terms(network)?);
        let public = |keys| SigningPublic::new(committee, keys);
        let signing = record
            .keys
            .iter()
            .map(public)
            .collect::<Result<Vec<_>, _>>()?;
        let coin = CoinPublic::from_record(committee, &record)?;
        let verifier = || -> Result<_> {
            let suite = Arc::new(FrostSuite::new(network, &manifest, &record)?);
            let verifier = Verifier::new(Arc::clone(&suite) as _, Arc::clone(&terms));
            Ok((suite, verifier))
        };
        let node = |me: MemberId| -> Result<Node> {
            // Nothing is shared, as if each member were a process.
            let (suite, verifier) = verifier()?;
            let public = (&signing[..], &coin);
            let setup = Setup {
                me,
                verifier: verifier.clone(),
                clock: manifest.clock(),
                params: Params::for_interval(INTERVAL_MS),
                fence: Round(0),
            };
            Ok(Node {
                me,
                core: Core::new(setup)?,
                keys: dealer.member(me, &suite, (network, &manifest), public, OsRng)?,
                verifier,
                feeds: observation(feeds, &mut rng),
                inbox: Vec::new(),
                down: false,
                newest: None,
                part: Part::default(),
            })
        };
        let nodes = committee.members().map(node).collect::<Result<_>>()?;
        let (_, verifier) = verifier()?;
        Ok(Self {
            nodes,
            verifier,
            signing,
            round: manifest.first_round,
            now: Now {
                mono_us: 0,
                unix_ms: START_MS,
            },
            manifest,
            dealer,
        })
    }

    /// What messages are checked against.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The public sides of the group keys, one for each suite.
    pub fn signing(&self) -> &[SigningPublic] {
        &self.signing
    }

    /// The members' identities, decoded.
    pub fn roster(&self) -> Roster {
        self.dealer.roster()
    }

    /// A member's share of a group key.
    ///
    /// # Errors
    /// There is no such member.
    pub fn signing_share(&self, member: MemberId, public: &SigningPublic) -> Result<SigningShare> {
        self.dealer.signing_share(member, public)
    }

    /// Takes the last `f` members down, for ever.
    pub fn silence(&mut self) {
        let f = usize::from(self.manifest.f);
        for node in self.nodes.iter_mut().rev().take(f) {
            node.down = true;
        }
    }

    /// Runs one round until every member that is up holds its certificate and nothing is under way.
    ///
    /// # Errors
    /// A message of an honest member was refused, or the round did not end.
    pub fn round(&mut self, leader_dies: bool) -> Result<RoundCost> {
        self.run(leader_dies, &mut |_| {})
    }

    /// Runs one round without faults, and returns what `member` got in each step.
    ///
    /// # Errors
    /// As for [`Network::round`].
    pub fn inboxes(&mut self, member: MemberId) -> Result<Vec<Inbox>> {
        let mut inboxes = Vec::new();
        self.run(false, &mut |nodes| {
            let node = nodes.get(member.index());
            inboxes.extend(node.map(|n| n.inbox.clone()));
        })?;
        Ok(inboxes)
    }

    fn run(&mut self, leader_dies: bool, look: &mut dyn FnMut(&[Node])) -> Result<RoundCost> {
        let clock = self.manifest.clock();
        let start_ms = clock.start_ms(self.round);
        ensure!(
            self.now.unix_ms <= start_ms,
            "a round took longer than the interval"
        );
        self.set_time((start_ms - START_MS) * 1_000);
        for node in &mut self.nodes {
            node.part = Part::default();
        }
        let mut cost = RoundCost::default();
        let mut died = None;
        let mut signed = false;
        for step in 0..STEPS_MAX {
            look(&self.nodes);
            let slowest_ns = self.step(leader_dies, &mut died)?;
            if !signed {
                cost.critical_ns += slowest_ns;
                cost.steps = step;
            }
            let up = self.nodes.iter().filter(|n| !n.down);
            signed = up.clone().all(|n| n.newest >= Some(self.round));
            if up.clone().any(|n| !n.inbox.is_empty()) {
                self.set_time(self.now.mono_us + DELAY_US);
            } else if signed {
                break;
            } else {
                let next = up.filter_map(|n| n.core.deadline(self.now)).min();
                self.set_time(next.context("no deadline")?.max(self.now.mono_us + 1));
            }
        }
        if !signed {
            bail!("round {} was not signed in {STEPS_MAX} steps", self.round);
        }
        cost.parts.extend(self.nodes.iter().map(|node| Part {
            up: !node.down,
            ..node.part
        }));
        if let Some(node) = died.and_then(|m: MemberId| self.nodes.get_mut(m.index())) {
            node.down = false;
        }
        self.round = self.round.saturating_add(1);
        Ok(cost)
    }

    fn set_time(&mut self, mono_us: u64) {
        self.now = Now {
            mono_us,
            unix_ms: START_MS + mono_us / 1_000,
        };
    }

    /// Every member handles what has arrived; what they say arrives in the next step. Returns the work of the slowest one, in
    /// nanoseconds.
    fn step(&mut self, leader_dies: bool, died: &mut Option<MemberId>) -> Result<u64> {
        let mut slowest_ns = 0;
        let mut sent = Vec::new();
        for node in self.nodes.iter_mut().filter(|n| !n.down) {
            let before = node.part.cpu.total_ns();
            let out = node.step(self.now)?;
            slowest_ns = slowest_ns.max(node.part.cpu.total_ns() - before);
            if out.iter().any(|o| o.proposes) {
                node.part.led = true;
                if leader_dies {
                    node.down = true;
                    *died = Some(node.me);
                    continue;
                }
            }
            sent.extend(out.into_iter().map(|o| (node.me, o)));
        }
        for (from, out) in sent {
            let mut copies = 0;
            for node in self.nodes.iter_mut() {
                if node.me != from && out.to.includes(node.me) {
                    copies += 1;
                    if !node.down {
                        node.inbox.push((from, Arc::clone(&out.bytes)));
                    }
                }
            }
            if let Some(node) = self.nodes.get_mut(from.index()) {
                node.part.sent.messages += copies;
                node.part.sent.bytes += copies * u64::try_from(out.bytes.len())?;
            }
        }
        for node in self.nodes.iter_mut().filter(|n| n.down) {
            node.inbox.clear();
        }
        Ok(slowest_ns)
    }
}

/// One member's prices: near each other, and different.
fn observation(feeds: u16, rng: &mut ChaCha20Rng) -> Vec<FeedObservation> {
    let feed = |feed_index: u16| FeedObservation {
        feed_index,
        status: Status::OK,
        mantissa: 6_500_000_000_000
            + i128::from(feed_index) * 1_000_000
            + i128::from(rng.next_u32() % 100_000),
        trade_time_ms: START_MS - u64::from(rng.next_u32() % 5_000),
    };
    (0..feeds).map(feed).collect()
}

fn manifest(
    committee: Committee,
    dealer: &Dealer,
    feeds: u16,
    suites: &[Suite],
) -> Result<Manifest> {
    let member = |(id, identity): (MemberId, _)| Member {
        id,
        identity,
        address: format!("127.0.0.1:{}", 9_000 + id.0),
    };
    let feed = |index: u16| -> Result<FeedSpec> {
        let name = FeedName::new(&format!("F{index:05}-USD"))?;
        let source = |source: &str| Market {
            source: source.into(),
            pair: name,
        };
        Ok(FeedSpec {
            name,
            exponent: -8,
            sources: ["coinbase", "kraken"].map(source).to_vec(),
            min_sources: 1,
            max_quote_age_ms: 60_000,
            outlier_mads_milli: 5_000,
            outlier_floor_ppm: 2_000,
        })
    };
    let manifest = Manifest {
        network: "bench".into(),
        epoch: Epoch(0),
        previous: None,
        interval_ms: INTERVAL_MS,
        // The first leaders, before any certificate says who is up, are the first members.
        first_round: Round(u64::from(committee.n())),
        first_round_at_ms: START_MS,
        f: committee.f(),
        suites: suites.to_vec(),
        members: committee
            .members()
            .zip(dealer.identities())
            .map(member)
            .collect(),
        feeds: (0..feeds).map(feed).collect::<Result<_>>()?,
    };
    // What a round costs is of interest beyond the number of feeds that a manifest may have, too.
    if usize::from(feeds) <= MANIFEST_FEEDS_MAX {
        manifest.validate()?;
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use touchstone_consensus::{Message, Refusal};
    use touchstone_crypto::Unverified;
    use touchstone_types::SUITES;

    use super::*;

    #[test]
    fn a_wrong_signature_in_a_batch_costs_its_own_message_only() {
        let mut network = Network::new(4, 3, &SUITES[..1], 1).expect("a committee");
        let inboxes = network.inboxes(MemberId(1)).expect("a round");
        let verifier = network.verifier();
        let message = |(from, bytes): &(MemberId, Arc<[u8]>), spoilt: bool| {
            let message = Message::from_bytes(verifier.tag(), *from, bytes).expect("a message");
            Unverified::new(match message {
                Message::Signed(mut signed) if spoilt => {
                    signed.signature.0[40] ^= 1;
                    Message::Signed(signed)
                }
                other => other,
            })
        };
        let all: Vec<_> = inboxes.into_iter().flatten().collect();
        assert!(all.len() >= 10, "three of each kind, and a proposal");
        // Whether the others' signatures were seen before makes no difference.
        for wrong in (0..all.len()).chain(0..all.len()) {
            let batch = all.iter().enumerate();
            let batch = batch.map(|(at, m)| message(m, at == wrong)).collect();
            for (at, verdict) in Unverified::verify_many(batch, verifier).iter().enumerate() {
                let signed = matches!(message(&all[wrong], false).peek(), Message::Signed(_));
                match verdict {
                    Ok(_) => assert!(at != wrong || !signed, "{at}"),
                    Err((_, refusal)) => {
                        assert_eq!((at, *refusal), (wrong, Refusal::Signature));
                    }
                }
            }
        }
    }
}
