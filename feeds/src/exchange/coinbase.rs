//! Coinbase Exchange, <https://docs.cdp.coinbase.com/exchange/reference>.

use serde::Deserialize;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol, joined};
use crate::{
    Endpoint,
    json::{IsoTime, Number, Shape},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "coinbase",
    base_url: "https://api.exchange.coinbase.com",
    polled: Endpoint::Ticker,
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
        Endpoint::Ticker => Some(format!("/products/{symbol}/ticker")),
        Endpoint::Trades => Some(format!("/products/{symbol}/trades?limit=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    match shape {
        Shape::Array(_) => Some(Endpoint::Trades),
        _ if shape.has("type") => Some(Endpoint::Ws),
        _ if shape.has("price") || shape.has("message") => Some(Endpoint::Ticker),
        Shape::Object(_) => None,
    }
}

/// The ticker's `time` is the time of its last trade.
#[derive(Deserialize)]
struct Ticker {
    price: Number,
    time: IsoTime,
    volume: Option<Number>,
}

#[derive(Deserialize)]
struct Trade {
    price: Number,
    time: IsoTime,
}

/// `{"message":"NotFound"}`, sent with a 4xx status.
#[derive(Deserialize)]
struct Failure {
    message: String,
}

#[derive(Deserialize)]
struct FrameKind {
    #[serde(rename = "type")]
    kind: String,
    product_id: Option<String>,
    message: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct TickerFrame {
    price: Number,
    time: IsoTime,
    volume_24h: Option<Number>,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    match endpoint {
        Endpoint::Ws => return frame(pair, body),
        Endpoint::Ticker | Endpoint::Trades => {}
    }
    if let Ok(failure) = serde_json::from_slice::<Failure>(body) {
        return Err(ParseError::exchange("", &failure.message));
    }
    if endpoint == Endpoint::Trades {
        let trades: Vec<Trade> = serde_json::from_slice(body)?;
        return Ok(trades.iter().map(trade).collect());
    }
    let ticker: Ticker = serde_json::from_slice(body)?;
    Ok(vec![Tick {
        price: ticker.price.0,
        trade_time_ms: Some(ticker.time.ms),
        volume: ticker.volume.map(|v| v.0),
    }])
}

fn trade(trade: &Trade) -> Tick {
    Tick {
        price: trade.price.0,
        trade_time_ms: Some(trade.time.ms),
        volume: None,
    }
}

fn frame(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let head: FrameKind = serde_json::from_slice(body)?;
    if let Some(product) = &head.product_id {
        expect_symbol(symbol(pair), product)?;
    }
    match head.kind.as_str() {
        "ticker" => {
            let ticker: TickerFrame = serde_json::from_slice(body)?;
            Ok(vec![Tick {
                price: ticker.price.0,
                trade_time_ms: Some(ticker.time.ms),
                volume: ticker.volume_24h.map(|v| v.0),
            }])
        }
        "match" | "last_match" => Ok(vec![trade(&serde_json::from_slice(body)?)]),
        "error" => Err(ParseError::exchange(
            head.message.as_deref().unwrap_or_default(),
            head.reason.as_deref().unwrap_or_default(),
        )),
        _ => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use touchstone_types::Decimal;

    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    #[test]
    fn the_ticker_dates_its_last_trade() {
        let body =
            br#"{"trade_id":7,"price":"30123.40","size":"0.5","time":"2024-05-01T12:00:00.250999Z",
            "bid":"30123.39","ask":"30123.41","volume":"8123.25000000"}"#;
        let got = quotes("coinbase", "BTC-USD", body).expect("ticker");
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].price.to_string(), "30123.40");
        assert_eq!(got[0].trade_time_ms, Some(1_714_564_800_250));
        assert_eq!(got[0].volume, Decimal::parse("8123.25000000").ok());
    }

    #[test]
    fn the_newest_trade_comes_first() {
        let body = br#"[{"trade_id":9,"side":"sell","size":"1","price":"2.2","time":"2024-05-01T12:00:00.500Z"},
            {"trade_id":8,"side":"buy","size":"1","price":"2.1","time":"2024-05-01T12:00:00.500Z"}]"#;
        let got = quotes("coinbase", "XRP-USD", body).expect("trades");
        assert_eq!(got.len(), 2);
        let newest = EXCHANGE.newest(got).expect("one");
        assert_eq!(newest.price.to_string(), "2.2");
    }

    #[test]
    fn frames_are_told_apart() {
        let ticker = br#"{"type":"ticker","sequence":1,"product_id":"ETH-EUR","price":"14.5","volume_24h":"9.5",
            "time":"2024-05-01T12:00:00Z","trade_id":3,"last_size":"0.04"}"#;
        assert_eq!(
            quotes("coinbase", "ETH-EUR", ticker).expect("ticker")[0].volume,
            Decimal::parse("9.5").ok()
        );
        let matched = br#"{"type":"last_match","product_id":"ETH-EUR","price":"14.6","size":"1","time":"2024-05-01T12:00:01Z"}"#;
        assert_eq!(
            quotes("coinbase", "ETH-EUR", matched).expect("match")[0]
                .price
                .to_string(),
            "14.6"
        );
        assert_eq!(
            quotes(
                "coinbase",
                "ETH-EUR",
                br#"{"type":"subscriptions","channels":[]}"#
            ),
            Ok(vec![])
        );
        assert!(matches!(
            quotes("coinbase", "BTC-EUR", matched),
            Err(ParseError::OtherPair { .. })
        ));
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "coinbase",
            "BTC-USD",
            &[
                (
                    r#"{"message":"NotFound"}"#,
                    "the exchange answers with error \"\": NotFound",
                ),
                (
                    r#"{"type":"error","message":"Failed to subscribe","reason":"no such product"}"#,
                    "no such product",
                ),
                (
                    r#"{"price":"1e99","time":"2024-05-01T12:00:00Z"}"#,
                    "out of range",
                ),
                (r#"{"price":"12","time":"noon"}"#, "not an ISO 8601 time"),
                (
                    r#"{"price":null,"time":"2024-05-01T12:00:00Z"}"#,
                    "not a decimal number",
                ),
                (r#"{"trade_id":1,"price":"12"}"#, "missing field `time`"),
            ],
        );
    }
}
