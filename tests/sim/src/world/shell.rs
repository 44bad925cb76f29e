//! The shell of each member: what becomes of the effects that its core asks for.

use std::collections::VecDeque;

use touchstone_consensus::{
    Draft, Effect, Input, Message, Now, Signed, To, keys, keys::ShareError,
};
use touchstone_types::{FeedObservation, MemberId, MemberSet, Round, Status};

use super::{
    super::{
        adversary::{Emission, Program, Puppet},
        check::Property,
        committee::FEEDS,
        letter::Letter,
        plan::Role,
        post::Event,
    },
    World,
};

/// How often Byzantine members act of their own accord, together.
const ACTS_MAX: u64 = 150;

impl World<'_> {
    pub(super) fn carry_out(
        &mut self,
        member: MemberId,
        now: Now,
        effect: Effect,
        inputs: &mut VecDeque<Input>,
    ) {
        let node = &mut self.nodes[member.index()];
        match effect {
            Effect::PersistFence(round) => node.fence = node.fence.max(round),
            Effect::Observe(round) => self.observe(member, now, round, inputs),
            Effect::Send { to, round, draft } => self.send(member, to, round, draft, inputs),
            Effect::Reply { to, round, reply } => {
                let to = self.expand(to);
                if self.nodes[member.index()].is_byzantine() {
                    self.puppet(member, |program, puppet| {
                        program.reply(puppet, to, round, reply);
                    });
                } else {
                    let message = Message::Reply {
                        from: member,
                        round,
                        reply,
                    };
                    self.post_letter(member, to, message);
                }
            }
            Effect::Publish(attestation) => {
                let at = self.post.now_us();
                node.signed_us
                    .entry(attestation.statement.round)
                    .or_insert(at);
                self.say(member, "publishes");
            }
            Effect::Closed(round, closing) => {
                node.closed.entry(round).or_insert(closing);
                node.release(round);
                node.keys.forget(round);
                let at = self.post.now_us();
                let reached = self.views[member.index()].remove(&round);
                if self.trace {
                    println!(
                        "{at:>9} {member:>3} closes round {round} in view {reached:?}: {closing:?}"
                    );
                }
            }
        }
    }

    fn expand(&self, to: To) -> MemberSet {
        self.plan
            .committee
            .members()
            .filter(|m| to.includes(*m))
            .collect()
    }

    fn send(
        &mut self,
        member: MemberId,
        to: To,
        round: Round,
        draft: Draft,
        inputs: &mut VecDeque<Input>,
    ) {
        let everyone = self.expand(to);
        let coin = matches!(draft, Draft::Coin { .. });
        let signed = if self.nodes[member.index()].is_byzantine() {
            let mut own = None;
            self.puppet(member, |program, puppet| {
                own = program.send(puppet, everyone, round, draft);
            });
            own
        } else {
            let node = &mut self.nodes[member.index()];
            let signed = keys::seal(node.keys.as_mut(), member, node.judge.tag(), round, draft);
            match signed {
                Ok(signed) => {
                    self.post_letter(member, everyone, Message::Signed(signed.clone()));
                    Some(signed)
                }
                // A coordinator that lists other nonces than it was offered, or none, gets no share; that is its fault.
                Err(ShareError::OtherNonce | ShareError::NoSession) => None,
                // The share that it asks for has left already: nothing new would be revealed.
                Err(ShareError::NoNonce(key)) if self.ledger.borrow().is_repeated(member, key) => {
                    None
                }
                Err(error) => {
                    let what =
                        format!("round {round}: the vault of member {member} refuses: {error}");
                    self.ledger
                        .borrow_mut()
                        .find_harmless(Property::OneUse, what);
                    None
                }
            }
        };
        let Some(signed) = signed else { return };
        if coin
            && !self.nodes[member.index()].is_byzantine()
            && let Some(leader) = self.network.leader(round, signed.header.view)
        {
            self.post
                .learn_leader(self.plan, round, signed.header.view, leader);
        }
        if everyone.contains(member) {
            self.own(member, signed, inputs);
        }
    }

    fn own(&mut self, member: MemberId, signed: Signed, inputs: &mut VecDeque<Input>) {
        let signed = Box::new(signed);
        if self.plan.own_us == 0 {
            inputs.push_back(Input::Own(signed));
            return;
        }
        let at_us = self.post.now_us() + self.post.own_delay(self.plan);
        let life = self.nodes[member.index()].life;
        self.post.at(
            at_us,
            Event::Own {
                member,
                life,
                signed,
            },
        );
    }

    /// What a member sees of the market: honest members differ, and leave a feed out now and then.
    fn market(&mut self, round: Round, now: Now) -> (u64, Vec<FeedObservation>) {
        let mut feeds = Vec::new();
        for feed_index in 0..FEEDS {
            if self.prices.chance(self.plan.omissions) {
                continue;
            }
            let base = 1_000_000_000 * u64::from(feed_index + 1) + round.0;
            feeds.push(FeedObservation {
                feed_index,
                status: if self.prices.chance(100) {
                    Status::DEGRADED
                } else {
                    Status::OK
                },
                mantissa: i128::from(base + self.prices.below(self.plan.spread)),
                trade_time_ms: now.unix_ms - self.prices.below(1_000),
            });
        }
        (now.unix_ms, feeds)
    }

    fn observe(&mut self, member: MemberId, now: Now, round: Round, inputs: &mut VecDeque<Input>) {
        if round > self.plan.last_round() {
            return;
        }
        let (mut clock_ms, mut feeds) = self.market(round, now);
        let at = self.post.now_us();
        let node = &mut self.nodes[member.index()];
        node.observed_us.entry(round).or_insert(at);
        let tag = node.judge.tag();
        if let Some(program) = &mut node.program {
            program.observe(&mut clock_ms, &mut feeds);
            let signed = keys::seal_observation(
                node.keys.as_mut(),
                member,
                tag,
                round,
                clock_ms,
                feeds.clone(),
            );
            let mut other = feeds;
            for feed in &mut other {
                feed.mantissa = feed.mantissa.wrapping_add(1);
            }
            let own = signed.clone();
            self.puppet(member, |program, puppet| {
                program.send_observation(puppet, &signed, |keys| {
                    keys::seal_observation(keys, member, tag, round, clock_ms, other.clone())
                });
            });
            self.own(member, own, inputs);
        } else {
            self.ledger.borrow_mut().observed(round, clock_ms, &feeds);
            let signed =
                keys::seal_observation(node.keys.as_mut(), member, tag, round, clock_ms, feeds);
            let everyone = self.expand(To::All);
            self.post_letter(member, everyone, Message::Signed(signed.clone()));
            self.own(member, signed, inputs);
        }
    }

    /// Sends a message and keeps it for as long as its round lives.
    fn post_letter(&mut self, from: MemberId, to: MemberSet, message: Message) {
        let encode = self.post.dice().chance(self.plan.encoded);
        let letter = Letter::new(message, encode);
        self.post.post(self.plan, &self.views, from, to, &letter);
        let node = &mut self.nodes[from.index()];
        if !self.plan.breaks.is_empty()
            || self
                .plan
                .roles
                .iter()
                .any(|r| matches!(r, Role::Restart { .. }))
        {
            node.outbox
                .entry(letter.round)
                .or_default()
                .push((to, letter));
        }
    }

    pub(super) fn act(&mut self, member: MemberId) {
        let acts = self.nodes[member.index()]
            .program
            .as_ref()
            .is_some_and(Program::acts);
        if !acts || self.acts >= ACTS_MAX {
            return;
        }
        self.acts += 1;
        let round = self
            .plan
            .first_round
            .saturating_add(self.post.now_us() / (self.plan.interval_ms * 1_000))
            .min(self.plan.last_round());
        self.puppet(member, |program, puppet| program.act(puppet, round));
        let soon = self.post.soon();
        self.post.at(soon, Event::Act { member });
    }

    /// Lets a Byzantine member's program at its keys, and sends what comes of it.
    pub(super) fn puppet(
        &mut self,
        member: MemberId,
        act: impl FnOnce(&mut Program, &mut Puppet<'_>),
    ) {
        let node = &mut self.nodes[member.index()];
        let scheme = node.judge.scheme().clone();
        let mut puppet = Puppet {
            me: member,
            committee: self.plan.committee,
            tag: node.judge.tag(),
            keys: node.keys.as_mut(),
            scheme: scheme.as_ref(),
            out: Vec::new(),
        };
        let Some(program) = &mut node.program else {
            return;
        };
        act(program, &mut puppet);
        let out = puppet.out;
        if node
            .silent_from_us
            .is_some_and(|from| self.post.now_us() >= from)
        {
            return;
        }
        for emission in out {
            let (to, letter) = match emission {
                Emission::Signed(to, signed) => (
                    to,
                    Letter::signed(*signed, self.post.dice().chance(self.plan.encoded)),
                ),
                Emission::Own(signed) => {
                    let life = self.nodes[member.index()].life;
                    let event = Event::Own {
                        member,
                        life,
                        signed,
                    };
                    let now_us = self.post.now_us();
                    self.post.at(now_us, event);
                    continue;
                }
                Emission::Reply(to, round, reply) => {
                    let message = Message::Reply {
                        from: member,
                        round,
                        reply,
                    };
                    (
                        to,
                        Letter::new(message, self.post.dice().chance(self.plan.encoded)),
                    )
                }
                Emission::Bytes(to, round, bytes) => (to, Letter::garbage(round, bytes)),
            };
            self.post.post(self.plan, &self.views, member, to, &letter);
        }
    }
}
