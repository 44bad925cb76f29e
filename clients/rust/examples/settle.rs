//! A price for an instant that nobody could pick: `cargo run --release -p touchstone-client --example settle -- network.json UNIX_MS URL...`

use std::error::Error;

use touchstone_client::{FeedName, Pin, Policy, VerifiedPrice, Verifier, http::Client, verify_at};

/// The price that was the last one signed at or before the instant, which the next one after it proves.
pub(crate) async fn settle(
    pin: &str,
    instant_ms: u64,
    urls: &[String],
) -> Result<VerifiedPrice, Box<dyn Error>> {
    let verifier = Verifier::from_pin(&Pin::from_json(&std::fs::read(pin)?)?)?;
    let client = urls
        .iter()
        .fold(Client::builder(verifier), |c, url| c.endpoint(url));
    let feed = FeedName::new("BTC-USD")?;
    let (before, after) = client.build()?.around(feed, instant_ms).await?;
    let policy = Policy::at(verify_at(&before, &after, instant_ms)?);
    Ok(before.price(feed, &policy)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [pin, instant_ms, urls @ ..] = arguments.as_slice() else {
        return Err("give network.json, an instant and at least one URL of an aggregator".into());
    };
    let btc = settle(pin, instant_ms.parse()?, urls).await?;
    println!("{} at {}, round {}", btc.price, btc.timestamp_ms, btc.round);
    Ok(())
}
