//! A node that serves what it is told to, over real QUIC.
#![allow(dead_code, reason = "each user has its own part")]

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::sync::{broadcast, watch};
use touchstone_transport::{
    AttestationSource, EvidenceSource, FrameKind, FrameLimits, Item, LinkTiming, MemberEndpoint,
    Mesh, MeshConfig, MeshEvents, MeshLimits, ObserverConfig, ObserverLimits, PublicKey,
    TlsIdentity,
};
use touchstone_types::{Attestation, MemberId, Round};

use crate::common::Fabricated;

struct Shelf {
    stored: Mutex<BTreeMap<Round, Item>>,
    live: broadcast::Sender<Item>,
    evidence: Mutex<Vec<Item>>,
    count: watch::Sender<usize>,
}

impl AttestationSource for Shelf {
    fn range(&self, from: Round, limit: usize) -> Vec<Item> {
        let stored = self.stored.lock().expect("no panic");
        stored
            .range(from..)
            .take(limit)
            .map(|(_, i)| i.clone())
            .collect()
    }

    fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.live.subscribe()
    }
}

impl EvidenceSource for Shelf {
    fn page(&self, from: usize, limit: usize) -> Vec<Item> {
        let evidence = self.evidence.lock().expect("no panic");
        evidence.iter().skip(from).take(limit).cloned().collect()
    }

    fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}

/// A node with one member's identity.
pub(crate) struct Node {
    shelf: Arc<Shelf>,
    mesh: Mesh,
    _events: MeshEvents,
}

impl Node {
    pub(crate) fn start(fabricated: &Fabricated, member: u16) -> Self {
        Self::start_at(fabricated, member, (Ipv4Addr::LOCALHOST, 0).into())
    }

    pub(crate) fn start_at(fabricated: &Fabricated, member: u16, listen: SocketAddr) -> Self {
        let shelf = Arc::new(Shelf {
            stored: Mutex::default(),
            live: broadcast::Sender::new(256),
            evidence: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let key = &fabricated.members[usize::from(member)];
        let identity = TlsIdentity::from_pkcs8(&key.tls_pkcs8()).expect("an identity");
        let me = MemberId(member);
        let config = MeshConfig {
            me,
            identity: Arc::new(identity),
            members: vec![MemberEndpoint {
                id: me,
                key: PublicKey(*key.public().as_bytes()),
                address: listen,
            }],
            listen,
            frames: FrameLimits::new([(FrameKind(1), 64)]).expect("a kind"),
            limits: MeshLimits::default(),
            timing: LinkTiming::default(),
            observers: Some(ObserverConfig {
                source: Arc::clone(&shelf) as Arc<dyn AttestationSource>,
                evidence: Some(Arc::clone(&shelf) as Arc<dyn EvidenceSource>),
                limits: ObserverLimits::default(),
            }),
        };
        let (mesh, events) = Mesh::bind(config).expect("a mesh of one");
        Self {
            shelf,
            mesh,
            _events: events,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.mesh.local_addr().expect("bound")
    }

    pub(crate) fn publish(&self, attestation: &Attestation) {
        self.publish_bytes(attestation.round(), attestation.to_bytes());
    }

    /// Stores and streams bytes as if they were the round's attestation.
    pub(crate) fn publish_bytes(&self, round: Round, bytes: Vec<u8>) {
        self.shelve(round, bytes.clone());
        // Nobody listens yet: fine.
        let _ = self.shelf.live.send(Item {
            round,
            bytes: bytes.into(),
        });
    }

    /// Stores without streaming.
    pub(crate) fn shelve(&self, round: Round, bytes: Vec<u8>) {
        let item = Item {
            round,
            bytes: bytes.into(),
        };
        self.shelf
            .stored
            .lock()
            .expect("no panic")
            .insert(round, item);
    }

    /// Stores and streams bytes as if they were evidence.
    pub(crate) fn accuse(&self, bytes: Vec<u8>) {
        let mut evidence = self.shelf.evidence.lock().expect("no panic");
        evidence.push(Item {
            round: Round(0),
            bytes: bytes.into(),
        });
        self.shelf.count.send_replace(evidence.len());
    }

    pub(crate) async fn stop(&self) {
        self.mesh.shutdown().await;
    }
}
