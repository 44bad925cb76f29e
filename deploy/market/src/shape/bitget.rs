//! Bitget API v2: everything but the time of the request is a string.

use axum::http::StatusCode;
use serde::Serialize;

use super::{Body, change_ratio, side, turnover};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    code: &'static str,
    msg: String,
    request_time: u64,
    data: Option<Vec<T>>,
}

fn success<T: Serialize>(data: Vec<T>, now_ms: u64) -> Body {
    Body::ok(&Answer {
        code: "00000",
        msg: "success".to_owned(),
        request_time: now_ms,
        data: Some(data),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    open: String,
    symbol: &'a str,
    high24h: String,
    low24h: String,
    last_pr: String,
    quote_volume: String,
    base_volume: String,
    usdt_volume: String,
    ts: String,
    bid_pr: String,
    ask_pr: String,
    bid_sz: String,
    ask_sz: String,
    open_utc: String,
    change_utc24h: String,
    change24h: String,
}

pub(crate) fn ticker(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let change = change_ratio(day.open, last.price, -5);
    let ticker = Ticker {
        open: day.open.to_string(),
        symbol,
        high24h: day.high.to_string(),
        low24h: day.low.to_string(),
        last_pr: last.price.to_string(),
        quote_volume: turnover(day).to_string(),
        base_volume: day.volume.to_string(),
        usdt_volume: turnover(day).to_string(),
        // When the ticker was made, whenever the last trade was.
        ts: now_ms.to_string(),
        bid_pr: bid.to_string(),
        ask_pr: ask.to_string(),
        bid_sz: last.amount.to_string(),
        ask_sz: last.amount.to_string(),
        open_utc: day.open.to_string(),
        change_utc24h: change.to_string(),
        change24h: change.to_string(),
    };
    success(vec![ticker], now_ms)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fill<'a> {
    symbol: &'a str,
    trade_id: String,
    side: &'static str,
    price: String,
    size: String,
    ts: String,
}

/// Newest first.
pub(crate) fn fills(symbol: &str, trades: &[Trade], now_ms: u64) -> Body {
    let row = |trade: &Trade| Fill {
        symbol,
        trade_id: trade.id.to_string(),
        side: side(trade.side),
        price: trade.price.to_string(),
        size: trade.amount.to_string(),
        ts: trade.time_ms().to_string(),
    };
    success(trades.iter().map(row).collect(), now_ms)
}

pub(crate) fn unknown_symbol(symbol: &str, now_ms: u64) -> Body {
    let failure = Answer::<()> {
        code: "40034",
        msg: format!("Parameter {symbol} does not exist"),
        request_time: now_ms,
        data: None,
    };
    Body::with(StatusCode::BAD_REQUEST, &failure)
}
