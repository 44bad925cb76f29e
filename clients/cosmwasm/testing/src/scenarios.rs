//! The tests, over any [`Chain`](crate::Chain): each function panics if the contract does not behave.

pub mod adversaries;
pub mod extremes;
pub mod keeping;
pub mod making;
pub mod model;
pub mod shared;

use cosmwasm_std::Binary;
use touchstone_cosmwasm::msg::{Conditions, PriceResponse, QueryMsg};

use crate::{Chain, Refused};

/// Asks for a feed's price that is kept.
fn price(
    chain: &mut impl Chain,
    feed: &str,
    max_age_ms: u64,
    conditions: Conditions,
) -> Result<PriceResponse, Refused> {
    chain.query(&QueryMsg::Price {
        feed: feed.to_owned(),
        max_age_ms,
        conditions,
    })
}

/// Asks for a feed's price in an update.
fn verify(
    chain: &mut impl Chain,
    update: &[u8],
    feed: &str,
    max_age_ms: u64,
    conditions: Conditions,
) -> Result<PriceResponse, Refused> {
    chain.query(&QueryMsg::Verify {
        update: Binary::new(update.to_vec()),
        feed: feed.to_owned(),
        max_age_ms,
        conditions,
    })
}

/// The code of a refusal; panics if there is none.
fn code<T: std::fmt::Debug>(what: &str, verdict: Result<T, Refused>) -> String {
    match verdict {
        Err(refused) => refused.code().to_owned(),
        Ok(answer) => panic!("{what}: accepted, {answer:?}"),
    }
}
