//! What the mesh tells its user, through one queue whose every element is paid for from a bounded budget.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use touchstone_types::MemberId;

use crate::close::{LinkError, Violation};
use crate::frame::FrameKind;

/// A frame that a member sent. The sender is authenticated; the content is not checked beyond its size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Who sent it.
    pub from: MemberId,
    /// Its class.
    pub kind: FrameKind,
    /// Its content.
    pub bytes: Bytes,
}

/// What happens on the mesh.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MeshEvent {
    /// A frame came in. The same frame may come again after a reconnect.
    Frame(Frame),
    /// The own link to this peer stands: the peer has accepted it, retained frames are on their way.
    PeerUp {
        /// The peer.
        peer: MemberId,
    },
    /// The own link to this peer is gone; it is being set up anew.
    PeerDown {
        /// The peer.
        peer: MemberId,
        /// Why.
        reason: LinkError,
    },
    /// This peer broke a rule. Its connection is closed and new ones are refused for a while.
    Violation {
        /// The peer.
        peer: MemberId,
        /// The broken rule.
        violation: Violation,
        /// For how long the peer is not listened to.
        muted_for: Duration,
    },
}

struct Queued {
    event: MeshEvent,
    /// Given back when the consumer takes the event.
    _paid: [Option<OwnedSemaphorePermit>; 2],
}

/// The receiving end of the events of a mesh.
///
/// Whoever does not call [`MeshEvents::recv`] makes its peers wait: each peer may have a bounded number of frames and
/// bytes in this queue, and is not read from beyond that.
pub struct MeshEvents {
    queue: mpsc::UnboundedReceiver<Queued>,
    stop: CancellationToken,
}

impl MeshEvents {
    /// The next event; `None` after the mesh has shut down. Losing the future loses no event.
    pub async fn recv(&mut self) -> Option<MeshEvent> {
        tokio::select! {
            biased;
            queued = self.queue.recv() => queued.map(|queued| queued.event),
            () = self.stop.cancelled() => self.try_recv(),
        }
    }

    /// The next event, if there is one now.
    pub fn try_recv(&mut self) -> Option<MeshEvent> {
        self.queue.try_recv().ok().map(|queued| queued.event)
    }
}

/// Events other than frames that may wait at once; more than that are dropped, for the metrics tell the same.
const NOTICES_MAX: usize = 4096;

/// The sending end, shared by all links.
pub(crate) struct EventQueue {
    queue: mpsc::UnboundedSender<Queued>,
    notices: Arc<Semaphore>,
}

impl EventQueue {
    pub(crate) fn new(stop: CancellationToken) -> (Self, MeshEvents) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let queue = Self {
            queue: sender,
            notices: Arc::new(Semaphore::new(NOTICES_MAX)),
        };
        let receiver = MeshEvents {
            queue: receiver,
            stop,
        };
        (queue, receiver)
    }

    /// Tells of something other than a frame; never waits.
    pub(crate) fn notice(&self, event: MeshEvent) {
        match Arc::clone(&self.notices).try_acquire_owned() {
            Ok(permit) => self.push(event, [Some(permit), None]),
            Err(_) => tracing::debug!(
                ?event,
                "nobody takes the mesh's events; this one is dropped"
            ),
        }
    }

    fn push(&self, event: MeshEvent, paid: [Option<OwnedSemaphorePermit>; 2]) {
        // A consumer that is gone wants no events: the mesh is about to be shut down.
        let _ = self.queue.send(Queued { event, _paid: paid });
    }
}

/// One peer's share of the queue.
pub(crate) struct Inbox {
    frames: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Inbox {
    pub(crate) fn new(frames_max: u32, bytes_max: u32) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or(0)));
        Self {
            frames: semaphore(frames_max),
            bytes: semaphore(bytes_max),
        }
    }

    /// Hands a frame to the consumer; waits while the peer's share of the queue is used up.
    pub(crate) async fn deliver(&self, events: &EventQueue, frame: Frame) {
        let size = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let one = Arc::clone(&self.frames).acquire_owned().await;
        let all = Arc::clone(&self.bytes).acquire_many_owned(size).await;
        // The semaphores are never closed, so both are permits.
        events.push(MeshEvent::Frame(frame), [one.ok(), all.ok()]);
    }
}
