//! The node's side: sessions, requests, and the switch between the store and the live stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use touchstone_types::Round;

use super::config::{AttestationSource, EvidenceSource, ObserverConfig, ObserverLimits};
use super::wire::{ANSWER, ITEM_HEAD_BYTES, Item, REQUEST_BYTES_MAX, Request};
use crate::close::{CloseCode, Violation, close};
use crate::gate::{Gate, Origin};
use crate::metrics::{ObserverCounters, ObserverMetrics};

/// The part of an endpoint that serves observers.
pub(crate) struct ObserverServer {
    source: Arc<dyn AttestationSource>,
    evidence: Option<Arc<dyn EvidenceSource>>,
    limits: ObserverLimits,
    gate: Arc<Gate>,
    /// Turns at the store, which the node needs too.
    reads: Semaphore,
    counters: ObserverCounters,
}

/// Reads of the store at once, all observers together.
const STORE_READS_MAX: usize = 4;

/// Why a session or a request ends.
enum End {
    /// The observer is gone or wants no more.
    Gone,
    /// The observer did not read or ask in time.
    TooSlow,
    /// The observer broke a rule.
    Violation(Violation),
}

impl ObserverServer {
    pub(crate) fn new(config: ObserverConfig) -> Arc<Self> {
        let limits = config.limits;
        Arc::new(Self {
            source: config.source,
            evidence: config.evidence,
            limits,
            gate: Gate::new(limits.sessions_max, limits.sessions_per_address_max),
            reads: Semaphore::new(STORE_READS_MAX),
            counters: ObserverCounters::default(),
        })
    }

    pub(crate) fn metrics(&self) -> ObserverMetrics {
        self.counters.snapshot()
    }
}

/// Serves one observer until it leaves, breaks a rule, or the mesh stops.
pub(crate) async fn serve(
    server: &Arc<ObserverServer>,
    connection: Connection,
    stop: &CancellationToken,
) {
    let address = connection.remote_address();
    let Some(_pass) = server.gate.enter(Origin::of(address.ip()), false) else {
        server.counters.refused.add(1);
        tracing::debug!(%address, "too many observers");
        return close(&connection, CloseCode::Busy);
    };
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(server.limits.requests_max));
    server.counters.sessions.add(1);
    tracing::debug!(%address, "observer connected");
    let end = tokio::select! {
        () = stop.cancelled() => {
            close(&connection, CloseCode::Shutdown);
            End::Gone
        }
        end = session(server, &connection) => end,
    };
    let expelled = match end {
        End::Gone => None,
        End::TooSlow => Some(CloseCode::TooSlow),
        End::Violation(violation) => {
            tracing::debug!(%address, %violation, "observer broke a rule");
            Some(CloseCode::Violation)
        }
    };
    if let Some(code) = expelled {
        server.counters.expelled.add(1);
        close(&connection, code);
    }
    server.counters.sessions.sub(1);
    tracing::debug!(%address, "observer gone");
}

async fn session(server: &Arc<ObserverServer>, connection: &Connection) -> End {
    let requests_max = usize::try_from(server.limits.requests_max).unwrap_or(1);
    let mut requests = FuturesUnordered::new();
    loop {
        let idle = requests.is_empty();
        tokio::select! {
            _ = connection.closed() => return End::Gone,
            () = tokio::time::sleep(server.limits.stall_timeout), if idle => return End::TooSlow,
            // Every outcome is taken here: a pattern that leaves some out would switch this branch off, and with it the other
            // requests, until a further one comes.
            Some(done) = requests.next(), if !idle => match done {
                Err(end @ (End::TooSlow | End::Violation(_))) => return end,
                // A request that is done, or that the observer stopped, leaves the session open.
                Ok(()) | Err(End::Gone) => {}
            },
            stream = connection.accept_bi(), if requests.len() < requests_max => match stream {
                Ok((send, recv)) => requests.push(request(server, send, recv)),
                Err(_) => return End::Gone,
            },
        }
    }
}

/// Reads one request and answers it.
async fn request(
    server: &Arc<ObserverServer>,
    send: SendStream,
    mut recv: RecvStream,
) -> Result<(), End> {
    let asked = timeout(
        server.limits.stall_timeout,
        recv.read_to_end(REQUEST_BYTES_MAX),
    );
    let request = match asked.await {
        Ok(Ok(bytes)) => Request::decode(&bytes).map_err(|_| End::Violation(Violation::Request))?,
        Ok(Err(quinn::ReadToEndError::TooLong)) => {
            return Err(End::Violation(Violation::Request));
        }
        Ok(Err(quinn::ReadToEndError::Read(_))) => return Err(End::Gone),
        Err(_) => return Err(End::TooSlow),
    };
    let mut answer = Answer { server, send };
    answer
        .send
        .write_all(&[ANSWER])
        .await
        .map_err(|_| End::Gone)?;
    match request {
        Request::Subscribe { from } => answer.subscription(from).await?,
        Request::Fetch { first, last } => answer.fetch(first, last).await?,
        Request::Evidence => answer.evidence().await?,
    }
    answer.send.finish().map_err(|_| End::Gone)
}

/// One request's answer in the making.
struct Answer<'a> {
    server: &'a Arc<ObserverServer>,
    send: SendStream,
}

impl Answer<'_> {
    async fn fetch(&mut self, first: Round, last: Round) -> Result<(), End> {
        let mut next = first;
        while next <= last {
            let page = self.page(next).await?;
            let Some(end) = page.last().map(|item| item.round) else {
                break;
            };
            for item in page.iter().filter(|item| item.round <= last) {
                self.send(item).await?;
            }
            if end == Round(u64::MAX) {
                break;
            }
            next = end.saturating_add(1);
        }
        Ok(())
    }

    /// Stored items from that round on, then every new one, also of an older round that is completed late. A subscriber
    /// that falls behind is served from the store again.
    async fn subscription(&mut self, from: Round) -> Result<(), End> {
        let mut recent = Recent::default();
        let mut next = from;
        loop {
            // Subscribed before the store is read, so that nothing falls between the two.
            let mut live = self.server.source.subscribe();
            loop {
                let page = self.page(next).await?;
                let Some(end) = page.last().map(|item| item.round) else {
                    break;
                };
                for item in page.iter().filter(|item| recent.is_new(item.round)) {
                    self.send(item).await?;
                }
                next = end.saturating_add(1);
                if end == Round(u64::MAX) {
                    break;
                }
            }
            loop {
                let received = tokio::select! {
                    received = live.recv() => received,
                    // The observer wants no more.
                    _ = self.send.stopped() => return Ok(()),
                };
                match received {
                    Ok(item) => {
                        if recent.is_new(item.round) {
                            self.send(&item).await?;
                        }
                    }
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(()),
                }
            }
            self.server.counters.lagged.add(1);
            next = recent.resume().max(from);
        }
    }

    /// Everything that is stored, then everything that is added.
    async fn evidence(&mut self) -> Result<(), End> {
        let Some(source) = self.server.evidence.clone() else {
            return Ok(());
        };
        let limit = usize::try_from(self.server.limits.page_items).unwrap_or(1);
        let mut count = source.count();
        let mut next = 0_usize;
        loop {
            count.mark_unchanged();
            let page = source.page(next, limit);
            for item in page.iter().take(limit) {
                self.send(item).await?;
                next = next.saturating_add(1);
            }
            if !page.is_empty() {
                continue;
            }
            tokio::select! {
                changed = count.changed() => if changed.is_err() { return Ok(()) },
                // The observer wants no more.
                _ = self.send.stopped() => return Ok(()),
            }
        }
    }

    async fn page(&self, from: Round) -> Result<Vec<Item>, End> {
        let source = Arc::clone(&self.server.source);
        let limit = usize::try_from(self.server.limits.page_items).unwrap_or(1);
        let read = move || page(&*source, from, limit);
        // Never closed, so this is a turn.
        let _turn = self.server.reads.acquire().await;
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| End::Gone)
    }

    async fn send(&mut self, item: &Item) -> Result<(), End> {
        let mut chunks = [item.head(), item.bytes.clone()];
        let written = timeout(
            self.server.limits.stall_timeout,
            self.send.write_all_chunks(&mut chunks),
        );
        match written.await {
            Ok(Ok(())) => {
                let size = u64::try_from(item.bytes.len() + ITEM_HEAD_BYTES).unwrap_or(u64::MAX);
                self.server.counters.items_out.add(1);
                self.server.counters.bytes_out.add(size);
                Ok(())
            }
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}

/// A page of the store; a source that answers out of order cannot make the stream loop.
fn page(source: &dyn AttestationSource, from: Round, limit: usize) -> Vec<Item> {
    let mut items = source.range(from, limit);
    items.retain(|item| item.round >= from);
    items.sort_by_key(|item| item.round);
    items.truncate(limit);
    items
}

/// The newest rounds that a subscriber has been sent, to tell repeats where store and live stream overlap.
#[derive(Default)]
struct Recent {
    rounds: BTreeSet<Round>,
}

/// How many rounds are remembered per subscription. A round that is completed later than this many others, while its
/// subscriber lags, is not sent; observers notice the gap and fetch it.
const RECENT_MAX: usize = 1024;

impl Recent {
    /// Notes a round; false if it has been noted before.
    fn is_new(&mut self, round: Round) -> bool {
        if !self.rounds.insert(round) {
            return false;
        }
        if self.rounds.len() > RECENT_MAX {
            self.rounds.pop_first();
        }
        true
    }

    /// Where to read the store again: rounds may overtake each other, so from before the newest, but not from before
    /// what is remembered.
    fn resume(&self) -> Round {
        let window = u64::try_from(RECENT_MAX).unwrap_or(u64::MAX);
        self.rounds.last().map_or(Round(0), |newest| {
            newest.saturating_add(1).saturating_sub(window)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_round_that_is_read_again_is_sent_twice() {
        let mut recent = Recent::default();
        for round in (0..5000).rev().step_by(3).chain((2..5000).step_by(3)) {
            recent.is_new(Round(round));
        }
        let resume = recent.resume();
        assert_eq!(resume, Round(5000 - 1024));
        let again = (resume.0..5000).filter(|r| recent.is_new(Round(*r)));
        let sent = |r: &u64| !r.is_multiple_of(3);
        assert!(again.into_iter().all(|r| !sent(&r)));
    }
}
