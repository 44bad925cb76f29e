//! Attacks in which Byzantine members and the network work together, one plan against one round, for as long as it takes.

use touchstone_types::{MemberId, MemberSet, MessageKind};

use super::{
    adversary::Behaviour,
    dice::Dice,
    letter::Kind,
    plan::{Plan, Role, Schedule, UNIT_US, Villain},
};

/// A concerted attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Concert {
    /// The few members that hold a quorum of acknowledgements shall leave each view before they know that it decides.
    Deprive,
    /// One member alone decides, and nobody hears of it while the others go on.
    Isolate,
    /// One member falls views behind; then a Byzantine member gives up, and the one that is behind is needed.
    Lag,
    /// Another member is locked in each view, and none of the others hears of it.
    Scatter,
}

/// What Byzantine members always do in a concert, and what they do or not.
struct Parts {
    schedule: Schedule,
    always: Vec<Behaviour>,
    perhaps: &'static [Behaviour],
    /// View 0 would end it too soon.
    no_view_0: bool,
}

impl Concert {
    /// Every concert.
    pub const ALL: &[Self] = &[Self::Deprive, Self::Isolate, Self::Lag, Self::Scatter];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deprive => "deprive",
            Self::Isolate => "isolate",
            Self::Lag => "lag",
            Self::Scatter => "scatter",
        }
    }

    pub(super) fn draw(d: &mut Dice) -> Self {
        match d.below(20) {
            0..2 => Self::Deprive,
            2..10 => Self::Isolate,
            10..14 => Self::Lag,
            _ => Self::Scatter,
        }
    }

    /// Turns the plan into this attack: `f` members are Byzantine and resolute, and nothing else disturbs them.
    pub(super) fn arrange(self, d: &mut Dice, plan: &mut Plan) {
        let mut members: Vec<MemberId> = plan.committee.members().collect();
        d.shuffle(&mut members);
        let (byzantine, honest) = members.split_at(usize::from(plan.committee.f()));
        let mark = honest.first().copied().unwrap_or(MemberId(0));
        let parts = match self {
            Self::Deprive => deprive(honest, byzantine.len()),
            Self::Isolate => isolate(d, honest, byzantine.len()),
            Self::Lag => lag(d, mark, plan),
            Self::Scatter => scatter(mark),
        };
        for role in &mut plan.roles {
            *role = Role::Honest;
        }
        for member in byzantine {
            let also = parts.perhaps.iter().filter(|_| d.chance(400));
            let behaviours = parts.always.iter().chain(also).copied().collect();
            if let Some(role) = plan.roles.get_mut(member.index()) {
                *role = Role::Byzantine(Villain {
                    mark: Some(mark),
                    ..Villain::resolute(behaviours)
                });
            }
        }
        plan.scene = self.name();
        plan.rounds = 1;
        plan.clocks_ms.fill(0);
        plan.rates.fill(1_000);
        plan.own_us = plan.own_us.min(UNIT_US / 4);
        plan.schedule = parts.schedule;
        plan.no_view_0 = parts.no_view_0;
        for (min, max) in &mut plan.timers_us {
            (*min, *max) = ((*min).min(30 * UNIT_US), (*max).min(30 * UNIT_US));
        }
        plan.heal_us = u64::MAX;
    }
}

fn deprive(honest: &[MemberId], f: usize) -> Parts {
    let helper = honest.get(f).or(honest.first()).copied();
    Parts {
        schedule: Schedule::Deprive {
            starved: honest.iter().take(f).copied().collect(),
            helper: helper.unwrap_or(MemberId(0)),
        },
        always: vec![
            Behaviour::EarlyCoin,
            Behaviour::HideLock,
            Behaviour::WithholdReplies,
        ],
        perhaps: &[],
        no_view_0: true,
    }
}

/// Three ways to lead the others astray while one member has decided.
fn isolate(d: &mut Dice, honest: &[MemberId], f: usize) -> Parts {
    const ANY: &[Behaviour] = &[
        Behaviour::LowTc,
        Behaviour::LateLock,
        Behaviour::LateDone,
        Behaviour::EarlyTimeout,
        Behaviour::PrepareAll,
        Behaviour::EquivocateObs,
        Behaviour::EquivocatePropose,
        Behaviour::WithholdShare,
    ];
    let way = d.below(3);
    let early = way == 2 && d.chance(600);
    let hidden = if d.chance(700) {
        Behaviour::HideLock
    } else {
        Behaviour::FalseLock
    };
    let mut always = vec![
        Behaviour::VoteAll,
        hidden,
        Behaviour::WithholdReplies,
        Behaviour::Restless,
        Behaviour::EarlyCoin,
    ];
    let some = |from: usize, count: usize| honest.iter().skip(from).take(count).copied().collect();
    let (mut starved, mut ignorant) = (MemberSet::default(), MemberSet::default());
    let perhaps: &[Behaviour] = match way {
        // Members that have reported are tempted to acknowledge after all.
        0 => {
            always.push(Behaviour::LateLock);
            &[Behaviour::LowTc, Behaviour::EquivocateObs]
        }
        // Some help the others who know what may be decided, but leave each view without its coin.
        1 => {
            starved = some(1, f);
            ignorant = some(1 + f, honest.len());
            always.push(Behaviour::LowTc);
            &[Behaviour::LateLock, Behaviour::EquivocateObs]
        }
        _ => {
            if d.chance(300) {
                starved = some(1, f);
            }
            if d.chance(300) {
                ignorant = some(1 + f, honest.len());
            }
            ANY
        }
    };
    Parts {
        schedule: Schedule::Isolate {
            member: honest.first().copied().unwrap_or(MemberId(0)),
            early,
            alone: d.chance(700),
            starved,
            ignorant,
            scattered: *d.pick(&[0, 0, 200, 400]).unwrap_or(&0),
        },
        always,
        perhaps,
        no_view_0: !early,
    }
}

fn lag(d: &mut Dice, mark: MemberId, plan: &Plan) -> Parts {
    const KINDS: &[MessageKind] = &[
        MessageKind::Propose,
        MessageKind::Timeout,
        MessageKind::Done,
        MessageKind::Coin,
        MessageKind::Status,
    ];
    // It stays in view 0, or in the first view, or whatever comes of it.
    let each = match d.below(3) {
        0 => [1_000, 1_000, 0, 0, 0],
        1 => [0, 0, 1_000, 1_000, 1_000],
        _ => [600; 5],
    };
    let drawn: Vec<_> = KINDS
        .iter()
        .zip(each)
        .filter(|(_, e)| d.chance(*e))
        .collect();
    let kinds = drawn.into_iter().map(|(kind, _)| Kind::Signed(*kind));
    let kinds = kinds.chain([Kind::Decide]);
    Parts {
        schedule: Schedule::Lag {
            member: mark,
            kinds: kinds.collect(),
            victim: if d.chance(700) {
                mark
            } else {
                d.member(plan.committee)
            },
        },
        always: vec![Behaviour::Tires, Behaviour::WithholdReplies],
        perhaps: &[Behaviour::HideLock, Behaviour::LateLock],
        no_view_0: true,
    }
}

fn scatter(mark: MemberId) -> Parts {
    Parts {
        schedule: Schedule::Scatter { member: mark },
        always: vec![
            Behaviour::VoteAll,
            Behaviour::HideLock,
            Behaviour::WithholdReplies,
            Behaviour::Restless,
            Behaviour::EarlyTimeout,
            Behaviour::LowTc,
            Behaviour::LockToOne,
        ],
        perhaps: &[
            Behaviour::EarlyCoin,
            Behaviour::PrepareAll,
            Behaviour::EquivocateObs,
        ],
        no_view_0: false,
    }
}
