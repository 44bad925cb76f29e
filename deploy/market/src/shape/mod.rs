//! The exchanges' own shapes: one module each, from a market's trades and summary to the body of an answer.
//!
//! Field names and JSON types (string or number) are those of the exchanges' answers; an adapter must not be able to
//! tell the difference.

pub(crate) mod binance;
pub(crate) mod bitstamp;
pub(crate) mod coinbase;
pub(crate) mod kraken;
pub(crate) mod okx;

use axum::http::StatusCode;
use serde::Serialize;
use touchstone_types::Decimal;

/// Status and body of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Body {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Body {
    fn ok(value: &impl Serialize) -> Self {
        Self::with(StatusCode::OK, value)
    }

    fn with(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self { status, text },
            Err(error) => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                text: error.to_string(),
            },
        }
    }
}

/// A number with eight decimal places, as several exchanges write all of theirs.
fn e8(value: Decimal) -> String {
    value.rescale(-8).unwrap_or(value).to_string()
}

/// `b` minus `a` as a string of eight decimal places.
fn difference_e8(a: Decimal, b: Decimal) -> Decimal {
    let at = |d: Decimal| d.rescale(-8).map_or(0, |d| d.mantissa);
    Decimal::new(at(b).saturating_sub(at(a)), -8)
}

/// Hundredths of a percent from `a` to `b`.
fn change_percent(a: Decimal, b: Decimal, places: i8) -> Decimal {
    let percent = Decimal::new(difference_e8(a, b).mantissa.saturating_mul(100), -8);
    percent
        .checked_div(a, places)
        .unwrap_or(Decimal::new(0, places))
}
