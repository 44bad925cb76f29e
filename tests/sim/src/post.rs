//! The network of one run: when each letter arrives.

mod schedule;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use touchstone_consensus::Signed;
use touchstone_types::{MemberId, MemberSet, MessageKind, Round, View};

use self::schedule::{class, isolated, view_of};
use super::{
    dice::Dice,
    letter::{Kind, Letter, Posted},
    plan::{Plan, Schedule, UNIT_US},
};

/// How much longer than others a delayed letter takes.
const SLOW: u64 = 12;

/// While fewer letters than this are held back, they go out one after the other.
const FEW: usize = 1_000;

/// How long a conspiracy waits for a timer.
const PATIENCE_US: u64 = 60 * UNIT_US;

/// Something that will happen.
pub(super) enum Event {
    Deliver(Posted),
    /// A member's own signed message comes back to it.
    Own {
        member: MemberId,
        life: u32,
        signed: Box<Signed>,
    },
    Tick {
        member: MemberId,
        life: u32,
    },
    /// A Byzantine member does something of its own accord.
    Act {
        member: MemberId,
    },
    Crash {
        member: MemberId,
    },
    Restart {
        member: MemberId,
    },
    Break {
        from: MemberId,
        to: MemberId,
    },
    Reconnect {
        from: MemberId,
        to: MemberId,
    },
}

struct Scheduled {
    at_us: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_us, self.number).cmp(&(other.at_us, other.number))
    }
}

/// What a scheduler may know of the members: the view that each is in.
pub(super) type Views = Vec<BTreeMap<Round, View>>;

/// Letters and other events in the order of their time.
pub(super) struct Post {
    dice: Dice,
    queue: BinaryHeap<Reverse<Scheduled>>,
    held: Vec<Posted>,
    number: u64,
    now_us: u64,
    /// Letters of honest members that are neither held back nor there.
    under_way: u64,
    /// When the last of them arrived.
    quiet_since_us: u64,
    byzantine: MemberSet,
    /// How often each link was broken, and whether it is down now.
    breaks: BTreeMap<(MemberId, MemberId), (u32, bool)>,
    /// Leaders that the scheduler knows to be elected.
    elected: BTreeMap<(Round, View), MemberId>,
    /// Letters that were posted, each receiver counted.
    pub(super) posted: u64,
}

impl Post {
    pub(super) fn new(seed: u64, byzantine: MemberSet) -> Self {
        Self {
            dice: Dice::new(seed, 1),
            byzantine,
            queue: BinaryHeap::new(),
            held: Vec::new(),
            number: 0,
            now_us: 0,
            under_way: 0,
            quiet_since_us: 0,
            breaks: BTreeMap::new(),
            elected: BTreeMap::new(),
            posted: 0,
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        self.now_us
    }

    pub(super) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    pub(super) fn at(&mut self, at_us: u64, event: Event) {
        if self.counts(&event) {
            self.under_way += 1;
        }
        self.number += 1;
        self.queue.push(Reverse(Scheduled {
            at_us: at_us.max(self.now_us),
            number: self.number,
            event,
        }));
    }

    /// The next event. Before time passes with nothing on its way, one of the letters that are held back goes out.
    pub(super) fn next(&mut self, plan: &Plan, views: &Views) -> Option<Event> {
        if let Schedule::Pool {
            salt,
            links,
            slow,
            clock,
        } = plan.schedule
            && self.now_us < plan.heal_us
        {
            if let Some(posted) = self.draw(plan, salt, links, slow, clock) {
                return Some(Event::Deliver(posted));
            }
        } else if !self.held.is_empty() {
            self.let_go(plan, views);
        }
        let Reverse(next) = self.queue.pop()?;
        self.now_us = next.at_us;
        if self.counts(&next.event) {
            self.under_way -= 1;
            self.quiet_since_us = self.now_us;
        }
        Some(next.event)
    }

    /// The next letter of a pool that knows no order; none when it is time for the clock.
    fn draw(
        &mut self,
        plan: &Plan,
        salt: u64,
        links: u64,
        slow: u64,
        clock: u64,
    ) -> Option<Posted> {
        if self.held.is_empty() || (!self.queue.is_empty() && self.dice.chance(clock)) {
            return None;
        }
        let mut which = 0;
        for _ in 0..64 {
            let count = u64::try_from(self.held.len()).unwrap_or(1);
            which = usize::try_from(self.dice.below(count)).unwrap_or_default();
            let link = self.held.get(which).map(|p| (p.from.0, p.to.0));
            let mut hasher = DefaultHasher::new();
            (salt, link).hash(&mut hasher);
            let kind = self.held.get(which).map(|p| p.letter.kind);
            let waits = plan.no_view_0 && kind == Some(Kind::Signed(MessageKind::Propose0));
            let slow_link = hasher.finish() % 1_000 < links;
            if (!waits || self.dice.chance(5)) && (!slow_link || self.dice.chance(slow)) {
                break;
            }
        }
        Some(self.held.swap_remove(which))
    }

    /// Whether an event is one that letters which are held back wait for. What Byzantine members say is none: they never stop.
    fn counts(&self, event: &Event) -> bool {
        match event {
            Event::Deliver(posted) => !self.byzantine.contains(posted.from),
            Event::Own { member, .. } => !self.byzantine.contains(*member),
            _ => false,
        }
    }

    fn let_go(&mut self, plan: &Plan, views: &Views) {
        if self.now_us >= plan.heal_us {
            for posted in std::mem::take(&mut self.held) {
                self.carry(plan, posted);
            }
        }
        // What a member has left behind is let through: it comes too late.
        if plan.no_view_0
            || matches!(
                plan.schedule,
                Schedule::Deprive { .. }
                    | Schedule::HuntLeader
                    | Schedule::Isolate { .. }
                    | Schedule::Scatter { .. }
            )
        {
            let left = |p: &Posted| {
                // What the isolated member says would give it away for ever.
                let counts = !isolated(plan, p);
                counts && view_of(views, p.to, p.letter.round).is_some_and(|v| v > p.letter.view)
            };
            let (free, held) = std::mem::take(&mut self.held).into_iter().partition(left);
            self.held = held;
            for posted in Vec::from_iter::<Vec<Posted>>(free) {
                self.carry(plan, posted);
            }
        }
        if self.under_way == 0 && !self.held.is_empty() && !self.soon_something(plan) {
            // One after the other; in large committees, where tens of thousands are held back, a few at a time.
            for _ in 0..=self.held.len() / FEW {
                self.let_one_go(plan);
            }
        }
    }

    fn let_one_go(&mut self, plan: &Plan) {
        let count = self.held.len() as u64;
        let mut which = usize::try_from(self.dice.below(count)).unwrap_or_default();
        // The isolated member comes last, mostly.
        if let Some(other) = self.held.iter().position(|p| !isolated(plan, p))
            && self.held.get(which).is_some_and(|p| isolated(plan, p))
            && self.dice.chance(950)
        {
            which = other;
        }
        let posted = self.held.swap_remove(which);
        self.carry(plan, posted);
    }

    /// Where network and members conspire, timers come before what is held back.
    fn soon_something(&self, plan: &Plan) -> bool {
        let patient = plan.no_view_0
            || matches!(
                plan.schedule,
                Schedule::Isolate { .. } | Schedule::Scatter { .. } | Schedule::Lag { .. }
            );
        patient && !self.queue.is_empty() && self.now_us < self.quiet_since_us + PATIENCE_US
    }

    /// Takes letters in.
    pub(super) fn post(
        &mut self,
        plan: &Plan,
        views: &Views,
        from: MemberId,
        to: MemberSet,
        letter: &Letter,
    ) {
        for to in to.iter().filter(|to| *to != from) {
            self.posted += 1;
            let (breaks, down) = self.breaks.get(&(from, to)).copied().unwrap_or_default();
            if down {
                continue;
            }
            let posted = Posted {
                from,
                to,
                letter: letter.clone(),
                breaks,
            };
            if self.now_us < plan.heal_us && self.hold(plan, views, &posted) {
                self.held.push(posted);
                continue;
            }
            if self.dice.chance(plan.duplicates) {
                self.carry(plan, posted.clone());
            }
            self.carry(plan, posted);
        }
    }

    fn carry(&mut self, plan: &Plan, posted: Posted) {
        let now = self.now_us;
        let mut delay = plan.delays.draw(&mut self.dice);
        if now < plan.heal_us {
            match &plan.schedule {
                Schedule::Lifo { window_us } => delay = 2 * (window_us - now % window_us),
                Schedule::Chaos {
                    salt,
                    slow,
                    held,
                    by_view,
                } => {
                    let class = class(*salt, *by_view, &posted);
                    if class >= *held && class < held + slow {
                        delay *= SLOW;
                    }
                }
                _ => {}
            }
        }
        let mut at_us = now + delay;
        for cut in &plan.cuts {
            if cut.from.contains(posted.from)
                && cut.to.contains(posted.to)
                && (cut.start_us..cut.end_us).contains(&at_us)
            {
                at_us = cut.end_us + delay;
            }
        }
        self.at(at_us, Event::Deliver(posted));
    }

    /// Whether the link that the letter came on has broken since.
    pub(super) fn is_lost(&self, posted: &Posted) -> bool {
        let state = self.breaks.get(&(posted.from, posted.to));
        state.is_some_and(|(breaks, _)| *breaks != posted.breaks)
    }

    pub(super) fn break_link(&mut self, from: MemberId, to: MemberId) {
        let (breaks, down) = self.breaks.entry((from, to)).or_default();
        *breaks += 1;
        *down = true;
    }

    pub(super) fn mend_link(&mut self, from: MemberId, to: MemberId) {
        if let Some((_, down)) = self.breaks.get_mut(&(from, to)) {
            *down = false;
        }
    }

    /// Delays of a member's own message on its way through its vault.
    pub(super) fn own_delay(&mut self, plan: &Plan) -> u64 {
        self.dice.below(plan.own_us + 1)
    }

    /// A time soon after now.
    pub(super) fn soon(&mut self) -> u64 {
        self.now_us + self.dice.between(UNIT_US / 2, 8 * UNIT_US)
    }
}
