//! What happens in one run, drawn from its seed: who is faulty and how, and how the network delays whom.

use std::collections::BTreeSet;

use touchstone_consensus::Params;
use touchstone_types::{Committee, MemberId, MemberSet, Round};

use super::{adversary::Behaviour, dice::Dice, letter::Kind};

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
    /// How fast each member's clocks run, in thousandths.
    pub(super) rates: Vec<u64>,
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
    /// From when on after a member's observation its delay counts.
    pub(super) delays_from_us: u64,
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
            ("drifting clocks", self.rates.iter().any(|r| *r != 1_000)),
            ("clocks apart", self.clocks_ms.iter().any(|c| *c != 0)),
            ("short lives", self.params.life_doublings == 2),
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
}
