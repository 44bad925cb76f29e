//! Bitget API v2, <https://www.bitget.com/api-doc/spot/market/Get-Recent-Trades>.
//!
//! Errors have a `code` other than `"00000"`. A ticker's `ts` is the time at which the ticker was made. A perpetual has
//! the same `instId` as the spot market; only the `instType` of a frame tells them apart. Frames of version 1, which
//! recordings have, are read as well: there the type is `sp` and a trade is `[ts, price, size, side]`.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Fields, Millis, Number, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "bitget",
    base_url: "https://api.bitget.com",
    polled: Endpoint::Trades,
    // Ten a second for one address, by the page above.
    requests_per_second: 8,
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
        Endpoint::Ticker => Some(format!("/api/v2/spot/market/tickers?symbol={symbol}")),
        Endpoint::Trades => Some(format!("/api/v2/spot/market/fills?symbol={symbol}&limit=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let Shape::Object(fields) = shape else {
        return None;
    };
    if shape.has("arg") || shape.has("event") {
        return Some(Endpoint::Ws);
    }
    fields.get("code")?;
    let data: Vec<Fields<'_>> = fields
        .get("data")
        .and_then(|data| serde_json::from_str(data.get()).ok())
        .unwrap_or_default();
    match data.first() {
        Some(first) if first.contains_key("lastPr") => Some(Endpoint::Ticker),
        _ => Some(Endpoint::Trades),
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

/// REST has `symbol`, a frame `instId`; version 1 has `last`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker {
    #[serde(alias = "instId")]
    symbol: String,
    #[serde(alias = "last")]
    last_pr: Number,
    base_volume: Option<Number>,
}

/// A trade in REST.
#[derive(Deserialize)]
struct Fill {
    symbol: String,
    price: Number,
    ts: Millis,
}

/// A trade in a frame, which names its market once for all.
#[derive(Deserialize)]
struct Trade {
    price: Number,
    ts: Millis,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.code != "00000" {
        return Err(ParseError::exchange(&answer.code, &answer.msg));
    }
    let data = answer.data.map_or("null", RawValue::get);
    if endpoint == Endpoint::Ticker {
        return tickers(pair, data);
    }
    let fills: Vec<Fill> = serde_json::from_str(data)?;
    let tick = |fill: &Fill| {
        expect_symbol(symbol(pair), &fill.symbol)?;
        Ok(tick(fill.price, fill.ts))
    };
    fills.iter().map(tick).collect()
}

fn tickers(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let asked = symbol(pair);
    let tickers: Vec<Ticker> = serde_json::from_str(data)?;
    let ticker = tickers.iter().find(|t| t.symbol == asked).ok_or_else(|| {
        let others = tickers.first().map_or("", |t| t.symbol.as_str());
        ParseError::other_pair(asked.clone(), others)
    })?;
    Ok(vec![Tick {
        price: ticker.last_pr.0,
        trade_time_ms: None,
        volume: ticker.base_volume.map(|v| v.0),
    }])
}

fn tick(price: Number, time: Millis) -> Tick {
    Tick {
        price: price.0,
        trade_time_ms: Some(time.ms),
        volume: None,
    }
}

/// A trade of version 1.
fn row(raw: &RawValue) -> Result<Tick, ParseError> {
    let fields: Vec<&RawValue> = serde_json::from_str(raw.get())?;
    let [time, price, _, _] = fields.as_slice() else {
        return Err(ParseError::NoPrice("a trade has not four elements"));
    };
    let time: Millis = serde_json::from_str(time.get())?;
    let price: Number = serde_json::from_str(price.get())?;
    Ok(tick(price, time))
}

#[derive(Deserialize)]
struct Frame<'a> {
    event: Option<String>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(default)]
    msg: String,
    arg: Option<Arg>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg {
    inst_type: String,
    channel: String,
    inst_id: Option<String>,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    // The answer to the text "ping".
    if body == b"pong" {
        return Ok(Vec::new());
    }
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    if frame.event.as_deref() == Some("error") {
        let code = frame.code.map(scalar_text).transpose()?.unwrap_or_default();
        return Err(ParseError::exchange(&code, &frame.msg));
    }
    let Some(arg) = frame.arg else {
        return match frame.event {
            Some(_) => Ok(Vec::new()),
            None => Err(ParseError::Shape {
                source_name: EXCHANGE.name,
            }),
        };
    };
    if !["SPOT", "sp"].contains(&arg.inst_type.as_str()) {
        return Err(ParseError::other_pair(
            format!("SPOT {}", symbol(pair)),
            &arg.inst_type,
        ));
    }
    if let Some(found) = &arg.inst_id {
        expect_symbol(symbol(pair), found)?;
    }
    match (arg.channel.as_str(), frame.data) {
        ("ticker", Some(data)) => tickers(pair, data.get()),
        ("trade", Some(data)) => {
            let trades: Vec<&RawValue> = serde_json::from_str(data.get())?;
            let read = |raw: &&RawValue| {
                if raw.get().starts_with('[') {
                    row(raw)
                } else {
                    let trade: Trade = serde_json::from_str(raw.get())?;
                    Ok(tick(trade.price, trade.ts))
                }
            };
            trades.iter().map(read).collect()
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    fn pushed(channel: &str, data: &str) -> String {
        format!(
            r#"{{"action":"snapshot","arg":{{"instType":"SPOT","channel":"{channel}","instId":"ETHUSDT"}},"data":[{data}],"ts":1700000009999}}"#
        )
    }

    #[test]
    fn rest_answers_and_frames_agree() {
        let rest = br#"{"code":"00000","msg":"success","requestTime":1700000009999,"data":[{"symbol":"ETHUSDT","open":"3010","high24h":"3050",
            "lastPr":"3001.25","quoteVolume":"2738640.6","baseVolume":"912.5","bidPr":"3001.2","askPr":"3001.3","ts":"1700000009990"}]}"#;
        let got = quotes("bitget", "ETH-USDT", rest).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        for last in ["lastPr", "last"] {
            let frame = pushed(
                "ticker",
                &format!(
                    r#"{{"instId":"ETHUSDT","{last}":"3001.25","baseVolume":"912.5","ts":"1700000009990"}}"#
                ),
            );
            assert_eq!(
                quotes("bitget", "ETH-USDT", frame.as_bytes()).as_ref(),
                Ok(&got)
            );
        }

        let rest = br#"{"code":"00000","msg":"success","requestTime":1700000009999,"data":[
            {"symbol":"ETHUSDT","tradeId":"52","side":"buy","price":"3001.25","size":"0.2","ts":"1700000001234"},
            {"symbol":"ETHUSDT","tradeId":"51","side":"sell","price":"3001.2","size":"0.1","ts":"1700000001234"}]}"#;
        let got = quotes("bitget", "ETH-USDT", rest).expect("trades");
        assert_eq!(got[0].trade_time_ms, Some(1_700_000_001_234));
        let v2 = pushed(
            "trade",
            r#"{"ts":"1700000001234","price":"3001.25","size":"0.2","side":"buy","tradeId":"52"},
            {"ts":"1700000001234","price":"3001.2","size":"0.1","side":"sell","tradeId":"51"}"#,
        );
        let v1 = pushed(
            "trade",
            r#"["1700000001234","3001.25","0.2","buy"],["1700000001234","3001.2","0.1","sell"]"#,
        )
        .replace("SPOT", "sp");
        for frame in [v2, v1] {
            assert_eq!(
                quotes("bitget", "ETH-USDT", frame.as_bytes()).as_ref(),
                Ok(&got)
            );
        }
        assert_eq!(
            EXCHANGE.newest(got).expect("some").price.to_string(),
            "3001.25"
        );
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"event":"subscribe","arg":{"instType":"SPOT","channel":"trade","instId":"ETHUSDT"}}"#,
            r#"{"action":"snapshot","arg":{"instType":"SPOT","channel":"books1","instId":"ETHUSDT"},"data":[{"asks":[]}]}"#,
            r#"{"event":"login","code":0}"#,
            r#"{"code":"00000","msg":"success","data":[]}"#,
        ] {
            assert_eq!(
                quotes("bitget", "ETH-USDT", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
        assert_eq!(
            EXCHANGE.parse(
                FeedName::new("ETH-USDT").expect("name"),
                Endpoint::Ws,
                b"pong"
            ),
            Ok(vec![])
        );
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "bitget",
            "BTC-USDT",
            &[
                (
                    r#"{"code":"40034","msg":"Parameter NOPEUSDT does not exist","requestTime":1,"data":null}"#,
                    "error \"40034\": Parameter",
                ),
                (
                    r#"{"event":"error","arg":{"instType":"SPOT","channel":"trade","instId":"NOPE"},"code":30001,"msg":"instType:SPOT,channel:trade,instId:NOPE doesn't exist"}"#,
                    "error \"30001\": instType",
                ),
                (
                    r#"{"code":"00000","data":[{"symbol":"ETHUSDT","lastPr":"1"}]}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"code":"00000","data":[{"symbol":"ETHUSDT","price":"1","ts":"1"}]}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"{"code":"00000","data":[{"price":"1","ts":"1"}]}"#,
                    "missing field `symbol`",
                ),
                (&pushed("trade", ""), "asked for BTCUSDT"),
                (
                    r#"{"arg":{"instType":"USDT-FUTURES","channel":"trade","instId":"BTCUSDT"},"data":[{"ts":"1","price":"1"}]}"#,
                    "asked for SPOT BTCUSDT",
                ),
                (
                    r#"{"code":"00000","data":[{"symbol":"BTCUSDT","price":"one","ts":"1"}]}"#,
                    "not a decimal number",
                ),
                (
                    r#"{"arg":{"instType":"SPOT","channel":"trade","instId":"BTCUSDT"},"data":[["1","1e99","1","buy"]]}"#,
                    "out of range",
                ),
                (
                    r#"{"arg":{"instType":"SPOT","channel":"trade","instId":"BTCUSDT"},"data":[["1","1"]]}"#,
                    "not four elements",
                ),
                (r#"{"code":"00000","msg":"success"}"#, "invalid type: null"),
            ],
        );
        for limited in [
            br#"{"code":"429","msg":"Too Many Requests","data":null}"#.as_slice(),
            br#"{"event":"error","code":30006,"msg":"request too many"}"#,
        ] {
            let limited = quotes("bitget", "BTC-USDT", limited);
            assert!(limited.expect_err("limited").is_rate_limit());
        }
    }
}
