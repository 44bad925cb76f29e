//! The latest price from aggregators that nobody trusts: `cargo run --release -p touchstone-client --example latest -- network.json URL...`

use std::error::Error;

use touchstone_client::{FeedName, Pin, Policy, VerifiedPrice, Verifier, http::Client};

/// A price that is not older than ten seconds, from the first endpoint that has one.
pub(crate) async fn latest(pin: &str, urls: &[String]) -> Result<VerifiedPrice, Box<dyn Error>> {
    let verifier = Verifier::from_pin(&Pin::from_json(&std::fs::read(pin)?)?)?;
    let client = urls
        .iter()
        .fold(Client::builder(verifier), |c, url| c.endpoint(url));
    let feed = FeedName::new("BTC-USD")?;
    let policy = |now_ms| Policy::fresh(now_ms, 10_000);
    Ok(client.build()?.price(feed, policy).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some((pin, urls)) = arguments.split_first() else {
        return Err("give network.json and at least one URL of an aggregator".into());
    };
    let btc = latest(pin, urls).await?;
    println!(
        "{} in {} to {}, round {}",
        btc.price, btc.low, btc.high, btc.round
    );
    Ok(())
}
