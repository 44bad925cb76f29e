//! Every new price as it is signed, over connections that may break: `cargo run --release -p touchstone-client --example watch -- network.json URL...`

use std::error::Error;

use touchstone_client::{
    FeedName, Pin, Policy, Verifier,
    http::{Client, WatchEvent, now_ms},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some((pin, urls)) = arguments.split_first() else {
        return Err("give network.json and at least one URL of an aggregator".into());
    };
    let verifier = Verifier::from_pin(&Pin::from_json(&std::fs::read(pin)?)?)?;
    let client = urls
        .iter()
        .fold(Client::builder(verifier), |c, url| c.endpoint(url));
    let feed = FeedName::new("BTC-USD")?;
    let mut stream = client.build()?.watch(&[feed], None);
    for _ in 0..10 {
        // It resumes where it was by itself; what happened is told, to be logged or left.
        if let WatchEvent::Update(update) = stream.next().await {
            match update.price(feed, &Policy::fresh(now_ms(), 10_000)) {
                Ok(price) => println!("round {}: {}", price.round, price.price),
                Err(refused) => println!("round {}: {refused}", update.round()),
            }
        }
    }
    Ok(())
}
