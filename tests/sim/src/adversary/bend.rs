//! Bending what the core says.

use std::sync::Arc;

use touchstone_consensus::{Content, Draft, LockProof, Message, Signed, Value, ValueSession};
use touchstone_types::{Digest, MemberId, MemberSet, NonceCommitments, Round, View, sha256};

use super::{Behaviour, Emission, Program, Puppet};

fn complete(view: View, instance: u16, content: Content) -> Draft {
    Draft::Complete {
        view,
        instance,
        content,
    }
}

/// Shares that are wrong.
fn spoil(shares: &mut [(touchstone_types::Suite, Vec<u8>)]) {
    for byte in shares.iter_mut().filter_map(|(_, bytes)| bytes.first_mut()) {
        *byte ^= 1;
    }
}

/// Commitments of the right length that are none.
fn no_nonces(of: &Signed) -> Vec<NonceCommitments> {
    let given = match &of.content {
        Content::Ready(nonces) | Content::Commit { nonces, .. } => nonces,
        Content::Timeout { standing, .. } | Content::Status { standing, .. } => &standing.nonces,
        _ => return Vec::new(),
    };
    let spoilt = given.iter().map(|n| NonceCommitments {
        suite: n.suite,
        bytes: vec![0xee; n.bytes.len()],
    });
    spoilt.collect()
}

impl Program {
    /// A message that the core wants sent. Returns what the core gets to see of it.
    pub(in super::super) fn send(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        draft: Draft,
    ) -> Option<Signed> {
        match draft {
            Draft::Coin { view } => self.coin(p, to, round, view),
            Draft::Share { .. } => self.share(p, to, round, draft),
            Draft::Complete {
                view,
                instance,
                content,
            } => self.complete(p, to, round, view, instance, content),
            Draft::Standing { view, content } => self.standing(p, to, round, view, content),
            Draft::Commit { .. } => self.commit(p, to, round, draft),
            Draft::Ready { coordinator, slot } => {
                let signed = p.seal(round, draft.clone())?;
                if self.will(Behaviour::BadNonces) {
                    let content = Content::Ready(no_nonces(&signed));
                    return p.say(to, round, complete(View(slot), coordinator.0, content));
                }
                self.emit(p, to, &signed);
                if self.will(Behaviour::EquivocateAny) {
                    p.say(to, round, draft);
                }
                Some(signed)
            }
        }
    }

    /// COMMIT, with or without a share, or not at all.
    fn commit(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        draft: Draft,
    ) -> Option<Signed> {
        let honest = p.seal(round, draft)?;
        if self.will(Behaviour::WithholdCommit) {
            return None;
        }
        let mut content = honest.content.clone();
        if let Content::Commit { share, nonces, .. } = &mut content {
            if self.will(Behaviour::WithholdShare) {
                *share = None;
            }
            if let Some(share) = share
                && self.will(Behaviour::BadShare)
            {
                spoil(&mut share.shares);
            }
            if self.will(Behaviour::BadNonces) {
                *nonces = no_nonces(&honest);
            }
        }
        let signed = p.seal(round, complete(View(0), 0, content))?;
        self.emit(p, to, &signed);
        if self.will(Behaviour::EquivocateAny) {
            self.say_otherwise(p, &signed);
        }
        Some(signed)
    }

    /// TIMEOUT or STATUS.
    fn standing(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        view: View,
        content: Content,
    ) -> Option<Signed> {
        let honest = p.seal(
            round,
            Draft::Standing {
                view,
                content,
            },
        )?;
        if self.does(Behaviour::Tires) && view > View(2) {
            return Some(honest);
        }
        let mut bent = self.bend_standing(round, view, honest.content.clone());
        if let Content::Timeout { standing, .. } | Content::Status { standing, .. } = &mut bent
            && self.will(Behaviour::BadNonces)
        {
            standing.nonces = no_nonces(&honest);
        }
        let signed = p.seal(round, complete(view, 0, bent))?;
        self.intel.see(&Message::Signed(signed.clone()));
        self.emit(p, to, &signed);
        if self.will(Behaviour::EquivocateAny) {
            self.say_otherwise(p, &signed);
        }
        Some(honest)
    }

    /// Sends a signed message to those that the program picks.
    fn emit(&mut self, p: &mut Puppet<'_>, to: MemberSet, signed: &Signed) {
        self.remember(signed);
        let to = self.audience(p, to, signed);
        p.out.push(Emission::Signed(to, Box::new(signed.clone())));
    }

    fn coin(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        view: View,
    ) -> Option<Signed> {
        let signed = p.seal(round, Draft::Coin { view })?;
        if self.will(Behaviour::BadCoin) {
            if let Content::Coin(mut share) = signed.content {
                share.value[31] ^= 1;
                p.say(to, round, complete(view, 0, Content::Coin(share)));
            }
        } else if !self.will(Behaviour::WithholdCoin) {
            self.emit(p, to, &signed);
        }
        Some(signed)
    }

    fn share(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        draft: Draft,
    ) -> Option<Signed> {
        if self.will(Behaviour::WithholdShare) {
            return None;
        }
        let mut signed = p.seal(round, draft)?;
        if self.will(Behaviour::BadShare)
            && let Content::Share(share) = &mut signed.content
        {
            spoil(&mut share.shares);
            let (view, instance) = (signed.header.view, signed.header.instance);
            return p.say(to, round, complete(view, instance, signed.content));
        }
        self.emit(p, to, &signed);
        Some(signed)
    }

    fn complete(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        round: Round,
        view: View,
        instance: u16,
        content: Content,
    ) -> Option<Signed> {
        let honest = p.seal(round, complete(view, instance, content.clone()))?;
        let bent = match content {
            Content::Propose { .. } => return self.propose(p, to, &honest),
            Content::Propose0 { .. } => return self.propose_0(p, to, &honest),
            Content::Vote(_) => content,
            _ if self.does(Behaviour::Tires) && view > View(2) => return Some(honest),
            Content::Lock(_) if self.does(Behaviour::LateLock) => return self.stash(honest),
            Content::Done(_) if self.does(Behaviour::LateDone) => return self.stash(honest),
            Content::SignReq { .. }
                if self.will(Behaviour::DropSessions) && self.dice.chance(500) =>
            {
                return Some(honest);
            }
            Content::SignReq { .. } => {
                if self.will(Behaviour::BadRequest) {
                    let next = View(view.0 + 1);
                    p.say(to, round, complete(next, instance, content.clone()));
                }
                content
            }
            other => other,
        };
        let signed = p.seal(round, complete(view, instance, bent))?;
        self.intel.see(&Message::Signed(signed.clone()));
        self.emit(p, to, &signed);
        if self.will(Behaviour::EquivocateAny) {
            self.say_otherwise(p, &signed);
        }
        Some(honest)
    }

    fn bend_standing(&mut self, round: Round, view: View, content: Content) -> Content {
        if let Content::Timeout {
            mut standing,
            proof,
        } = content
        {
            if !self.will(Behaviour::HideLock) {
                return Content::Timeout { standing, proof };
            }
            standing.lock = None;
            return Content::Timeout {
                standing,
                proof: None,
            };
        }
        let Content::Status {
            mut standing,
            mut proof,
            mut decided,
            coin,
        } = content
        else {
            return content;
        };
        if self.will(Behaviour::HideLock) {
            (standing.lock, proof, decided) = (None, None, None);
        } else if self.will(Behaviour::FalseLock)
            && let Some(qc) = self
                .intel
                .locks
                .get(&(round, view))
                .and_then(|l| self.dice.pick(l))
        {
            standing.lock = Some(qc.lock());
            proof = Some(LockProof {
                qc: Arc::clone(qc),
                coin: coin.clone().into(),
            });
            decided = None;
        }
        Content::Status {
            standing,
            proof,
            decided,
            coin,
        }
    }

    /// Keeps a message for the moment when the program knows who leads.
    fn stash(&mut self, signed: Signed) -> Option<Signed> {
        let place = (signed.header.round, signed.header.view);
        self.stashed.entry(place).or_default().push(signed.clone());
        Some(signed)
    }

    /// Another body for a slot that is taken.
    fn say_otherwise(&mut self, p: &mut Puppet<'_>, signed: &Signed) {
        let h = signed.header;
        let content = match &signed.content {
            Content::Prepare(_) => Content::Prepare(sha256(&[b"other"])),
            Content::Vote(_) => Content::Vote(sha256(&[b"other"])),
            Content::Ack(_) => Content::Ack(sha256(&[b"other"])),
            Content::Commit { nonces, share, .. } => Content::Commit {
                value: sha256(&[b"other"]),
                nonces: nonces.clone(),
                share: share.clone(),
            },
            Content::Timeout { standing, proof } => {
                let mut standing = standing.clone();
                standing.nonces = no_nonces(signed);
                Content::Timeout {
                    standing,
                    proof: proof.clone(),
                }
            }
            Content::Status {
                coin,
                standing,
                proof,
                decided,
            } => {
                let mut standing = standing.clone();
                standing.nonces = no_nonces(signed);
                Content::Status {
                    standing,
                    proof: proof.clone(),
                    decided: decided.clone(),
                    coin: coin.clone(),
                }
            }
            Content::SignReq { session, signers } => {
                let mut signers = signers.clone();
                if let Some(last) = signers.last_mut() {
                    last.slot += 1;
                }
                Content::SignReq {
                    session: *session,
                    signers,
                }
            }
            _ => return,
        };
        let to = self.dice.members(p.committee, 700);
        p.say(to, h.round, complete(h.view, h.instance, content));
    }

    /// PROPOSE0, with other values and sessions where the program likes.
    fn propose_0(&mut self, p: &mut Puppet<'_>, to: MemberSet, honest: &Signed) -> Option<Signed> {
        let round = honest.header.round;
        let tag = p.tag;
        let content = |list: Arc<Value>| Content::Propose0 {
            value: list.hash(tag, round),
            list,
        };
        let mut first = honest.clone();
        if self.will(Behaviour::BadSession)
            && let Content::Propose0 { list, .. } = &honest.content
        {
            let mut list = Value::clone(list);
            self.spoil_session(p, &mut list);
            let bad = complete(View(0), 0, content(Arc::new(list)));
            first = p.seal(round, bad)?;
        }
        let mut to = to;
        if self.will(Behaviour::EquivocatePropose)
            && let Some(mut list) = self.some_value(p, round)
        {
            if let Content::Propose0 { list: first, .. } = &first.content
                && self.dice.chance(500)
            {
                list.session = first.session;
            }
            let some = self.dice.members(p.committee, 500);
            let second = p.seal(round, complete(View(0), 0, content(Arc::new(list))))?;
            self.intel.see(&Message::Signed(second.clone()));
            self.remember(&second);
            let all = self.dice.chance(300);
            p.out.push(Emission::Signed(
                if all { to } else { some },
                Box::new(second),
            ));
            if !all || self.dice.chance(500) {
                to = MemberSet(to.0 & !some.0);
            }
        }
        self.intel.see(&Message::Signed(first.clone()));
        self.emit(p, to, &first);
        Some(first)
    }

    /// Another session for a value: none, one of other signers, or one that nobody knows.
    fn spoil_session(&mut self, p: &Puppet<'_>, list: &mut Value) {
        let view = list.session.map_or(View(0), |s| s.view);
        let mut members: Vec<_> = list.contributors.iter().map(|(m, _)| *m).collect();
        self.dice.shuffle(&mut members);
        let signers = members.into_iter();
        list.session = self.dice.chance(800).then(|| ValueSession {
            view,
            signers: signers.take(p.committee.signing_threshold()).collect(),
            digest: list
                .session
                .filter(|_| self.dice.chance(500))
                .map_or(Digest([7; 32]), |s| s.digest),
        });
    }

    /// PROPOSE, by other statements and with other values where the program likes.
    fn propose(&mut self, p: &mut Puppet<'_>, to: MemberSet, honest: &Signed) -> Option<Signed> {
        let (round, view) = (honest.header.round, honest.header.view);
        let mut first = honest.clone();
        if self.will(Behaviour::LowTc)
            && let Some(content) = self.low_proposal(p, round, view, honest)
        {
            first = p.seal(round, complete(view, p.me.0, content))?;
        }
        let mut to = to;
        if self.will(Behaviour::EquivocatePropose)
            && let Some(second) = self.other_proposal(p, round, &first)
        {
            let some = self.dice.members(p.committee, 500);
            let second = p.seal(round, complete(view, p.me.0, second))?;
            p.out.push(Emission::Signed(
                if self.dice.chance(500) { to } else { some },
                Box::new(second),
            ));
            if self.dice.chance(500) {
                to = MemberSet(to.0 & !some.0);
            }
        }
        self.emit(p, to, &first);
        Some(first)
    }

    fn low_proposal(
        &mut self,
        p: &Puppet<'_>,
        round: Round,
        view: View,
        honest: &Signed,
    ) -> Option<Content> {
        let left = View(view.0.checked_sub(1)?);
        let (tc, proof) = self.intel.lowest_tc(p.committee, round, left)?;
        let (value, list) = match tc.highest_lock() {
            Some(lock) => (lock.value, None),
            None => {
                let list = match &honest.content {
                    Content::Propose {
                        list: Some(list), ..
                    } => Arc::clone(list),
                    _ => Arc::new(self.some_value(p, round)?),
                };
                (list.hash(p.tag, round), Some(list))
            }
        };
        Some(Content::Propose {
            value,
            list,
            tc: Arc::new(tc),
            proof,
        })
    }

    fn other_proposal(&mut self, p: &Puppet<'_>, round: Round, first: &Signed) -> Option<Content> {
        let Content::Propose {
            tc,
            proof,
            list: Some(_),
            ..
        } = &first.content
        else {
            return None;
        };
        let list = Arc::new(self.some_value(p, round)?);
        let value = list.hash(p.tag, round);
        Some(Content::Propose {
            value,
            list: Some(list),
            tc: Arc::clone(tc),
            proof: proof.clone(),
        })
    }

    /// Any value over a random quorum or more of the observations that the program knows of.
    fn some_value(&mut self, p: &Puppet<'_>, round: Round) -> Option<Value> {
        let known = self.intel.observations.get(&round)?;
        let mut members: Vec<MemberId> = known.keys().copied().collect();
        self.dice.shuffle(&mut members);
        let most = self
            .dice
            .between(p.committee.quorum() as u64, u64::from(p.committee.n()));
        members.truncate(usize::try_from(most).unwrap_or_default());
        members.sort_unstable();
        let entry = |m: MemberId| Some((m, *self.dice.pick(known.get(&m)?)?));
        let contributors = members.into_iter().map(entry).collect::<Option<Vec<_>>>()?;
        (contributors.len() >= p.committee.quorum()).then_some(Value {
            contributors,
            session: None,
        })
    }
}
