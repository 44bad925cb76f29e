//! One module per exchange, each a pair of pure functions: build the request, parse the answer.
//!
//! A price is taken with the time of its trade. Where an exchange's ticker does not date its last trade (Kraken has no
//! time at all; Binance, Bitstamp, OKX and most others write the server's time) the list of trades is polled instead.
//!
//! An answer about another pair is refused as far as it says what it is about. Which answers do not say it, is written
//! at the head of each module.

mod binance;
mod bitfinex;
mod bitget;
mod bitstamp;
mod bybit;
mod coinbase;
#[cfg(test)]
mod conformance;
mod cryptocom;
mod error;
mod gateio;
mod gemini;
mod gzip;
mod htx;
mod kraken;
mod kucoin;
mod mexc;
mod okx;
#[cfg(test)]
mod test_support;

use std::borrow::Cow;

pub use error::{ParseError, RequestError};
use touchstone_types::{Decimal, FeedName};

use crate::{Endpoint, Quote, json::Shape};

/// A GET request without a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpRequest {
    /// Absolute URL.
    pub url: String,
    /// Which answer it asks for.
    pub endpoint: Endpoint,
}

/// One price in an answer, before it is given its source and pair.
#[derive(Clone, Copy, Debug)]
struct Tick {
    price: Decimal,
    trade_time_ms: Option<u64>,
    volume: Option<Decimal>,
}

/// What an answer holds.
type Ticks = Result<Vec<Tick>, ParseError>;

/// In which order an exchange lists its trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TradeOrder {
    OldestFirst,
    NewestFirst,
}

/// An exchange and its dialect.
#[derive(Debug)]
pub struct Exchange {
    /// The name by which a manifest lists it as a source.
    pub name: &'static str,
    /// Where its public API answers.
    pub base_url: &'static str,
    /// The REST endpoint that dates its prices.
    pub polled: Endpoint,
    /// Requests per second that the exchange grants one address, with some room left.
    pub requests_per_second: u32,
    order: TradeOrder,
    symbol: fn(FeedName) -> String,
    path: fn(&str, Endpoint) -> Option<String>,
    detect: fn(&Shape<'_>) -> Option<Endpoint>,
    parse: fn(FeedName, Endpoint, &[u8]) -> Ticks,
}

/// Every exchange that this version speaks to.
pub static EXCHANGES: [Exchange; 15] = [
    coinbase::EXCHANGE,
    kraken::EXCHANGE,
    binance::EXCHANGE,
    binance::EXCHANGE_US,
    bitstamp::EXCHANGE,
    okx::EXCHANGE,
    bybit::EXCHANGE,
    kucoin::EXCHANGE,
    gateio::EXCHANGE,
    bitfinex::EXCHANGE,
    gemini::EXCHANGE,
    cryptocom::EXCHANGE,
    htx::EXCHANGE,
    mexc::EXCHANGE,
    bitget::EXCHANGE,
];

impl Exchange {
    /// The exchange of a source's name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        EXCHANGES.iter().find(|e| e.name == name)
    }

    /// The names of all exchanges, for messages.
    pub fn names() -> String {
        EXCHANGES.each_ref().map(|e| e.name).join(", ")
    }

    /// How the exchange writes a pair: `XBTUSD` for `BTC-USD` at Kraken.
    pub fn symbol(&self, pair: FeedName) -> String {
        (self.symbol)(pair)
    }

    /// The request for the newest price of `pair` at `base_url` (scheme, host and perhaps a path, without a query).
    ///
    /// # Errors
    /// [`RequestError::NotHttp`] for [`Endpoint::Ws`].
    pub fn request(
        &self,
        base_url: &str,
        pair: FeedName,
        endpoint: Endpoint,
    ) -> Result<HttpRequest, RequestError> {
        let path = (self.path)(&self.symbol(pair), endpoint).ok_or(RequestError::NotHttp)?;
        Ok(HttpRequest {
            url: format!("{}{path}", base_url.trim_end_matches('/')),
            endpoint,
        })
    }

    /// The quotes in an answer, in the order in which the exchange lists its trades. A list without trades, a WebSocket
    /// heartbeat or a confirmation has none. A frame may be compressed with gzip.
    ///
    /// # Errors
    /// A body of another shape, the exchange's own error, an answer about another pair, a number that does not fit.
    pub fn parse(
        &self,
        pair: FeedName,
        endpoint: Endpoint,
        body: &[u8],
    ) -> Result<Vec<Quote>, ParseError> {
        let body = match endpoint {
            Endpoint::Ws => gzip::text(body)?,
            Endpoint::Ticker | Endpoint::Trades => Cow::Borrowed(body),
        };
        let ticks = (self.parse)(pair, endpoint, &body)?;
        let quote = |tick: Tick| Quote {
            source: self.name.to_owned(),
            pair,
            price: tick.price,
            trade_time_ms: tick.trade_time_ms,
            volume: tick.volume,
        };
        Ok(ticks.into_iter().map(quote).collect())
    }

    /// Which endpoint a body comes from, by its shape.
    ///
    /// # Errors
    /// No JSON array or object, or a shape that none of this exchange's endpoints has.
    pub fn detect(&self, body: &[u8]) -> Result<Endpoint, ParseError> {
        let body = gzip::text(body)?;
        (self.detect)(&Shape::of(&body)?).ok_or(ParseError::Shape {
            source_name: self.name,
        })
    }

    /// Of the quotes of one answer, the one of the newest trade.
    pub fn newest(&self, quotes: Vec<Quote>) -> Option<Quote> {
        // Of equal keys `max_by_key` returns the last.
        match self.order {
            TradeOrder::OldestFirst => quotes.into_iter().max_by_key(|q| q.trade_time_ms),
            TradeOrder::NewestFirst => quotes.into_iter().rev().max_by_key(|q| q.trade_time_ms),
        }
    }
}

/// `BASE` and `QUOTE` joined by `separator`.
fn joined(pair: FeedName, separator: &str) -> String {
    [pair.base(), pair.quote()].join(separator)
}

/// Checks that an answer is about the pair that was asked for.
fn expect_symbol(asked: String, found: &str) -> Result<(), ParseError> {
    if asked == found {
        Ok(())
    } else {
        Err(ParseError::other_pair(asked, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FeedName {
        FeedName::new(text).expect(text)
    }

    #[test]
    fn every_exchange_builds_the_request_it_polls() {
        let urls: Vec<String> = EXCHANGES
            .iter()
            .map(|e| {
                e.request("http://h/x/", name("BTC-USD"), e.polled)
                    .expect("rest")
                    .url
            })
            .collect();
        assert_eq!(
            urls,
            [
                "http://h/x/products/BTC-USD/ticker",
                "http://h/x/0/public/Trades?pair=XBTUSD&count=1",
                "http://h/x/api/v3/aggTrades?symbol=BTCUSD&limit=1",
                "http://h/x/api/v3/aggTrades?symbol=BTCUSD&limit=1",
                "http://h/x/api/v2/transactions/btcusd/?time=minute",
                "http://h/x/api/v5/market/trades?instId=BTC-USD&limit=1",
                "http://h/x/v5/market/recent-trade?category=spot&symbol=BTCUSD&limit=1",
                "http://h/x/api/v1/market/histories?symbol=BTC-USD",
                "http://h/x/api/v4/spot/trades?currency_pair=BTC_USD&limit=1",
                "http://h/x/v2/trades/tBTCUSD/hist?limit=1",
                "http://h/x/v1/trades/btcusd?limit_trades=1",
                "http://h/x/exchange/v1/public/get-trades?instrument_name=BTC_USD&count=1",
                "http://h/x/market/trade?symbol=btcusd",
                "http://h/x/api/v3/trades?symbol=BTCUSD&limit=1",
                "http://h/x/api/v2/spot/market/fills?symbol=BTCUSD&limit=1",
            ]
        );
        for exchange in &EXCHANGES {
            assert_eq!(
                exchange.request("http://h", name("BTC-USD"), Endpoint::Ws),
                Err(RequestError::NotHttp)
            );
            assert!(Exchange::by_name(exchange.name).is_some());
        }
        assert!(Exchange::by_name("mtgox").is_none());
    }

    #[test]
    fn garbage_is_an_error_at_every_endpoint() {
        let bodies: [&[u8]; 9] = [
            b"",
            b"{",
            b"[",
            b"null",
            b"<html>502</html>",
            b"{\"price\":",
            b"[[[[",
            b"\xff\xfe",
            b"17",
        ];
        for exchange in &EXCHANGES {
            for endpoint in [Endpoint::Ticker, Endpoint::Trades, Endpoint::Ws] {
                for body in bodies {
                    assert!(
                        exchange.parse(name("BTC-USD"), endpoint, body).is_err(),
                        "{} {endpoint} {body:?}",
                        exchange.name
                    );
                }
            }
            assert!(exchange.detect(b"{\"hello\":1}").is_err());
        }
    }
}
