//! Kraken, <https://docs.kraken.com/api/docs/rest-api/get-recent-trades>; frames of WebSocket versions 1 and 2.
//!
//! An answer is keyed by Kraken's own name of the pair, which often is not the one asked for: `XBTUSD` is answered
//! under `XXBTZUSD`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder};
use crate::{
    Endpoint,
    json::{Fields, IsoTime, Number, Seconds, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "kraken",
    base_url: "https://api.kraken.com",
    polled: Endpoint::Trades,
    requests_per_second: 1,
    order: TradeOrder::OldestFirst,
    symbol,
    path,
    detect,
    parse,
};

fn symbol(pair: FeedName) -> String {
    [asset(pair.base()), asset(pair.quote())].concat()
}

fn asset(name: &str) -> &str {
    match name {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        other => other,
    }
}

/// Whether `found` is one of Kraken's names of the pair: with its own or the common name of each asset, the old X or Z
/// in front or not, and a slash in WebSocket frames.
fn names_pair(pair: FeedName, found: &str) -> bool {
    let spellings = |name: &str| {
        let own = asset(name);
        [
            name.to_owned(),
            own.to_owned(),
            format!("X{own}"),
            format!("Z{own}"),
        ]
    };
    let quotes = spellings(pair.quote());
    spellings(pair.base()).iter().any(|base| {
        found
            .strip_prefix(base.as_str())
            .map(|rest| rest.strip_prefix('/').unwrap_or(rest))
            .is_some_and(|rest| quotes.iter().any(|quote| quote == rest))
    })
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/0/public/Ticker?pair={symbol}")),
        Endpoint::Trades => Some(format!("/0/public/Trades?pair={symbol}&count=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let fields = match shape {
        Shape::Array(_) => return Some(Endpoint::Ws),
        Shape::Object(fields) => fields,
    };
    if ["channel", "event", "method"].iter().any(|f| shape.has(f)) {
        return Some(Endpoint::Ws);
    }
    match fields.get("result") {
        None => shape.has("error").then_some(Endpoint::Ticker),
        Some(result) => {
            let result: Fields<'_> = serde_json::from_str(result.get()).ok()?;
            Some(if result.contains_key("last") {
                Endpoint::Trades
            } else {
                Endpoint::Ticker
            })
        }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    error: Vec<String>,
    #[serde(borrow)]
    result: Option<BTreeMap<String, &'a RawValue>>,
}

/// `c` is the last trade (price, lot volume), `v` the volume (today, last 24 hours).
#[derive(Deserialize)]
struct Ticker {
    c: Vec<Number>,
    v: Vec<Number>,
}

/// One element of an array of mixed types, such as price, volume, time, side, order type.
type Row<'a> = Vec<&'a RawValue>;

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if !answer.error.is_empty() {
        return Err(ParseError::exchange("", &answer.error.join("; ")));
    }
    let result = answer.result.unwrap_or_default();
    let (_, value) = result
        .iter()
        .find(|(key, _)| names_pair(pair, key))
        .ok_or_else(|| {
            let keys: Vec<&str> = result.keys().map(String::as_str).take(5).collect();
            ParseError::other_pair(symbol(pair), &keys.join(" "))
        })?;
    if endpoint == Endpoint::Ticker {
        Ok(vec![ticker(&serde_json::from_str(value.get())?)?])
    } else {
        let rows: Vec<Row<'_>> = serde_json::from_str(value.get())?;
        rows.iter().map(trade).collect()
    }
}

fn ticker(ticker: &Ticker) -> Result<Tick, ParseError> {
    let last = ticker.c.first().ok_or(ParseError::NoPrice("c is empty"))?;
    Ok(Tick {
        price: last.0,
        trade_time_ms: None,
        volume: ticker.v.get(1).map(|v| v.0),
    })
}

fn trade(row: &Row<'_>) -> Result<Tick, ParseError> {
    let (Some(price), Some(time)) = (row.first(), row.get(2)) else {
        return Err(ParseError::NoPrice("a trade has fewer than three elements"));
    };
    let price: Number = serde_json::from_str(price.get())?;
    let time: Seconds = serde_json::from_str(time.get())?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: Some(time.ms),
        volume: None,
    })
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    match Shape::of(body)? {
        Shape::Array(items) => frame_v1(pair, &items),
        Shape::Object(_) => frame_v2(pair, body),
    }
}

/// Version 1: `[channelID, data, "trade" | "ticker" | .., "XBT/USD"]`.
fn frame_v1(pair: FeedName, items: &[&RawValue]) -> Result<Vec<Tick>, ParseError> {
    let [_, data, .., channel, name] = items else {
        return Err(ParseError::Shape {
            source_name: EXCHANGE.name,
        });
    };
    let name = scalar_text(name)?;
    if !names_pair(pair, &name) {
        return Err(ParseError::other_pair(symbol(pair), &name));
    }
    match scalar_text(channel)?.as_ref() {
        "ticker" => Ok(vec![ticker(&serde_json::from_str(data.get())?)?]),
        "trade" => {
            let rows: Vec<Row<'_>> = serde_json::from_str(data.get())?;
            rows.iter().map(trade).collect()
        }
        _ => Ok(Vec::new()),
    }
}

/// Version 2, and the status messages of both versions.
#[derive(Deserialize)]
struct Frame<'a> {
    channel: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    error: Option<String>,
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
    event: Option<String>,
    method: Option<String>,
}

#[derive(Deserialize)]
struct TickerV2 {
    symbol: String,
    last: Number,
    volume: Option<Number>,
}

#[derive(Deserialize)]
struct TradeV2 {
    symbol: String,
    price: Number,
    timestamp: IsoTime,
}

fn frame_v2(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    if let Some(message) = frame.error.or(frame.error_message) {
        return Err(ParseError::exchange("", &message));
    }
    if frame.channel.is_none() && frame.event.is_none() && frame.method.is_none() {
        return Err(ParseError::Shape {
            source_name: EXCHANGE.name,
        });
    }
    let about = |found: &str| {
        if names_pair(pair, found) {
            Ok(())
        } else {
            Err(ParseError::other_pair(symbol(pair), found))
        }
    };
    match (frame.channel.as_deref(), frame.data) {
        (Some("ticker"), Some(data)) => {
            let tickers: Vec<TickerV2> = serde_json::from_str(data.get())?;
            let tick = |t: &TickerV2| {
                about(&t.symbol)?;
                Ok(Tick {
                    price: t.last.0,
                    trade_time_ms: None,
                    volume: t.volume.map(|v| v.0),
                })
            };
            tickers.iter().map(tick).collect()
        }
        (Some("trade"), Some(data)) => {
            let trades: Vec<TradeV2> = serde_json::from_str(data.get())?;
            let tick = |t: &TradeV2| {
                about(&t.symbol)?;
                Ok(Tick {
                    price: t.price.0,
                    trade_time_ms: Some(t.timestamp.ms),
                    volume: None,
                })
            };
            trades.iter().map(tick).collect()
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn the_answer_is_keyed_by_another_name() {
        let body = br#"{"error":[],"result":{"XXBTZUSD":{"a":["9.2","2","2.000"],"b":["9.1","11","11.000"],
            "c":["9.15000","0.01"],"v":["5.5","6251.33"],"p":["9","9"],"t":[1,2],"l":["8","8"],"h":["9","9"],"o":"9"}}}"#;
        let got = quotes("kraken", "BTC-USD", body).expect("ticker");
        assert_eq!(got[0].price.to_string(), "9.15000");
        assert_eq!(got[0].trade_time_ms, None);
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("6251.33")
        );
        assert!(matches!(
            quotes("kraken", "ETH-USD", body),
            Err(ParseError::OtherPair { .. })
        ));
    }

    #[test]
    fn names_of_pairs() {
        let is = |pair: &str, found: &str| names_pair(FeedName::new(pair).expect(pair), found);
        assert!(
            is("BTC-USD", "XXBTZUSD")
                && is("BTC-USD", "XBTUSD")
                && is("BTC-USD", "XBT/USD")
                && is("BTC-USD", "BTC/USD")
        );
        assert!(
            is("DOGE-USD", "XDGUSD")
                && is("USDT-USD", "USDTZUSD")
                && is("EUR-USD", "ZEURZUSD")
                && is("XRP-USD", "XXRPZUSD")
        );
        assert!(
            is("BTC-USDT", "XBTUSDT")
                && !is("BTC-USD", "XBTUSDT")
                && !is("BTC-USD", "XETHZUSD")
                && !is("BTC-USD", "")
        );
    }

    #[test]
    fn trades_come_with_a_fraction_of_a_second() {
        let body = br#"{"error":[],"result":{"XBTUSDT":[["105433.60000","0.0002",1762795433.9717445,"b","l","",1],
            ["105410.10000","0.0005",1762795457.8467374,"b","m","",2],["105411.00000","0.0005",1762795457.8467374,"b","m","",3]],
            "last":"1762795457846737400"}}"#;
        let got = quotes("kraken", "BTC-USDT", body).expect("trades");
        assert_eq!(got[0].trade_time_ms, Some(1_762_795_433_971));
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("105411.00000", Some(1_762_795_457_846))
        );
    }

    #[test]
    fn frames_of_both_versions() {
        let v1 = br#"[993,[["354.11","0.9","1618678142.557535","s","l",""],["354.12","0.9","1618678142.6","b","l",""]],"trade","XBT/USD"]"#;
        let got = quotes("kraken", "BTC-USD", v1).expect("v1");
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].trade_time_ms, Some(1_618_678_142_557));
        let v1 = br#"[15,{"c":["9971.0","1.0"],"v":["37.5","78.5"]},"ticker","XBT/USD"]"#;
        assert_eq!(
            quotes("kraken", "BTC-USD", v1).expect("v1")[0]
                .price
                .to_string(),
            "9971.0"
        );
        let v2 = br#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.1,
            "ord_type":"limit","trade_id":1,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#;
        let got = quotes("kraken", "BTC-USD", v2).expect("v2");
        assert_eq!(got[0].price.to_string(), "105944.20");
        assert_eq!(got[0].trade_time_ms, Some(1_696_613_755_440));
        let v2 = br#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","last":0.1,"volume":3}]}"#;
        assert_eq!(
            quotes("kraken", "BTC-USD", v2).expect("v2")[0].trade_time_ms,
            None
        );
        assert!(matches!(
            quotes("kraken", "ETH-USD", v2),
            Err(ParseError::OtherPair { .. })
        ));
        for quiet in [
            r#"{"event":"heartbeat"}"#,
            r#"{"channel":"heartbeat"}"#,
            r#"{"method":"subscribe","success":true}"#,
        ] {
            assert_eq!(
                quotes("kraken", "BTC-USD", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "kraken",
            "BTC-USD",
            &[
                (
                    r#"{"error":["EQuery:Unknown asset pair"]}"#,
                    "EQuery:Unknown asset pair",
                ),
                (r#"{"error":[],"result":{}}"#, "asked for XBTUSD"),
                (
                    r#"{"error":[],"result":{"XXBTZUSD":[["1"]],"last":"1"}}"#,
                    "fewer than three",
                ),
                (
                    r#"{"error":[],"result":{"XXBTZUSD":{"c":[],"v":[]}}}"#,
                    "c is empty",
                ),
                (
                    r#"{"event":"subscriptionStatus","errorMessage":"Currency pair not supported"}"#,
                    "not supported",
                ),
                (r#"[1,2]"#, "looks like no"),
            ],
        );
        let limited = quotes(
            "kraken",
            "BTC-USD",
            br#"{"error":["EAPI:Rate limit exceeded"]}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
