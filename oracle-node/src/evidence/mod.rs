//! Evidence against members: on the disk, on the local HTTP port, and to observers.
//!
//! A record is judged once more before it is kept, by a thread of its own, which also writes it; so a slow disk or a flood of
//! misbehaviour holds up no round. What is kept stays: a member that misbehaves again and again fills its own share of the
//! room and pushes out nobody's.

mod folder;
mod places;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use tokio::sync::watch;
use touchstone_crypto::{EvidenceJudge, EvidenceRefusal, Guilt};
use touchstone_transport::{EvidenceSource, Item};
use touchstone_types::{Digest, Evidence, Pin};

use crate::{engine::unix_ms, files::FileError};
use folder::Folder;
use places::Places;

/// The evidence that a node holds.
pub(crate) struct EvidenceStore {
    shared: Arc<Shared>,
    writer: Mutex<Option<(Sender<Evidence>, JoinHandle<()>)>>,
}

struct Shared {
    folder: Folder,
    judges: Vec<EvidenceJudge>,
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// In the order in which it came.
    records: Vec<Record>,
    /// The room that is taken up by these, and by what is on its way to the disk.
    places: Places,
}

/// One record that is kept.
#[derive(Clone, Debug)]
struct Record {
    id: Digest,
    kind: &'static str,
    guilt: Guilt,
    received_at_ms: u64,
    item: Item,
}

impl Record {
    /// In the shape of the aggregators' API.
    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "member": self.guilt.member,
            "epoch": self.guilt.epoch,
            "round": self.guilt.round,
            "kind": self.kind,
            "offence": self.guilt.offence.to_string(),
            "received_at_ms": self.received_at_ms,
            "evidence": BASE64.encode(&self.item.bytes),
        })
    }
}

impl EvidenceStore {
    /// Reads what a folder holds; it is made when the first evidence comes. Files that are no evidence are left alone.
    ///
    /// # Errors
    /// A folder that cannot be read, or a pin with keys that are none.
    pub(crate) fn open(dir: &Path, pin: &Pin) -> anyhow::Result<Self> {
        let network = pin.network_id();
        let judges = pin
            .epochs()
            .map(|(manifest, record)| EvidenceJudge::new(network, manifest, record))
            .collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::new(Shared {
            folder: Folder::new(dir),
            judges,
            state: Mutex::default(),
            count: watch::Sender::new(0),
        });
        for (evidence, received_at_ms) in shared.folder.read()? {
            if shared.state().places.take(&evidence) {
                shared.load(&evidence, received_at_ms);
            }
        }
        let (sender, receiver) = channel();
        let for_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || write(&for_writer, &receiver))
            .map_err(FileError::io(dir))?;
        Ok(Self {
            shared,
            writer: Mutex::new(Some((sender, writer))),
        })
    }

    /// Keeps a record, unless one for the same slot is kept or its member has as many as are kept. It costs the caller next to
    /// nothing: what waits for the disk is bounded by the room that it takes up.
    pub(crate) fn add(&self, evidence: Evidence) {
        if !self.shared.state().places.take(&evidence) {
            return;
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((queue, _)) = writer.as_ref() {
            // The thread ends only after the queue.
            let _ = queue.send(evidence);
        }
    }

    /// At most `limit` records from a position on, oldest first, and where the next ones begin if there are more.
    pub(crate) fn view(&self, from: usize, limit: usize) -> Value {
        let state = self.shared.state();
        let items: Vec<Value> = state
            .records
            .iter()
            .skip(from)
            .take(limit)
            .map(Record::view)
            .collect();
        let next = from.saturating_add(items.len());
        let more = next < state.records.len();
        json!({ "items": items, "next": more.then_some(next) })
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.shared.state().records.len()
    }

    /// Waits until everything is on the disk; nothing is kept afterwards.
    pub(crate) fn close(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((queue, thread)) = writer.take() {
            drop(queue);
            if thread.join().is_err() {
                tracing::error!("the thread that keeps evidence panicked");
            }
        }
    }
}

impl EvidenceSource for EvidenceStore {
    fn page(&self, from: usize, limit: usize) -> Vec<Item> {
        let state = self.shared.state();
        let records = state.records.iter().skip(from).take(limit);
        records.map(|record| record.item.clone()).collect()
    }

    fn count(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the evidence proves, by the keys of the epoch that it is about.
    fn judge(&self, evidence: &Evidence) -> Result<Guilt, EvidenceRefusal> {
        let tag = evidence.header().tag;
        let judge = self.judges.iter().find(|judge| judge.tag() == tag);
        // That it is about no epoch of the pin, any judge can say.
        judge
            .or(self.judges.last())
            .ok_or(EvidenceRefusal::NoMember(evidence.member()))?
            .judge(evidence)
    }

    /// Takes in what was written before.
    fn load(&self, evidence: &Evidence, received_at_ms: u64) {
        match self.judge(evidence) {
            Ok(guilt) => self.keep(evidence, guilt, received_at_ms),
            Err(refusal) => {
                self.state().places.give_back(evidence);
                tracing::warn!(id = %evidence.id(), %refusal, "a file of evidence proves nothing; it is left alone");
            }
        }
    }

    /// Takes in what has just been found out.
    fn admit(&self, evidence: &Evidence) {
        let id = evidence.id();
        let guilt = match self.judge(evidence) {
            Ok(guilt) => guilt,
            Err(refusal) => {
                // The engine accuses nobody without proof; this would be a fault of this program.
                tracing::error!(%id, %refusal, "evidence that proves nothing is not kept");
                return self.state().places.give_back(evidence);
            }
        };
        let received_at_ms = unix_ms();
        if let Err(error) = self.folder.write(&id, &evidence.to_bytes()) {
            tracing::error!(%id, %error, "evidence is not kept");
            return self.state().places.give_back(evidence);
        }
        tracing::warn!(%id, "{guilt}");
        self.keep(evidence, guilt, received_at_ms);
    }

    fn keep(&self, evidence: &Evidence, guilt: Guilt, received_at_ms: u64) {
        let record = Record {
            id: evidence.id(),
            kind: evidence.kind(),
            guilt,
            received_at_ms,
            item: Item {
                round: evidence.round(),
                bytes: evidence.to_bytes().into(),
            },
        };
        let mut state = self.state();
        state.records.push(record);
        let count = state.records.len();
        drop(state);
        self.count.send_replace(count);
    }
}

/// The writer's thread.
fn write(shared: &Shared, queue: &Receiver<Evidence>) {
    while let Ok(evidence) = queue.recv() {
        shared.admit(&evidence);
    }
}

#[cfg(test)]
mod tests;
