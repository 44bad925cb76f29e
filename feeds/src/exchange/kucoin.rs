//! KuCoin, <https://www.kucoin.com/docs-new/rest/spot-trading/market-data/get-trade-history>.
//!
//! Errors come under HTTP 200, too, with a `code` other than `"200000"`. A trade's `time` is in nanoseconds, a ticker's
//! in milliseconds and of the server's clock. The list of trades begins with the oldest and does not name its pair;
//! neither does `orderbook/level1`, so `market/stats` is asked for the ticker. A market in which nothing was traded for
//! a day has `"last":null` there.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Nanos, Number, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "kucoin",
    base_url: "https://api.kucoin.com",
    polled: Endpoint::Trades,
    // 2000 units in 30 seconds for one address, of which a list of trades costs three:
    // <https://www.kucoin.com/docs-new/rate-limit>.
    requests_per_second: 15,
    order: TradeOrder::OldestFirst,
    symbol,
    path,
    detect,
    parse,
};

fn symbol(pair: FeedName) -> String {
    joined(pair, "-")
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/api/v1/market/stats?symbol={symbol}")),
        Endpoint::Trades => Some(format!("/api/v1/market/histories?symbol={symbol}")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let Shape::Object(fields) = shape else {
        return None;
    };
    if shape.has("type") || shape.has("topic") {
        return Some(Endpoint::Ws);
    }
    fields.get("code")?;
    match fields.get("data") {
        Some(data) if data.get().starts_with('[') => Some(Endpoint::Trades),
        _ => Some(Endpoint::Ticker),
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    code: String,
    #[serde(default)]
    msg: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// `market/stats` (`symbol`, `last`, `vol`) or `orderbook/level1` (`price`).
#[derive(Deserialize)]
struct Ticker {
    symbol: Option<String>,
    last: Option<Number>,
    price: Option<Number>,
    vol: Option<Number>,
}

#[derive(Deserialize)]
struct Trade {
    price: Number,
    time: Nanos,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.code != "200000" {
        return Err(ParseError::exchange(&answer.code, &answer.msg));
    }
    let data = answer.data.map_or("null", RawValue::get);
    if endpoint == Endpoint::Ticker {
        return Ok(vec![ticker(pair, data)?]);
    }
    let trades: Vec<Trade> = serde_json::from_str(data)?;
    Ok(trades.iter().map(trade).collect())
}

fn ticker(pair: FeedName, data: &str) -> Result<Tick, ParseError> {
    let ticker: Ticker = serde_json::from_str(data)?;
    if let Some(found) = &ticker.symbol {
        expect_symbol(symbol(pair), found)?;
    }
    let price = ticker
        .last
        .or(ticker.price)
        .ok_or(ParseError::NoPrice("the ticker has no last price"))?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: None,
        volume: ticker.vol.map(|v| v.0),
    })
}

fn trade(trade: &Trade) -> Tick {
    Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.time.ms),
        volume: None,
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: String,
    topic: Option<String>,
    subject: Option<String>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A trade in a frame names its pair.
#[derive(Deserialize)]
struct Match {
    symbol: String,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    let data = frame.data.map_or("null", RawValue::get);
    if frame.kind == "error" {
        let code = frame.code.map(scalar_text).transpose()?.unwrap_or_default();
        let text = frame.data.map(scalar_text).transpose()?.unwrap_or_default();
        return Err(ParseError::exchange(&code, &text));
    }
    if frame.kind != "message" {
        return Ok(Vec::new());
    }
    let topic = frame.topic.unwrap_or_default();
    match topic.split_once(':') {
        Some(("/market/match", found)) => {
            expect_symbol(symbol(pair), found)?;
            let about: Match = serde_json::from_str(data)?;
            expect_symbol(symbol(pair), &about.symbol)?;
            Ok(vec![trade(&serde_json::from_str(data)?)])
        }
        // The topic of all tickers names each one in the subject.
        Some(("/market/ticker", found)) => {
            let found = match found {
                "all" => frame.subject.as_deref().unwrap_or_default(),
                one => one,
            };
            expect_symbol(symbol(pair), found)?;
            Ok(vec![ticker(pair, data)?])
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn trades_are_dated_in_nanoseconds() {
        let body = br#"{"code":"200000","data":[
            {"sequence":"51","price":"0.0713","size":"0.2","side":"buy","time":1700000000999999999},
            {"sequence":"52","price":"0.0714","size":"0.2","side":"buy","time":1700000001000000000},
            {"sequence":"53","price":"0.0715","size":"0.1","side":"sell","time":1700000001000000000}]}"#;
        let got = quotes("kucoin", "ETH-BTC", body).expect("trades");
        assert_eq!(got[0].trade_time_ms, Some(1_700_000_000_999));
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("0.0715", Some(1_700_000_001_000))
        );
        let frame = br#"{"type":"message","topic":"/market/match:ETH-BTC","subject":"trade.l3match","data":{"symbol":"ETH-BTC",
            "sequence":"53","side":"sell","size":"0.1","price":"0.0715","time":"1700000001000000000","type":"match","tradeId":"a"}}"#;
        assert_eq!(quotes("kucoin", "ETH-BTC", frame), Ok(vec![newest]));
    }

    #[test]
    fn the_time_of_a_ticker_is_no_trade_time() {
        let stats = br#"{"code":"200000","data":{"time":1700000009999,"symbol":"ETH-BTC","buy":"0.0714","sell":"0.0716",
            "vol":"912.5","volValue":"65.2","last":"0.0715"}}"#;
        let got = quotes("kucoin", "ETH-BTC", stats).expect("stats");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("0.0715", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        let level1 = br#"{"code":"200000","data":{"time":1700000009999,"sequence":"5","price":"0.0715","size":"0.1","bestBid":"0.0714"}}"#;
        let got = quotes("kucoin", "ETH-BTC", level1).expect("level1");
        for topic in ["/market/ticker:ETH-BTC", "/market/ticker:all"] {
            let frame = format!(
                r#"{{"type":"message","topic":"{topic}","subject":"ETH-BTC","data":{{"sequence":"5","price":"0.0715","size":"0.1",
                "bestAsk":"0.0716","bestBid":"0.0714","time":1700000009999}}}}"#
            );
            assert_eq!(
                quotes("kucoin", "ETH-BTC", frame.as_bytes()).as_ref(),
                Ok(&got)
            );
            assert!(matches!(
                quotes("kucoin", "BTC-USDT", frame.as_bytes()),
                Err(ParseError::OtherPair { .. })
            ));
        }
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"id":"a","type":"welcome"}"#,
            r#"{"id":"1","type":"ack"}"#,
            r#"{"id":"1","type":"pong","timestamp":1700000001234567}"#,
            r#"{"type":"message","topic":"/market/level2:ETH-BTC","subject":"trade.l2update","data":{"symbol":"ETH-BTC"}}"#,
            r#"{"code":"200000","data":[]}"#,
        ] {
            assert_eq!(
                quotes("kucoin", "ETH-BTC", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "kucoin",
            "BTC-USDT",
            &[
                (
                    r#"{"code":"400100","msg":"This pair is not provided at present"}"#,
                    "error \"400100\": This pair",
                ),
                (
                    r#"{"id":"1","type":"error","code":404,"data":"topic /market/match:NOPE-USDT is not found"}"#,
                    "error \"404\": topic",
                ),
                (
                    r#"{"code":"200000","data":{"symbol":"ETH-USDT","last":"1"}}"#,
                    "asked for BTC-USDT",
                ),
                (
                    r#"{"code":"200000","data":{"symbol":"BTC-USDT","last":null}}"#,
                    "the ticker has no last price",
                ),
                (
                    r#"{"type":"message","topic":"/market/match:BTC-USDT","data":{"symbol":"ETH-USDT","price":"1","time":"1"}}"#,
                    "asked for BTC-USDT",
                ),
                (
                    r#"{"code":"200000","data":[{"price":"1,5","time":1}]}"#,
                    "not a decimal number",
                ),
                (
                    r#"{"code":"200000","data":[{"price":"1","time":-1}]}"#,
                    "not a time",
                ),
                (r#"{"code":"200000"}"#, "invalid type: null"),
            ],
        );
        let limited = quotes(
            "kucoin",
            "BTC-USDT",
            br#"{"code":"429000","msg":"Too Many Requests"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
