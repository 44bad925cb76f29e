//! Bybit API v5, spot: errors come with HTTP 200.

use serde::Serialize;

use super::{Body, change_ratio, turnover};
use crate::trade::{Side, Summary, Trade};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    ret_code: i32,
    ret_msg: &'static str,
    result: T,
    ret_ext_info: Nothing,
    time: u64,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Listing<T> {
    category: &'static str,
    list: Vec<T>,
}

fn spot<T: Serialize>(list: Vec<T>, now_ms: u64) -> Body {
    Body::ok(&Answer {
        ret_code: 0,
        ret_msg: "OK",
        result: Listing {
            category: "spot",
            list,
        },
        ret_ext_info: Nothing {},
        time: now_ms,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    symbol: &'a str,
    bid1_price: String,
    bid1_size: String,
    ask1_price: String,
    ask1_size: String,
    last_price: String,
    prev_price24h: String,
    price24h_pcnt: String,
    high_price24h: String,
    low_price24h: String,
    turnover24h: String,
    volume24h: String,
    usd_index_price: &'static str,
}

pub(crate) fn ticker(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let ticker = Ticker {
        symbol,
        bid1_price: bid.to_string(),
        bid1_size: last.amount.to_string(),
        ask1_price: ask.to_string(),
        ask1_size: last.amount.to_string(),
        last_price: last.price.to_string(),
        prev_price24h: day.open.to_string(),
        price24h_pcnt: change_ratio(day.open, last.price, -4).to_string(),
        high_price24h: day.high.to_string(),
        low_price24h: day.low.to_string(),
        turnover24h: turnover(day).to_string(),
        volume24h: day.volume.to_string(),
        usd_index_price: "",
    };
    spot(vec![ticker], now_ms)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TradeRow<'a> {
    exec_id: String,
    symbol: &'a str,
    price: String,
    size: String,
    side: &'static str,
    time: String,
    is_block_trade: bool,
}

/// Newest first.
pub(crate) fn trades(symbol: &str, trades: &[Trade], now_ms: u64) -> Body {
    let row = |trade: &Trade| TradeRow {
        exec_id: trade.id.to_string(),
        symbol,
        price: trade.price.to_string(),
        size: trade.amount.to_string(),
        side: match trade.side {
            Side::Buy => "Buy",
            Side::Sell => "Sell",
        },
        time: trade.time_ms().to_string(),
        is_block_trade: false,
    };
    spot(trades.iter().map(row).collect(), now_ms)
}

pub(crate) fn unknown_symbol(now_ms: u64) -> Body {
    Body::ok(&Answer {
        ret_code: 10_001,
        ret_msg: "Not supported symbols",
        result: Nothing {},
        ret_ext_info: Nothing {},
        time: now_ms,
    })
}
