//! From bytes that a peer sent to a message that the core may act on. This is CPU work that needs no state: a shell does it
//! on as many threads as it likes.

use std::sync::Arc;

use thiserror::Error;
use touchstone_crypto::{Check, CoinShare};
use touchstone_types::{
    Attestation, DecodeError, Digest, Header, MemberId, MemberSignature, MessageKind, Observation,
    Round, SignedObservation, Terms, View,
};

use crate::{
    message::{Content, Decision, Message, Reply, Signed, Signer},
    proof::{Lock, LockProof, Qc, Standing},
    scheme::Scheme,
};

/// Why a message is refused. Whoever sent it is faulty, unless the link itself is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// A field of the header does not fit the kind of message.
    #[error("{0} does not fit this kind of message")]
    Header(&'static str),
    /// A signature, of the author or inside a certificate, is not valid.
    #[error("a signature is not valid")]
    Signature,
    /// A certificate or a set of statements lacks a quorum or contradicts itself.
    #[error("{0} proves nothing")]
    Proof(&'static str),
    /// A proof is missing or belongs to something else.
    #[error("{0} is missing, superfluous, or about something else")]
    Mismatch(&'static str),
    /// The observation is not about this network's feeds and suites.
    #[error(transparent)]
    Observation(#[from] DecodeError),
    /// The coin share or the set of shares is not valid.
    #[error("the coin share is not valid")]
    Coin,
    /// Nonce commitments do not decode, or are not one pair for each suite.
    #[error("the nonce commitments are not one valid pair for each suite")]
    Nonces,
    /// The attestation is not this network's, or its signature is not valid.
    #[error("the attestation is not one of this network and epoch")]
    Attestation,
}

/// What messages are checked against.
#[derive(Clone)]
pub struct Verifier {
    scheme: Arc<dyn Scheme>,
    terms: Arc<Terms>,
    tag: Digest,
}

impl Verifier {
    /// A verifier for one epoch.
    pub fn new(scheme: Arc<dyn Scheme>, terms: Arc<Terms>) -> Self {
        let tag = Header::tag(terms.network, terms.epoch);
        Self { scheme, terms, tag }
    }

    /// The public side of the keys.
    pub fn scheme(&self) -> &Arc<dyn Scheme> {
        &self.scheme
    }

    /// What reports depend on.
    pub fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    /// The tag of the epoch's messages.
    pub fn tag(&self) -> Digest {
        self.tag
    }

    /// Whether an attestation is one of this network and epoch, over exactly its feeds.
    pub fn attestation(&self, attestation: &Attestation) -> bool {
        let s = &attestation.statement;
        let feeds = attestation.leaves.iter().map(|l| (l.feed, l.exponent));
        s.network == self.terms.network
            && s.epoch == self.terms.epoch
            && feeds.eq(self.terms.feeds.iter().copied())
            && self.scheme.verify_group(s, &attestation.signatures)
    }

    fn qc(&self, qc: &Qc, round: Round) -> Result<(), Refusal> {
        if !qc.well_formed(self.terms.committee) {
            return Err(Refusal::Proof("the certificate"));
        }
        self.signatures(qc.signed(self.tag, round))
    }

    fn signatures(
        &self,
        signed: impl Iterator<Item = (Header, MemberSignature)>,
    ) -> Result<(), Refusal> {
        let signed: Vec<_> = signed.collect();
        if self.scheme.verify_members(&signed) {
            Ok(())
        } else {
            Err(Refusal::Signature)
        }
    }

    /// A lock needs the certificate of its very view and value from the member that was elected, and nothing else needs one.
    fn lock(
        &self,
        lock: Option<Lock>,
        proof: Option<&LockProof>,
        round: Round,
    ) -> Result<(), Refusal> {
        let (lock, LockProof { qc, coin }) = match (lock, proof) {
            (None, None) => return Ok(()),
            (Some(lock), Some(proof)) => (lock, proof),
            _ => return Err(Refusal::Mismatch("the proof of the lock")),
        };
        if qc.lock() != lock || qc.kind == MessageKind::Commit {
            return Err(Refusal::Mismatch("the proof of the lock"));
        }
        if qc.view > View(0) {
            self.elected(qc, round, coin)?;
        }
        self.qc(qc, round)
    }

    fn elected(
        &self,
        qc: &Qc,
        round: Round,
        coin: &[(MemberId, CoinShare)],
    ) -> Result<(), Refusal> {
        let election = self
            .scheme
            .elect(round, qc.view, coin)
            .ok_or(Refusal::Coin)?;
        if election.leader.0 == qc.instance {
            Ok(())
        } else {
            Err(Refusal::Mismatch("the certificate of the elected leader"))
        }
    }

    fn decision(
        &self,
        qc: &Qc,
        round: Round,
        coin: &[(MemberId, CoinShare)],
    ) -> Result<(), Refusal> {
        if qc.kind != MessageKind::Ack {
            return Err(Refusal::Mismatch("the certificate of the decision"));
        }
        self.elected(qc, round, coin)?;
        self.qc(qc, round)
    }

    fn signed(&self, message: &Signed) -> Result<(), Refusal> {
        let h = &message.header;
        let in_view = h.view > View(0);
        let own_instance = h.instance == h.member.0;
        let member_instance = h.instance < self.terms.committee.n();
        let fits = self.terms.committee.contains(h.member)
            && match h.kind {
                MessageKind::Obs | MessageKind::Timeout => !in_view && h.instance == 0,
                MessageKind::Coin | MessageKind::Status => in_view && h.instance == 0,
                MessageKind::Propose | MessageKind::Lock | MessageKind::Done => {
                    in_view && own_instance
                }
                MessageKind::Vote | MessageKind::Ack | MessageKind::Ready => {
                    in_view && member_instance
                }
                MessageKind::Share => member_instance,
                MessageKind::SignReq => own_instance,
                MessageKind::Propose0 | MessageKind::Prepare | MessageKind::Commit => false,
            };
        if !fits {
            return Err(Refusal::Header("view or instance"));
        }
        self.signatures(std::iter::once((*h, message.signature)))?;
        self.content(h, &message.content)
    }

    fn content(&self, h: &Header, content: &Content) -> Result<(), Refusal> {
        match content {
            Content::Obs { observation, .. } => self.observation(h.member, observation),
            Content::Timeout { standing, proof } => {
                if standing.lock.is_some_and(|l| l.view > View(0)) {
                    return Err(Refusal::Mismatch("the view of the lock"));
                }
                self.standing(h, standing, proof.as_ref())
            }
            Content::Propose { .. } => self.propose(h, content),
            Content::Lock(qc) | Content::Done(qc) => {
                let kind = match h.kind {
                    MessageKind::Lock => MessageKind::Vote,
                    _ => MessageKind::Ack,
                };
                if qc.kind != kind || qc.view != h.view || qc.instance != h.instance {
                    return Err(Refusal::Mismatch("the certificate"));
                }
                self.qc(qc, h.round)
            }
            Content::Coin(share) => {
                if self
                    .scheme
                    .verify_coin_share(h.round, h.view, h.member, share)
                {
                    Ok(())
                } else {
                    Err(Refusal::Coin)
                }
            }
            Content::Status {
                standing,
                proof,
                decided,
                coin,
            } => {
                if standing.lock.is_some_and(|l| l.view > h.view) {
                    return Err(Refusal::Mismatch("the view of the lock"));
                }
                self.scheme
                    .elect(h.round, h.view, coin)
                    .ok_or(Refusal::Coin)?;
                if let Some(qc) = decided {
                    if qc.view != h.view {
                        return Err(Refusal::Mismatch("the certificate of the decision"));
                    }
                    self.decision(qc, h.round, coin)?;
                }
                self.standing(h, standing, proof.as_ref())
            }
            Content::Ready(nonces) => self.nonces(h.member, nonces),
            Content::SignReq(signers) => self.signers(signers),
            Content::Share { shares, .. } => {
                if shares
                    .iter()
                    .map(|(s, _)| *s)
                    .eq(self.terms.suites.iter().copied())
                {
                    Ok(())
                } else {
                    Err(Refusal::Mismatch("the share of a suite"))
                }
            }
            Content::Vote(_) | Content::Ack(_) => Ok(()),
        }
    }

    fn observation(&self, member: MemberId, observation: &Observation) -> Result<(), Refusal> {
        observation.check(&self.terms)?;
        self.nonces(member, &observation.nonces)
    }

    fn standing(
        &self,
        h: &Header,
        standing: &Standing,
        proof: Option<&LockProof>,
    ) -> Result<(), Refusal> {
        if !standing.nonces.is_empty() {
            self.nonces(h.member, &standing.nonces)?;
        }
        self.lock(standing.lock, proof, h.round)
    }

    fn nonces(
        &self,
        member: MemberId,
        nonces: &[touchstone_types::NonceCommitments],
    ) -> Result<(), Refusal> {
        if self.scheme.verify_nonces(member, nonces) {
            Ok(())
        } else {
            Err(Refusal::Nonces)
        }
    }

    fn signers(&self, signers: &[Signer]) -> Result<(), Refusal> {
        let committee = self.terms.committee;
        let ascending = signers
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.member < b.member));
        let known = signers.last().is_some_and(|s| committee.contains(s.member));
        if !ascending || !known || signers.len() != committee.signing_threshold() {
            return Err(Refusal::Proof("the signer set"));
        }
        signers
            .iter()
            .try_for_each(|s| self.nonces(s.member, &s.nonces))
    }

    /// The right to be in the view, and a value that follows the highest lock or is a well-formed new one.
    fn propose(&self, h: &Header, content: &Content) -> Result<(), Refusal> {
        let Content::Propose {
            value,
            list,
            tc,
            proof,
        } = content
        else {
            return Err(Refusal::Header("kind"));
        };
        if tc.view.next() != h.view || tc.view == h.view || !tc.well_formed(self.terms.committee) {
            return Err(Refusal::Proof("the set of statements"));
        }
        let lock = tc.highest_lock();
        match (lock, list) {
            (Some(lock), None) if lock.value == *value => {}
            (None, Some(list))
                if list.well_formed(self.terms.committee)
                    && list.hash(self.tag, h.round) == *value => {}
            _ => return Err(Refusal::Mismatch("the value")),
        }
        self.lock(lock, proof.as_ref(), h.round)?;
        self.signatures(tc.signed(self.tag, h.round))
    }

    fn reply(&self, round: Round, reply: &Reply) -> Result<(), Refusal> {
        match reply {
            Reply::Decide(Decision { qc, coin }) => self.decision(qc, round, coin),
            Reply::Value { list, observations } => {
                if !list.well_formed(self.terms.committee) {
                    return Err(Refusal::Proof("the value"));
                }
                observations
                    .iter()
                    .try_for_each(|o| self.fetched(&list.contributors, o))?;
                self.signatures(observations.iter().map(|o| (o.header, o.signature)))
            }
            Reply::Cert(attestation) => {
                if attestation.statement.round == round && self.attestation(attestation) {
                    Ok(())
                } else {
                    Err(Refusal::Attestation)
                }
            }
            Reply::Fetch { .. } | Reply::Want => Ok(()),
        }
    }

    fn fetched(&self, list: &[(MemberId, Digest)], o: &SignedObservation) -> Result<(), Refusal> {
        if !list.contains(&(o.header.member, o.header.body_hash)) {
            return Err(Refusal::Mismatch("an observation of the value"));
        }
        self.observation(o.header.member, &Observation::from_bytes(&o.body)?)
    }
}

impl Check<Verifier> for Message {
    type Error = Refusal;

    fn check(&self, verifier: &Verifier) -> Result<(), Refusal> {
        match self {
            Self::Signed(signed) => verifier.signed(signed),
            Self::Reply { round, reply, .. } => verifier.reply(*round, reply),
        }
    }
}
