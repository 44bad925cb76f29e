//! The fixed header that a member signs in place of a message's body.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    DecodeError, Digest, Epoch, MemberId, NetworkId, Reader, Round, View, bytes::concat, sha256,
};

/// Length of a [`Header`] in bytes.
pub const HEADER_BYTES: usize = 81;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $byte:literal),* $(,)?) => {
        /// What a signed message is. The byte is part of what is signed, so a signature never passes for another kind.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum MessageKind { $($(#[$doc])* $name = $byte),* }

        impl MessageKind {
            /// Every kind, in ascending order of its byte.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The kind's byte on the wire.
            pub fn byte(self) -> u8 {
                match self { $(Self::$name => $byte),* }
            }

            /// The kind of a byte, if there is one.
            pub fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A member's prices and fresh nonce commitments.
    Obs = 1,
    /// The leader's set of observations in view 0.
    Propose0 = 2,
    /// A vote for the proposal of view 0.
    Prepare = 3,
    /// The commit vote of view 0, beside the FROST share.
    Commit = 4,
    /// The end of view 0 for its sender, with the sender's lock.
    Timeout = 5,
    /// A value proposed in an asynchronous view.
    Propose = 6,
    /// A vote for a proposal, to its proposer.
    Vote = 7,
    /// A quorum of votes.
    Lock = 8,
    /// The acknowledgement of a quorum of votes, to its collector.
    Ack = 9,
    /// A quorum of acknowledgements.
    Done = 10,
    /// A share of the view's common coin.
    Coin = 11,
    /// The end of an asynchronous view for its sender, with the sender's lock.
    Status = 12,
    /// Nonce commitments for one signing coordinator.
    Ready = 13,
    /// A coordinator's request for signature shares.
    SignReq = 14,
    /// A FROST signature share.
    Share = 15,
}

/// What a member signs: 81 bytes, `tag (32) | kind u8 | round u64 | view u32 | instance u16 | member u16 | body hash (32)`,
/// big-endian, `tag = SHA-256("touchstone/msg/1", network_id, epoch u32)`.
///
/// One (kind, round, view, instance, member) is a slot; two headers of one slot with different body hashes and valid
/// signatures are portable evidence, whatever the size of the bodies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// The tag of network and epoch.
    pub tag: Digest,
    /// What the body is.
    pub kind: MessageKind,
    /// The round.
    pub round: Round,
    /// The view within the round, 0 where the kind has none.
    pub view: View,
    /// The instance within the view (the proposer voted for, a signing session), 0 where the kind has none.
    pub instance: u16,
    /// The signer.
    pub member: MemberId,
    /// SHA-256 of the body.
    pub body_hash: Digest,
}

impl Header {
    /// The tag of every message of one network and epoch.
    pub fn tag(network: NetworkId, epoch: Epoch) -> Digest {
        sha256(&[b"touchstone/msg/1", &network.0.0, &epoch.0.to_be_bytes()])
    }

    /// The bytes that are signed.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        concat(&[
            &self.tag.0,
            &[self.kind.byte()],
            &self.round.0.to_be_bytes(),
            &self.view.0.to_be_bytes(),
            &self.instance.to_be_bytes(),
            &self.member.0.to_be_bytes(),
            &self.body_hash.0,
        ])
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Fewer than 81 bytes are left, or the kind's byte is unknown.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            tag: Digest(reader.array("header tag")?),
            kind: MessageKind::from_byte(reader.u8("header kind")?).ok_or(
                DecodeError::Invalid {
                    field: "header kind",
                    reason: "unknown",
                },
            )?,
            round: Round(reader.u64("header round")?),
            view: View(reader.u32("header view")?),
            instance: reader.u16("header instance")?,
            member: MemberId(reader.u16("header member")?),
            body_hash: Digest(reader.array("header body hash")?),
        })
    }
}

/// A member's Ed25519 signature over a header; it says nothing until it was checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberSignature(pub [u8; 64]);

impl fmt::Debug for MemberSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
