//! What every exchange's answers are made of.

use touchstone_types::Decimal;

/// Which side took the other's offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The buyer.
    Buy,
    /// The seller.
    Sell,
}

/// One trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trade {
    /// Ascending per market.
    pub id: u64,
    /// Unix microseconds.
    pub time_us: u64,
    /// In the quote currency.
    pub price: Decimal,
    /// In the base currency.
    pub amount: Decimal,
    /// Who took.
    pub side: Side,
}

impl Trade {
    /// Unix milliseconds, rounded down.
    pub fn time_ms(&self) -> u64 {
        self.time_us / 1_000
    }
}

/// The last 24 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    /// The first price.
    pub open: Decimal,
    /// The highest.
    pub high: Decimal,
    /// The lowest.
    pub low: Decimal,
    /// Mean price by volume.
    pub vwap: Decimal,
    /// Traded, in the base currency.
    pub volume: Decimal,
    /// Number of trades.
    pub count: u64,
}

/// What a ticker shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// The last trade.
    pub last: Trade,
    /// Best offer of a buyer.
    pub bid: Decimal,
    /// Best offer of a seller.
    pub ask: Decimal,
    /// The last 24 hours.
    pub day: Day,
}

/// `price` plus or minus so many millionths of it, at its own number of places, at least one unit off.
pub(crate) fn shifted(price: Decimal, ppm: i128) -> Decimal {
    let step = (price.mantissa.saturating_mul(ppm) / 1_000_000)
        .abs()
        .max(1);
    let mantissa = price.mantissa.saturating_add(step * ppm.signum()).max(1);
    Decimal::new(mantissa, price.exponent)
}
