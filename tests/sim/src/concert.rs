//! Attacks in which Byzantine members and the network work together, one plan against one round, for as long as it takes.

use touchstone_types::MemberId;

use super::{
    adversary::Behaviour,
    dice::Dice,
    plan::{Plan, Role, Schedule, UNIT_US},
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
}

impl Concert {
    /// Every concert.
    pub const ALL: &[Self] = &[Self::Deprive, Self::Isolate, Self::Lag];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deprive => "deprive",
            Self::Isolate => "isolate",
            Self::Lag => "lag",
        }
    }

    pub(super) fn draw(d: &mut Dice) -> Self {
        // Isolation has the most ways to go.
        *d.pick(&[Self::Deprive, Self::Isolate, Self::Isolate, Self::Lag])
            .unwrap_or(&Self::Isolate)
    }

    /// Turns the plan into this attack: `f` members are Byzantine and resolute, and nothing else disturbs them.
    pub(super) fn arrange(self, d: &mut Dice, plan: &mut Plan) {
        let mut members: Vec<MemberId> = plan.committee.members().collect();
        d.shuffle(&mut members);
        let (byzantine, honest) = members.split_at(usize::from(plan.committee.f()));
        let first = honest.first().copied().unwrap_or(MemberId(0));
        let (schedule, always, perhaps): (_, &[Behaviour], &[Behaviour]) = match self {
            Self::Deprive => (
                Schedule::Deprive {
                    starved: honest.iter().take(byzantine.len()).copied().collect(),
                    helper: honest.get(byzantine.len()).copied().unwrap_or(first),
                },
                &[
                    Behaviour::EarlyCoin,
                    Behaviour::HideLock,
                    Behaviour::WithholdReplies,
                ],
                &[],
            ),
            Self::Isolate => (
                Schedule::Isolate {
                    member: first,
                    scattered: *d.pick(&[0, 200, 400]).unwrap_or(&0),
                },
                &[
                    Behaviour::VoteAll,
                    Behaviour::HideLock,
                    Behaviour::WithholdReplies,
                ],
                &[
                    Behaviour::LowTc,
                    Behaviour::LateLock,
                    Behaviour::LateDone,
                    Behaviour::EarlyCoin,
                    Behaviour::EquivocateObs,
                    Behaviour::EquivocatePropose,
                    Behaviour::WithholdShare,
                ],
            ),
            Self::Lag => (
                Schedule::Lag {
                    member: first,
                    victim: d.member(plan.committee),
                },
                &[Behaviour::Tires],
                &[Behaviour::VoteAll, Behaviour::HideLock],
            ),
        };
        for role in &mut plan.roles {
            *role = Role::Honest;
        }
        for member in byzantine {
            let also = perhaps.iter().filter(|_| d.chance(500));
            plan.roles[member.index()] = Role::Byzantine {
                behaviours: always.iter().chain(also).copied().collect(),
                resolute: true,
                silent_from_us: None,
            };
        }
        plan.rounds = 1;
        plan.clocks_ms.fill(0);
        plan.own_us = plan.own_us.min(UNIT_US / 4);
        plan.schedule = schedule;
        plan.heal_us = u64::MAX;
    }
}
