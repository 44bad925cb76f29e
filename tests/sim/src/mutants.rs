//! The core with one rule dropped.

use touchstone_consensus::{Rules, Sound};
use touchstone_types::Committee;

use super::{
    campaign::{Campaign, Options},
    report::Report,
};

macro_rules! mutants {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal { $($rule:tt)* })*) => {
        $(#[derive(Debug)]
        struct $name;
        impl Rules for $name {
            $($rule)*
        })*

        /// The names of all mutants.
        pub const NAMES: &[&str] = &[$($text),*];

        /// What a mutant does wrong.
        pub fn text(name: &str) -> Option<&'static str> {
            match name {
                $($text => Some(concat!($($doc),*)),)*
                _ => None,
            }
        }

        /// Shows a visitor the rules of a mutant; none if there is no such mutant.
        pub fn visit<V: Visitor>(name: &str, visitor: V) -> Option<V::Output> {
            match name {
                $($text => Some(visitor.visit::<$name>()),)*
                _ => None,
            }
        }

        /// Runs a campaign on a mutant; none if there is no such mutant.
        ///
        /// # Errors
        /// See [`Campaign::run`].
        pub fn run(name: &str, options: &Options) -> Option<anyhow::Result<Report>> {
            match name {
                $($text => Some(Campaign::run::<$name>(options)),)*
                _ => None,
            }
        }
    };
}

mutants! {
    /// releases speculative shares in every view
    SpeculatesEverywhere = "speculates-everywhere" { const SPECULATE_IN_VIEW_0_ONLY: bool = false; }
    /// goes on in view 0 after its own TIMEOUT
    GoesOnAfterTimeout = "goes-on-after-timeout" { const STOP_AT_TIMEOUT: bool = false; }
    /// prepares whatever the leader proposes next
    PreparesTwice = "prepares-twice" { const PREPARE_ONCE: bool = false; }
    /// counts PREPAREs whose signature it did not check
    TrustsPrepares = "trusts-prepares" { const VERIFY_PREPARES: bool = false; }
    /// sends COMMIT as a signer only
    CommitsAsSignerOnly = "commits-as-signer-only" { const COMMIT_BESIDE_SHARE: bool = false; }
    /// says nothing of its lock in TIMEOUT and STATUS
    NoLockReport = "no-lock-report" { const REPORT_LOCK: bool = false; }
    /// takes certificates of members that were not elected for locks
    LocksOnAnybody = "locks-on-anybody" { const LOCK_OF_ELECTED: bool = false; }
    /// votes and acknowledges after it knows the coin
    VotesAfterCoin = "votes-after-coin" { const FREEZE_AFTER_COIN: bool = false; }
    /// releases its share with the acknowledgement
    SharesBeforeCoin = "shares-before-coin" { const NO_SHARE_BEFORE_COIN: bool = false; }
    /// opens the coin as soon as a view begins
    OpensCoinAtOnce = "opens-coin-at-once" { const COIN_AFTER_DONE: bool = false; }
    /// votes for whatever a proposer proposes next
    VotesTwice = "votes-twice" { const VOTE_ONCE: bool = false; }
    /// forgets those who asked before the decision
    NoAnswers = "no-answers" { const ANSWER_ASKERS: bool = false; }
    /// never asks for the certificate
    NeverAsks = "never-asks" { const ASK_EVERYBODY: bool = false; }
    /// leaves a view before it knows its coin
    LeavesBeforeCoin = "leaves-before-coin" { const WAIT_FOR_COIN: bool = false; }
    /// forgets messages of far views
    ForgetsFarViews = "forgets-far-views" { const KEEP_FAR_VIEWS: bool = false; }
    /// proposes without waiting for feeds that it would leave out
    WaitsForNoFeed = "waits-for-no-feed" { const WAIT_FOR_FEEDS: bool = false; }
    /// lets members that are down lead view 0
    FixedLeaders = "fixed-leaders" { const ROTATE_LEADER: bool = false; }
    /// speaks again in rounds that it may have joined before it was restarted
    NoFence = "no-fence" { const FENCE: bool = false; }
    /// takes one vote less than a quorum for one
    SmallQuorum = "small-quorum" {
        fn quorum(committee: Committee) -> usize {
            committee.quorum() - 1
        }
    }
    /// signs with f+1 shares
    LowThreshold = "low-threshold" {
        fn signing_threshold(committee: Committee) -> usize {
            committee.one_honest()
        }
    }
}

/// Something to do with rules that are known by name only.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<R: Rules>(self) -> Self::Output;
}

/// Runs a campaign on what ships.
///
/// # Errors
/// See [`Campaign::run`].
pub fn run_sound(options: &Options) -> anyhow::Result<Report> {
    Campaign::run::<Sound>(options)
}
