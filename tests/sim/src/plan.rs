//! What happens in one run, drawn from its seed: who is faulty and how, and how the network delays whom.

use std::collections::BTreeSet;

use touchstone_consensus::Params;
use touchstone_types::{Committee, MemberId, MemberSet, MessageKind, Round};

use super::{adversary::Behaviour, concert::Concert, dice::Dice, letter::Kind};

/// One delay between two members where nothing else is said.
pub(super) const UNIT_US: u64 = 10_000;

/// How long a letter takes where no scheduler looks at it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delays {
    /// Always one unit.
    Unit,
    /// From `1 / 8` of a unit to this many units, all as likely.
    Uniform(u64),
    /// Half a unit, doubled as long as a coin shows heads, at most this often.
    Heavy(u32),
}

impl Delays {
    pub(super) fn draw(self, dice: &mut Dice) -> u64 {
        match self {
            Self::Unit => UNIT_US,
            Self::Uniform(units) => dice.between(UNIT_US / 8, units * UNIT_US),
            Self::Heavy(most) => {
                let base = dice.between(UNIT_US / 4, UNIT_US * 3 / 4);
                base << dice.word().trailing_zeros().min(most)
            }
        }
    }
}

/// Whom an adversary that schedules the network delays. What it holds back is delivered at the latest when nothing else is
/// on its way: every letter arrives, and there is no bound on when.
#[derive(Clone, Debug)]
pub(super) enum Schedule {
    /// Nobody.
    Fair,
    /// In each window of time the newest letters arrive first.
    Lifo { window_us: u64 },
    /// Any letter may be the next one, and time passes as rarely as the dice say (`clock` of a thousand events), so that timers end
    /// at any moment. Some links, drawn by `salt`, are `slow`: of a thousand letters that come up there only `slow` pass.
    Pool {
        salt: u64,
        links: u64,
        slow: u64,
        clock: u64,
    },
    /// Letters to, or of, some members.
    Starve { victims: MemberSet, inbound: bool },
    /// Each triple of kind, sender and receiver is fast, slow or held back, drawn anew for each view where `by_view` is set.
    Chaos {
        salt: u64,
        slow: u64,
        held: u64,
        by_view: bool,
    },
    /// Some kinds of message to all but some members.
    Kinds { kinds: Vec<Kind>, but: MemberSet },
    /// LOCK and DONE of the elected leader, from when the coin can be known.
    HuntLeader,
    /// One member is the first to know, and the last to tell: between it and other honest members no STATUS passes and no answer,
    /// where it begins `early` no TIMEOUT and COMMIT either. Where it is `alone`, DONE (and, if early, PREPARE) reaches no other
    /// honest member. The `starved` get COIN and STATUS of a view once they have left it, and the `ignorant` LOCK of
    /// the first one. `scattered` of a thousand observations
    /// are held back from whom they go to.
    Isolate {
        member: MemberId,
        early: bool,
        alone: bool,
        starved: MemberSet,
        ignorant: MemberSet,
        scattered: u64,
    },
    /// One member gets nothing of these kinds, so that others run ahead of it; nobody gets LOCK and DONE of another.
    Lag {
        member: MemberId,
        kinds: Vec<Kind>,
        victim: MemberId,
    },
    /// PREPARE reaches one member alone among the honest, and what it has to say of it reaches them once they have left view 0.
    Scatter { member: MemberId },
    /// Some members, at most `f`, get COIN and STATUS of a view once they have left the view. DONE reaches the first of them
    /// alone, and ACK only them and `helper`, so that hardly anybody else holds a quorum of acknowledgements.
    Deprive {
        starved: MemberSet,
        helper: MemberId,
    },
}

impl Schedule {
    fn name(&self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Lifo { .. } => "lifo",
            Self::Pool { .. } => "pool",
            Self::Starve { .. } => "starve",
            Self::Chaos { .. } => "chaos",
            Self::Kinds { .. } => "kinds",
            Self::HuntLeader => "hunt-leader",
            Self::Isolate { .. } => "isolate",
            Self::Lag { .. } => "lag",
            Self::Scatter { .. } => "scatter",
            Self::Deprive { .. } => "deprive",
        }
    }
}

/// Some letters do not get through for a time; they are not lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) from: MemberSet,
    pub(super) to: MemberSet,
    pub(super) start_us: u64,
    pub(super) end_us: u64,
}

/// A link breaks: what is under way on it is lost, and sent again when it is up if the round still lives for its sender.
#[derive(Clone, Copy, Debug)]
pub(super) struct Break {
    pub(super) from: MemberId,
    pub(super) to: MemberId,
    pub(super) at_us: u64,
    pub(super) down_us: u64,
}

/// What a member is.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// Honest and running.
    Honest,
    /// Honest until it stops for ever.
    Crash { at_us: u64 },
    /// Honest, and down for a time.
    Restart { down_us: u64, up_us: u64 },
    /// Anything goes, except the use of others' keys.
    Byzantine(Villain),
}

/// A Byzantine member.
#[derive(Clone, Debug, Default)]
pub(super) struct Villain {
    pub(super) behaviours: Vec<Behaviour>,
    /// Always does all of it; otherwise most of the time.
    pub(super) resolute: bool,
    pub(super) silent_from_us: Option<u64>,
    /// Whom those who conspire lead on.
    pub(super) mark: Option<MemberId>,
    /// When the member goes down and comes up again, having forgotten what it said.
    pub(super) forgets_us: Option<(u64, u64)>,
}

impl Villain {
    /// One that does all this, always.
    pub(super) fn resolute(behaviours: Vec<Behaviour>) -> Self {
        Self {
            behaviours,
            resolute: true,
            ..Self::default()
        }
    }
}

impl Role {
    fn name(&self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Crash { .. } => "crash",
            Self::Restart { .. } => "restart",
            Self::Byzantine(v) if v.forgets_us.is_some() => "byzantine, restarted",
            Self::Byzantine(_) => "byzantine",
        }
    }

    pub(super) fn is_byzantine(&self) -> bool {
        matches!(self, Self::Byzantine(_))
    }
}

/// What a calm network is held to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Swift {
    /// After this many rounds view 0 must decide.
    pub(super) views_after: u64,
    /// After this many rounds every feed must be priced.
    pub(super) feeds_after: u64,
}

/// Rounds after which a calm network knows who is down and which feeds there are.
const WARM_UP: u64 = 10;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What kind of plan it is.
    pub(super) scene: &'static str,
    pub(super) seed: u64,
    pub(super) committee: Committee,
    pub(super) first_round: Round,
    pub(super) rounds: u64,
    pub(super) interval_ms: u64,
    pub(super) params: Params,
    /// Shortest and longest timer of view 0 of each member.
    pub(super) timers_us: Vec<(u64, u64)>,
    pub(super) swift: Option<Swift>,
    pub(super) roles: Vec<Role>,
    /// How far each member's wall clock is ahead (or, if negative, behind), in milliseconds.
    pub(super) clocks_ms: Vec<i64>,
    pub(super) delays: Delays,
    pub(super) schedule: Schedule,
    /// PROPOSE0 reaches nobody who has not left view 0.
    pub(super) no_view_0: bool,
    pub(super) cuts: Vec<Cut>,
    pub(super) breaks: Vec<Break>,
    /// From here on nobody is delayed on purpose.
    pub(super) heal_us: u64,
    pub(super) duplicates: u64,
    /// How many of a thousand letters travel as bytes.
    pub(super) encoded: u64,
    /// A member's own message comes back to it after up to this long.
    pub(super) own_us: u64,
    /// How many feeds honest members leave out now and then, of a thousand observations.
    pub(super) omissions: u64,
    /// Prices of honest members differ by up to this much.
    pub(super) spread: u64,
}

impl Plan {
    pub(super) fn last_round(&self) -> Round {
        self.first_round.saturating_add(self.rounds - 1)
    }

    /// What was drawn, for the count of it: each thing with the kind that it is of.
    pub(super) fn features(&self) -> BTreeSet<(&'static str, &'static str)> {
        let mut out = BTreeSet::from([("scene", self.scene), ("schedule", self.schedule.name())]);
        for role in &self.roles {
            out.insert(("role", role.name()));
            if let Role::Byzantine(villain) = role {
                out.extend(villain.behaviours.iter().map(|b| ("fault", b.name())));
            }
        }
        let network = [
            ("cut", !self.cuts.is_empty()),
            ("broken link", !self.breaks.is_empty()),
            ("duplicates", self.duplicates > 0),
            ("no view 0", self.no_view_0),
            ("never heals", self.heal_us == u64::MAX),
        ];
        let drawn = network.into_iter().filter(|(_, is)| *is);
        out.extend(drawn.map(|(name, _)| ("network", name)));
        out
    }

    /// The settings of one member.
    pub(super) fn params_of(&self, member: MemberId) -> Params {
        let timers = self.timers_us.get(member.index()).copied();
        let (timer_min_us, timer_max_us) =
            timers.unwrap_or((self.params.timer_min_us, self.params.timer_max_us));
        Params {
            timer_min_us,
            timer_max_us,
            ..self.params
        }
    }

    pub(super) fn byzantine(&self) -> MemberSet {
        let roles = self.committee.members().zip(&self.roles);
        roles
            .filter(|(_, r)| r.is_byzantine())
            .map(|(m, _)| m)
            .collect()
    }

    /// Everybody is honest, every letter takes one unit, and all clocks agree.
    pub(super) fn good_case(seed: u64, committee: Committee, rounds: u64) -> Self {
        let mut dice = Dice::new(seed, 0);
        let n = usize::from(committee.n());
        let interval_ms = 1_000;
        let params = Params {
            stagger_us: 60 * UNIT_US,
            ..Params::for_interval(interval_ms)
        };
        Self {
            scene: "good case",
            seed,
            committee,
            first_round: Round(1 + dice.below(1 << 20)),
            rounds,
            interval_ms,
            params,
            timers_us: vec![(params.timer_min_us, params.timer_max_us); n],
            swift: Some(Swift::default()),
            roles: vec![Role::Honest; n],
            clocks_ms: vec![0; n],
            delays: Delays::Unit,
            schedule: Schedule::Fair,
            no_view_0: false,
            cuts: Vec::new(),
            breaks: Vec::new(),
            heal_us: 0,
            duplicates: 0,
            encoded: 1_000,
            own_us: 0,
            omissions: 0,
            spread: 1_000,
        }
    }

    /// A calm network in which up to `f` members have one and the same fault: what costs time only must not.
    fn calm(d: &mut Dice, seed: u64, committee: Committee) -> Self {
        const FAULTS: &[Option<Behaviour>] = &[
            None,
            Some(Behaviour::OmitFeeds),
            Some(Behaviour::WithholdCommit),
            Some(Behaviour::WithholdShare),
            Some(Behaviour::BadShare),
            Some(Behaviour::BadNonces),
            Some(Behaviour::LiePrices),
        ];
        let mut plan = Self::good_case(seed, committee, d.between(12, 24));
        let fault = d.pick(FAULTS).copied().flatten();
        plan.scene = "calm";
        // A member that is down may lead for a while. One that is up and holds something back costs nobody a view.
        let views_after = if fault.is_none() { WARM_UP } else { 0 };
        plan.swift = Some(Swift {
            views_after,
            feeds_after: WARM_UP,
        });
        for _ in 0..committee.f() {
            let at = d.member(committee).index();
            if let Some(role) = plan.roles.get_mut(at) {
                *role = match fault {
                    None => Role::Crash { at_us: 0 },
                    Some(fault) => Role::Byzantine(Villain::resolute(vec![fault])),
                };
            }
        }
        plan
    }

    /// One round in which `f` members do what might split it, with all their strength, and letters arrive in any order.
    fn split(d: &mut Dice, seed: u64, committee: Committee) -> Self {
        const FAULTS: &[Behaviour] = &[
            Behaviour::VoteAll,
            Behaviour::PrepareAll,
            Behaviour::LowTc,
            Behaviour::PartialSends,
            Behaviour::EquivocatePropose,
            Behaviour::EarlyTimeout,
            Behaviour::EarlyCoin,
            Behaviour::LateLock,
            Behaviour::LateDone,
            Behaviour::LockToOne,
            Behaviour::FalseDecide,
            Behaviour::WithholdReplies,
            Behaviour::Restless,
        ];
        let mut plan = Self {
            scene: "split",
            no_view_0: d.chance(300),
            schedule: pool(d),
            heal_us: u64::MAX,
            encoded: 50,
            swift: None,
            ..Self::good_case(seed, committee, 1)
        };
        plan.timers_us = timers(d, committee);
        let mut members: Vec<_> = committee.members().collect();
        d.shuffle(&mut members);
        for member in members.into_iter().take(usize::from(committee.f())) {
            let each = *d.pick(&[300, 600]).unwrap_or(&300);
            let mut behaviours: Vec<_> =
                FAULTS.iter().filter(|_| d.chance(each)).copied().collect();
            // What it says of its lock.
            behaviours.extend(d.pick(&[Behaviour::HideLock, Behaviour::FalseLock]));
            if let Some(role) = plan.roles.get_mut(member.index()) {
                *role = Role::Byzantine(Villain::resolute(behaviours));
            }
        }
        plan
    }

    /// An adversarial run. Where `faults` is empty any mix may come up; otherwise Byzantine members do what it lists.
    pub(super) fn draw(
        seed: u64,
        committee: Committee,
        rounds: Option<u64>,
        faults: &[Behaviour],
        concert: Option<Concert>,
    ) -> Self {
        let mut dice = Dice::new(seed, 0);
        let d = &mut dice;
        let mut concert = concert;
        if faults.is_empty() && concert.is_none() && rounds.is_none() {
            match d.below(100) {
                0..6 => return Self::calm(d, seed, committee),
                6..36 => return Self::split(d, seed, committee),
                36..66 => concert = Some(Concert::draw(d)),
                _ => {}
            }
        }
        let rounds = rounds.unwrap_or_else(|| match d.below(10) {
            0..=5 => 1,
            6..=7 => d.between(2, 4),
            _ => d.between(5, 12),
        });
        let interval_ms = *d.pick(&[100, 400, 1_000]).unwrap_or(&1_000);
        let span_us = rounds * interval_ms * 1_000;
        let short = d.chance(300);
        let params = Params {
            life_rounds: if short { d.between(2, 4) } else { 1_000 },
            life_doublings: if short { 2 } else { 0 },
            grace_us: d.between(1, 8 * UNIT_US),
            stagger_us: d.between(UNIT_US, 60 * UNIT_US),
            skew_rounds: d.between(1, 3),
            fence_block: d.between(1, 3),
            certificates_kept: 2_000,
            fallbacks_max: *d.pick(&[1, 3, 1_000]).unwrap_or(&3),
            ..Params::for_interval(interval_ms)
        };
        let mut plan = Self {
            scene: "any",
            params,
            swift: None,
            rounds,
            interval_ms,
            // Rounds with many trailing zeros live long; both kinds of start come up.
            first_round: Round(if d.chance(500) {
                1
            } else {
                1 + d.below(1 << 20)
            }),
            delays: *d
                .pick(&[
                    Delays::Unit,
                    Delays::Uniform(2),
                    Delays::Uniform(8),
                    Delays::Heavy(6),
                ])
                .unwrap_or(&Delays::Unit),
            duplicates: *d.pick(&[0, 0, 50, 500]).unwrap_or(&0),
            own_us: *d.pick(&[0, 0, UNIT_US / 4, 4 * UNIT_US]).unwrap_or(&0),
            encoded: 250,
            omissions: *d.pick(&[0, 100, 400]).unwrap_or(&0),
            spread: 1 << d.below(40),
            ..Self::good_case(seed, committee, rounds)
        };
        plan.timers_us = timers(d, committee);
        plan.roles = roles(d, committee, span_us, faults);
        plan.clocks_ms = clocks(d, committee, interval_ms);
        plan.schedule = schedule(d, committee);
        // Half of the adversaries never let go; then the protocol must get there all the same.
        plan.heal_us = if d.chance(500) {
            u64::MAX
        } else {
            d.between(0, span_us + 200 * UNIT_US)
        };
        if let Some(concert) = concert {
            concert.arrange(d, &mut plan);
            return plan;
        }
        let cuts_until = plan.heal_us.min(span_us + 200 * UNIT_US);
        plan.cuts = (0..d.below(4))
            .map(|_| cut(d, committee, cuts_until))
            .collect();
        if d.chance(250) {
            plan.breaks = (0..d.below(6))
                .map(|_| link_break(d, committee, cuts_until))
                .collect();
        }
        plan
    }
}

/// Up to `f` members are not honest and running all the time.
fn roles(d: &mut Dice, committee: Committee, span_us: u64, faults: &[Behaviour]) -> Vec<Role> {
    let mut roles = vec![Role::Honest; usize::from(committee.n())];
    let mut members: Vec<_> = committee.members().collect();
    d.shuffle(&mut members);
    let faulty = if d.chance(850) {
        u64::from(committee.f())
    } else {
        d.below(u64::from(committee.f()) + 1)
    };
    for member in members
        .into_iter()
        .take(usize::try_from(faulty).unwrap_or_default())
    {
        if let Some(role) = roles.get_mut(member.index()) {
            *role = faulty_role(d, span_us, faults);
        }
    }
    roles
}

/// Timers that fit the delays, and others.
fn timers(d: &mut Dice, committee: Committee) -> Vec<(u64, u64)> {
    let longest = *d.pick(&[2, 10, 40, 200]).unwrap_or(&10) * UNIT_US;
    let timer = |_| {
        let min = d.between(1_000, longest);
        (min, d.between(min, 2 * longest))
    };
    committee.members().map(timer).collect()
}

fn faulty_role(d: &mut Dice, span_us: u64, faults: &[Behaviour]) -> Role {
    if faults.is_empty() && d.chance(100) {
        return Role::Crash {
            at_us: d.below(span_us + 20 * UNIT_US),
        };
    }
    if faults.is_empty() && d.chance(150) {
        let down_us = d.below(span_us + 20 * UNIT_US);
        let up_us = down_us + d.between(1, 40 * UNIT_US);
        return Role::Restart { down_us, up_us };
    }
    let behaviours = if faults.is_empty() {
        let each = *d.pick(&[100, 250, 500]).unwrap_or(&250);
        Behaviour::ALL
            .iter()
            .copied()
            .filter(|_| d.chance(each))
            .collect()
    } else {
        faults.to_vec()
    };
    let silent_from_us = d.chance(150).then(|| d.below(span_us + 60 * UNIT_US));
    let forgets_us = d.chance(100).then(|| {
        let down_us = d.below(span_us + 20 * UNIT_US);
        (down_us, down_us + d.between(1, 20 * UNIT_US))
    });
    Role::Byzantine(Villain {
        behaviours,
        resolute: faults.is_empty() && d.chance(300),
        silent_from_us,
        mark: None,
        forgets_us,
    })
}

/// Mostly small differences; now and then one member that is rounds behind or ahead.
fn clocks(d: &mut Dice, committee: Committee, interval_ms: u64) -> Vec<i64> {
    let skew = *d.pick(&[0, 5, 50, interval_ms]).unwrap_or(&0);
    let mut clocks: Vec<i64> = committee
        .members()
        .map(|_| i64::try_from(d.below(skew + 1)).unwrap_or_default())
        .collect();
    if d.chance(150) {
        let far = i64::try_from(d.between(interval_ms, 6 * interval_ms)).unwrap_or_default();
        let at = d.member(committee).index();
        if let Some(clock) = clocks.get_mut(at) {
            *clock = if d.chance(700) { -far } else { far };
        }
    }
    clocks
}

fn pool(d: &mut Dice) -> Schedule {
    Schedule::Pool {
        salt: d.word(),
        links: *d.pick(&[0, 300, 600]).unwrap_or(&300),
        slow: *d.pick(&[20, 200, 1_000]).unwrap_or(&200),
        clock: *d.pick(&[2, 20, 100]).unwrap_or(&20),
    }
}

fn schedule(d: &mut Dice, committee: Committee) -> Schedule {
    const KINDS: [MessageKind; 12] = [
        MessageKind::Obs,
        MessageKind::Propose0,
        MessageKind::Prepare,
        MessageKind::Commit,
        MessageKind::Timeout,
        MessageKind::Propose,
        MessageKind::Lock,
        MessageKind::Ack,
        MessageKind::Done,
        MessageKind::Coin,
        MessageKind::Status,
        MessageKind::Share,
    ];
    match d.below(16) {
        0..=1 => Schedule::Fair,
        12..=15 => pool(d),
        2 => Schedule::Lifo {
            window_us: d.between(2, 30) * UNIT_US,
        },
        3 => Schedule::Starve {
            victims: d.members(committee, 300),
            inbound: d.chance(700),
        },
        4..=7 => Schedule::Chaos {
            salt: d.word(),
            slow: *d.pick(&[100, 300, 600]).unwrap_or(&300),
            held: *d.pick(&[0, 50, 200, 400]).unwrap_or(&50),
            by_view: d.chance(700),
        },
        8 | 9 => {
            let mut kinds: Vec<_> = KINDS
                .iter()
                .filter(|_| d.chance(300))
                .map(|k| Kind::Signed(*k))
                .collect();
            if d.chance(300) {
                kinds.push(Kind::Cert);
                kinds.push(Kind::Decide);
            }
            Schedule::Kinds {
                kinds,
                but: d.members(committee, 300),
            }
        }
        _ => Schedule::HuntLeader,
    }
}

fn cut(d: &mut Dice, committee: Committee, until_us: u64) -> Cut {
    let side = d.members(committee, 400);
    let other: MemberSet = committee.members().filter(|m| !side.contains(*m)).collect();
    let start_us = d.below(until_us + 1);
    let end_us = d.between(start_us, until_us.max(start_us));
    let (from, to) = match d.below(3) {
        0 => (side, other),
        1 => (other, side),
        _ => (side, committee.members().collect()),
    };
    Cut {
        from,
        to,
        start_us,
        end_us,
    }
}

fn link_break(d: &mut Dice, committee: Committee, until_us: u64) -> Break {
    Break {
        from: d.member(committee),
        to: d.member(committee),
        at_us: d.below(until_us + 1),
        down_us: d.between(1, 20 * UNIT_US),
    }
}
