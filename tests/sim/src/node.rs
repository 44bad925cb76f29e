//! One member: the core with the shell around it, as a node would have it.

use std::collections::BTreeMap;

use anyhow::Result;
use touchstone_consensus::{Closing, Core, Coverage, Rules, Setup, Verifier, keys::Keys};
use touchstone_types::{MemberId, MemberSet, Round};

use super::{
    adversary::Program,
    check::{SharedLedger, Witnessed},
    committee::Network,
    letter::{Kind, Letter},
    plan::{Plan, Role},
};

/// A member of one run.
pub(super) struct Node<R: Rules> {
    pub(super) me: MemberId,
    /// None while the member is down.
    pub(super) core: Option<Core<R>>,
    pub(super) keys: Box<dyn Keys>,
    pub(super) verifier: Verifier<R>,
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

impl<R: Rules> Node<R> {
    pub(super) fn new(
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
        let verifier = network.verifier()?;
        let mut node = Self {
            me,
            core: None,
            keys: network.keys(me, 0, plan.seed)?,
            verifier,
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
        };
        node.start(network, plan, ledger)?;
        Ok(node)
    }

    /// Starts the member's process with what is on its disk.
    pub(super) fn start(
        &mut self,
        network: &Network,
        plan: &Plan,
        ledger: &SharedLedger,
    ) -> Result<()> {
        let inner = network.keys(self.me, self.life, plan.seed)?;
        self.keys = if self.program.is_some() {
            inner
        } else {
            Box::new(Witnessed {
                inner,
                me: self.me,
                ledger: ledger.clone(),
            })
        };
        self.verifier = network.verifier()?;
        self.core = Some(Core::new(Setup {
            me: self.me,
            verifier: self.verifier.clone(),
            clock: Network::clock(plan.first_round, plan.interval_ms),
            params: plan.params_of(self.me),
            fence: self.fence,
        })?);
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
