//! Bitfinex API v2, <https://docs.bitfinex.com/reference/rest-public-trades>.
//!
//! Answers are arrays of JSON numbers without names: a ticker is `[BID, BID_SIZE, ASK, ASK_SIZE, DAILY_CHANGE,
//! DAILY_CHANGE_RELATIVE, LAST, VOLUME, HIGH, LOW]` and has no time, a trade is `[ID, MTS, AMOUNT, PRICE]`. Neither names
//! its pair, so only the request says what an answer is about. USDT is UST there, USDC is UDC. Errors are
//! `["error", code, "text"]`.
//!
//! A frame is `[chanId, ..]`, and only the confirmation of the subscription says which channel of which pair an id is:
//! frames must be sorted by their id before they come here. What a frame holds is told by its shape: ten numbers are a
//! ticker, a list of fours a snapshot of trades, `"te"` a trade. `"tu"` repeats a trade and is left out. With the flag
//! 65536 every frame ends with a sequence number.

use serde::Deserialize;
use serde_json::value::RawValue;
use touchstone_types::FeedName;

use super::{Exchange, ParseError, Tick, TradeOrder, expect_symbol};
use crate::{
    Endpoint,
    json::{Millis, Number, Shape, scalar_text},
};

pub(super) const EXCHANGE: Exchange = Exchange {
    name: "bitfinex",
    base_url: "https://api-pub.bitfinex.com",
    polled: Endpoint::Trades,
    // The list of trades may be asked for 15 times a minute (see the page above), the ticker 90 times. One a second is
    // the least that can be said here and is too much for more than a few markets: the stream is the better source.
    requests_per_second: 1,
    order: TradeOrder::NewestFirst,
    symbol,
    path,
    detect,
    parse,
};

/// Common names and Bitfinex's own, from <https://api-pub.bitfinex.com/v2/conf/pub:map:currency:sym>.
const OWN_NAMES: [(&str, &str); 10] = [
    ("ALGO", "ALG"),
    ("ATOM", "ATO"),
    ("BCH", "BCHN"),
    ("DASH", "DSH"),
    ("IOTA", "IOT"),
    ("MANA", "MNA"),
    ("TUSD", "TSD"),
    ("USDC", "UDC"),
    ("USDT", "UST"),
    ("WBTC", "WBT"),
];

/// Bitfinex's name of an asset. What has the name of another asset there is not traded under it: `UST-USD` must not
/// be answered with the price of USDT.
fn asset(name: &str) -> &str {
    match OWN_NAMES.iter().find(|(c, own)| *c == name || *own == name) {
        Some((common, own)) if *common == name => own,
        Some(_) => "UNKNOWN",
        None => name,
    }
}

fn symbol(pair: FeedName) -> String {
    let (base, quote) = (asset(pair.base()), asset(pair.quote()));
    let colon = if base.len() > 3 || quote.len() > 3 {
        ":"
    } else {
        ""
    };
    format!("t{base}{colon}{quote}")
}

fn path(symbol: &str, endpoint: Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Ticker => Some(format!("/v2/ticker/{symbol}")),
        Endpoint::Trades => Some(format!("/v2/trades/{symbol}/hist?limit=1")),
        Endpoint::Ws => None,
    }
}

fn detect(shape: &Shape<'_>) -> Option<Endpoint> {
    let items = match shape {
        Shape::Array(items) => items,
        Shape::Object(_) if shape.has("event") => return Some(Endpoint::Ws),
        Shape::Object(_) => return shape.has("error").then_some(Endpoint::Ticker),
    };
    let Some(first) = items.first() else {
        return Some(Endpoint::Trades);
    };
    if first.get().starts_with('[') {
        let row = row(first).ok()?;
        let named = row.first().is_some_and(|f| f.get().starts_with('"'));
        return Some(if named {
            Endpoint::Ticker
        } else {
            Endpoint::Trades
        });
    }
    if first.get().starts_with('"') || items.len() == TICKER_FIELDS {
        return Some(Endpoint::Ticker);
    }
    (items.len() >= 2).then_some(Endpoint::Ws)
}

/// One array, its elements still unread.
type Row<'a> = Vec<&'a RawValue>;

fn row(raw: &RawValue) -> Result<Row<'_>, ParseError> {
    Ok(serde_json::from_str(raw.get())?)
}

const TICKER_FIELDS: usize = 10;

/// `{"error":"ERR_RATE_LIMIT"}`.
#[derive(Deserialize)]
struct Failure {
    error: String,
}

fn parse(pair: FeedName, endpoint: Endpoint, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let items = match Shape::of(body)? {
        Shape::Array(items) => items,
        Shape::Object(_) if endpoint == Endpoint::Ws => return event(pair, body),
        Shape::Object(_) => {
            let failure: Failure = serde_json::from_slice(body)?;
            return Err(ParseError::exchange(&failure.error, ""));
        }
    };
    if let [kind, code, text, ..] = items.as_slice()
        && kind.get() == r#""error""#
    {
        return Err(ParseError::exchange(
            &scalar_text(code)?,
            &scalar_text(text)?,
        ));
    }
    match endpoint {
        Endpoint::Ws => frame(&items),
        Endpoint::Trades => items.iter().map(|raw| trade(&row(raw)?)).collect(),
        Endpoint::Ticker => match items.first() {
            Some(first) if first.get().starts_with('[') => named_ticker(pair, &items),
            _ => Ok(vec![ticker(&items)?]),
        },
    }
}

fn wrong_shape() -> ParseError {
    ParseError::Shape {
        source_name: EXCHANGE.name,
    }
}

/// The asked pair's of a list of tickers, each with its symbol in front.
fn named_ticker(pair: FeedName, items: &[&RawValue]) -> Result<Vec<Tick>, ParseError> {
    let asked = symbol(pair);
    let mut others = String::new();
    for raw in items {
        let row = row(raw)?;
        let (name, fields) = row.split_first().ok_or_else(wrong_shape)?;
        let name = scalar_text(name)?;
        if name == asked.as_str() {
            return Ok(vec![ticker(fields)?]);
        }
        if others.is_empty() {
            others = name.into_owned();
        }
    }
    Err(ParseError::other_pair(asked, &others))
}

fn ticker(fields: &[&RawValue]) -> Result<Tick, ParseError> {
    let [_, _, _, _, _, _, last, volume, _, _] = fields else {
        return Err(wrong_shape());
    };
    let last: Number = serde_json::from_str(last.get())?;
    let volume: Option<Number> = serde_json::from_str(volume.get())?;
    Ok(Tick {
        price: last.0,
        trade_time_ms: None,
        volume: volume.map(|v| v.0),
    })
}

fn trade(fields: &[&RawValue]) -> Result<Tick, ParseError> {
    let [_, time, _, price] = fields else {
        return Err(wrong_shape());
    };
    let time: Millis = serde_json::from_str(time.get())?;
    let price: Number = serde_json::from_str(price.get())?;
    Ok(Tick {
        price: price.0,
        trade_time_ms: Some(time.ms),
        volume: None,
    })
}

/// Confirmations and errors.
#[derive(Deserialize)]
struct Event<'a> {
    event: String,
    symbol: Option<String>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    msg: Option<String>,
}

fn event(pair: FeedName, body: &[u8]) -> Result<Vec<Tick>, ParseError> {
    let event: Event<'_> = serde_json::from_slice(body)?;
    if event.event == "error" {
        let code = event.code.map(scalar_text).transpose()?.unwrap_or_default();
        return Err(ParseError::exchange(&code, &event.msg.unwrap_or_default()));
    }
    if let Some(found) = &event.symbol {
        expect_symbol(symbol(pair), found)?;
    }
    Ok(Vec::new())
}

fn frame(items: &[&RawValue]) -> Result<Vec<Tick>, ParseError> {
    let [channel, data, rest @ ..] = items else {
        return Err(wrong_shape());
    };
    let _: u64 = serde_json::from_str(channel.get())?;
    if data.get() == r#""te""# {
        let fields = row(rest.first().ok_or_else(wrong_shape)?)?;
        return Ok(vec![trade(&fields)?]);
    }
    if !data.get().starts_with('[') {
        // "hb", "cs", "tu" and what may come to them.
        let _: String = serde_json::from_str(data.get())?;
        return Ok(Vec::new());
    }
    let fields = row(data)?;
    match fields.first() {
        None => Ok(Vec::new()),
        Some(first) if first.get().starts_with('[') => {
            let rows: Vec<Row<'_>> = fields
                .iter()
                .map(|raw| row(raw))
                .collect::<Result<_, _>>()?;
            match rows.first().map(Vec::len) {
                Some(4) => rows.iter().map(|fields| trade(fields)).collect(),
                // Books have three elements, candles six.
                Some(3 | 6) => Ok(Vec::new()),
                _ => Err(wrong_shape()),
            }
        }
        Some(_) if fields.len() == TICKER_FIELDS => Ok(vec![ticker(&fields)?]),
        Some(_) if matches!(fields.len(), 3 | 6) => Ok(Vec::new()),
        Some(_) => Err(wrong_shape()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::test_support::{check_all, quotes};

    const TICKER: &str = "[3001.2,5.1,3001.3,7.25,-12.5,-0.0042,3001.25,912.5,3050,2980]";

    #[test]
    fn symbols_are_its_own() {
        let of = |pair: &str| symbol(FeedName::new(pair).expect(pair));
        assert_eq!(of("BTC-USD"), "tBTCUSD");
        assert_eq!(of("BTC-USDT"), "tBTCUST");
        assert_eq!(of("USDC-USDT"), "tUDCUST");
        assert_eq!(of("DOGE-USD"), "tDOGE:USD");
        assert_eq!(of("LINK-USDT"), "tLINK:UST");
        assert_eq!(of("BCH-USD"), "tBCHN:USD");
        // TerraUSD has a name that means USDT there.
        assert_eq!(of("UST-USD"), "tUNKNOWN:USD");
    }

    #[test]
    fn rest_answers_and_frames_agree() {
        let got = quotes("bitfinex", "ETH-USD", TICKER.as_bytes()).expect("ticker");
        assert_eq!(
            (got[0].price.to_string().as_str(), got[0].trade_time_ms),
            ("3001.25", None)
        );
        assert_eq!(
            got[0].volume.map(|v| v.to_string()).as_deref(),
            Some("912.5")
        );
        let named = TICKER.replacen('[', r#"["tETHUSD","#, 1);
        let list = format!(r#"[["fUSD",1e-8,0,0,0,0,0,0,0,0,0,0,0,0,null,null,5],{named}]"#);
        assert_eq!(
            quotes("bitfinex", "ETH-USD", list.as_bytes()).as_ref(),
            Ok(&got)
        );
        assert!(matches!(
            quotes("bitfinex", "BTC-USD", list.as_bytes()),
            Err(ParseError::OtherPair { .. })
        ));
        for frame in [format!("[17,{TICKER}]"), format!("[17,{TICKER},5]")] {
            assert_eq!(
                quotes("bitfinex", "ETH-USD", frame.as_bytes()).as_ref(),
                Ok(&got)
            );
        }

        let rest = b"[[52,1700000001234,-0.2,9.0e-7],[51,1700000001234,0.1,0.00000091]]";
        let got = quotes("bitfinex", "XRP-BTC", rest).expect("trades");
        assert_eq!(got[0].trade_time_ms, Some(1_700_000_001_234));
        let frame = b"[18,[[52,1700000001234,-0.2,9.0e-7],[51,1700000001234,0.1,0.00000091]],6]";
        assert_eq!(quotes("bitfinex", "XRP-BTC", frame).as_ref(), Ok(&got));
        let newest = EXCHANGE.newest(got).expect("some");
        assert_eq!(newest.price.to_string(), "0.00000090");
        let frame = br#"[18,"te",[52,1700000001234,-0.2,9.0e-7],7]"#;
        assert_eq!(quotes("bitfinex", "XRP-BTC", frame), Ok(vec![newest]));
    }

    #[test]
    fn quiet_frames_have_no_quotes() {
        for quiet in [
            r#"{"event":"info","version":2,"serverId":"s","platform":{"status":1}}"#,
            r#"{"event":"conf","status":"OK","flags":65536}"#,
            r#"{"event":"pong","ts":1700000001234,"cid":1}"#,
            r#"{"event":"subscribed","channel":"trades","chanId":18,"symbol":"tETHUSD","pair":"ETHUSD"}"#,
            r#"[18,"hb"]"#,
            r#"[18,"hb",5]"#,
            r#"[18,"cs",-5]"#,
            r#"[18,"tu",[52,1700000001234,-0.2,3001.25],8]"#,
            "[18,[]]",
            "[19,[[3001.2,2,0.5],[3001.1,1,0.25]]]",
            "[19,[3001.2,0,1]]",
            "[]",
        ] {
            assert_eq!(
                quotes("bitfinex", "ETH-USD", quiet.as_bytes()),
                Ok(vec![]),
                "{quiet}"
            );
        }
    }

    #[test]
    fn errors_are_typed() {
        check_all(
            "bitfinex",
            "BTC-USD",
            &[
                (
                    r#"["error",10020,"symbol: invalid"]"#,
                    "error \"10020\": symbol: invalid",
                ),
                (
                    r#"{"event":"error","msg":"symbol: invalid","code":10300,"channel":"trades","symbol":"tNOPEUSD"}"#,
                    "error \"10300\": symbol: invalid",
                ),
                (
                    r#"{"event":"subscribed","channel":"ticker","chanId":1,"symbol":"tETHUSD"}"#,
                    "asked for tBTCUSD",
                ),
                ("[1,2,3,4,5,6,null,8,9,10]", "not a decimal number"),
                ("[1,2,3,4,5,6,1e99,8,9,10]", "out of range"),
                ("[[1,2,3]]", "looks like no"),
                ("[[1,-2,3,4]]", "not a time"),
                (r#"[18,"te"]"#, "looks like no"),
                (r#"[18,"te",[1,2,3]]"#, "looks like no"),
                ("[18,[1,2]]", "looks like no"),
                ("[18,[[1,2]]]", "looks like no"),
                ("[18,7]", "invalid type"),
            ],
        );
        for limited in [
            br#"["error",11010,"ratelimit: error"]"#.as_slice(),
            br#"{"error":"ERR_RATE_LIMIT"}"#,
        ] {
            let limited = quotes("bitfinex", "BTC-USD", limited);
            assert!(limited.expect_err("limited").is_rate_limit());
        }
    }
}
