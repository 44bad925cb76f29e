//! QUIC links: between members, and from nodes to observers.
//!
//! The transport moves opaque bytes. It knows who is at the other end (an Ed25519 key that is pinned, at both ends of a
//! member link), how large a frame of each kind may be, and which rounds a frame is still wanted for; what the bytes mean
//! is decided above. QUIC with TLS 1.3 only, without certificate authority, names, 0-RTT and session resumption.
//!
//! * [`Mesh`]: every member's links to and from all others, with bounded queues and resending after reconnects.
//! * [`ObserverConfig`]: the stream of attestations that a node serves on the same endpoint to anybody, within limits.
//! * [`ObserverClient`]: the reading end of that stream.

mod accept;
mod backoff;
mod close;
mod config;
mod dial;
mod endpoint;
mod events;
mod frame;
mod gate;
mod greeting;
mod identity;
mod mesh;
mod metrics;
mod observer;
mod outbox;
mod tls;

pub use close::{CloseCode, LinkError, Violation};
pub use config::{ConfigError, LinkTiming, MemberEndpoint, MeshConfig, MeshLimits};
pub use events::{Frame, MeshEvent, MeshEvents};
pub use frame::{FRAME_BYTES_CEILING, FrameKind, FrameLimits, Outgoing, SendError};
pub use identity::{IdentityError, PublicKey, TlsIdentity};
pub use mesh::{BindError, Mesh};
pub use metrics::{MeshMetrics, ObserverMetrics, PeerMetrics};
pub use observer::{
    AttestationSource, EVIDENCE_BYTES_MAX, EVIDENCE_RECORDS_MAX, EvidenceSource, Fetch, FetchError,
    ITEM_BYTES_CEILING, Item, ObserverClient, ObserverClientConfig, ObserverConfig, ObserverError,
    ObserverEvent, ObserverEvents, ObserverLimits,
};
pub use tls::{MEMBER_ALPN, OBSERVER_ALPN};
