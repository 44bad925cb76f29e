//! Gate.io API v4, <https://www.gate.io/docs/developers/apiv4/en/#retrieve-market-trades>.
//!
//! A ticker has no time at all. A trade's `create_time` is in seconds, `create_time_ms` in milliseconds with a fraction
//! behind them. Errors are `{"label":..,"message":..}` in REST and `{"error":{"code":..,"message":..}}` in frames.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "gateio",
    base_url: "https://api.gateio.ws",
    polled: Endpoint::Trades,
    // 200 in 10 seconds for one address and endpoint: <https://www.gate.io/docs/developers/apiv4/en/#frequency-limit-rule>.
    requests_per_second: 15,
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
        Endpoint::Ticker => Some(format!("/api/v4/spot/tickers?currency_pair={symbol}")),
        Endpoint::Trades => Some(format!(
            "/api/v4/spot/trades?currency_pair={symbol}&limit=1"
        )),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => match shape.first_of_array() {
            Some(first) if first.contains_key("last") => Some(Endpoint::Ticker),
            _ => Some(Endpoint::Trades),
        },
        Shape::Object(_) if shape.has("channel") => Some(Endpoint::Ws),
        Shape::Object(_) => shape.has("label").then_some(Endpoint::Ticker),
    }
}

#[derive(Deserialize)]
struct Ticker {
    currency_pair: String,
    last: Number,
    base_volume: Option<Number>,
}

#[derive(Deserialize)]
struct Trade {
    currency_pair: String,
    price: Number,
    create_time_ms: Millis,
}

#[derive(Deserialize)]
struct Failure {
    label: String,
    #[serde(default)]
    message: String,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        return frame(pair, body);
    }
    if let Ok(failure) = serde_json::from_slice::<Failure>(body) {
        return Err(ParseError::exchange(&failure.label, &failure.message));
    }
    if endpoint == Endpoint::Trades {
        let trades: Vec<Trade> = serde_json::from_slice(body)?;
        return trades.iter().map(|t| trade(pair, t)).collect();
    }
    let asked = symbol(pair);
    let tickers: Vec<Ticker> = serde_json::from_slice(body)?;
    let found = tickers
        .iter()
        .find(|t| t.currency_pair == asked)
        .ok_or_else(|| {
            let others = tickers.first().map_or("", |t| t.currency_pair.as_str());
            ParseError::other_pair(asked.clone(), others)
        })?;
    Ok(vec![ticker(pair, found)?])
}

fn ticker(pair: FeedName, ticker: &Ticker) -> Result<Tick, ParseError> {
    expect_symbol(symbol(pair), &ticker.currency_pair)?;
    Ok(Tick {
        price: ticker.last.0,
        trade_time_ms: None,
        volume: ticker.base_volume.map(|v| v.0),
    })
}

fn trade(pair: FeedName, trade: &Trade) -> Result<Tick, ParseError> {
    expect_symbol(symbol(pair), &trade.currency_pair)?;
    Ok(Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.create_time_ms.ms),
        volume: None,
    })
}

#[derive(Deserialize)]
struct Frame<'a> {
    channel: String,
    #[serde(default)]
    event: String,
    error: Option<FrameError<'a>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct FrameError<'a> {
    #[serde(borrow)]
    code: &'a RawValue,
    #[serde(default)]
    message: String,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let frame: Frame<'_> = serde_json::from_slice(body)?;
    if let Some(error) = frame.error {
        return Err(ParseError::exchange(
            &scalar_text(error.code)?,
            &error.message,
        ));
    }
    if frame.event != "update" {
        return Ok(Vec::new());
    }
    let result = frame.result.map_or("null", RawValue::get);
    match frame.channel.as_str() {
        "spot.tickers" => Ok(vec![ticker(pair, &serde_json::from_str(result)?)?]),
        // One trade, or a list of them.
        "spot.trades" if result.starts_with('[') => {
            let trades: Vec<Trade> = serde_json::from_str(result)?;
            trades.iter().map(|t| trade(pair, t)).collect()
        }
        "spot.trades" => Ok(vec![trade(pair, &serde_json::from_str(result)?)?]),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    const TICKER: &str = r#"{"currency_pair":"ETH_USDT","last":"3001.25","lowest_ask":"3001.3","highest_bid":"3001.2",
        "change_percentage":"-1.2","base_volume":"912.5","quote_volume":"2738640.6"}"#;
    const TRADE: &str = r#"{"id":"52","create_time":"1700000001","create_time_ms":"1700000001234.567800","currency_pair":"ETH_USDT",
        "side":"buy","amount":"0.2","price":"3001.25"}"#;

    #[test]
    fn rest_answers_and_frames_agree() {
        let list = format!(r#"[{{"currency_pair":"BTC_USDT","last":"1"}},{TICKER}]"#);
        let got = quotes("gateio", "ETH-USDT", list.as_bytes()).expect("tickers");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        let frame = format!(
            r#"{{"time":1700000009,"time_ms":1700000009999,"channel":"spot.tickers","event":"update","result":{TICKER}}}"#
        );
        assert_eq!(quotes("gateio", "ETH-USDT", frame.as_bytes()), Ok(got));

        let older = TRADE.replace("3001.25", "3001.20");
        let rest = format!("[{TRADE},{older}]");
        let got = quotes("gateio", "ETH-USDT", rest.as_bytes()).expect("trades");
        let newest = EXCHANGE.newest(got.clone()).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("3001.25", Some(1_700_000_001_234))
        );
        let frame = |result: &str| {
            format!(
                r#"{{"time":1700000009,"channel":"spot.trades","event":"update","result":{result}}}"#
            )
        };
        assert_eq!(
            quotes("gateio", "ETH-USDT", frame(TRADE).as_bytes()),
            Ok(vec![newest])
        );
        assert_eq!(
            quotes("gateio", "ETH-USDT", frame(&rest).as_bytes()),
            Ok(got)
        );
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"time":1700000009,"channel":"spot.trades","event":"subscribe","error":null,"result":{"status":"success"}}"#,
            r#"{"time":1700000009,"channel":"spot.pong","event":"","error":null,"result":null}"#,
            r#"{"time":1700000009,"channel":"spot.book_ticker","event":"update","result":{"s":"ETH_USDT","b":"1","a":"2"}}"#,
            "[]",
        ] {
            assert_eq!(
                quotes("gateio", "ETH-USDT", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "gateio",
            "BTC-USDT",
            &[
                (
                    r#"{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair NOPE_USDT"}"#,
                    "error \"INVALID_CURRENCY_PAIR\": Invalid",
                ),
                (
                    r#"{"time":1,"channel":"spot.trades","event":"subscribe","error":{"code":2,"message":"unknown currency pair NOPE_USDT"},"result":null}"#,
                    "error \"2\": unknown",
                ),
                (
                    r#"[{"currency_pair":"ETH_USDT","last":"1"}]"#,
                    "asked for BTC_USDT",
                ),
                (
                    r#"[{"currency_pair":"ETH_USDT","price":"1","create_time_ms":"1.5"}]"#,
                    "asked for BTC_USDT",
                ),
                (
                    r#"{"channel":"spot.trades","event":"update","result":{"currency_pair":"ETH_USDT","price":"1","create_time_ms":"1"}}"#,
                    "asked for BTC_USDT",
                ),
                (
                    r#"{"channel":"spot.tickers","event":"update","result":{"currency_pair":"ETH_USDT","last":"1"}}"#,
                    "asked for BTC_USDT",
                ),
                (
                    r#"[{"currency_pair":"BTC_USDT","price":"1","create_time_ms":"soon"}]"#,
                    "not a decimal number",
                ),
                (
                    r#"[{"currency_pair":"BTC_USDT","last":"1e99"}]"#,
                    "out of range",
                ),
            ],
        );
        let limited = quotes(
            "gateio",
            "BTC-USDT",
            br#"{"label":"TOO_MANY_REQUESTS","message":"Request Rate limit Exceeded"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
