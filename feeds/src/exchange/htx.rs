//! HTX (Huobi), <https://www.htx.com/en-us/opend/newApiPages/?id=7ec516fc-7773-11ed-9966-0242ac110003>.
//!
//! Prices are JSON numbers, some with 18 digits after the point or with an exponent (`9.2E-7`). The `ts` beside a ticker
//! is the server's clock; `amount` is the volume in the base currency, `vol` the turnover in the quote currency. Frames
//! come compressed with gzip. The exchange's own `{"ping":..}` must be answered. Errors come under HTTP 200 with
//! `"status":"error"`.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "htx",
    base_url: "https://api.huobi.pro",
    polled: Endpoint::Trades,
    // The documentation names no figure for market data; ten a second for one address is what clients keep to.
    requests_per_second: 8,
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
        Endpoint::Ticker => Some(format!("/market/detail/merged?symbol={symbol}")),
        Endpoint::Trades => Some(format!("/market/trade?symbol={symbol}")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let Shape::Object(fields) = shape else {
        return None;
    };
    if ["ping", "subbed", "unsubbed", "id"]
        .iter()
        .any(|f| shape.has(f))
    {
        return Some(Endpoint::Ws);
    }
    match (fields.get("status"), fields.get("ch")) {
        (Some(_), Some(channel)) if channel.get().ends_with(r#".trade.detail""#) => {
            Some(Endpoint::Trades)
        }
        (Some(_), _) => Some(Endpoint::Ticker),
        (None, Some(_)) => Some(Endpoint::Ws),
        (None, None) => None,
    }
}

/// Answers and frames alike; a frame has no `status`.
#[derive(Deserialize)]
struct Answer<'a> {
    status: Option<String>,
    #[serde(rename = "err-code", default)]
    err_code: String,
    #[serde(rename = "err-msg", default)]
    err_msg: String,
    ch: Option<String>,
    #[serde(borrow)]
    tick: Option<&'a RawValue>,
    /// `/market/history/trade` has a list of what is one `tick` elsewhere.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    ping: Option<&'a RawValue>,
    #[serde(borrow)]
    subbed: Option<&'a RawValue>,
    #[serde(borrow)]
    unsubbed: Option<&'a RawValue>,
}

/// The last trade's price is `close`, everywhere.
#[derive(Deserialize)]
struct Ticker {
    close: Number,
    amount: Option<Number>,
}

#[derive(Deserialize)]
struct Group {
    data: Vec<Trade>,
}

#[derive(Deserialize)]
struct Trade {
    price: Number,
    ts: Millis,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let answer: Answer<'_> = serde_json::from_slice(body)?;
    if let Some(status) = answer.status.as_deref().filter(|s| *s != "ok") {
        let code = if answer.err_code.is_empty() {
            status
        } else {
            &answer.err_code
        };
        return Err(ParseError::exchange(code, &answer.err_msg));
    }
    let Some(channel) = &answer.ch else {
        let quiet = answer.ping.or(answer.subbed).or(answer.unsubbed).is_some();
        return if quiet && endpoint == Endpoint::Ws {
            Ok(Vec::new())
        } else {
            Err(ParseError::Shape {
                source_name: EXCHANGE.name,
            })
        };
    };
    let (found, kind) = channel
        .strip_prefix("market.")
        .and_then(|rest| rest.split_once('.'))
        .unwrap_or_default();
    expect_symbol(symbol(pair), found)?;
    let tick = answer.tick.map_or("null", RawValue::get);
    match (endpoint, kind, answer.data) {
        (Endpoint::Ticker, "detail.merged", _) | (Endpoint::Ws, "detail" | "ticker", _) => {
            let ticker: Ticker = serde_json::from_str(tick)?;
            Ok(vec![Tick {
                price: ticker.close.0,
                trade_time_ms: None,
                volume: ticker.amount.map(|v| v.0),
            }])
        }
        (Endpoint::Trades, "trade.detail", Some(data)) if answer.tick.is_none() => {
            let groups: Vec<Group> = serde_json::from_str(data.get())?;
            Ok(groups.iter().flat_map(|g| &g.data).map(trade).collect())
        }
        (Endpoint::Trades | Endpoint::Ws, "trade.detail", _) => {
            let group: Group = serde_json::from_str(tick)?;
            Ok(group.data.iter().map(trade).collect())
        }
        (Endpoint::Ws, _, _) => Ok(Vec::new()),
        _ => Err(ParseError::Shape {
            source_name: EXCHANGE.name,
        }),
    }
}

fn trade(trade: &Trade) -> Tick {
    Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.ts.ms),
        volume: None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    const TRADES: &str = r#"{"id":52,"ts":1700000001233,"data":[
        {"id":10500517034273194594947,"ts":1700000001234,"trade-id":52,"amount":0.010411000000000000,"price":9.2E-7,"direction":"sell"},
        {"id":10500517034273194594946,"ts":1700000001234,"trade-id":51,"amount":0.010411000000000000,"price":0.000000910000000000,"direction":"sell"}]}"#;

    #[test]
    fn long_numbers_are_read_digit_by_digit() {
        let rest = br#"{"status":"ok","ch":"market.ethusdt.detail.merged","ts":1700000009999,"tick":{"amount":912.508388385344151058,
            "open":3010.1,"close":3001.250000000000000001,"high":3050,"id":5,"count":7,"low":2980,"version":5,
            "ask":[3001.3,0.8],"vol":2738640.707133525077464434840000000000000000,"bid":[3001.2,0.2]}}"#;
        let got = quotes("htx", "ETH-USDT", rest).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.250000000000000001", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.508388385344151058")
        );
        let frame = br#"{"ch":"market.ethusdt.detail","ts":1700000009999,"tick":{"id":5,"low":2980,"high":3050,"open":3010.1,
            "close":3001.250000000000000001,"vol":2.7386E6,"amount":912.508388385344151058,"version":5,"count":7}}"#;
        assert_eq!(quotes("htx", "ETH-USDT", frame).as_ref(), Ok(&got));
        let frame = br#"{"ch":"market.ethusdt.ticker","ts":1700000009999,"tick":{"open":3010.1,"high":3050,"low":2980,
            "close":3001.250000000000000001,"amount":912.508388385344151058,"vol":2.7E6,"count":7,"bid":3001.2,"ask":3001.3,
            "lastPrice":3001.25,"lastSize":0.2}}"#;
        assert_eq!(quotes("htx", "ETH-USDT", frame), Ok(got));
    }

    #[test]
    fn rest_answers_and_frames_agree() {
        let rest = format!(
            r#"{{"ch":"market.shibbtc.trade.detail","status":"ok","ts":1700000009999,"tick":{TRADES}}}"#
        );
        let got = quotes("htx", "SHIB-BTC", rest.as_bytes()).expect("trades");
        assert_eq!(got[1].trade_time_ms, Some(1_700_000_001_234));
        let history = format!(
            r#"{{"ch":"market.shibbtc.trade.detail","status":"ok","ts":1700000009999,"data":[{TRADES}]}}"#
        );
        assert_eq!(
            quotes("htx", "SHIB-BTC", history.as_bytes()).as_ref(),
            Ok(&got)
        );
        let frame =
            format!(r#"{{"ch":"market.shibbtc.trade.detail","ts":1700000009999,"tick":{TRADES}}}"#);
        assert_eq!(
            quotes("htx", "SHIB-BTC", frame.as_bytes()).as_ref(),
            Ok(&got)
        );
        assert_eq!(
            quotes("htx", "SHIB-BTC", &gzip(frame.as_bytes())).as_ref(),
            Ok(&got)
        );
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(newest.price.to_string(), "0.00000092");
    }

    #[test]
    fn a_compressed_frame_has_a_limit() {
        let mut bomb = br#"{"ping":1"#.to_vec();
        bomb.resize(8 << 20, b' ');
        bomb.push(b'}');
        let error = quotes("htx", "ETH-USDT", &gzip(&bomb)).expect_err("too large");
        assert!(error.to_string().contains("gzip"), "{error}");
        let whole = gzip(br#"{"ping":1700000001234}"#);
        assert_eq!(quotes("htx", "ETH-USDT", &whole), Ok(vec![]));
        for cut in 0..whole.len() {
            assert!(quotes("htx", "ETH-USDT", &whole[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"ping":1700000001234}"#,
            r#"{"id":"1","status":"ok","subbed":"market.ethusdt.trade.detail","ts":1700000001234}"#,
            r#"{"id":"1","status":"ok","unsubbed":"market.ethusdt.trade.detail","ts":1700000001234}"#,
            r#"{"ch":"market.ethusdt.bbo","ts":1,"tick":{"seqId":1,"ask":2,"bid":1,"symbol":"ethusdt"}}"#,
        ] {
            assert_eq!(
                quotes("htx", "ETH-USDT", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "htx",
            "BTC-USDT",
            &[
                (
                    r#"{"ts":1,"status":"error","err-code":"invalid-parameter","err-msg":"invalid symbol"}"#,
                    "error \"invalid-parameter\": invalid symbol",
                ),
                (
                    r#"{"id":"1","status":"error","err-code":"bad-request","err-msg":"invalid topic market.nope.trade.detail","ts":1}"#,
                    "error \"bad-request\": invalid topic",
                ),
                (
                    r#"{"status":"ok","ch":"market.ethusdt.detail.merged","tick":{"close":1}}"#,
                    "asked for btcusdt",
                ),
                (
                    r#"{"status":"ok","ch":"market.ethusdt.trade.detail","tick":{"data":[]}}"#,
                    "asked for btcusdt",
                ),
                (
                    r#"{"ch":"market.ethusdt.trade.detail","tick":{"data":[]}}"#,
                    "asked for btcusdt",
                ),
                (
                    r#"{"status":"ok","ch":"market.btcusdt.detail.merged","tick":{"close":null}}"#,
                    "not a decimal number",
                ),
                (
                    r#"{"ch":"market.btcusdt.trade.detail","tick":{"data":[{"ts":1,"price":1e99}]}}"#,
                    "out of range",
                ),
                (
                    r#"{"ch":"market.btcusdt.trade.detail","tick":{"data":[{"ts":1e30,"price":1}]}}"#,
                    "not a time",
                ),
                (r#"{"status":"ok","ts":1}"#, "looks like no"),
            ],
        );
        let limited = quotes(
            "htx",
            "BTC-USDT",
            br#"{"ts":1,"status":"error","err-code":"api-limit","err-msg":"too many request"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
    }
}
