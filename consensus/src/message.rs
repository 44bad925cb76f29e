//! What members say to each other, and its bytes.
//!
//! A signed message travels as `kind u8 | round u64 | view u32 | instance u16 | member u16 | signature (64) | body_len u32 |
//! body | proof`: the header's tag and body hash are known to the receiver. The member signs the header, hence the body; the
//! proof behind it is what makes the body believable, and is checked but not signed. Replies that need no signature,
//! because what they carry proves itself, travel as `kind u8 (from 128) | round u64 | content`.

use std::sync::Arc;

use touchstone_crypto::CoinShare;
use touchstone_types::{
    Attestation, Digest, Header, MemberId, MemberSet, MemberSignature, MessageKind,
    NonceCommitments, Observation, Round, SessionShare, SignedHeader, SignedObservation,
};

use crate::proof::{LockProof, Qc, Standing, Tc, Value};

/// The instance of a SHARE that answers no coordinator: it is for the session of the decided value, and for everybody.
pub const NO_COORDINATOR: u16 = u16::MAX;

/// One signer of a coordinator's session: who, with which of its nonces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer {
    /// The member.
    pub member: MemberId,
    /// Which READY of this member to this coordinator the commitments are from; 0 for those of its COMMIT.
    pub slot: u32,
    /// The commitments.
    pub nonces: Vec<NonceCommitments>,
}

/// What a signed message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A member's prices.
    Obs {
        /// The canonical bytes.
        body: Arc<[u8]>,
        /// The same, decoded.
        observation: Arc<Observation>,
    },
    /// The leader's proposal in view 0.
    Propose0 {
        /// Hash of the value.
        value: Digest,
        /// The value.
        list: Arc<Value>,
    },
    /// A vote for the proposal of view 0.
    Prepare(Digest),
    /// A quorum of PREPARE was seen: a vote to decide, beside the sender's share of the signature.
    Commit {
        /// The value.
        value: Digest,
        /// Fresh nonce commitments for the first coordinator of a signing by ROAST.
        nonces: Vec<NonceCommitments>,
        /// The share in the value's session, if the sender is one of its signers.
        share: Option<SessionShare>,
    },
    /// The end of view 0 for its sender.
    Timeout {
        /// What the sender is bound to.
        standing: Standing,
        /// Proof of the lock.
        proof: Option<LockProof>,
    },
    /// A proposal in an asynchronous view.
    Propose {
        /// Hash of the value.
        value: Digest,
        /// The value itself, where it is not locked already.
        list: Option<Arc<Value>>,
        /// The right to be in this view.
        tc: Arc<Tc>,
        /// Proof of the highest lock of `tc`.
        proof: Option<LockProof>,
    },
    /// A vote for the proposal of `instance`.
    Vote(Digest),
    /// A quorum of votes for the sender's proposal.
    Lock(Arc<Qc>),
    /// The acknowledgement of `instance`'s quorum of votes.
    Ack(Digest),
    /// A quorum of acknowledgements.
    Done(Arc<Qc>),
    /// A share of the coin.
    Coin(CoinShare),
    /// The end of an asynchronous view for its sender.
    Status {
        /// What the sender is bound to.
        standing: Standing,
        /// Proof of the lock.
        proof: Option<LockProof>,
        /// The elected leader's quorum of acknowledgements, where the sender holds it.
        decided: Option<Arc<Qc>>,
        /// Shares that open the coin.
        coin: Vec<(MemberId, CoinShare)>,
    },
    /// Fresh nonce commitments for coordinator `instance`; the view is the slot.
    Ready(Vec<NonceCommitments>),
    /// The sender's request for shares; the view is the session's number.
    SignReq {
        /// Digest of the session, which the receiver makes up from its own statement and the signers.
        session: Digest,
        /// The signers.
        signers: Vec<Signer>,
    },
    /// A share for coordinator `instance`, the view being the number of its session; or with [`NO_COORDINATOR`] one in the decided
    /// value's session, for everybody, the view being that in which the value was first proposed.
    Share(SessionShare),
}

impl Content {
    /// The message's kind.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Obs { .. } => MessageKind::Obs,
            Self::Propose0 { .. } => MessageKind::Propose0,
            Self::Prepare(_) => MessageKind::Prepare,
            Self::Commit { .. } => MessageKind::Commit,
            Self::Timeout { .. } => MessageKind::Timeout,
            Self::Propose { .. } => MessageKind::Propose,
            Self::Vote(_) => MessageKind::Vote,
            Self::Lock(_) => MessageKind::Lock,
            Self::Ack(_) => MessageKind::Ack,
            Self::Done(_) => MessageKind::Done,
            Self::Coin(_) => MessageKind::Coin,
            Self::Status { .. } => MessageKind::Status,
            Self::Ready(_) => MessageKind::Ready,
            Self::SignReq { .. } => MessageKind::SignReq,
            Self::Share(_) => MessageKind::Share,
        }
    }
}

/// A message that its author signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// What is signed.
    pub header: Header,
    /// The author's signature over the header.
    pub signature: MemberSignature,
    /// What it says.
    pub content: Content,
}

/// A reply that proves itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The round's value is decided, and this is why.
    Decide(Decision),
    /// A request for a value and the observations in it that the asker does not hold.
    Fetch {
        /// The value's hash.
        value: Digest,
        /// Contributors whose observation the asker holds; none where it does not know the value either.
        have: MemberSet,
    },
    /// The answer to FETCH.
    Value {
        /// The value.
        list: Arc<Value>,
        /// Its observations, without those that the asker holds.
        observations: Vec<SignedObservation>,
    },
    /// The signed round, without observations.
    Cert(Arc<Attestation>),
    /// A request for the signed round, from a member that knows its value but saw no signature.
    Want,
}

/// A quorum of COMMIT, or the elected leader's quorum of acknowledgements with its coin: the value of the round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The certificate.
    pub qc: Arc<Qc>,
    /// Shares that open the coin of the certificate's view; none in view 0.
    pub coin: Vec<(MemberId, CoinShare)>,
}

/// A message as it arrives on the link from one member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Signed by the member.
    Signed(Signed),
    /// Not signed.
    Reply {
        /// Whose link it came on.
        from: MemberId,
        /// The round.
        round: Round,
        /// What it says.
        reply: Reply,
    },
}

impl Signed {
    /// Header and signature, without what they are over.
    pub fn signed_header(&self) -> SignedHeader {
        SignedHeader {
            header: self.header,
            signature: self.signature,
        }
    }

    /// The same observation as it stands in an attestation; `None` for other kinds.
    pub fn observation(&self) -> Option<SignedObservation> {
        let Content::Obs { body, .. } = &self.content else {
            return None;
        };
        Some(SignedObservation {
            header: self.header,
            signature: self.signature,
            body: body.to_vec(),
        })
    }
}

impl Message {
    /// The round that the message is about.
    pub fn round(&self) -> Round {
        match self {
            Self::Signed(s) => s.header.round,
            Self::Reply { round, .. } => *round,
        }
    }

    /// The member on whose link it came.
    pub fn from(&self) -> MemberId {
        match self {
            Self::Signed(s) => s.header.member,
            Self::Reply { from, .. } => *from,
        }
    }
}
