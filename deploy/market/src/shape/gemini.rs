//! Gemini API v1.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Serialize;
use touchstone_types::FeedName;

use super::{Body, side, turnover};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
struct Ticker {
    bid: String,
    ask: String,
    volume: BTreeMap<String, Figure>,
    last: String,
}

/// The volume in each of the two currencies, and the time of the ticker.
#[derive(Serialize)]
#[serde(untagged)]
enum Figure {
    Volume(String),
    Millis(u64),
}

pub(crate) fn ticker(pair: FeedName, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let volume = BTreeMap::from([
        (
            pair.base().to_owned(),
            Figure::Volume(day.volume.to_string()),
        ),
        (
            pair.quote().to_owned(),
            Figure::Volume(turnover(day).to_string()),
        ),
        // The server's time, whenever the last trade was.
        ("timestamp".to_owned(), Figure::Millis(now_ms)),
    ]);
    Body::ok(&Ticker {
        bid: bid.to_string(),
        ask: ask.to_string(),
        volume,
        last: last.price.to_string(),
    })
}

#[derive(Serialize)]
struct TradeRow {
    timestamp: u64,
    timestampms: u64,
    tid: u64,
    price: String,
    amount: String,
    exchange: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Newest first.
pub(crate) fn trades(trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        timestamp: trade.time_us / 1_000_000,
        timestampms: trade.time_ms(),
        tid: trade.id,
        price: trade.price.to_string(),
        amount: trade.amount.to_string(),
        exchange: "gemini",
        kind: side(trade.side),
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Failure {
    result: &'static str,
    reason: &'static str,
    message: String,
}

pub(crate) fn unknown_symbol(symbol: &str) -> Body {
    let failure = Failure {
        result: "error",
        reason: "Bad Request",
        message: format!("Supplied value '{symbol}' is not a valid symbol"),
    };
    Body::with(StatusCode::BAD_REQUEST, &failure)
}
