//! Proposals of Byzantine members.

use std::sync::Arc;

use touchstone_consensus::{Content, Message, Signed, Value, ValueSession};
use touchstone_types::{Digest, MemberId, MemberSet, Round, View};

use super::{Behaviour, Emission, Program, Puppet, bend::complete};

impl Program {
    /// PROPOSE0, with other values and sessions where the program likes.
    pub(super) fn propose_0(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        honest: &Signed,
    ) -> Option<Signed> {
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
    pub(super) fn propose(
        &mut self,
        p: &mut Puppet<'_>,
        to: MemberSet,
        honest: &Signed,
    ) -> Option<Signed> {
        let (round, view) = (honest.header.round, honest.header.view);
        let mut first = honest.clone();
        if self.will(Behaviour::LowTc)
            && let Some(content) = self.low_proposal(p, round, view, honest)
        {
            first = p.seal(round, complete(view, p.me.0, content))?;
        }
        if self.will(Behaviour::BadSession) {
            first = self.with_bad_session(p, first)?;
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

    /// The same proposal of a new value, with a session that is not that of its observations.
    fn with_bad_session(&mut self, p: &mut Puppet<'_>, honest: Signed) -> Option<Signed> {
        let h = honest.header;
        let Content::Propose {
            list: Some(list),
            tc,
            proof,
            ..
        } = &honest.content
        else {
            return Some(honest);
        };
        let mut list = Value::clone(list);
        self.spoil_session(p, &mut list);
        let content = Content::Propose {
            value: list.hash(p.tag, h.round),
            list: Some(Arc::new(list)),
            tc: Arc::clone(tc),
            proof: proof.clone(),
        };
        p.seal(h.round, complete(h.view, h.instance, content))
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
