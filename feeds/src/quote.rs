//! What an exchange said about one market.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use touchstone_types::{Decimal, FeedName};

/// The price of one market at one exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Quote {
    /// Name of the exchange, see [`crate::EXCHANGES`].
    pub source: String,
    /// The market, `BASE-QUOTE`.
    pub pair: FeedName,
    /// Price of the last trade, as many digits as the exchange wrote.
    pub price: Decimal,
    /// When that trade happened, in Unix milliseconds (fractions cut off). `None` if the answer does not say: the time
    /// at which a server wrote a ticker does not date the price in it.
    pub trade_time_ms: Option<u64>,
    /// Traded over the last 24 hours, in units of the base currency. `None` if the answer does not say.
    pub volume: Option<Decimal>,
}

/// Which of an exchange's answers a body is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// The REST ticker.
    Ticker,
    /// The REST list of the latest trades.
    Trades,
    /// One WebSocket text frame.
    Ws,
}

/// A name that no [`Endpoint`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("unknown endpoint; known are ticker, trades, ws")]
pub struct EndpointError;

impl Endpoint {
    /// The name in command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Trades => "trades",
            Self::Ws => "ws",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Ticker, Self::Trades, Self::Ws]
            .into_iter()
            .find(|e| e.name() == text)
            .ok_or(EndpointError)
    }
}
