//! The newest round in memory, and the live stream.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::render::SignedRound;

/// How many rounds a stream may lag before it has to read the store again.
const STREAM_ROUNDS: usize = 64;

/// Where the writer puts what is newly stored, and readers take it from without touching the store.
#[derive(Clone, Debug)]
pub struct Live {
    latest: watch::Sender<Option<Arc<SignedRound>>>,
    stream: broadcast::Sender<Arc<SignedRound>>,
}

impl Live {
    /// With the newest stored round, if there is one.
    pub fn new(newest: Option<Arc<SignedRound>>) -> Self {
        Self {
            latest: watch::Sender::new(newest),
            stream: broadcast::Sender::new(STREAM_ROUNDS),
        }
    }

    /// Makes a stored round known. Only a round above the newest one is news; a back-filled one is not.
    pub fn publish(&self, round: Arc<SignedRound>) {
        let newer = self.latest.send_if_modified(|latest| {
            let newer = latest.as_ref().is_none_or(|l| l.round() < round.round());
            if newer {
                *latest = Some(Arc::clone(&round));
            }
            newer
        });
        if newer {
            // Nobody listens: fine.
            let _ = self.stream.send(round);
        }
    }

    /// The newest round.
    pub fn latest(&self) -> Option<Arc<SignedRound>> {
        self.latest.borrow().clone()
    }

    /// Every newer round from now on, in ascending order.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<SignedRound>> {
        self.stream.subscribe()
    }

    /// Changes of the newest round.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<SignedRound>>> {
        self.latest.subscribe()
    }
}
