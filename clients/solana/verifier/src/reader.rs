//! The only door to a number: what a consumer must state before it sees a price.
//!
//! ```
//! use touchstone_solana::{AccountView, Error, Feed, Pin, Policy, Price, Sha256, get_price, reader};
//!
//! const BTC_USD: Feed = Feed::new("BTC-USD").unwrap();
//!
//! fn btc(pin: &Pin, account: AccountView, clock: i64, sha256: &impl Sha256) -> Result<Price, Error> {
//!     get_price(account, pin, &BTC_USD, &Policy::fresh(reader::now_ms(clock), 30_000), sha256)
//! }
//! ```

use crate::{
    Address, Error, Feed, Sha256,
    account::{PriceAccount, Stored},
    bytes::equal,
    instruction::{price_seeds, program_address},
    leaf::Status,
};

/// How far a timestamp may be ahead of the cluster's clock unless the policy says otherwise, in milliseconds; the same as the
/// program allows when it stores a price, and for the same reason.
pub const DEFAULT_MAX_SKEW_MS: u64 = crate::instruction::MAX_AHEAD_MS;

/// What a consumer pins: constants of its own code, never something that a transaction brings along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// The program, deployed so that nobody can upgrade it.
    pub program: Address,
    /// The config's address, which stands for one network id and one group key.
    pub config: Address,
}

/// An account as the runtime or a node's API hands it out.
#[derive(Clone, Copy, Debug)]
pub struct AccountView<'a> {
    /// Its address.
    pub address: &'a Address,
    /// The program that owns it.
    pub owner: &'a Address,
    /// Its data.
    pub data: &'a [u8],
}

/// A price with everything that the group signed about it. Only [`get_price`] makes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Price {
    /// Lower median of the observations: `value = price * 10^exponent`.
    pub price: i128,
    /// Not below the lowest honest observation.
    pub low: i128,
    /// Not above the highest honest observation.
    pub high: i128,
    /// Exponent of the three, -38 to 38.
    pub exponent: i8,
    /// No bit, or bits that the policy allows.
    pub status: Status,
    /// How many members observed the feed.
    pub observers: u16,
    /// The epoch.
    pub epoch: u32,
    /// The round.
    pub round: u64,
    /// The round's time, in Unix milliseconds.
    pub timestamp_ms: u64,
    /// Time of the trades behind the price, in Unix milliseconds.
    pub observed_at_ms: u64,
}

/// The conditions under which a consumer accepts a price.
///
/// There is no policy without a statement about age. Everything else is strict until it is allowed: no status bit, and no
/// timestamp more than [`DEFAULT_MAX_SKEW_MS`] ahead.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Policy {
    now_ms: u64,
    max_age_ms: u64,
    max_skew_ms: u64,
    max_trade_age_ms: Option<u64>,
    min_observers: u16,
    allowed: Status,
    newer_than: Option<u64>,
}

/// The cluster's time in Unix milliseconds, of the Clock sysvar's `unix_timestamp` in seconds; before 1970 it is 0, and
/// times that do not fit are the last that does.
pub fn now_ms(unix_timestamp: i64) -> u64 {
    // A product that saturates would take a multiplication of 128 bits, which the machine does not have.
    const LAST: u64 = u64::MAX / 1_000;
    let seconds = u64::try_from(unix_timestamp).unwrap_or(0).min(LAST);
    seconds.wrapping_mul(1_000)
}

impl Policy {
    /// A price for now: the round is at most `max_age_ms` old at `now_ms` (Unix milliseconds), which is [`now_ms`] of the
    /// cluster's clock. That clock counts whole seconds, so ages are known to a second at best.
    pub const fn fresh(now_ms: u64, max_age_ms: u64) -> Self {
        Self {
            now_ms,
            max_age_ms,
            max_skew_ms: DEFAULT_MAX_SKEW_MS,
            max_trade_age_ms: None,
            min_observers: 0,
            allowed: Status::OK,
            newer_than: None,
        }
    }

    /// Refuses prices whose trades are older than this. Not checked by default.
    pub const fn max_trade_age(mut self, ms: u64) -> Self {
        self.max_trade_age_ms = Some(ms);
        self
    }

    /// Refuses prices that fewer members observed. By default the network's own bound, `2f + 1`, is all there is.
    pub const fn min_observers(mut self, count: u16) -> Self {
        self.min_observers = count;
        self
    }

    /// Accepts a status by name, beside those allowed before. A feed that is unavailable has no price whatever is allowed.
    pub const fn allow_status(mut self, status: Status) -> Self {
        self.allowed = self.allowed.with(status);
        self
    }

    /// How far timestamps may be ahead of now; [`DEFAULT_MAX_SKEW_MS`] by default.
    pub const fn max_skew(mut self, ms: u64) -> Self {
        self.max_skew_ms = ms;
        self
    }

    /// Refuses rounds that are not above the last one that the consumer saw.
    pub const fn newer_than(mut self, last_seen: u64) -> Self {
        self.newer_than = Some(last_seen);
        self
    }

    fn check(&self, stored: &Stored) -> Result<(), Error> {
        let ahead = |ms: u64| ms.saturating_sub(self.now_ms) > self.max_skew_ms;
        let older = |ms: u64, max: u64| self.now_ms.saturating_sub(ms) > max;
        let first = |refused: &[(bool, Error)]| {
            let refusal = refused.iter().find(|(refused, _)| *refused);
            refusal.map_or(Ok(()), |(_, error)| Err(*error))
        };
        first(&[
            (ahead(stored.timestamp_ms), Error::Ahead),
            (older(stored.timestamp_ms, self.max_age_ms), Error::TooOld),
            (
                self.newer_than.is_some_and(|last| stored.round <= last),
                Error::NotNewer,
            ),
            (
                stored.status.contains(Status::UNAVAILABLE),
                Error::Unavailable,
            ),
            (
                stored.status.without(self.allowed) != Status::OK,
                Error::Status,
            ),
            (
                stored.observers < self.min_observers,
                Error::TooFewObservers,
            ),
            (ahead(stored.observed_at_ms), Error::Ahead),
            (
                self.max_trade_age_ms
                    .is_some_and(|max| older(stored.observed_at_ms, max)),
                Error::TradeTooOld,
            ),
        ])
    }
}

/// The feed's price, if the account is the program's, under the pinned config, of this feed and at the address that these
/// give, and if what it holds satisfies the policy.
///
/// # Errors
/// The first condition that is not satisfied: [`Error::WrongOwner`], [`Error::WrongKind`], [`Error::WrongConfig`],
/// [`Error::NoFeed`], [`Error::WrongAddress`], [`Error::NoPrice`], then [`Error::Ahead`], [`Error::TooOld`],
/// [`Error::NotNewer`], [`Error::Unavailable`], [`Error::Status`], [`Error::TooFewObservers`] and [`Error::TradeTooOld`].
#[inline]
pub fn get_price(
    account: AccountView<'_>,
    pin: &Pin,
    feed: &Feed,
    policy: &Policy,
    sha256: &impl Sha256,
) -> Result<Price, Error> {
    if !equal(account.owner, &pin.program) {
        return Err(Error::WrongOwner);
    }
    let held = PriceAccount::read(account.data)?;
    if !equal(held.config, &pin.config) {
        return Err(Error::WrongConfig);
    }
    if !feed.is(held.feed) {
        return Err(Error::NoFeed);
    }
    // Only the program writes its accounts, and it creates them at this address; so this cannot fail, unless an account was
    // made up by somebody's test or API.
    let seeds = price_seeds(&pin.config, feed.as_bytes());
    let address = program_address(seeds, held.bump, &pin.program, sha256);
    if !equal(&address, account.address) {
        return Err(Error::WrongAddress);
    }
    let stored = held.stored().ok_or(Error::NoPrice)?;
    policy.check(&stored)?;
    Ok(Price {
        price: stored.price,
        low: stored.low,
        high: stored.high,
        exponent: stored.exponent,
        status: stored.status,
        observers: stored.observers,
        epoch: stored.epoch,
        round: stored.round,
        timestamp_ms: stored.timestamp_ms,
        observed_at_ms: stored.observed_at_ms,
    })
}
