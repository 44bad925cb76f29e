//! The QUIC settings that both protocols share.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};

/// Unidirectional streams that a member may have open towards another at once.
pub(crate) const STREAMS_PER_PEER: u32 = 32;

/// Transport parameters of a connection before it is known who is at the other end: one bidirectional stream, enough for a
/// greeting or a request. Whoever is admitted gets more.
pub(crate) fn transport_config(
    keep_alive: Duration,
    idle_timeout: Duration,
    window_bytes: u32,
) -> Arc<TransportConfig> {
    let window = VarInt::from_u32(window_bytes);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(idle_timeout).ok())
        .stream_receive_window(window)
        .receive_window(window)
        .send_window(u64::from(window_bytes));
    Arc::new(config)
}
