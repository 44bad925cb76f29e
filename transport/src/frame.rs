//! Frames: a kind, a length, opaque bytes.
//!
//! On the wire a frame is `kind: u8 | length: u32 big-endian | bytes`. A unidirectional stream carries one burst of whole
//! frames and then ends; see [`crate::Mesh`] for how frames are shared out among streams.

use std::collections::BTreeMap;

use bytes::Bytes;
use quinn::{ReadExactError, RecvStream};
use touchstone_types::Round;

use crate::close::Violation;
use crate::config::ConfigError;

/// The class of a frame. What it means is the caller's affair; here it only chooses the size limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FrameKind(pub u8);

/// Bytes of a frame's head on the wire.
pub(crate) const FRAME_HEAD_BYTES: usize = 5;

/// The largest frame that any kind may allow, in bytes.
pub const FRAME_BYTES_CEILING: u32 = 16 * 1024 * 1024;

/// Which kinds of frame exist and how many bytes each may have. A kind that is not listed is a violation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    max_bytes: BTreeMap<FrameKind, u32>,
    largest: u32,
}

impl FrameLimits {
    /// A table of kinds and their largest sizes in bytes.
    ///
    /// # Errors
    /// No kind at all, a kind listed twice, or a size that is not in 1..=[`FRAME_BYTES_CEILING`].
    pub fn new(table: impl IntoIterator<Item = (FrameKind, u32)>) -> Result<Self, ConfigError> {
        let mut max_bytes = BTreeMap::new();
        let mut largest = 0;
        for (kind, bytes) in table {
            ConfigError::check_range(
                "frame_limits.max_bytes",
                u64::from(bytes),
                1,
                u64::from(FRAME_BYTES_CEILING),
            )?;
            if max_bytes.insert(kind, bytes).is_some() {
                return Err(ConfigError::DuplicateKind { kind: kind.0 });
            }
            largest = largest.max(bytes);
        }
        if max_bytes.is_empty() {
            return Err(ConfigError::NoKinds);
        }
        Ok(Self { max_bytes, largest })
    }

    /// The limit of a kind in bytes, if the kind exists.
    pub fn of(&self, kind: FrameKind) -> Option<u32> {
        self.max_bytes.get(&kind).copied()
    }

    /// The largest limit of any kind, in bytes.
    pub fn largest(&self) -> u32 {
        self.largest
    }

    /// Checks a frame that is to be sent.
    pub(crate) fn check(&self, frame: &Outgoing) -> Result<(), SendError> {
        let kind = frame.kind;
        let limit = self
            .of(kind)
            .ok_or(SendError::UnknownKind { kind: kind.0 })?;
        match u32::try_from(frame.bytes.len()) {
            Ok(bytes) if bytes <= limit => Ok(()),
            _ => Err(SendError::TooLarge {
                kind: kind.0,
                bytes: frame.bytes.len(),
                limit,
            }),
        }
    }

    /// Checks the head of a frame that has come in; the length is safe to allocate.
    fn admit(&self, head: [u8; FRAME_HEAD_BYTES]) -> Result<(FrameKind, usize), Violation> {
        let [kind, length @ ..] = head;
        let bytes = u32::from_be_bytes(length);
        let limit = self
            .of(FrameKind(kind))
            .ok_or(Violation::UnknownKind { kind })?;
        match usize::try_from(bytes) {
            Ok(length) if bytes <= limit => Ok((FrameKind(kind), length)),
            _ => Err(Violation::Oversized { kind, bytes, limit }),
        }
    }
}

/// A frame to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Its class.
    pub kind: FrameKind,
    /// Its content; cloning shares the bytes, so a broadcast holds them once.
    pub bytes: Bytes,
    /// `Some(round)`: keep the frame and send it again after every reconnect until the round is released.
    /// `None`: send it once; it is lost if the connection breaks on the way.
    pub retain: Option<Round>,
}

impl Outgoing {
    /// A frame that is kept until its round is released.
    pub fn retained(kind: FrameKind, round: Round, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind,
            bytes: bytes.into(),
            retain: Some(round),
        }
    }

    /// A frame that is sent at most once.
    pub fn once(kind: FrameKind, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind,
            bytes: bytes.into(),
            retain: None,
        }
    }

    pub(crate) fn head(&self) -> Bytes {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let mut head = [0; FRAME_HEAD_BYTES];
        let (kind, rest) = head.split_at_mut(1);
        kind.copy_from_slice(&[self.kind.0]);
        rest.copy_from_slice(&length.to_be_bytes());
        Bytes::copy_from_slice(&head)
    }
}

/// Why a frame was not taken for sending: the caller's mistake, never the network's state.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The receiver is not one of the other members.
    #[error("there is no link to member {0}")]
    UnknownPeer(touchstone_types::MemberId),
    /// The kind is not in the table of limits.
    #[error("frame kind {kind} has no limit in frame_limits")]
    UnknownKind {
        /// The refused kind.
        kind: u8,
    },
    /// The frame is larger than its kind allows.
    #[error("a frame of kind {kind} has {bytes} bytes, allowed are 0 to {limit}")]
    TooLarge {
        /// The frame's kind.
        kind: u8,
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: u32,
    },
}

/// How reading a stream of frames ended too early.
#[derive(Debug)]
pub(crate) enum ReadFault {
    /// The sender broke a rule.
    Violation(Violation),
    /// The connection or the stream broke: nobody's fault.
    Broken,
}

impl From<Violation> for ReadFault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Reads the next frame of a stream; `None` at its end.
pub(crate) async fn read_frame(
    stream: &mut RecvStream,
    limits: &FrameLimits,
) -> Result<Option<(FrameKind, Bytes)>, ReadFault> {
    let mut head = [0; FRAME_HEAD_BYTES];
    match stream.read_exact(&mut head).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(cut_off(&error)),
    }
    let (kind, length) = limits.admit(head)?;
    let mut body = vec![0; length];
    match stream.read_exact(&mut body).await {
        Ok(()) => Ok(Some((kind, body.into()))),
        Err(error) => Err(cut_off(&error)),
    }
}

fn cut_off(error: &ReadExactError) -> ReadFault {
    match error {
        ReadExactError::FinishedEarly(_) => Violation::Truncated.into(),
        ReadExactError::ReadError(_) => ReadFault::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> FrameLimits {
        FrameLimits::new([(FrameKind(1), 10), (FrameKind(2), 70_000)]).unwrap()
    }

    #[test]
    fn a_head_is_admitted_up_to_its_kinds_limit() {
        assert_eq!(limits().admit([1, 0, 0, 0, 10]), Ok((FrameKind(1), 10)));
        assert_eq!(
            limits().admit([1, 0, 0, 0, 11]),
            Err(Violation::Oversized {
                kind: 1,
                bytes: 11,
                limit: 10
            })
        );
        assert_eq!(
            limits().admit([2, 0xff, 0xff, 0xff, 0xff]),
            Err(Violation::Oversized {
                kind: 2,
                bytes: u32::MAX,
                limit: 70_000
            })
        );
        assert_eq!(
            limits().admit([3, 0, 0, 0, 0]),
            Err(Violation::UnknownKind { kind: 3 })
        );
    }

    #[test]
    fn the_sender_is_held_to_the_same_limits() {
        let check =
            |kind, len: usize| limits().check(&Outgoing::once(FrameKind(kind), vec![0; len]));
        assert_eq!(check(1, 10), Ok(()));
        assert_eq!(
            check(1, 11).unwrap_err().to_string(),
            "a frame of kind 1 has 11 bytes, allowed are 0 to 10"
        );
        assert_eq!(check(9, 0), Err(SendError::UnknownKind { kind: 9 }));
    }

    #[test]
    fn a_head_says_kind_and_length() {
        let frame = Outgoing::once(FrameKind(2), vec![7; 258]);
        assert_eq!(frame.head().as_ref(), [2, 0, 0, 1, 2]);
    }

    #[test]
    fn bad_tables_are_refused_with_numbers() {
        let error = |table: &[(FrameKind, u32)]| {
            FrameLimits::new(table.iter().copied())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(&[(FrameKind(1), 0)]),
            "frame_limits.max_bytes (0) must be from 1 to 16777216"
        );
        assert!(error(&[]).contains("no frame kind"));
        assert!(error(&[(FrameKind(4), 1), (FrameKind(4), 2)]).contains("kind 4"));
    }
}
