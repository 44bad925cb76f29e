//! MEXC spot API v3, <https://www.mexc.com/api-docs/spot-v3/market-data-endpoints/recent-trades-list>.
//!
//! The shapes are Binance's with differences: the newest trade comes first, ids are `null`, and so are figures of a
//! market that did not trade. A ticker's `closeTime` is the server's clock. A list of trades does not name its pair.
//! The stream is protobuf and not read here; only its confirmations are JSON, all with code 0, refusals too.

use serde::Deserialize;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "mexc",
    base_url: "https://api.mexc.com",
    polled: Endpoint::Trades,
    // 500 units in 10 seconds for one address, of which a list of trades costs five:
    // <https://www.mexc.com/api-docs/spot-v3/general-info>.
    requests_per_second: 5,
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
        Endpoint::Ticker => Some(format!("/api/v3/ticker/24hr?symbol={symbol}")),
        Endpoint::Trades => Some(format!("/api/v3/trades?symbol={symbol}&limit=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => match shape.first_of_array() {
            Some(first) if first.contains_key("symbol") => Some(Endpoint::Ticker),
            _ => Some(Endpoint::Trades),
        },
        Shape::Object(_) if shape.has("id") && shape.has("msg") => Some(Endpoint::Ws),
        Shape::Object(_) if shape.has("symbol") || shape.has("code") => Some(Endpoint::Ticker),
        Shape::Object(_) => None,
    }
}

/// `ticker/24hr` (`lastPrice`) or `ticker/price` (`price`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker {
    symbol: String,
    last_price: Option<Number>,
    price: Option<Number>,
    volume: Option<Number>,
}

/// `trades` (`price`, `time`) or `aggTrades` (`p`, `T`).
#[derive(Deserialize)]
struct Trade {
    #[serde(alias = "p")]
    price: Number,
    #[serde(alias = "T")]
    time: Millis,
}

/// An error in REST, or anything in text that the stream says.
#[derive(Deserialize)]
struct Notice {
    code: i64,
    msg: String,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    if endpoint == Endpoint::Ws {
        let notice: Notice = serde_json::from_slice(body)?;
        return if notice.code != 0 || notice.msg.starts_with("Not Subscribed") {
            Err(error(&notice))
        } else {
            Ok(Vec::new())
        };
    }
    if let Ok(notice) = serde_json::from_slice::<Notice>(body) {
        return Err(error(&notice));
    }
    if endpoint == Endpoint::Ticker {
        return Ok(vec![ticker(pair, body)?]);
    }
    let trades: Vec<Trade> = serde_json::from_slice(body)?;
    let tick = |trade: &Trade| Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.time.ms),
        volume: None,
    };
    Ok(trades.iter().map(tick).collect())
}

fn error(notice: &Notice) -> ParseError {
    ParseError::exchange(&notice.code.to_string(), &notice.msg)
}

/// One ticker, or the asked pair's in a list of them.
fn ticker(pair: FeedName, body: &[u8]) -> Result<Tick, ParseError> {
    let asked = symbol(pair);
    let ticker: Ticker = match Shape::of(body)? {
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
        .ok_or(ParseError::NoPrice("the ticker has no last price"))?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: None,
        volume: ticker.volume.map(|v| v.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn the_close_time_of_a_ticker_is_no_trade_time() {
        let one = r#"{"symbol":"ETHUSDT","priceChange":"-12.5","priceChangePercent":"-0.0042","lastPrice":"3001.25","bidQty":"",
            "volume":"912.5","quoteVolume":null,"openTime":1699913609000,"closeTime":1700000009999,"count":null}"#;
        let got = quotes("mexc", "ETH-USDT", one.as_bytes()).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        let list = format!(r#"[{{"symbol":"BTCUSDT","lastPrice":"1"}},{one}]"#);
        assert_eq!(quotes("mexc", "ETH-USDT", list.as_bytes()), Ok(got));
    }

    #[test]
    fn the_newest_trade_comes_first() {
        let body = br#"[{"id":null,"price":"3001.25","qty":"0.2","quoteQty":"600.25","time":1700000001234,"isBuyerMaker":true,"isBestMatch":true,"tradeType":"ASK"},
            {"id":null,"price":"3001.2","qty":"0.1","quoteQty":"300.12","time":1700000001234,"isBuyerMaker":true,"isBestMatch":true,"tradeType":"ASK"}]"#;
        let got = quotes("mexc", "ETH-USDT", body).expect("trades");
        let aggregated = br#"[{"a":null,"f":null,"l":null,"p":"3001.25","q":"0.2","T":1700000001234,"m":true,"M":true},
            {"a":null,"f":null,"l":null,"p":"3001.2","q":"0.1","T":1700000001234,"m":true,"M":true}]"#;
        assert_eq!(quotes("mexc", "ETH-USDT", aggregated).as_ref(), Ok(&got));
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(
            (newest.price.to_string().as_str(), newest.trade_time_ms),
            ("3001.25", Some(1_700_000_001_234))
        );
        assert_eq!(quotes("mexc", "ETH-USDT", b"[]"), Ok(vec![]));
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"id":0,"code":0,"msg":"PONG"}"#,
            r#"{"id":0,"code":0,"msg":"spot@public.aggre.deals.v3.api.pb@100ms@ETHUSDT"}"#,
        ] {
            assert_eq!(
                quotes("mexc", "ETH-USDT", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "mexc",
            "BTC-USDT",
            &[
                (
                    r#"{"code":-1121,"msg":"Invalid symbol."}"#,
                    "error \"-1121\": Invalid symbol.",
                ),
                (
                    r#"{"id":0,"code":0,"msg":"Not Subscribed successfully! [spot@public.nope]. Reason: Blocked!"}"#,
                    "Not Subscribed",
                ),
                (
                    r#"{"symbol":"ETHUSDT","lastPrice":"1"}"#,
                    "asked for BTCUSDT",
                ),
                (
                    r#"[{"symbol":"ETHUSDT","lastPrice":"1"}]"#,
                    "asked for BTCUSDT",
                ),
                (r#"{"symbol":"BTCUSDT","lastPrice":null}"#, "no last price"),
                (r#"[{"price":"","time":1}]"#, "not a decimal number"),
                (r#"[{"price":1e99,"time":1}]"#, "out of range"),
                (r#"[{"price":"1","time":null}]"#, "not a decimal number"),
            ],
        );
        let limited = quotes(
            "mexc",
            "BTC-USDT",
            br#"{"code":429,"msg":"Too Many Requests"}"#,
        );
        assert!(limited.expect_err("limited").is_rate_limit());
        let protobuf = EXCHANGE.parse(
            FeedName::new("BTC-USDT").expect("name"),
            Endpoint::Ws,
            b"\x0a\x30spot@public.aggre.deals.v3.api.pb",
        );
        assert!(matches!(protobuf, Err(ParseError::Json(_))));
    }
}
