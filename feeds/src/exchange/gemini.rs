//! Gemini, <https://docs.gemini.com/rest/market-data>; frames of `wss://api.gemini.com/v2/marketdata`.
//!
//! A ticker's `volume.timestamp` is the server's time and has been seen 41 minutes ahead of the last trade. A ticker
//! names its pair by the two currencies of its volume (not which is the base), the list of trades does not at all. A trade that was taken back
//! is `broken` and has no price. Errors are `{"result":"error","reason":..,"message":..}`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Fields, Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "gemini",
    base_url: "https://api.gemini.com",
    polled: Endpoint::Trades,
    // 120 a minute for one address, and not more than one a second, please: <https://docs.gemini.com/rate-limit>.
    requests_per_second: 1,
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
        Endpoint::Ticker => Some(format!("/v1/pubticker/{symbol}")),
        Endpoint::Trades => Some(format!("/v1/trades/{symbol}?limit_trades=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => Some(Endpoint::Trades),
        Shape::Object(_) if shape.has("type") => Some(Endpoint::Ws),
        Shape::Object(_) => ["last", "close", "result"]
            .iter()
            .any(|f| shape.has(f))
            .then_some(Endpoint::Ticker),
    }
}

/// Version 1 (`last`, `volume`) or 2 (`symbol`, `close`).
#[derive(Deserialize)]
struct Ticker<'a> {
    symbol: Option<String>,
    last: Option<Number>,
    close: Option<Number>,
    #[serde(borrow)]
    volume: Option<Fields<'a>>,
}

#[derive(Deserialize)]
struct Trade {
    price: Number,
    timestampms: Millis,
    #[serde(default)]
    broken: bool,
}

#[derive(Deserialize)]
struct Failure<'a> {
    result: Cow<'a, str>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

/// The exchange's own error, if the body is one.
fn failure(body: &[u8]) -> Option<ParseError> {
    let failure: Failure<'_> = serde_json::from_slice(body).ok()?;
    (failure.result == "error").then(|| ParseError::exchange(&failure.reason, &failure.message))
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if let Some(error) = failure(body) {
        return Err(error);
    }
    match endpoint {
        Endpoint::Ws => frame(pair, body),
        Endpoint::Ticker => Ok(vec![ticker(pair, body)?]),
        Endpoint::Trades => {
            let trades: Vec<Trade> = serde_json::from_slice(body)?;
            let tick = |trade: &Trade| Tick {
                price: trade.price.0,
                trade_time_ms: Some(trade.timestampms.ms),
                volume: None,
            };
            Ok(trades.iter().filter(|t| !t.broken).map(tick).collect())
        }
    }
}

fn ticker(pair: FeedName, body: &[u8]) -> Result<Tick, ParseError> {
    let ticker: Ticker<'_> = serde_json::from_slice(body)?;
    if let Some(found) = &ticker.symbol {
        expect_symbol(symbol(pair), &found.to_ascii_lowercase())?;
    }
    let price = ticker
        .last
        .or(ticker.close)
        .ok_or(ParseError::NoPrice("no last trade"))?;
    let volume = ticker.volume.unwrap_or_default();
    let of = |currency: &str| volume.get(currency).copied();
    if !volume.is_empty() && (of(pair.base()).is_none() || of(pair.quote()).is_none()) {
        let keys: Vec<&str> = volume.keys().map(Cow::as_ref).take(5).collect();
        return Err(ParseError::other_pair(symbol(pair), &keys.join(" ")));
    }
    let base: Option<Number> = of(pair.base())
        .map(|v| serde_json::from_str(v.get()))
        .transpose()?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: None,
        volume: base.map(|v| v.0),
    })
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: String,
    symbol: Option<String>,
    #[serde(borrow)]
    trades: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Print {
    symbol: String,
    price: Number,
    timestamp: Millis,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    if let Some(found) = &frame.symbol {
        expect_symbol(symbol(pair), &found.to_ascii_lowercase())?;
    }
    let prints: Vec<Print> = match (frame.kind.as_str(), frame.trades) {
        ("trade", _) => vec![serde_json::from_slice(body)?],
        // The answer to a subscription begins with the latest trades.
        ("l2_updates", Some(trades)) => serde_json::from_str(trades.get())?,
        _ => Vec::new(),
    };
    let tick = |print: &Print| {
        expect_symbol(symbol(pair), &print.symbol.to_ascii_lowercase())?;
        Ok(Tick {
            price: print.price.0,
            trade_time_ms: Some(print.timestamp.ms),
            volume: None,
        })
    };
    prints.iter().map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn the_time_of_a_ticker_is_no_trade_time() {
        let v1 = br#"{"bid":"3001.2","ask":"3001.3","volume":{"ETH":"912.5","USD":"2738640.6","timestamp":1700000009000},"last":"3001.25"}"#;
        let got = quotes("gemini", "ETH-USD", v1).expect("version 1");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        for other in ["BTC-USD", "ETH-GBP"] {
            assert!(matches!(
                quotes("gemini", other, v1),
                Err(ParseError::OtherPair { .. })
            ));
        }
        let v2 = br#"{"symbol":"ETHUSD","open":"3010","high":"3050","low":"2980","close":"3001.25","changes":["3001.1"],"bid":"3001.2","ask":"3001.3"}"#;
        let got = quotes("gemini", "ETH-USD", v2).expect("version 2");
        assert_eq!(got[0].price.to_string(), "3001.25");
        assert_eq!((got[0].trade_time_ms, got[0].volume), (None, None));
    }

    #[test]
    fn rest_answers_and_frames_agree() {
        let rest = br#"[{"timestamp":1700000001,"timestampms":1700000001234,"tid":52,"price":"3001.25","amount":"0.2","exchange":"gemini","type":"buy"},
            {"timestamp":1700000001,"timestampms":1700000001234,"tid":51,"price":"3001.2","amount":"0.1","exchange":"gemini","type":"sell"},
            {"timestamp":1700000000,"timestampms":1700000000234,"tid":50,"price":"9","amount":"0.1","exchange":"gemini","type":"sell","broken":true}]"#;
        let got = quotes("gemini", "ETH-USD", rest).expect("trades");
        assert_eq!(got.len(), 2);
        let newest = EXCHANGE.newest(got.clone()).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("3001.25", Some(1_700_000_001_234))
        );
        let one = r#"{"type":"trade","symbol":"ETHUSD","event_id":7,"timestamp":1700000001234,"price":"3001.25","quantity":"0.2","side":"buy"}"#;
        assert_eq!(
            quotes("gemini", "ETH-USD", one.as_bytes()),
            Ok(vec![newest])
        );
        let older = one.replace("3001.25", "3001.2");
        let snapshot = format!(
            r#"{{"type":"l2_updates","symbol":"ETHUSD","changes":[["buy","3001.2","5"]],"trades":[{one},{older}],"auction_events":[]}}"#
        );
        assert_eq!(quotes("gemini", "ETH-USD", snapshot.as_bytes()), Ok(got));
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"type":"heartbeat","timestamp":1700000001234}"#,
            r#"{"type":"l2_updates","symbol":"ETHUSD","changes":[["sell","3001.3","0"]]}"#,
            r#"{"type":"candles_1m_updates","symbol":"ETHUSD","changes":[[1700000000000,1,2,1,2,5]]}"#,
            "[]",
        ] {
            assert_eq!(
                quotes("gemini", "ETH-USD", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "gemini",
            "BTC-USD",
            &[
                (
                    r#"{"result":"error","reason":"Bad Request","message":"Supplied value 'nope' is not a valid symbol"}"#,
                    "error \"Bad Request\": Supplied",
                ),
                (r#"{"symbol":"ETHUSD","close":"1"}"#, "asked for btcusd"),
                (
                    r#"{"type":"trade","symbol":"ETHUSD","timestamp":1,"price":"1"}"#,
                    "asked for btcusd",
                ),
                (
                    r#"{"type":"l2_updates","symbol":"BTCUSD","trades":[{"symbol":"ETHUSD","timestamp":1,"price":"1"}]}"#,
                    "asked for btcusd",
                ),
                (r#"{"last":"1 000"}"#, "not a decimal number"),
                (r#"{"last":null}"#, "no last trade"),
                (r#"[{"timestampms":1e30,"price":"1"}]"#, "not a time"),
                (r#"[{"timestamp":1,"price":"1"}]"#, "missing field"),
            ],
        );
        let limited = quotes(
            "gemini",
            "BTC-USD",
            br#"{"result":"error","reason":"RateLimit","message":"Requests were made too frequently"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
