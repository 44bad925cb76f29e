//! HTX: JSON numbers, and errors come with HTTP 200.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Body, number, raw, side, turnover};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
struct Answer<T> {
    ch: String,
    status: &'static str,
    ts: u64,
    tick: T,
}

fn success<T: Serialize>(symbol: &str, channel: &str, tick: T, now_ms: u64) -> Body {
    Body::ok(&Answer {
        ch: format!("market.{symbol}.{channel}"),
        status: "ok",
        // The server's time, whenever the last trade was.
        ts: now_ms,
        tick,
    })
}

/// `amount` is the volume, `vol` its value.
#[derive(Serialize)]
struct Ticker {
    id: u64,
    version: u64,
    open: Box<RawValue>,
    close: Box<RawValue>,
    low: Box<RawValue>,
    high: Box<RawValue>,
    amount: Box<RawValue>,
    vol: Box<RawValue>,
    count: u64,
    bid: [Box<RawValue>; 2],
    ask: [Box<RawValue>; 2],
}

pub(crate) fn merged(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let tick = Ticker {
        id: last.id,
        version: last.id,
        open: number(day.open),
        close: number(last.price),
        low: number(day.low),
        high: number(day.high),
        amount: number(day.volume),
        vol: number(turnover(day)),
        count: day.count,
        bid: [number(*bid), number(last.amount)],
        ask: [number(*ask), number(last.amount)],
    };
    success(symbol, "detail.merged", tick, now_ms)
}

/// What one order took.
#[derive(Serialize)]
struct Group {
    id: u64,
    ts: u64,
    data: Vec<TradeRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TradeRow {
    id: Box<RawValue>,
    ts: u64,
    trade_id: u64,
    amount: Box<RawValue>,
    price: Box<RawValue>,
    direction: &'static str,
}

/// The last trade only.
pub(crate) fn trade(symbol: &str, newest_first: &[Trade], now_ms: u64) -> Body {
    let row = |trade: &Trade| TradeRow {
        // More digits than 64 bits hold, as the exchange's own.
        id: raw(format!("1{:022}", trade.id)),
        ts: trade.time_ms(),
        trade_id: trade.id,
        amount: number(trade.amount),
        price: number(trade.price),
        direction: side(trade.side),
    };
    let last = newest_first.first();
    let group = Group {
        id: last.map_or(0, |trade| trade.id),
        ts: last.map_or(now_ms, Trade::time_ms),
        data: last.iter().copied().map(row).collect(),
    };
    success(symbol, "trade.detail", group, now_ms)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Failure {
    ts: u64,
    status: &'static str,
    err_code: &'static str,
    err_msg: &'static str,
}

pub(crate) fn unknown_symbol(now_ms: u64) -> Body {
    Body::ok(&Failure {
        ts: now_ms,
        status: "error",
        err_code: "invalid-parameter",
        err_msg: "invalid symbol",
    })
}
