//! The ROAST coordinator (Ruffing et al. 2022, eprint 2022/550, figure 4) as a sans-IO state machine.
//!
//! As soon as `t` members are ready the coordinator opens a session with them, with one fresh commitment of each. A member
//! is ready again when it has answered, its answer bringing the commitment for its next session. A member that stays silent
//! is stuck in one session, and one whose share is wrong is excluded, so with at most `n - t` faulty members at most
//! `n - t + 1` sessions are opened and one of them is answered by all its signers: no timer is involved.
//!
//! One difference from the figure saves work where nobody lies: a share is not verified when it arrives but, at the latest,
//! before its author is put into another session; a session that is answered by all is aggregated first, and its shares are
//! verified only if that fails. After the first blame every share is verified on arrival. The bound on sessions holds as in
//! the paper, since no member is ever in a second session before its share in the first was found right.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use touchstone_types::MemberId;

/// How shares are verified and added up. Real ones are FROST's ([`crate::FrostScheme`]); a simulator may bring symbols.
pub trait ShareScheme {
    /// A member's commitment for one session.
    type Commitments: Clone + PartialEq;
    /// A member's share in one session.
    type Share: Clone;
    /// What all shares of a session give.
    type Signature;

    /// Whether a share is its author's in the session of these signers. It must agree with [`ShareScheme::aggregate`].
    fn verify_share(
        &self,
        signers: &[(MemberId, Self::Commitments)],
        member: MemberId,
        share: &Self::Share,
    ) -> bool;

    /// Adds up one share of each signer.
    ///
    /// # Errors
    /// Every member whose share is wrong.
    fn aggregate(
        &self,
        signers: &[(MemberId, Self::Commitments)],
        shares: &[(MemberId, Self::Share)],
    ) -> Result<Self::Signature, Vec<MemberId>>;
}

/// Number of a session of one coordinator and one object, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u16);

/// A member that gave a wrong share. It takes no further part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blame {
    /// Who.
    pub member: MemberId,
    /// In which session.
    pub session: SessionId,
}

/// What the coordinator wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoastOutput<C, Z> {
    /// Ask these signers for their shares.
    Session {
        /// The session.
        id: SessionId,
        /// Who signs, with which commitments, in ascending order of member.
        signers: Vec<(MemberId, C)>,
    },
    /// The signature is there; nothing follows.
    Done(Z),
    /// A member lied.
    Blame(Blame),
}

/// The outputs of a coordinator over scheme `S`.
pub type Outputs<S> =
    Vec<RoastOutput<<S as ShareScheme>::Commitments, <S as ShareScheme>::Signature>>;

struct Session<S: ShareScheme> {
    signers: Vec<(MemberId, S::Commitments)>,
    shares: BTreeMap<MemberId, S::Share>,
    /// Authors whose shares were verified one by one.
    verified: BTreeSet<MemberId>,
    closed: bool,
}

/// Collects shares of one object's signature.
pub struct Roast<S: ShareScheme> {
    scheme: S,
    threshold: usize,
    sessions: Vec<Session<S>>,
    /// Members that may be put into a session, with their unused commitments, first come first.
    ready: VecDeque<(MemberId, S::Commitments)>,
    /// The session that each member was put into last.
    last: BTreeMap<MemberId, SessionId>,
    /// Members that owe an answer in their last session.
    pending: BTreeSet<MemberId>,
    excluded: BTreeSet<MemberId>,
    done: bool,
}

impl<S: ShareScheme> Roast<S> {
    /// A coordinator that needs `threshold` signers (at least 1).
    pub fn new(scheme: S, threshold: usize) -> Self {
        Self {
            scheme,
            threshold: threshold.max(1),
            sessions: Vec::new(),
            ready: VecDeque::new(),
            last: BTreeMap::new(),
            pending: BTreeSet::new(),
            excluded: BTreeSet::new(),
            done: false,
        }
    }

    /// A member offers a fresh commitment.
    ///
    /// A member that waits for a session may replace its offer (after a restart its old nonces are gone). The offer of a
    /// member that owes an answer is not taken: it is ready again when it has answered.
    pub fn ready(&mut self, member: MemberId, commitments: S::Commitments) -> Outputs<S> {
        let mut outputs = Vec::new();
        if self.done || self.pending.contains(&member) || self.excluded.contains(&member) {
            return outputs;
        }
        self.offer(member, commitments);
        self.open_sessions(&mut outputs);
        outputs
    }

    /// A member answers in a session, with the commitment for its next one if it has any.
    ///
    /// A repeated, late or unexpected answer changes nothing and is nobody's fault: links send again.
    pub fn share(
        &mut self,
        session: SessionId,
        member: MemberId,
        share: S::Share,
        next: Option<S::Commitments>,
    ) -> Outputs<S> {
        let mut outputs = Vec::new();
        let expected = self.pending.contains(&member) && self.last.get(&member) == Some(&session);
        if self.done || !expected {
            return outputs;
        }
        self.pending.remove(&member);
        if let Some(state) = self.sessions.get_mut(usize::from(session.0)) {
            state.shares.insert(member, share);
        }
        if !self.excluded.is_empty() && !self.vet(member, &mut outputs) {
            return outputs;
        }
        if let Some(next) = next {
            self.offer(member, next);
        }
        self.close(session, &mut outputs);
        self.open_sessions(&mut outputs);
        outputs
    }

    /// How many sessions were opened.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether the signature was given out.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The members that gave wrong shares.
    pub fn excluded(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.excluded.iter().copied()
    }

    /// Queues a commitment, unless the member used it in a session already.
    fn offer(&mut self, member: MemberId, commitments: S::Commitments) {
        let used = self.sessions.iter().any(|s| {
            s.signers
                .iter()
                .any(|(m, c)| *m == member && *c == commitments)
        });
        if used {
            return;
        }
        match self.ready.iter_mut().find(|(m, _)| *m == member) {
            Some((_, old)) => *old = commitments,
            None => self.ready.push_back((member, commitments)),
        }
    }

    /// Aggregates a session that all its signers answered.
    fn close(&mut self, id: SessionId, outputs: &mut Outputs<S>) {
        let Some(session) = self.sessions.get_mut(usize::from(id.0)) else {
            return;
        };
        if session.closed || session.shares.len() < session.signers.len() {
            return;
        }
        session.closed = true;
        let shares: Vec<_> = session
            .shares
            .iter()
            .map(|(m, s)| (*m, s.clone()))
            .collect();
        match self.scheme.aggregate(&session.signers, &shares) {
            Ok(signature) => {
                self.done = true;
                outputs.push(RoastOutput::Done(signature));
            }
            Err(culprits) => {
                // Aggregation named every liar, so the others' shares are right.
                session.verified.extend(session.shares.keys().copied());
                for member in culprits {
                    self.exclude(member, id, outputs);
                }
            }
        }
    }

    /// Opens a session whenever enough vetted members are ready.
    fn open_sessions(&mut self, outputs: &mut Outputs<S>) {
        while !self.done && self.ready.len() >= self.threshold {
            let candidates: Vec<MemberId> = self.ready.iter().map(|(m, _)| *m).collect();
            let mut lied = false;
            for member in candidates.into_iter().take(self.threshold) {
                lied |= !self.vet(member, outputs);
            }
            if lied {
                continue;
            }
            let Ok(number) = u16::try_from(self.sessions.len()) else {
                return;
            };
            let id = SessionId(number);
            let mut signers: Vec<_> = self.ready.drain(..self.threshold).collect();
            signers.sort_by_key(|(member, _)| *member);
            for (member, _) in &signers {
                self.pending.insert(*member);
                self.last.insert(*member, id);
            }
            outputs.push(RoastOutput::Session {
                id,
                signers: signers.clone(),
            });
            self.sessions.push(Session {
                signers,
                shares: BTreeMap::new(),
                verified: BTreeSet::new(),
                closed: false,
            });
        }
    }

    /// Verifies a member's share in its last session, if it was not yet; excludes the member and says false if it is wrong.
    fn vet(&mut self, member: MemberId, outputs: &mut Outputs<S>) -> bool {
        let Some(id) = self.last.get(&member).copied() else {
            return true;
        };
        let Some(session) = self.sessions.get_mut(usize::from(id.0)) else {
            return true;
        };
        let Some(share) = session.shares.get(&member) else {
            return true;
        };
        if session.verified.contains(&member) {
            return true;
        }
        if self.scheme.verify_share(&session.signers, member, share) {
            session.verified.insert(member);
            return true;
        }
        self.exclude(member, id, outputs);
        false
    }

    fn exclude(&mut self, member: MemberId, session: SessionId, outputs: &mut Outputs<S>) {
        if self.excluded.insert(member) {
            self.ready.retain(|(m, _)| *m != member);
            self.pending.remove(&member);
            outputs.push(RoastOutput::Blame(Blame { member, session }));
        }
    }
}

impl<S: ShareScheme> core::fmt::Debug for Roast<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Roast")
            .field("threshold", &self.threshold)
            .field("sessions", &self.sessions.len())
            .field("pending", &self.pending)
            .field("excluded", &self.excluded)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
