//! What is drawn for an adversarial run.

use touchstone_consensus::Params;
use touchstone_types::{Committee, MemberSet, MessageKind, Round};

use super::{
    adversary::Behaviour,
    concert::Concert,
    dice::Dice,
    letter::Kind,
    plan::{Break, Cut, Delays, Plan, Role, Schedule, UNIT_US, Villain},
};

impl Plan {
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
        plan.rates = rates(d, committee);
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
            .flat_map(|_| cut(d, committee, cuts_until))
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
pub(super) fn timers(d: &mut Dice, committee: Committee) -> Vec<(u64, u64)> {
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

pub(super) fn pool(d: &mut Dice) -> Schedule {
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

/// One way, both ways, or all that some members say.
fn cut(d: &mut Dice, committee: Committee, until_us: u64) -> Vec<Cut> {
    let side = d.members(committee, 400);
    let other: MemberSet = committee.members().filter(|m| !side.contains(*m)).collect();
    let start_us = d.below(until_us + 1);
    let end_us = d.between(start_us, until_us.max(start_us));
    let ways = match d.below(5) {
        0 => vec![(side, other)],
        1 => vec![(other, side)],
        2 => vec![(side, committee.members().collect())],
        _ => vec![(side, other), (other, side)],
    };
    let cut = |(from, to)| Cut {
        from,
        to,
        start_us,
        end_us,
    };
    ways.into_iter().map(cut).collect()
}

/// Most clocks run as they should; those that do not may be half or twice as fast.
fn rates(d: &mut Dice, committee: Committee) -> Vec<u64> {
    let each = *d.pick(&[0, 0, 300, 1_000]).unwrap_or(&0);
    let rate = |_| {
        if d.chance(each) {
            d.between(500, 2_000)
        } else {
            1_000
        }
    };
    committee.members().map(rate).collect()
}

fn link_break(d: &mut Dice, committee: Committee, until_us: u64) -> Break {
    Break {
        from: d.member(committee),
        to: d.member(committee),
        at_us: d.below(until_us + 1),
        down_us: d.between(1, 20 * UNIT_US),
    }
}
