//! The core with one rule dropped.

use touchstone_consensus::{Rules, Sound};
use touchstone_types::Committee;

use super::{
    campaign::{Campaign, Options},
    report::Report,
};

macro_rules! mutants {
    ($(#[doc = $doc:literal] $name:ident = $text:literal,)*) => {
        /// The rules but one.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant {
            $(#[doc = $doc] $name,)*
        }

        /// The names of all mutants.
        pub const NAMES: &[&str] = &[$($text),*];

        impl Mutant {
            /// The mutant of this name.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

mutants! {
    /// releases speculative shares in every view
    SpeculatesEverywhere = "speculates-everywhere",
    /// goes on in view 0 after its own TIMEOUT
    GoesOnAfterTimeout = "goes-on-after-timeout",
    /// prepares whatever the leader proposes next
    PreparesTwice = "prepares-twice",
    /// counts PREPAREs whose signature it did not check
    TrustsPrepares = "trusts-prepares",
    /// sends COMMIT as a signer only
    CommitsAsSignerOnly = "commits-as-signer-only",
    /// says nothing of its lock in TIMEOUT and STATUS
    NoLockReport = "no-lock-report",
    /// takes certificates of members that were not elected for locks
    LocksOnAnybody = "locks-on-anybody",
    /// votes and acknowledges after it knows the coin
    VotesAfterCoin = "votes-after-coin",
    /// releases its share with the acknowledgement
    SharesBeforeCoin = "shares-before-coin",
    /// opens the coin as soon as a view begins
    OpensCoinAtOnce = "opens-coin-at-once",
    /// votes for whatever a proposer proposes next
    VotesTwice = "votes-twice",
    /// forgets those who asked before the decision
    NoAnswers = "no-answers",
    /// never asks for the certificate
    NeverAsks = "never-asks",
    /// leaves a view before it knows its coin
    LeavesBeforeCoin = "leaves-before-coin",
    /// forgets messages of far views
    ForgetsFarViews = "forgets-far-views",
    /// proposes without waiting for feeds that it would leave out
    WaitsForNoFeed = "waits-for-no-feed",
    /// lets members that are down lead view 0
    FixedLeaders = "fixed-leaders",
    /// speaks again in rounds that it may have joined before it was restarted
    NoFence = "no-fence",
    /// takes one vote less than a quorum for one
    SmallQuorum = "small-quorum",
    /// signs with f+1 shares
    LowThreshold = "low-threshold",
}

impl Rules for Mutant {
    fn speculate_in_view_0_only(&self) -> bool {
        *self != Self::SpeculatesEverywhere
    }
    fn stop_at_timeout(&self) -> bool {
        *self != Self::GoesOnAfterTimeout
    }
    fn prepare_once(&self) -> bool {
        *self != Self::PreparesTwice
    }
    fn verify_prepares(&self) -> bool {
        *self != Self::TrustsPrepares
    }
    fn commit_beside_share(&self) -> bool {
        *self != Self::CommitsAsSignerOnly
    }
    fn report_lock(&self) -> bool {
        *self != Self::NoLockReport
    }
    fn lock_of_elected(&self) -> bool {
        *self != Self::LocksOnAnybody
    }
    fn freeze_after_coin(&self) -> bool {
        *self != Self::VotesAfterCoin
    }
    fn no_share_before_coin(&self) -> bool {
        *self != Self::SharesBeforeCoin
    }
    fn coin_after_done(&self) -> bool {
        *self != Self::OpensCoinAtOnce
    }
    fn vote_once(&self) -> bool {
        *self != Self::VotesTwice
    }
    fn answer_askers(&self) -> bool {
        *self != Self::NoAnswers
    }
    fn ask_everybody(&self) -> bool {
        *self != Self::NeverAsks
    }
    fn wait_for_coin(&self) -> bool {
        *self != Self::LeavesBeforeCoin
    }
    fn keep_far_views(&self) -> bool {
        *self != Self::ForgetsFarViews
    }
    fn wait_for_feeds(&self) -> bool {
        *self != Self::WaitsForNoFeed
    }
    fn rotate_leader(&self) -> bool {
        *self != Self::FixedLeaders
    }
    fn fence(&self) -> bool {
        *self != Self::NoFence
    }
    fn quorum(&self, committee: Committee) -> usize {
        committee.quorum() - usize::from(*self == Self::SmallQuorum)
    }
    fn signing_threshold(&self, committee: Committee) -> usize {
        match self {
            Self::LowThreshold => committee.one_honest(),
            _ => committee.signing_threshold(),
        }
    }
}

/// Runs a campaign on a mutant; none if there is no such mutant.
///
/// # Errors
/// See [`Campaign::run`].
pub fn run(name: &str, options: &Options) -> Option<anyhow::Result<Report>> {
    Mutant::of(name).map(|mutant| Campaign::run(mutant, options))
}

/// Runs a campaign on what ships.
///
/// # Errors
/// See [`Campaign::run`].
pub fn run_sound(options: &Options) -> anyhow::Result<Report> {
    Campaign::run(Sound, options)
}
