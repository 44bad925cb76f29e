//! Byzantine members: programs around the same core that bend what it says, and say more.
//!
//! A program holds the keys of its own member and nobody else's. It sees what its member receives, and may send anything to
//! anybody; what it cannot do is sign for others, which is exactly what the protocol rests on.

mod bend;
mod forge;
mod intel;
mod noise;
mod propose;

use std::collections::{BTreeMap, BTreeSet};

use touchstone_consensus::{Draft, Message, Reply, Scheme, Signed, keys};
use touchstone_types::{
    Committee, Digest, FeedObservation, MemberId, MemberSet, NonceCommitments, Round, View,
};

use self::intel::Intel;
use super::{dice::Dice, plan::Villain};

macro_rules! behaviours {
    ($($name:ident = $text:literal: $doc:literal),* $(,)?) => {
        /// One way in which a Byzantine member misbehaves.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Behaviour { $(#[doc = $doc] $name),* }

        impl Behaviour {
            /// Every behaviour.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it does.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $doc),* }
            }
        }
    };
}

behaviours! {
    EquivocateObs = "equivocate-obs": "observes differently towards different members",
    LiePrices = "lie-prices": "observes extreme prices and times",
    OmitFeeds = "omit-feeds": "leaves feeds out of its observations",
    EquivocatePropose = "equivocate-propose": "proposes different values to different members",
    LowTc = "low-tc": "enters views by statements that hide the highest lock where it can",
    VoteAll = "vote-all": "votes for and acknowledges everything, in any view",
    HideLock = "hide-lock": "says in STATUS that it has no lock",
    FalseLock = "false-lock": "shows certificates of members that were not elected as locks",
    FalseDecide = "false-decide": "shows acknowledgements of members that were not elected as decisions, to some",
    PartialSends = "partial-sends": "sends to some members only",
    LateDone = "late-done": "shows its DONE to one member only, once it knows that it is elected",
    LateLock = "late-lock": "shows its LOCK once it knows that it is elected, and says its STATUS after that",
    LockToOne = "lock-to-one": "shows its LOCK to one member only, to another one in each view",
    Restless = "restless": "goes on in a round as if it had heard of no decision",
    Tires = "tires": "takes part in the first few views of a round and only proposes and votes in later ones",
    EarlyCoin = "early-coin": "releases its coin share as soon as a view begins",
    WithholdCoin = "withhold-coin": "releases no coin shares",
    BadCoin = "bad-coin": "releases wrong coin shares",
    PrepareAll = "prepare-all": "sends PREPARE and COMMIT for every value of view 0 that it hears of, to some",
    EarlyTimeout = "early-timeout": "sends TIMEOUT without a lock as soon as a round begins",
    BadSession = "bad-session": "proposes values whose signing session is not that of their observations",
    BadNonces = "bad-nonces": "offers nonce commitments that are none",
    WithholdCommit = "withhold-commit": "sends no COMMIT",
    WithholdShare = "withhold-share": "releases no signature shares",
    BadShare = "bad-share": "releases wrong signature shares",
    DropSessions = "drop-sessions": "opens signing sessions and drops what comes back",
    BadRequest = "bad-request": "asks twice for a share with the same nonce",
    CertToOne = "cert-to-one": "shows a certificate to one member only",
    WithholdReplies = "withhold-replies": "answers nobody",
    EquivocateAny = "equivocate-any": "signs a second body for any slot",
    Flood = "flood": "sends messages of far rounds, views, slots and sessions",
    Replay = "replay": "sends old messages again, also as those of other rounds and views",
    OtherEpoch = "other-epoch": "sends its messages also as those of another epoch",
    BadSignature = "bad-signature": "sends some messages under a signature that is none",
    BadQc = "bad-qc": "sends certificates and statements with something wrong in them, in every message that carries one",
    FalseReady = "false-ready": "offers nonces that it has offered before, and to coordinators that did not ask",
    Garbage = "garbage": "sends bytes that are no message, or nearly one",
}

/// What a program emits.
pub(super) enum Emission {
    Signed(MemberSet, Box<Signed>),
    /// To the own core.
    Own(Box<Signed>),
    Reply(MemberSet, Round, Reply),
    Bytes(MemberSet, Round, Vec<u8>),
}

/// How much of a message the member's own core gets to see.
pub(super) enum Shown {
    Whole,
    Part(Box<Message>),
}

/// A member in the hands of its program, for one event.
pub(super) struct Puppet<'a> {
    pub(super) me: MemberId,
    pub(super) committee: Committee,
    pub(super) tag: Digest,
    pub(super) keys: &'a mut dyn keys::Keys,
    pub(super) scheme: &'a dyn Scheme,
    pub(super) out: Vec<Emission>,
}

impl Puppet<'_> {
    fn everybody(&self) -> MemberSet {
        self.committee.members().collect()
    }

    fn seal(&mut self, round: Round, draft: Draft) -> Option<Signed> {
        keys::seal(self.keys, self.me, self.tag, round, draft).ok()
    }

    /// Signs a draft and sends it.
    fn say(&mut self, to: MemberSet, round: Round, draft: Draft) -> Option<Signed> {
        let signed = self.seal(round, draft)?;
        self.out
            .push(Emission::Signed(to, Box::new(signed.clone())));
        Some(signed)
    }
}

/// One Byzantine member's program.
pub(super) struct Program {
    behaviours: BTreeSet<Behaviour>,
    resolute: bool,
    mark: Option<MemberId>,
    /// The last view that a member which tires takes part in.
    tires_after: View,
    /// The view from which on LOCK goes to one and the same member.
    stays_from: View,
    dice: Dice,
    intel: Intel,
    /// Whom the member sends to in a view, where it does not send to all.
    partial: BTreeMap<(Round, View), MemberSet>,
    /// LOCK and DONE that wait for the right moment.
    stashed: BTreeMap<(Round, View), Vec<Signed>>,
    /// STATUS that waits for the acknowledgements of a late LOCK.
    held_status: BTreeMap<(Round, View), Signed>,
    /// The view of each round in which this member was elected with its LOCK held back.
    late: BTreeMap<Round, View>,
    /// Nonce commitments that went out in READY.
    offered: Vec<Vec<NonceCommitments>>,
    sent: Vec<Signed>,
    timed_out: BTreeSet<Round>,
    prepared: BTreeSet<(Round, Digest)>,
    decided: BTreeSet<(Round, View)>,
}

impl Program {
    pub(super) fn new(seed: u64, me: MemberId, villain: &Villain) -> Self {
        let mut dice = Dice::new(seed, 100 + u64::from(me.0));
        let tires_after = View(u32::try_from(dice.below(3)).unwrap_or_default());
        let stays_from = *dice
            .pick(&[View(2), View(2), View(u32::MAX)])
            .unwrap_or(&View(2));
        Self {
            behaviours: villain.behaviours.iter().copied().collect(),
            resolute: villain.resolute,
            mark: villain.mark,
            tires_after,
            stays_from,
            dice,
            intel: Intel::default(),
            partial: BTreeMap::new(),
            stashed: BTreeMap::new(),
            held_status: BTreeMap::new(),
            late: BTreeMap::new(),
            offered: Vec::new(),
            sent: Vec::new(),
            timed_out: BTreeSet::new(),
            prepared: BTreeSet::new(),
            decided: BTreeSet::new(),
        }
    }

    fn does(&self, behaviour: Behaviour) -> bool {
        self.behaviours.contains(&behaviour)
    }

    /// Most of the time, not always, unless the program is resolute: a mix of right and wrong gets further than plain wrong.
    fn will(&mut self, behaviour: Behaviour) -> bool {
        self.does(behaviour) && (self.resolute || self.dice.chance(800))
    }

    /// Bends prices before the member observes.
    pub(super) fn observe(&mut self, clock_ms: &mut u64, feeds: &mut Vec<FeedObservation>) {
        if self.will(Behaviour::LiePrices) {
            *clock_ms = *self
                .dice
                .pick(&[0, u64::MAX, *clock_ms])
                .unwrap_or(clock_ms);
            for feed in feeds.iter_mut() {
                feed.mantissa = *self
                    .dice
                    .pick(&[i128::MAX, i128::MIN, 0, -1, feed.mantissa * 2])
                    .unwrap_or(&0);
                feed.trade_time_ms = *self
                    .dice
                    .pick(&[0, u64::MAX, feed.trade_time_ms])
                    .unwrap_or(&0);
            }
        }
        if self.will(Behaviour::OmitFeeds) {
            // The resolute leave one and the same feed out each time.
            let keep = if self.resolute { 0 } else { 300 };
            feeds.retain(|f| f.feed_index > 0 && self.resolute || self.dice.chance(keep));
        }
    }

    /// Sends the member's observation, or several.
    pub(super) fn send_observation(
        &mut self,
        p: &mut Puppet<'_>,
        signed: &Signed,
        again: impl Fn(&mut dyn keys::Keys) -> Signed,
    ) {
        self.remember(signed);
        self.intel.see(&Message::Signed(signed.clone()));
        let all = p.everybody();
        let first = if self.does(Behaviour::EquivocateObs) {
            self.dice.members(p.committee, 500)
        } else {
            self.audience(p, all, signed)
        };
        p.out
            .push(Emission::Signed(first, Box::new(signed.clone())));
        if self.does(Behaviour::EquivocateObs) {
            let second = again(p.keys);
            self.intel.see(&Message::Signed(second.clone()));
            self.remember(&second);
            let rest = MemberSet(all.0 & !first.0);
            let rest = if self.dice.chance(200) { all } else { rest };
            p.out.push(Emission::Signed(rest, Box::new(second)));
        }
    }

    /// Whom the program shows what it shows to one member only.
    fn one(&mut self, p: &Puppet<'_>) -> MemberSet {
        let one = self.mark.unwrap_or_else(|| self.dice.member(p.committee));
        [one].into_iter().collect()
    }

    fn remember(&mut self, signed: &Signed) {
        if self.sent.len() < 200 {
            self.sent.push(signed.clone());
        }
    }

    /// Whom something is sent to after all.
    fn audience(&mut self, p: &Puppet<'_>, to: MemberSet, signed: &Signed) -> MemberSet {
        if !self.does(Behaviour::PartialSends) {
            return to;
        }
        let key = (signed.header.round, signed.header.view);
        // The same members throughout a view most of the time, so that some are led on further than others.
        if self.dice.chance(250) || !self.partial.contains_key(&key) {
            let some = self.dice.members(p.committee, 500);
            self.partial.insert(key, some);
        }
        MemberSet(to.0 & self.partial.get(&key).map_or(to.0, |s| s.0))
    }

    /// A reply that the core gives.
    pub(super) fn reply(&mut self, p: &mut Puppet<'_>, to: MemberSet, round: Round, reply: Reply) {
        let to = match &reply {
            Reply::Cert(_) if self.does(Behaviour::CertToOne) => {
                [self.dice.member(p.committee)].into_iter().collect()
            }
            _ if self.will(Behaviour::WithholdReplies) => return,
            _ => to,
        };
        if self.will(Behaviour::BadQc)
            && let Some(bad) = self.spoil_reply(&reply)
        {
            p.out.push(Emission::Reply(to, round, bad));
        }
        p.out.push(Emission::Reply(to, round, reply));
    }
}
