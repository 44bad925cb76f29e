//! What can go wrong in a key generation, and who is to blame.

use alloc::boxed::Box;

use thiserror::Error;
use touchstone_types::{Digest, MemberId, MemberSignature, Suite};

use super::{DkgEnvelope, DkgStep};
use crate::identity::IdentityPublic;

/// Why a run cannot start.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DkgSetupError {
    /// FROST needs two signers.
    #[error("key generation: {n} members, must be at least 2")]
    TooSmall {
        /// The committee's size.
        n: usize,
    },
    /// A number of identities that is not the committee's size.
    #[error("key generation: {got} identities, must be {must}, one for each member")]
    Members {
        /// How many there are.
        got: usize,
        /// How many there must be.
        must: usize,
    },
    /// One identity stands twice.
    #[error("key generation: identity {key} belongs to two members")]
    Twice {
        /// Which.
        key: IdentityPublic,
    },
    /// The own identity is not the one listed.
    #[error("key generation: the identity listed for member {me} is not this node's")]
    Identity {
        /// This member.
        me: MemberId,
    },
    /// No suites, or not in ascending order.
    #[error("key generation: suites must be at least one, in ascending order, each once")]
    Suites,
    /// A random value that cannot be used; it does not happen with a working source of randomness.
    #[error("key generation: the source of randomness gave a value that cannot be used")]
    Degenerate,
}

/// Why an envelope is not taken. It changes nothing, and its alleged sender is not to blame.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DkgRefusal {
    /// It belongs to another run.
    #[error("it belongs to another session")]
    Session,
    /// No other member has that number.
    #[error("member {from} is not another member of this run")]
    Sender {
        /// The alleged sender.
        from: MemberId,
    },
    /// It is for somebody else, or for nobody where it should be for one.
    #[error("the envelope of member {from} is not addressed as its step demands")]
    Receiver {
        /// The alleged sender.
        from: MemberId,
    },
    /// The signature is not the sender's.
    #[error("the signature is not that of member {from}")]
    Signature {
        /// The alleged sender.
        from: MemberId,
    },
}

/// A part of what a member says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DkgPart {
    /// The body's layout.
    #[error("{0:?} message")]
    Envelope(DkgStep),
    /// A suite's package or share.
    #[error("part for suite {0}")]
    Suite(Suite),
    /// The coin's commitment or share.
    #[error("part for the coin")]
    Coin,
}

/// What a member did wrong, under its own signature.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DkgFault {
    /// It runs with another committee, other identities or other suites.
    #[error("it runs with another setup")]
    Setup,
    /// Something does not decode.
    #[error("its {part} is malformed")]
    Malformed {
        /// What.
        part: DkgPart,
    },
    /// A proof of knowledge does not hold.
    #[error("the proof of knowledge in its {part} is wrong")]
    Proof {
        /// Where.
        part: DkgPart,
    },
    /// It sent two different envelopes for one step to this member.
    #[error("it sent two different {:?} messages", first.step)]
    Contradiction {
        /// The one that came first.
        first: Box<DkgEnvelope>,
        /// The other one.
        second: Box<DkgEnvelope>,
    },
    /// It sent different Commits to different members: both are signed.
    #[error("it signed two different Commit messages")]
    TwoCommits {
        /// The one that this member holds.
        held: Box<DkgEnvelope>,
        /// Hash of the body that another member holds.
        other_hash: Digest,
        /// The signature under that one.
        other_signature: MemberSignature,
    },
    /// It echoed a Commit that its alleged author never signed.
    #[error("it echoed a Commit message that member {about} did not sign")]
    FalseEcho {
        /// The alleged author.
        about: MemberId,
    },
    /// Its share does not decrypt under the keys of the session.
    #[error("its Share message does not decrypt")]
    Undecryptable,
    /// Its share does not fit its commitment.
    #[error("the share in its {part} does not fit its commitment")]
    Share {
        /// Which.
        part: DkgPart,
    },
}

/// Why an envelope was refused, or a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DkgError {
    /// The envelope is not taken; the run goes on.
    #[error("key generation: envelope refused: {0}")]
    Refused(DkgRefusal),
    /// A member misbehaved; the run is over.
    #[error("key generation: member {culprit}: {fault}")]
    Fault {
        /// Who.
        culprit: MemberId,
        /// What it did.
        fault: DkgFault,
    },
    /// The sum of all parts is no usable key, which happens with negligible probability; the run is over.
    #[error("key generation: the parts add up to no usable key")]
    Degenerate,
}

impl DkgError {
    pub(super) fn fault(culprit: MemberId, fault: DkgFault) -> Self {
        Self::Fault { culprit, fault }
    }

    /// Whether the run is over.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// Who misbehaved, if somebody did.
    pub fn culprit(&self) -> Option<MemberId> {
        match self {
            Self::Fault { culprit, .. } => Some(*culprit),
            Self::Refused(_) | Self::Degenerate => None,
        }
    }
}
