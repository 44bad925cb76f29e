//! The link to one peer: dial, greet, send what the outbox holds, and start over when it breaks.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use quinn::Connection;
use rand_core::OsRng;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::Backoff;
use crate::close::{CloseCode, LinkError, close};
use crate::endpoint::STREAMS_PER_PEER;
use crate::events::MeshEvent;
use crate::frame::{FRAME_HEAD_BYTES, Outgoing};
use crate::greeting;
use crate::identity::SERVER_NAME;
use crate::mesh::{Peer, Shared};

/// Frames that wait together travel together up to this many bytes; a larger frame travels alone.
const BURST_BYTES: usize = 64 * 1024;

/// Keeps a link to the peer until the mesh stops.
pub(crate) async fn keep_link(shared: Arc<Shared>, peer: Arc<Peer>) {
    let timing = shared.timing;
    let mut backoff = Backoff::new(timing.backoff_min, timing.backoff_max);
    let stopped = shared.stop.clone();
    // An attempt that was given up too early because the peer is far away gets more time the next time.
    let mut attempt_min = ATTEMPT_MIN;
    while !stopped.is_cancelled() {
        let dialled = tokio::select! {
            () = stopped.cancelled() => return,
            dialled = dial(&shared, &peer) => dialled,
            // An attempt that was made before the peer was there may sit in long waits for its lost packets.
            () = called(&peer, attempt_min) => Err(LinkError::Superseded),
        };
        attempt_min = match dialled {
            Err(LinkError::Superseded) => {
                attempt_min.saturating_mul(2).min(timing.handshake_timeout)
            }
            _ => ATTEMPT_MIN,
        };
        match dialled {
            Ok((connection, theirs)) => {
                let since = Instant::now();
                let reason = use_link(&shared, &peer, &connection, theirs).await;
                // A link that lasted shows that the trouble before it is over; one that broke at once does not.
                if since.elapsed() > timing.backoff_max {
                    backoff.reset();
                }
                tracing::info!(peer = %peer.id, %reason, "link down");
                shared.events.notice(MeshEvent::PeerDown {
                    peer: peer.id,
                    reason,
                });
            }
            Err(error) => {
                peer.counters.connect_failures.add(1);
                tracing::debug!(peer = %peer.id, address = %peer.address(), %error, "cannot connect");
            }
        }
        let wait = backoff.next(&mut OsRng);
        tokio::select! {
            () = stopped.cancelled() => return,
            () = sleep(wait) => {}
            () = called(&peer, timing.backoff_min.min(wait)) => {}
        }
    }
}

/// How long the first attempt to connect is left alone; longer than a round trip around the world.
const ATTEMPT_MIN: Duration = Duration::from_millis(400);

/// The peer has called, or has another address now: wait no longer than `at_least`.
async fn called(peer: &Peer, at_least: Duration) {
    sleep(at_least).await;
    peer.called.notified().await;
}

/// A connection to the peer that the peer has accepted, and the peer's incarnation.
async fn dial(shared: &Shared, peer: &Peer) -> Result<(Connection, u64), LinkError> {
    let limit = shared.timing.handshake_timeout;
    let attempt = async {
        let connection = shared
            .endpoint
            .connect_with(peer.dialling.clone(), peer.address(), SERVER_NAME)
            .map_err(|error| LinkError::Lost(error.to_string()))?
            .await?;
        match greeting::greet(&connection, shared.incarnation).await {
            Ok(theirs) => Ok((connection, theirs)),
            Err(error) => {
                close(&connection, CloseCode::Violation);
                Err(error.into())
            }
        }
    };
    match timeout(limit, attempt).await {
        Ok(result) => result,
        Err(_) => Err(LinkError::GreetingTimeout(limit)),
    }
}

/// Sends on an established link until it ends; says why it ended.
async fn use_link(shared: &Shared, peer: &Peer, connection: &Connection, theirs: u64) -> LinkError {
    tracing::info!(peer = %peer.id, address = %connection.remote_address(), "link up");
    peer.counters.connects.add(1);
    peer.counters.outbound_up.store(true, Relaxed);
    peer.incarnation.send_replace(theirs);
    let mut incarnation = peer.incarnation.subscribe();
    peer.outbox.rewind();
    shared.events.notice(MeshEvent::PeerUp { peer: peer.id });

    let mut sending = pin!(send_all(peer, connection));
    let (reason, code) = tokio::select! {
        biased;
        () = shared.stop.cancelled() => (LinkError::Shutdown, CloseCode::Shutdown),
        error = connection.closed() => (error.into(), CloseCode::Shutdown),
        _ = incarnation.wait_for(|now| *now != theirs) => (LinkError::PeerRestarted, CloseCode::Restarted),
        Err(error) = &mut sending => (error, CloseCode::Shutdown),
    };
    // Before the half-written streams are dropped: dropping them first would finish them inside a frame.
    close(connection, code);
    peer.counters.outbound_up.store(false, Relaxed);
    reason
}

/// Writes bursts, several at once, so that none waits for another's flow control.
async fn send_all(peer: &Peer, connection: &Connection) -> Result<Infallible, LinkError> {
    let streams_max = usize::try_from(STREAMS_PER_PEER).unwrap_or(1);
    let mut writing = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(written) = writing.next(), if !writing.is_empty() => written?,
            burst = peer.outbox.next_burst(BURST_BYTES), if writing.len() < streams_max => {
                writing.push(send_burst(peer, connection, burst));
            }
        }
    }
}

/// Writes whole frames on one new stream.
async fn send_burst(
    peer: &Peer,
    connection: &Connection,
    burst: Vec<Outgoing>,
) -> Result<(), LinkError> {
    let mut chunks = Vec::with_capacity(burst.len().saturating_mul(2));
    let mut bytes = 0usize;
    let frames = burst.len();
    for frame in burst {
        bytes += FRAME_HEAD_BYTES + frame.bytes.len();
        chunks.push(frame.head());
        chunks.push(frame.bytes);
    }
    let mut stream = connection.open_uni().await?;
    if bytes > BURST_BYTES {
        // Small frames go first; only a stream that is closed already refuses the priority.
        let _ = stream.set_priority(-1);
    }
    let lost = || {
        let reason = connection.close_reason().map(LinkError::from);
        reason.unwrap_or_else(|| LinkError::Lost("the peer refused a stream".to_owned()))
    };
    stream
        .write_all_chunks(&mut chunks)
        .await
        .map_err(|_| lost())?;
    stream.finish().map_err(|_| lost())?;
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    peer.counters.frames_out.add(count(frames));
    peer.counters.bytes_out.add(count(bytes));
    let rtt_us = u64::try_from(connection.rtt().as_micros()).unwrap_or(u64::MAX);
    peer.counters.rtt_us.set(rtt_us);
    Ok(())
}
