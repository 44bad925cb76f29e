//! One member's core, driven by bytes.
//!
//! The bytes choose what the three other members say, what the clocks do and when the member's own messages come back from its
//! vault. Signatures are marks that anybody can make, so the bytes can bring about certificates that a real adversary cannot:
//! what is checked here must hold nevertheless. That reports never fork is the simulator's business (`tests/sim`).

mod others;
mod scheme;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use touchstone_consensus::{
    Core, Coverage, Effect, Input, Message, Now, Params, Rules, Setup, Signed, Sound, Step, To,
    Verifier,
    keys::{Keys as _, seal, seal_observation},
};
use touchstone_crypto::Unverified;
use touchstone_types::{
    Committee, Digest, Epoch, FeedName, FeedObservation, MemberId, MessageKind, NetworkId, Round,
    RoundClock, Status, Terms, View,
};

use self::{
    others::{KINDS, Others, Place},
    scheme::{Marks, SUITE, Vault},
};
use crate::{bound, source::Source};

/// How many members.
const N: u16 = 4;
/// How many of them may be faulty.
const F: u16 = 1;
const START_MS: u64 = 1_790_000_000_000;
const INTERVAL_MS: u64 = 1_000;
/// Inputs of one run; the bytes behind are not looked at.
const STEPS_MAX: usize = 1_024;
/// Messages of one kind that a life remembers as samples.
const SAID: usize = 2;
/// How often a member may be called at its own deadline without any news; the most that `f + 1` coordinators, their `f + 1`
/// offers and the timers of the rounds that are alive account for lies far below.
const CALLS_MAX: usize = 20_000;

/// Runs one member through what the bytes say, and returns how often each rule fired.
///
/// Panics if a property is broken: see the crate's documentation.
pub fn inputs(bytes: &[u8]) -> Coverage {
    inputs_under(Sound, bytes)
}

/// The same for a core that some rule of the protocol was taken from, to see that what is checked can fail.
pub fn inputs_under(rules: impl Rules, bytes: &[u8]) -> Coverage {
    live(rules, bytes).core.coverage().clone()
}

fn live<R: Rules>(rules: R, bytes: &[u8]) -> Life<R> {
    let mut source = Source::new(bytes);
    let mut life = Life::new(rules, &mut source);
    for _ in 0..STEPS_MAX {
        if source.is_empty() {
            break;
        }
        life.step(&mut source);
    }
    life.end();
    life
}

/// Settings from the ends of what is allowed, so that bounds are met in short runs.
fn params(source: &mut Source<'_>) -> Params {
    let choice = source.byte();
    Params {
        life_rounds: 2 + u64::from(choice & 3) * 2,
        life_doublings: u32::from(choice >> 2 & 3),
        skew_rounds: 1 + u64::from(choice >> 4 & 3),
        fence_block: 1 + u64::from(choice >> 6),
        fallbacks_max: 2,
        certificates_kept: 16,
        ..Params::for_interval(INTERVAL_MS)
    }
}

fn terms() -> Arc<Terms> {
    let feed = |name| (FeedName::new(name).expect("a name"), -8);
    Arc::new(Terms {
        network: NetworkId(Digest([5; 32])),
        epoch: Epoch(0),
        committee: Committee::new(usize::from(N), F).expect("a committee"),
        suites: vec![SUITE],
        feeds: vec![feed("AAA-USD"), feed("BBB-USD")],
    })
}

struct Life<R: Rules> {
    core: Core<R>,
    vault: Vault,
    verifier: Verifier<R>,
    terms: Arc<Terms>,
    params: Params,
    me: MemberId,
    now: Now,
    others: Others,
    /// Own messages on their way back from the vault.
    own: VecDeque<Signed>,
    /// Whether they are on their way for a while.
    vault_is_slow: bool,
    /// Every slot that the member signed.
    signed: BTreeSet<(Round, MessageKind, View, u16)>,
    closed: BTreeSet<Round>,
    fence: Round,
    /// The bytes of some messages of each kind, by their first byte.
    said: BTreeMap<u8, Vec<(MemberId, Vec<u8>)>>,
}

/// Valid messages of every kind that came up in a few lives, each behind its sender.
pub(crate) fn messages() -> Vec<(MemberId, Vec<u8>)> {
    let mut said: BTreeMap<u8, Vec<_>> = BTreeMap::new();
    for seed in 0..8 {
        let mut bytes = vec![0; 6_000];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        for (kind, some) in live(Sound, &bytes).said {
            said.entry(kind).or_default().extend(some);
        }
    }
    said.into_values()
        .flat_map(|some| some.into_iter().take(6))
        .collect()
}

impl<R: Rules> Life<R> {
    fn new(rules: R, source: &mut Source<'_>) -> Self {
        let (params, terms) = (params(source), terms());
        let me = MemberId(u16::from(source.byte()) % N);
        let marks = Marks {
            committee: terms.committee,
            coins: Mutex::default(),
        };
        let verifier = Verifier::with_rules(Arc::new(marks), Arc::clone(&terms), rules);
        let clock = RoundClock {
            first_round: Round(1),
            first_round_at_ms: START_MS,
            interval_ms: INTERVAL_MS,
        };
        let fence = Round(u64::from(source.byte() % 4));
        let setup = Setup {
            me,
            verifier: verifier.clone(),
            clock,
            params,
            fence,
        };
        Self {
            core: Core::new(setup).expect("settings within their ranges"),
            vault: Vault::default(),
            verifier,
            terms,
            params,
            me,
            now: Now {
                mono_us: 1,
                unix_ms: START_MS + 3 * INTERVAL_MS,
            },
            others: Others::default(),
            own: VecDeque::new(),
            vault_is_slow: false,
            signed: BTreeSet::new(),
            closed: BTreeSet::new(),
            fence,
            said: BTreeMap::new(),
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(32) {
            0 => self.pass(u64::from(source.byte()) * 1_000),
            1 => self.at_deadline(),
            2 => self.pass(INTERVAL_MS * 1_000),
            3 if source.chance(32) => self.jump(source),
            4 if source.chance(64) => {
                let trusted = source.byte().is_multiple_of(2);
                self.handle(Input::ClockTrusted(trusted));
            }
            5 => self.vault_is_slow = !self.vault_is_slow,
            6 if source.chance(32) => self.alone(source),
            _ => self.others_speak(source),
        }
        if !self.vault_is_slow {
            self.echo();
        }
    }

    /// The wall clock jumps, forward or back; the monotonic one does not.
    fn jump(&mut self, source: &mut Source<'_>) {
        let by = match source.below(4) {
            0 => source.u64(),
            1 => source.u64() >> 20,
            _ => u64::from(source.byte()) * INTERVAL_MS,
        };
        self.now.unix_ms = if source.chance(128) {
            self.now.unix_ms.saturating_add(by)
        } else {
            self.now.unix_ms.saturating_sub(by)
        };
        self.handle(Input::Tick);
    }

    fn pass(&mut self, micros: u64) {
        self.now.mono_us += micros;
        self.now.unix_ms = self.now.unix_ms.saturating_add(micros / 1_000);
        self.handle(Input::Tick);
    }

    /// One of the others says something, or all of them say the same.
    fn others_speak(&mut self, source: &mut Source<'_>) {
        let (round, view) = self.place(source);
        let kind = source.below(KINDS);
        let all = source.chance(200);
        let one = u16::from(source.byte()) % (N - 1);
        let others: Vec<_> = (0..N).filter(|m| *m != self.me.0).map(MemberId).collect();
        let speakers = others
            .into_iter()
            .zip(0..)
            .filter(|(_, i)| all || *i == one);
        for (from, _) in speakers.collect::<Vec<_>>() {
            let at = Place {
                from,
                me: self.me,
                round,
                view,
            };
            let message = self
                .others
                .speak(source, &self.terms, self.verifier.tag(), kind, at);
            if let Some(message) = message {
                self.deliver(message);
            }
        }
    }

    /// A round that is alive in most cases, and a view near its own.
    fn place(&self, source: &mut Source<'_>) -> (Round, View) {
        let alive: Vec<_> = self.core.alive().collect();
        let head = self.core.head();
        let (round, view) = match source.below(16) {
            0 => (
                Round(head.0.saturating_add(u64::from(source.byte() % 8))),
                View(0),
            ),
            1 => (
                Round(head.0.saturating_sub(u64::from(source.byte()))),
                View(0),
            ),
            2 => (Round(source.u64()), View(0)),
            3..=6 => source.pick(&alive).copied().unwrap_or((head, View(0))),
            _ => alive
                .iter()
                .rev()
                .find(|(r, _)| *r == head)
                .copied()
                .unwrap_or((head, View(0))),
        };
        let view = match source.below(16) {
            0 => View(view.0.saturating_add(u32::from(source.byte() % 70))),
            1 => View(view.0.saturating_sub(1)),
            2 => View(view.0.saturating_add(1)),
            _ => view,
        };
        (round, view)
    }

    /// A message takes the way of the real ones: as bytes, through the verifier.
    fn deliver(&mut self, message: Message) {
        let bytes = match &message {
            Message::Signed(signed) => signed.to_bytes(),
            Message::Reply { round, reply, .. } => reply.to_bytes(*round),
        };
        let again = Message::from_bytes(self.verifier.tag(), message.from(), &bytes);
        let Ok(again) = again else {
            return;
        };
        assert!(again == message, "a message is read as another one");
        let said = bytes
            .first()
            .map(|kind| self.said.entry(*kind).or_default());
        if let Some(said) = said.filter(|said| said.len() < SAID) {
            said.push((message.from(), bytes));
        }
        self.others.sent(&message);
        if let Ok(verified) = Unverified::new(message).verify(&self.verifier) {
            self.handle(Input::Message(Box::new(verified)));
        }
    }

    fn echo(&mut self) {
        while let Some(signed) = self.own.pop_front() {
            self.handle(Input::Own(Box::new(signed)));
        }
    }

    fn handle(&mut self, input: Input) {
        let Step { effects, .. } = self.core.handle(self.now, input);
        for effect in effects {
            self.carry_out(effect);
        }
        self.check_memory();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::PersistFence(round) => {
                assert!(round > self.fence, "the fence goes back to {round:?}");
                self.fence = round;
            }
            Effect::Observe(round) => {
                self.speaks_about(round);
                let feed = |feed_index| FeedObservation {
                    feed_index,
                    status: Status::OK,
                    mantissa: 1_001,
                    trade_time_ms: 1,
                };
                let (tag, feeds) = (self.verifier.tag(), vec![feed(0), feed(1)]);
                let signed =
                    seal_observation(&mut self.vault, self.me, tag, round, START_MS, feeds);
                self.sign(To::All, signed);
            }
            Effect::Send { to, round, draft } => {
                self.speaks_about(round);
                // A share for nonces that are not the own ones fails in the vault; nothing is sent then.
                if let Ok(signed) =
                    seal(&mut self.vault, self.me, self.verifier.tag(), round, draft)
                {
                    self.sign(to, signed);
                }
            }
            // Certificates are handed to whoever is late.
            Effect::Reply {
                reply: touchstone_consensus::Reply::Cert(_),
                ..
            } => {}
            Effect::Reply { round, .. } => self.speaks_about(round),
            Effect::Publish(attestation) => assert!(attestation.check_roots().is_ok()),
            Effect::Closed(round, _) => {
                self.closed.insert(round);
                self.vault.forget(round);
                self.others
                    .forget_before(Round(self.core.head().0.saturating_sub(64)));
            }
        }
    }

    fn speaks_about(&self, round: Round) {
        assert!(!self.closed.contains(&round), "{round:?} is closed");
        assert!(
            round <= self.fence,
            "{round:?} is above the stored fence {:?}",
            self.fence
        );
    }

    fn sign(&mut self, to: To, signed: Signed) {
        let h = signed.header;
        let fresh = self.signed.insert((h.round, h.kind, h.view, h.instance));
        assert!(fresh, "signed twice: {h:?}");
        self.others.hear(&self.terms, &signed);
        if to.includes(self.me) {
            self.own.push_back(signed);
        }
    }

    fn check_memory(&self) {
        let alive: Vec<_> = self
            .core
            .alive()
            .map(|(_, view)| u64::from(view.0))
            .collect();
        let living = bound::living_rounds(&self.params, false);
        assert!(
            alive.len() as u64 <= living,
            "{} rounds are alive, more than {living}",
            alive.len()
        );
        let (kept, most) = (
            self.core.kept() as u64,
            bound::core(N, F, &self.params, alive.into_iter()),
        );
        assert!(kept <= most, "{kept} things are kept, more than {most}");
    }

    /// Calls the member when it wants to be called. It must either act or name a later time.
    fn at_deadline(&mut self) {
        for _ in 0..8 {
            let Some(deadline) = self.core.deadline(self.now) else {
                return;
            };
            let before = (self.signed.len(), self.closed.len());
            let passed = deadline.saturating_sub(self.now.mono_us);
            self.now.mono_us = self.now.mono_us.max(deadline);
            self.now.unix_ms = self.now.unix_ms.saturating_add(passed.div_ceil(1_000));
            self.handle(Input::Tick);
            let later = self
                .core
                .deadline(self.now)
                .is_none_or(|next| next > self.now.mono_us);
            let acted = before != (self.signed.len(), self.closed.len());
            assert!(later || acted, "a deadline that has passed stays");
        }
    }

    /// Silence for a long while.
    fn alone(&mut self, source: &mut Source<'_>) {
        for _ in 0..=source.byte() % 32 {
            self.pass(INTERVAL_MS * 1_000);
        }
    }

    /// With nothing more to hear and a wall clock that stands still the member comes to rest: the only thing it waits for is the
    /// next round.
    fn end(&mut self) {
        self.vault_is_slow = false;
        for _ in 0..CALLS_MAX {
            self.echo();
            let Some(deadline) = self.core.deadline(self.now) else {
                return;
            };
            let signed = self.signed.len();
            let waited = deadline.saturating_sub(self.now.mono_us);
            let idle = self.core.deadline(Now {
                mono_us: deadline,
                ..self.now
            });
            self.now.mono_us = self.now.mono_us.max(deadline);
            self.handle(Input::Tick);
            // The time to the next round is counted from now on, so it stays the same only if nothing else is waited for.
            let at_rest = idle.is_some_and(|next| next.saturating_sub(deadline) == waited);
            if at_rest && signed == self.signed.len() && self.own.is_empty() {
                return;
            }
        }
        panic!("the member does not come to rest");
    }
}
