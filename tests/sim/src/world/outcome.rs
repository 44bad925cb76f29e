//! How a run ended, and what it was held to.

use std::collections::BTreeSet;

use touchstone_consensus::{Closing, Coverage};
use touchstone_types::{MemberId, Round};

use super::{
    super::{
        check::{Finding, Property},
        committee::Network,
        plan::{Plan, Role, Swift},
    },
    World,
};

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Everything held, and every round that lived was certified at every running honest member.
    Pass,
    /// Nothing wrong was done, but something right was not.
    NoProgress(String),
    /// A property broke.
    Diverged(Vec<Finding>),
}

impl Verdict {
    /// What went wrong, each thing in a word.
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Pass => BTreeSet::new(),
            Self::NoProgress(_) => BTreeSet::from(["Termination".to_owned()]),
            Self::Diverged(findings) => {
                let names = findings.iter().map(|f| format!("{:?}", f.property));
                names.collect()
            }
        }
    }
}

/// What a run tells.
pub(in super::super) struct Outcome {
    pub(in super::super) verdict: Verdict,
    pub(in super::super) coverage: Coverage,
    /// The highest view that an honest member entered, for each round that got that far.
    pub(in super::super) views: Vec<u32>,
    /// From an honest member's observation to its certificate, in microseconds.
    pub(in super::super) delays_us: Vec<u64>,
    /// Signing sessions of each honest coordinator in each round in which it opened any.
    pub(in super::super) sessions: Vec<u64>,
    pub(in super::super) messages: u64,
    pub(in super::super) kept_max: usize,
    /// Pieces of evidence that honest members gave.
    pub(in super::super) evidence: u64,
    /// Rounds that were signed, and how many of them with a feed unavailable.
    pub(in super::super) rounds: u64,
    pub(in super::super) unpriced: u64,
}

impl Outcome {
    /// What is left of a run that panicked.
    pub(in super::super) fn broken(finding: Finding) -> Self {
        Self {
            verdict: Verdict::Diverged(vec![finding]),
            coverage: Coverage::default(),
            views: Vec::new(),
            delays_us: Vec::new(),
            sessions: Vec::new(),
            messages: 0,
            kept_max: 0,
            evidence: 0,
            rounds: 0,
            unpriced: 0,
        }
    }
}

impl World<'_> {
    /// What is owed: the certificate of every round that nothing may overtake or outlive and that `f + 1` honest clocks reach, at
    /// every honest member that runs and did not start after the round may have begun.
    fn owed(&self) -> impl Iterator<Item = (MemberId, Round)> + '_ {
        let plan = self.plan;
        let overtaken = (plan.last_round().0 + 1).saturating_sub(plan.params.life_rounds);
        let first = self.first_started().max(Round(overtaken));
        let running = plan
            .committee
            .members()
            .zip(&plan.roles)
            .filter(|(_, role)| matches!(role, Role::Honest | Role::Restart { .. }));
        running.flat_map(move |(member, role)| {
            let node = &self.nodes[member.index()];
            let from = match role {
                Role::Restart { .. } => first.max(node.fence.saturating_add(1)),
                _ => first,
            };
            (from.0..=plan.last_round().0).map(move |r| (member, Round(r)))
        })
    }

    /// The first round that `f + 1` honest clocks reach. Clocks that are further on when everything begins skip rounds, and in a round
    /// that fewer members observe nothing is promised.
    fn first_started(&self) -> Round {
        let plan = self.plan;
        let clock = Network::clock(plan.first_round, plan.interval_ms);
        let clocks = plan.roles.iter().zip(&plan.clocks_ms);
        let honest = clocks.filter(|(role, _)| matches!(role, Role::Honest));
        let begins = honest.map(|(_, ahead_ms)| {
            let at_ms = clock.first_round_at_ms.saturating_add_signed(*ahead_ms);
            let begins = clock.round_at(at_ms).unwrap_or(plan.first_round);
            begins.min(plan.last_round())
        });
        let mut begins: Vec<_> = begins.collect();
        begins.sort_unstable();
        let many = begins.get(usize::from(plan.committee.f()));
        many.copied().unwrap_or(plan.first_round)
    }

    fn is_owed(&self, member: MemberId, round: Round) -> bool {
        !self.nodes[member.index()].closed.contains_key(&round)
    }

    pub(super) fn is_done(&self) -> bool {
        let restarts = self.plan.roles.iter().zip(&self.nodes).all(|(role, node)| {
            !matches!(role, Role::Restart { .. })
                || node.life == 2
                || node.core.is_some() && node.life == 1
        });
        restarts
            && self.post.now_us() >= (self.plan.rounds - 1) * self.plan.interval_ms * 1_000
            && !self
                .owed()
                .any(|(member, round)| self.is_owed(member, round))
    }

    /// In a calm network view 0 decides and every feed is priced, once the members know each other.
    fn check_swift(&self, swift: Swift) {
        let from = |rounds| self.plan.first_round.saturating_add(rounds);
        let mut ledger = self.ledger.borrow_mut();
        let late = self.highest_view.iter();
        let late: Vec<_> = late
            .filter(|(round, view)| **round >= from(swift.views_after) && view.0 > 0)
            .map(|(round, view)| format!("round {round} needed view {view}"))
            .collect();
        let unpriced = ledger.unavailable().range(from(swift.feeds_after)..);
        let unpriced = unpriced.map(|round| format!("round {round} leaves a feed unpriced"));
        for what in late.into_iter().chain(unpriced.collect::<Vec<_>>()) {
            ledger.find(Property::Swift, what);
        }
    }

    /// ROAST's bound: each session that an honest coordinator opens in vain is the fault of another faulty member.
    fn check_sessions(&self) -> Vec<u64> {
        let bound = u64::from(self.plan.committee.f()) + 1;
        let mut ledger = self.ledger.borrow_mut();
        let sessions = ledger.sessions();
        for ((member, round), count) in sessions.iter().filter(|(_, count)| **count > bound) {
            let what = format!("member {member} opened {count} sessions in round {round}");
            ledger.find(Property::Sessions, what);
        }
        sessions.into_values().collect()
    }

    pub(super) fn conclude(mut self) -> Outcome {
        for node in &mut self.nodes {
            node.bank();
        }
        if let Some(swift) = self.plan.swift {
            self.check_swift(swift);
        }
        let sessions = self.check_sessions();
        let findings = self.ledger.borrow_mut().take_findings();
        let missed: Vec<_> = self
            .owed()
            .filter(|(m, r)| self.nodes[m.index()].closed.get(r) != Some(&Closing::Signed))
            .collect();
        let verdict = if !findings.is_empty() {
            Verdict::Diverged(findings)
        } else if let Some(what) = self.stuck.take() {
            Verdict::NoProgress(what)
        } else if let Some((member, round)) = missed.first() {
            let how = self.nodes[member.index()]
                .closed
                .get(round)
                .map_or("no certificate".to_owned(), |c| format!("{c:?}"));
            Verdict::NoProgress(format!(
                "round {round} at member {member}: {how} ({} owed, {} events, {} ms)",
                missed.len(),
                self.events,
                self.post.now_us() / 1_000
            ))
        } else {
            Verdict::Pass
        };
        let mut coverage = Coverage::default();
        let mut delays_us = Vec::new();
        for node in &self.nodes {
            coverage.add(&node.coverage);
            if node.is_byzantine() {
                continue;
            }
            let delay = |(round, at): (&Round, &u64)| {
                let from = *node.observed_us.get(round)? + self.plan.delays_from_us;
                Some(at.saturating_sub(from))
            };
            delays_us.extend(node.signed_us.iter().filter_map(delay));
        }
        Outcome {
            verdict,
            coverage,
            views: self.highest_view.values().map(|v| v.0).collect(),
            delays_us,
            sessions,
            messages: self.post.posted,
            evidence: self.ledger.borrow().evidence(),
            rounds: self.ledger.borrow().signed_rounds(),
            unpriced: self.ledger.borrow().unavailable().len() as u64,
            kept_max: self
                .nodes
                .iter()
                .filter(|n| !n.is_byzantine())
                .map(|n| n.kept_max)
                .max()
                .unwrap_or_default(),
        }
    }
}

/// What a member may keep at most, in signed messages, observations, values and certificates.
pub(super) fn kept_bound(plan: &Plan, alive: usize) -> usize {
    let n = usize::from(plan.committee.n());
    let f = usize::from(plan.committee.f());
    let slots = n * (9 + 3 * (f + 1));
    let values = 4 * n;
    let observations = n + values * f.max(1);
    // Coin shares of up to 64 views ahead by Byzantine members, other kinds of as many views as honest members are ahead.
    let far = f * 64 + n * 5 * 8;
    let early = 3 * n * (f + 2);
    let served = values * n;
    let beyond = 32 * n;
    let certificates = usize::try_from(plan.rounds).unwrap_or(usize::MAX);
    alive * (slots + values + observations + far + early + served) + beyond + certificates
}
