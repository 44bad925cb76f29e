//! What a Byzantine member says on top.

use std::sync::Arc;

use touchstone_consensus::{Content, Decision, Draft, Message, Qc, Reply, Signed, Standing};
use touchstone_types::{Digest, MemberSet, MessageKind, Round, View, sha256};

use super::{Behaviour, Emission, Program, Puppet, Shown, bend::complete};

impl Program {
    /// A message came in.
    pub(in super::super) fn receive(&mut self, p: &mut Puppet<'_>, message: &Message) {
        self.intel.see(message);
        let Message::Signed(signed) = message else {
            return;
        };
        let h = signed.header;
        let sender: MemberSet = [h.member].into_iter().collect();
        match &signed.content {
            Content::Obs { .. } if self.does(Behaviour::EarlyTimeout) => {
                self.time_out_early(p, h.round);
            }
            Content::Propose0 { value, .. } | Content::Prepare(value)
                if self.does(Behaviour::PrepareAll) =>
            {
                self.prepare(p, h.round, *value);
            }
            Content::Propose { value, .. } => {
                if self.does(Behaviour::VoteAll) {
                    p.say(
                        sender,
                        h.round,
                        complete(h.view, h.instance, Content::Vote(*value)),
                    );
                }
                if self.does(Behaviour::EarlyCoin) {
                    let to = self.dice.members(p.committee, 500);
                    if let Some(signed) = p.say(to, h.round, Draft::Coin { view: h.view }) {
                        self.intel.see(&Message::Signed(signed));
                    }
                }
            }
            Content::Lock(qc) if self.does(Behaviour::VoteAll) => {
                p.say(
                    sender,
                    h.round,
                    complete(h.view, h.instance, Content::Ack(qc.value)),
                );
            }
            Content::Done(qc) if self.does(Behaviour::FalseDecide) => {
                let qc = Arc::clone(qc);
                self.decide_falsely(p, h.round, qc);
            }
            Content::Ack(value) if self.does(Behaviour::LateLock) => {
                self.show_late_quorum(p, h.round, h.view, *value);
            }
            Content::Coin(_) | Content::Status { .. } => self.show_stashed(p, h.round, h.view),
            _ => {}
        }
    }

    /// What the member's own core gets to see: a core that knows of the decision would take no further part.
    pub(in super::super) fn bowdlerise(&self, message: &Message) -> Option<Shown> {
        if !self.does(Behaviour::Restless) {
            return Some(Shown::Whole);
        }
        if let Message::Signed(signed) = message
            && let Content::Timeout { standing, .. } | Content::Status { standing, .. } =
                &signed.content
            && self.does(Behaviour::LockToOne)
            && standing.lock.is_some_and(|l| l.view == signed.header.view)
        {
            // The core enters the next view without the statement of the one member that got locked.
            return None;
        }
        match message {
            Message::Signed(Signed {
                content: Content::Done(_) | Content::Commit { .. },
                ..
            })
            | Message::Reply {
                reply: Reply::Decide(_) | Reply::Cert(_),
                ..
            } => None,
            Message::Signed(signed) if matches!(signed.content, Content::Status { .. }) => {
                let mut signed = signed.clone();
                if let Content::Status { decided, .. } = &mut signed.content {
                    *decided = None;
                }
                Some(Shown::Part(Box::new(Message::Signed(signed))))
            }
            _ => Some(Shown::Whole),
        }
    }

    /// TIMEOUT without a lock, once in a round.
    fn time_out_early(&mut self, p: &mut Puppet<'_>, round: Round) {
        if self.timed_out.insert(round) {
            let to = self.dice.members(p.committee, 700);
            let content = Content::Timeout {
                standing: Standing::default(),
                proof: None,
            };
            let view = View(0);
            if let Some(signed) = p.say(to, round, Draft::Standing { view, content }) {
                self.intel.see(&Message::Signed(signed));
            }
        }
    }

    /// PREPARE and COMMIT for a value of view 0, whatever was prepared before, each to some members.
    fn prepare(&mut self, p: &mut Puppet<'_>, round: Round, value: Digest) {
        if self.prepared.len() < 100 && self.prepared.insert((round, value)) {
            let to = self.dice.members(p.committee, 600);
            p.say(to, round, complete(View(0), 0, Content::Prepare(value)));
            let to = self.dice.members(p.committee, 600);
            let session = None;
            p.say(to, round, Draft::Commit { value, session });
        }
    }

    /// DECIDE by a quorum of acknowledgements, whoever is elected, once in a view.
    fn decide_falsely(&mut self, p: &mut Puppet<'_>, round: Round, qc: Arc<Qc>) {
        let coins = self.intel.coins.get(&(round, qc.view));
        let coin: Vec<_> = coins.into_iter().flatten().map(|(m, s)| (*m, *s)).collect();
        if self.decided.insert((round, qc.view)) {
            let to = self.dice.members(p.committee, 500);
            let reply = Reply::Decide(Decision { qc, coin });
            p.out.push(Emission::Reply(to, round, reply));
        }
    }

    /// Shows what was kept back, when the program knows that it has been elected: LOCK to all, DONE to one member.
    pub(super) fn show_stashed(&mut self, p: &mut Puppet<'_>, round: Round, view: View) {
        if !self.stashed.contains_key(&(round, view)) {
            return;
        }
        let shares: Vec<_> = self
            .intel
            .coins
            .get(&(round, view))
            .into_iter()
            .flatten()
            .map(|(m, s)| (*m, *s))
            .collect();
        let Some(election) = p.scheme.elect(round, view, &shares) else {
            return;
        };
        for signed in self.stashed.remove(&(round, view)).unwrap_or_default() {
            if election.leader == p.me {
                let to = match signed.content {
                    Content::Done(_) => self.one(p),
                    _ => {
                        self.late.insert(round, view);
                        p.everybody()
                    }
                };
                p.out.push(Emission::Signed(to, Box::new(signed)));
            }
        }
    }

    /// Makes a quorum of acknowledgements that came too late for the core, and shows it to one member.
    fn show_late_quorum(&mut self, p: &mut Puppet<'_>, round: Round, view: View, value: Digest) {
        let acks = self.intel.acks.get(&(round, view, value));
        let acks = acks.cloned().unwrap_or_default();
        if acks.len() != p.committee.quorum() || self.late.get(&round) != Some(&view) {
            return;
        }
        let qc = Qc {
            kind: MessageKind::Ack,
            view,
            instance: p.me.0,
            value,
            signers: acks.keys().copied().collect(),
            signatures: acks.values().copied().collect(),
            extras: Vec::new(),
        };
        let one = self.one(p);
        p.say(
            one,
            round,
            complete(view, p.me.0, Content::Done(Arc::new(qc))),
        );
        if let Some(status) = self.held_status.remove(&(round, view)) {
            let all = p.everybody();
            p.out.push(Emission::Own(Box::new(status.clone())));
            p.out.push(Emission::Signed(all, Box::new(status)));
        }
    }

    /// Whether the program does things of its own accord.
    pub(in super::super) fn acts(&self) -> bool {
        [Behaviour::Flood, Behaviour::Replay, Behaviour::Garbage]
            .iter()
            .any(|b| self.does(*b))
    }

    /// Nothing happened, but the program feels like it.
    pub(in super::super) fn act(&mut self, p: &mut Puppet<'_>, round: Round) {
        if self.will(Behaviour::Flood) {
            self.flood(p, round);
        }
        if self.will(Behaviour::Replay) {
            self.replay(p, round);
        }
        if self.will(Behaviour::Garbage) {
            self.garbage(p, round);
        }
    }

    fn flood(&mut self, p: &mut Puppet<'_>, round: Round) {
        let all = p.everybody();
        let far = Round(round.0 + self.dice.between(1, 40));
        let view = View(u32::try_from(self.dice.between(1, 100)).unwrap_or(1));
        let slot = u32::try_from(self.dice.between(1, 6)).unwrap_or(1);
        match self.dice.below(6) {
            0 => {
                p.say(all, round, Draft::Coin { view });
            }
            1 => {
                let content = Content::Timeout {
                    standing: Standing::default(),
                    proof: None,
                };
                let view = View(0);
                p.say(all, far, Draft::Standing { view, content });
            }
            2 => {
                p.say(
                    all,
                    round,
                    Draft::Ready {
                        coordinator: self.dice.member(p.committee),
                        slot,
                    },
                );
            }
            3 => {
                let value = sha256(&[&self.dice.word().to_be_bytes()]);
                p.out.push(Emission::Reply(
                    all,
                    round,
                    Reply::Fetch {
                        value,
                        have: MemberSet::default(),
                    },
                ));
            }
            4 => p.out.push(Emission::Reply(
                all,
                if self.dice.chance(500) { round } else { far },
                Reply::Want,
            )),
            _ => {
                let again = self
                    .sent
                    .iter()
                    .find(|s| matches!(s.content, Content::Obs { .. }))
                    .cloned();
                if let Some(signed) = again {
                    p.say(all, far, complete(View(0), 0, signed.content));
                }
            }
        }
    }

    /// An old message again, as it was or as one of another view or round.
    fn replay(&mut self, p: &mut Puppet<'_>, round: Round) {
        let Some(old) = self.dice.pick(&self.sent).cloned() else {
            return;
        };
        let to = self.dice.members(p.committee, 600);
        let h = old.header;
        match self.dice.below(3) {
            0 => p.out.push(Emission::Signed(to, Box::new(old))),
            1 => {
                p.say(to, round, complete(h.view, h.instance, old.content));
            }
            _ => {
                p.say(
                    to,
                    h.round,
                    complete(View(h.view.0 + 1), h.instance, old.content),
                );
            }
        }
    }

    fn garbage(&mut self, p: &mut Puppet<'_>, round: Round) {
        let mut bytes = match self.dice.pick(&self.sent) {
            Some(old) if self.dice.chance(700) => old.to_bytes(),
            _ => (0..self.dice.below(200))
                .map(|_| self.dice.word().to_be_bytes()[0])
                .collect(),
        };
        match self.dice.below(3) {
            0 => bytes.truncate(
                usize::try_from(self.dice.below(bytes.len() as u64 + 1)).unwrap_or_default(),
            ),
            1 => bytes.push(0),
            _ => {
                let at = usize::try_from(self.dice.below(bytes.len() as u64)).unwrap_or_default();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.dice.below(8);
                }
            }
        }
        p.out.push(Emission::Bytes(
            self.dice.members(p.committee, 500),
            round,
            bytes,
        ));
        // A certificate with one signer too few.
        if let Some(qc) = self.intel.locks.values().flatten().next() {
            let mut short = (**qc).clone();
            if let Some(first) = short.signers.iter().next() {
                short.signers.remove(first);
                short.signatures.remove(0);
            }
            let (view, me) = (short.view, p.me.0);
            short.instance = me;
            p.say(
                self.dice.members(p.committee, 500),
                round,
                complete(view, me, Content::Lock(Arc::new(short))),
            );
        }
    }
}
