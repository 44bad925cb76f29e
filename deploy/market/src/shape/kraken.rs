//! Kraken, REST.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use touchstone_types::{Decimal, FeedName};

use super::{Body, e8, raw};
use crate::trade::{Side, Summary, Trade};

/// The key under which Kraken answers: in markets against a fiat currency its old assets carry an X, fiat currencies a Z.
pub(crate) fn answer_key(pair: FeedName) -> String {
    let own = |name| match name {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => other.to_owned(),
    };
    let (base, quote) = (own(pair.base()), own(pair.quote()));
    match (pair.base(), pair.quote()) {
        ("BTC" | "ETH" | "LTC" | "XRP", "USD" | "EUR") => format!("X{base}Z{quote}"),
        ("EUR", "USD") => format!("Z{base}Z{quote}"),
        ("USDT", "USD") => format!("{base}Z{quote}"),
        _ => base + &quote,
    }
}

#[derive(Serialize)]
struct Answer<T> {
    error: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
}

/// `a` and `b` are price, whole lots, lots; `c` price and lots of the last trade; the others today and the last 24 hours.
#[derive(Serialize)]
struct Ticker {
    a: [String; 3],
    b: [String; 3],
    c: [String; 2],
    v: [String; 2],
    p: [String; 2],
    t: [u64; 2],
    l: [String; 2],
    h: [String; 2],
    o: String,
}

/// Five decimal places, more if the price has them.
fn price(value: Decimal) -> String {
    value
        .rescale(value.exponent.min(-5))
        .unwrap_or(value)
        .to_string()
}

pub(crate) fn ticker(markets: &[(FeedName, Summary)]) -> Body {
    let row = |s: &Summary| Ticker {
        a: [price(s.ask), "1".to_owned(), "1.000".to_owned()],
        b: [price(s.bid), "1".to_owned(), "1.000".to_owned()],
        c: [price(s.last.price), e8(s.last.amount)],
        v: [e8(s.day.volume), e8(s.day.volume)],
        p: [price(s.day.vwap), price(s.day.vwap)],
        t: [s.day.count, s.day.count],
        l: [price(s.day.low), price(s.day.low)],
        h: [price(s.day.high), price(s.day.high)],
        o: price(s.day.open),
    };
    let result: BTreeMap<String, Ticker> = markets
        .iter()
        .map(|(pair, s)| (answer_key(*pair), row(s)))
        .collect();
    Body::ok(&Answer {
        error: Vec::new(),
        result: Some(result),
    })
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Trades(Vec<Row>),
    Last(String),
}

/// Price, volume, Unix seconds, side, order type, miscellaneous, id.
#[derive(Serialize)]
struct Row(
    String,
    String,
    Box<RawValue>,
    &'static str,
    &'static str,
    &'static str,
    u64,
);

/// Seconds with a fraction, as a JSON number.
fn seconds(time_us: u64) -> Box<RawValue> {
    let text = format!("{}.{:06}", time_us / 1_000_000, time_us % 1_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.').to_owned();
    raw(text)
}

/// Oldest first; `last` is the time of the newest trade in nanoseconds.
pub(crate) fn trades(pair: FeedName, newest_first: &[Trade]) -> Body {
    let row = |trade: &Trade| {
        let side = match trade.side {
            Side::Buy => "b",
            Side::Sell => "s",
        };
        Row(
            price(trade.price),
            e8(trade.amount),
            seconds(trade.time_us),
            side,
            "l",
            "",
            trade.id,
        )
    };
    let last = newest_first
        .first()
        .map_or(0, |t| u128::from(t.time_us) * 1_000);
    let rows = newest_first.iter().rev().map(row).collect();
    let result = BTreeMap::from([
        (answer_key(pair), Value::Trades(rows)),
        ("last".to_owned(), Value::Last(last.to_string())),
    ]);
    Body::ok(&Answer {
        error: Vec::new(),
        result: Some(result),
    })
}

/// HTTP 200 all the same.
pub(crate) fn unknown_symbol() -> Body {
    Body::ok(&Answer::<()> {
        error: vec!["EQuery:Unknown asset pair".to_owned()],
        result: None,
    })
}
