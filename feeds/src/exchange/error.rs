//! Why an answer holds no quote.

use thiserror::Error;

use crate::json::shorten;

/// Why there is no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RequestError {
    /// The endpoint is a stream.
    #[error("the ws endpoint is a stream, not an HTTP request; ask for ticker or trades")]
    NotHttp,
}

/// Why an answer could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ParseError {
    /// Not JSON, or JSON of another shape; the message names line and column.
    #[error("unexpected body: {0}")]
    Json(String),
    /// None of the exchange's answers looks like this.
    #[error("this looks like no ticker, trades or ws answer of {source_name}")]
    Shape {
        /// The exchange.
        source_name: &'static str,
    },
    /// The exchange itself reports an error, perhaps under HTTP 200.
    #[error("the exchange answers with error {code:?}: {message}")]
    Exchange {
        /// Its code, empty if it has none.
        code: String,
        /// Its text, shortened.
        message: String,
    },
    /// The answer is about another pair than the one asked for.
    #[error("asked for {asked}, the answer is about {found:?}")]
    OtherPair {
        /// The symbol asked for.
        asked: String,
        /// What the answer names.
        found: String,
    },
    /// The answer has no trade's price, such as a book ticker.
    #[error("no price of a trade in this answer: {0}")]
    NoPrice(&'static str),
}

impl ParseError {
    pub(super) fn exchange(code: &str, message: &str) -> Self {
        Self::Exchange {
            code: shorten(code),
            message: shorten(message),
        }
    }

    pub(super) fn other_pair(asked: String, found: &str) -> Self {
        Self::OtherPair {
            asked,
            found: shorten(found),
        }
    }

    pub(super) fn gzip(why: &str) -> Self {
        Self::Json(shorten(&format!("not gzip that can be read: {why}")))
    }

    /// Whether the exchange says that it was asked too often.
    pub fn is_rate_limit(&self) -> bool {
        let Self::Exchange { code, message } = self else {
            return false;
        };
        let codes = [
            "50011",             // OKX
            "-1003",             // Binance
            "10006",             // Bybit, for one key
            "10018",             // Bybit, for one address
            "429000",            // KuCoin
            "TOO_MANY_REQUESTS", // Gate.io
            "11010",             // Bitfinex
            "ERR_RATE_LIMIT",    // Bitfinex
            "RateLimit",         // Gemini
            "42901",             // Crypto.com
            "429",               // MEXC, Bitget
            "30006",             // Bitget, in frames
            "30007",             // Bitget, in frames
        ];
        // Kraken and HTX have texts only.
        codes.contains(&code.as_str())
            || [
                "EAPI:Rate limit exceeded",
                "EGeneral:Too many requests",
                "EService:Throttled",
                "too many request",
            ]
            .iter()
            .any(|text| message.starts_with(text))
    }
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(shorten(&error.to_string()))
    }
}
