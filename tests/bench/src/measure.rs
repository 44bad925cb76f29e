//! Many rounds of one committee, in a few numbers.

use anyhow::Result;
use serde_json::{Value, json};
use touchstone_types::Suite;

use crate::{
    committee::{Case, Network},
    meter::{Cpu, Part, RoundCost, Sent},
};

/// Rounds that are not measured, at the start: members learn who leads and how long messages take.
const WARM_UP: u32 = 4;
/// Rounds without faults between two in which the leader dies, so that nobody gives view 0 up.
const RECOVERY: u32 = 3;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members.
    pub nodes: u16,
    /// Feeds.
    pub feeds: u16,
    /// What each round is signed in.
    pub suites: &'static [Suite],
    /// What goes wrong.
    pub case: Case,
    /// How many rounds are measured.
    pub rounds: u32,
    /// Where prices and identities come from.
    pub seed: u64,
}

/// A line of the table. Members' figures are the mean over the members of a round, and of those the median over the rounds.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// What was run.
    pub options: Options,
    /// A follower's work, by stage. The stages' medians need not add up to the median of the sum.
    pub follower: Cpu,
    /// A follower's work.
    pub follower_ns: u64,
    /// The same in the cheapest round.
    pub follower_min_ns: u64,
    /// The leader's work; none if it died.
    pub leader_ns: Option<u64>,
    /// What a follower sent.
    pub follower_sent: Sent,
    /// What the leader sent.
    pub leader_sent: Option<Sent>,
    /// The critical path: see [`RoundCost::critical_ns`].
    pub round_p50_ns: u64,
    /// The same at the 99th percentile.
    pub round_p99_ns: u64,
    /// Steps from the start to the last certificate, in the median.
    pub steps: u32,
}

/// Runs the rounds.
///
/// # Errors
/// An impossible committee, or a round that goes wrong.
pub fn measure(options: Options) -> Result<Line> {
    let mut network = Network::new(options.nodes, options.feeds, options.suites, options.seed)?;
    if options.case == Case::Silent {
        network.silence();
    }
    for _ in 0..WARM_UP {
        network.round(false)?;
    }
    let mut costs = Vec::new();
    for _ in 0..options.rounds {
        let dies = options.case == Case::LeaderDead;
        costs.push(network.round(dies)?);
        for _ in 0..RECOVERY * u32::from(dies) {
            network.round(false)?;
        }
    }
    Ok(summary(options, &costs))
}

/// The value at a share of a sorted list, by the nearest rank; the default of an empty one.
pub fn spread<T: Ord + Copy + Default>(mut values: Vec<T>, percent: usize) -> T {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or_default()
}

fn summary(options: Options, costs: &[RoundCost]) -> Line {
    let median = |of: &dyn Fn(&RoundCost) -> u64| spread(costs.iter().map(of).collect(), 50);
    let stage = |of: fn(&Cpu) -> u64| median(&|c| mean(c.followers(), |p| of(&p.cpu)));
    let total = |c: &RoundCost| mean(c.followers(), |p| p.cpu.total_ns());
    let led = costs.iter().all(|c| c.leader().is_some());
    let leader = |of: fn(&Part) -> u64| led.then(|| median(&|c| c.leader().map_or(0, of)));
    let follower = |of: fn(&Part) -> u64| median(&|c| mean(c.followers(), of));
    let sent = leader(|p| p.sent.messages).zip(leader(|p| p.sent.bytes));
    let critical = || costs.iter().map(|c| c.critical_ns).collect::<Vec<_>>();
    Line {
        options,
        follower: Cpu {
            decode_ns: stage(|c| c.decode_ns),
            verify_ns: stage(|c| c.verify_ns),
            core_ns: stage(|c| c.core_ns),
            seal_ns: stage(|c| c.seal_ns),
        },
        follower_ns: median(&total),
        follower_min_ns: costs.iter().map(total).min().unwrap_or_default(),
        leader_ns: leader(|p| p.cpu.total_ns()),
        follower_sent: Sent {
            messages: follower(|p| p.sent.messages),
            bytes: follower(|p| p.sent.bytes),
        },
        leader_sent: sent.map(|(messages, bytes)| Sent { messages, bytes }),
        round_p50_ns: spread(critical(), 50),
        round_p99_ns: spread(critical(), 99),
        steps: spread(costs.iter().map(|c| c.steps).collect(), 50),
    }
}

fn mean<'a>(parts: impl Iterator<Item = &'a Part>, of: impl Fn(&Part) -> u64) -> u64 {
    let (sum, count) = parts.fold((0, 0), |(sum, count), p| (sum + of(p), count + 1));
    u64::checked_div(sum, count).unwrap_or_default()
}

impl Line {
    /// The table's heading.
    pub const HEADING: [&str; 3] = [
        "                                    follower's CPU, us per round                leader's   sent by a follower   by the leader      round, us, critical path",
        "   n   f feeds suites case         decode verify   core   seal    all    min        CPU    messages    bytes    messages    bytes     p50     p99  steps",
        "--- --- ----- ------ ----------- ------- ------ ------ ------ ------ ------ ----------  ---------- --------  ---------- --------  ------- ------- ------",
    ];

    /// The line as text.
    pub fn text(&self) -> String {
        let o = &self.options;
        let us = |ns: u64| ns / 1_000;
        let optional = |value: Option<u64>| value.map_or("-".to_owned(), |v| v.to_string());
        format!(
            "{:>3} {:>3} {:>5} {:>6} {:<11} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>10}  {:>10} {:>8}  {:>10} {:>8}  {:>7} {:>7} {:>6}",
            o.nodes,
            touchstone_types::Committee::max_faults(o.nodes),
            o.feeds,
            o.suites.len(),
            o.case.name(),
            us(self.follower.decode_ns),
            us(self.follower.verify_ns),
            us(self.follower.core_ns),
            us(self.follower.seal_ns),
            us(self.follower_ns),
            us(self.follower_min_ns),
            optional(self.leader_ns.map(us)),
            self.follower_sent.messages,
            self.follower_sent.bytes,
            optional(self.leader_sent.map(|s| s.messages)),
            optional(self.leader_sent.map(|s| s.bytes)),
            us(self.round_p50_ns),
            us(self.round_p99_ns),
            self.steps,
        )
    }

    /// The line as JSON; times are in nanoseconds.
    pub fn json(&self) -> Value {
        let o = &self.options;
        let sent = |s: Sent| json!({ "messages": s.messages, "bytes": s.bytes });
        json!({
            "nodes": o.nodes,
            "feeds": o.feeds,
            "suites": o.suites,
            "case": o.case.name(),
            "rounds": o.rounds,
            "follower_cpu_ns": {
                "decode": self.follower.decode_ns,
                "verify": self.follower.verify_ns,
                "core": self.follower.core_ns,
                "seal": self.follower.seal_ns,
                "all": self.follower_ns,
                "min": self.follower_min_ns,
            },
            "leader_cpu_ns": self.leader_ns,
            "follower_sent": sent(self.follower_sent),
            "leader_sent": self.leader_sent.map(sent),
            "round_ns": { "p50": self.round_p50_ns, "p99": self.round_p99_ns },
            "steps": self.steps,
        })
    }
}

/// How busy the machine is, for the reader of the table.
pub fn load_average() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let first: Vec<_> = text.split_whitespace().take(3).collect();
    (first.len() == 3).then(|| first.join(" "))
}

#[cfg(test)]
mod tests {
    use touchstone_types::SUITES;

    use super::*;

    #[test]
    fn a_spread_is_of_the_nearest_rank() {
        let values: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(spread(values.clone(), 50), 50);
        assert_eq!(spread(values, 99), 99);
        assert_eq!(spread(vec![7, 3], 50), 3);
        assert_eq!(spread(Vec::<u64>::new(), 50), 0);
    }

    #[test]
    fn every_case_is_signed_and_what_is_sent_is_what_the_protocol_says() {
        let line = |case| {
            let options = Options {
                nodes: 4,
                feeds: 3,
                suites: &SUITES,
                case,
                rounds: 3,
                seed: 1,
            };
            measure(options).expect("rounds are signed")
        };
        assert_eq!(line(Case::Good).steps, 4);
        let silent = line(Case::Silent);
        assert_eq!(silent.steps, 4);
        // OBS, PREPARE and COMMIT to three others each, and PROPOSE0 by the leader. Nobody is late, so nobody is answered.
        assert_eq!(silent.follower_sent.messages, 9);
        assert_eq!(silent.leader_sent.map(|s| s.messages), Some(12));
        let dead = line(Case::LeaderDead);
        assert!(dead.steps > 4 && dead.leader_ns.is_none(), "{dead:?}");
    }
}
