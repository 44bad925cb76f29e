//! Bitfinex API v2: arrays of JSON numbers without names.

use axum::http::StatusCode;
use serde_json::value::RawValue;
use touchstone_types::Decimal;

use super::{Body, change_ratio, difference_e8, number};
use crate::trade::{Side, Summary, Trade};

/// Bid and its size, ask and its size, the day's change and the same as a ratio, last price, volume, high, low.
pub(crate) fn ticker(summary: &Summary) -> Body {
    let Summary {
        last,
        bid,
        ask,
        day,
    } = summary;
    Body::ok(
        &[
            *bid,
            last.amount,
            *ask,
            last.amount,
            difference_e8(day.open, last.price),
            change_ratio(day.open, last.price, -8),
            last.price,
            day.volume,
            day.high,
            day.low,
        ]
        .map(number),
    )
}

type Row = (u64, u64, Box<RawValue>, Box<RawValue>);

/// Id, milliseconds, amount, price; newest first. What a seller took has a negative amount.
pub(crate) fn trades(trades: &[Trade]) -> Body {
    let row = |trade: &Trade| -> Row {
        let Decimal { mantissa, exponent } = trade.amount;
        let amount = match trade.side {
            Side::Buy => trade.amount,
            Side::Sell => Decimal::new(mantissa.saturating_neg(), exponent),
        };
        (
            trade.id,
            trade.time_ms(),
            number(amount),
            number(trade.price),
        )
    };
    Body::ok(&trades.iter().map(row).collect::<Vec<_>>())
}

pub(crate) fn unknown_symbol() -> Body {
    let failure = ("error", 10_020, "symbol: invalid");
    Body::with(StatusCode::INTERNAL_SERVER_ERROR, &failure)
}
