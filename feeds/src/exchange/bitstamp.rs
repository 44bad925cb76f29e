//! Bitstamp, <https://www.bitstamp.net/api/>.
//!
//! A ticker's `timestamp` is the server's time, minutes after the last trade of a quiet market.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Micros, Number, Seconds, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "bitstamp",
    base_url: "https://www.bitstamp.net",
    polled: Endpoint::Trades,
    requests_per_second: 10,
    order: TradeOrder::NewestFirst,
    symbol,
    path,
    detect,
    parse,
};

fn symbol(pair: FeedName) -> String {
    joined(pair, "").to_ascii_lowercase()
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/api/v2/ticker/{symbol}/")),
        Endpoint::Trades => Some(format!("/api/v2/transactions/{symbol}/?time=minute")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => match shape.first_of_array() {
            Some(first) if first.contains_key("last") => Some(Endpoint::Ticker),
            _ => Some(Endpoint::Trades),
        },
        Shape::Object(_) if shape.has("event") => Some(Endpoint::Ws),
        Shape::Object(_) => ["last", "error", "code", "reason"]
            .iter()
            .any(|f| shape.has(f))
            .then_some(Endpoint::Ticker),
    }
}

/// Lists of tickers name each one's pair, `BTC/USD`.
#[derive(Deserialize)]
struct Ticker {
    last: Number,
    volume: Option<Number>,
    pair: Option<String>,
}

#[derive(Deserialize)]
struct Trade {
    price: Number,
    date: Seconds,
}

/// Two generations of errors: `{"error":..}` and `{"status":"error","code":..,"reason":..}`.
#[derive(Deserialize)]
struct Failure<'a> {
    code: Option<String>,
    #[serde(borrow, alias = "error")]
    reason: &'a RawValue,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    if let Ok(failure) = serde_json::from_slice::<Failure<'_>>(body) {
        let code = failure.code.unwrap_or_default();
        return Err(ParseError::exchange(&code, failure.reason.get()));
    }
    if endpoint == Endpoint::Ticker {
        return Ok(vec![ticker(pair, body)?]);
    }
    let trades: Vec<Trade> = serde_json::from_slice(body)?;
    let tick = |trade: &Trade| Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.date.ms),
        volume: None,
    };
    Ok(trades.iter().map(tick).collect())
}

/// One ticker, or the asked pair's in a list of them.
fn ticker(pair: FeedName, body: &[u8]) -> Result<Tick, ParseError> {
    let asked = joined(pair, "/");
    let ticker: Ticker = match Shape::of(body)? {
        Shape::Object(_) => serde_json::from_slice(body)?,
        Shape::Array(_) => {
            let tickers: Vec<Ticker> = serde_json::from_slice(body)?;
            let others = tickers
                .first()
                .and_then(|t| t.pair.clone())
                .unwrap_or_default();
            tickers
                .into_iter()
                .find(|t| t.pair.as_deref() == Some(asked.as_str()))
                .ok_or_else(|| ParseError::other_pair(asked.clone(), &others))?
        }
    };
    if let Some(found) = &ticker.pair {
        expect_symbol(asked, found)?;
    }
    Ok(Tick {
        price: ticker.last.0,
        trade_time_ms: None,
        volume: ticker.volume.map(|v| v.0),
    })
}

#[derive(Deserialize)]
struct Frame<'a> {
    event: String,
    channel: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// `price` is a JSON number that may have lost digits on its way; `price_str` has them all.
#[derive(Deserialize)]
struct TradeData {
    price_str: Number,
    microtimestamp: Micros,
}

#[derive(Deserialize)]
struct ErrorData {
    message: String,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    let data = frame.data.map_or("null", RawValue::get);
    match frame.event.as_str() {
        "trade" => {
            let channel = frame.channel.unwrap_or_default();
            expect_symbol(symbol(pair), channel.rsplit('_').next().unwrap_or_default())?;
            let trade: TradeData = serde_json::from_str(data)?;
            Ok(vec![Tick {
                price: trade.price_str.0,
                trade_time_ms: Some(trade.microtimestamp.ms),
                volume: None,
            }])
        }
        "bts:error" => {
            let error: ErrorData = serde_json::from_str(data)?;
            Err(ParseError::exchange("", &error.message))
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn a_ticker_alone_and_in_a_list() {
        let one = br#"{"timestamp":"1686068944","high":"26252","last":"26216","bid":"26208","vwap":"25681",
            "volume":"3563.13819902","low":"25350","ask":"26211","open":"25730"}"#;
        let got = quotes("bitstamp", "BTC-USD", one).expect("one");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("26216", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("3563.13819902")
        );
        let list = br#"[{"last":"9","pair":"ETH/USD"},{"last":"26216","volume":"3563.13819902","pair":"BTC/USD"}]"#;
        assert_eq!(quotes("bitstamp", "BTC-USD", list), Ok(got));
        assert!(matches!(
            quotes("bitstamp", "LTC-USD", list),
            Err(ParseError::OtherPair { .. })
        ));
    }

    #[test]
    fn trades_are_dated_in_seconds() {
        let body =
            br#"[{"date":"1637845199","tid":"9","amount":"0.005","type":"0","price":"4451.25"},
            {"date":"1637845198","tid":"8","amount":"0.005","type":"1","price":"4450.00"}]"#;
        let got = quotes("bitstamp", "ETH-USD", body).expect("trades");
        assert_eq!(got.len(), 2);
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("4451.25", Some(1_637_845_199_000))
        );
        assert_eq!(quotes("bitstamp", "ETH-USD", b"[]"), Ok(vec![]));
    }

    #[test]
    fn a_frame_is_read_from_its_strings() {
        let body = br#"{"data":{"id":2,"timestamp":"1641343699","amount":0.0792,"amount_str":"0.07920000","price":3805.4,
            "price_str":"3805.44","type":0,"microtimestamp":"1641343699596000"},"channel":"live_trades_ethusd","event":"trade"}"#;
        let got = quotes("bitstamp", "ETH-USD", body).expect("trade");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3805.44", Some(1_641_343_699_596))
        );
        assert!(matches!(
            quotes("bitstamp", "BTC-USD", body),
            Err(ParseError::OtherPair { .. })
        ));
        let quiet =
            br#"{"event":"bts:subscription_succeeded","channel":"live_trades_ethusd","data":{}}"#;
        assert_eq!(quotes("bitstamp", "ETH-USD", quiet), Ok(vec![]));
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "bitstamp",
            "BTC-USD",
            &[
                (
                    r#"{"status":"error","reason":"Invalid pair","code":"API0011"}"#,
                    "error \"API0011\"",
                ),
                (r#"{"error":"Not found"}"#, "Not found"),
                (
                    r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}"#,
                    "Bad subscription",
                ),
                (r#"{"last":"26,216"}"#, "not a decimal number"),
                (r#"[{"date":"now","price":"1"}]"#, "not a decimal number"),
            ],
        );
    }
}
