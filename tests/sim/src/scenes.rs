//! Plans with a purpose: what is right in the good case, in a calm one, and when one thing goes wrong.

use touchstone_consensus::Params;
use touchstone_types::{Committee, MemberId, Round};

use super::{
    adversary::Behaviour,
    dice::Dice,
    draw::{pool, timers},
    plan::{Delays, Plan, Role, Schedule, Swift, UNIT_US, Villain},
};

/// Rounds after which a calm network knows who is down and which feeds there are.
const WARM_UP: u64 = 10;
/// How long view 0 of a dead leader lasts, in units after the start of the round.
const DEAD_LEADER_TIMER: u64 = 20;

impl Plan {
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
            rates: vec![1_000; n],
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
            delays_from_us: 0,
        }
    }

    /// A calm network in which up to `f` members have one and the same fault: what costs time only must not.
    pub(super) fn calm(d: &mut Dice, seed: u64, committee: Committee) -> Self {
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
    pub(super) fn split(d: &mut Dice, seed: u64, committee: Committee) -> Self {
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

    /// The good case, with this many members crashed that lead none of the rounds.
    pub(super) fn crashed(seed: u64, committee: Committee, rounds: u64, crashed: u16) -> Self {
        let mut plan = Self::good_case(seed, committee, rounds);
        let mut d = Dice::new(seed, 3);
        // From the third round on, those who are down lead no more.
        let leads = |member: MemberId| {
            let n = u64::from(committee.n());
            (0..rounds.min(2)).any(|r| (plan.first_round.0 + r) % n == u64::from(member.0))
        };
        let mut followers: Vec<_> = committee.members().filter(|m| !leads(*m)).collect();
        d.shuffle(&mut followers);
        for member in followers.into_iter().take(usize::from(crashed)) {
            if let Some(role) = plan.roles.get_mut(member.index()) {
                *role = Role::Crash { at_us: 0 };
            }
        }
        plan.scene = "crashed followers";
        plan
    }

    /// One round whose leader is down, and whoever else is `crashed`; delays count from the end of the timer.
    pub(super) fn dead_leader(seed: u64, committee: Committee, crashed: u16) -> Self {
        let mut plan = Self::crashed(seed, committee, 1, crashed);
        let leader = plan.first_round.0 % u64::from(committee.n());
        let leader = usize::try_from(leader).unwrap_or_default();
        if let Some(role) = plan.roles.get_mut(leader) {
            *role = Role::Crash { at_us: 0 };
        }
        let timer_us = DEAD_LEADER_TIMER * UNIT_US;
        plan.timers_us.fill((timer_us, timer_us));
        // Observations take one unit; the timer runs from then on.
        plan.delays_from_us = UNIT_US + timer_us;
        plan.swift = None;
        plan.scene = "dead leader";
        plan
    }

    /// Many rounds in which one member leaves a feed out and all others are up and honest.
    pub(super) fn omitter(seed: u64, committee: Committee, rounds: u64) -> Self {
        let mut plan = Self::good_case(seed, committee, rounds);
        let mut d = Dice::new(seed, 3);
        let at = d.member(committee).index();
        if let Some(role) = plan.roles.get_mut(at) {
            *role = Role::Byzantine(Villain::resolute(vec![Behaviour::OmitFeeds]));
        }
        plan.delays = Delays::Uniform(2);
        plan.encoded = 0;
        plan.swift = None;
        plan.scene = "omitter";
        plan
    }

    /// One round in which the scheduler holds back whoever is known to lead: the leader of view 0, and the elected one from the
    /// moment at which the first coin share is out.
    pub(super) fn hunt(seed: u64, committee: Committee) -> Self {
        let mut plan = Self::good_case(seed, committee, 1);
        plan.schedule = Schedule::HuntLeader;
        plan.no_view_0 = true;
        plan.heal_us = u64::MAX;
        plan.timers_us.fill((10 * UNIT_US, 10 * UNIT_US));
        plan.swift = None;
        plan.scene = "hunt";
        plan
    }
}
