//! Incoming connections: limits before the handshake, who it is after it, and reading what members send.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use quinn::{Connection, Incoming, RecvStream, VarInt};
use tokio::time::timeout;

use crate::close::{CloseCode, Violation, close};
use crate::endpoint::STREAMS_PER_PEER;
use crate::events::{Frame, MeshEvent};
use crate::frame::{FRAME_HEAD_BYTES, ReadFault, read_frame};
use crate::gate::{Origin, Pass};
use crate::greeting::{self, GreetingError};
use crate::mesh::{Peer, Shared};
use crate::observer;
use crate::tls::{self, MEMBER_ALPN, OBSERVER_ALPN};

/// Accepts connections until the mesh stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stopped = shared.stop.clone();
    loop {
        let incoming = tokio::select! {
            // First, because closing the endpoint also ends its accepting.
            biased;
            () = stopped.cancelled() => return,
            incoming = shared.endpoint.accept() => incoming,
        };
        match incoming {
            Some(incoming) => screen(&shared, incoming),
            None => {
                tracing::error!("the UDP endpoint has failed; no member can call any more");
                return;
            }
        }
    }
}

/// Lets a caller begin its handshake, or asks it to prove its address first, or refuses it.
fn screen(shared: &Arc<Shared>, incoming: Incoming) {
    let ip = incoming.remote_address().ip();
    let origin = Origin::of(ip);
    let proven = incoming.remote_address_validated();
    // Under load nobody is counted under an address that may be forged: else a stranger could use up a member's places.
    if !proven && incoming.may_retry() && shared.handshakes.is_tight(origin) {
        shared.counters.handshakes_retried.add(1);
        let _ = incoming.retry();
        return;
    }
    match shared.handshakes.enter(origin, shared.is_peer_address(ip)) {
        Some(pass) => {
            let admission = admit(Arc::clone(shared), incoming, pass);
            shared.tasks.spawn(admission);
        }
        None => {
            shared.counters.handshakes_refused.add(1);
            incoming.refuse();
        }
    }
}

/// Completes the handshake and hands the connection to the protocol that the caller chose, if it may speak it.
async fn admit(shared: Arc<Shared>, incoming: Incoming, pass: Pass) {
    let address = incoming.remote_address();
    let handshake = async { incoming.accept()?.await };
    let connection = tokio::select! {
        () = shared.stop.cancelled() => return,
        result = timeout(shared.timing.handshake_timeout, handshake) => match result {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                shared.counters.handshakes_failed.add(1);
                tracing::debug!(%address, %error, "handshake failed");
                return;
            }
            Err(_) => {
                shared.counters.handshakes_failed.add(1);
                tracing::debug!(%address, "handshake took too long");
                return;
            }
        },
    };
    let caller = tls::credentials(&connection);
    match (
        caller.as_ref().map(|c| c.alpn.as_slice()),
        &shared.observers,
    ) {
        (Some(OBSERVER_ALPN), Some(server)) => {
            drop(pass);
            observer::serve(server, connection, &shared.stop).await;
        }
        (Some(MEMBER_ALPN), _) => {
            match caller.and_then(|c| shared.peer_of(&c.key)).map(Arc::clone) {
                Some(peer) => serve_member(&shared, &peer, &connection, pass).await,
                None => refuse_stranger(&shared, &connection),
            }
        }
        _ => refuse_stranger(&shared, &connection),
    }
}

fn refuse_stranger(shared: &Shared, connection: &Connection) {
    shared.counters.unknown_identities.add(1);
    tracing::debug!(address = %connection.remote_address(), "no member has the caller's key");
    close(connection, CloseCode::UnknownIdentity);
}

/// Greets a member and reads from it until its connection ends.
async fn serve_member(shared: &Shared, peer: &Peer, connection: &Connection, pass: Pass) {
    if peer.is_muted() {
        close(connection, CloseCode::Muted);
        return;
    }
    let greeting = greeting::answer(connection, shared.incarnation);
    match timeout(shared.timing.handshake_timeout, greeting).await {
        Ok(Ok(theirs)) => {
            peer.incarnation
                .send_if_modified(|known| std::mem::replace(known, theirs) != theirs);
        }
        Ok(Err(GreetingError::Malformed)) => {
            return expel(shared, peer, connection, Violation::Greeting);
        }
        Ok(Err(GreetingError::Connection(_))) => return,
        Err(_) => return close(connection, CloseCode::TooSlow),
    }
    drop(pass);
    peer.set_inbound(connection);
    peer.counters.inbound_up.store(true, Relaxed);
    peer.called.notify_one();
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(STREAMS_PER_PEER));

    let violation = tokio::select! {
        () = shared.stop.cancelled() => {
            close(connection, CloseCode::Shutdown);
            None
        }
        _ = connection.closed() => None,
        violation = read_streams(shared, peer, connection) => violation,
    };
    if let Some(violation) = violation {
        expel(shared, peer, connection, violation);
    }
    if peer.clear_inbound(connection) {
        peer.counters.inbound_up.store(false, Relaxed);
    }
}

/// Closes the connection of a member that broke a rule and does not listen to it for a while.
fn expel(shared: &Shared, peer: &Peer, connection: &Connection, violation: Violation) {
    let muted_for = shared.mute;
    tracing::warn!(peer = %peer.id, %violation, ?muted_for, "a member broke a rule of the wire; not listening to it");
    peer.mute(muted_for);
    peer.counters.violations.add(1);
    close(connection, CloseCode::Violation);
    shared.events.notice(MeshEvent::Violation {
        peer: peer.id,
        violation,
        muted_for,
    });
}

/// Reads all streams at once, so that one that stalls delays no other. Ends at the first violation, or with the connection.
async fn read_streams(shared: &Shared, peer: &Peer, connection: &Connection) -> Option<Violation> {
    let streams_max = usize::try_from(STREAMS_PER_PEER).unwrap_or(1);
    let mut reading = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(read) = reading.next(), if !reading.is_empty() => {
                // A stream that broke took its frames with it; whether the connection did too, the other branch tells.
                if let Err(ReadFault::Violation(violation)) = read {
                    return Some(violation);
                }
            }
            stream = connection.accept_uni(), if reading.len() < streams_max => match stream {
                Ok(stream) => reading.push(read_burst(shared, peer, stream)),
                Err(_) => return None,
            },
        }
    }
}

/// Delivers every frame of one stream.
async fn read_burst(shared: &Shared, peer: &Peer, mut stream: RecvStream) -> Result<(), ReadFault> {
    let mut frames = 0u64;
    while let Some((kind, bytes)) = read_frame(&mut stream, &shared.frames).await? {
        frames += 1;
        peer.counters.frames_in.add(1);
        let size = u64::try_from(bytes.len() + FRAME_HEAD_BYTES).unwrap_or(u64::MAX);
        peer.counters.bytes_in.add(size);
        let from = peer.id;
        peer.inbox
            .deliver(&shared.events, Frame { from, kind, bytes })
            .await;
    }
    if frames == 0 {
        return Err(Violation::EmptyStream.into());
    }
    Ok(())
}
