//! One run: members, network and time.

mod outcome;
mod shell;

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use anyhow::Result;
use touchstone_consensus::{Input, Message, Now, Step};
use touchstone_crypto::Verified;
use touchstone_types::{MemberId, Round, View};

pub(super) use self::outcome::Outcome;
pub use self::outcome::Verdict;
use self::outcome::kept_bound;
use super::{
    adversary::Shown,
    check::{Ledger, Property, SharedLedger},
    committee::{Network, START_MS},
    dice::Dice,
    letter::{Posted, Wire, gist},
    machine::Recipe,
    node::Node,
    plan::{Plan, Role, UNIT_US},
    post::{Event, Post, Views},
};

/// A view that a sound protocol gets beyond with odds of one in 3^24.
const VIEWS_MAX: u32 = 24;
/// How long after the last adversarial delay, or the last round's start, everything must be over.
const PATIENCE_US: u64 = 60_000 * UNIT_US;
/// What each letter adds to that.
const LETTER_US: u64 = 100 * UNIT_US;
/// A run with this many events, and a few for each letter, is going round in circles.
const EVENTS_MAX: u64 = 3_000_000;
const EVENTS_EACH: u64 = 4;

/// One run.
pub(super) struct World<'a> {
    recipe: &'a dyn Recipe,
    plan: &'a Plan,
    network: &'a Network,
    nodes: Vec<Node>,
    post: Post,
    ledger: SharedLedger,
    views: Views,
    highest_view: BTreeMap<Round, View>,
    prices: Dice,
    stuck: Option<String>,
    events: u64,
    acts: u64,
    trace: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(
        recipe: &'a dyn Recipe,
        plan: &'a Plan,
        network: &'a Network,
        trace: bool,
    ) -> Result<Self> {
        let ledger: SharedLedger = Rc::new(RefCell::new(Ledger::new(
            recipe.signing_threshold(plan.committee),
            plan.byzantine(),
        )));
        let members = plan.committee.members().zip(&plan.roles);
        let nodes = members
            .map(|(me, role)| Node::new(recipe, network, plan, me, role, &ledger))
            .collect::<Result<Vec<_>>>()?;
        let mut world = Self {
            recipe,
            plan,
            network,
            views: vec![BTreeMap::new(); nodes.len()],
            nodes,
            post: Post::new(plan.seed, plan.byzantine()),
            ledger,
            highest_view: BTreeMap::new(),
            prices: Dice::new(plan.seed, 2),
            stuck: None,
            events: 0,
            acts: 0,
            trace,
        };
        world.set_up();
        Ok(world)
    }

    fn set_up(&mut self) {
        for (member, role) in self.plan.committee.members().zip(&self.plan.roles) {
            match role {
                Role::Honest => {}
                Role::Crash { at_us } => self.post.at(*at_us, Event::Crash { member }),
                Role::Restart { down_us, up_us } => {
                    self.post.at(*down_us, Event::Crash { member });
                    self.post.at(*up_us, Event::Restart { member });
                }
                Role::Byzantine(villain) => {
                    if let Some((down_us, up_us)) = villain.forgets_us {
                        self.post.at(down_us, Event::Crash { member });
                        self.post.at(up_us, Event::Restart { member });
                    }
                    let soon = self.post.soon();
                    self.post.at(soon, Event::Act { member });
                }
            }
            // After the crash, if there is one at once.
            self.post.at(0, Event::Tick { member, life: 0 });
        }
        for b in &self.plan.breaks {
            let (from, to) = (b.from, b.to);
            self.post.at(b.at_us, Event::Break { from, to });
            self.post
                .at(b.at_us + b.down_us, Event::Reconnect { from, to });
        }
    }

    /// Runs until every obligation is met, something breaks, or patience is over.
    pub(super) fn run(mut self) -> Outcome {
        let last_start_us = self.plan.rounds * self.plan.interval_ms * 1_000;
        let heal_us = if self.plan.heal_us == u64::MAX {
            0
        } else {
            self.plan.heal_us
        };
        let limit_us = last_start_us.max(heal_us) + PATIENCE_US;
        while self.ledger.borrow().is_clean() && !self.is_done() {
            let Some(event) = self.post.next(self.plan, &self.views) else {
                break;
            };
            self.events += 1;
            // Letters that are held back go out one after the other.
            let limit_us = limit_us + self.post.posted * LETTER_US;
            if self.post.now_us() > limit_us
                || self.events > EVENTS_MAX + EVENTS_EACH * self.post.posted
            {
                break;
            }
            self.happen(event);
            if self.stuck.is_some() {
                break;
            }
        }
        self.conclude()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver(posted) => self.deliver(&posted),
            Event::Own {
                member,
                life,
                signed,
            } => {
                if self.nodes[member.index()].life == life {
                    self.feed(member, Input::Own(signed));
                }
            }
            Event::Tick { member, life } => {
                let node = &mut self.nodes[member.index()];
                // A tick that an earlier one made superfluous does nothing.
                if node.life == life && node.tick_at_us.is_none_or(|at| at <= self.post.now_us()) {
                    node.tick_at_us = None;
                    self.feed(member, Input::Tick);
                }
            }
            Event::Act { member } => self.act(member),
            Event::Crash { member } => {
                self.say(member, "goes down");
                self.nodes[member.index()].stop();
                for other in self.plan.committee.members() {
                    // What others have sent is lost with the connections; what the member has sent may arrive or not.
                    self.post.break_link(other, member);
                    if self.post.dice().chance(500) {
                        self.post.break_link(member, other);
                    }
                }
            }
            Event::Restart { member } => self.restart(member),
            Event::Break { from, to } => self.post.break_link(from, to),
            Event::Reconnect { from, to } => {
                if self.nodes[to.index()].core.is_some() {
                    self.reconnect(from, to);
                }
            }
        }
    }

    fn restart(&mut self, member: MemberId) {
        let node = &mut self.nodes[member.index()];
        if node.is_byzantine() {
            node.fence = Round(0);
        }
        if let Err(error) = node.restart(self.recipe, self.network, self.plan, &self.ledger) {
            self.stuck = Some(format!("member {member} does not start: {error}"));
            return;
        }
        self.say(member, "is up again");
        for other in self.plan.committee.members().filter(|o| *o != member) {
            self.reconnect(other, member);
            self.reconnect(member, other);
        }
        self.feed(member, Input::Tick);
    }

    /// A new link: what the sender keeps of living rounds goes out again.
    fn reconnect(&mut self, from: MemberId, to: MemberId) {
        self.post.mend_link(from, to);
        let kept = self.nodes[from.index()].outbox.values().flatten();
        let again: Vec<_> = kept
            .filter(|(set, _)| set.contains(to))
            .map(|(_, letter)| letter.clone())
            .collect();
        for letter in again {
            self.post.post(
                self.plan,
                &self.views,
                from,
                [to].into_iter().collect(),
                &letter,
            );
        }
    }

    fn now(&self, member: MemberId) -> Now {
        let now_us = self.post.now_us();
        let plan = self.plan;
        // The clocks stop in the middle of the last round, so that no round begins that nobody looks at.
        let end = START_MS + plan.rounds * plan.interval_ms - plan.interval_ms / 2;
        let local_us = now_us * plan.rates[member.index()] / 1_000;
        let ms = START_MS.saturating_add_signed(plan.clocks_ms[member.index()]) + local_us / 1_000;
        Now {
            mono_us: 1_000_000 + local_us,
            unix_ms: ms.min(end),
        }
    }

    fn deliver(&mut self, posted: &Posted) {
        if self.post.is_lost(posted) || self.nodes[posted.to.index()].core.is_none() {
            return;
        }
        let node = &mut self.nodes[posted.to.index()];
        let judge = &node.judge;
        let message = match &posted.letter.wire {
            Wire::Bytes(bytes) => {
                Message::from_bytes(judge.tag(), posted.from, bytes).map_err(|e| e.to_string())
            }
            Wire::Plain(message) if message.from() == posted.from => Ok(Message::clone(message)),
            Wire::Plain(_) => Err("not from whose link it came on".to_owned()),
        };
        if self.trace {
            let l = &posted.letter;
            let gist = message.as_ref().map_or_else(Clone::clone, gist);
            println!(
                "{:>9} {:>3} -> {:<3} {:<8?} r{} v{} {gist}",
                self.post.now_us(),
                posted.from,
                posted.to,
                l.kind,
                l.round,
                l.view
            );
        }
        let verified = message.and_then(|m| judge.verify(m));
        match verified {
            Ok(message) => self.take_in(posted.to, message),
            Err(why) => {
                if !self.nodes[posted.from.index()].is_byzantine() {
                    let l = &posted.letter;
                    let what = format!(
                        "member {} refuses {:?} of round {} view {} by honest member {}: {why}",
                        posted.to, l.kind, l.round, l.view, posted.from
                    );
                    self.ledger.borrow_mut().find(Property::Acceptance, what);
                }
            }
        }
    }

    fn take_in(&mut self, member: MemberId, message: Verified<Message>) {
        let mut message = Some(message);
        if self.nodes[member.index()].is_byzantine() {
            let mut shown = None;
            if let Some(whole) = &message {
                self.puppet(member, |program, puppet| {
                    program.receive(puppet, whole);
                    shown = program.bowdlerise(whole);
                });
            }
            match shown {
                Some(Shown::Whole) => {}
                Some(Shown::Part(part)) => {
                    message = self.nodes[member.index()].judge.verify(*part).ok();
                }
                None => message = None,
            }
        }
        if let Some(message) = message {
            self.feed(member, Input::Message(Box::new(message)));
        }
    }

    /// Gives a member an input and carries out what follows, in order.
    fn feed(&mut self, member: MemberId, input: Input) {
        let now = self.now(member);
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(core) = &mut self.nodes[member.index()].core else {
                return;
            };
            let Step { effects, faults } = core.handle(now, input);
            let node = &self.nodes[member.index()];
            if !node.is_byzantine() {
                let mut ledger = self.ledger.borrow_mut();
                for fault in &faults {
                    ledger.fault(member, node.judge.scheme().as_ref(), fault);
                }
                for effect in &effects {
                    ledger.effect(member, node.judge.scheme().as_ref(), effect);
                }
            }
            for effect in effects {
                self.carry_out(member, now, effect, &mut inputs);
            }
        }
        self.after(member, now);
    }

    /// Notes what the outside may see of a member, and when it wants to be called again.
    fn after(&mut self, member: MemberId, now: Now) {
        let node = &mut self.nodes[member.index()];
        let Some(core) = &node.core else { return };
        let views = &mut self.views[member.index()];
        let honest = node.program.is_none();
        let mut alive = 0;
        core.alive(&mut |round, view| {
            alive += 1;
            let known = views.entry(round).or_default();
            if *known >= view {
                return;
            }
            *known = view;
            if honest {
                let highest = self.highest_view.entry(round).or_default();
                *highest = (*highest).max(view);
                if view.0 > VIEWS_MAX {
                    let what = format!("round {round}: member {member} is in view {view}");
                    self.stuck = Some(what);
                }
            }
        });
        let kept = core.kept();
        node.kept_max = node.kept_max.max(kept);
        if honest && kept > kept_bound(self.plan, alive) {
            self.ledger.borrow_mut().find(
                Property::Memory,
                format!("member {member} keeps {kept} things"),
            );
        }
        if let Some(deadline) = core.deadline(now) {
            let local_us = deadline.saturating_sub(1_000_000);
            let at_us = (local_us * 1_000).div_ceil(self.plan.rates[member.index()]);
            let node = &mut self.nodes[member.index()];
            if node.tick_at_us.is_none_or(|known| at_us < known) {
                node.tick_at_us = Some(at_us);
                let life = node.life;
                self.post.at(at_us, Event::Tick { member, life });
            }
        }
    }

    fn say(&self, member: MemberId, what: &str) {
        if self.trace {
            println!("{:>9} {member:>3} {what}", self.post.now_us());
        }
    }
}
