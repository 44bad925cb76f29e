//! Gate.io API v4: a ticker has no time.

use axum::http::StatusCode;
use serde::Serialize;

use super::{Body, change_percent, side, turnover};
use crate::{
    asset,
    trade::{Summary, Trade},
};

#[derive(Serialize)]
struct Ticker<'a> {
    currency_pair: &'a str,
    last: String,
    lowest_ask: String,
    lowest_size: String,
    highest_bid: String,
    highest_size: String,
    change_percentage: String,
    base_volume: String,
    quote_volume: String,
    high_24h: String,
    low_24h: String,
}

pub(crate) fn ticker(symbol: &str, summary: &Summary) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    Body::ok(&[Ticker {
        currency_pair: symbol,
        last: last.price.to_string(),
        lowest_ask: ask.to_string(),
        lowest_size: last.amount.to_string(),
        highest_bid: bid.to_string(),
        highest_size: last.amount.to_string(),
        change_percentage: change_percent(day.open, last.price, -2).to_string(),
        base_volume: day.volume.to_string(),
        quote_volume: turnover(day).to_string(),
        high_24h: day.high.to_string(),
        low_24h: day.low.to_string(),
    }])
}

#[derive(Serialize)]
struct TradeRow<'a> {
    id: String,
    create_time: String,
    create_time_ms: String,
    currency_pair: &'a str,
    side: &'static str,
    amount: String,
    price: String,
    sequence_id: String,
}

/// Milliseconds with a fraction of six places.
fn millis(time_us: u64) -> String {
    format!("{}.{:03}000", time_us / 1_000, time_us % 1_000)
}

/// Newest first.
pub(crate) fn trades(symbol: &str, trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        id: trade.id.to_string(),
        create_time: (trade.time_us / 1_000_000).to_string(),
        create_time_ms: millis(trade.time_us),
        currency_pair: symbol,
        side: side(trade.side),
        amount: trade.amount.to_string(),
        price: trade.price.to_string(),
        sequence_id: trade.id.to_string(),
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Failure {
    label: &'static str,
    message: String,
}

/// A currency that there is not is another error than a pair of known ones.
pub(crate) fn unknown_symbol(symbol: &str) -> Body {
    let base = symbol.split_once('_').map(|(base, _)| base);
    let failure = match base.filter(|base| asset::find(base).is_none()) {
        Some(base) => Failure {
            label: "INVALID_CURRENCY",
            message: format!("Invalid currency {base}"),
        },
        None => Failure {
            label: "INVALID_CURRENCY_PAIR",
            message: format!("Invalid currency pair {symbol}"),
        },
    };
    Body::with(StatusCode::BAD_REQUEST, &failure)
}
