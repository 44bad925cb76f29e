//! From bytes that a peer sent to a message that the core may act on. This is CPU work that needs no state: a shell does it
//! on as many threads as it likes.

use std::sync::Arc;

use thiserror::Error;
use touchstone_crypto::{Check, CheckMany, CoinShare};
use touchstone_types::{
    Attestation, DecodeError, Digest, Header, MemberId, MemberSignature, MessageKind,
    NonceCommitments, Observation, Round, SessionShare, SignedObservation, Terms, View,
};

use crate::{
    message::{Content, Decision, Message, NO_COORDINATOR, Reply, Signed, Signer},
    params::{Rules, Sound},
    proof::{Lock, LockProof, Qc, Standing, Value},
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
    /// Nonce commitments of other suites than the network's.
    #[error("the nonce commitments are not one pair for each suite")]
    Nonces,
    /// The attestation is not this network's, or its signature is not valid.
    #[error("the attestation is not one of this network and epoch")]
    Attestation,
}

/// Members' signatures that a message rests on, to be checked together.
type Signatures = Vec<(Header, MemberSignature)>;

/// What messages are checked against.
pub struct Verifier<R: Rules = Sound> {
    scheme: Arc<dyn Scheme>,
    terms: Arc<Terms>,
    tag: Digest,
    rules: R,
}

impl<R: Rules> Clone for Verifier<R> {
    fn clone(&self) -> Self {
        Self {
            scheme: Arc::clone(&self.scheme),
            terms: Arc::clone(&self.terms),
            tag: self.tag,
            rules: self.rules,
        }
    }
}

impl Verifier {
    /// A verifier for one epoch.
    pub fn new(scheme: Arc<dyn Scheme>, terms: Arc<Terms>) -> Self {
        Self::with_rules(scheme, terms, Sound)
    }
}

impl<R: Rules> Verifier<R> {
    /// A verifier for one epoch, for a core under these rules.
    pub fn with_rules(scheme: Arc<dyn Scheme>, terms: Arc<Terms>, rules: R) -> Self {
        let tag = Header::tag(terms.network, terms.epoch);
        Self {
            scheme,
            terms,
            tag,
            rules,
        }
    }

    /// The rules of the core that it belongs to.
    pub fn rules(&self) -> R {
        self.rules
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

    /// Everything about a message but its members' signatures, which are left in `signatures`.
    fn form(&self, message: &Message, signatures: &mut Signatures) -> Result<(), Refusal> {
        match message {
            Message::Signed(signed) => self.signed(signed, signatures),
            Message::Reply { round, reply, .. } => self.reply(*round, reply, signatures),
        }
    }

    fn signatures(&self, signatures: &Signatures) -> Result<(), Refusal> {
        if signatures.is_empty() || self.scheme.verify_members(signatures) {
            Ok(())
        } else {
            Err(Refusal::Signature)
        }
    }

    fn qc(&self, qc: &Qc, round: Round, signatures: &mut Signatures) -> Result<(), Refusal> {
        let committee = self.terms.committee;
        if !qc.well_formed(committee, self.rules.quorum(committee)) {
            return Err(Refusal::Proof("the certificate"));
        }
        signatures.extend(qc.signed(self.tag, round));
        Ok(())
    }

    /// A lock needs the certificate of its very view and value, above view 0 from the member that was elected; and nothing else
    /// needs one.
    fn lock(
        &self,
        lock: Option<Lock>,
        proof: Option<&LockProof>,
        round: Round,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        let (lock, LockProof { qc, coin }) = match (lock, proof) {
            (None, None) => return Ok(()),
            (Some(lock), Some(proof)) => (lock, proof),
            _ => return Err(Refusal::Mismatch("the proof of the lock")),
        };
        if qc.lock() != lock || qc.kind == MessageKind::Commit {
            return Err(Refusal::Mismatch("the proof of the lock"));
        }
        self.elected(qc, round, coin)?;
        self.qc(qc, round, signatures)
    }

    /// Whether the certificate is of the member that its view's coin elected. View 0 has no coin.
    fn elected(
        &self,
        qc: &Qc,
        round: Round,
        coin: &[(MemberId, CoinShare)],
    ) -> Result<(), Refusal> {
        if qc.view == View(0) {
            return if coin.is_empty() {
                Ok(())
            } else {
                Err(Refusal::Mismatch("the coin"))
            };
        }
        let election = self
            .scheme
            .elect(round, qc.view, coin)
            .ok_or(Refusal::Coin)?;
        if election.leader.0 == qc.instance || !self.rules.lock_of_elected() {
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
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        if !matches!(qc.kind, MessageKind::Commit | MessageKind::Ack) {
            return Err(Refusal::Mismatch("the certificate of the decision"));
        }
        self.elected(qc, round, coin)?;
        self.qc(qc, round, signatures)
    }

    fn signed(&self, message: &Signed, signatures: &mut Signatures) -> Result<(), Refusal> {
        let h = &message.header;
        let in_view = h.view > View(0);
        let own_instance = h.instance == h.member.0;
        let member_instance = h.instance < self.terms.committee.n();
        let fits = self.terms.committee.contains(h.member)
            && match h.kind {
                MessageKind::Obs
                | MessageKind::Propose0
                | MessageKind::Prepare
                | MessageKind::Commit
                | MessageKind::Timeout => !in_view && h.instance == 0,
                MessageKind::Coin | MessageKind::Status => in_view && h.instance == 0,
                MessageKind::Propose | MessageKind::Lock | MessageKind::Done => {
                    in_view && own_instance
                }
                MessageKind::Vote | MessageKind::Ack | MessageKind::Ready => {
                    in_view && member_instance
                }
                MessageKind::Share => member_instance || h.instance == NO_COORDINATOR,
                MessageKind::SignReq => own_instance,
            };
        if !fits {
            return Err(Refusal::Header("view or instance"));
        }
        if h.kind != MessageKind::Prepare || self.rules.verify_prepares() {
            signatures.push((*h, message.signature));
        }
        self.content(h, &message.content, signatures)
    }

    fn content(
        &self,
        h: &Header,
        content: &Content,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        match content {
            Content::Obs { observation, .. } => Ok(observation.check(&self.terms)?),
            Content::Propose0 { value, list } => self.value(h, *value, list),
            Content::Commit { nonces, share, .. } => {
                self.nonces(nonces)?;
                share.as_ref().map_or(Ok(()), |share| self.share(share))
            }
            Content::Timeout { standing, proof } => {
                if standing.lock.is_some_and(|l| l.view > View(0)) {
                    return Err(Refusal::Mismatch("the view of the lock"));
                }
                self.standing(h, standing, proof.as_ref(), signatures)
            }
            Content::Propose { .. } => self.propose(h, content, signatures),
            Content::Lock(qc) | Content::Done(qc) => {
                let kind = match h.kind {
                    MessageKind::Lock => MessageKind::Vote,
                    _ => MessageKind::Ack,
                };
                if qc.kind != kind || qc.view != h.view || qc.instance != h.instance {
                    return Err(Refusal::Mismatch("the certificate"));
                }
                self.qc(qc, h.round, signatures)
            }
            Content::Coin(share) => {
                let scheme = &self.scheme;
                let right = scheme.verify_coin_share(h.round, h.view, h.member, share);
                if right { Ok(()) } else { Err(Refusal::Coin) }
            }
            Content::Status { .. } => self.status(h, content, signatures),
            Content::Ready(nonces) => self.nonces(nonces),
            Content::SignReq { signers, .. } => self.signers(signers),
            Content::Share(share) => self.share(share),
            Content::Prepare(_) | Content::Vote(_) | Content::Ack(_) => Ok(()),
        }
    }

    fn status(
        &self,
        h: &Header,
        content: &Content,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        let Content::Status {
            standing,
            proof,
            decided,
            coin,
        } = content
        else {
            return Err(Refusal::Header("kind"));
        };
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
            self.decision(qc, h.round, coin, signatures)?;
        }
        self.standing(h, standing, proof.as_ref(), signatures)
    }

    fn standing(
        &self,
        h: &Header,
        standing: &Standing,
        proof: Option<&LockProof>,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        self.nonces(&standing.nonces)?;
        self.lock(standing.lock, proof, h.round, signatures)
    }

    /// One pair for each suite. Whether they decode is looked at by whoever wants to use them: most are never used.
    fn nonces(&self, nonces: &[NonceCommitments]) -> Result<(), Refusal> {
        let suites = nonces.iter().map(|n| n.suite);
        if suites.eq(self.terms.suites.iter().copied()) {
            Ok(())
        } else {
            Err(Refusal::Nonces)
        }
    }

    fn share(&self, share: &SessionShare) -> Result<(), Refusal> {
        let suites = share.shares.iter().map(|(suite, _)| *suite);
        if suites.eq(self.terms.suites.iter().copied()) {
            Ok(())
        } else {
            Err(Refusal::Mismatch("the share of a suite"))
        }
    }

    fn signers(&self, signers: &[Signer]) -> Result<(), Refusal> {
        let committee = self.terms.committee;
        let ascending = signers
            .windows(2)
            .all(|w| matches!(w, [a, b] if a.member < b.member));
        let known = signers.last().is_some_and(|s| committee.contains(s.member));
        if !ascending || !known || signers.len() != self.rules.signing_threshold(committee) {
            return Err(Refusal::Proof("the signer set"));
        }
        signers.iter().try_for_each(|s| self.nonces(&s.nonces))
    }

    /// A value that is proposed for the first time, under its name, with a session of this view.
    fn value(&self, h: &Header, value: Digest, list: &Value) -> Result<(), Refusal> {
        let committee = self.terms.committee;
        let fits = list.well_formed(committee, self.rules.signing_threshold(committee))
            && list.session.is_none_or(|s| s.view == h.view)
            && list.hash(self.tag, h.round) == value;
        if fits {
            Ok(())
        } else {
            Err(Refusal::Mismatch("the value"))
        }
    }

    /// The right to be in the view, and a value that follows the highest lock or is a well-formed new one.
    fn propose(
        &self,
        h: &Header,
        content: &Content,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        let Content::Propose {
            value,
            list,
            tc,
            proof,
        } = content
        else {
            return Err(Refusal::Header("kind"));
        };
        let committee = self.terms.committee;
        if tc.view.next() != h.view
            || tc.view == h.view
            || !tc.well_formed(committee, self.rules.quorum(committee))
        {
            return Err(Refusal::Proof("the set of statements"));
        }
        let lock = tc.highest_lock();
        match (lock, list) {
            (Some(lock), None) if lock.value == *value => {}
            (None, Some(list)) => self.value(h, *value, list)?,
            _ => return Err(Refusal::Mismatch("the value")),
        }
        for (_, standing, _) in &tc.standings {
            self.nonces(&standing.nonces)?;
        }
        self.lock(lock, proof.as_ref(), h.round, signatures)?;
        signatures.extend(tc.signed(self.tag, h.round));
        Ok(())
    }

    fn reply(
        &self,
        round: Round,
        reply: &Reply,
        signatures: &mut Signatures,
    ) -> Result<(), Refusal> {
        match reply {
            Reply::Decide(Decision { qc, coin }) => self.decision(qc, round, coin, signatures),
            Reply::Value { list, observations } => {
                let committee = self.terms.committee;
                if !list.well_formed(committee, self.rules.signing_threshold(committee)) {
                    return Err(Refusal::Proof("the value"));
                }
                // Each once, or a single observation could be made to be checked without end.
                let ascending = observations
                    .windows(2)
                    .all(|w| matches!(w, [a, b] if a.header.member < b.header.member));
                if !ascending {
                    return Err(Refusal::Proof("the list of observations"));
                }
                observations
                    .iter()
                    .try_for_each(|o| self.fetched(&list.contributors, o))?;
                signatures.extend(observations.iter().map(|o| (o.header, o.signature)));
                Ok(())
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
        Ok(Observation::from_bytes(&o.body)?.check(&self.terms)?)
    }
}

impl<R: Rules> Check<Verifier<R>> for Message {
    type Error = Refusal;

    fn check(&self, verifier: &Verifier<R>) -> Result<(), Refusal> {
        let mut signatures = Vec::new();
        verifier.form(self, &mut signatures)?;
        verifier.signatures(&signatures)
    }
}

impl<R: Rules> CheckMany<Verifier<R>> for Message {
    /// Checks the signatures of all messages in one batch, which costs about half. One that is wrong costs its own message, and
    /// the others little.
    fn check_many(items: &[&Self], verifier: &Verifier<R>) -> Vec<Result<(), Refusal>> {
        let mut all = Signatures::new();
        let formed: Vec<_> = items
            .iter()
            .map(|message| {
                let before = all.len();
                let form = verifier.form(message, &mut all);
                if form.is_err() {
                    all.truncate(before);
                }
                form.map(|()| all.len().saturating_sub(before))
            })
            .collect();
        let mut verdicts = verifier.scheme.verify_each(&all).into_iter();
        let mut right = |count| {
            // All of them are taken, so that the next message finds its own; one that is not there is not right.
            let right = verdicts.by_ref().take(count).filter(|right| *right);
            right.count() == count
        };
        let judge = |form: Result<usize, Refusal>| match form {
            Ok(count) if right(count) => Ok(()),
            Ok(_) => Err(Refusal::Signature),
            Err(refusal) => Err(refusal),
        };
        formed.into_iter().map(judge).collect()
    }
}
