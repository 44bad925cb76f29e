//! Crypto.com Exchange API v1: an answer names its method, an error does not.

use axum::http::StatusCode;
use serde::Serialize;

use super::{Body, change_ratio, side, turnover};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
struct Answer<T> {
    id: i32,
    method: &'static str,
    code: u32,
    result: Outcome<T>,
}

#[derive(Serialize)]
struct Outcome<T> {
    data: Vec<T>,
}

fn success<T: Serialize>(method: &'static str, data: Vec<T>) -> Body {
    Body::ok(&Answer {
        id: -1,
        method,
        code: 0,
        result: Outcome { data },
    })
}

/// `i` instrument, `h` high, `l` low, `a` last price, `v` volume, `vv` its value, `c` change as a ratio, `b` bid, `k`
/// ask, `t` time of the ticker.
#[derive(Serialize)]
struct Ticker<'a> {
    i: &'a str,
    h: String,
    l: String,
    a: String,
    v: String,
    vv: String,
    c: String,
    b: String,
    k: String,
    oi: &'static str,
    t: u64,
}

pub(crate) fn tickers(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let ticker = Ticker {
        i: symbol,
        h: day.high.to_string(),
        l: day.low.to_string(),
        a: last.price.to_string(),
        v: day.volume.to_string(),
        vv: turnover(day).to_string(),
        c: change_ratio(day.open, last.price, -4).to_string(),
        b: bid.to_string(),
        k: ask.to_string(),
        oi: "0",
        t: now_ms,
    };
    success("public/get-tickers", vec![ticker])
}

/// `s` side, `p` price, `q` quantity, `t` milliseconds, `tn` nanoseconds, `d` id, `i` instrument.
#[derive(Serialize)]
struct TradeRow<'a> {
    s: &'static str,
    p: String,
    q: String,
    t: u64,
    tn: u64,
    d: String,
    i: &'a str,
}

/// Newest first.
pub(crate) fn trades(symbol: &str, trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        s: side(trade.side),
        p: trade.price.to_string(),
        q: trade.amount.to_string(),
        t: trade.time_ms(),
        tn: trade.time_us.saturating_mul(1_000),
        d: trade.id.to_string(),
        i: symbol,
    };
    success("public/get-trades", trades.iter().map(row).collect())
}

#[derive(Serialize)]
struct Failure {
    code: u32,
    message: &'static str,
}

pub(crate) fn unknown_symbol() -> Body {
    let failure = Failure {
        code: 40_004,
        message: "Invalid instrument_name",
    };
    Body::with(StatusCode::BAD_REQUEST, &failure)
}
