//! One node's stream, over QUIC.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use touchstone_transport::{
    ObserverClient, ObserverClientConfig, ObserverEvent, ObserverEvents, PublicKey, TlsIdentity,
};
use touchstone_types::Digest;
use touchstone_types::Round;

use super::{EvidenceIntake, EvidenceVerdict, Intake, Sources, Verdict};
use crate::{store::RoundRange, verify::ATTESTATION_BYTES_MAX};

/// The shortest and the longest time for which a source that lied is left alone.
const PENALTY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));
/// Attestations received since the last lie, after which the next one counts as the first.
const FORGIVEN_AFTER: u64 = 10_000;

/// A node to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    /// `host:port` of its QUIC endpoint.
    pub address: String,
    /// Its Ed25519 identity key.
    pub identity: Digest,
}

impl NodeAddress {
    /// How the node is named in the log and in the metrics: by its key, for an address proves nothing.
    pub fn name(&self) -> Arc<str> {
        format!("node {} at {}", self.identity, self.address).into()
    }
}

/// A request to a node's task: fetch these rounds, and say whether the node answered.
pub(super) struct FetchRequest {
    pub(super) range: RoundRange,
    pub(super) answered: oneshot::Sender<bool>,
}

/// Follows one node for as long as the aggregator runs.
pub struct NodeSource {
    node: NodeAddress,
    name: Arc<str>,
    intake: Arc<Intake>,
    evidence: Arc<EvidenceIntake>,
    sources: Arc<Sources>,
    identity: Arc<TlsIdentity>,
    requests: mpsc::Receiver<FetchRequest>,
    next: Round,
}

enum End {
    Shutdown,
    Lied,
    Broken,
}

impl NodeSource {
    /// A source that starts its stream at `from`, and the handle to ask it for rounds.
    pub(super) fn new(
        node: NodeAddress,
        from: Round,
        intake: Arc<Intake>,
        evidence: Arc<EvidenceIntake>,
        sources: Arc<Sources>,
        identity: Arc<TlsIdentity>,
    ) -> (Self, mpsc::Sender<FetchRequest>) {
        let (sender, requests) = mpsc::channel(4);
        let name = node.name();
        sources.update(&name, |s| s.connected = false);
        let source = Self {
            node,
            name,
            intake,
            evidence,
            sources,
            identity,
            requests,
            next: from,
        };
        (source, sender)
    }

    /// Follows the node until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let (mut penalty, mut good) = (PENALTY.0, 0);
        loop {
            let end = tokio::select! {
                () = shutdown.cancelled() => End::Shutdown,
                end = self.follow(&mut good) => end,
            };
            self.sources.update(&self.name, |s| s.connected = false);
            let wait = match end {
                End::Shutdown => return,
                End::Broken => Duration::from_secs(1),
                End::Lied => {
                    if good >= FORGIVEN_AFTER {
                        penalty = PENALTY.0;
                    }
                    good = 0;
                    let wait = penalty;
                    penalty = penalty.saturating_mul(2).min(PENALTY.1);
                    tracing::warn!(source = %self.name, seconds = wait.as_secs(), "left alone for a while");
                    wait
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// One life of a client: the client reconnects by itself, until the node lies.
    async fn follow(&mut self, good: &mut u64) -> End {
        let (client, mut events) = match self.connect().await {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(source = %self.name, %error, "cannot observe");
                return End::Broken;
            }
        };
        let end = self.listen(&client, &mut events, good).await;
        client.shutdown().await;
        end
    }

    async fn listen(
        &mut self,
        client: &ObserverClient,
        events: &mut ObserverEvents,
        good: &mut u64,
    ) -> End {
        let mut records = 0;
        loop {
            let verdict = tokio::select! {
                event = events.recv() => match event {
                    None => return End::Broken,
                    Some(ObserverEvent::Connected) => {
                        self.sources.update(&self.name, |s| s.connected = true);
                        records = 0;
                        tracing::info!(source = %self.name, from = %self.next, "following");
                        continue;
                    }
                    Some(ObserverEvent::Disconnected { reason }) => {
                        self.sources.update(&self.name, |s| s.connected = false);
                        tracing::warn!(source = %self.name, %reason, "not connected");
                        continue;
                    }
                    Some(ObserverEvent::Item(item)) => self.intake.offer(&self.name, &item.bytes).await,
                    Some(ObserverEvent::Evidence(item)) => {
                        if self.take_evidence(&item.bytes, &mut records).await {
                            continue;
                        }
                        return End::Lied;
                    }
                },
                Some(request) = self.requests.recv() => self.fetch(client, request).await,
            };
            match verdict {
                Verdict::Accepted(round) => {
                    *good = good.saturating_add(1);
                    self.next = self.next.max(round.saturating_add(1));
                }
                Verdict::Seen => {}
                Verdict::Refused(_) => return End::Lied,
                Verdict::Closed => return End::Shutdown,
            }
        }
    }

    /// Whether a record is one that an honest node may have sent.
    async fn take_evidence(&self, bytes: &[u8], records: &mut usize) -> bool {
        *records = records.saturating_add(1);
        if *records > self.evidence.session_max() {
            tracing::warn!(source = %self.name, max = self.evidence.session_max(), "more evidence than a node can hold");
            return false;
        }
        let verdict = self.evidence.offer(&self.name, bytes).await;
        !matches!(verdict, EvidenceVerdict::Refused(_))
    }

    /// Carries out a request for back-fill.
    async fn fetch(&mut self, client: &ObserverClient, request: FetchRequest) -> Verdict {
        let mut verdict = Verdict::Seen;
        let mut answered = false;
        match client.fetch(request.range.first..=request.range.last).await {
            Ok(mut items) => loop {
                match items.next().await {
                    Ok(Some(item)) => {
                        verdict = self.intake.offer(&self.name, &item.bytes).await;
                        if matches!(verdict, Verdict::Refused(_) | Verdict::Closed) {
                            break;
                        }
                        // Back-filled rounds do not move the point from which the stream is resumed.
                        verdict = Verdict::Seen;
                    }
                    Ok(None) => {
                        answered = true;
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(source = %self.name, %error, "back-fill broke off");
                        break;
                    }
                }
            },
            Err(error) => tracing::debug!(source = %self.name, %error, "no back-fill"),
        }
        // The asker may have given up waiting.
        let _ = request.answered.send(answered);
        verdict
    }

    async fn connect(&self) -> anyhow::Result<(ObserverClient, ObserverEvents)> {
        let node_address = resolve(&self.node.address).await?;
        let mut config = ObserverClientConfig::new(
            node_address,
            PublicKey(self.node.identity.0),
            Arc::clone(&self.identity),
            self.next,
        );
        config.evidence = true;
        config.item_bytes_max = u32::try_from(ATTESTATION_BYTES_MAX).unwrap_or(u32::MAX);
        Ok(ObserverClient::connect(config)?)
    }
}

async fn resolve(address: &str) -> anyhow::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(address).await?;
    found
        .next()
        .ok_or_else(|| anyhow::anyhow!("{address}: the name has no address"))
}
