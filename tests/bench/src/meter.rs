//! What is counted of a member in a round.

use std::{
    iter::Sum,
    ops::{Add, AddAssign},
};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CPU that this thread has used. Other programs on the machine do not count, save by the caches they share.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let ns = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    u64::try_from(ns).unwrap_or_default()
}

/// CPU time of the stages that a message goes through, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cpu {
    /// From bytes to a message.
    pub decode_ns: u64,
    /// Its signatures and proofs.
    pub verify_ns: u64,
    /// The state machine: reports, sessions and sums of shares are in here.
    pub core_ns: u64,
    /// The vault (signatures, nonces, shares of the group signature), and from a message to bytes.
    pub seal_ns: u64,
}

impl Cpu {
    /// All stages.
    pub fn total_ns(&self) -> u64 {
        self.decode_ns + self.verify_ns + self.core_ns + self.seal_ns
    }
}

impl Add for Cpu {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            decode_ns: self.decode_ns + other.decode_ns,
            verify_ns: self.verify_ns + other.verify_ns,
            core_ns: self.core_ns + other.core_ns,
            seal_ns: self.seal_ns + other.seal_ns,
        }
    }
}

impl AddAssign for Cpu {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cpu {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// What a member sent. A message to three members counts as three.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Their bytes, without the link's own.
    pub bytes: u64,
}

/// One member's part in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// Its work.
    pub cpu: Cpu,
    /// What it sent.
    pub sent: Sent,
    /// Whether it proposed in view 0.
    pub led: bool,
    /// Whether it took part to the end.
    pub up: bool,
}

/// A round of the whole committee.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoundCost {
    /// The members' parts, in their order.
    pub parts: Vec<Part>,
    /// The sum over the steps up to the last certificate of the slowest member's work in each, in nanoseconds: how long the
    /// round would take if every member had a processor of its own and links took no time.
    pub critical_ns: u64,
    /// How many steps, message delays or expired timers, it took from the start to the last member's certificate.
    pub steps: u32,
}

impl RoundCost {
    /// The parts of those who took part to the end, except who led.
    pub fn followers(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|p| p.up && !p.led)
    }

    /// The part of whoever led to the end.
    pub fn leader(&self) -> Option<&Part> {
        self.parts.iter().find(|p| p.up && p.led)
    }
}
