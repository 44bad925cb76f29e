//! The only door to a number: what the caller must state before it sees a price.

use thiserror::Error;
use touchstone_types::{Decimal, Digest, Epoch, FeedName, Leaf, Round, Status};

use crate::VerifiedUpdate;

/// How far a timestamp may be ahead of the caller's clock unless the policy says otherwise, in milliseconds.
pub const DEFAULT_MAX_SKEW_MS: u64 = 2_000;

/// The conditions under which a caller accepts a price.
///
/// There is no policy without a statement about time: it begins with [`Policy::fresh`] or [`Policy::at`]. Everything else
/// is strict until it is allowed: no status bit, no timestamp more than [`DEFAULT_MAX_SKEW_MS`] ahead and, for an instant,
/// no round missing around it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Policy {
    when: When,
    max_trade_age_ms: Option<u64>,
    min_observers: u16,
    allowed: Status,
    max_skew_ms: u64,
    newer_than: Option<Round>,
    max_gap: u64,
}

#[derive(Clone, Debug)]
enum When {
    Fresh { now_ms: u64, max_age_ms: u64 },
    At(Bracket),
}

/// A price with everything that the group signed about it. Only [`VerifiedUpdate::price`] makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct VerifiedPrice {
    /// The feed.
    pub feed: FeedName,
    /// Lower median of the observations.
    pub price: Decimal,
    /// Not below the lowest honest observation.
    pub low: Decimal,
    /// Not above the highest honest observation.
    pub high: Decimal,
    /// No bit, or bits that the policy allows.
    pub status: Status,
    /// The round.
    pub round: Round,
    /// The epoch.
    pub epoch: Epoch,
    /// The round's time, in Unix milliseconds.
    pub timestamp_ms: u64,
    /// Time of the trades behind the price, in Unix milliseconds.
    pub observed_at_ms: u64,
    /// How many members observed the feed.
    pub observers: u16,
}

/// Why an authentic update gives no price under a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PolicyError {
    /// The update does not hold the feed.
    #[error("the update does not hold {0}")]
    NoFeed(FeedName),
    /// The round is too old.
    #[error("round {round} is {age_ms} ms old, allowed are {max_age_ms} ms")]
    TooOld {
        /// The round.
        round: Round,
        /// Its age in milliseconds.
        age_ms: u64,
        /// The policy's bound.
        max_age_ms: u64,
    },
    /// A timestamp is ahead of the caller's clock.
    #[error("{what} is {ahead_ms} ms ahead of now, allowed are {max_skew_ms} ms")]
    Ahead {
        /// Which timestamp.
        what: &'static str,
        /// How far it is ahead, in milliseconds.
        ahead_ms: u64,
        /// The policy's bound.
        max_skew_ms: u64,
    },
    /// The trades behind the price are too old.
    #[error("the trades behind {feed} are {age_ms} ms old, allowed are {max_age_ms} ms")]
    TradeTooOld {
        /// The feed.
        feed: FeedName,
        /// Their age in milliseconds.
        age_ms: u64,
        /// The policy's bound.
        max_age_ms: u64,
    },
    /// Too few members observed the feed.
    #[error("{feed} has {observers} observers, asked for are {min}")]
    TooFewObservers {
        /// The feed.
        feed: FeedName,
        /// How many there are.
        observers: u16,
        /// The policy's bound.
        min: u16,
    },
    /// Status bits that the policy does not allow by name.
    #[error("{feed} is {refused}, which the policy does not allow")]
    Status {
        /// The feed.
        feed: FeedName,
        /// The bits that are not allowed.
        refused: Status,
    },
    /// There is no price, and no policy makes one.
    #[error("{feed} has no price in this round (status {status})")]
    Unavailable {
        /// The feed.
        feed: FeedName,
        /// All its bits.
        status: Status,
    },
    /// The round is not above the last one that the caller saw.
    #[error("round {round} is not newer than {last}, the last one seen")]
    NotNewer {
        /// The round.
        round: Round,
        /// The last one seen.
        last: Round,
    },
    /// The two updates are not of one network, or not in the order of their rounds.
    #[error(
        "the update before the instant and the one after it must be of one network and in order (rounds {before}, {after})"
    )]
    NoPair {
        /// Round of the update given as the one before.
        before: Round,
        /// Round of the update given as the one after.
        after: Round,
    },
    /// The instant does not lie between the two updates.
    #[error(
        "{instant_ms} does not lie from {before_ms} to before {after_ms}, the times of the two updates"
    )]
    NotAround {
        /// The instant, in Unix milliseconds.
        instant_ms: u64,
        /// Time of the update before it.
        before_ms: u64,
        /// Time of the update after it.
        after_ms: u64,
    },
    /// The policy is about an instant, and this update is not the one before it.
    #[error("round {round} is not the update before the instant; ask round {expected}")]
    OtherUpdate {
        /// The round that was asked.
        round: Round,
        /// The round of the update before the instant.
        expected: Round,
    },
    /// Rounds are missing between the two updates.
    #[error("the updates around the instant are {gap} rounds apart, allowed are {max_gap}")]
    Gap {
        /// Their distance in rounds.
        gap: u64,
        /// The policy's bound.
        max_gap: u64,
    },
}

impl PolicyError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFeed(_) => "no-feed",
            Self::TooOld { .. } => "too-old",
            Self::Ahead { .. } => "ahead-of-now",
            Self::TradeTooOld { .. } => "trade-too-old",
            Self::TooFewObservers { .. } => "too-few-observers",
            Self::Status { .. } => "status",
            Self::Unavailable { .. } => "unavailable",
            Self::NotNewer { .. } => "not-newer",
            Self::NoPair { .. } => "no-pair",
            Self::NotAround { .. } => "not-around",
            Self::OtherUpdate { .. } => "other-update",
            Self::Gap { .. } => "gap",
        }
    }
}

/// Proof that one update is the last that was shown at or before an instant: the next one after it is shown as well.
///
/// What remains: rounds between the two that exist and were not shown. [`Bracket::gap`] is 1 where there can be none,
/// which a policy asks for unless [`Policy::max_gap`] says otherwise; a network that signed nothing for some rounds
/// leaves an honest gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bracket {
    before: Digest,
    before_round: Round,
    instant_ms: u64,
    gap: u64,
}

/// Checks that `before` and `after` stand around an instant (Unix milliseconds): the first at or before it, the second
/// after it in time and in round.
///
/// # Errors
/// [`PolicyError::NoPair`] or [`PolicyError::NotAround`].
pub fn verify_at(
    before: &VerifiedUpdate,
    after: &VerifiedUpdate,
    instant_ms: u64,
) -> Result<Bracket, PolicyError> {
    let no_pair = PolicyError::NoPair {
        before: before.round(),
        after: after.round(),
    };
    if before.statement().network != after.statement().network {
        return Err(no_pair);
    }
    let gap = after.round().0.checked_sub(before.round().0);
    let gap = gap.filter(|gap| *gap > 0).ok_or(no_pair)?;
    let (before_ms, after_ms) = (before.timestamp_ms(), after.timestamp_ms());
    if !(before_ms..after_ms).contains(&instant_ms) {
        return Err(PolicyError::NotAround {
            instant_ms,
            before_ms,
            after_ms,
        });
    }
    Ok(Bracket {
        before: before.statement().digest(),
        before_round: before.round(),
        instant_ms,
        gap,
    })
}

impl Bracket {
    /// How many rounds the two updates are apart: 1 where no round can stand between them.
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// The instant, in Unix milliseconds.
    pub fn instant_ms(&self) -> u64 {
        self.instant_ms
    }
}

impl Policy {
    /// A price for now: the round is at most `max_age_ms` old by the caller's clock `now_ms` (Unix milliseconds).
    pub fn fresh(now_ms: u64, max_age_ms: u64) -> Self {
        Self::new(When::Fresh { now_ms, max_age_ms })
    }

    /// The price at a past instant, of the update before it. See [`verify_at`].
    pub fn at(bracket: Bracket) -> Self {
        Self::new(When::At(bracket))
    }

    fn new(when: When) -> Self {
        Self {
            when,
            max_trade_age_ms: None,
            min_observers: 0,
            allowed: Status::OK,
            max_skew_ms: DEFAULT_MAX_SKEW_MS,
            newer_than: None,
            max_gap: 1,
        }
    }

    /// Refuses prices whose trades are older than this, counted from now or from the instant. Not checked by default.
    pub fn max_trade_age(mut self, ms: u64) -> Self {
        self.max_trade_age_ms = Some(ms);
        self
    }

    /// Refuses prices that fewer members observed. By default the network's own bound, `2f + 1`, is all there is.
    pub fn min_observers(mut self, count: u16) -> Self {
        self.min_observers = count;
        self
    }

    /// Accepts a status by name, beside those allowed before. A feed that is unavailable has no price whatever is allowed.
    pub fn allow_status(mut self, status: Status) -> Self {
        self.allowed = self.allowed.with(status);
        self
    }

    /// How far timestamps may be ahead of now, or the trades' of the instant; [`DEFAULT_MAX_SKEW_MS`] by default.
    pub fn max_skew(mut self, ms: u64) -> Self {
        self.max_skew_ms = ms;
        self
    }

    /// Refuses rounds that are not above the last one that the caller saw.
    pub fn newer_than(mut self, last_seen: Round) -> Self {
        self.newer_than = Some(last_seen);
        self
    }

    /// How many rounds the updates around an instant may be apart; 1 by default. Whoever picks the pair can leave out any
    /// round that lies between them, so a larger gap gives a choice among as many prices.
    pub fn max_gap(mut self, rounds: u64) -> Self {
        self.max_gap = rounds;
        self
    }

    fn reference_ms(&self) -> u64 {
        match self.when {
            When::Fresh { now_ms, .. } => now_ms,
            When::At(bracket) => bracket.instant_ms,
        }
    }

    fn check_update(&self, update: &VerifiedUpdate) -> Result<(), PolicyError> {
        let round = update.round();
        match self.when {
            When::Fresh { now_ms, max_age_ms } => {
                self.check_ahead("the round's timestamp", update.timestamp_ms())?;
                let age_ms = now_ms.saturating_sub(update.timestamp_ms());
                if age_ms > max_age_ms {
                    return Err(PolicyError::TooOld {
                        round,
                        age_ms,
                        max_age_ms,
                    });
                }
            }
            When::At(bracket) => {
                if update.statement().digest() != bracket.before {
                    return Err(PolicyError::OtherUpdate {
                        round,
                        expected: bracket.before_round,
                    });
                }
                if bracket.gap > self.max_gap {
                    return Err(PolicyError::Gap {
                        gap: bracket.gap,
                        max_gap: self.max_gap,
                    });
                }
            }
        }
        match self.newer_than {
            Some(last) if round <= last => Err(PolicyError::NotNewer { round, last }),
            _ => Ok(()),
        }
    }

    fn check_leaf(&self, leaf: &Leaf) -> Result<(), PolicyError> {
        let feed = leaf.feed;
        if leaf.status.contains(Status::UNAVAILABLE) {
            return Err(PolicyError::Unavailable {
                feed,
                status: leaf.status,
            });
        }
        let refused = leaf.status.without(self.allowed);
        if !refused.is_ok() {
            return Err(PolicyError::Status { feed, refused });
        }
        if leaf.observers < self.min_observers {
            return Err(PolicyError::TooFewObservers {
                feed,
                observers: leaf.observers,
                min: self.min_observers,
            });
        }
        self.check_ahead("the trades' timestamp", leaf.observed_at_ms)?;
        let age_ms = self.reference_ms().saturating_sub(leaf.observed_at_ms);
        match self.max_trade_age_ms {
            Some(max_age_ms) if age_ms > max_age_ms => Err(PolicyError::TradeTooOld {
                feed,
                age_ms,
                max_age_ms,
            }),
            _ => Ok(()),
        }
    }

    fn check_ahead(&self, what: &'static str, timestamp_ms: u64) -> Result<(), PolicyError> {
        let ahead_ms = timestamp_ms.saturating_sub(self.reference_ms());
        if ahead_ms > self.max_skew_ms {
            return Err(PolicyError::Ahead {
                what,
                ahead_ms,
                max_skew_ms: self.max_skew_ms,
            });
        }
        Ok(())
    }
}

impl VerifiedUpdate {
    /// The feed's price, if the update satisfies the policy.
    ///
    /// # Errors
    /// The first condition that it does not satisfy.
    pub fn price(&self, feed: FeedName, policy: &Policy) -> Result<VerifiedPrice, PolicyError> {
        let leaf = self.leaf(feed).ok_or(PolicyError::NoFeed(feed))?;
        policy.check_update(self)?;
        policy.check_leaf(leaf)?;
        let unavailable = PolicyError::Unavailable {
            feed,
            status: leaf.status,
        };
        Ok(VerifiedPrice {
            feed,
            price: leaf.price().ok_or(unavailable)?,
            low: leaf.low().ok_or(unavailable)?,
            high: leaf.high().ok_or(unavailable)?,
            status: leaf.status,
            round: self.round(),
            epoch: self.epoch(),
            timestamp_ms: self.timestamp_ms(),
            observed_at_ms: leaf.observed_at_ms,
            observers: leaf.observers,
        })
    }
}
