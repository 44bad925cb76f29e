//! Checking of incoming messages, on threads of their own.
//!
//! Each member has a queue bounded in messages and in bytes, and the threads take from the queues in turn: a member that floods
//! waits for itself. What does not fit is dropped and counted; a member that has so much waiting here is broken or hostile, and
//! what an honest one loses that way it makes up for by the certificates of the rounds.

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

/// How much of one member may wait for its check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    /// Messages.
    pub(crate) frames: usize,
    /// Bytes; a message that is larger waits alone.
    pub(crate) bytes: usize,
}

/// What waits of one member.
#[derive(Clone, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl Queue {
    /// Adds a message; false if it does not fit.
    fn push(&mut self, frame: Bytes, limits: QueueLimits) -> bool {
        let bytes = self.bytes.saturating_add(frame.len());
        let fits = self.frames.len() < limits.frames && bytes <= limits.bytes;
        if !fits && !self.frames.is_empty() {
            return false;
        }
        self.bytes = bytes;
        self.frames.push_back(frame);
        true
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.len());
        Some(frame)
    }
}

#[derive(Default)]
struct Queues {
    of_member: Vec<Queue>,
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
            if let Some(bytes) = self.of_member.get_mut(member).and_then(Queue::pop) {
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
    limits: QueueLimits,
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
        limits: QueueLimits,
        verifier: &Verifier,
        bad: &Arc<BadMessages>,
    ) -> io::Result<(Self, mpsc::Receiver<Checked>)> {
        let shared = Arc::new(Shared {
            queues: Mutex::new(Queues {
                of_member: vec![Queue::default(); members],
                ..Queues::default()
            }),
            ready: Condvar::new(),
            limits,
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
        let queue = queues.of_member.get_mut(from.index());
        if !queue.is_some_and(|queue| queue.push(bytes, self.shared.limits)) {
            return false;
        }
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
            of_member: vec![Queue::default(); 3],
            ..Queues::default()
        };
        let limits = QueueLimits {
            frames: 100,
            bytes: 1,
        };
        for (member, count) in [(0, 100), (1, 2), (2, 1)] {
            let all = (0..count).all(|_| queues.of_member[member].push(Bytes::new(), limits));
            assert!(all);
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

    #[test]
    fn what_waits_is_bounded_in_messages_and_in_bytes() {
        let limits = QueueLimits {
            frames: 3,
            bytes: 10,
        };
        let frame = |bytes| Bytes::from(vec![0; bytes]);
        let mut queue = Queue::default();
        assert!(queue.push(frame(11), limits), "a large one waits alone");
        assert!(!queue.push(frame(0), limits));
        assert!(queue.pop().is_some() && queue.bytes == 0);
        assert!(queue.push(frame(4), limits) && queue.push(frame(6), limits));
        assert!(!queue.push(frame(1), limits), "too many bytes");
        assert!(queue.push(frame(0), limits));
        assert!(!queue.push(frame(0), limits), "too many messages");
        assert_eq!((queue.frames.len(), queue.bytes), (3, 10));
    }
}
