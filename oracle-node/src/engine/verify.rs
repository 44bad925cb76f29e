//! Checking of incoming messages, on threads of their own.
//!
//! Each member has a bounded queue, and the threads take from the queues in turn: a member that floods waits for itself. What
//! does not fit is dropped and counted; a member that has so much waiting here is broken or hostile, and what an honest one
//! loses that way it makes up for by the certificates of the rounds.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use touchstone_consensus::{Message, Refusal, Verifier};
use touchstone_crypto::{Unverified, Verified};
use touchstone_types::MemberId;

use super::bad::BadMessages;

/// How many messages are checked together: the signatures of a batch cost about half.
const BATCH_MAX: usize = 64;
/// Checked messages that wait for the engine.
const CHECKED_MAX: usize = 1_024;

/// A checked message.
pub(crate) type Checked = Box<Verified<Message>>;

#[derive(Default)]
struct Queues {
    of_member: Vec<VecDeque<Bytes>>,
    /// Whose turn it is.
    next: usize,
    waiting: usize,
    closed: bool,
}

impl Queues {
    /// The next message of the next member that has one.
    fn take(&mut self) -> Option<(usize, Bytes)> {
        let n = self.of_member.len();
        for step in 0..n {
            let member = (self.next + step) % n;
            if let Some(bytes) = self.of_member.get_mut(member).and_then(VecDeque::pop_front) {
                self.next = (member + 1) % n;
                self.waiting -= 1;
                return Some((member, bytes));
            }
        }
        None
    }
}

struct Shared {
    queues: Mutex<Queues>,
    ready: Condvar,
    frames_max: usize,
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool; dropping it ends its threads.
pub(crate) struct VerifyPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl VerifyPool {
    /// Starts `threads` threads for `members` members; checked messages come out of the receiver.
    pub(crate) fn start(
        threads: usize,
        members: usize,
        frames_max: usize,
        verifier: &Verifier,
        bad: &Arc<BadMessages>,
    ) -> io::Result<(Self, mpsc::Receiver<Checked>)> {
        let shared = Arc::new(Shared {
            queues: Mutex::new(Queues {
                of_member: vec![VecDeque::new(); members],
                ..Queues::default()
            }),
            ready: Condvar::new(),
            frames_max,
        });
        let (sender, receiver) = mpsc::channel(CHECKED_MAX);
        let mut pool = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        for number in 0..threads {
            let (shared, verifier, bad, sender) = (
                Arc::clone(&shared),
                verifier.clone(),
                Arc::clone(bad),
                sender.clone(),
            );
            let thread = thread::Builder::new()
                .name(format!("verify-{number}"))
                .spawn(move || work(&shared, &verifier, &bad, &sender))?;
            pool.threads.push(thread);
        }
        Ok((pool, receiver))
    }

    /// Queues a message; false if the member's queue is full.
    pub(crate) fn offer(&self, from: MemberId, bytes: Bytes) -> bool {
        let mut queues = self.shared.queues();
        let Some(queue) = queues
            .of_member
            .get_mut(from.index())
            .filter(|q| q.len() < self.shared.frames_max)
        else {
            return false;
        };
        queue.push_back(bytes);
        queues.waiting += 1;
        drop(queues);
        self.shared.ready.notify_one();
        true
    }

    /// Messages that wait for their check.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queues().waiting
    }
}

impl Drop for VerifyPool {
    fn drop(&mut self) {
        self.shared.queues().closed = true;
        self.shared.ready.notify_all();
        // The threads end by themselves; a check takes milliseconds at most, and the receiver may be gone already.
    }
}

/// The next messages that wait, in turn of their members; none when the pool is closed.
fn next_batch(shared: &Shared) -> Option<Vec<(MemberId, Bytes)>> {
    let mut queues = shared.queues();
    loop {
        if queues.closed {
            return None;
        }
        let batch: Vec<_> = std::iter::from_fn(|| queues.take())
            .take(BATCH_MAX)
            .collect();
        if !batch.is_empty() {
            let member = |index| MemberId(u16::try_from(index).unwrap_or(u16::MAX));
            return Some(batch.into_iter().map(|(m, b)| (member(m), b)).collect());
        }
        queues = shared
            .ready
            .wait(queues)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn work(shared: &Shared, verifier: &Verifier, bad: &BadMessages, checked: &mpsc::Sender<Checked>) {
    while let Some(batch) = next_batch(shared) {
        let decode = |(from, bytes): (MemberId, Bytes)| {
            let message = Message::from_bytes(verifier.tag(), from, &bytes);
            let message = message.map_err(|error| bad.count(from, "malformed", &error));
            message.ok().map(Unverified::new)
        };
        let messages = batch.into_iter().filter_map(decode).collect();
        for verdict in Unverified::verify_many(messages, verifier) {
            match verdict {
                Ok(message) => {
                    if checked.blocking_send(Box::new(message)).is_err() {
                        return;
                    }
                }
                Err((message, refusal)) => {
                    bad.count(message.from(), label(&refusal), &refusal);
                }
            }
        }
    }
}

/// The metric's label for a refusal.
fn label(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Header(_) => "header",
        Refusal::Signature => "signature",
        Refusal::Proof(_) => "proof",
        Refusal::Mismatch(_) => "mismatch",
        Refusal::Observation(_) => "observation",
        Refusal::Coin => "coin",
        Refusal::Nonces => "nonces",
        Refusal::Attestation => "attestation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_take_turns_and_a_flooder_waits_for_itself() {
        let mut queues = Queues {
            of_member: vec![VecDeque::new(); 3],
            ..Queues::default()
        };
        for (member, count) in [(0, 100), (1, 2), (2, 1)] {
            queues.of_member[member].extend((0..count).map(|_| Bytes::new()));
            queues.waiting += count;
        }
        let order: Vec<_> = (0..6)
            .filter_map(|_| queues.take())
            .map(|(m, _)| m)
            .collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 0]);
        assert_eq!(queues.waiting, 97);
        assert_eq!(std::iter::from_fn(|| queues.take()).count(), 97);
    }
}
