//! The bytes of requests and items; the module above shows them.

use bytes::Bytes;
use quinn::{ReadExactError, RecvStream};
use touchstone_types::{DecodeError, Reader, Round};

/// The first byte of every answer, sent at once: the node has let the observer in.
pub(super) const ANSWER: u8 = 1;

/// The largest item that a client may allow, in bytes.
pub const ITEM_BYTES_CEILING: u32 = 64 * 1024 * 1024;

/// The largest evidence that is handed on, in bytes: the nonce commitments of 128 signers for two suites take 17,280, and
/// what goes with them less than 1,400.
pub const EVIDENCE_BYTES_MAX: u32 = 32 * 1024;

/// So many records of one kind are kept against one member of an epoch, and no node hands on more: the first ones.
pub const EVIDENCE_RECORDS_MAX: usize = 16;

/// What a node sends to observers: one round's attestation, or one piece of evidence, as the node encoded it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The round.
    pub round: Round,
    /// The encoded attestation with its observations, or the encoded evidence; opaque here.
    pub bytes: Bytes,
}

/// Bytes of an item's head.
pub(super) const ITEM_HEAD_BYTES: usize = 12;

impl Item {
    pub(super) fn head(&self) -> Bytes {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let mut head = Vec::with_capacity(ITEM_HEAD_BYTES);
        head.extend_from_slice(&self.round.0.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        head.into()
    }
}

/// What an observer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Subscribe { from: Round },
    Fetch { first: Round, last: Round },
    Evidence,
}

/// More bytes than any request has.
pub(super) const REQUEST_BYTES_MAX: usize = 17;

const SUBSCRIBE: u8 = 1;
const FETCH: u8 = 2;
const EVIDENCE: u8 = 3;

impl Request {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REQUEST_BYTES_MAX);
        match self {
            Self::Subscribe { from } => {
                bytes.push(SUBSCRIBE);
                bytes.extend_from_slice(&from.0.to_be_bytes());
            }
            Self::Fetch { first, last } => {
                bytes.push(FETCH);
                bytes.extend_from_slice(&first.0.to_be_bytes());
                bytes.extend_from_slice(&last.0.to_be_bytes());
            }
            Self::Evidence => bytes.push(EVIDENCE),
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let request = match reader.u8("request")? {
            SUBSCRIBE => Self::Subscribe {
                from: Round(reader.u64("from")?),
            },
            FETCH => Self::Fetch {
                first: Round(reader.u64("first")?),
                last: Round(reader.u64("last")?),
            },
            EVIDENCE => Self::Evidence,
            _ => {
                return Err(DecodeError::Invalid {
                    field: "request",
                    reason: "must be 1 (subscribe), 2 (fetch) or 3 (evidence)",
                });
            }
        };
        reader.finish()?;
        Ok(request)
    }
}

/// How reading items from a node fails.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum ItemFault {
    #[error("an item of round {round} announced {bytes} bytes, allowed are 0 to {limit}")]
    Oversized { round: u64, bytes: u32, limit: u32 },
    #[error("the stream ended inside an item")]
    Truncated,
    #[error("{0}")]
    Broken(String),
}

/// Reads the next item of an answer; `None` at its end.
pub(super) async fn read_item(
    stream: &mut RecvStream,
    limit: u32,
) -> Result<Option<Item>, ItemFault> {
    let mut head = [0; ITEM_HEAD_BYTES];
    match stream.read_exact(&mut head).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(cut_off(error)),
    }
    let [r0, r1, r2, r3, r4, r5, r6, r7, length @ ..] = head;
    let round = u64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    let bytes = u32::from_be_bytes(length);
    let length = match usize::try_from(bytes) {
        Ok(length) if bytes <= limit => length,
        _ => {
            return Err(ItemFault::Oversized {
                round,
                bytes,
                limit,
            });
        }
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(cut_off)?;
    Ok(Some(Item {
        round: Round(round),
        bytes: body.into(),
    }))
}

fn cut_off(error: ReadExactError) -> ItemFault {
    match error {
        ReadExactError::FinishedEarly(_) => ItemFault::Truncated,
        ReadExactError::ReadError(error) => ItemFault::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_have_these_bytes() {
        let subscribe = Request::Subscribe {
            from: Round(0x0102),
        };
        assert_eq!(subscribe.encode(), [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        let fetch = Request::Fetch {
            first: Round(1),
            last: Round(2),
        };
        let bytes = fetch.encode();
        assert_eq!(bytes, [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(bytes.len(), REQUEST_BYTES_MAX);
        assert_eq!(Request::Evidence.encode(), [3]);
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(request.encode(), bytes);
            }
        }

        #[test]
        fn requests_survive_the_way(first: u64, last: u64) {
            for request in [
                Request::Subscribe { from: Round(first) },
                Request::Fetch { first: Round(first), last: Round(last) },
                Request::Evidence,
            ] {
                prop_assert_eq!(Request::decode(&request.encode()).unwrap(), request);
            }
        }
    }
}
