//! The commands.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use touchstone_client::{
    FeedName, Pin, Policy, VerifiedUpdate, Verifier, check_pin_members,
    http::{Client, WatchEvent, now_ms},
    recompute, verify_at,
};
use touchstone_types::Round;

use crate::{
    args::{AtArgs, Endpoints, GetArgs, Network, RecomputeArgs, VerifyArgs, WatchArgs},
    failure::{Failure, Kind},
    output,
};

const FILE_BYTES_MAX: u64 = 16 << 20;

pub(crate) async fn get(args: GetArgs, json: bool) -> Result<(), Failure> {
    let (_, verifier) = load_pin(&args.network)?;
    let client = client(&args.endpoints, verifier)?;
    let policy = |now| args.conditions.apply(Policy::fresh(now, args.max_age));
    let update = client
        .latest_if(&args.feeds, |update| {
            let policy = policy(now_ms());
            args.feeds
                .iter()
                .try_for_each(|feed| update.price(*feed, &policy).map(drop))
        })
        .await?;
    let now = now_ms();
    let policy = policy(now);
    let age_ms = now.saturating_sub(update.timestamp_ms());
    let more = [("age_ms", json!(age_ms))];
    let when = format!("age {}", output::seconds(age_ms));
    for feed in &args.feeds {
        print_price(&update, *feed, &policy, &when, &more, json)?;
    }
    Ok(())
}

pub(crate) fn verify(args: &VerifyArgs, json: bool) -> Result<(), Failure> {
    let (pin, verifier) = load_pin(&args.network)?;
    let update = load_update(&verifier, &args.file)?;
    let (policy, when, more) = match (args.at, &args.next) {
        (Some(instant), Some(next)) => {
            let after = load_update(&verifier, next)?;
            let bracket = verify_at(&update, &after, instant)?;
            let more = vec![("at_ms", json!(instant)), ("gap", json!(bracket.gap()))];
            let when = format!("last at or before {instant}, next round {}", after.round());
            (Policy::at(bracket).max_gap(args.max_gap), when, more)
        }
        (Some(instant), None) => before_instant(args, &pin, &update, instant)?,
        (None, _) => {
            let now = now_ms();
            let age_ms = now.saturating_sub(update.timestamp_ms());
            let when = format!("age {}", output::seconds(age_ms));
            let policy = Policy::fresh(now, args.max_age.unwrap_or_default());
            (policy, when, vec![("age_ms", json!(age_ms))])
        }
    };
    let policy = args.conditions.apply(policy);
    let feeds: Vec<FeedName> = if args.feeds.is_empty() {
        update.feeds().collect()
    } else {
        args.feeds.clone()
    };
    let mut refused = false;
    for feed in feeds {
        if let Err(failure) = print_price(&update, feed, &policy, &when, &more, json) {
            if failure.is_broken_pipe() {
                return Err(failure);
            }
            refused = true;
            print_failure(&failure, Some(feed), json)?;
        }
    }
    if refused {
        return Err(Failure::told(Kind::Refused));
    }
    Ok(())
}

type When = (Policy, String, Vec<(&'static str, Value)>);

/// Without the next update nothing proves that this one was the last, so it must at least be no older than a round.
fn before_instant(
    args: &VerifyArgs,
    pin: &Pin,
    update: &VerifiedUpdate,
    instant: u64,
) -> Result<When, Failure> {
    let epoch = pin.epochs().find(|(m, _)| m.epoch == update.epoch());
    let interval_ms = epoch.unwrap_or(pin.newest()).0.interval_ms;
    let max_age = args.max_age.unwrap_or(interval_ms);
    let Some(age_ms) = instant.checked_sub(update.timestamp_ms()) else {
        let message = format!(
            "the update is of {}, after the instant {instant}",
            update.timestamp_ms()
        );
        return Err(Failure::new(Kind::Refused, "not-around", message));
    };
    eprintln!(
        "touchstone: not proved to be the last update before the instant: give the next one with --next"
    );
    let when = format!("{} before {instant}", output::seconds(age_ms));
    let more = vec![
        ("at_ms", json!(instant)),
        ("age_ms", json!(age_ms)),
        ("gap", Value::Null),
    ];
    Ok((Policy::fresh(instant, max_age), when, more))
}

pub(crate) async fn at(args: AtArgs, json: bool) -> Result<(), Failure> {
    let (_, verifier) = load_pin(&args.network)?;
    let client = client(&args.endpoints, verifier)?;
    let (before, after) = client.around(args.feed, args.instant).await?;
    let bracket = verify_at(&before, &after, args.instant)?;
    let policy = args
        .conditions
        .apply(Policy::at(bracket).max_gap(args.max_gap));
    let more = [
        ("at_ms", json!(args.instant)),
        ("gap", json!(bracket.gap())),
        ("next_round", json!(after.round())),
        ("next_timestamp_ms", json!(after.timestamp_ms())),
    ];
    let when = format!(
        "last at or before {}, next round {}",
        args.instant,
        after.round()
    );
    print_price(&before, args.feed, &policy, &when, &more, json)
}

pub(crate) async fn recompute(args: RecomputeArgs, json: bool) -> Result<(), Failure> {
    let (pin, verifier) = load_pin(&args.network)?;
    let client = client(&args.endpoints, verifier)?;
    let (attestation, observations) = client.round(Round(args.round)).await?;
    let round = recompute::recompute(&pin, client.verifier(), &attestation, &observations)?;
    if json {
        output::line(&output::recomputed_json(&round).to_string())?;
    } else {
        output::line(&output::recomputed_text(&round))?;
    }
    if round.agrees() {
        Ok(())
    } else {
        Err(Failure::told(Kind::Differs))
    }
}

pub(crate) async fn watch(args: WatchArgs, json: bool) -> Result<(), Failure> {
    let (_, verifier) = load_pin(&args.network)?;
    let client = client(&args.endpoints, verifier)?;
    let mut watch = client.watch(&args.feeds, args.after.map(Round));
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = tokio::select! {
            event = watch.next() => event,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match event {
            WatchEvent::Update(update) => left = left.saturating_sub(show(&args, &update, json)?),
            WatchEvent::Gap { from, to } if json => {
                output::line(&json!({ "event": "gap", "from": from, "to": to }).to_string())?;
            }
            WatchEvent::Gap { from, to } => {
                output::line(&format!("no signed rounds from {from} to {to}"))?;
            }
            WatchEvent::Interrupted { error, retry_in } => {
                let retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
                if json {
                    let event = json!({
                        "event": "interrupted", "endpoint": error.endpoint, "code": error.error.code(),
                        "message": error.error.to_string(), "retry_in_ms": retry_ms,
                    });
                    output::line(&event.to_string())?;
                } else {
                    eprintln!("touchstone: {error}; trying again in {retry_ms} ms");
                }
            }
        }
    }
    Ok(())
}

/// Prints the watched feeds of an update; how many there were.
fn show(args: &WatchArgs, update: &VerifiedUpdate, json: bool) -> Result<u64, Failure> {
    let now = now_ms();
    let policy = args.conditions.apply(Policy::fresh(now, args.max_age));
    let age_ms = now.saturating_sub(update.timestamp_ms());
    let more = [("event", json!("price")), ("age_ms", json!(age_ms))];
    let when = format!("age {}", output::seconds(age_ms));
    let mut count: u64 = 0;
    for feed in update.feeds().filter(|feed| args.feeds.contains(feed)) {
        count = count.saturating_add(1);
        if let Err(failure) = print_price(update, feed, &policy, &when, &more, json) {
            if failure.is_broken_pipe() {
                return Err(failure);
            }
            print_failure(&failure, Some(feed), json)?;
        }
    }
    Ok(count)
}

fn print_price(
    update: &VerifiedUpdate,
    feed: FeedName,
    policy: &Policy,
    when: &str,
    more: &[(&'static str, Value)],
    json: bool,
) -> Result<(), Failure> {
    let price = update.price(feed, policy)?;
    if json {
        let object = output::price_json(&price, update.statement().network);
        output::line(&output::with(object, more).to_string())?;
    } else {
        output::line(&output::price_text(&price, when))?;
    }
    Ok(())
}

fn print_failure(failure: &Failure, feed: Option<FeedName>, json: bool) -> io::Result<()> {
    if json {
        let object = output::with(failure.to_json(), &[("feed", json!(feed))]);
        output::line(&object.to_string())
    } else {
        eprintln!("touchstone: {failure}");
        Ok(())
    }
}

fn client(endpoints: &Endpoints, verifier: Verifier) -> Result<Client, Failure> {
    let mut builder = Client::builder(verifier).timeout(Duration::from_millis(endpoints.timeout));
    if let Some(suite) = endpoints.suite {
        builder = builder.suite(suite);
    }
    let builder = endpoints
        .urls
        .iter()
        .fold(builder, |builder, url| builder.endpoint(url.as_str()));
    Ok(builder.build()?)
}

/// The pin with every signature in it checked: the group's in each epoch, the members' at genesis.
pub(crate) fn load_pin(network: &Network) -> Result<(Pin, Verifier), Failure> {
    let path = &network.network;
    let load = || {
        let pin = Pin::from_json(&read(path)?)?;
        let verifier = Verifier::from_pin(&pin)?;
        check_pin_members(&pin)?;
        Ok((pin, verifier))
    };
    load().map_err(|failure: Failure| failure.about(path.display()))
}

fn load_update(verifier: &Verifier, path: &Path) -> Result<VerifiedUpdate, Failure> {
    let load = || {
        let bytes = read(path)?;
        // A binary update begins with its version byte, JSON never with a control character.
        if bytes.first() != Some(&b'{') {
            return Ok(verifier.verify(&bytes)?);
        }
        let json: Value = serde_json::from_slice(&bytes).map_err(malformed)?;
        let base64 = json.get("update").and_then(Value::as_str);
        let base64 = base64.ok_or_else(|| malformed("the JSON has no text field \"update\""))?;
        Ok(verifier.verify(&STANDARD.decode(base64).map_err(malformed)?)?)
    };
    load().map_err(|failure: Failure| failure.about(path.display()))
}

fn malformed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Forged, "malformed", error.to_string())
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    let read = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)?
    } else {
        File::open(path)?.take(limit).read_to_end(&mut bytes)?
    };
    if u64::try_from(read).is_ok_and(|read| read > FILE_BYTES_MAX) {
        let message = format!("longer than {FILE_BYTES_MAX} bytes");
        return Err(Failure::new(Kind::Unavailable, "too-long", message));
    }
    Ok(bytes)
}
