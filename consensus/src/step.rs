//! What goes into the core and what comes out.

use std::sync::Arc;

use touchstone_crypto::Verified;
use touchstone_types::{
    Attestation, Digest, Evidence, MemberId, MemberSet, Round, SigningSession, Statement, View,
};

use crate::{
    message::{Content, Message, Reply, Signed},
    proof::Lock,
};

/// The two clocks: timers run on the monotonic one, rounds are numbered by the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Microseconds since any fixed instant; never goes back.
    pub mono_us: u64,
    /// Unix milliseconds; may jump.
    pub unix_ms: u64,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A member said something, and it was checked.
    Message(Box<Verified<Message>>),
    /// The member's own message, as its vault signed it.
    Own(Box<Signed>),
    /// The time asked for by `deadline` has come, or anything else made it worth while to look at the clock.
    Tick,
    /// Whether the own wall clock may be believed. While it may not, rounds start only when other members start them.
    ClockTrusted(bool),
}

/// Who shall get something. The sender itself counts among all and in a set, by way of [`Input::Own`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// Every member.
    All,
    /// One member.
    One(MemberId),
    /// Some members.
    Set(MemberSet),
}

impl To {
    /// Whether the member is meant.
    pub fn includes(self, member: MemberId) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == member,
            Self::Set(set) => set.contains(member),
        }
    }
}

/// A message that the vault has yet to sign, and to complete where a secret goes into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Draft {
    /// Needs the signature only.
    Complete {
        /// The view.
        view: View,
        /// The instance.
        instance: u16,
        /// What it says.
        content: Content,
    },
    /// The member's share of the coin of this view.
    Coin {
        /// The view.
        view: View,
    },
    /// Fresh nonce commitments for a coordinator.
    Ready {
        /// The coordinator.
        coordinator: MemberId,
        /// Number of the offer, from 1.
        slot: u32,
    },
    /// TIMEOUT or STATUS, to which fresh nonces are added.
    Standing {
        /// The view that ends.
        view: View,
        /// What it says; its nonces are empty.
        content: Content,
    },
    /// COMMIT, to which fresh nonces are added, and the share if there is a session. The nonce that the share takes is gone before
    /// the share is made; where that fails, COMMIT goes out without a share.
    Commit {
        /// The value.
        value: Digest,
        /// The session that this member is a signer of.
        session: Option<Arc<SigningSession>>,
    },
    /// The member's share of the group signature. The nonce is gone before the share is made.
    Share {
        /// Which nonce is used.
        nonce: NonceUse,
        /// Number of the coordinator's session, or the view of the value.
        view: View,
        /// The coordinator, or [`crate::NO_COORDINATOR`].
        instance: u16,
        /// The session, with the statement that this member decided.
        session: Arc<SigningSession>,
    },
}

/// What a nonce is for: each serves one purpose, once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NonceUse {
    /// The session of a value that is first proposed in this view; its commitments ride on OBS, TIMEOUT or STATUS of the view before.
    Session(View),
    /// The first coordinator of a signing by ROAST; its commitments ride on COMMIT.
    Retry,
    /// One more session of a coordinator; its commitments ride on READY.
    Offer {
        /// The coordinator.
        coordinator: MemberId,
        /// Number of the offer, from 1.
        slot: u32,
    },
}

/// Where a member stands in a living round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The view that it is in.
    pub view: View,
    /// Whether it has left view 0, or decided.
    pub timed_out: bool,
    /// Whether it knows who leads its view.
    pub coin_known: bool,
    /// Its lock.
    pub lock: Option<Lock>,
    /// The value that it decided.
    pub decided: Option<Digest>,
}

/// How a round ended for a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// It holds the round's certificate.
    Signed,
    /// Later rounds were signed so long ago that this one will not be waited for.
    Missed,
    /// It lived as long as rounds of its number live.
    Expired,
}

/// What the shell shall do, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Store durably, before anything after this, that the member may have joined rounds up to this one.
    PersistFence(Round),
    /// Sign and broadcast the member's observation of this round, if it has one to make.
    Observe(Round),
    /// Sign and send.
    Send {
        /// To whom.
        to: To,
        /// The round.
        round: Round,
        /// What.
        draft: Draft,
    },
    /// Send; needs no signature.
    Reply {
        /// To whom.
        to: To,
        /// The round.
        round: Round,
        /// What.
        reply: Reply,
    },
    /// The round is signed. Observations are there if this member holds those that were decided.
    Publish(Arc<Attestation>),
    /// The round is over: nothing of it is sent again, and its nonces are forgotten.
    Closed(Round, Closing),
}

/// What a member did wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// What proves itself to others.
    Evidence(Box<Evidence>),
    /// Its proposal in view 0 names a session that is not the one of its observations.
    BadProposal,
    /// It asked for a share with a nonce that was not offered to it, or more often than it may.
    BadRequest,
    /// The group signed another statement than the one that this member decided: more than `f` members are faulty.
    Divergence {
        /// The signed statement.
        signed: Box<Statement>,
        /// The decided one.
        decided: Box<Statement>,
    },
}

/// Somebody's misbehaviour: data, not an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Who; none where it cannot be said.
    pub member: Option<MemberId>,
    /// In which round.
    pub round: Round,
    /// What.
    pub kind: FaultKind,
}

/// Everything that one input led to.
#[must_use = "effects are the only way in which the core acts"]
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Step {
    /// What to do, in this order.
    pub effects: Vec<Effect>,
    /// What others did wrong.
    pub faults: Vec<Fault>,
}
