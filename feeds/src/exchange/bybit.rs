//! Bybit API v5, <https://bybit-exchange.github.io/docs/v5/market/recent-trade>.
//!
//! Errors come under HTTP 200 with a `retCode` other than 0. The only time beside a ticker is the envelope's, the
//! server's clock. A perpetual has the same symbol as the spot market: an answer of a `category` other than `spot` is
//! about another market. A list in a REST answer begins with the newest trade, a frame with the oldest; here both begin
//! with the newest. Block trades, which are negotiated away from the book, are left out.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Fields, Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "bybit",
    base_url: "https://api.bybit.com",
    polled: Endpoint::Trades,
    // 600 in 5 seconds for one address, all endpoints together: <https://bybit-exchange.github.io/docs/v5/rate-limit>.
    requests_per_second: 60,
    order: TradeOrder::NewestFirst,
    symbol,
    path,
    detect,
    parse,
};

fn symbol(pair: FeedName) -> String {
    joined(pair, "")
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/v5/market/tickers?category=spot&symbol={symbol}")),
        Endpoint::Trades => Some(format!(
            "/v5/market/recent-trade?category=spot&symbol={symbol}&limit=1"
        )),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let Shape::Object(fields) = shape else {
        return None;
    };
    if ["topic", "op", "ret_msg", "pong"]
        .iter()
        .any(|f| shape.has(f))
    {
        return Some(Endpoint::Ws);
    }
    fields.get("retCode")?;
    let list: Vec<Fields<'_>> = fields
        .get("result")
        .and_then(|result| serde_json::from_str::<Fields<'_>>(result.get()).ok())
        .and_then(|result| serde_json::from_str(result.get("list")?.get()).ok())
        .unwrap_or_default();
    match list.first() {
        Some(first) if first.contains_key("lastPrice") => Some(Endpoint::Ticker),
        _ => Some(Endpoint::Trades),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    ret_code: i64,
    #[serde(default)]
    ret_msg: String,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    category: String,
    #[serde(borrow)]
    list: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker {
    symbol: String,
    last_price: Option<Number>,
    volume24h: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trade {
    symbol: String,
    price: Number,
    time: Millis,
    #[serde(default)]
    is_block_trade: bool,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.ret_code != 0 {
        return Err(ParseError::exchange(
            &answer.ret_code.to_string(),
            &answer.ret_msg,
        ));
    }
    let listing: Listing<'_> = serde_json::from_str(answer.result.map_or("null", RawValue::get))?;
    if listing.category != "spot" {
        return Err(ParseError::other_pair(
            format!("spot {}", symbol(pair)),
            &listing.category,
        ));
    }
    if endpoint == Endpoint::Ticker {
        tickers(pair, listing.list.get())
    } else {
        trades(pair, listing.list.get())
    }
}

fn tickers(pair: FeedName, list: &str) -> Result<Vec<Tick>, ParseError> {
    let asked = symbol(pair);
    let tickers: Vec<Ticker> = serde_json::from_str(list)?;
    let ticker = tickers.iter().find(|t| t.symbol == asked).ok_or_else(|| {
        let others = tickers.first().map_or("", |t| t.symbol.as_str());
        ParseError::other_pair(asked.clone(), others)
    })?;
    let price = ticker
        .last_price
        .ok_or(ParseError::NoPrice("the ticker has no lastPrice"))?;
    Ok(vec![tick(price, ticker.volume24h)])
}

fn tick(last: Number, volume: Option<Number>) -> Tick {
    Tick {
        price: last.0,
        trade_time_ms: None,
        volume: volume.map(|v| v.0),
    }
}

fn trades(pair: FeedName, list: &str) -> Result<Vec<Tick>, ParseError> {
    let trades: Vec<Trade> = serde_json::from_str(list)?;
    for trade in &trades {
        expect_symbol(symbol(pair), &trade.symbol)?;
    }
    let tick = |trade: &Trade| Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.time.ms),
        volume: None,
    };
    Ok(trades
        .iter()
        .filter(|t| !t.is_block_trade)
        .map(tick)
        .collect())
}

#[derive(Deserialize)]
struct Frame<'a> {
    topic: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    success: Option<bool>,
    ret_msg: Option<String>,
    op: Option<String>,
    #[serde(borrow)]
    pong: Option<&'a RawValue>,
}

/// One trade of `publicTrade`, named by letters.
#[derive(Deserialize)]
struct Print {
    s: String,
    p: Number,
    #[serde(rename = "T")]
    time: Millis,
    #[serde(rename = "BT", default)]
    block_trade: bool,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    if frame.success == Some(false) {
        return Err(ParseError::exchange(
            "",
            frame.ret_msg.as_deref().unwrap_or_default(),
        ));
    }
    let Some(topic) = frame.topic else {
        return if frame.op.is_some() || frame.ret_msg.is_some() || frame.pong.is_some() {
            Ok(Vec::new())
        } else {
            Err(ParseError::Shape {
                source_name: EXCHANGE.name,
            })
        };
    };
    let data = frame.data.map_or("null", RawValue::get);
    match topic.split_once('.') {
        Some(("publicTrade", found)) => {
            expect_symbol(symbol(pair), found)?;
            prints(pair, data)
        }
        Some(("tickers", found)) => {
            expect_symbol(symbol(pair), found)?;
            let ticker: Ticker = serde_json::from_str(data)?;
            expect_symbol(symbol(pair), &ticker.symbol)?;
            // A delta has only what changed.
            let last = ticker.last_price.into_iter();
            Ok(last.map(|last| tick(last, ticker.volume24h)).collect())
        }
        _ => Ok(Vec::new()),
    }
}

fn prints(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let prints: Vec<Print> = serde_json::from_str(data)?;
    for print in &prints {
        expect_symbol(symbol(pair), &print.s)?;
    }
    let tick = |print: &Print| Tick {
        price: print.p.0,
        trade_time_ms: Some(print.time.ms),
        volume: None,
    };
    Ok(prints
        .iter()
        .rev()
        .filter(|p| !p.block_trade)
        .map(tick)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn rest_answers_and_frames_agree() {
        let ticker = r#"{"symbol":"ETHUSDT","bid1Price":"3001.1","lastPrice":"3001.25","volume24h":"88.5","turnover24h":"1"}"#;
        let rest = format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"category":"spot","list":[{ticker}]}},"retExtInfo":{{}},"time":1700000009999}}"#
        );
        let got = quotes("bybit", "ETH-USDT", rest.as_bytes()).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("88.5")
        );
        let frame = format!(
            r#"{{"topic":"tickers.ETHUSDT","ts":1700000009999,"type":"snapshot","cs":4,"data":{ticker}}}"#
        );
        assert_eq!(quotes("bybit", "ETH-USDT", frame.as_bytes()), Ok(got));

        // Two trades of one millisecond: the newest is first in the list and last in the frame.
        let rest = br#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[
            {"execId":"8","symbol":"ETHUSDT","price":"3001.26","size":"0.1","side":"Buy","time":"1700000001234","isBlockTrade":false},
            {"execId":"7","symbol":"ETHUSDT","price":"3001.25","size":"0.2","side":"Buy","time":"1700000001234","isBlockTrade":false}]},
            "time":1700000009999}"#;
        let got = quotes("bybit", "ETH-USDT", rest).expect("trades");
        assert_eq!(got[0].trade_time_ms, Some(1_700_000_001_234));
        let frame = br#"{"topic":"publicTrade.ETHUSDT","type":"snapshot","ts":1700000009999,"data":[
            {"T":1700000001234,"s":"ETHUSDT","S":"Buy","v":"0.2","p":"3001.25","i":"7","BT":false},
            {"T":1700000001234,"s":"ETHUSDT","S":"Buy","v":"0.1","p":"3001.26","i":"8","BT":false}]}"#;
        assert_eq!(quotes("bybit", "ETH-USDT", frame).as_ref(), Ok(&got));
        assert_eq!(
            EXCHANGE.newest(got).expect("some").price.to_string(),
            "3001.26"
        );
    }

    #[test]
    fn block_trades_are_left_out() {
        let rest = br#"{"retCode":0,"result":{"category":"spot","list":[
            {"symbol":"ETHUSDT","price":"2500","time":"1700000001234","isBlockTrade":true}]}}"#;
        assert_eq!(quotes("bybit", "ETH-USDT", rest), Ok(vec![]));
        let frame = br#"{"topic":"publicTrade.ETHUSDT","data":[{"T":1700000001234,"s":"ETHUSDT","p":"2500","BT":true}]}"#;
        assert_eq!(quotes("bybit", "ETH-USDT", frame), Ok(vec![]));
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"1","op":"subscribe"}"#,
            r#"{"success":true,"ret_msg":"pong","conn_id":"c","op":"ping"}"#,
            r#"{"req_id":"2","op":"pong","args":["1700000001234"],"conn_id":"c"}"#,
            r#"{"pong":1700000001234}"#,
            r#"{"topic":"orderbook.1.ETHUSDT","type":"delta","data":{"s":"ETHUSDT","b":[["1","2"]]}}"#,
            r#"{"topic":"tickers.ETHUSDT","type":"delta","data":{"symbol":"ETHUSDT","bid1Price":"1"}}"#,
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[]},"time":1}"#,
        ] {
            assert_eq!(
                quotes("bybit", "ETH-USDT", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "bybit",
            "BTC-USDT",
            &[
                (
                    r#"{"retCode":10001,"retMsg":"Not supported symbols","result":{},"time":1}"#,
                    "error \"10001\": Not supported",
                ),
                (
                    r#"{"success":false,"ret_msg":"Invalid symbol :[publicTrade.NOPE]","conn_id":"c","op":"subscribe"}"#,
                    "Invalid symbol",
                ),
                (
                    r#"{"retCode":0,"result":{"category":"linear","list":[{"symbol":"BTCUSDT","price":"1","time":"1"}]}}"#,
                    "asked for spot BTCUSDT, the answer is about \"linear\"",
                ),
                (
                    r#"{"retCode":0,"result":{"category":"spot","list":[{"symbol":"ETHUSDT","price":"1","time":"1"}]}}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"retCode":0,"result":{"category":"spot","list":[{"symbol":"ETHUSDT","lastPrice":"1"}]}}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"topic":"publicTrade.ETHUSDT","data":[{"T":1,"s":"ETHUSDT","p":"1"}]}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"topic":"publicTrade.BTCUSDT","data":[{"T":1,"s":"ETHUSDT","p":"1"}]}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"retCode":0,"result":{"category":"spot","list":[{"symbol":"BTCUSDT","price":"","time":"1"}]}}"#,
                    "not a decimal number",
                ),
                (
                    r#"{"topic":"publicTrade.BTCUSDT","data":[{"T":1,"s":"BTCUSDT","p":1e99}]}"#,
                    "out of range",
                ),
                (r#"{"retCode":0,"retMsg":"OK"}"#, "invalid type: null"),
            ],
        );
        let limited = quotes(
            "bybit",
            "BTC-USDT",
            br#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
