//! Judging evidence: whether it proves a member guilty to somebody who holds the pin and nothing else.
//!
//! [`verify_evidence`] is a function of the evidence, the network id and one epoch's manifest and record, so the verdict is the
//! same for everybody. It never depends on what the judge saw of the round.
//!
//! # Who can be proved guilty
//!
//! *A contradiction* is two valid signatures of one member under headers of one slot with different bodies. An honest member
//! signs one body per slot for ever (docs/protocol.md), its restart fence keeps this across crashes, and nobody else has
//! its key. Signatures are judged by ZIP-215 under a key of prime order, so that the cofactor helps nobody to sign for it.
//!
//! *A bad share* is a valid signature under a COMMIT or SHARE whose body names a session and holds shares that are not those
//! of the signer in that session. What is needed to check them, the statement and everybody's nonce commitments, is bound by
//! the session's digest, which stands in the signed body, or in what a COMMIT's body holds the hash of; whoever presents the
//! evidence can change none of it.
//! The accused is guilty and nobody framed it, for these reasons:
//!
//! * An honest member signs a share in a session of exactly `t` members in ascending order, in which every commitment decodes
//!   and its own entry is, byte for byte, what it committed to for this one use ([`crate::PreparedSession::sign`] refuses
//!   anything else). It then signs one share for each suite of its epoch. Such a share satisfies
//!   `z_i * B == D_i + rho_i * E_i + lambda_i * c * Y_i` whatever the *other* entries and the statement are: they
//!   enter as hashed bytes and by their members' numbers only, on both sides alike. So an honest member's share is right in every
//!   session that it ever signs, and a share that is wrong in the session which its author named is the author's doing.
//! * A coordinator that lists other commitments for a member than its own gets no share of it. One that lists commitments
//!   which do not decode, the accused's or another's, gets none either; no share can be checked in such a session, and
//!   evidence with one is refused whoever is to blame for it.
//! * A small-order part in another signer's commitment does not touch the equation of the accused. One in its own makes its
//!   share wrong, but honest commitments are multiples of the base point, and they are listed unchanged.
//! * The verifying share `Y_i` is that of the pinned epoch record, of prime order and on the polynomial of the group key.
//!
//! A share that is missing, superfluous or of the wrong length for a suite of the epoch is as bad as one that is wrong:
//! honest members send one share of 32 bytes for each suite, or a body without a share, which is not evidence.

use alloc::{format, vec::Vec};
use core::fmt;

use thiserror::Error;
use touchstone_types::{
    Committee, CommitteeError, Digest, Epoch, EpochRecord, EpochRecordError, Evidence,
    EvidenceError, Header, Manifest, MemberId, MessageKind, NetworkId, Round, SessionShare,
    SignedHeader, SigningSession, Suite, View,
};

use crate::{
    IdentityPublic, PreparedSession, SignError, SignTarget, SignatureShare, SigningPublic,
    sign::KeyError, verify_header,
};

/// What somebody is proved to have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guilt {
    /// Who.
    pub member: MemberId,
    /// The epoch, whose manifest says who the member is.
    pub epoch: Epoch,
    /// The round.
    pub round: Round,
    /// What.
    pub offence: Offence,
}

/// What honest members never do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offence {
    /// Two bodies were signed for one slot.
    Contradiction {
        /// The kind of message.
        kind: MessageKind,
        /// The view.
        view: View,
        /// The instance within the view.
        instance: u16,
    },
    /// A share was signed that is not the signer's in the session that it names.
    BadShare {
        /// The kind of message, COMMIT or SHARE.
        kind: MessageKind,
        /// The suite whose share is bad: the first one.
        suite: Suite,
        /// What is the matter with it.
        fault: ShareFault,
    },
}

/// What is the matter with a suite's share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShareFault {
    /// It does not fit the signer's verifying share and commitments.
    Wrong,
    /// It is not 32 bytes long.
    Length(usize),
    /// The epoch signs with the suite, and there is no share.
    Missing,
    /// The epoch does not sign with the suite, and there is a share.
    Superfluous,
}

impl fmt::Display for Guilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            member,
            epoch,
            round,
            offence,
        } = self;
        write!(
            f,
            "member {member} of epoch {epoch}, in round {round}, {offence}"
        )
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction {
                kind,
                view,
                instance,
            } => write!(
                f,
                "signed two different {} messages for one slot (view {view}, instance {instance})",
                name(*kind)
            ),
            Self::BadShare { kind, suite, fault } => {
                let kind = name(*kind);
                match fault {
                    ShareFault::Wrong => write!(
                        f,
                        "signed a {kind} whose {suite} share is wrong in the session that it names"
                    ),
                    ShareFault::Length(bytes) => write!(
                        f,
                        "signed a {kind} whose {suite} share has {bytes} bytes, must be 32"
                    ),
                    ShareFault::Missing => {
                        write!(f, "signed a {kind} with shares but without one for {suite}")
                    }
                    ShareFault::Superfluous => write!(
                        f,
                        "signed a {kind} with a share for {suite}, with which the epoch does not sign"
                    ),
                }
            }
        }
    }
}

fn name(kind: MessageKind) -> alloc::string::String {
    format!("{kind:?}").to_uppercase()
}

/// Why evidence proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EvidenceRefusal {
    /// Its parts do not belong together.
    #[error(transparent)]
    Form(#[from] EvidenceError),
    /// The record with which it was to be judged is not the manifest's.
    #[error(transparent)]
    Record(#[from] EpochRecordError),
    /// The manifest with which it was to be judged has no possible committee.
    #[error("the manifest: {0}")]
    Committee(#[from] CommitteeError),
    /// The manifest with which it was to be judged has a member without an identity.
    #[error("the manifest: the identity of member {0} is no key")]
    Identity(MemberId),
    /// The record with which it was to be judged holds keys that are none.
    #[error("the epoch record: {0}")]
    Keys(#[from] KeyError),
    /// The header was signed for another network or epoch.
    #[error("it is not about epoch {epoch} of network {network}")]
    Elsewhere {
        /// The network of the judge.
        network: NetworkId,
        /// The epoch of the judge.
        epoch: Epoch,
    },
    /// The epoch has no such member.
    #[error("the epoch has no member {0}")]
    NoMember(MemberId),
    /// A header that the accused did not sign.
    #[error("the {which} header does not have the signature of member {member}")]
    Signature {
        /// `first`, `second` or `share's`.
        which: &'static str,
        /// The accused.
        member: MemberId,
    },
    /// The session is none that an honest member would sign in, or that could be checked.
    #[error(
        "the session does not consist of exactly {threshold} members of the committee in ascending order"
    )]
    Session {
        /// The signing threshold.
        threshold: usize,
    },
    /// A signer of the session has no nonce commitments for a suite of the epoch.
    #[error("the session has no {suite} commitments of member {member}")]
    NoCommitments {
        /// The suite.
        suite: Suite,
        /// The signer.
        member: MemberId,
    },
    /// No share can be checked in the session.
    #[error("no {suite} share can be checked in the session: {error}")]
    Unusable {
        /// The suite.
        suite: Suite,
        /// Why.
        error: SignError,
    },
    /// Every share is what it must be.
    #[error("the shares of member {0} are right: there is nothing to blame it for")]
    Innocent(MemberId),
}

impl EvidenceRefusal {
    /// A stable name, for metrics and programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "malformed",
            Self::Record(_) | Self::Committee(_) | Self::Identity(_) | Self::Keys(_) => "bad-pin",
            Self::Elsewhere { .. } => "unknown-epoch",
            Self::NoMember(_) => "unknown-member",
            Self::Signature { .. } => "bad-member-signature",
            Self::Session { .. } | Self::NoCommitments { .. } | Self::Unusable { .. } => {
                "bad-session"
            }
            Self::Innocent(_) => "innocent",
        }
    }
}

/// Judges the evidence of one epoch; made once, from its manifest and record.
#[derive(Clone, Debug)]
pub struct EvidenceJudge {
    network: NetworkId,
    epoch: Epoch,
    tag: Digest,
    committee: Committee,
    members: Vec<IdentityPublic>,
    /// Needed for shares only.
    keys: Result<Vec<SigningPublic>, KeyError>,
}

/// Judges one piece of evidence with the manifest and record of the epoch that it is about. [`EvidenceJudge`] does the same for
/// many.
///
/// The manifest and record are believed: they are those of a pin that was checked.
///
/// # Errors
/// Why it proves nothing.
pub fn verify_evidence(
    evidence: &Evidence,
    network: NetworkId,
    manifest: &Manifest,
    record: &EpochRecord,
) -> Result<Guilt, EvidenceRefusal> {
    EvidenceJudge::new(network, manifest, record)?.judge(evidence)
}

impl EvidenceJudge {
    /// A judge for one epoch of a network.
    ///
    /// Verifying shares that do not fit together, which no key generation makes, are an error only when a share is judged.
    ///
    /// # Errors
    /// A manifest that is none, or a record that is not the manifest's.
    pub fn new(
        network: NetworkId,
        manifest: &Manifest,
        record: &EpochRecord,
    ) -> Result<Self, EvidenceRefusal> {
        record.check_form(manifest)?;
        let committee = manifest.committee()?;
        let identity = |m: &touchstone_types::Member| {
            IdentityPublic::try_from(m.identity).map_err(|_| EvidenceRefusal::Identity(m.id))
        };
        let members = manifest.members.iter().map(identity);
        let keys = record.keys.iter();
        Ok(Self {
            network,
            epoch: manifest.epoch,
            tag: Header::tag(network, manifest.epoch),
            committee,
            members: members.collect::<Result<_, _>>()?,
            keys: keys
                .map(|keys| SigningPublic::new(committee, keys))
                .collect(),
        })
    }

    /// The epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The tag of the headers that are this epoch's.
    pub fn tag(&self) -> Digest {
        self.tag
    }

    /// Whether the accused is guilty.
    ///
    /// # Errors
    /// Why the evidence proves nothing.
    pub fn judge(&self, evidence: &Evidence) -> Result<Guilt, EvidenceRefusal> {
        evidence.check_form()?;
        let header = evidence.header();
        if header.tag != self.tag {
            return Err(EvidenceRefusal::Elsewhere {
                network: self.network,
                epoch: self.epoch,
            });
        }
        let offence = match evidence {
            Evidence::Contradiction { first, second } => {
                self.check_signature("first", first)?;
                self.check_signature("second", second)?;
                Offence::Contradiction {
                    kind: header.kind,
                    view: header.view,
                    instance: header.instance,
                }
            }
            Evidence::BadShare { share, session, .. } => {
                self.check_signature("share's", share)?;
                let (suite, fault) = self
                    .fault(header.member, session, &evidence.share()?)?
                    .ok_or(EvidenceRefusal::Innocent(header.member))?;
                Offence::BadShare {
                    kind: header.kind,
                    suite,
                    fault,
                }
            }
        };
        Ok(Guilt {
            member: header.member,
            epoch: self.epoch,
            round: header.round,
            offence,
        })
    }

    fn check_signature(
        &self,
        which: &'static str,
        signed: &SignedHeader,
    ) -> Result<(), EvidenceRefusal> {
        let member = signed.header.member;
        let key = self.members.get(member.index());
        let key = key.ok_or(EvidenceRefusal::NoMember(member))?;
        verify_header(key, &signed.header, &signed.signature)
            .map_err(|_| EvidenceRefusal::Signature { which, member })
    }

    /// The first suite whose share is bad. Every session is prepared before any share is looked at: in a session that cannot
    /// be used nobody is blamed for anything.
    fn fault(
        &self,
        member: MemberId,
        session: &SigningSession,
        given: &SessionShare,
    ) -> Result<Option<(Suite, ShareFault)>, EvidenceRefusal> {
        if !session.well_formed(self.committee) {
            let threshold = self.committee.signing_threshold();
            return Err(EvidenceRefusal::Session { threshold });
        }
        let keys = self.keys.as_ref().map_err(|error| *error)?;
        let prepared = keys.iter().map(|keys| prepare(keys, session));
        let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
        let ours = |suite| keys.iter().any(|keys| keys.suite() == suite);
        let superfluous = given.shares.iter().find(|(suite, _)| !ours(*suite));
        if let Some((suite, _)) = superfluous {
            return Ok(Some((*suite, ShareFault::Superfluous)));
        }
        for session in &prepared {
            let suite = session.suite();
            let Some(bytes) = given.of(suite) else {
                return Ok(Some((suite, ShareFault::Missing)));
            };
            let Ok(share) = <[u8; 32]>::try_from(bytes) else {
                return Ok(Some((suite, ShareFault::Length(bytes.len()))));
            };
            match session.verify_share(member, &SignatureShare(share)) {
                Ok(()) => {}
                Err(SignError::Share { .. }) => return Ok(Some((suite, ShareFault::Wrong))),
                Err(error) => return Err(EvidenceRefusal::Unusable { suite, error }),
            }
        }
        Ok(None)
    }
}

/// The session of one suite.
fn prepare(
    keys: &SigningPublic,
    session: &SigningSession,
) -> Result<PreparedSession, EvidenceRefusal> {
    let suite = keys.suite();
    let entry = |signer: &touchstone_types::SessionSigner| {
        let nonces = signer.nonces.iter().find(|n| n.suite == suite);
        let member = signer.member;
        nonces
            .map(|n| (member, n.bytes.clone()))
            .ok_or(EvidenceRefusal::NoCommitments { suite, member })
    };
    let entries = session.signers.iter().map(entry);
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    PreparedSession::new(keys, &entries, &SignTarget::Statement(&session.statement))
        .map_err(|error| EvidenceRefusal::Unusable { suite, error })
}

#[cfg(test)]
mod tests;
