//! One member: the core with the shell around it, as a node would have it.

use std::collections::BTreeMap;

use anyhow::Result;
use touchstone_consensus::{Closing, Coverage, keys::Keys};
use touchstone_types::{MemberId, MemberSet, Round};

use super::{
    adversary::Program,
    check::{SharedLedger, Witnessed},
    committee::Network,
    letter::{Kind, Letter},
    machine::{Judge, Machine, Recipe, Start},
    plan::{Plan, Role},
};

/// A member of one run.
pub(super) struct Node {
    pub(super) me: MemberId,
    /// None while the member is down.
    pub(super) core: Option<Box<dyn Machine>>,
    pub(super) keys: Box<dyn Keys>,
    pub(super) judge: Box<dyn Judge>,
    pub(super) program: Option<Program>,
    pub(super) silent_from_us: Option<u64>,
    /// How often the member was started before.
    pub(super) life: u32,
    /// What is on its disk.
    pub(super) fence: Round,
    /// What it would send again on a new link.
    pub(super) outbox: BTreeMap<Round, Vec<(MemberSet, Letter)>>,
    /// When the next tick comes that it has asked for.
    pub(super) tick_at_us: Option<u64>,
    pub(super) closed: BTreeMap<Round, Closing>,
    pub(super) observed_us: BTreeMap<Round, u64>,
    pub(super) signed_us: BTreeMap<Round, u64>,
    pub(super) coverage: Coverage,
    pub(super) kept_max: usize,
}

impl Node {
    pub(super) fn new(
        recipe: &dyn Recipe,
        network: &Network,
        plan: &Plan,
        me: MemberId,
        role: &Role,
        ledger: &SharedLedger,
    ) -> Result<Self> {
        let (program, silent_from_us) = match role {
            Role::Byzantine(villain) => (
                Some(Program::new(plan.seed, me, villain)),
                villain.silent_from_us,
            ),
            _ => (None, None),
        };
        let keys = keys(network, plan, me, 0, program.is_some(), ledger)?;
        let (core, judge) = recipe.make(network, start(plan, me, Round(0)))?;
        Ok(Self {
            me,
            core: Some(core),
            keys,
            judge,
            program,
            silent_from_us,
            life: 0,
            fence: Round(0),
            outbox: BTreeMap::new(),
            tick_at_us: None,
            closed: BTreeMap::new(),
            observed_us: BTreeMap::new(),
            signed_us: BTreeMap::new(),
            coverage: Coverage::default(),
            kept_max: 0,
        })
    }

    /// Starts the member's process again with what is on its disk.
    pub(super) fn restart(
        &mut self,
        recipe: &dyn Recipe,
        network: &Network,
        plan: &Plan,
        ledger: &SharedLedger,
    ) -> Result<()> {
        let byzantine = self.program.is_some();
        self.keys = keys(network, plan, self.me, self.life, byzantine, ledger)?;
        let (core, judge) = recipe.make(network, start(plan, self.me, self.fence))?;
        (self.core, self.judge) = (Some(core), judge);
        Ok(())
    }

    /// The process ends; what was not on disk is gone.
    pub(super) fn stop(&mut self) {
        self.bank();
        self.core = None;
        self.outbox.clear();
        self.tick_at_us = None;
        self.life += 1;
    }

    /// Adds the core's counters up.
    pub(super) fn bank(&mut self) {
        if let Some(core) = &self.core {
            self.coverage.add(core.coverage());
        }
    }

    pub(super) fn is_byzantine(&self) -> bool {
        self.program.is_some()
    }

    /// Nothing of the round is sent again, except its certificate.
    pub(super) fn release(&mut self, round: Round) {
        if let Some(letters) = self.outbox.get_mut(&round) {
            letters.retain(|(_, letter)| letter.kind == Kind::Cert);
        }
    }
}

fn start(plan: &Plan, me: MemberId, fence: Round) -> Start {
    Start {
        me,
        clock: Network::clock(plan.first_round, plan.interval_ms),
        params: plan.params_of(me),
        fence,
    }
}

/// The keys of a member; those of an honest one with a witness.
fn keys(
    network: &Network,
    plan: &Plan,
    me: MemberId,
    life: u32,
    byzantine: bool,
    ledger: &SharedLedger,
) -> Result<Box<dyn Keys>> {
    let inner = network.keys(me, life, plan.seed)?;
    if byzantine {
        return Ok(inner);
    }
    Ok(Box::new(Witnessed {
        inner,
        me,
        ledger: ledger.clone(),
    }))
}
