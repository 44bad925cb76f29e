//! Binance and Binance.US.

use axum::http::StatusCode;
use serde::Serialize;
use touchstone_types::Decimal;

use super::{Body, DAY_MS, change_percent, difference_e8, e8, turnover};
use crate::trade::{Side, Summary, Trade};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    symbol: &'a str,
    price_change: String,
    price_change_percent: String,
    weighted_avg_price: String,
    prev_close_price: String,
    last_price: String,
    last_qty: String,
    bid_price: String,
    bid_qty: String,
    ask_price: String,
    ask_qty: String,
    open_price: String,
    high_price: String,
    low_price: String,
    volume: String,
    quote_volume: String,
    open_time: u64,
    close_time: u64,
    first_id: u64,
    last_id: u64,
    count: u64,
}

pub(crate) fn ticker(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    Body::ok(&Ticker {
        symbol,
        price_change: difference_e8(day.open, last.price).to_string(),
        price_change_percent: change_percent(day.open, last.price, -3).to_string(),
        weighted_avg_price: e8(day.vwap),
        prev_close_price: e8(day.open),
        last_price: e8(last.price),
        last_qty: e8(last.amount),
        bid_price: e8(*bid),
        bid_qty: e8(last.amount),
        ask_price: e8(*ask),
        ask_qty: e8(last.amount),
        open_price: e8(day.open),
        high_price: e8(day.high),
        low_price: e8(day.low),
        volume: e8(day.volume),
        quote_volume: turnover(day).to_string(),
        open_time: now_ms.saturating_sub(DAY_MS),
        // The server's time, whenever the last trade was.
        close_time: now_ms,
        first_id: last.id.saturating_sub(day.count.saturating_sub(1)),
        last_id: last.id,
        count: day.count,
    })
}

#[derive(Serialize)]
struct PriceTicker<'a> {
    symbol: &'a str,
    price: String,
}

pub(crate) fn price(symbol: &str, summary: &Summary) -> Body {
    Body::ok(&PriceTicker {
        symbol,
        price: e8(summary.last.price),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BookTicker<'a> {
    symbol: &'a str,
    bid_price: String,
    bid_qty: String,
    ask_price: String,
    ask_qty: String,
}

pub(crate) fn book_ticker(symbol: &str, summary: &Summary) -> Body {
    Body::ok(&BookTicker {
        symbol,
        bid_price: e8(summary.bid),
        bid_qty: e8(summary.last.amount),
        ask_price: e8(summary.ask),
        ask_qty: e8(summary.last.amount),
    })
}

/// `a` id, `p` price, `q` quantity, `f` and `l` first and last trade, `T` time, `m` whether the buyer was the maker.
#[derive(Serialize)]
struct AggregateTrade {
    a: u64,
    p: String,
    q: String,
    f: u64,
    l: u64,
    #[serde(rename = "T")]
    time: u64,
    m: bool,
    #[serde(rename = "M")]
    best_match: bool,
}

/// Oldest first.
pub(crate) fn aggregate_trades(newest_first: &[Trade]) -> Body {
    let row = |trade: &Trade| AggregateTrade {
        a: trade.id,
        p: e8(trade.price),
        q: e8(trade.amount),
        f: trade.id,
        l: trade.id,
        time: trade.time_ms(),
        m: trade.side == Side::Sell,
        best_match: true,
    };
    Body::ok(&newest_first.iter().rev().map(row).collect::<Vec<_>>())
}

/// A trade of `trades`, here and at MEXC.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlainTrade {
    id: Option<u64>,
    price: String,
    qty: String,
    quote_qty: String,
    time: u64,
    is_buyer_maker: bool,
    is_best_match: bool,
}

impl PlainTrade {
    /// With numbers as `write` writes them.
    pub(super) fn of(trade: &Trade, id: Option<u64>, write: fn(Decimal) -> String) -> Self {
        Self {
            id,
            price: write(trade.price),
            qty: write(trade.amount),
            quote_qty: trade
                .price
                .checked_mul(trade.amount)
                .map_or_else(|_| "0.00000000".to_owned(), write),
            time: trade.time_ms(),
            is_buyer_maker: trade.side == Side::Sell,
            is_best_match: true,
        }
    }
}

/// Oldest first.
pub(crate) fn trades(newest_first: &[Trade]) -> Body {
    let row = |trade: &Trade| PlainTrade::of(trade, Some(trade.id), e8);
    Body::ok(&newest_first.iter().rev().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Failure {
    code: i32,
    msg: &'static str,
}

pub(crate) fn unknown_symbol() -> Body {
    Body::with(
        StatusCode::BAD_REQUEST,
        &Failure {
            code: -1121,
            msg: "Invalid symbol.",
        },
    )
}
