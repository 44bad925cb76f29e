//! KuCoin: errors come with HTTP 200.

use serde::Serialize;

use super::{Body, change_ratio, difference_e8, side, turnover};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
struct Answer<T> {
    code: &'static str,
    data: T,
}

fn success<T: Serialize>(data: T) -> Body {
    Body::ok(&Answer {
        code: "200000",
        data,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats<'a> {
    time: u64,
    symbol: &'a str,
    buy: String,
    sell: String,
    change_rate: String,
    change_price: String,
    high: String,
    low: String,
    vol: String,
    vol_value: String,
    last: String,
    average_price: String,
    taker_fee_rate: &'static str,
    maker_fee_rate: &'static str,
    taker_coefficient: &'static str,
    maker_coefficient: &'static str,
}

pub(crate) fn stats(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    success(Stats {
        // The server's time, whenever the last trade was.
        time: now_ms,
        symbol,
        buy: bid.to_string(),
        sell: ask.to_string(),
        change_rate: change_ratio(day.open, last.price, -4).to_string(),
        change_price: difference_e8(day.open, last.price).trimmed().to_string(),
        high: day.high.to_string(),
        low: day.low.to_string(),
        vol: day.volume.to_string(),
        vol_value: turnover(day).to_string(),
        last: last.price.to_string(),
        average_price: day.vwap.to_string(),
        taker_fee_rate: "0.001",
        maker_fee_rate: "0.001",
        taker_coefficient: "1",
        maker_coefficient: "1",
    })
}

/// `time` is in nanoseconds.
#[derive(Serialize)]
struct TradeRow {
    sequence: String,
    price: String,
    size: String,
    side: &'static str,
    time: u64,
}

/// Oldest first.
pub(crate) fn histories(newest_first: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        sequence: trade.id.to_string(),
        price: trade.price.to_string(),
        size: trade.amount.to_string(),
        side: side(trade.side),
        time: trade.time_us.saturating_mul(1_000),
    };
    success(newest_first.iter().rev().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Failure {
    code: &'static str,
    msg: &'static str,
}

pub(crate) fn unknown_symbol() -> Body {
    Body::ok(&Failure {
        code: "400100",
        msg: "This pair is not provided at present",
    })
}
