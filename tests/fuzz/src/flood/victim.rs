//! The honest member that is flooded, and what it costs.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};
use rand_chacha::ChaCha20Rng;
use serde_json::json;
use touchstone_consensus::{
    Content, Core, Draft, Effect, Input, Message, Now, Params, Setup, Signed, To, Verifier,
    keys::{MemberKeys, seal, seal_observation},
};
use touchstone_crypto::Unverified;
use touchstone_types::{Digest, FeedObservation, MemberId, Round, Status};

use super::committee::{INTERVAL_MS, Network, START_MS};
use crate::memory::{HEAP, resident_bytes};

/// The member that is flooded. It leads the round.
pub(super) const ME: MemberId = MemberId(0);

/// What one kind of message costs.
pub(super) struct Cost {
    name: &'static str,
    pub(super) messages: u64,
    bytes: u64,
    pub(super) cpu_ns: u64,
    undecodable: u64,
    refused: u64,
    /// Messages that were sent in answer.
    answers: u64,
    /// Faults that were reported.
    faults: u64,
    pub(super) kept: usize,
    kept_before: usize,
    pub(super) heap_bytes: u64,
    heap_before: usize,
    resident_bytes: u64,
}

impl Cost {
    pub(super) fn heading() -> String {
        format!(
            "{:<34} {:>8} {:>9} {:>9} {:>7} {:>8} {:>8} {:>7} {:>6} {:>11} {:>9} {:>11}",
            "flood",
            "messages",
            "bytes/msg",
            "us/msg",
            "ns/byte",
            "accepted",
            "refused",
            "answers",
            "kept",
            "heap bytes",
            "heap/msg",
            "RSS bytes"
        )
    }

    fn per_message(&self, total: u64) -> f64 {
        total as f64 / self.messages.max(1) as f64
    }

    fn accepted(&self) -> u64 {
        self.messages - self.undecodable - self.refused
    }

    pub(super) fn row(&self) -> String {
        format!(
            "{:<34} {:>8} {:>9.0} {:>9.1} {:>7.0} {:>8} {:>8} {:>7} {:>6} {:>11} {:>9.1} {:>11}",
            self.name,
            self.messages,
            self.per_message(self.bytes),
            self.per_message(self.cpu_ns) / 1e3,
            self.cpu_ns as f64 / self.bytes.max(1) as f64,
            self.accepted(),
            self.refused + self.undecodable,
            self.answers,
            self.kept,
            self.heap_bytes,
            self.per_message(self.heap_bytes),
            self.resident_bytes,
        )
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "flood": self.name,
            "messages": self.messages,
            "bytes_per_message": self.per_message(self.bytes),
            "cpu_us_per_message": self.per_message(self.cpu_ns) / 1e3,
            "cpu_ns_per_byte": self.cpu_ns as f64 / self.bytes.max(1) as f64,
            "accepted": self.accepted(),
            "refused": self.refused,
            "undecodable": self.undecodable,
            "answers": self.answers,
            "faults": self.faults,
            "kept": self.kept,
            "heap_bytes": self.heap_bytes,
            "heap_bytes_per_message": self.per_message(self.heap_bytes),
            "resident_bytes": self.resident_bytes,
            "resident_bytes_per_message": self.per_message(self.resident_bytes),
        })
    }
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .context("the kernel's account of CPU time")?;
    let first = text
        .split_whitespace()
        .next()
        .context("an empty account of CPU time")?;
    Ok(first.parse()?)
}

/// An honest member in the middle of a round: observations of all but the flooder are in, its proposal is out.
pub(super) struct Victim {
    core: Core,
    keys: MemberKeys<ChaCha20Rng>,
    pub(super) verifier: Verifier,
    now: Now,
    /// The round.
    pub(super) round: Round,
    /// What the victim proposed.
    pub(super) proposed: Digest,
    feeds: u16,
}

impl Victim {
    pub(super) fn new(network: &Network) -> Result<Self> {
        let suite = network.suite()?;
        let verifier = network.verifier(&suite);
        let n = u64::from(network.terms.committee.n());
        // A multiple of n, so that member 0 leads; far enough from the start that many earlier rounds are alive.
        let round = Round((50_000 / n + 1) * n);
        let clock = network.manifest.clock();
        let unix_ms = START_MS + (round.0 - 1) * INTERVAL_MS;
        let params = Params::for_interval(INTERVAL_MS);
        let setup = Setup {
            me: ME,
            verifier: verifier.clone(),
            clock,
            params,
            fence: Round(0),
        };
        let mut victim = Self {
            core: Core::new(setup)?,
            keys: network.keys(&suite, ME)?,
            verifier,
            now: Now {
                mono_us: 1,
                unix_ms,
            },
            round,
            proposed: Digest::default(),
            feeds: u16::try_from(network.terms.feeds.len())?,
        };
        victim.input(Input::Tick);
        let n = network.terms.committee.n();
        for member in (1..n - 1).map(MemberId) {
            let mut keys = network.keys(&suite, member)?;
            let observation = observe(&mut keys, member, &victim.verifier, round, victim.feeds, 0);
            let message = Unverified::new(Message::Signed(observation)).verify(&victim.verifier);
            let message = message.map_err(|(_, refusal)| refusal)?;
            victim.input(Input::Message(Box::new(message)));
        }
        victim.now.mono_us += 200_000;
        victim.input(Input::Tick);
        Ok(victim)
    }

    /// Handles an input and carries out what follows, own messages included; returns how many messages were sent.
    fn input(&mut self, input: Input) -> (u64, u64) {
        let mut inputs = VecDeque::from([input]);
        let (mut sent, mut faults) = (0, 0);
        while let Some(input) = inputs.pop_front() {
            let step = self.core.handle(self.now, input);
            faults += step.faults.len() as u64;
            for effect in step.effects {
                let signed = self.carry_out(effect, &mut sent);
                inputs.extend(signed.map(|s| Input::Own(Box::new(s))));
            }
        }
        (sent, faults)
    }

    fn carry_out(&mut self, effect: Effect, sent: &mut u64) -> Option<Signed> {
        let (to, signed) = match effect {
            Effect::Observe(round) => {
                let signed = observe(&mut self.keys, ME, &self.verifier, round, self.feeds, 0);
                (To::All, signed)
            }
            Effect::Send { to, round, draft } => {
                if let Draft::Complete {
                    content: Content::Propose0 { value, .. },
                    ..
                } = &draft
                {
                    self.proposed = *value;
                }
                (
                    to,
                    seal(&mut self.keys, ME, self.verifier.tag(), round, draft).ok()?,
                )
            }
            Effect::Reply { .. } => {
                *sent += 1;
                return None;
            }
            Effect::PersistFence(_) | Effect::Publish(_) | Effect::Closed(..) => return None,
        };
        *sent += 1;
        to.includes(ME).then_some(signed)
    }

    /// The rounds that can be alive: those up to the horizon whose life is not over.
    pub(super) fn living(&self) -> Vec<Round> {
        let params = Params::for_interval(INTERVAL_MS);
        let last = self.round.0 + params.skew_rounds;
        let life =
            |round: u64| params.life_rounds << round.trailing_zeros().min(params.life_doublings);
        let alive = |round: &u64| self.round.0.saturating_sub(*round) < life(*round);
        (1..=last).rev().filter(alive).map(Round).collect()
    }

    /// Begins to measure.
    pub(super) fn start(&self, name: &'static str) -> Result<Cost> {
        // A warm-up, so that neither the first reading nor lazy tables count.
        cpu_ns()?;
        Ok(Cost {
            name,
            messages: 0,
            bytes: 0,
            cpu_ns: 0,
            undecodable: 0,
            refused: 0,
            answers: 0,
            faults: 0,
            kept: 0,
            kept_before: self.core.kept(),
            heap_bytes: 0,
            heap_before: HEAP.current_usage(),
            resident_bytes: resident_bytes(),
        })
    }

    /// Takes messages as a node does: decode, verify, handle. Sealing answers is counted too.
    pub(super) fn take(&mut self, messages: &[(MemberId, Vec<u8>)], cost: &mut Cost) -> Result<()> {
        let before = cpu_ns()?;
        for (from, bytes) in messages {
            let Ok(message) = Message::from_bytes(self.verifier.tag(), *from, bytes) else {
                cost.undecodable += 1;
                continue;
            };
            match Unverified::new(message).verify(&self.verifier) {
                Ok(message) => {
                    let (sent, faults) = self.input(Input::Message(Box::new(message)));
                    cost.answers += sent;
                    cost.faults += faults;
                }
                Err(_) => cost.refused += 1,
            }
        }
        cost.cpu_ns += cpu_ns()? - before;
        cost.messages += messages.len() as u64;
        cost.bytes += messages
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum::<u64>();
        Ok(())
    }

    /// Ends the measuring; the flooder's own memory must be free by now.
    pub(super) fn finish(&self, cost: &mut Cost) {
        cost.kept = self.core.kept() - cost.kept_before;
        cost.heap_bytes = HEAP.current_usage().saturating_sub(cost.heap_before) as u64;
        cost.resident_bytes = resident_bytes().saturating_sub(cost.resident_bytes);
    }
}

/// A member's signed prices, `shift` apart from everybody else's.
pub(super) fn observe(
    keys: &mut MemberKeys<ChaCha20Rng>,
    member: MemberId,
    verifier: &Verifier,
    round: Round,
    feeds: u16,
    shift: u64,
) -> Signed {
    let feed = |feed_index| FeedObservation {
        feed_index,
        status: Status::OK,
        mantissa: 1_000_000 + i128::from(shift),
        trade_time_ms: START_MS,
    };
    let feeds = (0..feeds).map(feed).collect();
    seal_observation(keys, member, verifier.tag(), round, START_MS, feeds)
}
