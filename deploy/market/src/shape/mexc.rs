//! MEXC spot API v3: Binance's with differences. Its error for an unknown symbol is Binance's.

use serde::Serialize;

use super::{Body, DAY_MS, binance::PlainTrade, change_ratio, difference_e8, turnover};
use crate::trade::{Side, Summary, Trade};

/// `price_change_percent` is a ratio; trades are not counted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    symbol: &'a str,
    price_change: String,
    price_change_percent: String,
    prev_close_price: String,
    last_price: String,
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
    count: Option<u64>,
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
        price_change: difference_e8(day.open, last.price).trimmed().to_string(),
        price_change_percent: change_ratio(day.open, last.price, -4).to_string(),
        prev_close_price: day.open.to_string(),
        last_price: last.price.to_string(),
        bid_price: bid.to_string(),
        bid_qty: last.amount.to_string(),
        ask_price: ask.to_string(),
        ask_qty: last.amount.to_string(),
        open_price: day.open.to_string(),
        high_price: day.high.to_string(),
        low_price: day.low.to_string(),
        volume: day.volume.to_string(),
        quote_volume: turnover(day).to_string(),
        open_time: now_ms.saturating_sub(DAY_MS),
        // The server's time, whenever the last trade was.
        close_time: now_ms,
        count: None,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TradeRow {
    #[serde(flatten)]
    trade: PlainTrade,
    trade_type: &'static str,
}

/// Newest first, without ids.
pub(crate) fn trades(trades: &[Trade]) -> Body {
    let row = |trade: &Trade| TradeRow {
        trade: PlainTrade::of(trade, None, |number| number.to_string()),
        trade_type: match trade.side {
            Side::Buy => "BID",
            Side::Sell => "ASK",
        },
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}
