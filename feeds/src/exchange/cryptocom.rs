//! Crypto.com Exchange API v1, <https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#public-get-trades>.
//!
//! A ticker's `a` is the last trade and `t` the time at which the ticker was made; `v` is the volume in the base
//! currency, `vv` its value in dollars. A market without a trade has `"a":null`. A trade's `t` is in milliseconds, `tn`
//! the same in nanoseconds. `BTC_USD` is the spot market, `BTCUSD-PERP` the perpetual. Errors have a `code` other than 0.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "cryptocom",
    base_url: "https://api.crypto.com",
    polled: Endpoint::Trades,
    // 100 a second for one address and method:
    // <https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#rate-limits>.
    requests_per_second: 50,
    order: TradeOrder::NewestFirst,
    symbol,
    path,
    detect,
    parse,
};

fn symbol(pair: FeedName) -> String {
    joined(pair, "_")
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!(
            "/exchange/v1/public/get-tickers?instrument_name={symbol}"
        )),
        Endpoint::Trades => Some(format!(
            "/exchange/v1/public/get-trades?instrument_name={symbol}&count=1"
        )),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let Shape::Object(fields) = shape else {
        return None;
    };
    match fields.get("method").map(|method| method.get()) {
        Some(r#""public/get-tickers""# | r#""public/get-ticker""#) => Some(Endpoint::Ticker),
        Some(r#""public/get-trades""#) => Some(Endpoint::Trades),
        Some(_) => Some(Endpoint::Ws),
        None => shape.has("code").then_some(Endpoint::Ticker),
    }
}

/// Answers and frames alike.
#[derive(Deserialize)]
struct Answer<'a> {
    method: Option<String>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(default)]
    message: String,
    result: Option<Outcome<'a>>,
}

/// `channel` and `instrument_name` are there in frames only.
#[derive(Deserialize)]
struct Outcome<'a> {
    channel: Option<String>,
    instrument_name: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ticker {
    i: String,
    a: Option<Number>,
    v: Option<Number>,
}

#[derive(Deserialize)]
struct Trade {
    i: String,
    p: Number,
    t: Millis,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    let code = answer.code.map(scalar_text).transpose()?;
    if let Some(code) = code.as_deref().filter(|code| *code != "0") {
        return Err(ParseError::exchange(code, &answer.message));
    }
    let Some(result) = answer.result else {
        // The server's own heartbeat and confirmations.
        return if endpoint == Endpoint::Ws && answer.method.is_some() {
            Ok(Vec::new())
        } else {
            Err(ParseError::Shape {
                source_name: EXCHANGE.name,
            })
        };
    };
    let data = result.data.map_or("null", RawValue::get);
    match endpoint {
        Endpoint::Ticker => tickers(pair, data),
        Endpoint::Trades => trades(pair, data),
        Endpoint::Ws => {
            if let Some(found) = &result.instrument_name {
                expect_symbol(symbol(pair), found)?;
            }
            match result.channel.as_deref() {
                Some("ticker") => tickers(pair, data),
                Some("trade") => trades(pair, data),
                _ => Ok(Vec::new()),
            }
        }
    }
}

fn tickers(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let asked = symbol(pair);
    let tickers: Vec<Ticker> = serde_json::from_str(data)?;
    let ticker = tickers.iter().find(|t| t.i == asked).ok_or_else(|| {
        let others = tickers.first().map_or("", |t| t.i.as_str());
        ParseError::other_pair(asked.clone(), others)
    })?;
    let last = ticker
        .a
        .ok_or(ParseError::NoPrice("this market has no last trade"))?;
    Ok(vec![Tick {
        price: last.0,
        trade_time_ms: None,
        volume: ticker.v.map(|v| v.0),
    }])
}

fn trades(pair: FeedName, data: &str) -> Result<Vec<Tick>, ParseError> {
    let trades: Vec<Trade> = serde_json::from_str(data)?;
    let tick = |trade: &Trade| {
        expect_symbol(symbol(pair), &trade.i)?;
        Ok(Tick {
            price: trade.p.0,
            trade_time_ms: Some(trade.t.ms),
            volume: None,
        })
    };
    trades.iter().map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    const TICKERS: &str = r#"[{"i":"ETH_USD","h":"3050","l":"2980","a":"3001.25","v":"912.5","vv":"2738640.6","c":"-0.0042",
        "b":"3001.2","k":"3001.3","t":1700000009999}]"#;
    const TRADES: &str = r#"[{"s":"sell","p":"3001.25","q":"0.2","t":1700000001234,"tn":1700000001234567890,"d":"52","i":"ETH_USD"},
        {"s":"buy","p":"3001.2","q":"0.1","t":1700000001234,"tn":1700000001234567889,"d":"51","i":"ETH_USD"}]"#;

    fn rest(method: &str, data: &str) -> String {
        format!(r#"{{"id":-1,"method":"public/{method}","code":0,"result":{{"data":{data}}}}}"#)
    }

    fn pushed(channel: &str, data: &str) -> String {
        format!(
            r#"{{"id":-1,"method":"subscribe","code":0,"result":{{"instrument_name":"ETH_USD","subscription":"{channel}.ETH_USD",
            "channel":"{channel}","data":{data}}}}}"#
        )
    }

    #[test]
    fn rest_answers_and_frames_agree() {
        let got = quotes(
            "cryptocom",
            "ETH-USD",
            rest("get-tickers", TICKERS).as_bytes(),
        )
        .expect("tickers");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        assert_eq!(
            quotes("cryptocom", "ETH-USD", pushed("ticker", TICKERS).as_bytes()),
            Ok(got)
        );

        let got = quotes(
            "cryptocom",
            "ETH-USD",
            rest("get-trades", TRADES).as_bytes(),
        )
        .expect("trades");
        assert_eq!(got[1].trade_time_ms, Some(1_700_000_001_234));
        assert_eq!(
            quotes("cryptocom", "ETH-USD", pushed("trade", TRADES).as_bytes()).as_ref(),
            Ok(&got)
        );
        // Older frames have JSON numbers.
        let numbers = TRADES
            .replace(r#""3001.25""#, "3001.25")
            .replace(r#""3001.2""#, "3001.2");
        assert_eq!(
            quotes("cryptocom", "ETH-USD", pushed("trade", &numbers).as_bytes()).as_ref(),
            Ok(&got)
        );
        assert_eq!(
            EXCHANGE.newest(got).expect("some").price.to_string(),
            "3001.25"
        );
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"id":1700000001234,"method":"public/heartbeat","code":0}"#,
            r#"{"id":1,"method":"subscribe","code":0,"channel":"trade.ETH_USD"}"#,
            r#"{"id":-1,"method":"subscribe","code":0,"result":{"instrument_name":"ETH_USD","channel":"book","data":[{"bids":[]}]}}"#,
            r#"{"id":-1,"method":"public/get-trades","code":0,"result":{"data":[]}}"#,
        ] {
            assert_eq!(
                quotes("cryptocom", "ETH-USD", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        let perpetual = TICKERS.replace("ETH_USD", "ETHUSD-PERP");
        check_all(
            "cryptocom",
            "ETH-USD",
            &[
                (
                    r#"{"id":-1,"method":"public/get-trades","code":40004,"message":"Invalid instrument_name"}"#,
                    "error \"40004\": Invalid",
                ),
                (
                    r#"{"id":1,"method":"subscribe","code":"40003","message":"Unknown symbol"}"#,
                    "error \"40003\": Unknown",
                ),
                (r#"{"code":50001,"message":"ERR_INTERNAL"}"#, "50001"),
                (&rest("get-tickers", &perpetual), "about \"ETHUSD-PERP\""),
                (&rest("get-tickers", "[]"), "asked for ETH_USD"),
                (
                    &rest("get-tickers", r#"[{"i":"ETH_USD","a":null}]"#),
                    "no last trade",
                ),
                (
                    &rest("get-trades", r#"[{"i":"BTC_USD","p":"1","t":1}]"#),
                    "asked for ETH_USD",
                ),
                (
                    &pushed("trade", r#"[{"i":"BTC_USD","p":"1","t":1}]"#),
                    "asked for ETH_USD",
                ),
                (
                    &rest("get-trades", r#"[{"i":"ETH_USD","p":"0x1","t":1}]"#),
                    "not a decimal number",
                ),
                (
                    &rest("get-trades", r#"[{"i":"ETH_USD","p":1e99,"t":1}]"#),
                    "out of range",
                ),
                (
                    r#"{"id":-1,"method":"public/get-trades","code":0}"#,
                    "looks like no",
                ),
            ],
        );
        let limited = quotes(
            "cryptocom",
            "BTC-USDT",
            br#"{"id":-1,"method":"public/get-trades","code":42901,"message":"RATE_LIMIT_EXCEEDED"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
