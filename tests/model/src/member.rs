//! Local states of honest members.
//!
//! A member is the shipped core with symbolic keys, hence a deterministic function of its inputs. Its local states are numbered:
//! two sequences of inputs lead to the same number if and only if everything that the core knows of the round, everything that
//! the member sent, and every share that it released are the same (compared by two independent 64-bit hashes of the whole).
//! An input is fed to a core once for each local state; a core that is needed again is rebuilt by repeating its inputs.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use touchstone_consensus::{
    Core, Draft, Effect, FaultKind, Input, Message, Now, Params, Position, Rules, Setup, Signed,
    To, Verifier,
    keys::{seal, seal_observation},
};
use touchstone_crypto::Unverified;
use touchstone_types::{
    Digest, FeedObservation, Header, MemberId, Round, RoundClock, Status, Terms, View,
};

use crate::{
    letter::{LetterId, Post},
    symbols::{Secrets, Symbols},
};

const INTERVAL_MS: u64 = 1_000_000;
/// Every timer of view 0 has ended by then, and no round but the first has begun.
const LATE_US: u64 = 100_000_000;
/// How many cores are kept alive to be fed further without being rebuilt.
const LIVE_KEPT: usize = 1_000;

/// The number of a local state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct LocalId(u32);

/// What a member is fed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Feed {
    /// The round begins by the member's clock.
    Start,
    /// A letter.
    Letter(LetterId),
    /// The timer of view 0 ends.
    Timer,
    /// How the coin of a view falls; the core learns it when it has the shares.
    Coin(View, MemberId),
}

/// A local state.
#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) member: MemberId,
    /// The state that it came from, and by what.
    before: Option<(LocalId, Box<[Feed]>)>,
    /// None once the round is closed.
    pub(crate) position: Option<Position>,
    /// All letters sent so far, in ascending order.
    pub(crate) sent: Rc<[LetterId]>,
    /// The number of this set of letters.
    pub(crate) sent_number: u32,
    /// Digests of the statements that a share was released for, in ascending order.
    pub(crate) shared: Rc<[Digest]>,
    /// The statement that the member published as signed.
    pub(crate) published: Option<Digest>,
    /// Two bodies that the member signed for one slot.
    pub(crate) contradiction: bool,
    /// Whether its timer has ended.
    pub(crate) late: bool,
    /// Whether it refused what another honest member sent.
    pub(crate) refused: bool,
}

/// A member that runs.
struct Live<R: Rules> {
    core: Core<R>,
    verifier: Verifier<R>,
    symbols: Arc<Symbols>,
    keys: Secrets,
    bodies: BTreeMap<(touchstone_types::MessageKind, View, u16), Digest>,
    sent: Vec<LetterId>,
    coins: Vec<(View, MemberId)>,
    published: Option<Digest>,
    contradiction: bool,
    late: bool,
    refused: bool,
}

/// All local states of all members.
pub(crate) struct Members<R: Rules> {
    round: Round,
    terms: Arc<Terms>,
    byzantine: MemberId,
    pub(crate) rules: R,
    locals: HashMap<LocalId, Rc<Local>>,
    next: u32,
    ids: HashMap<(MemberId, u64, u64), LocalId>,
    steps: HashMap<(LocalId, Feed), LocalId>,
    live: HashMap<LocalId, Live<R>>,
    sets: HashMap<Rc<[LetterId]>, u32>,
    /// The state that each state which was compared is the same as.
    same: HashMap<LocalId, LocalId>,
    text: String,
    /// How many inputs cores were fed, repetitions included.
    pub(crate) handled: u64,
}

impl<R: Rules> Members<R> {
    pub(crate) fn new(round: Round, terms: Arc<Terms>, byzantine: MemberId, rules: R) -> Self {
        Self {
            round,
            terms,
            byzantine,
            rules,
            locals: HashMap::new(),
            next: 0,
            ids: HashMap::new(),
            steps: HashMap::new(),
            live: HashMap::new(),
            sets: HashMap::new(),
            same: HashMap::new(),
            text: String::new(),
            handled: 0,
        }
    }

    pub(crate) fn get(&self, id: LocalId) -> &Rc<Local> {
        // Numbers are given out here only, and forgotten only where nobody holds them any more.
        &self.locals[&id]
    }

    /// A member at its start.
    pub(crate) fn first(&mut self, member: MemberId) -> Result<LocalId> {
        let live = self.start(member)?;
        let id = self.number(member, live, None);
        // Every other state is rebuilt from here, so it is never forgotten.
        self.same.insert(id, id);
        Ok(id)
    }

    /// How many local states were told apart.
    pub(crate) fn told_apart(&self) -> usize {
        self.ids.len()
    }

    /// The local state after one more input. It gets a number of its own; see [`Self::settle`].
    pub(crate) fn feed(&mut self, post: &mut Post, id: LocalId, feed: Feed) -> Result<LocalId> {
        if let Some(next) = self.steps.get(&(id, feed)) {
            return Ok(*next);
        }
        let mut live = match self.live.remove(&id) {
            Some(live) => live,
            None => self.rebuild(post, id)?,
        };
        let member = self.get(id).member;
        self.apply(post, member, &mut live, feed)?;
        let next = self.number(member, live, Some((id, Box::from([feed]))));
        self.steps.insert((id, feed), next);
        Ok(next)
    }

    fn start(&self, member: MemberId) -> Result<Live<R>> {
        let threshold = self.rules.signing_threshold(self.terms.committee);
        let symbols = Symbols::new(self.terms.committee, threshold);
        let scheme: Arc<dyn touchstone_consensus::Scheme> = Arc::clone(&symbols) as _;
        let verifier = Verifier::with_rules(scheme, Arc::clone(&self.terms), self.rules);
        let core = Core::new(Setup {
            me: member,
            verifier: verifier.clone(),
            clock: RoundClock {
                first_round: self.round,
                first_round_at_ms: 0,
                interval_ms: INTERVAL_MS,
            },
            params: Params::for_interval(INTERVAL_MS),
            fence: Round(0),
        })?;
        Ok(Live {
            core,
            verifier,
            symbols,
            keys: Secrets::new(member),
            bodies: BTreeMap::new(),
            sent: Vec::new(),
            coins: Vec::new(),
            published: None,
            contradiction: false,
            late: false,
            refused: false,
        })
    }

    fn rebuild(&mut self, post: &mut Post, id: LocalId) -> Result<Live<R>> {
        let mut parts = Vec::new();
        let mut at = id;
        while let Some((before, feeds)) = &self.get(at).before {
            parts.push(feeds.clone());
            at = *before;
        }
        let member = self.get(id).member;
        let mut live = self.start(member)?;
        for feed in parts.iter().rev().flatten() {
            self.apply(post, member, &mut live, *feed)?;
        }
        Ok(live)
    }

    fn apply(
        &mut self,
        post: &mut Post,
        member: MemberId,
        live: &mut Live<R>,
        feed: Feed,
    ) -> Result<()> {
        self.handled += 1;
        let input = match feed {
            Feed::Start => Input::Tick,
            Feed::Timer => {
                live.late = true;
                Input::Tick
            }
            Feed::Coin(view, leader) => {
                live.symbols.set_leader(view, leader);
                live.coins.push((view, leader));
                return Ok(());
            }
            Feed::Letter(id) => {
                let letter = post.get(id);
                match &letter.message {
                    Message::Signed(signed) if letter.from == member => {
                        Input::Own(Box::new(signed.clone()))
                    }
                    message => match Unverified::new(message.clone()).verify(&live.verifier) {
                        Ok(verified) => Input::Message(Box::new(verified)),
                        Err(_) => {
                            live.refused |= letter.from != self.byzantine;
                            return Ok(());
                        }
                    },
                }
            }
        };
        let now = Now {
            mono_us: if live.late { LATE_US } else { 1 },
            unix_ms: 1,
        };
        let step = live.core.handle(now, input);
        for fault in step.faults {
            let guilty = fault.member == Some(self.byzantine);
            if !guilty || matches!(fault.kind, FaultKind::Divergence { .. }) {
                bail!(
                    "member {member} accuses {:?}: {:?}",
                    fault.member,
                    fault.kind
                );
            }
        }
        for effect in step.effects {
            self.carry_out(post, member, live, effect)?;
        }
        Ok(())
    }

    fn carry_out(
        &self,
        post: &mut Post,
        member: MemberId,
        live: &mut Live<R>,
        effect: Effect,
    ) -> Result<()> {
        let tag = live.verifier.tag();
        let (to, message) = match effect {
            Effect::Observe(round) => {
                let feeds = prices(member, 0);
                let signed = seal_observation(&mut live.keys, member, tag, round, 1, feeds);
                (To::All, Message::Signed(signed))
            }
            Effect::Send { to, round, draft } => {
                let share = matches!(draft, Draft::Share { .. });
                match seal(&mut live.keys, member, tag, round, draft) {
                    Ok(signed) => (to, Message::Signed(signed)),
                    // A nonce is used once; a share that would need it again is not made.
                    Err(_) if share => return Ok(()),
                    Err(error) => return Err(error).context("sealing"),
                }
            }
            Effect::Reply { to, round, reply } => {
                let from = member;
                (to, Message::Reply { from, round, reply })
            }
            Effect::Publish(attestation) => {
                live.published = Some(attestation.statement.digest());
                return Ok(());
            }
            Effect::PersistFence(_) | Effect::Closed(..) => return Ok(()),
        };
        if let Message::Signed(Signed { header, .. }) = &message {
            let slot = (header.kind, header.view, header.instance);
            let first = *live.bodies.entry(slot).or_insert(header.body_hash);
            live.contradiction |= first != header.body_hash;
        }
        let id = post.letter(member, to, message);
        if let Err(place) = live.sent.binary_search(&id) {
            live.sent.insert(place, id);
        }
        Ok(())
    }

    /// Numbers the state that a running member is in.
    fn number(
        &mut self,
        member: MemberId,
        live: Live<R>,
        before: Option<(LocalId, Box<[Feed]>)>,
    ) -> LocalId {
        let id = LocalId(self.next);
        self.next += 1;
        let next = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let (sent, sent_number) = match self.sets.get_key_value(live.sent.as_slice()) {
            Some((sent, number)) => (Rc::clone(sent), *number),
            None => {
                let sent: Rc<[LetterId]> = live.sent.as_slice().into();
                self.sets.insert(Rc::clone(&sent), next);
                (sent, next)
            }
        };
        let local = Local {
            member,
            before,
            position: live.core.position(self.round),
            sent,
            sent_number,
            shared: live.keys.shared.as_slice().into(),
            published: live.published,
            contradiction: live.contradiction,
            late: live.late,
            refused: live.refused,
        };
        self.locals.insert(id, Rc::new(local));
        if self.live.len() >= LIVE_KEPT {
            self.live.clear();
        }
        self.live.insert(id, live);
        id
    }

    /// Lets a state follow from one that is kept, so that those between them may be forgotten.
    fn keep(&mut self, id: LocalId) {
        let mut feeds: Vec<Box<[Feed]>> = Vec::new();
        let mut at = id;
        while let Some((before, by)) = &self.get(at).before {
            feeds.push(by.clone());
            at = *before;
            if self.same.get(&at) == Some(&at) {
                break;
            }
        }
        let feeds: Box<[Feed]> = feeds.iter().rev().flatten().copied().collect();
        let mut local = Local::clone(self.get(id));
        local.before = (!feeds.is_empty()).then_some((at, feeds));
        self.locals.insert(id, Rc::new(local));
    }

    /// Forgets all states but those that were told apart, and the steps to the others.
    pub(crate) fn forget(&mut self) {
        self.same.retain(|id, same| id == same);
        let kept = &self.same;
        self.locals.retain(|id, _| kept.contains_key(id));
        self.live.retain(|id, _| kept.contains_key(id));
        self.steps
            .retain(|(from, _), to| kept.contains_key(from) && kept.contains_key(to));
    }

    /// The first state that is the same as this one.
    pub(crate) fn settle(&mut self, post: &mut Post, id: LocalId) -> Result<LocalId> {
        if let Some(same) = self.same.get(&id) {
            return Ok(*same);
        }
        let live = match self.live.remove(&id) {
            Some(live) => live,
            None => self.rebuild(post, id)?,
        };
        self.text.clear();
        write!(self.text, "{:?}", live.core.inspect(self.round))?;
        let print = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(self.text.as_bytes());
            let rest = (&live.sent, &live.coins, &live.keys.shared, live.late);
            rest.hash(&mut hasher);
            (live.published, live.contradiction, live.refused).hash(&mut hasher);
            hasher.finish()
        };
        let key = (self.get(id).member, print(0), print(1));
        let same = *self.ids.entry(key).or_insert(id);
        if same == id {
            self.keep(id);
        }
        self.same.insert(id, same);
        self.same.insert(same, same);
        self.live.insert(same, live);
        Ok(same)
    }
}

/// What a member observes; `variant` is how often the Byzantine one tells a different story.
pub(crate) fn prices(member: MemberId, variant: u16) -> Vec<FeedObservation> {
    (0..3)
        .map(|feed_index| FeedObservation {
            feed_index,
            status: Status::default(),
            mantissa: 1_000 + 10 * i128::from(member.0) + i128::from(variant),
            trade_time_ms: 1,
        })
        .collect()
}

/// A header of the round.
pub(crate) fn header(
    tag: Digest,
    round: Round,
    member: MemberId,
    view: View,
    instance: u16,
    content: &touchstone_consensus::Content,
) -> Header {
    Header {
        tag,
        kind: content.kind(),
        round,
        view,
        instance,
        member,
        body_hash: touchstone_types::sha256(&[&content.body()]),
    }
}
