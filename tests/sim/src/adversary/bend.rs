//! Bending what the core says.

use std::sync::Arc;

use touchstone_consensus::{Content, Draft, LockProof, Message, Signed};
use touchstone_types::{MemberSet, NonceCommitments, Round, View, sha256};

use super::{Behaviour, Emission, Program, Puppet};

pub(super) fn complete(view: View, instance: u16, content: Content) -> Draft {
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
                if self.will(Behaviour::FalseReady) {
                    self.offer_falsely(p, &signed);
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
        let honest = p.seal(round, Draft::Standing { view, content })?;
        if self.does(Behaviour::Tires) && view > self.tires_after {
            return Some(honest);
        }
        let mut bent = self.bend_standing(round, view, honest.content.clone());
        if let Content::Timeout { standing, .. } | Content::Status { standing, .. } = &mut bent
            && self.will(Behaviour::BadNonces)
        {
            standing.nonces = no_nonces(&honest);
        }
        if let Content::Status { coin, .. } = &mut bent
            && self.will(Behaviour::BadCoin)
            && let Some((_, share)) = coin.first_mut()
        {
            share.value[31] ^= 1;
        }
        let signed = p.seal(round, complete(view, 0, bent))?;
        self.intel.see(&Message::Signed(signed.clone()));
        if view > View(0) {
            self.show_stashed(p, round, view);
        }
        if self.late.get(&round) == Some(&view) {
            // Not before the acknowledgements are in: with this statement the others would leave the view.
            self.held_status.insert((round, view), signed);
            return None;
        }
        self.emit(p, to, &signed);
        if self.will(Behaviour::EquivocateAny) {
            self.say_otherwise(p, &signed);
        }
        // The core goes on from what others have seen, or its next words would give the lie away.
        Some(signed)
    }

    /// Whether LOCK comes late; once in a round is enough, and from then on the round shall go on.
    fn is_late(&self, round: Round) -> bool {
        self.does(Behaviour::LateLock) && !self.late.contains_key(&round)
    }

    /// Sends a signed message to those that the program picks.
    pub(super) fn emit(&mut self, p: &mut Puppet<'_>, to: MemberSet, signed: &Signed) {
        self.remember(signed);
        let to = self.audience(p, to, signed);
        self.forge(p, to, signed);
        let mut signed = signed.clone();
        if self.will(Behaviour::BadSignature) && self.dice.chance(300) {
            signed.signature.0[0] ^= 1;
        }
        p.out.push(Emission::Signed(to, Box::new(signed)));
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
            self.intel.see(&Message::Signed(signed.clone()));
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
            _ if self.does(Behaviour::Tires) && view > self.tires_after => return Some(honest),
            Content::Lock(_) if self.is_late(round) => return self.stash(honest),
            Content::Lock(_) if self.does(Behaviour::LockToOne) => {
                self.show_lock_to_one(p, &honest);
                return Some(honest);
            }
            // The program has its own way to show this quorum.
            Content::Done(_) if self.late.get(&round) == Some(&view) => return None,
            Content::Done(_) if self.does(Behaviour::LateDone) => {
                self.stash(honest.clone());
                return (!self.does(Behaviour::Restless)).then_some(honest);
            }
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
        let silent = self.does(Behaviour::Restless) && matches!(honest.content, Content::Done(_));
        (!silent).then_some(honest)
    }

    /// LOCK to one member: the one that all conspire against in view 0, the next one in each view after, those that view 0 names as
    /// signers last, up to the view from which on it stays the same.
    fn show_lock_to_one(&mut self, p: &mut Puppet<'_>, signed: &Signed) {
        let signers = self.intel.signers.get(&signed.header.round);
        let signers = signers.copied().unwrap_or_default();
        let mut others: Vec<_> = p.committee.members().filter(|m| *m != p.me).collect();
        others.sort_by_key(|m| (Some(*m) != self.mark, signers.contains(*m)));
        let turn = signed.header.view.min(self.stays_from);
        let turn = usize::try_from(turn.0).unwrap_or_default();
        if let Some(one) = others.iter().cycle().nth(turn) {
            let to = [*one].into_iter().collect();
            p.out.push(Emission::Signed(to, Box::new(signed.clone())));
        }
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
}
