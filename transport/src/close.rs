//! Why links end: the codes on the wire, and what one end believes of the other.

use std::fmt;
use std::time::Duration;

use quinn::{ApplicationClose, ConnectionError, VarInt};
use thiserror::Error;

/// QUIC application close codes of both protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseCode {
    /// The closing end stops.
    Shutdown,
    /// The caller's key is not the key of another member.
    UnknownIdentity,
    /// The other end broke a rule of the protocol.
    Violation,
    /// The other end broke a rule lately and is not listened to yet.
    Muted,
    /// A limit of connections is reached.
    Busy,
    /// A newer connection of the same member took the place.
    Replaced,
    /// The other end did not greet, ask, or read in time.
    TooSlow,
    /// The closing end has seen that the other end is a new process.
    Restarted,
}

/// Every code, in the order of its number.
const CODES: [CloseCode; 8] = [
    CloseCode::Shutdown,
    CloseCode::UnknownIdentity,
    CloseCode::Violation,
    CloseCode::Muted,
    CloseCode::Busy,
    CloseCode::Replaced,
    CloseCode::TooSlow,
    CloseCode::Restarted,
];

impl CloseCode {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Self::Shutdown => 0,
            Self::UnknownIdentity => 1,
            Self::Violation => 2,
            Self::Muted => 3,
            Self::Busy => 4,
            Self::Replaced => 5,
            Self::TooSlow => 6,
            Self::Restarted => 7,
        }
    }

    /// The code of a number, if there is one.
    pub fn from_number(number: u64) -> Option<Self> {
        CODES
            .into_iter()
            .find(|code| u64::from(code.number()) == number)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Shutdown => "shutting down",
            Self::UnknownIdentity => "unknown identity",
            Self::Violation => "protocol violation",
            Self::Muted => "muted after a violation",
            Self::Busy => "too many connections",
            Self::Replaced => "replaced by a newer connection",
            Self::TooSlow => "too slow",
            Self::Restarted => "the peer has restarted",
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Closes a connection with a code and its text.
pub(crate) fn close(connection: &quinn::Connection, code: CloseCode) {
    connection.close(VarInt::from_u32(code.number()), code.text().as_bytes());
}

/// A rule of the wire that a peer broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Violation {
    /// A frame of a kind that does not exist.
    #[error("a frame of unknown kind {kind}")]
    UnknownKind {
        /// The kind.
        kind: u8,
    },
    /// A frame that is larger than its kind allows.
    #[error("a frame of kind {kind} announced {bytes} bytes, allowed are 0 to {limit}")]
    Oversized {
        /// The frame's kind.
        kind: u8,
        /// The announced size in bytes.
        bytes: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// A stream that ended inside a frame.
    #[error("a stream ended inside a frame")]
    Truncated,
    /// A stream without a frame.
    #[error("a stream without a frame")]
    EmptyStream,
    /// The first stream was not a greeting.
    #[error("no proper greeting")]
    Greeting,
    /// An observer asked for something that is not a request.
    #[error("not a request")]
    Request,
}

/// Why a link to a peer is not, or no longer, there.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    /// The peer closed it, with this code.
    #[error("closed by the peer: {0}")]
    ClosedByPeer(CloseCode),
    /// The peer's key is not the pinned one, or the peer did not accept ours: the handshake failed.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// Nothing came from the peer for the idle timeout.
    #[error("the peer is silent")]
    Silent,
    /// The peer did not complete the handshake and greeting in time.
    #[error("no greeting within {} ms", .0.as_millis())]
    GreetingTimeout(Duration),
    /// The peer greeted wrongly.
    #[error("the peer's greeting is malformed")]
    Greeting,
    /// The peer is a new process that does not know this link.
    #[error("the peer has restarted")]
    PeerRestarted,
    /// The attempt was given up for a fresh one: the peer has called meanwhile, or its address has changed.
    #[error("given up for a fresh attempt")]
    Superseded,
    /// This end shuts down.
    #[error("shutting down")]
    Shutdown,
    /// Any other failure of the connection.
    #[error("connection lost: {0}")]
    Lost(String),
}

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) => {
                match CloseCode::from_number(error_code.into_inner()) {
                    Some(code) => Self::ClosedByPeer(code),
                    None => Self::Lost(format!("closed with unknown code {error_code}")),
                }
            }
            // 0x100..=0x1ff are TLS alerts (RFC 9001, section 4.8).
            ConnectionError::TransportError(error)
                if (0x100..=0x1ff).contains(&u64::from(error.code)) =>
            {
                Self::Handshake(error.to_string())
            }
            ConnectionError::ConnectionClosed(close)
                if (0x100..=0x1ff).contains(&u64::from(close.error_code)) =>
            {
                Self::Handshake(format!("refused by the peer: {close}"))
            }
            ConnectionError::TimedOut => Self::Silent,
            ConnectionError::LocallyClosed => Self::Shutdown,
            other => Self::Lost(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_number() {
        for (number, code) in CODES.into_iter().enumerate() {
            assert_eq!(usize::try_from(code.number()).unwrap(), number);
            assert_eq!(CloseCode::from_number(u64::from(code.number())), Some(code));
        }
        assert_eq!(CloseCode::from_number(8), None);
    }
}
