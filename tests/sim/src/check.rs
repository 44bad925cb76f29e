//! What must hold in every run, checked outside of the code under test.

mod witness;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use touchstone_consensus::{
    Content, Draft, Effect, Fault, FaultKind, Reply, Scheme, keys::NonceKey,
};
use touchstone_types::{
    Attestation, Digest, Evidence, FeedObservation, Header, MemberId, MemberSet, MessageKind,
    Round, Statement, Status, View,
};

pub(super) use self::witness::Witnessed;

/// A property that a run broke.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Property {
    /// Honest members decide, and publish, one statement in each round.
    Agreement,
    /// At most one statement of a round can be signed, whoever combines the shares that are out.
    OneSigned,
    /// What is published is validly signed.
    Signature,
    /// A published price, low, high or time is within the range of what honest members observed.
    HonestRange,
    /// Nobody but a Byzantine member is ever accused.
    Evidence,
    /// Honest members sign one body for each slot.
    OneBody,
    /// No honest member is led to use a nonce twice.
    OneUse,
    /// Honest members accept what honest members send.
    Acceptance,
    /// Where the network is calm and only one thing is wrong, view 0 decides and every feed is priced.
    Swift,
    /// An honest coordinator opens at most `f + 1` signing sessions in a round.
    Sessions,
    /// A member keeps a bounded number of things.
    Memory,
    /// The core does not panic.
    NoPanic,
}

impl Property {
    /// Every property.
    pub const ALL: &[Self] = &[
        Self::Agreement,
        Self::OneSigned,
        Self::Signature,
        Self::HonestRange,
        Self::Evidence,
        Self::OneBody,
        Self::OneUse,
        Self::Acceptance,
        Self::Swift,
        Self::Sessions,
        Self::Memory,
        Self::NoPanic,
    ];
}

/// A broken property, in one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What broke.
    pub property: Property,
    /// Where and how.
    pub what: String,
}

/// Two signed headers take less than this.
const CONTRADICTION_BYTES: usize = 300;

type Slot = (MemberId, MessageKind, Round, View, u16);

/// What honest members observed in a round: the extremes of each feed, and of their clocks.
#[derive(Default)]
struct Seen {
    prices: BTreeMap<u16, (i128, i128)>,
    trades: BTreeMap<u16, (u64, u64)>,
    clocks: Option<(u64, u64)>,
}

fn widen<T: Ord + Copy>(range: (T, T), value: T) -> (T, T) {
    (range.0.min(value), range.1.max(value))
}

/// Everything that the checks need to remember of one run.
pub(super) struct Ledger {
    /// How many shares make a signature.
    threshold: usize,
    byzantine: MemberSet,
    bodies: BTreeMap<Slot, Digest>,
    shares: BTreeMap<(Round, Digest), MemberSet>,
    signable: BTreeMap<Round, Digest>,
    seen: BTreeMap<Round, Seen>,
    values: BTreeMap<Round, Digest>,
    statements: BTreeMap<Round, Statement>,
    /// Rounds that were published with a feed unavailable.
    unavailable: BTreeSet<Round>,
    /// The session that each nonce was used in, and whether the last use was a second one in the same session.
    nonces: BTreeMap<(MemberId, NonceKey), (Digest, bool)>,
    evidence: u64,
    findings: Vec<Finding>,
    harmless: Vec<Finding>,
}

/// The ledger, as everybody in a run holds it.
pub(super) type SharedLedger = Rc<RefCell<Ledger>>;

impl Ledger {
    pub(super) fn new(threshold: usize, byzantine: MemberSet) -> Self {
        Self {
            threshold,
            byzantine,
            bodies: BTreeMap::new(),
            shares: BTreeMap::new(),
            signable: BTreeMap::new(),
            seen: BTreeMap::new(),
            values: BTreeMap::new(),
            statements: BTreeMap::new(),
            unavailable: BTreeSet::new(),
            nonces: BTreeMap::new(),
            evidence: 0,
            findings: Vec::new(),
            harmless: Vec::new(),
        }
    }

    pub(super) fn find(&mut self, property: Property, what: String) {
        // One is enough to tell a story; a run that is broken tends to break on and on.
        if self.findings.len() < 8 {
            self.findings.push(Finding { property, what });
        }
    }

    /// Rounds in which a feed was not priced.
    pub(super) fn unavailable(&self) -> &BTreeSet<Round> {
        &self.unavailable
    }

    /// Notes what broke without harm, because something else prevented it: the run goes on, to see whether worse follows.
    pub(super) fn find_harmless(&mut self, property: Property, what: String) {
        if self.harmless.is_empty() {
            self.harmless.push(Finding { property, what });
        }
    }

    /// How many sessions each honest coordinator opened in each round in which it opened any.
    pub(super) fn sessions(&self) -> BTreeMap<(MemberId, Round), u64> {
        let mut sessions = BTreeMap::new();
        for (member, kind, round, ..) in self.bodies.keys() {
            if *kind == MessageKind::SignReq {
                *sessions.entry((*member, *round)).or_default() += 1;
            }
        }
        sessions
    }

    /// How many rounds were signed.
    pub(super) fn signed_rounds(&self) -> u64 {
        self.statements.len() as u64
    }

    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        let mut findings = std::mem::take(&mut self.findings);
        findings.append(&mut self.harmless);
        findings
    }

    /// An honest member signs a header.
    fn signed(&mut self, header: &Header) {
        let slot = (
            header.member,
            header.kind,
            header.round,
            header.view,
            header.instance,
        );
        let first = *self.bodies.entry(slot).or_insert(header.body_hash);
        if first != header.body_hash {
            self.find(
                Property::OneBody,
                format!(
                    "honest member {} signed two bodies for {slot:?}",
                    header.member
                ),
            );
        }
    }

    /// An honest member releases a share. Every Byzantine member is taken to have released one on everything, and shares of
    /// all sessions add up: whatever reaches the threshold could be combined by somebody.
    fn released(&mut self, member: MemberId, statement: &Statement) {
        let (round, digest) = (statement.round, statement.digest());
        let shares = self.shares.entry((round, digest)).or_default();
        shares.insert(member);
        if shares.len() + self.byzantine.len() < self.threshold {
            return;
        }
        let first = *self.signable.entry(round).or_insert(digest);
        if first != digest {
            self.find(
                Property::OneSigned,
                format!("round {round}: both {first} and {digest} can be signed"),
            );
        }
    }

    /// An honest member wants to use a nonce.
    fn uses(&mut self, member: MemberId, key: NonceKey, session: Digest) {
        self.nonces
            .entry((member, key))
            .and_modify(|(first, again)| *again = *first == session)
            .or_insert((session, false));
    }

    /// Whether the last use of a nonce was for the very share that had been made with it before.
    pub(super) fn is_repeated(&self, member: MemberId, key: NonceKey) -> bool {
        self.nonces
            .get(&(member, key))
            .is_some_and(|(_, again)| *again)
    }

    /// How many pieces of evidence honest members gave.
    pub(super) fn evidence(&self) -> u64 {
        self.evidence
    }

    fn one_statement(&mut self, member: MemberId, statement: &Statement) {
        let first = *self.statements.entry(statement.round).or_insert(*statement);
        if first != *statement {
            let what = format!(
                "round {}: member {member} has {}, others {}",
                statement.round,
                statement.digest(),
                first.digest()
            );
            self.find(Property::Agreement, what);
        }
    }

    fn one_value(&mut self, member: MemberId, round: Round, value: Digest) {
        let first = *self.values.entry(round).or_insert(value);
        if first != value {
            self.find(
                Property::Agreement,
                format!("round {round}: member {member} decided {value}, others {first}"),
            );
        }
    }

    /// An honest member observes.
    pub(super) fn observed(&mut self, round: Round, clock_ms: u64, feeds: &[FeedObservation]) {
        let seen = self.seen.entry(round).or_default();
        seen.clocks = Some(widen(seen.clocks.unwrap_or((clock_ms, clock_ms)), clock_ms));
        for feed in feeds {
            let prices = seen
                .prices
                .entry(feed.feed_index)
                .or_insert((feed.mantissa, feed.mantissa));
            *prices = widen(*prices, feed.mantissa);
            let trades = seen
                .trades
                .entry(feed.feed_index)
                .or_insert((feed.trade_time_ms, feed.trade_time_ms));
            *trades = widen(*trades, feed.trade_time_ms);
        }
    }

    /// What an honest member does says what it decided.
    pub(super) fn effect(&mut self, member: MemberId, scheme: &dyn Scheme, effect: &Effect) {
        match effect {
            Effect::Publish(attestation) => self.published(member, scheme, attestation),
            Effect::Reply {
                round,
                reply: Reply::Decide(decision),
                ..
            } => {
                self.one_value(member, *round, decision.qc.value);
            }
            Effect::Send {
                round,
                draft:
                    Draft::Standing {
                        content:
                            Content::Status {
                                decided: Some(qc), ..
                            },
                        ..
                    },
                ..
            } => self.one_value(member, *round, qc.value),
            _ => {}
        }
    }

    fn published(&mut self, member: MemberId, scheme: &dyn Scheme, attestation: &Attestation) {
        let statement = &attestation.statement;
        self.one_statement(member, statement);
        let unavailable = |leaf: &touchstone_types::Leaf| leaf.status.contains(Status::UNAVAILABLE);
        if attestation.leaves.iter().any(unavailable) {
            self.unavailable.insert(statement.round);
        }
        if !scheme.verify_group(statement, &attestation.signatures)
            || attestation.check_roots().is_err()
        {
            self.find(
                Property::Signature,
                format!(
                    "round {}: member {member} publishes what does not verify",
                    statement.round
                ),
            );
        }
        if let Some(what) = self.out_of_range(attestation) {
            self.find(
                Property::HonestRange,
                format!("round {}: {what}", statement.round),
            );
        }
    }

    fn out_of_range(&self, attestation: &Attestation) -> Option<String> {
        let Some(seen) = self.seen.get(&attestation.statement.round) else {
            return Some("no honest member observed anything".into());
        };
        let clock = attestation.statement.timestamp_ms;
        if seen
            .clocks
            .is_none_or(|(low, high)| !(low..=high).contains(&clock))
        {
            return Some(format!("timestamp {clock} is outside {:?}", seen.clocks));
        }
        for (leaf, index) in attestation.leaves.iter().zip(0u16..) {
            if leaf.status.contains(Status::UNAVAILABLE) {
                continue;
            }
            let (prices, trades) = (seen.prices.get(&index), seen.trades.get(&index));
            let inside = |value| prices.is_some_and(|(low, high)| (*low..=*high).contains(&value));
            if ![leaf.price, leaf.low, leaf.high].into_iter().all(inside) {
                return Some(format!(
                    "feed {index}: {} ({}..{}) is outside {prices:?}",
                    leaf.price, leaf.low, leaf.high
                ));
            }
            if trades.is_none_or(|(low, high)| !(*low..=*high).contains(&leaf.observed_at_ms)) {
                return Some(format!(
                    "feed {index}: time {} is outside {trades:?}",
                    leaf.observed_at_ms
                ));
            }
        }
        None
    }

    /// An honest member accuses somebody.
    pub(super) fn fault(&mut self, by: MemberId, scheme: &dyn Scheme, fault: &Fault) {
        let guilty = fault.member.is_some_and(|m| self.byzantine.contains(m));
        let proven = match &fault.kind {
            FaultKind::Evidence(evidence) => {
                self.evidence += 1;
                let bytes = evidence.to_bytes();
                let short = matches!(**evidence, Evidence::BadShare { .. })
                    || bytes.len() < CONTRADICTION_BYTES;
                let read = Evidence::from_bytes(&bytes);
                fault.member == Some(evidence.member())
                    && short
                    && read.is_ok_and(|e| e.to_bytes() == bytes && proves(scheme, &e))
            }
            FaultKind::BadProposal | FaultKind::BadRequest => true,
            FaultKind::Divergence { .. } => false,
        };
        if !guilty || !proven {
            self.find(Property::Evidence, format!("member {by} says {fault:?}"));
        }
    }
}

/// Whether evidence convinces somebody who was not there.
fn proves(scheme: &dyn Scheme, evidence: &Evidence) -> bool {
    match evidence {
        Evidence::Contradiction { first, second } => scheme.verify_members(&[
            (first.header, first.signature),
            (second.header, second.signature),
        ]),
        Evidence::BadShare { share, session, .. } => {
            let member = share.header.member;
            scheme.verify_members(&[(share.header, share.signature)])
                && evidence
                    .share()
                    .is_ok_and(|given| !scheme.verify_share(session, member, &given))
        }
    }
}
