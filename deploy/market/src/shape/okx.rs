//! OKX API v5: everything is a string, and errors come with HTTP 200.

use serde::Serialize;

use super::{Body, side};
use crate::trade::{Summary, Trade};

#[derive(Serialize)]
struct Answer<T> {
    code: &'static str,
    msg: &'static str,
    data: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    inst_type: &'static str,
    inst_id: &'a str,
    last: String,
    last_sz: String,
    ask_px: String,
    ask_sz: String,
    bid_px: String,
    bid_sz: String,
    open24h: String,
    high24h: String,
    low24h: String,
    vol_ccy24h: String,
    vol24h: String,
    ts: String,
    sod_utc0: String,
    sod_utc8: String,
}

pub(crate) fn ticker(symbol: &str, summary: &Summary, now_ms: u64) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    let turnover = day.volume.checked_mul(day.vwap).unwrap_or(day.volume);
    let ticker = Ticker {
        inst_type: "SPOT",
        inst_id: symbol,
        last: last.price.to_string(),
        last_sz: last.amount.to_string(),
        ask_px: ask.to_string(),
        ask_sz: last.amount.to_string(),
        bid_px: bid.to_string(),
        bid_sz: last.amount.to_string(),
        open24h: day.open.to_string(),
        high24h: day.high.to_string(),
        low24h: day.low.to_string(),
        vol_ccy24h: turnover.to_string(),
        vol24h: day.volume.to_string(),
        // When the ticker was made, whenever the last trade was.
        ts: now_ms.to_string(),
        sod_utc0: day.open.to_string(),
        sod_utc8: day.open.to_string(),
    };
    Body::ok(&Answer {
        code: "0",
        msg: "",
        data: vec![ticker],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TradeRow<'a> {
    inst_id: &'a str,
    side: &'static str,
    sz: String,
    px: String,
    trade_id: String,
    ts: String,
}

/// Newest first.
pub(crate) fn trades(symbol: &str, trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        inst_id: symbol,
        side: side(trade.side),
        sz: trade.amount.to_string(),
        px: trade.price.to_string(),
        trade_id: trade.id.to_string(),
        ts: trade.time_ms().to_string(),
    };
    let data = trades.iter().map(row).collect();
    Body::ok(&Answer {
        code: "0",
        msg: "",
        data,
    })
}

pub(crate) fn unknown_symbol() -> Body {
    Body::ok(&Answer::<()> {
        code: "51001",
        msg: "Instrument ID doesn't exist",
        data: Vec::new(),
    })
}
