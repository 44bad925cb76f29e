//! Bitstamp.

use axum::http::StatusCode;
use serde::Serialize;

use super::{Body, change_percent, e8};
use crate::trade::{Side, Summary, Trade};

#[derive(Serialize)]
struct Ticker {
    timestamp: String,
    open: String,
    high: String,
    low: String,
    last: String,
    volume: String,
    vwap: String,
    bid: String,
    ask: String,
    side: String,
    open_24: String,
    percent_change_24: String,
}

/// 0 is a buy, 1 a sell.
fn side(side: Side) -> String {
    match side {
        Side::Buy => "0".to_owned(),
        Side::Sell => "1".to_owned(),
    }
}

pub(crate) fn ticker(summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    Body::ok(&Ticker {
        // The server's time, whenever the last trade was.
        timestamp: (now_ms / 1_000).to_string(),
        open: day.open.to_string(),
        high: day.high.to_string(),
        low: day.low.to_string(),
        last: last.price.to_string(),
        volume: e8(day.volume),
        vwap: day.vwap.to_string(),
        bid: bid.to_string(),
        ask: ask.to_string(),
        side: side(last.side),
        open_24: day.open.to_string(),
        percent_change_24: change_percent(day.open, last.price, -2).to_string(),
    })
}

#[derive(Serialize)]
struct Transaction {
    date: String,
    tid: String,
    amount: String,
    #[serde(rename = "type")]
    kind: String,
    price: String,
}

/// Newest first.
pub(crate) fn transactions(trades: &[Trade]) -> Body {
    let row = |trade: &Trade| Transaction {
        date: (trade.time_us / 1_000_000).to_string(),
        tid: trade.id.to_string(),
        amount: e8(trade.amount),
        kind: side(trade.side),
        price: trade.price.to_string(),
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Failure {
    status: &'static str,
    reason: &'static str,
    code: &'static str,
}

pub(crate) fn unknown_symbol() -> Body {
    let failure = Failure {
        status: "error",
        reason: "Invalid pair",
        code: "API0011",
    };
    Body::with(StatusCode::NOT_FOUND, &failure)
}
