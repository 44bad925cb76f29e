//! The `touchstone` command as a process: what it prints, and its exit codes.
#![cfg(feature = "cli")]

mod common;

use std::{path::Path, process::Output};

use axum::http::StatusCode;
use common::{btc, group, latest, leaf, ok, serve, update, with_status};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use touchstone_client::{Round, Status, Suite, http::now_ms};
use touchstone_types::{Attestation, Digest, merkle};

const PRICE: i128 = 6_700_000_000_000;

async fn touchstone(args: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_touchstone"))
        .args(args)
        .env_remove("TOUCHSTONE_URL")
        .env("TOUCHSTONE_NETWORK", common::pin_path())
        .output()
        .await
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn one_json(output: &Output) -> Value {
    let text = text(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn assert_exit(output: &Output, code: i32) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[tokio::test]
async fn get_prints_a_verified_price() {
    let server = serve(|_| ok(&latest(&btc(5, now_ms() - 200, PRICE)))).await;
    let args = ["get", "BTC-USD", "--url", &server.url, "--max-age", "10s"];
    let output = touchstone(&args).await;
    assert_exit(&output, 0);
    assert!(text(&output.stdout).contains("BTC-USD  67000.00000000"));

    let output = touchstone(&[&args[..], &["--json"]].concat()).await;
    assert_exit(&output, 0);
    let price = one_json(&output);
    assert_eq!(price["price"], "67000.00000000");
    assert_eq!(price["low"], "66999.99999995");
    assert_eq!(price["status"], json!([]));
    assert_eq!(price["round"], 5);
    assert_eq!(price["verified"], true);
    assert!(
        price["age_ms"].as_u64().is_some_and(|age| age >= 200),
        "{price}"
    );
}

#[tokio::test]
async fn get_refuses_what_is_old_forged_or_not_ok() {
    let old = serve(|_| ok(&latest(&btc(5, now_ms() - 60_000, PRICE)))).await;
    let get = async |url: &str, more: &[&str]| {
        let args = ["get", "BTC-USD", "--json", "--max-age", "10s", "--url", url];
        touchstone(&[&args[..], more].concat()).await
    };
    let output = get(&old.url, &[]).await;
    assert_exit(&output, 4);
    assert_eq!(one_json(&output)["error"]["code"], "too-old");
    let output = get(&old.url, &["--max-age", "2m"]).await;
    assert_exit(&output, 2);

    let forged = serve(|_| {
        let now = now_ms();
        let stranger = SigningKey::from_bytes(&[1; 32]);
        ok(&latest(
            &update(&stranger, 5, now, &[leaf("BTC-USD", 1, now)]).to_bytes(),
        ))
    })
    .await;
    let output = get(&forged.url, &[]).await;
    assert_exit(&output, 3);
    assert_eq!(one_json(&output)["error"]["code"], "bad-signature");

    let stale = serve(|_| {
        let now = now_ms();
        let mut leaf = leaf("BTC-USD", PRICE, now);
        leaf.status = Status::STALE;
        ok(&latest(&update(&group(), 5, now, &[leaf]).to_bytes()))
    })
    .await;
    let output = get(&stale.url, &[]).await;
    assert_exit(&output, 4);
    assert_eq!(one_json(&output)["error"]["code"], "status");
    let output = get(&stale.url, &["--allow-status", "degraded,stale"]).await;
    assert_exit(&output, 0);
    assert_eq!(one_json(&output)["status"], json!(["stale"]));

    let down = get("http://127.0.0.1:9", &[]).await;
    assert_exit(&down, 1);
    let unknown = serve(|_| with_status(StatusCode::NOT_FOUND, &json!({ "code": "unknown-feed" })));
    let output = get(&unknown.await.url, &[]).await;
    assert_exit(&output, 1);
    assert_eq!(one_json(&output)["error"]["code"], "unknown-feed");
}

#[tokio::test]
async fn a_pin_with_a_broken_signature_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("network.json");
    let mut pin = common::pin();
    pin.genesis_record.member_signatures.swap(0, 1);
    std::fs::write(&bad, serde_json::to_vec(&pin).expect("JSON")).expect("written");
    let file = common::vectors().join("policy.json");
    let args = [
        "verify",
        path(&file),
        "--max-age",
        "1d",
        "--network",
        path(&bad),
        "--json",
    ];
    let output = touchstone(&args).await;
    assert_exit(&output, 3);
    assert_eq!(one_json(&output)["error"]["code"], "bad-member-signature");
    let args = [
        "verify",
        "x",
        "--max-age",
        "1d",
        "--network",
        "/nowhere.json",
    ];
    assert_exit(&touchstone(&args).await, 1);
}

#[tokio::test]
async fn verify_reads_binary_and_json_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (binary, json) = (folder.path().join("u.bin"), folder.path().join("u.json"));
    let now = now_ms();
    let leaves = [leaf("BTC-USD", PRICE, now), leaf("ETH-USD", 5, now)];
    let bytes = update(&group(), 5, now, &leaves).to_bytes();
    std::fs::write(&binary, &bytes).expect("written");
    std::fs::write(&json, latest(&bytes).to_string()).expect("written");
    for file in [&binary, &json] {
        let output = touchstone(&["verify", path(file), "--max-age", "1m"]).await;
        assert_exit(&output, 0);
        assert_eq!(text(&output.stdout).lines().count(), 2);
    }
    let args = [
        "verify",
        path(&binary),
        "--max-age",
        "1m",
        "--feed",
        "XRP-USD",
        "--json",
    ];
    let output = touchstone(&args).await;
    assert_exit(&output, 4);
    assert_eq!(one_json(&output)["error"]["code"], "no-feed");
    std::fs::write(&binary, &bytes[1..]).expect("written");
    assert_exit(
        &touchstone(&["verify", path(&binary), "--max-age", "1m"]).await,
        3,
    );
    assert_exit(&touchstone(&["verify", path(&binary)]).await, 2);
}

#[tokio::test]
async fn verify_for_an_instant_wants_the_next_update() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, round, at| {
        let file = folder.path().join(name);
        std::fs::write(&file, btc(round, at, PRICE)).expect("written");
        file
    };
    let before = file("before", 5, 1_790_000_005_000);
    let after = file("after", 6, 1_790_000_006_000);
    let far = file("far", 8, 1_790_000_008_000);
    let verify = async |at: &str, more: &[&str]| {
        let args = ["verify", path(&before), "--json", "--at", at];
        touchstone(&[&args[..], more].concat()).await
    };
    let instant = "2026-09-21T14:13:25.500Z";
    let output = verify(instant, &["--next", path(&after)]).await;
    assert_exit(&output, 0);
    let price = one_json(&output);
    assert_eq!((&price["gap"], &price["round"]), (&json!(1), &json!(5)));
    let output = verify(instant, &["--next", path(&far)]).await;
    assert_exit(&output, 4);
    assert_eq!(one_json(&output)["error"]["code"], "gap");
    let output = verify(instant, &["--next", path(&far), "--max-gap", "3"]).await;
    assert_exit(&output, 0);
    // Without the next one: within an interval before the instant, and said aloud.
    let output = verify("1790000005999", &[]).await;
    assert_exit(&output, 0);
    assert!(text(&output.stderr).contains("--next"));
    assert_exit(&verify("1790000006001", &[]).await, 4);
    assert_exit(&verify("1790000004999", &[]).await, 4);
}

#[tokio::test]
async fn at_prints_the_price_and_its_proof() {
    let server = serve(|_| {
        let pair = |round, at| latest(&btc(round, at, PRICE));
        ok(&json!({ "before": pair(5, 1_000_500), "after": pair(6, 1_001_500) }))
    })
    .await;
    let args = ["at", "BTC-USD", "1001000", "--url", &server.url, "--json"];
    let output = touchstone(&args).await;
    assert_exit(&output, 0);
    let price = one_json(&output);
    assert_eq!(price["price"], "67000.00000000");
    assert_eq!(price["next_round"], 6);
    let args = ["at", "BTC-USD", "1001500", "--url", &server.url, "--json"];
    let output = touchstone(&args).await;
    assert_exit(&output, 4);
    assert_eq!(one_json(&output)["error"]["code"], "not-around");
}

#[tokio::test]
async fn watch_prints_line_by_line() {
    let server = serve(|request| {
        let last: u64 = request
            .headers()
            .get("last-event-id")
            .map_or(0, |v| v.to_str().expect("text").parse().expect("a round"));
        let round = last + 1;
        // The second round comes too late.
        let age = if round == 2 { 60_000 } else { 0 };
        common::events(common::price_event(
            round,
            &btc(round, now_ms() - age, PRICE),
        ))
    })
    .await;
    let args = [
        "watch",
        "BTC-USD",
        "--max-age",
        "5s",
        "--count",
        "2",
        "--json",
        "--url",
        &server.url,
    ];
    let output = touchstone(&args).await;
    assert_exit(&output, 0);
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["event"], "price");
    assert_eq!(lines[1]["event"], "interrupted");
    assert_eq!(lines[2]["error"]["code"], "too-old");
    assert_eq!(lines.len(), 3);
}

async fn recompute(attestation: Attestation, more: &[&str]) -> Output {
    let round = attestation.round();
    let server = serve(move |request| {
        if request.uri().path().ends_with("/observations") {
            ok(&common::observations_json(
                attestation.round(),
                &attestation.observations,
            ))
        } else {
            ok(&common::round_json(&attestation))
        }
    })
    .await;
    let round = round.to_string();
    let args = ["recompute", round.as_str(), "--url", &server.url];
    touchstone(&[&args[..], more].concat()).await
}

/// Signs the round's leaves and statement as they stand.
fn sign_again(attestation: &mut Attestation) {
    let leaves = attestation.leaves.iter();
    let hashes: Vec<Digest> = leaves.map(|l| merkle::leaf_hash(&l.to_bytes())).collect();
    attestation.statement.feeds_root = merkle::root(&hashes);
    let signature = group().sign(&attestation.statement.digest().0);
    attestation.signatures = vec![(Suite::Ed25519, signature.to_bytes().to_vec())];
}

#[tokio::test]
async fn recompute_agrees_with_an_honest_round() {
    let output = recompute(common::computed_round(), &[]).await;
    assert_exit(&output, 0);
    let table = text(&output.stdout);
    assert!(table.contains("signed by members 0, 1, 2, 3"), "{table}");
    assert!(table.contains("The observations give exactly what the group signed."));
    let output = recompute(common::computed_round(), &["--json"]).await;
    assert_exit(&output, 0);
    let round = one_json(&output);
    assert_eq!(round["agrees"], true);
    assert_eq!(round["feeds"].as_array().map(Vec::len), Some(12));
    assert_eq!(round["feeds"][2]["recomputed"]["price"], "67123.45000100");
}

#[tokio::test]
async fn recompute_shows_a_price_that_the_observations_do_not_give() {
    let mut lie = common::computed_round();
    lie.leaves[2].price += 1;
    sign_again(&mut lie);
    let output = recompute(lie.clone(), &["--json"]).await;
    assert_exit(&output, 5);
    let round = one_json(&output);
    assert_eq!(round["agrees"], false);
    assert_eq!(round["feeds"][2]["agrees"], false);
    assert_eq!(round["feeds"][1]["agrees"], true);
    assert_eq!(round["statement_differences"], json!(["feeds_root"]));
    let output = recompute(lie, &[]).await;
    assert_exit(&output, 5);
    assert!(text(&output.stdout).contains("do NOT give"));
}

#[tokio::test]
async fn recompute_refuses_observations_that_are_not_the_members() {
    let mut changed = common::computed_round();
    changed.observations[1].signature.0[0] ^= 1;
    let output = recompute(changed, &["--json"]).await;
    assert_exit(&output, 3);
    assert_eq!(one_json(&output)["error"]["code"], "bad-member-signature");

    let mut changed = common::computed_round();
    changed.observations[1].body[0] ^= 1;
    let output = recompute(changed, &["--json"]).await;
    assert_exit(&output, 3);
    assert_eq!(one_json(&output)["error"]["code"], "bad-observations");

    let mut fewer = common::computed_round();
    fewer.observations.pop();
    let output = recompute(fewer, &["--json"]).await;
    assert_exit(&output, 5);
    let differences = one_json(&output)["statement_differences"].to_string();
    assert!(differences.contains("observations_root"), "{differences}");

    let mut other = common::computed_round();
    other.statement.round = Round(1);
    let output = recompute(other, &["--json"]).await;
    assert_exit(&output, 3);
    assert_eq!(one_json(&output)["error"]["code"], "bad-signature");
}
