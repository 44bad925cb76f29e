//! Distributed key generation among all members: one FROST key for each suite, and the coin's key.
//!
//! A sans-IO state machine. Three steps, each a signed envelope bound to the session:
//!
//! 1. **Commit** (to all): commitments to the sender's polynomials with proofs of knowledge (Komlo and Goldberg 2020, eprint
//!    2020/852, figure 1, for each suite with threshold `n - f`; the same over ristretto255 with threshold `f + 1` for the
//!    coin), and a fresh Diffie-Hellman key.
//! 2. **Echo** (to all): for every member the hash and the signature of the Commit received from it. Nobody goes on unless
//!    all `n` saw the same; who signed two Commits is convicted by its signatures.
//! 3. **Share** (one for each receiver): the evaluations for that receiver, encrypted under the two fresh keys.
//!
//! All `n` members must take part: a silent one stalls the run ([`Dkg::waiting_for`] names it), a lying one ends it with an
//! error that names it. A member cannot tell whether the others finished, too: the keys count once the epoch record that
//! they make carries the signature of every member. A run is never resumed after a restart; it starts again under another
//! session, since two Commits in one session are an offence.

mod channel;
mod envelope;
mod error;
mod feldman;
mod setup;
mod suites;

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use rand_core::CryptoRngCore;
use touchstone_types::{Digest, MemberId, MemberSignature, Reader, SuiteKeys, sha256};
use zeroize::Zeroizing;

use crate::{
    coin::{CoinPublic, CoinSecretShare},
    identity::{IdentityKey, verify_dkg},
    sign::{SigningPublic, SigningShare},
};

use channel::Channel;
use feldman::{CoinCommitment, CoinDeal};
use suites::SuiteRun;

pub use envelope::{DKG_BODY_MAX, DKG_ENVELOPE_OVERHEAD, DkgEnvelope, DkgStep};
pub use error::{DkgError, DkgFault, DkgPart, DkgRefusal, DkgSetupError};
pub use setup::{DkgOutput, DkgPublic, DkgSetup};

/// Hash and signature of one Commit in an Echo.
const ECHO_ENTRY_BYTES: usize = 96;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Committing,
    Echoing,
    Sharing,
    Finished,
}

/// What a Commit holds beside the suites' packages.
struct Committed {
    envelope: DkgEnvelope,
    dh: [u8; 32],
    coin: CoinCommitment,
}

/// One member's side of a run.
pub struct Dkg {
    setup: DkgSetup,
    setup_hash: Digest,
    identity: Arc<IdentityKey>,
    channel: Channel,
    suites: Vec<Box<dyn SuiteRun>>,
    deal: CoinDeal,
    phase: Phase,
    commits: Vec<Option<Committed>>,
    echoes: Vec<Option<DkgEnvelope>>,
    shares: Vec<Option<DkgEnvelope>>,
    sent: Vec<DkgEnvelope>,
    failure: Option<DkgError>,
    output: Option<DkgOutput>,
}

impl Dkg {
    /// Starts a run; the envelopes are to be delivered as they say, and again after a reconnect.
    ///
    /// # Errors
    /// A setup that does not fit together.
    pub fn new(
        setup: DkgSetup,
        identity: Arc<IdentityKey>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, Vec<DkgEnvelope>), DkgSetupError> {
        setup.check(&identity)?;
        let suites = setup
            .suites
            .iter()
            .map(|suite| suites::start(*suite, setup.committee, setup.me, rng))
            .collect::<Result<Vec<_>, _>>()?;
        let threshold = setup.committee.coin_threshold();
        let deal = CoinDeal::new(setup.session, setup.me, threshold, rng);
        let slots = usize::from(setup.committee.n());
        let mut dkg = Self {
            setup_hash: setup.hash(),
            channel: Channel::new(setup.session, setup.me, rng),
            suites,
            deal,
            phase: Phase::Committing,
            commits: (0..slots).map(|_| None).collect(),
            echoes: alloc::vec![None; slots],
            shares: alloc::vec![None; slots],
            sent: Vec::new(),
            failure: None,
            output: None,
            identity,
            setup,
        };
        let commit = dkg.seal(None, DkgStep::Commit, dkg.commit_body());
        // The own Commit takes the same way as everybody's.
        let committed = dkg
            .read_commit(commit.clone())
            .map_err(|_| DkgSetupError::Degenerate)?;
        if let Some(slot) = dkg.commits.get_mut(dkg.setup.me.index()) {
            *slot = Some(committed);
        }
        Ok((dkg, alloc::vec![commit]))
    }

    /// Takes an envelope from another member and says what to send.
    ///
    /// An envelope that was handled before is ignored.
    ///
    /// # Errors
    /// [`DkgError::Refused`]: the envelope is not this run's or not authentic; nothing changed, and whoever delivered it is
    /// to blame. Anything else ends the run, and every later call says the same.
    pub fn handle(&mut self, envelope: DkgEnvelope) -> Result<Vec<DkgEnvelope>, DkgError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.authenticate(&envelope).map_err(DkgError::Refused)?;
        let before = self.sent.len();
        let result = self.store(envelope).and_then(|()| self.advance());
        if let Err(error) = result {
            self.failure = Some(error.clone());
            return Err(error);
        }
        Ok(self.sent.get(before..).unwrap_or_default().to_vec())
    }

    /// Everything sent so far, for members that were not connected.
    pub fn sent(&self) -> &[DkgEnvelope] {
        &self.sent
    }

    /// Whose envelopes are missing for the current step; empty when the run is over.
    pub fn waiting_for(&self) -> Vec<MemberId> {
        let missing = |member: &MemberId| match self.phase {
            Phase::Committing => !matches!(self.commits.get(member.index()), Some(Some(_))),
            Phase::Echoing => !matches!(self.echoes.get(member.index()), Some(Some(_))),
            Phase::Sharing => !matches!(self.shares.get(member.index()), Some(Some(_))),
            Phase::Finished => false,
        };
        if self.failure.is_some() {
            return Vec::new();
        }
        let others = self
            .setup
            .committee
            .members()
            .filter(|m| *m != self.setup.me);
        others.filter(missing).collect()
    }

    /// Whether the keys are there (also after they were taken).
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Finished
    }

    /// The keys, once, when the run is finished.
    pub fn take_output(&mut self) -> Option<DkgOutput> {
        self.output.take()
    }

    /// Session, addressing and signature.
    fn authenticate(&self, envelope: &DkgEnvelope) -> Result<(), DkgRefusal> {
        let from = envelope.from;
        if envelope.session != self.setup.session {
            return Err(DkgRefusal::Session);
        }
        let key = self.setup.members.get(from.index());
        let key = key.ok_or(DkgRefusal::Sender { from })?;
        if from == self.setup.me {
            return Err(DkgRefusal::Sender { from });
        }
        let addressed = match envelope.step {
            DkgStep::Commit | DkgStep::Echo => envelope.to.is_none(),
            DkgStep::Share => envelope.to == Some(self.setup.me),
        };
        if !addressed {
            return Err(DkgRefusal::Receiver { from });
        }
        verify_dkg(key, envelope.digest(), &envelope.signature)
            .map_err(|_| DkgRefusal::Signature { from })
    }

    /// Puts an authentic envelope into its slot.
    fn store(&mut self, envelope: DkgEnvelope) -> Result<(), DkgError> {
        let index = envelope.from.index();
        let held = match envelope.step {
            DkgStep::Commit => self
                .commits
                .get(index)
                .and_then(|c| c.as_ref())
                .map(|c| &c.envelope),
            DkgStep::Echo => self.echoes.get(index).and_then(Option::as_ref),
            DkgStep::Share => self.shares.get(index).and_then(Option::as_ref),
        };
        if let Some(held) = held {
            if held.body == envelope.body {
                return Ok(());
            }
            return Err(DkgError::fault(
                envelope.from,
                DkgFault::Contradiction {
                    first: Box::new(held.clone()),
                    second: Box::new(envelope),
                },
            ));
        }
        match envelope.step {
            DkgStep::Commit => {
                let committed = self.read_commit(envelope)?;
                if let Some(slot) = self.commits.get_mut(index) {
                    *slot = Some(committed);
                }
            }
            DkgStep::Echo => {
                if let Some(slot) = self.echoes.get_mut(index) {
                    *slot = Some(envelope);
                }
            }
            DkgStep::Share => {
                if let Some(slot) = self.shares.get_mut(index) {
                    *slot = Some(envelope);
                }
            }
        }
        Ok(())
    }

    /// Does whatever the stored envelopes allow.
    fn advance(&mut self) -> Result<(), DkgError> {
        if self.phase == Phase::Committing && self.waiting_for().is_empty() {
            for suite in &mut self.suites {
                let part = DkgPart::Suite(suite.suite());
                suite
                    .deal()
                    .map_err(|error| error.into_dkg(DkgFault::Proof { part }))?;
            }
            self.phase = Phase::Echoing;
            let echo = self.echo_body();
            self.seal(None, DkgStep::Echo, echo);
        }
        if self.phase == Phase::Echoing && self.waiting_for().is_empty() {
            self.compare_echoes()?;
            self.phase = Phase::Sharing;
            self.send_shares()?;
        }
        if self.phase == Phase::Sharing && self.waiting_for().is_empty() {
            self.output = Some(self.finish()?);
            self.phase = Phase::Finished;
        }
        Ok(())
    }

    /// Signs an envelope and remembers it for members that were not connected.
    fn seal(&mut self, to: Option<MemberId>, step: DkgStep, body: Vec<u8>) -> DkgEnvelope {
        let mut envelope = DkgEnvelope {
            session: self.setup.session,
            from: self.setup.me,
            to,
            step,
            body,
            signature: MemberSignature([0; 64]),
        };
        envelope.signature = self.identity.sign_dkg(envelope.digest());
        self.sent.push(envelope.clone());
        envelope
    }

    /// `setup hash (32) | Diffie-Hellman key (32) | each suite's package | the coin's commitment`.
    fn commit_body(&self) -> Vec<u8> {
        let mut body = self.setup_hash.0.to_vec();
        body.extend_from_slice(&self.channel.public());
        for suite in &self.suites {
            body.extend_from_slice(suite.package());
        }
        body.extend_from_slice(self.deal.package());
        body
    }

    fn read_commit(&mut self, envelope: DkgEnvelope) -> Result<Committed, DkgError> {
        let from = envelope.from;
        let malformed = |part| DkgError::fault(from, DkgFault::Malformed { part });
        let short = |_| malformed(DkgPart::Envelope(DkgStep::Commit));
        let mut reader = Reader::new(&envelope.body);
        let setup = reader.array::<32>("setup hash").map_err(short)?;
        if setup != self.setup_hash.0 {
            return Err(DkgError::fault(from, DkgFault::Setup));
        }
        let dh = reader.array::<32>("DH key").map_err(short)?;
        if !channel::is_key(&dh) {
            return Err(malformed(DkgPart::Envelope(DkgStep::Commit)));
        }
        for suite in &mut self.suites {
            let part = DkgPart::Suite(suite.suite());
            let package = reader
                .take(suite.package().len(), "package")
                .map_err(short)?;
            suite.receive(from, package).map_err(|()| malformed(part))?;
        }
        let coin = reader
            .take(self.deal.package().len(), "coin commitment")
            .map_err(short)?;
        reader.finish().map_err(short)?;
        let coin = CoinCommitment::read(coin).ok_or_else(|| malformed(DkgPart::Coin))?;
        if !coin.proves(self.setup.session, from) {
            let part = DkgPart::Coin;
            return Err(DkgError::fault(from, DkgFault::Proof { part }));
        }
        Ok(Committed { envelope, dh, coin })
    }

    /// Hash and signature of every member's Commit, in member order.
    fn echo_body(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.commits.len().saturating_mul(ECHO_ENTRY_BYTES));
        for commit in self.commits.iter().flatten() {
            body.extend_from_slice(&commit.envelope.body_hash().0);
            body.extend_from_slice(&commit.envelope.signature.0);
        }
        body
    }

    /// Whether everybody received the same Commits as this member.
    fn compare_echoes(&self) -> Result<(), DkgError> {
        for echo in self.echoes.iter().flatten() {
            let part = DkgPart::Envelope(DkgStep::Echo);
            let malformed = DkgError::fault(echo.from, DkgFault::Malformed { part });
            let mut reader = Reader::new(&echo.body);
            for commit in self.commits.iter().flatten() {
                let hash = reader.array::<32>("hash").map_err(|_| malformed.clone())?;
                let signature = reader
                    .array::<64>("signature")
                    .map_err(|_| malformed.clone())?;
                if Digest(hash) != commit.envelope.body_hash() {
                    let other = (Digest(hash), MemberSignature(signature));
                    return Err(self.convict(echo.from, &commit.envelope, other));
                }
            }
            reader.finish().map_err(|_| malformed.clone())?;
        }
        Ok(())
    }

    /// Two members hold different Commits of `held.from`: either it signed both, or the one that says so lies.
    fn convict(
        &self,
        echoed_by: MemberId,
        held: &DkgEnvelope,
        (hash, signature): (Digest, MemberSignature),
    ) -> DkgError {
        let author = held.from;
        let digest = held.digest_with_body(hash);
        let signed = self
            .setup
            .members
            .get(author.index())
            .is_some_and(|key| verify_dkg(key, digest, &signature).is_ok());
        if signed {
            let fault = DkgFault::TwoCommits {
                held: Box::new(held.clone()),
                other_hash: hash,
                other_signature: signature,
            };
            DkgError::fault(author, fault)
        } else {
            DkgError::fault(echoed_by, DkgFault::FalseEcho { about: author })
        }
    }

    /// Encrypts each receiver's evaluations to it.
    fn send_shares(&mut self) -> Result<(), DkgError> {
        let others: Vec<_> = self
            .commits
            .iter()
            .flatten()
            .filter(|c| c.envelope.from != self.setup.me)
            .map(|c| (c.envelope.from, c.dh))
            .collect();
        for (to, key) in others {
            let mut plain = Zeroizing::new(Vec::with_capacity(128));
            for suite in &self.suites {
                let share = suite.share_for(to).ok_or(DkgError::Degenerate)?;
                plain.extend_from_slice(&share);
            }
            plain.extend_from_slice(self.deal.share_for(to).as_ref());
            let body = self
                .channel
                .seal(to, &key, &plain)
                .ok_or(DkgError::Degenerate)?;
            self.seal(Some(to), DkgStep::Share, body);
        }
        Ok(())
    }

    /// Decrypts and checks the shares, and adds everything up.
    fn finish(&mut self) -> Result<DkgOutput, DkgError> {
        let mut coin_secret = Zeroizing::new(self.deal.share_for_self());
        for (commit, share) in self.commits.iter().flatten().zip(&self.shares) {
            let Some(share) = share else { continue };
            let from = share.from;
            let plain = self
                .channel
                .open(from, &commit.dh, &share.body)
                .ok_or_else(|| DkgError::fault(from, DkgFault::Undecryptable))?;
            let part = DkgPart::Envelope(DkgStep::Share);
            let short = |_| DkgError::fault(from, DkgFault::Malformed { part });
            let mut reader = Reader::new(&plain);
            for suite in &mut self.suites {
                let part = DkgPart::Suite(suite.suite());
                let bytes = reader.take(suite.share_bytes(), "share").map_err(short)?;
                suite
                    .accept(from, bytes)
                    .map_err(|()| DkgError::fault(from, DkgFault::Share { part }))?;
            }
            let bytes = reader.take(32, "coin share").map_err(short)?;
            reader.finish().map_err(short)?;
            let part = DkgPart::Coin;
            let value = commit
                .coin
                .check_share(self.setup.me, bytes)
                .ok_or_else(|| DkgError::fault(from, DkgFault::Share { part }))?;
            *coin_secret += *value;
        }
        let (keys, suite_keys) = self.finish_suites()?;
        let (coin, coin_key, coin_shares) = self.finish_coin(&coin_secret)?;
        let transcript = self.transcript();
        Ok(DkgOutput {
            keys,
            coin,
            public: DkgPublic {
                keys: suite_keys,
                coin_key,
                coin_shares,
                transcript,
            },
            transcript,
        })
    }

    fn finish_suites(&mut self) -> Result<(Vec<SigningShare>, Vec<SuiteKeys>), DkgError> {
        let (me, committee) = (self.setup.me, self.setup.committee);
        let mut shares = Vec::new();
        let mut keys = Vec::new();
        for suite in &mut self.suites {
            let part = DkgPart::Suite(suite.suite());
            let (secret, public) = suite
                .finish()
                .map_err(|error| error.into_dkg(DkgFault::Share { part }))?;
            // The way that a start from a key file takes: it checks the own share against the verifying share.
            let decoded =
                SigningPublic::new(committee, &public).map_err(|_| DkgError::Degenerate)?;
            let share = SigningShare::from_secret_bytes(&secret, me, &decoded)
                .map_err(|_| DkgError::Degenerate)?;
            shares.push(share);
            keys.push(public);
        }
        Ok((shares, keys))
    }

    fn finish_coin(
        &self,
        secret: &curve25519_dalek::Scalar,
    ) -> Result<(CoinSecretShare, Digest, Vec<Digest>), DkgError> {
        let (me, committee) = (self.setup.me, self.setup.committee);
        let commitments = self.commits.iter().flatten().map(|c| &c.coin);
        let sum = CoinCommitment::sum(commitments);
        let key = sum.key();
        let verifying: Vec<[u8; 32]> = committee.members().map(|m| sum.verifying(m)).collect();
        let public =
            CoinPublic::new(committee, key, verifying.clone()).map_err(|_| DkgError::Degenerate)?;
        let bytes = Zeroizing::new(secret.to_bytes());
        let share = CoinSecretShare::from_secret_bytes(bytes.as_ref(), me, &public)
            .map_err(|_| DkgError::Degenerate)?;
        let verifying = verifying.into_iter().map(Digest).collect();
        Ok((share, Digest(key), verifying))
    }

    fn transcript(&self) -> Digest {
        let mut bytes = self.setup_hash.0.to_vec();
        for commit in self.commits.iter().flatten() {
            bytes.extend_from_slice(&commit.envelope.body_hash().0);
        }
        sha256(&[b"touchstone/dkg/transcript/1", &bytes])
    }
}

impl fmt::Debug for Dkg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dkg")
            .field("session", &self.setup.session)
            .field("me", &self.setup.me)
            .field("phase", &self.phase)
            .field("waiting_for", &self.waiting_for())
            .field("secrets", &"<redacted>")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
