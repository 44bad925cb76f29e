//! Binance and Binance.US, <https://developers.binance.com/docs/binance-spot-api-docs/rest-api>.
//!
//! A ticker's `closeTime` is the server's time, so it does not date the price; an aggregate trade's `T` does.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "binance",
    base_url: "https://api.binance.com",
    polled: Endpoint::Trades,
    requests_per_second: 15,
    order: TradeOrder::OldestFirst,
    symbol,
    path,
    detect,
    parse,
};

pub(super) const EXCHANGE_US: Exchange = Exchange {
    name: "binance_us",
    base_url: "https://api.binance.us",
    ..EXCHANGE
};

fn symbol(pair: FeedName) -> String {
    joined(pair, "")
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/api/v3/ticker/24hr?symbol={symbol}")),
        Endpoint::Trades => Some(format!("/api/v3/aggTrades?symbol={symbol}&limit=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => match shape.first_of_array() {
            Some(first) if first.contains_key("symbol") => Some(Endpoint::Ticker),
            _ => Some(Endpoint::Trades),
        },
        // A raw book ticker frame has no event type, only an update id.
        Shape::Object(_) if ["stream", "e", "u", "result"].iter().any(|f| shape.has(f)) => {
            Some(Endpoint::Ws)
        }
        Shape::Object(_) if shape.has("symbol") || shape.has("code") => Some(Endpoint::Ticker),
        Shape::Object(_) => None,
    }
}

/// `ticker/24hr` (`lastPrice`) or `ticker/price` (`price`); `ticker/bookTicker` has neither.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker {
    symbol: String,
    last_price: Option<Number>,
    price: Option<Number>,
    volume: Option<Number>,
}

/// `aggTrades` (`p`, `T`) or `trades` (`price`, `time`).
#[derive(Deserialize)]
struct Trade {
    #[serde(alias = "price")]
    p: Number,
    #[serde(rename = "T", alias = "time")]
    time: Millis,
}

/// `{"code":-1121,"msg":"Invalid symbol."}`, sent with a 4xx status.
#[derive(Deserialize)]
struct Failure {
    code: i64,
    msg: String,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if let Ok(failure) = serde_json::from_slice::<Failure>(body) {
        return Err(ParseError::exchange(
            &failure.code.to_string(),
            &failure.msg,
        ));
    }
    match endpoint {
        Endpoint::Ws => frame(pair, body),
        Endpoint::Ticker => Ok(vec![ticker(pair, body)?]),
        Endpoint::Trades => {
            let trades: Vec<Trade> = serde_json::from_slice(body)?;
            Ok(trades.iter().map(trade).collect())
        }
    }
}

/// One ticker, or the asked pair's in a list of them.
fn ticker(pair: FeedName, body: &[u8]) -> Result<Tick, ParseError> {
    let asked = symbol(pair);
    let ticker = match Shape::of(body)? {
        Shape::Object(_) => serde_json::from_slice(body)?,
        Shape::Array(_) => {
            let tickers: Vec<Ticker> = serde_json::from_slice(body)?;
            let others = tickers
                .first()
                .map(|t| t.symbol.clone())
                .unwrap_or_default();
            tickers
                .into_iter()
                .find(|t| t.symbol == asked)
                .ok_or_else(|| ParseError::other_pair(asked.clone(), &others))?
        }
    };
    expect_symbol(asked, &ticker.symbol)?;
    let price = ticker
        .last_price
        .or(ticker.price)
        .ok_or(ParseError::NoPrice(
            "a book ticker has the best bid and ask only",
        ))?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: None,
        volume: ticker.volume.map(|v| v.0),
    })
}

fn trade(trade: &Trade) -> Tick {
    Tick {
        price: trade.p.0,
        trade_time_ms: Some(trade.time.ms),
        volume: None,
    }
}

/// A combined stream wraps each event in `{"stream":..,"data":..}`.
#[derive(Deserialize)]
struct Combined<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct EventKind {
    e: Option<String>,
    s: Option<String>,
}

#[derive(Deserialize)]
struct TickerEvent {
    c: Number,
    v: Option<Number>,
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let combined: Option<Combined<'_>> = serde_json::from_slice(body).ok();
    let event = combined.map_or(body, |c| c.data.get().as_bytes());
    let kind: EventKind = serde_json::from_slice(event)?;
    if let Some(found) = &kind.s {
        expect_symbol(symbol(pair), found)?;
    }
    match kind.e.as_deref() {
        Some("trade" | "aggTrade") => Ok(vec![trade(&serde_json::from_slice(event)?)]),
        Some("24hrTicker" | "24hrMiniTicker") => {
            let ticker: TickerEvent = serde_json::from_slice(event)?;
            Ok(vec![Tick {
                price: ticker.c.0,
                trade_time_ms: None,
                volume: ticker.v.map(|v| v.0),
            }])
        }
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    const TICKER: &str = r#"{"symbol":"BTCUSDT","priceChange":"-9.0","lastPrice":"118449.03000000","bidPrice":"118449.02",
        "askPrice":"118449.03","volume":"14741.41491000","openTime":1753701474013,"closeTime":1753787874013,"count":76}"#;

    #[test]
    fn the_close_time_of_a_ticker_is_no_trade_time() {
        let got = quotes("binance", "BTC-USDT", TICKER.as_bytes()).expect("ticker");
        assert_eq!(got[0].price.to_string(), "118449.03000000");
        assert_eq!(got[0].trade_time_ms, None);
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("14741.41491000")
        );
        let list = format!(r#"[{{"symbol":"ETHUSDT","price":"1"}},{TICKER}]"#);
        assert_eq!(quotes("binance", "BTC-USDT", list.as_bytes()), Ok(got));
        let price = br#"[{"symbol":"BTCUSDT","price":"46707.03000000"}]"#;
        assert_eq!(
            quotes("binance", "BTC-USDT", price).expect("price")[0].volume,
            None
        );
    }

    #[test]
    fn both_lists_of_trades() {
        let aggregate = br#"[{"a":26129,"p":"0.01633102","q":"4.7","f":1,"l":1,"T":1498793709153,"m":true,"M":true}]"#;
        let plain = br#"[{"id":28457,"price":"0.01633102","qty":"12.0","time":1498793709153,"isBuyerMaker":true}]"#;
        let got = quotes("binance_us", "LTC-BTC", aggregate).expect("aggregate");
        assert_eq!(
            (got[0].trade_time_ms, got[0].source.as_str()),
            (Some(1_498_793_709_153), "binance_us")
        );
        assert_eq!(quotes("binance_us", "LTC-BTC", plain), Ok(got));
        assert_eq!(quotes("binance", "LTC-BTC", b"[]"), Ok(vec![]));
    }

    #[test]
    fn frames_raw_and_combined() {
        let raw = r#"{"e":"aggTrade","E":1633998523963,"s":"XRPUSDT","a":1,"p":"0.35280000","q":"58","f":1,"l":1,"T":1633998523960,"m":false,"M":true}"#;
        let got = quotes("binance", "XRP-USDT", raw.as_bytes()).expect("raw");
        assert_eq!(got[0].trade_time_ms, Some(1_633_998_523_960));
        let combined = format!(r#"{{"stream":"xrpusdt@aggTrade","data":{raw}}}"#);
        assert_eq!(quotes("binance", "XRP-USDT", combined.as_bytes()), Ok(got));
        let ticker = br#"{"stream":"ethbtc@ticker","data":{"e":"24hrTicker","E":1516135684559,"s":"ETHBTC","c":"0.09177200","v":"287542.7","C":1516135684557}}"#;
        let got = quotes("binance", "ETH-BTC", ticker).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("0.09177200", None)
        );
        let book =
            br#"{"u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.2","a":"25.36","A":"40.6"}"#;
        assert_eq!(quotes("binance", "BTC-USDT", book), Ok(vec![]));
        assert_eq!(
            quotes("binance", "BTC-USDT", br#"{"result":null,"id":1}"#),
            Ok(vec![])
        );
        assert!(matches!(
            quotes("binance", "ETH-USDT", book),
            Err(ParseError::OtherPair { .. })
        ));
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "binance",
            "BTC-USDT",
            &[
                (
                    r#"{"code":-1121,"msg":"Invalid symbol."}"#,
                    "error \"-1121\": Invalid symbol.",
                ),
                (
                    r#"{"symbol":"BTCUSDT","bidPrice":"4.0","askPrice":"4.1"}"#,
                    "best bid and ask only",
                ),
                (
                    r#"{"symbol":"ETHUSDT","price":"4.0"}"#,
                    "asked for BTCUSDT, the answer is about \"ETHUSDT\"",
                ),
                (
                    r#"[{"symbol":"ETHUSDT","price":"4.0"}]"#,
                    "asked for BTCUSDT",
                ),
                (r#"[{"p":"1.0","T":-5}]"#, "not a time"),
                (r#"[{"p":"1,0","T":1498793709153}]"#, "not a decimal number"),
            ],
        );
        let banned = quotes(
            "binance",
            "BTC-USDT",
            br#"{"code":-1003,"msg":"Too many requests."}"#,
        );
        assert!(banned.expect_err("banned").is_rate_limit());
    }
}
