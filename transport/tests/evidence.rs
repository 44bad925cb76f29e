//! Evidence on the way to observers: all of it, in order, again after a reconnect, and only to who asks.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use tokio::sync::{broadcast, watch};
use touchstone_transport::{
    AttestationSource, EVIDENCE_BYTES_MAX, EvidenceSource, Item, LinkTiming, ObserverClient,
    ObserverClientConfig, ObserverConfig, ObserverEvent, ObserverEvents, ObserverLimits,
    TlsIdentity,
};
use touchstone_types::Round;

/// A store of evidence, beside one attestation.
struct Store {
    evidence: Mutex<Vec<Item>>,
    count: watch::Sender<usize>,
    live: broadcast::Sender<Item>,
}

impl Store {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            evidence: Mutex::default(),
            count: watch::Sender::new(0),
            live: broadcast::Sender::new(4),
        })
    }

    fn add(&self, round: u64, size: usize) {
        let item = Item {
            round: Round(round),
            bytes: vec![round.to_le_bytes()[0]; size].into(),
        };
        let mut evidence = self.evidence.lock().unwrap();
        evidence.push(item);
        self.count.send_replace(evidence.len());
    }
}

impl AttestationSource for Store {
    fn range(&self, from: Round, _: usize) -> Vec<Item> {
        let item = Item {
            round: Round(9),
            bytes: vec![9; 9].into(),
        };
        Vec::from_iter((from <= item.round).then_some(item))
    }

    fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.live.subscribe()
    }
}

impl EvidenceSource for Store {
    fn page(&self, from: usize, limit: usize) -> Vec<Item> {
        let evidence = self.evidence.lock().unwrap();
        evidence.iter().skip(from).take(limit).cloned().collect()
    }

    fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}

fn serve(committee: &Committee, store: &Arc<Store>, offered: bool) -> Node {
    let mut config = committee.config(0);
    config.observers = Some(ObserverConfig {
        source: Arc::clone(store) as Arc<dyn AttestationSource>,
        evidence: offered.then(|| Arc::clone(store) as Arc<dyn EvidenceSource>),
        limits: ObserverLimits {
            page_items: 3,
            ..ObserverLimits::default()
        },
    });
    Node::start(config)
}

fn observe(committee: &Committee, node: &Node, evidence: bool) -> (ObserverClient, ObserverEvents) {
    let identity = Arc::new(TlsIdentity::ephemeral().unwrap());
    let key = committee.keys[0].identity.public();
    ObserverClient::connect(ObserverClientConfig {
        evidence,
        timing: LinkTiming {
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(200),
            ..LinkTiming::default()
        },
        ..ObserverClientConfig::new(node.address, key, identity, Round(0))
    })
    .unwrap()
}

/// Rounds of the next so many pieces of evidence, and how many attestations came in between.
async fn rounds(events: &mut ObserverEvents, count: usize) -> (Vec<u64>, usize) {
    let (mut rounds, mut attestations) = (Vec::new(), 0);
    while rounds.len() < count {
        match soon("evidence", events.recv()).await.unwrap() {
            ObserverEvent::Evidence(item) => rounds.push(item.round.0),
            ObserverEvent::Item(_) => attestations += 1,
            ObserverEvent::Connected | ObserverEvent::Disconnected { .. } => {}
        }
    }
    (rounds, attestations)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_evidence_comes_in_order_and_then_what_is_new() {
    let committee = Committee::new(2);
    let store = Store::new();
    (0..10).for_each(|round| store.add(round, 292));
    let node = serve(&committee, &store, true);
    let (client, mut events) = observe(&committee, &node, true);
    assert_eq!(rounds(&mut events, 10).await.0, Vec::from_iter(0..10));
    for round in [3, 5, 4] {
        store.add(round, 18_000);
        assert_eq!(rounds(&mut events, 1).await.0, [round]);
    }
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_the_node_all_evidence_comes_again() {
    let committee = Committee::new(2);
    let store = Store::new();
    store.add(7, 292);
    let node = serve(&committee, &store, true);
    let address = node.address;
    let (_client, mut events) = observe(&committee, &node, true);
    assert_eq!(rounds(&mut events, 1).await.0, [7]);
    node.mesh.shutdown().await;
    drop(node);
    store.add(8, 292);
    until("the port becomes free", || {
        std::net::UdpSocket::bind(address).is_ok()
    })
    .await;
    let mut config = committee.config(0);
    config.listen = address;
    config.observers = Some(ObserverConfig {
        source: Arc::clone(&store) as Arc<dyn AttestationSource>,
        evidence: Some(store),
        limits: ObserverLimits::default(),
    });
    let _node = Node::start(config);
    assert_eq!(rounds(&mut events, 2).await.0, [7, 8]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_ask_gets_attestations_only() {
    let committee = Committee::new(2);
    let store = Store::new();
    store.add(7, 292);
    let node = serve(&committee, &store, true);
    let (_client, mut events) = observe(&committee, &node, false);
    let mut next = async || soon("an event", events.recv()).await.unwrap();
    assert_eq!(next().await, ObserverEvent::Connected);
    assert!(matches!(next().await, ObserverEvent::Item(_)));
    store.add(8, 292);
    let more = tokio::time::timeout(Duration::from_millis(300), next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_offers_none_is_observed_all_the_same() {
    let committee = Committee::new(2);
    let store = Store::new();
    store.add(7, 292);
    let node = serve(&committee, &store, false);
    let (client, mut events) = observe(&committee, &node, true);
    let mut next = async || soon("an event", events.recv()).await.unwrap();
    assert_eq!(next().await, ObserverEvent::Connected);
    assert!(matches!(next().await, ObserverEvent::Item(_)));
    let more = tokio::time::timeout(Duration::from_millis(300), next()).await;
    assert!(more.is_err(), "{more:?}");
    assert!(client.fetch(Round(0)..=Round(9)).await.is_ok());
    // The answer that ended does not hold up the others.
    let _ = store.live.send(Item {
        round: Round(10),
        bytes: vec![10; 9].into(),
    });
    let event = soon("an attestation", events.recv()).await.unwrap();
    assert!(matches!(event, ObserverEvent::Item(item) if item.round == Round(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_is_too_large_ends_the_session() {
    let committee = Committee::new(2);
    let store = Store::new();
    let limit = usize::try_from(EVIDENCE_BYTES_MAX).unwrap();
    store.add(7, limit);
    store.add(8, limit + 1);
    let node = serve(&committee, &store, true);
    let (_client, mut events) = observe(&committee, &node, true);
    assert_eq!(rounds(&mut events, 1).await.0, [7]);
    loop {
        let event = soon("an end", events.recv()).await.unwrap();
        if let ObserverEvent::Disconnected { reason } = event {
            assert!(
                reason.to_string().contains("allowed are 0 to 32768"),
                "{reason}"
            );
            return;
        }
    }
}
