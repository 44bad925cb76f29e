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
    NonceCommitments, Observation, Round, SignedObservation, Suite,
};

use crate::proof::{LockProof, Qc, Standing, Tc, Value};

/// A member's shares of the group signature, one for each suite.
pub type Shares = Vec<(Suite, Vec<u8>)>;

/// One signer of a session: who, with which of its nonces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signer {
    /// The member.
    pub member: MemberId,
    /// Which READY of this member to this coordinator the commitments are from.
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
    /// The sender's request for shares; the view is the session.
    SignReq(Vec<Signer>),
    /// A share for coordinator `instance`; the view is the session.
    Share {
        /// Hash of the request's body that is answered.
        request: Digest,
        /// The shares.
        shares: Shares,
    },
}

impl Content {
    /// The message's kind.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Obs { .. } => MessageKind::Obs,
            Self::Timeout { .. } => MessageKind::Timeout,
            Self::Propose { .. } => MessageKind::Propose,
            Self::Vote(_) => MessageKind::Vote,
            Self::Lock(_) => MessageKind::Lock,
            Self::Ack(_) => MessageKind::Ack,
            Self::Done(_) => MessageKind::Done,
            Self::Coin(_) => MessageKind::Coin,
            Self::Status { .. } => MessageKind::Status,
            Self::Ready(_) => MessageKind::Ready,
            Self::SignReq(_) => MessageKind::SignReq,
            Self::Share { .. } => MessageKind::Share,
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

/// The elected leader's quorum of acknowledgements with its coin: the value of the round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The certificate.
    pub qc: Arc<Qc>,
    /// Shares that open the coin of the certificate's view.
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
