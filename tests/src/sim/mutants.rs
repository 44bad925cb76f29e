//! The core with one rule dropped.

use touchstone_consensus::{Rules, Sound};

use super::campaign::{Campaign, Options, Report};

macro_rules! mutants {
    ($($name:ident = $text:literal drops $rule:ident),* $(,)?) => {
        $(struct $name;
        impl Rules for $name {
            const $rule: bool = false;
        })*

        /// The names of all mutants.
        pub const NAMES: &[&str] = &[$($text),*];

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
    NoLockReport = "no-lock-report" drops REPORT_LOCK,
    NoLockAdoption = "no-lock-adoption" drops ADOPT_LOCK,
    VotesAfterCoin = "votes-after-coin" drops FREEZE_AFTER_COIN,
    VotesTwice = "votes-twice" drops VOTE_ONCE,
    NoAnswers = "no-answers" drops ANSWER_ASKERS,
    LeavesBeforeCoin = "leaves-before-coin" drops WAIT_FOR_COIN,
    ForgetsFarViews = "forgets-far-views" drops KEEP_FAR_VIEWS,
    NoFence = "no-fence" drops FENCE,
}

/// Runs a campaign on what ships.
///
/// # Errors
/// See [`Campaign::run`].
pub fn run_sound(options: &Options) -> anyhow::Result<Report> {
    Campaign::run::<Sound>(options)
}
