//! The exchanges' own shapes: one module each, from a market's trades and summary to the body of an answer.
//!
//! Field names and JSON types (string or number) are those of the exchanges' answers; an adapter must not be able to
//! tell the difference.

pub(crate) mod binance;
pub(crate) mod bitfinex;
pub(crate) mod bitget;
pub(crate) mod bitstamp;
pub(crate) mod bybit;
pub(crate) mod coinbase;
pub(crate) mod cryptocom;
pub(crate) mod gateio;
pub(crate) mod gemini;
pub(crate) mod htx;
pub(crate) mod kraken;
pub(crate) mod kucoin;
pub(crate) mod mexc;
pub(crate) mod okx;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use touchstone_types::Decimal;

use crate::trade::{Day, Side};

const DAY_MS: u64 = 86_400_000;

/// Status and body of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Body {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Body {
    fn ok(value: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, value)
    }

    fn with(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self { status, text },
            Err(error) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                text: error.to_string(),
            },
        }
    }
}

/// A number with eight decimal places, as several exchanges write all of theirs.
fn e8(value: Decimal) -> String {
    value.rescale(-8).unwrap_or(value).to_string()
}

/// A JSON number, written without a float on the way.
fn number(value: Decimal) -> Box<RawValue> {
    raw(value.trimmed().to_string())
}

/// JSON as it is.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Who took, as most exchanges write it.
fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// What was traded in a day, in the quote currency.
fn turnover(day: &Day) -> Decimal {
    day.volume
        .checked_mul(day.vwap)
        .and_then(|v| v.rescale(-8))
        .unwrap_or(Decimal::new(0, -8))
}

/// `b` minus `a` as a string of eight decimal places.
fn difference_e8(a: Decimal, b: Decimal) -> Decimal {
    let at = |d: Decimal| d.rescale(-8).map_or(0, |d| d.mantissa);
    Decimal::new(at(b).saturating_sub(at(a)), -8)
}

/// Hundredths of a percent from `a` to `b`.
fn change_percent(a: Decimal, b: Decimal, places: i8) -> Decimal {
    let percent = Decimal::new(difference_e8(a, b).mantissa.saturating_mul(100), -8);
    percent
        .checked_div(a, places)
        .unwrap_or(Decimal::new(0, places))
}

/// The part of `a` that lies between `a` and `b`.
fn change_ratio(a: Decimal, b: Decimal, places: i8) -> Decimal {
    difference_e8(a, b)
        .checked_div(a, places)
        .unwrap_or(Decimal::new(0, places))
}

#[cfg(test)]
mod tests {
    use touchstone_types::FeedName;

    use super::*;
    use crate::trade::{Summary, Trade};

    const NOW: u64 = 1_700_000_009_999;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    /// The newest first.
    fn sold_and_bought() -> [Trade; 2] {
        let sold = Trade {
            id: 52,
            time_us: 1_700_000_001_234_567,
            price: d("3001.50"),
            amount: d("0.200000"),
            side: Side::Sell,
        };
        let bought = Trade {
            id: 51,
            time_us: 1_700_000_000_005_000,
            side: Side::Buy,
            ..sold
        };
        [sold, bought]
    }

    fn summary() -> Summary {
        Summary {
            last: sold_and_bought()[0],
            bid: d("3001.40"),
            ask: d("3001.60"),
            day: Day {
                open: d("3000.00"),
                high: d("3050.00"),
                low: d("2980.00"),
                vwap: d("3010.00"),
                volume: d("912.500000"),
                count: 7,
            },
        }
    }

    fn check(body: &Body, text: &str) {
        assert_eq!((body.status, body.text.as_str()), (StatusCode::OK, text));
    }

    #[test]
    fn trades_have_the_exchanges_own_types_and_units() {
        let both = sold_and_bought();
        check(
            &bybit::trades("ETHUSDT", &both[..1], NOW),
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"execId":"52","symbol":"ETHUSDT","price":"3001.50","size":"0.200000","side":"Sell","time":"1700000001234","isBlockTrade":false}]},"retExtInfo":{},"time":1700000009999}"#,
        );
        check(
            &kucoin::histories(&both),
            r#"{"code":"200000","data":[{"sequence":"51","price":"3001.50","size":"0.200000","side":"buy","time":1700000000005000000},{"sequence":"52","price":"3001.50","size":"0.200000","side":"sell","time":1700000001234567000}]}"#,
        );
        check(
            &gateio::trades("ETH_USDT", &both[1..]),
            r#"[{"id":"51","create_time":"1700000000","create_time_ms":"1700000000005.000000","currency_pair":"ETH_USDT","side":"buy","amount":"0.200000","price":"3001.50","sequence_id":"51"}]"#,
        );
        check(
            &bitfinex::trades(&both),
            "[[52,1700000001234,-0.2,3001.5],[51,1700000000005,0.2,3001.5]]",
        );
        check(
            &gemini::trades(&both[..1]),
            r#"[{"timestamp":1700000001,"timestampms":1700000001234,"tid":52,"price":"3001.50","amount":"0.200000","exchange":"gemini","type":"sell"}]"#,
        );
        check(
            &cryptocom::trades("ETH_USDT", &both[..1]),
            r#"{"id":-1,"method":"public/get-trades","code":0,"result":{"data":[{"s":"sell","p":"3001.50","q":"0.200000","t":1700000001234,"tn":1700000001234567000,"d":"52","i":"ETH_USDT"}]}}"#,
        );
        check(
            &htx::trade("ethusdt", &both, NOW),
            r#"{"ch":"market.ethusdt.trade.detail","status":"ok","ts":1700000009999,"tick":{"id":52,"ts":1700000001234,"data":[{"id":10000000000000000000052,"ts":1700000001234,"trade-id":52,"amount":0.2,"price":3001.5,"direction":"sell"}]}}"#,
        );
        check(
            &mexc::trades(&both[..1]),
            r#"[{"id":null,"price":"3001.50","qty":"0.200000","quoteQty":"600.30000000","time":1700000001234,"isBuyerMaker":true,"isBestMatch":true,"tradeType":"ASK"}]"#,
        );
        check(
            &bitget::fills("ETHUSDT", &both[..1], NOW),
            r#"{"code":"00000","msg":"success","requestTime":1700000009999,"data":[{"symbol":"ETHUSDT","tradeId":"52","side":"sell","price":"3001.50","size":"0.200000","ts":"1700000001234"}]}"#,
        );
    }

    #[test]
    fn tickers_have_the_exchanges_own_types() {
        check(
            &bitfinex::ticker(&summary()),
            "[3001.4,0.2,3001.6,0.2,1.5,0.0005,3001.5,912.5,3050,2980]",
        );
        check(
            &htx::merged("ethusdt", &summary(), NOW),
            r#"{"ch":"market.ethusdt.detail.merged","status":"ok","ts":1700000009999,"tick":{"id":52,"version":52,"open":3000,"close":3001.5,"low":2980,"high":3050,"amount":912.5,"vol":2746625,"count":7,"bid":[3001.4,0.2],"ask":[3001.6,0.2]}}"#,
        );
        check(
            &gemini::ticker(FeedName::new("ETH-USD").expect("name"), &summary(), NOW),
            r#"{"bid":"3001.40","ask":"3001.60","volume":{"ETH":"912.500000","USD":"2746625.00000000","timestamp":1700000009999},"last":"3001.50"}"#,
        );
        check(
            &cryptocom::tickers("ETH_USD", &summary(), NOW),
            r#"{"id":-1,"method":"public/get-tickers","code":0,"result":{"data":[{"i":"ETH_USD","h":"3050.00","l":"2980.00","a":"3001.50","v":"912.500000","vv":"2746625.00000000","c":"0.0005","b":"3001.40","k":"3001.60","oi":"0","t":1700000009999}]}}"#,
        );
    }

    #[test]
    fn unknown_markets_have_the_exchanges_own_errors() {
        let answers = [
            bybit::unknown_symbol(NOW),
            kucoin::unknown_symbol(),
            gateio::unknown_symbol("NOPE_USD"),
            gateio::unknown_symbol("BTC_NOPE"),
            bitfinex::unknown_symbol(),
            gemini::unknown_symbol("nope\"usd"),
            cryptocom::unknown_symbol(),
            htx::unknown_symbol(NOW),
            binance::unknown_symbol(),
            bitget::unknown_symbol("NOPEUSD", NOW),
        ];
        let answers = answers.map(|body| (body.status.as_u16(), body.text));
        let want = [
            (
                200,
                r#"{"retCode":10001,"retMsg":"Not supported symbols","result":{},"retExtInfo":{},"time":1700000009999}"#,
            ),
            (
                200,
                r#"{"code":"400100","msg":"This pair is not provided at present"}"#,
            ),
            (
                400,
                r#"{"label":"INVALID_CURRENCY","message":"Invalid currency NOPE"}"#,
            ),
            (
                400,
                r#"{"label":"INVALID_CURRENCY_PAIR","message":"Invalid currency pair BTC_NOPE"}"#,
            ),
            (500, r#"["error",10020,"symbol: invalid"]"#),
            (
                400,
                r#"{"result":"error","reason":"Bad Request","message":"Supplied value 'nope\"usd' is not a valid symbol"}"#,
            ),
            (400, r#"{"code":40004,"message":"Invalid instrument_name"}"#),
            (
                200,
                r#"{"ts":1700000009999,"status":"error","err-code":"invalid-parameter","err-msg":"invalid symbol"}"#,
            ),
            (400, r#"{"code":-1121,"msg":"Invalid symbol."}"#),
            (
                400,
                r#"{"code":"40034","msg":"Parameter NOPEUSD does not exist","requestTime":1700000009999,"data":null}"#,
            ),
        ];
        assert_eq!(
            answers,
            want.map(|(status, text)| (status, text.to_owned()))
        );
    }
}
