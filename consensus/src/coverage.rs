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
    WantEarly = "O4": "ask for the certificate of a round whose observations do not come",
    Propose0 = "Z1": "propose in view 0 as its leader",
    Propose0Grace = "Z2": "wait for missing observations before proposing in view 0",
    Prepare = "Z3": "vote for the leader's proposal whose observations are held",
    FetchForPrepare = "Z4": "fetch the observations of the leader's proposal",
    RefuseProposal0 = "Z5": "refuse a proposal whose session is not that of its observations",
    Commit = "Z6": "lock, and send COMMIT with the share",
    CommitWithoutShare = "Z7": "lock, and send COMMIT without a share",
    Timeout = "Z8": "leave view 0 when the timer ends",
    TimeoutJoined = "Z9": "leave view 0 after f+1 members",
    SkipView0 = "Z10": "leave view 0 at once after several rounds in a row that needed more",
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
    EnterNext = "V15": "enter the next view with a quorum of STATUS",
    KeepFarView = "V16": "keep a message of a far view",
    DecideByCommits = "D1": "decide by a quorum of COMMIT",
    DecideOwn = "D2": "decide by the leader's acknowledgements",
    DecideByStatus = "D3": "decide by somebody's STATUS",
    DecideByReply = "D4": "decide by DECIDE",
    AnswerEarlier = "D5": "answer those who asked before the decision",
    AnswerLater = "D6": "answer those who ask after the decision",
    FetchDecided = "D7": "fetch the decided value's observations",
    ServeFetch = "D8": "serve a value's observations",
    ShareDecided = "S1": "release a share in the decided value's session",
    CertifySession = "S2": "put the signature together from the value's session",
    BlameShare = "S3": "name the author of a wrong share",
    OfferNonces = "S4": "offer nonces to a coordinator",
    NextCoordinator = "S5": "turn to the next coordinator",
    OpenSession = "S6": "open a coordinator's session",
    SignShare = "S7": "release a share to a coordinator",
    Certify = "S8": "put the signature together as a coordinator",
    Want = "S9": "ask for the certificate",
    AnswerWant = "S10": "answer who asked for the certificate",
    CertReceived = "S11": "close a round by its certificate",
    CertAnswer = "L1": "answer a message of a closed round",
    Missed = "L2": "give up a round that later ones overtook",
    Expired = "L3": "give up a round whose life is over",
    Fenced = "L4": "stay silent below the restart fence",
    BeyondHorizon = "L5": "drop a message of a round too far ahead",
    Contradiction = "E1": "report two bodies of one slot",
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
