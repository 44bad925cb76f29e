//! The attestation stream: nothing is missed, nobody is overrun, and strangers stay within their limits.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use tokio::sync::broadcast;
use touchstone_transport::{
    AttestationSource, CloseCode, FetchError, Item, LinkError, LinkTiming, MEMBER_ALPN,
    OBSERVER_ALPN, ObserverClient, ObserverClientConfig, ObserverConfig, ObserverError,
    ObserverEvent, ObserverEvents, ObserverLimits, TlsIdentity,
};
use touchstone_types::Round;

/// A store in memory with a live stream.
struct Store {
    items: Mutex<BTreeMap<Round, Item>>,
    live: broadcast::Sender<Item>,
}

impl Store {
    fn new(live_capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            items: Mutex::default(),
            live: broadcast::Sender::new(live_capacity),
        })
    }

    fn publish(&self, round: u64, size: usize) {
        let item = Item {
            round: Round(round),
            bytes: vec![round.to_le_bytes()[0]; size].into(),
        };
        self.items.lock().unwrap().insert(item.round, item.clone());
        let _ = self.live.send(item);
    }
}

impl AttestationSource for Store {
    fn range(&self, from: Round, limit: usize) -> Vec<Item> {
        let items = self.items.lock().unwrap();
        items
            .range(from..)
            .take(limit)
            .map(|(_, i)| i.clone())
            .collect()
    }

    fn subscribe(&self) -> broadcast::Receiver<Item> {
        self.live.subscribe()
    }
}

fn serve(committee: &Committee, store: &Arc<Store>, limits: ObserverLimits) -> Node {
    let mut config = committee.config(0);
    config.observers = Some(ObserverConfig {
        source: Arc::clone(store) as Arc<dyn AttestationSource>,
        evidence: None,
        limits,
    });
    Node::start(config)
}

struct Observer {
    client: ObserverClient,
    events: ObserverEvents,
}

impl Observer {
    fn config(committee: &Committee, node: &Node, from: u64) -> ObserverClientConfig {
        let identity = Arc::new(TlsIdentity::ephemeral().unwrap());
        let key = committee.keys[0].identity.public();
        ObserverClientConfig {
            timing: LinkTiming {
                backoff_min: Duration::from_millis(10),
                backoff_max: Duration::from_millis(200),
                ..LinkTiming::default()
            },
            ..ObserverClientConfig::new(node.address, key, identity, Round(from))
        }
    }

    fn start(config: ObserverClientConfig) -> Self {
        let (client, events) = ObserverClient::connect(config).unwrap();
        Self { client, events }
    }

    async fn next(&mut self) -> ObserverEvent {
        soon("an observer's event", self.events.recv())
            .await
            .unwrap()
    }

    async fn rounds(&mut self, count: usize) -> Vec<u64> {
        let mut rounds = Vec::new();
        while rounds.len() < count {
            if let ObserverEvent::Item(item) = self.next().await {
                rounds.push(item.round.0);
            }
        }
        rounds
    }

    async fn disconnected(&mut self) -> ObserverError {
        loop {
            if let ObserverEvent::Disconnected { reason } = self.next().await {
                return reason;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_starts_at_its_round_and_goes_on_live() {
    let committee = Committee::new(2);
    let store = Store::new(64);
    (0..100).for_each(|round| store.publish(round, 50));
    let node = serve(&committee, &store, ObserverLimits::default());
    let mut observer = Observer::start(Observer::config(&committee, &node, 40));
    assert_eq!(observer.next().await, ObserverEvent::Connected);
    assert_eq!(observer.rounds(60).await, Vec::from_iter(40..100));
    // Rounds that are completed late come late, even those from before the subscription.
    for round in [101, 102, 39, 100, 103] {
        store.publish(round, 50);
    }
    let late = BTreeSet::from_iter(observer.rounds(5).await);
    assert_eq!(late, BTreeSet::from([39, 100, 101, 102, 103]));
    until("all items are counted", || {
        node.mesh.metrics().observers.items_out == 65
    })
    .await;
    let metrics = node.mesh.metrics().observers;
    assert_eq!((metrics.sessions, metrics.bytes_out), (1, 65 * 62));
    observer.client.shutdown().await;
    until("the node notices", || {
        node.mesh.metrics().observers.sessions == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_the_node_no_round_is_missing() {
    let committee = Committee::new(2);
    let store = Store::new(64);
    (0..10).for_each(|round| store.publish(round, 50));
    let node = serve(&committee, &store, ObserverLimits::default());
    let address = node.address;
    let mut config = Observer::config(&committee, &node, 0);
    config.resume_overlap = 3;
    let mut observer = Observer::start(config);
    assert_eq!(observer.rounds(10).await, Vec::from_iter(0..10));
    node.mesh.shutdown().await;
    drop(node);
    let reason = observer.disconnected().await;
    assert_eq!(reason, LinkError::ClosedByPeer(CloseCode::Shutdown).into());
    (10..20).for_each(|round| store.publish(round, 50));
    until("the port becomes free", || {
        std::net::UdpSocket::bind(address).is_ok()
    })
    .await;
    let mut config = committee.config(0);
    config.listen = address;
    config.observers = Some(ObserverConfig {
        source: store,
        evidence: None,
        limits: ObserverLimits::default(),
    });
    let _node = Node::start(config);
    assert_eq!(observer.rounds(13).await, Vec::from_iter(7..20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_can_be_fetched() {
    let committee = Committee::new(2);
    let store = Store::new(64);
    (0..100)
        .step_by(2)
        .for_each(|round| store.publish(round, 5000));
    let node = serve(&committee, &store, ObserverLimits::default());
    let mut observer = Observer::start(Observer::config(&committee, &node, 1000));
    assert_eq!(observer.next().await, ObserverEvent::Connected);
    let fetched = async |first, last| {
        let mut fetch = observer
            .client
            .fetch(Round(first)..=Round(last))
            .await
            .unwrap();
        let mut rounds = Vec::new();
        while let Some(item) = fetch.next().await.unwrap() {
            assert_eq!(item.bytes.len(), 5000);
            rounds.push(item.round.0);
        }
        rounds
    };
    assert_eq!(fetched(11, 71).await, Vec::from_iter((12..71).step_by(2)));
    assert_eq!(fetched(98, u64::MAX).await, [98]);
    assert_eq!(fetched(99, 99).await, Vec::<u64>::new());
    assert_eq!(fetched(9, 2).await, Vec::<u64>::new());
    // A request that is done does not hold up the subscription.
    store.publish(1000, 50);
    assert_eq!(observer.rounds(1).await, [1000]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_can_be_fetched_from_a_node_that_is_not_there() {
    let committee = Committee::new(2);
    let node = serve(&committee, &Store::new(4), ObserverLimits::default());
    let config = Observer::config(&committee, &node, 0);
    node.mesh.shutdown().await;
    let observer = Observer::start(config);
    let fetch = observer.client.fetch(Round(0)..=Round(1)).await;
    assert!(matches!(fetch, Err(FetchError::NotConnected)));
}

/// A consumer that takes nothing for a while: the node holds nothing back for it, and serves it from the store later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_lags_misses_nothing() {
    const ROUNDS: u64 = 2000;
    let committee = Committee::new(2);
    let store = Store::new(4);
    let node = serve(&committee, &store, ObserverLimits::default());
    let mut config = Observer::config(&committee, &node, 0);
    config.queue_events = 1;
    config.window_bytes = 1 << 16;
    let mut observer = Observer::start(config);
    assert_eq!(observer.next().await, ObserverEvent::Connected);
    let counted = || node.mesh.metrics().observers;
    // The first bursts may meet a subscriber that is still busy with the store, where there is nothing to lag behind.
    for burst in 0..10 {
        let rounds = burst * ROUNDS..(burst + 1) * ROUNDS;
        let before = counted().bytes_out;
        for round in rounds.clone() {
            store.publish(round, 8192);
            tokio::task::yield_now().await;
        }
        let held = counted().bytes_out - before;
        assert!(
            held < 4 << 20,
            "{held} bytes given to a subscriber that reads nothing"
        );
        let seen = observer.rounds(usize::try_from(ROUNDS).unwrap()).await;
        assert_eq!(BTreeSet::from_iter(seen), rounds.collect());
        if counted().lagged > 0 {
            return;
        }
    }
    panic!("the subscriber never fell behind the live stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_limited_per_address_and_places_come_back() {
    let committee = Committee::new(2);
    let store = Store::new(4);
    let limits = ObserverLimits {
        sessions_per_address_max: 2,
        ..ObserverLimits::default()
    };
    let node = serve(&committee, &store, limits);
    let mut first = Observer::start(Observer::config(&committee, &node, 0));
    let mut second = Observer::start(Observer::config(&committee, &node, 0));
    assert_eq!(first.next().await, ObserverEvent::Connected);
    assert_eq!(second.next().await, ObserverEvent::Connected);
    let mut third = Observer::start(Observer::config(&committee, &node, 0));
    let busy = LinkError::ClosedByPeer(CloseCode::Busy).into();
    assert_eq!(
        third.next().await,
        ObserverEvent::Disconnected { reason: busy }
    );
    assert!(node.mesh.metrics().observers.refused >= 1);
    first.client.shutdown().await;
    assert_eq!(third.next().await, ObserverEvent::Connected);
}

/// The key is what counts: a node with another key is not listened to, wherever it listens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_key_is_not_observed() {
    let committee = Committee::new(2);
    let node = serve(&committee, &Store::new(4), ObserverLimits::default());
    let mut config = Observer::config(&committee, &node, 0);
    config.node_key = committee.keys[1].identity.public();
    let mut observer = Observer::start(config);
    let reason = observer.disconnected().await;
    assert!(
        matches!(reason, ObserverError::Link(LinkError::Handshake(_))),
        "{reason:?}"
    );
    assert_eq!(node.mesh.metrics().observers.sessions, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_beyond_the_observers_limit_ends_the_subscription() {
    let committee = Committee::new(2);
    let store = Store::new(4);
    store.publish(0, 1001);
    let node = serve(&committee, &store, ObserverLimits::default());
    let mut config = Observer::config(&committee, &node, 0);
    config.item_bytes_max = 1000;
    let reason = Observer::start(config).disconnected().await;
    let text = reason.to_string();
    assert!(
        text.contains("announced 1001 bytes, allowed are 0 to 1000"),
        "{text}"
    );
}

/// An endpoint that serves observers lets any key through the handshake; the member protocol must still be closed to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observers_key_does_not_open_the_member_protocol() {
    let committee = Committee::new(2);
    let node = serve(&committee, &Store::new(4), ObserverLimits::default());
    let endpoint = raw_endpoint(Some(&Key::generate()), MEMBER_ALPN);
    let connection = raw_connect(&endpoint, node.address).await;
    let error = soon("a refusal", raw_greet(&connection, &[0; 8]))
        .await
        .unwrap_err();
    let code = u64::from(CloseCode::UnknownIdentity.number());
    assert_eq!(close_code(&error), Some(code), "{error:?}");
    assert_eq!(node.mesh.metrics().unknown_identities, 1);
    // A member's key does, on the same endpoint.
    raw_member(&raw_member_endpoint(&committee.keys[1]), node.address).await;
    // A node that serves no observers does not speak their protocol at all.
    let closed = committee.start(0);
    let endpoint = raw_endpoint(Some(&committee.keys[1]), OBSERVER_ALPN);
    let refused = endpoint.connect(closed.address, "x").unwrap().await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_ends_the_session() {
    let committee = Committee::new(2);
    let store = Store::new(4);
    let limits = ObserverLimits {
        stall_timeout: Duration::from_millis(500),
        ..ObserverLimits::default()
    };
    let node = serve(&committee, &store, limits);
    let endpoint = raw_endpoint(Some(&Key::generate()), OBSERVER_ALPN);
    for garbage in [
        &b"GET /v1/latest HTTP/1.1\r\n\r\n"[..],
        &[3; 9],
        &[],
        &[1, 0, 0],
    ] {
        let connection = raw_connect(&endpoint, node.address).await;
        let error = soon("a refusal", raw_greet(&connection, garbage))
            .await
            .unwrap_err();
        let code = u64::from(CloseCode::Violation.number());
        assert_eq!(close_code(&error), Some(code), "{garbage:?}: {error:?}");
    }
    let silent = raw_connect(&endpoint, node.address).await;
    let closed = soon("a silent observer is dropped", silent.closed()).await;
    assert_eq!(
        close_code(&closed),
        Some(u64::from(CloseCode::TooSlow.number()))
    );
    assert_eq!(node.mesh.metrics().observers.expelled, 5);
}

/// An observer that asks and then does not read is expelled after the stall time; the others do not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_does_not_read_is_expelled() {
    let committee = Committee::new(2);
    let store = Store::new(4);
    (0..500).for_each(|round| store.publish(round, 10_000));
    let limits = ObserverLimits {
        stall_timeout: Duration::from_millis(300),
        ..ObserverLimits::default()
    };
    let node = serve(&committee, &store, limits);
    let endpoint = raw_endpoint(Some(&Key::generate()), OBSERVER_ALPN);
    let stalled = raw_connect(&endpoint, node.address).await;
    let (mut send, _unread) = stalled.open_bi().await.unwrap();
    send.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    send.finish().unwrap();
    let mut observer = Observer::start(Observer::config(&committee, &node, 0));
    assert_eq!(observer.rounds(500).await.len(), 500);
    let closed = soon("the stalled observer is expelled", stalled.closed()).await;
    assert_eq!(
        close_code(&closed),
        Some(u64::from(CloseCode::TooSlow.number())),
        "{closed:?}"
    );
}
