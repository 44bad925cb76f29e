//! OKX API v5, <https://www.okx.com/docs-v5/en/#order-book-trading-market-data>.
//!
//! Errors come under HTTP 200 with a `code` other than `"0"`. A ticker's `ts` is the time at which the ticker was made.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Fields, Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "okx",
    base_url: "https://www.okx.com",
    polled: Endpoint::Trades,
    requests_per_second: 8,
    order: TradeOrder::NewestFirst,
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
        Endpoint::Ticker => Some(format!("/api/v5/market/ticker?instId={symbol}")),
        Endpoint::Trades => Some(format!("/api/v5/market/trades?instId={symbol}&limit=1")),
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
        Some(first) if first.contains_key("last") => Some(Endpoint::Ticker),
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker {
    inst_id: String,
    last: Number,
    vol24h: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trade {
    inst_id: String,
    px: Number,
    ts: Millis,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if answer.code != "0" {
        return Err(ParseError::exchange(&answer.code, &answer.msg));
    }
    let data = answer.data.map_or("null", RawValue::get);
    match endpoint {
        Endpoint::Ticker => tickers(pair, data),
        Endpoint::Trades | Endpoint::Ws => trades(pair, data),
    }
}

fn tickers(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let asked = symbol(pair);
    let tickers: Vec<Ticker> = serde_json::from_str(data)?;
    let others = tickers
        .first()
        .map(|t| t.inst_id.clone())
        .unwrap_or_default();
    let ticker = tickers
        .into_iter()
        .find(|t| t.inst_id == asked)
        .ok_or_else(|| ParseError::other_pair(asked, &others))?;
    Ok(vec![Tick {
        price: ticker.last.0,
        trade_time_ms: None,
        volume: ticker.vol24h.map(|v| v.0),
    }])
}

fn trades(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let trades: Vec<Trade> = serde_json::from_str(data)?;
    let tick = |trade: &Trade| {
        expect_symbol(symbol(pair), &trade.inst_id)?;
        Ok(Tick {
            price: trade.px.0,
            trade_time_ms: Some(trade.ts.ms),
            volume: None,
        })
    };
    trades.iter().map(tick).collect()
}

#[derive(Deserialize)]
struct Frame<'a> {
    event: Option<String>,
    code: Option<String>,
    msg: Option<String>,
    arg: Option<Arg>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arg {
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
        return Err(ParseError::exchange(
            frame.code.as_deref().unwrap_or_default(),
            frame.msg.as_deref().unwrap_or_default(),
        ));
    }
    let Some(arg) = frame.arg else {
        return match frame.event {
            Some(_) => Ok(Vec::new()),
            None => Err(ParseError::Shape {
                source_name: EXCHANGE.name,
            }),
        };
    };
    if let Some(found) = &arg.inst_id {
        expect_symbol(symbol(pair), found)?;
    }
    match (arg.channel.as_str(), frame.data) {
        ("tickers", Some(data)) => tickers(pair, data.get()),
        ("trades" | "trades-all", Some(data)) => trades(pair, data.get()),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    const TICKER: &str = r#"{"instType":"SPOT","instId":"ETH-BTC","last":"0.07319","lastSz":"0.04","askPx":"0.07322",
        "bidPx":"0.0732","open24h":"0.07801","volCcy24h":"11788.88","vol24h":"167493.829229","ts":"1621440583784"}"#;
    const TRADES: &str = r#"[{"instId":"ETH-BTC","side":"sell","sz":"0.1","px":"0.07065","tradeId":"2","ts":"1621446178316"},
        {"instId":"ETH-BTC","side":"sell","sz":"0.03","px":"0.07068","tradeId":"1","ts":"1621446178066"}]"#;

    #[test]
    fn rest_answers_and_frames_agree() {
        let rest = format!(r#"{{"code":"0","msg":"","data":[{TICKER}]}}"#);
        let got = quotes("okx", "ETH-BTC", rest.as_bytes()).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("0.07319", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("167493.829229")
        );
        let frame =
            format!(r#"{{"arg":{{"channel":"tickers","instId":"ETH-BTC"}},"data":[{TICKER}]}}"#);
        assert_eq!(quotes("okx", "ETH-BTC", frame.as_bytes()), Ok(got));

        let rest = format!(r#"{{"code":"0","msg":"","data":{TRADES}}}"#);
        let got = quotes("okx", "ETH-BTC", rest.as_bytes()).expect("trades");
        assert_eq!(got[1].trade_time_ms, Some(1_621_446_178_066));
        let frame =
            format!(r#"{{"arg":{{"channel":"trades","instId":"ETH-BTC"}},"data":{TRADES}}}"#);
        assert_eq!(
            quotes("okx", "ETH-BTC", frame.as_bytes()).as_ref(),
            Ok(&got)
        );
        assert_eq!(
            EXCHANGE.newest(got).expect("some").price.to_string(),
            "0.07065"
        );
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        let subscribed = br#"{"event":"subscribe","arg":{"channel":"tickers","instId":"ETH-BTC"}}"#;
        assert_eq!(quotes("okx", "ETH-BTC", subscribed), Ok(vec![]));
        assert_eq!(
            EXCHANGE.parse(
                FeedName::new("ETH-BTC").expect("name"),
                Endpoint::Ws,
                b"pong"
            ),
            Ok(vec![])
        );
        assert_eq!(
            quotes("okx", "ETH-BTC", br#"{"code":"0","msg":"","data":[]}"#),
            Ok(vec![])
        );
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "okx",
            "BTC-USDT",
            &[
                (
                    r#"{"code":"51001","msg":"Instrument ID does not exist","data":[]}"#,
                    "error \"51001\": Instrument",
                ),
                (
                    r#"{"event":"error","code":"60018","msg":"Wrong URL","connId":"a"}"#,
                    "error \"60018\": Wrong URL",
                ),
                (
                    r#"{"code":"0","msg":"","data":[{"instId":"ETH-USDT","last":"1"}]}"#,
                    "asked for BTC-USDT",
                ),
                (
                    r#"{"code":"0","msg":"","data":[{"instId":"ETH-USDT","px":"1","ts":"1"}]}"#,
                    "asked for BTC-USDT",
                ),
                (
                    r#"{"code":"0","msg":"","data":[{"instId":"BTC-USDT","px":"","ts":"1"}]}"#,
                    "not a decimal number",
                ),
                (r#"{"code":"0","msg":""}"#, "invalid type: null"),
            ],
        );
        let limited = quotes(
            "okx",
            "BTC-USDT",
            br#"{"code":"50011","msg":"Too Many Requests","data":[]}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
