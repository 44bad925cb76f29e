//! What is to be sent to one peer: a bounded queue that also remembers what must be sent again after a reconnect.
//!
//! **Drop policy.** A full outbox makes room by dropping, oldest first, the frames that are sent only once, and then,
//! oldest first, the retained ones. It never refuses the newest and never blocks: a peer that is that far behind is
//! served better by the newest rounds, and catches up on the old ones by their certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use touchstone_types::Round;

use crate::frame::Outgoing;

/// The shared handle: senders push, one link takes.
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    ready: Notify,
}

impl Outbox {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::new(frames_max, bytes_max)),
            ready: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic elsewhere leaves the queue usable: every method restores its invariants before it can unwind.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame; says how many others had to go.
    pub(crate) fn push(&self, frame: Outgoing) -> u64 {
        let dropped = self.lock().push(frame);
        self.ready.notify_one();
        dropped
    }

    /// The next frames to send, at least one, about `bytes_max` together. Losing the future loses no frame.
    pub(crate) async fn next_burst(&self, bytes_max: usize) -> Vec<Outgoing> {
        loop {
            let ready = self.ready.notified();
            let burst = self.lock().take_burst(bytes_max);
            if !burst.is_empty() {
                return burst;
            }
            ready.await;
        }
    }

    /// A new link starts: everything that is retained is to be sent again, in order.
    pub(crate) fn rewind(&self) {
        self.lock().rewind();
        self.ready.notify_one();
    }

    pub(crate) fn release(&self, over: impl Fn(Round) -> bool) {
        self.lock().release(over);
    }

    /// Frames and bytes that are held now.
    pub(crate) fn held(&self) -> (u64, u64) {
        let queue = self.lock();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        (count(queue.frames.len()), count(queue.bytes))
    }
}

/// Frames in the order of their sequence numbers, with an index by round.
struct Queue {
    frames: BTreeMap<u64, Outgoing>,
    once: BTreeSet<u64>,
    rounds: BTreeMap<Round, BTreeSet<u64>>,
    /// The first number that the current link has not been given.
    cursor: u64,
    next: u64,
    bytes: usize,
    frames_max: usize,
    bytes_max: usize,
}

impl Queue {
    fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self {
            frames: BTreeMap::new(),
            once: BTreeSet::new(),
            rounds: BTreeMap::new(),
            cursor: 0,
            next: 0,
            bytes: 0,
            frames_max,
            bytes_max,
        }
    }

    fn push(&mut self, frame: Outgoing) -> u64 {
        let number = self.next;
        self.next += 1;
        self.bytes += frame.bytes.len();
        match frame.retain {
            Some(round) => self.rounds.entry(round).or_default().insert(number),
            None => self.once.insert(number),
        };
        self.frames.insert(number, frame);
        let mut dropped = 0;
        while self.frames.len() > self.frames_max || self.bytes > self.bytes_max {
            let oldest = self.once.first().or_else(|| self.frames.keys().next());
            let Some(&victim) = oldest else { break };
            self.remove(victim);
            dropped += 1;
        }
        dropped
    }

    fn remove(&mut self, number: u64) -> Option<Outgoing> {
        let frame = self.frames.remove(&number)?;
        self.bytes -= frame.bytes.len();
        match frame.retain {
            Some(round) => {
                if let Some(numbers) = self.rounds.get_mut(&round) {
                    numbers.remove(&number);
                    if numbers.is_empty() {
                        self.rounds.remove(&round);
                    }
                }
            }
            None => {
                self.once.remove(&number);
            }
        }
        Some(frame)
    }

    fn take_burst(&mut self, bytes_max: usize) -> Vec<Outgoing> {
        let mut burst = Vec::new();
        let mut numbers = Vec::new();
        let mut bytes = 0usize;
        for (&number, frame) in self.frames.range(self.cursor..) {
            bytes = bytes.saturating_add(frame.bytes.len());
            if !burst.is_empty() && bytes > bytes_max {
                break;
            }
            burst.push(frame.clone());
            numbers.push((number, frame.retain.is_none()));
        }
        for (number, once) in numbers {
            self.cursor = number + 1;
            if once {
                self.remove(number);
            }
        }
        burst
    }

    fn rewind(&mut self) {
        self.cursor = 0;
    }

    fn release(&mut self, over: impl Fn(Round) -> bool) {
        let rounds: Vec<Round> = self.rounds.keys().copied().filter(|r| over(*r)).collect();
        for round in rounds {
            for number in self.rounds.remove(&round).unwrap_or_default() {
                self.remove(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::FrameKind;

    fn frame(retain: Option<u64>, content: u8, len: usize) -> Outgoing {
        Outgoing {
            kind: FrameKind(1),
            bytes: vec![content; len].into(),
            retain: retain.map(Round),
        }
    }

    fn contents(burst: &[Outgoing]) -> Vec<u8> {
        burst.iter().map(|f| f.bytes[0]).collect()
    }

    #[test]
    fn retained_frames_come_again_after_a_reconnect_until_released() {
        let mut queue = Queue::new(100, 1000);
        queue.push(frame(Some(1), b'a', 1));
        queue.push(frame(None, b'b', 1));
        queue.push(frame(Some(2), b'c', 1));
        assert_eq!(contents(&queue.take_burst(100)), b"abc");
        assert!(queue.take_burst(100).is_empty());
        queue.rewind();
        assert_eq!(contents(&queue.take_burst(100)), b"ac");
        queue.release(|round| round == Round(1));
        queue.rewind();
        queue.push(frame(Some(2), b'd', 1));
        assert_eq!(contents(&queue.take_burst(100)), b"cd");
        queue.release(|_| true);
        assert_eq!((queue.frames.len(), queue.bytes), (0, 0));
    }

    #[test]
    fn a_burst_is_bounded_but_never_empty_while_frames_wait() {
        let mut queue = Queue::new(100, 1000);
        for (content, len) in [(b'a', 60), (b'b', 40), (b'c', 1), (b'd', 500)] {
            queue.push(frame(Some(1), content, len));
        }
        assert_eq!(contents(&queue.take_burst(100)), b"ab");
        assert_eq!(contents(&queue.take_burst(100)), b"c");
        assert_eq!(contents(&queue.take_burst(100)), b"d");
    }

    #[test]
    fn a_full_outbox_drops_once_frames_first_and_then_the_oldest() {
        let mut queue = Queue::new(3, 1000);
        assert_eq!(queue.push(frame(Some(1), b'a', 1)), 0);
        assert_eq!(queue.push(frame(None, b'b', 1)), 0);
        assert_eq!(queue.push(frame(Some(2), b'c', 1)), 0);
        assert_eq!(queue.push(frame(Some(3), b'd', 1)), 1);
        assert_eq!(queue.push(frame(Some(4), b'e', 1)), 1);
        assert_eq!(contents(&queue.take_burst(100)), b"cde");
        assert_eq!(queue.push(frame(Some(5), b'f', 999)), 2);
        queue.rewind();
        assert_eq!(contents(&queue.take_burst(10_000)), b"ef");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Option<u64>, usize),
        Burst(usize),
        Rewind,
        Release(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (proptest::option::of(0u64..6), 1usize..50).prop_map(|(r, l)| Step::Push(r, l)),
            (1usize..200).prop_map(Step::Burst),
            Just(Step::Rewind),
            (0u64..6).prop_map(Step::Release),
        ]
    }

    proptest! {
        /// Whatever happens: the bounds hold, the indexes agree with the frames, and the byte count is the sum.
        #[test]
        fn the_bounds_and_indexes_hold(steps in proptest::collection::vec(step(), 1..200)) {
            let mut queue = Queue::new(8, 200);
            for step in steps {
                match step {
                    Step::Push(retain, len) => { queue.push(frame(retain, 0, len)); }
                    Step::Burst(max) => { queue.take_burst(max); }
                    Step::Rewind => queue.rewind(),
                    Step::Release(below) => queue.release(|round| round < Round(below)),
                }
                prop_assert!(queue.frames.len() <= 8 && queue.bytes <= 200);
                prop_assert_eq!(queue.bytes, queue.frames.values().map(|f| f.bytes.len()).sum::<usize>());
                let indexed = queue.once.len() + queue.rounds.values().map(BTreeSet::len).sum::<usize>();
                prop_assert_eq!(indexed, queue.frames.len());
                prop_assert!(queue.rounds.values().all(|numbers| !numbers.is_empty()));
            }
        }
    }
}
