//! Three honest members, one Byzantine one, and what may happen to them next.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use anyhow::{Context as _, Result};
use touchstone_consensus::{Content, Message, Rules, Signed, To, Value};
use touchstone_sim::Network;
use touchstone_types::{
    Committee, Digest, Header, MemberId, MessageKind, NonceCommitments, Observation, Round, Terms,
    View,
};

use crate::{
    judge::Judged,
    letter::{Kind, Letter, LetterId, Post},
    member::{Feed, Local, LocalId, Members, header, prices},
    symbols,
};

/// The honest members.
pub(crate) const HONEST: usize = 3;
/// The Byzantine member.
pub(crate) const BYZANTINE: MemberId = MemberId(3);

/// What is explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The Byzantine member leads view 0; otherwise honest member 0 does.
    pub byzantine_leads: bool,
    /// The highest view whose messages are delivered.
    pub views: u32,
    /// How many honest members take part after the observations; the others have crashed.
    pub active: usize,
}

/// How the coins of the views that were opened fall: four bits for each view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Coins(u64);

impl Coins {
    pub(crate) fn leader(self, view: View) -> Option<MemberId> {
        let at = view.0.checked_mul(4).filter(|at| *at < 64)?;
        let leader = u16::try_from((self.0 >> at) & 15).ok()?;
        leader.checked_sub(1).map(MemberId)
    }

    fn with(self, view: View, leader: MemberId) -> Self {
        Self(self.0 | (u64::from(leader.0) + 1) << (4 * view.0))
    }
}

/// A state of the whole: everything else follows from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct State {
    pub(crate) locals: [LocalId; HONEST],
    pub(crate) coins: Coins,
}

/// Everything that was sent, by numbers, and how the coins fall: what the Byzantine member's possibilities follow from.
pub(crate) type Soup = ([u32; HONEST], Coins);

/// What a value of the Byzantine member follows from.
type OwnValue = (View, Vec<(MemberId, Vec<NonceCommitments>)>, bool);

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Action {
    /// A member is fed something.
    Feed(usize, Feed),
    /// The coin of a view will elect this member.
    Coin(View, MemberId),
}

/// Everything that does not change, and what is known about it so far.
pub(crate) struct World<R: Rules> {
    pub(crate) config: Config,
    pub(crate) round: Round,
    pub(crate) terms: Arc<Terms>,
    pub(crate) tag: Digest,
    pub(crate) post: Post,
    pub(crate) members: Members<R>,
    pub(crate) start: State,
    pub(crate) setup: Vec<Action>,
    /// The observations that the Byzantine member made: one for each honest member, and one for itself.
    pub(crate) bodies: Vec<Signed>,
    /// What the Byzantine member may say, by everything that was sent.
    pub(crate) says: HashMap<Soup, Rc<[LetterId]>>,
    /// Values that the Byzantine member made, by view, signers' nonces, and whether it counts itself in.
    pub(crate) own_values: HashMap<OwnValue, (Digest, Arc<Value>)>,
    pub(crate) judged: HashMap<Soup, Rc<Judged>>,
    pub(crate) statements: HashMap<Digest, Option<Digest>>,
}

impl<R: Rules> World<R> {
    /// A committee in which everybody has the observations of everybody.
    pub(crate) fn new(config: Config, rules: R) -> Result<Self> {
        let network = Network::symbolic(4, 0)?;
        let terms = Arc::clone(network.terms());
        // The round's number says who leads view 0, and who are its signers; it is none of those in which feeds that were never
        // priced are waited for.
        let round = Round(if config.byzantine_leads { 7 } else { 4 });
        let mut world = Self {
            config,
            round,
            tag: Header::tag(terms.network, terms.epoch),
            post: Post::new(terms.committee),
            members: Members::new(round, Arc::clone(&terms), BYZANTINE, rules),
            terms,
            start: State {
                locals: [LocalId::default(); HONEST],
                coins: Coins::default(),
            },
            setup: Vec::new(),
            bodies: Vec::new(),
            says: HashMap::new(),
            own_values: HashMap::new(),
            judged: HashMap::new(),
            statements: HashMap::new(),
        };
        world.observe()?;
        Ok(world)
    }

    pub(crate) fn committee(&self) -> Committee {
        self.terms.committee
    }

    /// Observations: everybody holds those of all honest members, and of the Byzantine one a different body each, so that
    /// each member's own proposal is another report.
    fn observe(&mut self) -> Result<()> {
        let mut state = self.start;
        for (at, local) in state.locals.iter_mut().enumerate() {
            *local = self.members.first(MemberId(u16::try_from(at)?))?;
        }
        let mut setup = Vec::new();
        for at in 0..HONEST {
            setup.push(Action::Feed(at, Feed::Start));
            state = self.act(state, Action::Feed(at, Feed::Start))?;
        }
        for variant in 0..=3 {
            self.bodies.push(self.observation(variant));
        }
        let honest = self.sent(state);
        for at in 0..HONEST {
            let own = Message::Signed(self.bodies.get(at).context("a body for each")?.clone());
            let own = self.post.letter(BYZANTINE, To::All, own);
            for id in honest.iter().copied().chain([own]) {
                let action = Action::Feed(at, Feed::Letter(id));
                setup.push(action);
                state = self.act(state, action)?;
            }
        }
        self.start = self.settle(state)?;
        self.setup = setup;
        Ok(())
    }

    /// An observation of the Byzantine member.
    fn observation(&self, variant: u16) -> Signed {
        let observation = Observation {
            timestamp_ms: 1,
            feeds: prices(BYZANTINE, variant),
            nonces: symbols::commitments(BYZANTINE, 0),
        };
        self.sign(
            View(0),
            0,
            Content::Obs {
                body: observation.to_bytes().into(),
                observation: observation.into(),
            },
        )
    }

    /// The Byzantine member signs something.
    pub(crate) fn sign(&self, view: View, instance: u16, content: Content) -> Signed {
        let header = header(self.tag, self.round, BYZANTINE, view, instance, &content);
        Signed {
            header,
            signature: symbols::sign(&header),
            content,
        }
    }

    pub(crate) fn local(&self, state: State, at: usize) -> &Rc<Local> {
        // There are as many local states as honest members, and callers count those.
        self.members.get(state.locals[at])
    }

    pub(crate) fn soup(&self, state: State) -> Soup {
        let number = |id: LocalId| self.members.get(id).sent_number;
        (state.locals.map(number), state.coins)
    }

    /// Everything that honest members have sent.
    pub(crate) fn sent(&self, state: State) -> Vec<LetterId> {
        let all = (0..HONEST).flat_map(|at| self.local(state, at).sent.iter().copied());
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn letters(&self, state: State) -> Vec<(LetterId, Arc<Letter>)> {
        let sent = self.sent(state);
        sent.into_iter().map(|id| (id, self.post.get(id))).collect()
    }

    /// Lets something happen. A member that refuses a letter, or to which it says nothing new, stays as it is.
    pub(crate) fn act(&mut self, state: State, action: Action) -> Result<State> {
        let mut next = state;
        match action {
            Action::Feed(at, feed) => {
                next.locals[at] = self.members.feed(&mut self.post, state.locals[at], feed)?;
            }
            Action::Coin(view, leader) => {
                next.coins = state.coins.with(view, leader);
                for local in &mut next.locals {
                    let feed = Feed::Coin(view, leader);
                    *local = self.members.feed(&mut self.post, *local, feed)?;
                }
            }
        }
        Ok(next)
    }

    /// The same state, by the numbers of local states that were told apart: equal exactly if the states are.
    pub(crate) fn settle(&mut self, state: State) -> Result<State> {
        let mut settled = state;
        for local in &mut settled.locals {
            *local = self.members.settle(&mut self.post, *local)?;
        }
        Ok(settled)
    }

    /// An action in words.
    pub(crate) fn describe(&self, action: Action) -> String {
        match action {
            Action::Feed(at, Feed::Letter(id)) => format!("{at} <- {}", self.post.get(id).name),
            Action::Feed(at, Feed::Timer) => format!("{at} <- timer"),
            Action::Feed(at, Feed::Start) => format!("{at} <- clock"),
            Action::Feed(at, Feed::Coin(view, leader)) => format!("{at} <- coin {view} {leader}"),
            Action::Coin(view, leader) => format!("coin of view {view} elects {leader}"),
        }
    }

    /// Whether honest members have shown enough of a view's coin that the Byzantine member can open it.
    pub(crate) fn coin_is_open(&self, letters: &[(LetterId, Arc<Letter>)], view: View) -> bool {
        let shares = letters
            .iter()
            .filter(|(_, l)| l.is(MessageKind::Coin, view))
            .count();
        shares + 1 >= self.committee().coin_threshold()
    }

    /// The letters of a kind and view.
    pub(crate) fn of_kind(
        letters: &[(LetterId, Arc<Letter>)],
        kind: MessageKind,
        view: View,
    ) -> Vec<(LetterId, Arc<Letter>)> {
        let fits =
            |(_, l): &&(LetterId, Arc<Letter>)| l.kind == Kind::Signed(kind) && l.view == view;
        letters.iter().filter(fits).cloned().collect()
    }
}
