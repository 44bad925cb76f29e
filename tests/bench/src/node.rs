//! One member: what a node does between the bytes that it gets and the bytes that it sends.

use std::sync::Arc;

use anyhow::{Result, bail};
use rand_core::OsRng;
use touchstone_consensus::{
    Core, Effect, Input, Message, Now, Signed, To, Verifier,
    keys::{Keys as _, MemberKeys, seal, seal_observation},
};
use touchstone_crypto::{Unverified, Verified};
use touchstone_types::{FeedObservation, MemberId, MessageKind, Round};

use crate::meter::{Part, thread_cpu_ns};

/// How many messages are checked together, as in a node.
const BATCH_MAX: usize = 64;

/// Bytes under way to some members.
pub(crate) struct Outgoing {
    pub(crate) to: To,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) proposes: bool,
}

/// A member.
pub(crate) struct Node {
    pub(crate) me: MemberId,
    pub(crate) core: Core,
    pub(crate) keys: MemberKeys<OsRng>,
    pub(crate) verifier: Verifier,
    /// What it observes in every round.
    pub(crate) feeds: Vec<FeedObservation>,
    pub(crate) inbox: Vec<(MemberId, Arc<[u8]>)>,
    /// It neither gets nor sends anything.
    pub(crate) down: bool,
    pub(crate) newest: Option<Round>,
    /// What the round has cost so far.
    pub(crate) part: Part,
}

impl Node {
    /// Handles everything that has arrived, or a tick if nothing has, and returns what the member says to that.
    pub(crate) fn step(&mut self, now: Now) -> Result<Vec<Outgoing>> {
        let arrived = std::mem::take(&mut self.inbox);
        let mut checked = Vec::with_capacity(arrived.len());
        for batch in arrived.chunks(BATCH_MAX) {
            checked.extend(self.check(batch)?);
        }
        let mut inputs: Vec<_> = checked
            .into_iter()
            .map(|message| Input::Message(Box::new(message)))
            .collect();
        if inputs.is_empty() {
            inputs.push(Input::Tick);
        }
        let mut out = Vec::new();
        while !inputs.is_empty() {
            let effects = self.decide(now, inputs)?;
            inputs = self.carry_out(now, effects, &mut out)?;
        }
        Ok(out)
    }

    fn check(&mut self, batch: &[(MemberId, Arc<[u8]>)]) -> Result<Vec<Verified<Message>>> {
        let start = thread_cpu_ns();
        let tag = self.verifier.tag();
        let messages = batch
            .iter()
            .map(|(from, bytes)| Ok(Unverified::new(Message::from_bytes(tag, *from, bytes)?)))
            .collect::<Result<Vec<_>>>()?;
        let decoded = thread_cpu_ns();
        let verdicts = Unverified::verify_many(messages, &self.verifier);
        let verified = thread_cpu_ns();
        self.part.cpu.decode_ns += decoded - start;
        self.part.cpu.verify_ns += verified - decoded;
        let believed = verdicts.into_iter().map(|verdict| match verdict {
            Ok(message) => Ok(message),
            Err((message, refusal)) => bail!("{}: {refusal}", message.from()),
        });
        believed.collect()
    }

    fn decide(&mut self, now: Now, inputs: Vec<Input>) -> Result<Vec<Effect>> {
        let start = thread_cpu_ns();
        let mut effects = Vec::new();
        for input in inputs {
            let step = self.core.handle(now, input);
            if let Some(fault) = step.faults.first() {
                bail!("an honest member is accused: {fault:?}");
            }
            effects.extend(step.effects);
        }
        self.part.cpu.core_ns += thread_cpu_ns() - start;
        Ok(effects)
    }

    /// Returns the member's own messages, which are inputs of its core too.
    fn carry_out(
        &mut self,
        now: Now,
        effects: Vec<Effect>,
        out: &mut Vec<Outgoing>,
    ) -> Result<Vec<Input>> {
        let start = thread_cpu_ns();
        let mut own = Vec::new();
        let (me, tag) = (self.me, self.verifier.tag());
        for effect in effects {
            match effect {
                Effect::PersistFence(_) => {}
                Effect::Observe(round) => {
                    let feeds = self.feeds.clone();
                    let keys = &mut self.keys;
                    let signed = seal_observation(keys, me, tag, round, now.unix_ms, feeds);
                    self.say(To::All, signed, &mut own, out);
                }
                Effect::Send { to, round, draft } => {
                    let signed = seal(&mut self.keys, me, tag, round, draft)?;
                    self.say(to, signed, &mut own, out);
                }
                Effect::Reply { to, round, reply } => out.push(Outgoing {
                    to,
                    bytes: reply.to_bytes(round).into(),
                    proposes: false,
                }),
                Effect::Publish(attestation) => {
                    self.newest = self.newest.max(Some(attestation.round()));
                }
                Effect::Closed(round, _) => self.keys.forget(round),
            }
        }
        self.part.cpu.seal_ns += thread_cpu_ns() - start;
        Ok(own)
    }

    fn say(&self, to: To, signed: Signed, own: &mut Vec<Input>, out: &mut Vec<Outgoing>) {
        out.push(Outgoing {
            to,
            bytes: signed.to_bytes().into(),
            proposes: signed.header.kind == MessageKind::Propose0,
        });
        if to.includes(self.me) {
            own.push(Input::Own(Box::new(signed)));
        }
    }
}
