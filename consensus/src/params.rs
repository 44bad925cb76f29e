//! The settings of the core, and the rules that mutants drop.

use std::fmt;

use thiserror::Error;
use touchstone_types::Committee;

/// Settings that may differ from member to member: they decide how fast a round is, never what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// Rounds whose number is odd live this many intervals, at least 2 (`W` of docs/protocol.md).
    pub life_rounds: u64,
    /// A round with `z` trailing zero bits lives `W * 2^min(z, Z)` intervals (`Z`, at most 20).
    pub life_doublings: u32,
    /// The shortest time from a quorum of observations to the end of view 0, in microseconds.
    pub timer_min_us: u64,
    /// The longest one, in microseconds; what is used follows the delays that were seen.
    pub timer_max_us: u64,
    /// After how many rounds in a row without a decision in view 0 most rounds leave it out.
    pub fallbacks_max: u32,
    /// How long a proposer waits for missing observations of feeds that were priced before, in microseconds.
    pub grace_us: u64,
    /// How long a signing coordinator is waited for before the next one is used, in microseconds.
    pub stagger_us: u64,
    /// Messages of rounds further ahead than this are dropped, in rounds.
    pub skew_rounds: u64,
    /// How many rounds ahead the restart fence is stored.
    pub fence_block: u64,
    /// How many certificates are kept for members that lag behind.
    pub certificates_kept: usize,
}

/// A setting outside its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{key} must be from {min} to {max}")]
pub struct ParamsError {
    /// The setting.
    pub key: &'static str,
    /// The smallest allowed value.
    pub min: u64,
    /// The largest allowed value.
    pub max: u64,
}

impl Params {
    /// Settings that suit a network with this many milliseconds from round to round.
    pub fn for_interval(interval_ms: u64) -> Self {
        let rounds = |ms: u64, least: u64| ms.checked_div(interval_ms).unwrap_or(1).max(least);
        Self {
            life_rounds: 8,
            life_doublings: 12,
            timer_min_us: 30_000,
            timer_max_us: 2_000_000,
            fallbacks_max: 3,
            grace_us: interval_ms.saturating_mul(200).min(100_000),
            stagger_us: 150_000,
            skew_rounds: rounds(5_000, 2),
            fence_block: rounds(5_000, 5),
            certificates_kept: 256,
        }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn validate(&self) -> Result<(), ParamsError> {
        let kept = u64::try_from(self.certificates_kept).unwrap_or(u64::MAX);
        let ranges = [
            ("life_rounds", self.life_rounds, 2, 1_000),
            ("life_doublings", u64::from(self.life_doublings), 0, 20),
            ("timer_max_us", self.timer_max_us, 1_000, 60_000_000),
            ("timer_min_us", self.timer_min_us, 1_000, self.timer_max_us),
            ("fallbacks_max", u64::from(self.fallbacks_max), 1, 1_000_000),
            ("grace_us", self.grace_us, 1, 60_000_000),
            ("stagger_us", self.stagger_us, 1_000, 60_000_000),
            ("skew_rounds", self.skew_rounds, 1, 10_000),
            ("fence_block", self.fence_block, 1, 100_000),
            // Fewer could forget the certificate of a round that still lives.
            (
                "certificates_kept",
                kept,
                self.life_rounds.saturating_mul(2),
                100_000,
            ),
        ];
        for (key, value, min, max) in ranges {
            if value < min || value > max {
                return Err(ParamsError { key, min, max });
            }
        }
        Ok(())
    }
}

/// The rules that safety and progress rest on. What ships is [`Sound`]; tests bring impls that drop one, and must see it fail.
pub trait Rules: Copy + fmt::Debug + Send + Sync + 'static {
    /// A speculative share is released in view 0 only.
    fn speculate_in_view_0_only(&self) -> bool {
        true
    }
    /// Nothing of view 0 is signed after the member's own TIMEOUT.
    fn stop_at_timeout(&self) -> bool {
        true
    }
    /// One PREPARE in a round, whoever asks.
    fn prepare_once(&self) -> bool {
        true
    }
    /// A PREPARE counts once its signature was checked.
    fn verify_prepares(&self) -> bool {
        true
    }
    /// COMMIT is sent beside the share, by signers and all others: the decision waits for no signer.
    fn commit_beside_share(&self) -> bool {
        true
    }
    /// TIMEOUT and STATUS tell the member's lock.
    fn report_lock(&self) -> bool {
        true
    }
    /// A lock of an asynchronous view is on the value of the member that was elected.
    fn lock_of_elected(&self) -> bool {
        true
    }
    /// Neither VOTE nor ACK in a view whose coin is known.
    fn freeze_after_coin(&self) -> bool {
        true
    }
    /// Above view 0 no share is released before the decision, not even with an acknowledgement.
    fn no_share_before_coin(&self) -> bool {
        true
    }
    /// A member opens the coin after a quorum of DONE, or with others.
    fn coin_after_done(&self) -> bool {
        true
    }
    /// One VOTE for each proposer in a view.
    fn vote_once(&self) -> bool {
        true
    }
    /// A member that decides answers everybody who ever asked.
    fn answer_askers(&self) -> bool {
        true
    }
    /// A member that saw no signature asks everybody for it.
    fn ask_everybody(&self) -> bool {
        true
    }
    /// A view above 0 is not left before its coin is known.
    fn wait_for_coin(&self) -> bool {
        true
    }
    /// Messages of far views are kept for the day when the member gets there.
    fn keep_far_views(&self) -> bool {
        true
    }
    /// A proposer waits a bounded time for feeds that it would leave out.
    fn wait_for_feeds(&self) -> bool {
        true
    }
    /// Members that were silent lose the lead of view 0.
    fn rotate_leader(&self) -> bool {
        true
    }
    /// After a restart a member is silent in the rounds that it may have joined.
    fn fence(&self) -> bool {
        true
    }

    /// How many votes make a certificate, how many statements end a view.
    fn quorum(&self, committee: Committee) -> usize {
        committee.quorum()
    }

    /// How many shares make a signature.
    fn signing_threshold(&self, committee: Committee) -> usize {
        committee.signing_threshold()
    }
}

/// Every rule in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sound;

impl Rules for Sound {}
