//! Coinbase Exchange.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use super::{Body, e8};
use crate::trade::{Side, Summary, Trade};

#[derive(Serialize)]
struct Ticker {
    trade_id: u64,
    price: String,
    size: String,
    time: String,
    bid: String,
    ask: String,
    volume: String,
}

#[derive(Serialize)]
struct TradeRow {
    trade_id: u64,
    side: &'static str,
    size: String,
    price: String,
    time: String,
}

#[derive(Serialize)]
struct Failure {
    message: &'static str,
}

/// ISO 8601 with microseconds.
fn iso(time_us: u64) -> String {
    let time = i64::try_from(time_us)
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

pub(crate) fn ticker(summary: &Summary) -> Body {
    let last = &summary.last;
    Body::ok(&Ticker {
        trade_id: last.id,
        price: last.price.to_string(),
        size: e8(last.amount),
        time: iso(last.time_us),
        bid: summary.bid.to_string(),
        ask: summary.ask.to_string(),
        volume: e8(summary.day.volume),
    })
}

/// Newest first. `side` is the maker's.
pub(crate) fn trades(trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        trade_id: trade.id,
        side: match trade.side {
            Side::Buy => "sell",
            Side::Sell => "buy",
        },
        size: e8(trade.amount),
        price: e8(trade.price),
        time: iso(trade.time_us),
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn unknown_symbol() -> Body {
    Body::with(
        StatusCode::NOT_FOUND,
        &Failure {
            message: "NotFound",
        },
    )
}
