//! How often each numbered rule of docs/protocol.md fired.

macro_rules! rules {
    ($($name:ident = $code:literal: $text:literal),* $(,)?) => {
        /// A numbered rule of docs/protocol.md.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Rule { $(#[doc = $text] $name),* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number that docs/protocol.md gives it.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What it says, in short.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

rules! {
    StartByClock = "O1": "start a round by the own clock",
    StartByOthers = "O2": "start a round that f+1 members have started",
    StoreObservation = "O3": "keep a member's first observation",
    Timeout = "O4": "leave view 0 with a quorum of observations",
    TimeoutJoined = "O5": "leave view 0 after f+1 members",
    EnterFirst = "V1": "enter view 1 with a quorum of TIMEOUT",
    ProposeLocked = "V2": "propose the highest lock",
    ProposeOwn = "V3": "propose all observations held",
    ProposeGrace = "V4": "wait for missing observations before proposing",
    JumpToView = "V5": "enter the view of a valid proposal",
    Vote = "V6": "vote for a proposal whose observations are held",
    FetchForVote = "V7": "fetch a proposal's observations",
    Lock = "V8": "show a quorum of votes",
    Ack = "V9": "acknowledge a quorum of votes",
    Done = "V10": "show a quorum of acknowledgements",
    CoinByDone = "V11": "open the coin after a quorum of DONE",
    CoinByCoins = "V12": "open the coin after f+1 coin shares",
    Elect = "V13": "learn the leader, freeze the view, send STATUS",
    ElectByStatus = "V14": "learn the leader from a STATUS",
    AdoptLock = "V15": "be bound by the lock of the statements",
    EnterNext = "V16": "enter the next view with a quorum of STATUS",
    KeepFarView = "V17": "keep a message of a far view",
    DecideOwn = "D1": "decide by the leader's acknowledgements",
    DecideByStatus = "D2": "decide by somebody's STATUS",
    DecideByReply = "D3": "decide by DECIDE",
    AnswerEarlier = "D4": "answer those who asked before the decision",
    AnswerLater = "D5": "answer those who ask after the decision",
    FetchDecided = "D6": "fetch the decided value's observations",
    ServeFetch = "D7": "serve a value's observations",
    OpenSession = "S1": "open a signing session",
    SignShare = "S2": "release a share for the decided report",
    OfferNonces = "S3": "offer nonces to a coordinator",
    NextCoordinator = "S4": "turn to the next coordinator",
    Certify = "S5": "put the signature together",
    BlameShare = "S6": "name the author of a wrong share",
    Want = "S7": "ask everybody for the certificate",
    AnswerWant = "S8": "answer who asked for the certificate",
    CertReceived = "S9": "close a round by its certificate",
    CertAnswer = "L1": "answer a message of a closed round",
    Missed = "L2": "give up a round that later ones overtook",
    Expired = "L3": "give up a round whose life is over",
    Fenced = "L4": "stay silent below the restart fence",
    BeyondHorizon = "L5": "drop a message of a round too far ahead",
    Equivocation = "E1": "report two bodies of one slot",
}

/// A counter for each rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; Rule::ALL.len()])
    }
}

impl Coverage {
    pub(crate) fn fire(&mut self, rule: Rule) {
        // The discriminants count the rules from 0 in their order.
        if let Some(count) = self.0.get_mut(rule as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Each rule with how often it fired.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        Rule::ALL.iter().copied().zip(self.0.iter().copied())
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.saturating_add(*theirs);
        }
    }
}
