//! The clock guard: whether the own wall clock may be believed.
//!
//! Every observation that comes in says what its member's clock showed. The time on the way makes a sample look older, by no
//! more than the link's round trip, so what a sample proves is the distance of zero from (offset, offset + round trip); and a
//! member's offset is the largest of its samples of the last ten seconds. The own clock is wrong when the median of the
//! members' offsets is beyond the bound for two seconds, and at least `f + 1` members are beyond it on that side, one of them
//! honest. Without recent samples the own clock is all there is, and is believed. However slow the network is, right clocks are
//! believed.
//!
//! A jump of the wall clock against the monotonic one (a step, a suspended or restored machine) makes the clock suspect at
//! once, until `f + 1` members confirm it or ten seconds have passed. A process that nobody ran for some seconds counts as
//! restored, too: it cannot know what was done with it meanwhile.

use std::collections::{BTreeMap, VecDeque};

use touchstone_consensus::Now;
use touchstone_types::{Committee, MemberId};

const WINDOW_MS: u64 = 10_000;
/// Samples of one member within so long are one.
const BUCKET_MS: u64 = 1_000;
/// How long the members' median must be beyond the bound.
const HOLD_MS: u64 = 2_000;
/// The guard is asked once a second; after a pause of so many milliseconds the process was asleep.
const ASLEEP_MS: u64 = 5_000;
/// How long a jump makes the clock suspect at most.
const JUMP_MS: u64 = 10_000;

/// What the guard thinks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    /// Whether the clock may be believed.
    pub(crate) trusted: bool,
    /// Members' median minus own clock, in milliseconds.
    pub(crate) offset_ms: Option<i64>,
    /// By how much the wall clock has jumped since the last look, if it has.
    pub(crate) jumped_ms: Option<i64>,
    /// For how long nobody looked, if that is so long that the process must have been asleep.
    pub(crate) asleep_ms: Option<u64>,
}

/// The guard of one clock.
pub(crate) struct ClockGuard {
    bound_ms: i64,
    one_honest: usize,
    /// Per member, (monotonic time, largest offset) of each second.
    samples: BTreeMap<MemberId, VecDeque<(u64, i64)>>,
    /// Wall clock minus monotonic clock at the last look.
    last: Option<i64>,
    looked_at_ms: Option<u64>,
    beyond_since_ms: Option<u64>,
    jumped_at_ms: Option<u64>,
}

impl ClockGuard {
    pub(crate) fn new(bound_ms: u64, committee: Committee) -> Self {
        Self {
            bound_ms: i64::try_from(bound_ms).unwrap_or(i64::MAX),
            one_honest: committee.one_honest(),
            samples: BTreeMap::new(),
            last: None,
            looked_at_ms: None,
            beyond_since_ms: None,
            jumped_at_ms: None,
        }
    }

    /// A member's observation came in, over a link with this round trip, that says that its clock showed `theirs_ms`.
    pub(crate) fn sample(&mut self, now: Now, member: MemberId, theirs_ms: u64, rtt_ms: u64) {
        let at = now.mono_us / 1_000;
        let least = difference(theirs_ms, now.unix_ms);
        let most = least.saturating_add(i64::try_from(rtt_ms).unwrap_or(i64::MAX));
        let offset = least.max(most.min(0));
        let samples = self.samples.entry(member).or_default();
        match samples.back_mut() {
            Some((bucket, largest)) if at.saturating_sub(*bucket) < BUCKET_MS => {
                *largest = offset.max(*largest);
            }
            _ => samples.push_back((at, offset)),
        }
        while samples
            .front()
            .is_some_and(|(then, _)| at.saturating_sub(*then) > WINDOW_MS)
        {
            samples.pop_front();
        }
    }

    /// Looks at the clocks; to be called at least once a second.
    pub(crate) fn look(&mut self, now: Now) -> Verdict {
        let mono_ms = now.mono_us / 1_000;
        let jumped_ms = self.jump(now, mono_ms);
        let pause_ms = self.looked_at_ms.replace(mono_ms);
        let pause_ms = mono_ms.saturating_sub(pause_ms.unwrap_or(mono_ms));
        let offsets = self.offsets(mono_ms);
        let median = offsets.get(offsets.len().saturating_sub(1) / 2).copied();
        let near = offsets.iter().filter(|o| o.abs() <= self.bound_ms).count();
        if self
            .jumped_at_ms
            .is_some_and(|at| near >= self.one_honest || mono_ms.saturating_sub(at) >= JUMP_MS)
        {
            self.jumped_at_ms = None;
        }
        let beyond = median.is_some_and(|median| {
            let same_side = |o: &&i64| o.abs() > self.bound_ms && o.signum() == median.signum();
            median.abs() > self.bound_ms
                && offsets.iter().filter(same_side).count() >= self.one_honest
        });
        self.beyond_since_ms = beyond.then(|| self.beyond_since_ms.unwrap_or(mono_ms));
        let wrong = self
            .beyond_since_ms
            .is_some_and(|since| mono_ms.saturating_sub(since) >= HOLD_MS);
        Verdict {
            trusted: !wrong && self.jumped_at_ms.is_none(),
            offset_ms: median,
            jumped_ms,
            asleep_ms: (pause_ms >= ASLEEP_MS).then_some(pause_ms),
        }
    }

    fn jump(&mut self, now: Now, mono_ms: u64) -> Option<i64> {
        let ahead = difference(now.unix_ms, mono_ms);
        let moved = ahead.saturating_sub(self.last.replace(ahead).unwrap_or(ahead));
        if moved.abs() <= self.bound_ms {
            return None;
        }
        // What was measured against the clock before the jump says nothing about the clock after it.
        self.samples.clear();
        self.jumped_at_ms = Some(mono_ms);
        Some(moved)
    }

    /// Each member's offset, in ascending order.
    fn offsets(&self, mono_ms: u64) -> Vec<i64> {
        let fresh = |(then, offset): &(u64, i64)| {
            (mono_ms.saturating_sub(*then) <= WINDOW_MS).then_some(*offset)
        };
        let largest = |samples: &VecDeque<_>| samples.iter().filter_map(fresh).max();
        let mut offsets: Vec<i64> = self.samples.values().filter_map(largest).collect();
        offsets.sort_unstable();
        offsets
    }
}

fn difference(a: u64, b: u64) -> i64 {
    let wide = i128::from(a) - i128::from(b);
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN + 1 } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: u64 = 1_700_000_000_000;

    /// Four members, bound 500 ms; the own clock is `error_ms` off.
    struct World {
        guard: ClockGuard,
        mono_ms: u64,
        error_ms: i64,
        rtt_ms: u64,
    }

    impl World {
        fn new() -> Self {
            Self {
                guard: ClockGuard::new(500, Committee::new(4, 1).expect("committee")),
                mono_ms: 0,
                error_ms: 0,
                rtt_ms: 0,
            }
        }

        fn now(&self) -> Now {
            let unix_ms = (START_MS + self.mono_ms).saturating_add_signed(self.error_ms);
            Now {
                mono_us: self.mono_ms * 1_000,
                unix_ms,
            }
        }

        /// For so many seconds the members send observations, each with its clock's error and its delay on the way.
        fn run(&mut self, seconds: u64, members: &[(u16, i64, u64)]) -> Verdict {
            let mut verdict = Verdict::default();
            for _ in 0..seconds {
                self.mono_ms += 1_000;
                for (member, error_ms, delay_ms) in members {
                    let sent = START_MS + self.mono_ms - delay_ms;
                    let now = self.now();
                    self.guard.sample(
                        now,
                        MemberId(*member),
                        sent.saturating_add_signed(*error_ms),
                        self.rtt_ms,
                    );
                }
                verdict = self.guard.look(self.now());
            }
            verdict
        }
    }

    const HONEST: [(u16, i64, u64); 3] = [(1, 3, 2), (2, -5, 30), (3, 8, 80)];

    #[test]
    fn a_good_clock_is_believed() {
        let mut world = World::new();
        let verdict = world.run(20, &HONEST);
        assert!(
            verdict.trusted && verdict.offset_ms.is_some_and(|o| o.abs() < 100),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_wrong_clock_is_noticed_and_believed_again_when_right() {
        for error in [-700, 700, 3_600_000] {
            let mut world = World::new();
            world.error_ms = error;
            assert!(world.run(1, &HONEST).trusted, "not at the first sample");
            assert!(!world.run(5, &HONEST).trusted, "{error}");
            world.error_ms = 0;
            assert!(world.run(1, &HONEST).jumped_ms.is_some());
            assert!(world.run(2, &HONEST).trusted);
        }
    }

    #[test]
    fn right_clocks_are_believed_at_any_distance() {
        let mut world = World::new();
        world.rtt_ms = 6_000;
        let far = HONEST.map(|(member, error, _)| (member, error, 3_000));
        assert!(world.run(20, &far).trusted);
        world.error_ms = 10_000;
        assert!(
            !world.run(20, &far).trusted,
            "nor does distance hide a wrong one"
        );
        world.error_ms = -2_000;
        let near = HONEST.map(|(member, error, _)| (member, error, 20));
        assert!(!world.run(20, &near).trusted);
    }

    #[test]
    fn a_process_that_was_asleep_is_told_so() {
        let mut world = World::new();
        assert_eq!(world.run(5, &HONEST).asleep_ms, None);
        world.mono_ms += 60_000;
        assert_eq!(world.run(1, &HONEST).asleep_ms, Some(61_000));
        assert_eq!(world.run(1, &HONEST).asleep_ms, None);
    }

    #[test]
    fn one_liar_of_four_decides_nothing() {
        let liar = (3, 100_000, 0);
        assert!(World::new().run(10, &[HONEST[0], HONEST[1], liar]).trusted);
        assert!(World::new().run(10, &[HONEST[0], liar]).trusted);
        assert!(World::new().run(10, &[liar]).trusted);
        let mut world = World::new();
        world.error_ms = 10_000;
        assert!(
            !world
                .run(10, &[HONEST[0], HONEST[1], (3, 10_000, 0)])
                .trusted,
            "nor does it hide a wrong clock"
        );
    }

    #[test]
    fn without_recent_samples_the_own_clock_is_all_there_is() {
        let mut world = World::new();
        world.error_ms = 5_000;
        assert!(!world.run(5, &HONEST).trusted);
        assert!(world.run(12, &[]).trusted);
        assert_eq!(world.run(1, &[]).offset_ms, None);
    }

    /// After a partition the retained observations of the last minutes come in one burst, and then live ones.
    #[test]
    fn late_observations_do_not_accuse_the_clock() {
        let mut world = World::new();
        world.mono_ms = 100_000;
        for delay in (1..60).rev() {
            for member in 1..4 {
                let now = world.now();
                world
                    .guard
                    .sample(now, MemberId(member), START_MS + 100_000 - delay * 1_000, 0);
            }
            assert!(world.guard.look(world.now()).trusted);
        }
        assert!(world.run(5, &HONEST).trusted);
    }

    #[test]
    fn a_jump_is_suspect_until_members_confirm_or_time_passes() {
        let mut world = World::new();
        world.run(5, &HONEST);
        world.error_ms = 60_000;
        let verdict = world.run(1, &[]);
        assert_eq!((verdict.trusted, verdict.jumped_ms), (false, Some(60_000)));
        assert!(!world.run(8, &[]).trusted);
        assert!(world.run(3, &[]).trusted, "nobody contradicts");
        world.error_ms = 0;
        assert!(!world.run(1, &[]).trusted);
        assert!(!world.run(1, &HONEST[..1]).trusted, "one may lie");
        assert!(world.run(1, &HONEST[..2]).trusted);
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let mut world = World::new();
        for theirs in [0, u64::MAX] {
            let now = world.now();
            world.guard.sample(now, MemberId(1), theirs, u64::MAX);
            world.guard.look(now);
        }
        world.guard.look(Now {
            mono_us: u64::MAX,
            unix_ms: 0,
        });
    }
}
