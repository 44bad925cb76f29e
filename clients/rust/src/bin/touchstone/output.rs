//! What the commands print: text for people, one JSON object per line for programs.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::{Value, json};
use touchstone_client::{
    NetworkId, VerifiedPrice,
    recompute::{Comparison, Recomputed},
};
use touchstone_types::{Decimal, Digest, Epoch, FeedName, Round, Status};

/// A verified price as JSON. Prices are text: a JSON number would lose digits.
#[derive(Serialize)]
struct PriceJson {
    feed: FeedName,
    price: Decimal,
    low: Decimal,
    high: Decimal,
    exponent: i8,
    status: Status,
    observers: u16,
    observed_at_ms: u64,
    epoch: Epoch,
    round: Round,
    timestamp_ms: u64,
    network_id: NetworkId,
    verified: bool,
}

/// Prints one line.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// The price as a JSON object, to which a command may add.
pub(crate) fn price_json(price: &VerifiedPrice, network_id: NetworkId) -> Value {
    let shown = PriceJson {
        feed: price.feed,
        price: price.price,
        low: price.low,
        high: price.high,
        exponent: price.price.exponent,
        status: price.status,
        observers: price.observers,
        observed_at_ms: price.observed_at_ms,
        epoch: price.epoch,
        round: price.round,
        timestamp_ms: price.timestamp_ms,
        network_id,
        verified: true,
    };
    serde_json::to_value(shown).unwrap_or_default()
}

/// Adds members to a JSON object.
pub(crate) fn with(mut object: Value, more: &[(&str, Value)]) -> Value {
    for (name, value) in more {
        object[*name] = value.clone();
    }
    object
}

/// The price as a line for people; `when` says how it stands in time.
pub(crate) fn price_text(price: &VerifiedPrice, when: &str) -> String {
    format!(
        "{}  {}  [{} .. {}]  {}  observers {}  round {}  {when}",
        price.feed, price.price, price.low, price.high, price.status, price.observers, price.round
    )
}

/// Milliseconds as seconds with three places.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// A recomputed round as a JSON object.
pub(crate) fn recomputed_json(round: &Recomputed) -> Value {
    let leaf = |leaf: &touchstone_types::Leaf| {
        json!({
            "price": leaf.price(), "low": leaf.low(), "high": leaf.high(), "exponent": leaf.exponent,
            "status": leaf.status, "observers": leaf.observers, "observed_at_ms": leaf.observed_at_ms,
        })
    };
    let feeds: Vec<Value> = round
        .feeds
        .iter()
        .map(|c| {
            json!({
                "feed": c.feed, "agrees": c.agrees(), "signed": c.signed.as_ref().map(leaf),
                "recomputed": leaf(&c.recomputed),
            })
        })
        .collect();
    let contributors: Vec<Value> = round
        .contributors
        .iter()
        .map(|(member, timestamp_ms)| json!({ "member": member, "timestamp_ms": timestamp_ms }))
        .collect();
    let differences: Vec<&str> = statement_rows(round)
        .into_iter()
        .filter(|row| row.signed != row.recomputed)
        .map(|row| row.field)
        .collect();
    json!({
        "agrees": round.agrees(), "round": round.signed.round, "epoch": round.signed.epoch,
        "network_id": round.signed.network, "contributors": contributors, "feeds": feeds,
        "statement_differences": differences,
    })
}

/// A recomputed round as a table for people.
pub(crate) fn recomputed_text(round: &Recomputed) -> String {
    let members: Vec<String> = round
        .contributors
        .iter()
        .map(|(m, _)| m.to_string())
        .collect();
    let mut out = format!(
        "round {} epoch {}: {} observations, signed by members {}\n",
        round.signed.round,
        round.signed.epoch,
        members.len(),
        members.join(", ")
    );
    out.push_str(&format!(
        "{:<16} {:>24} {:>24} {:>24} {:>9}  {}\n",
        "FEED", "PRICE", "LOW", "HIGH", "OBSERVERS", "RESULT"
    ));
    for comparison in &round.feeds {
        out.push_str(&feed_rows(comparison));
    }
    for row in statement_rows(round) {
        if row.signed != row.recomputed {
            out.push_str(&format!(
                "{}: signed {}, recomputed {}\n",
                row.field, row.signed, row.recomputed
            ));
        }
    }
    out.push_str(if round.agrees() {
        "The observations give exactly what the group signed."
    } else {
        "The observations do NOT give what the group signed."
    });
    out
}

fn feed_rows(comparison: &Comparison) -> String {
    let row = |leaf: &touchstone_types::Leaf, result: &str| {
        let number = |value: Option<Decimal>| value.map_or("-".into(), |v| v.to_string());
        format!(
            "{:<16} {:>24} {:>24} {:>24} {:>9}  {result}\n",
            leaf.feed.as_str(),
            number(leaf.price()),
            number(leaf.low()),
            number(leaf.high()),
            leaf.observers
        )
    };
    let recomputed = &comparison.recomputed;
    match &comparison.signed {
        Some(_) if comparison.agrees() => {
            row(recomputed, &format!("agrees ({})", recomputed.status))
        }
        Some(signed) => {
            row(signed, &format!("SIGNED ({})", signed.status))
                + &row(recomputed, &format!("RECOMPUTED ({})", recomputed.status))
        }
        None => row(recomputed, "NOT SIGNED"),
    }
}

struct StatementRow {
    field: &'static str,
    signed: String,
    recomputed: String,
}

fn statement_rows(round: &Recomputed) -> Vec<StatementRow> {
    let (s, r) = (&round.signed, &round.recomputed);
    let number = |field, signed: u64, recomputed: u64| StatementRow {
        field,
        signed: signed.to_string(),
        recomputed: recomputed.to_string(),
    };
    let hash = |field, signed: Digest, recomputed: Digest| StatementRow {
        field,
        signed: signed.to_string(),
        recomputed: recomputed.to_string(),
    };
    vec![
        number("timestamp_ms", s.timestamp_ms, r.timestamp_ms),
        number("feed_count", s.feed_count.into(), r.feed_count.into()),
        hash("feeds_root", s.feeds_root, r.feeds_root),
        hash(
            "observations_root",
            s.observations_root,
            r.observations_root,
        ),
    ]
}
