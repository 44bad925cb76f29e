//! Recent attestations with their observations: in memory, on disk, and live to observers.
//!
//! Memory holds the newest rounds and answers at once; a thread of its own writes the segments, so a slow disk holds up no
//! round. What the disk could not take in time is missing there after a restart, never wrong.

mod segments;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use tokio::sync::broadcast;
use touchstone_transport::{AttestationSource, Item};
use touchstone_types::{Attestation, NetworkId, Round};

pub(crate) use segments::SegmentsError;
use segments::{Place, Segments};

/// Items that wait for the disk.
const WRITE_QUEUE: usize = 1_024;
/// Items that an observer may lag behind the live stream before it is served from the store again.
const LIVE_QUEUE: usize = 256;

/// The node's attestations.
pub(crate) struct History {
    shared: Arc<Shared>,
    live: broadcast::Sender<Item>,
    writer: Mutex<Option<(SyncSender<Item>, JoinHandle<()>)>>,
    memory_rounds: usize,
}

struct Shared {
    state: Mutex<State>,
    /// Items that were not written: the queue was full, or the disk refused.
    unwritten: AtomicU64,
}

#[derive(Default)]
struct State {
    memory: BTreeMap<Round, Bytes>,
    disk: BTreeMap<Round, Place>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// Opens the segments in `dir`, cutting off what a crash left half-written.
    pub(crate) fn open(
        dir: &Path,
        network: NetworkId,
        memory_rounds: usize,
        disk_bytes: u64,
    ) -> Result<Self, SegmentsError> {
        let (segments, disk) = Segments::open(dir, network, disk_bytes)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                memory: BTreeMap::new(),
                disk,
            }),
            unwritten: AtomicU64::new(0),
        });
        let (sender, receiver) = sync_channel(WRITE_QUEUE);
        let for_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || write(segments, &receiver, &for_writer))
            .map_err(|error| SegmentsError::Io {
                path: dir.to_owned(),
                error,
            })?;
        Ok(Self {
            shared,
            live: broadcast::Sender::new(LIVE_QUEUE),
            writer: Mutex::new(Some((sender, writer))),
            memory_rounds,
        })
    }

    /// Keeps an attestation and tells observers; false if its round was there already.
    pub(crate) fn add(&self, attestation: &Attestation) -> bool {
        let item = Item {
            round: attestation.statement.round,
            bytes: attestation.to_bytes().into(),
        };
        {
            let mut state = self.shared.state();
            if state.memory.contains_key(&item.round) || state.disk.contains_key(&item.round) {
                return false;
            }
            state.memory.insert(item.round, item.bytes.clone());
            while state.memory.len() > self.memory_rounds {
                state.memory.pop_first();
            }
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = writer
            .as_ref()
            .is_some_and(|(queue, _)| match queue.try_send(item.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            });
        drop(writer);
        if !queued {
            self.shared.unwritten.fetch_add(1, Relaxed);
        }
        // Nobody listening is no error.
        let _ = self.live.send(item);
        true
    }

    /// The newest stored round.
    pub(crate) fn newest(&self) -> Option<Round> {
        let state = self.shared.state();
        let newest = |keys: Option<(&Round, _)>| keys.map(|(round, ())| *round);
        newest(state.memory.last_key_value().map(|(r, _)| (r, ())))
            .max(newest(state.disk.last_key_value().map(|(r, _)| (r, ()))))
    }

    /// Rounds in memory, rounds on disk, and items that the disk did not take.
    pub(crate) fn counts(&self) -> (usize, usize, u64) {
        let state = self.shared.state();
        (
            state.memory.len(),
            state.disk.len(),
            self.shared.unwritten.load(Relaxed),
        )
    }

    /// Waits until everything is on the disk; nothing is written afterwards.
    pub(crate) fn close(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((queue, thread)) = writer {
            drop(queue);
            if thread.join().is_err() {
                tracing::error!("the thread that writes attestations panicked");
            }
        }
    }
}

/// The writer's thread.
fn write(mut segments: Segments, queue: &Receiver<Item>, shared: &Shared) {
    while let Ok(item) = queue.recv() {
        match segments.append(&item) {
            Ok((place, dropped)) => {
                let mut state = shared.state();
                state.disk.insert(item.round, place);
                if let Some(segment) = dropped {
                    state.disk.retain(|_, place| place.segment != segment);
                }
            }
            Err(error) => {
                shared.unwritten.fetch_add(1, Relaxed);
                tracing::error!(round = %item.round, %error, "an attestation is not kept on disk");
            }
        }
    }
    if let Err(error) = segments.sync() {
        tracing::error!(%error, "attestations may be lost if the machine fails now");
    }
}

impl AttestationSource for History {
    fn range(&self, from: Round, limit: usize) -> Vec<Item> {
        enum Found {
            Here(Bytes),
            There(Place),
        }
        let found: BTreeMap<Round, Found> = {
            let state = self.shared.state();
            let disk = state
                .disk
                .range(from..)
                .take(limit)
                .map(|(r, p)| (*r, Found::There(p.clone())));
            let memory = state
                .memory
                .range(from..)
                .take(limit)
                .map(|(r, b)| (*r, Found::Here(b.clone())));
            disk.chain(memory).collect()
        };
        let read = |(round, found)| {
            let bytes = match found {
                Found::Here(bytes) => bytes,
                Found::There(place) => match place.read(round) {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        // Usually its segment has just been dropped for its age.
                        tracing::debug!(%round, %error, "an attestation cannot be read back");
                        return None;
                    }
                },
            };
            Some(Item { round, bytes })
        };
        found.into_iter().take(limit).filter_map(read).collect()
    }

    fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.live.subscribe()
    }
}

#[cfg(test)]
pub(crate) mod tests;
