//! What the Byzantine member can say: everything that its own key and what honest members sent allow it to.
//!
//! It sees every letter of honest members, to whomever it was sent. Certificates and sets of statements that say the same come in
//! one edition: with the Byzantine signature and those of the honest members with the lowest numbers.

mod proofs;

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use touchstone_consensus::{
    Content, Decision, Lock, LockProof, Message, Reply, Rules, Standing, Tc, To, Value,
    ValueSession,
};
use touchstone_types::{
    Contribution, Digest, MemberId, MemberSet, MemberSignature, MessageKind, Report, SessionSigner,
    SignedObservation, SigningSession, View,
};

use crate::{
    letter::{Kind, Letter, LetterId},
    symbols,
    world::{BYZANTINE, HONEST, State, World},
};

type Letters = [(LetterId, Arc<Letter>)];

/// A member's statement at the end of a view.
#[derive(Clone)]
struct Statement {
    member: MemberId,
    standing: Standing,
    signature: MemberSignature,
    proof: Option<LockProof>,
}

/// The right to enter a view, with the proof of the highest lock in it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) lock: Option<Lock>,
    pub(crate) tc: Arc<Tc>,
    proof: Option<LockProof>,
    /// The Byzantine statement in it, as a letter.
    pub(crate) own: Option<LetterId>,
}

impl<R: Rules> World<R> {
    /// Everything that the Byzantine member can say now, up to the highest view that is explored.
    pub(crate) fn says(&mut self, state: State) -> Rc<[LetterId]> {
        let soup = self.soup(state);
        if let Some(known) = self.says.get(&soup) {
            return Rc::clone(known);
        }
        let letters = self.letters(state);
        let mut out = self.says_in_view_0(state, &letters);
        for view in (1..=self.config.views).map(View) {
            if !self.says_in_view(state, &letters, view, &mut out) {
                break;
            }
        }
        for (_, decision) in self.decisions(state, &letters) {
            out.push(self.show(decision));
        }
        for (_, letter) in letters.iter() {
            out.extend(self.serve(&letters, letter));
        }
        out.sort_unstable();
        out.dedup();
        let out: Rc<[LetterId]> = out.into();
        self.says.insert(soup, Rc::clone(&out));
        out
    }

    fn say(&mut self, to: To, view: View, instance: u16, content: Content) -> LetterId {
        let signed = self.sign(view, instance, content);
        self.post.letter(BYZANTINE, to, Message::Signed(signed))
    }

    fn reply(&mut self, to: To, reply: Reply) -> LetterId {
        let round = self.round;
        let from = BYZANTINE;
        self.post
            .letter(from, to, Message::Reply { from, round, reply })
    }

    /// A DECIDE for everybody.
    pub(crate) fn show(&mut self, decision: Decision) -> LetterId {
        self.reply(To::All, Reply::Decide(decision))
    }

    fn says_in_view_0(&mut self, state: State, letters: &Letters) -> Vec<LetterId> {
        let mut out = Vec::new();
        if self.config.byzantine_leads {
            out.extend(self.proposals_0(letters));
        }
        for value in self.values_0(letters) {
            out.push(self.say(To::All, View(0), 0, Content::Prepare(value)));
            out.push(self.badly_signed_prepare(value));
            out.push(self.own_commit(value));
        }
        let statements = self.own_statements(state, letters, View(0));
        out.extend(statements.into_iter().map(|(id, _)| id));
        out
    }

    /// A PREPARE that only a member which checks no signature counts.
    fn badly_signed_prepare(&mut self, value: Digest) -> LetterId {
        let mut signed = self.sign(View(0), 0, Content::Prepare(value));
        signed.signature = MemberSignature([0; 64]);
        self.post
            .letter(BYZANTINE, To::All, Message::Signed(signed))
    }

    /// The values that may be prepared in view 0.
    pub(crate) fn values_0(&mut self, letters: &Letters) -> Vec<Digest> {
        let ids = if self.config.byzantine_leads {
            self.proposals_0(letters)
        } else {
            let ids = letters.iter().map(|(id, _)| *id);
            ids.filter(|id| self.post.get(*id).is(MessageKind::Propose0, View(0)))
                .collect()
        };
        ids.into_iter()
            .filter_map(|id| self.post.get(id).value)
            .collect()
    }

    /// Two proposals for view 0: the observations of the honest members, and those with its own. All honest members shall sign.
    pub(crate) fn proposals_0(&mut self, letters: &Letters) -> Vec<LetterId> {
        let mut out = Vec::new();
        for with_own in [false, true] {
            let nonces = Self::of_kind(letters, MessageKind::Obs, View(0));
            let nonces = nonces.iter().filter_map(|(_, l)| match &l.message {
                Message::Signed(signed) => match &signed.content {
                    Content::Obs { observation, .. } => Some((l.from, observation.nonces.clone())),
                    _ => None,
                },
                Message::Reply { .. } => None,
            });
            let nonces = nonces.collect();
            let Some((value, list)) = self.new_value(letters, View(0), nonces, with_own) else {
                continue;
            };
            let name = if with_own { "B" } else { "A" };
            self.post.call(value, &list, name);
            out.push(self.say(To::All, View(0), 0, Content::Propose0 { value, list }));
        }
        out
    }

    fn observations(&self, letters: &Letters, with_own: bool) -> Vec<SignedObservation> {
        let obs = Self::of_kind(letters, MessageKind::Obs, View(0));
        let honest = obs.iter().filter_map(|(_, l)| match &l.message {
            Message::Signed(signed) => signed.observation(),
            Message::Reply { .. } => None,
        });
        // The last body is one that no honest member was given.
        let own = self.bodies.last().filter(|_| with_own);
        let mut all: Vec<_> = honest.chain(own.and_then(|o| o.observation())).collect();
        all.sort_by_key(|o| o.header.member);
        all
    }

    /// A value of the Byzantine member's, to be signed by the first of those with nonces.
    fn new_value(
        &mut self,
        letters: &Letters,
        view: View,
        nonces: Vec<(MemberId, Vec<touchstone_types::NonceCommitments>)>,
        with_own: bool,
    ) -> Option<(Digest, Arc<Value>)> {
        let key = (view, nonces, with_own);
        if let Some(known) = self.own_values.get(&key) {
            return Some(known.clone());
        }
        let held = self.observations(letters, with_own);
        let decoded: Vec<_> = held
            .iter()
            .filter_map(|o| touchstone_types::Observation::from_bytes(&o.body).ok())
            .collect();
        let contributions: Vec<_> = held
            .iter()
            .zip(&decoded)
            .map(|(o, observation)| Contribution {
                header: &o.header,
                body: &o.body,
                observation,
            })
            .collect();
        let report = Report::compute(&self.terms, self.round, &contributions).ok()?;
        let threshold = self.members.rules.signing_threshold(self.committee());
        let signers = key.1.iter().take(threshold).cloned();
        let session = SigningSession {
            statement: report.statement,
            signers: signers
                .map(|(member, nonces)| SessionSigner { member, nonces })
                .collect(),
        };
        let list = Value {
            contributors: held
                .iter()
                .map(|o| (o.header.member, o.header.body_hash))
                .collect(),
            session: Some(ValueSession {
                view,
                signers: session.signers.iter().map(|s| s.member).collect(),
                digest: session.digest(),
            }),
        };
        let made = (list.hash(self.tag, self.round), Arc::new(list));
        self.own_values.insert(key, made.clone());
        Some(made)
    }

    fn own_commit(&mut self, value: Digest) -> LetterId {
        let nonces = symbols::commitments(BYZANTINE, 1_000);
        let share = None;
        let content = Content::Commit {
            value,
            nonces,
            share,
        };
        self.say(To::All, View(0), 0, content)
    }

    /// What the Byzantine member may state at the end of a view: no lock, or any that it can prove.
    fn own_statements(
        &mut self,
        state: State,
        letters: &Letters,
        view: View,
    ) -> Vec<(LetterId, Statement)> {
        let proofs = self.locks(state, letters, view).into_iter().map(Some);
        let coin = self.coin(letters, view);
        let mut out = Vec::new();
        for proof in [None].into_iter().chain(proofs) {
            let standing = Standing {
                lock: proof.as_ref().map(LockProof::lock),
                nonces: symbols::commitments(BYZANTINE, u64::from(view.0) + 1),
            };
            let content = if view == View(0) {
                Content::Timeout {
                    standing: standing.clone(),
                    proof: proof.clone(),
                }
            } else if let Some(coin) = &coin {
                Content::Status {
                    standing: standing.clone(),
                    proof: proof.clone(),
                    decided: None,
                    coin: coin.clone(),
                }
            } else {
                break;
            };
            let signed = self.sign(view, 0, content);
            let statement = Statement {
                member: BYZANTINE,
                standing,
                signature: signed.signature,
                proof,
            };
            let id = self
                .post
                .letter(BYZANTINE, To::All, Message::Signed(signed));
            out.push((id, statement));
        }
        out
    }

    /// All ways to enter the view after this one, one for each highest lock: with as many honest statements as possible.
    pub(crate) fn entries(&mut self, state: State, letters: &Letters, view: View) -> Vec<Entry> {
        let kind = if view == View(0) {
            MessageKind::Timeout
        } else {
            MessageKind::Status
        };
        let honest: Vec<Statement> = letters
            .iter()
            .filter(|(_, l)| l.is(kind, view))
            .filter_map(|(_, l)| statement(l))
            .collect();
        let own = self.own_statements(state, letters, view);
        let own: Vec<_> = own.into_iter().map(|(id, s)| (Some(id), Some(s))).collect();
        let quorum = self.members.rules.quorum(self.committee());
        let mut out: BTreeMap<Option<Lock>, Entry> = BTreeMap::new();
        for (own, byzantine) in [(None, None)].into_iter().chain(own) {
            let needed = quorum - usize::from(byzantine.is_some());
            // Subsets in the order of their bits, so that low numbers come first.
            for subset in 0u32..1 << HONEST {
                let chosen = honest
                    .iter()
                    .filter(|s| subset & (1 << s.member.0) != 0)
                    .chain(&byzantine);
                let chosen: Vec<_> = chosen.cloned().collect();
                let size = usize::try_from(subset.count_ones()).unwrap_or(usize::MAX);
                if size != needed || chosen.len() != quorum {
                    continue;
                }
                let lock = chosen.iter().filter_map(|s| s.standing.lock).max();
                let proof = chosen.iter().find(|s| s.standing.lock == lock);
                let proof = proof
                    .and_then(|s| s.proof.clone())
                    .filter(|_| lock.is_some());
                let tc = Tc {
                    view,
                    standings: chosen
                        .iter()
                        .map(|s| (s.member, s.standing.clone(), s.signature))
                        .collect(),
                };
                out.entry(lock).or_insert_with(|| Entry {
                    lock,
                    tc: Arc::new(tc),
                    proof,
                    own,
                });
            }
        }
        out.into_values().collect()
    }

    /// The Byzantine member's proposal by this right.
    pub(crate) fn proposal(&mut self, letters: &Letters, entry: &Entry) -> Option<LetterId> {
        let view = entry.tc.view.next();
        let (value, list) = match entry.lock {
            Some(lock) => (lock.value, None),
            None => {
                let nonces = entry.tc.standings.iter();
                let nonces = nonces.map(|(m, s, _)| (*m, s.nonces.clone())).collect();
                let (value, list) = self.new_value(letters, view, nonces, true)?;
                let by: Vec<_> = entry
                    .tc
                    .standings
                    .iter()
                    .map(|(m, ..)| m.to_string())
                    .collect();
                let name = format!("v{view}.{BYZANTINE}[{}]", by.join(""));
                self.post.call(value, &list, &name);
                (value, Some(list))
            }
        };
        let content = Content::Propose {
            value,
            list,
            tc: Arc::clone(&entry.tc),
            proof: entry.proof.clone(),
        };
        Some(self.say(To::All, view, BYZANTINE.0, content))
    }

    /// The Byzantine member's vote or acknowledgement, to the proposer.
    pub(crate) fn vote(
        &mut self,
        kind: MessageKind,
        view: View,
        to: MemberId,
        value: Digest,
    ) -> LetterId {
        let content = match kind {
            MessageKind::Vote => Content::Vote(value),
            _ => Content::Ack(value),
        };
        self.say(To::One(to), view, to.0, content)
    }

    /// The Byzantine member's LOCK or DONE, one for each value that has the votes.
    pub(crate) fn shows(
        &mut self,
        letters: &Letters,
        kind: MessageKind,
        view: View,
    ) -> Vec<LetterId> {
        let of = if kind == MessageKind::Lock {
            MessageKind::Vote
        } else {
            MessageKind::Ack
        };
        let certificates = self.certificates(letters, of, view, BYZANTINE);
        let mut out = Vec::new();
        for qc in certificates {
            let content = if kind == MessageKind::Lock {
                Content::Lock(qc)
            } else {
                Content::Done(qc)
            };
            out.push(self.say(To::All, view, BYZANTINE.0, content));
        }
        out
    }

    /// The Byzantine member's share of a coin.
    pub(crate) fn coin_letter(&mut self, view: View) -> LetterId {
        let share = self.own_coin(view);
        self.say(To::All, view, 0, Content::Coin(share))
    }

    /// What can be said in a view above 0; nothing, if nobody can be there yet.
    fn says_in_view(
        &mut self,
        state: State,
        letters: &Letters,
        view: View,
        out: &mut Vec<LetterId>,
    ) -> bool {
        let entries = self.entries(state, letters, View(view.0 - 1));
        if entries.is_empty() {
            return false;
        }
        for entry in &entries {
            out.extend(self.proposal(letters, entry));
        }
        let mine = letters.iter().filter(|(_, l)| l.view == view).cloned();
        for (_, letter) in mine.collect::<Vec<_>>() {
            let Some(value) = letter.value else { continue };
            if letter.is(MessageKind::Propose, view) {
                out.push(self.vote(MessageKind::Vote, view, letter.from, value));
            } else if letter.is(MessageKind::Lock, view) {
                out.push(self.vote(MessageKind::Ack, view, letter.from, value));
            }
        }
        out.extend(self.shows(letters, MessageKind::Lock, view));
        out.extend(self.shows(letters, MessageKind::Done, view));
        out.push(self.coin_letter(view));
        let statements = self.own_statements(state, letters, view);
        out.extend(statements.into_iter().map(|(id, _)| id));
        true
    }

    /// The answer to a FETCH that asks the Byzantine member.
    pub(crate) fn serve(&mut self, letters: &Letters, asked: &Letter) -> Option<LetterId> {
        let (Message::Reply { reply, .. }, Kind::Fetch) = (&asked.message, asked.kind) else {
            return None;
        };
        let Reply::Fetch { value, have } = reply else {
            return None;
        };
        let list = Arc::clone(self.post.value(*value)?);
        let own = self
            .bodies
            .iter()
            .filter_map(touchstone_consensus::Signed::observation);
        let all = self.observations(letters, false).into_iter().chain(own);
        let named = |o: &SignedObservation| {
            let entry = (o.header.member, o.header.body_hash);
            list.contributors.contains(&entry) && !have.contains(o.header.member)
        };
        let mut observations: Vec<_> = all.filter(named).collect();
        observations.sort_by_key(|o| o.header.member);
        let to: MemberSet = [asked.from].into_iter().collect();
        Some(self.reply(To::Set(to), Reply::Value { list, observations }))
    }
}

fn statement(letter: &Letter) -> Option<Statement> {
    let Message::Signed(signed) = &letter.message else {
        return None;
    };
    let (Content::Timeout { standing, proof }
    | Content::Status {
        standing, proof, ..
    }) = &signed.content
    else {
        return None;
    };
    Some(Statement {
        member: letter.from,
        standing: standing.clone(),
        signature: signed.signature,
        proof: proof.clone(),
    })
}
