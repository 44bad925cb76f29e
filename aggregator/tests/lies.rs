//! Sources that lie: nothing of it is stored, and the liar is named.
mod common;

use common::{Bench, FIRST};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use touchstone_aggregator::{
    collect::Verdict,
    verify::{Refusal, verify},
};
use touchstone_types::{Attestation, Digest, Epoch, NetworkId, Round, Suite};

const LIAR: &str = "node 00ff at 192.0.2.1:9000";

/// Every way to lie that a single attestation has, with the code that it is refused with.
fn lies(bench: &Bench) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let honest = bench.fabricated.round(0, 6_700_000);
    let group = &bench.fabricated.group;
    let signed = |mut a: Attestation, key: &SigningKey| {
        let signature = key.sign(&a.statement.digest().0).to_bytes().to_vec();
        a.signatures = vec![(Suite::Ed25519, signature)];
        a.to_bytes()
    };
    let mut altered_leaf = honest.clone();
    altered_leaf.leaves[0].price += 1;
    let mut altered_body = honest.clone();
    altered_body.observations[1].body[3] ^= 1;
    let mut altered_signature = honest.clone();
    altered_signature.observations[2].signature.0[5] ^= 1;
    let mut dropped = honest.clone();
    dropped.observations.pop();
    let mut other_network = honest.clone();
    other_network.statement.network = NetworkId(Digest([8; 32]));
    let mut other_epoch = honest.clone();
    other_epoch.statement.epoch = Epoch(1);
    for attestation in [&mut other_network, &mut other_epoch] {
        attestation.observations.clear();
    }
    let mut far_round = honest.clone();
    far_round.statement.round = Round(u64::MAX);
    far_round.observations.clear();
    let mut far_time = honest.clone();
    far_time.statement.timestamp_ms += 1;
    let mut one_feed_less = honest.clone();
    one_feed_less.leaves.pop();
    one_feed_less.observations.clear();
    retree(&mut one_feed_less);
    let mut exponent = honest.clone();
    exponent.leaves[0].exponent = -7;
    exponent.observations.clear();
    retree(&mut exponent);
    let mut trailing = honest.to_bytes();
    trailing.push(0);
    let wrong_key = SigningKey::from_bytes(&[43; 32]);
    vec![
        ("wrong key", "signature", signed(honest, &wrong_key)),
        ("altered leaf", "altered-leaf", altered_leaf.to_bytes()),
        (
            "altered observation",
            "altered-observation",
            altered_body.to_bytes(),
        ),
        (
            "forged member signature",
            "observation-signature",
            altered_signature.to_bytes(),
        ),
        (
            "dropped observation",
            "altered-observation",
            dropped.to_bytes(),
        ),
        (
            "other network",
            "other-network",
            signed(other_network, group),
        ),
        ("other epoch", "unknown-epoch", signed(other_epoch, group)),
        ("round beyond the store", "number", signed(far_round, group)),
        ("altered time", "signature", far_time.to_bytes()),
        ("a feed less", "feeds", signed(one_feed_less, group)),
        ("other exponent", "exponent", signed(exponent, group)),
        ("trailing byte", "malformed", trailing),
        ("garbage", "malformed", vec![0xff; 300]),
        ("nothing", "malformed", Vec::new()),
        ("too large", "size", vec![1; (4 << 20) + 1]),
    ]
}

/// Makes the statement commit to the leaves as they are.
fn retree(attestation: &mut Attestation) {
    use touchstone_types::merkle;
    let hashes: Vec<_> = attestation
        .leaves
        .iter()
        .map(|l| merkle::leaf_hash(&l.to_bytes()))
        .collect();
    attestation.statement.feeds_root = merkle::root(&hashes);
    attestation.statement.feed_count = u16::try_from(hashes.len()).expect("few");
}

#[tokio::test]
async fn nothing_of_a_lie_is_stored_and_the_liar_is_named() {
    let mut bench = Bench::new().await;
    let lies = lies(&bench);
    for (what, code, bytes) in &lies {
        match bench.offer(LIAR, bytes).await {
            Verdict::Refused(refusal) => assert_eq!(refusal.code(), *code, "{what}: {refusal}"),
            verdict => panic!("{what}: {verdict:?}"),
        }
    }
    let ready: serde_json::Value =
        serde_json::from_slice(&bench.get("/readyz").await.body).expect("JSON");
    assert_eq!(ready["sources"][0]["source"], LIAR);
    assert_eq!(ready["sources"][0]["refused"], lies.len());
    let metrics = String::from_utf8(bench.get("/metrics").await.body).expect("text");
    let line = |l: &&str| l.starts_with("aggregator_refused_total") && l.contains(LIAR);
    let named: Vec<_> = metrics.lines().filter(line).collect();
    assert!(
        named.iter().any(|l| l.contains("altered-leaf")),
        "{named:?}"
    );
    bench.drain().await;
    assert!(bench.store.newest().await.expect("a read").is_none());
    assert_eq!(bench.store.equivocation_count().await.expect("a read"), 0);
}

/// The same lies after the honest round is stored: the fast path for known statements must not let them by.
#[tokio::test]
async fn a_known_statement_is_no_cover() {
    let bench = Bench::new().await;
    let honest = bench.fabricated.round(0, 6_700_000);
    bench.take(&honest).await;
    bench.settle(FIRST).await;
    assert_eq!(
        bench.offer("honest", &honest.to_bytes()).await,
        Verdict::Seen
    );
    for (what, _, bytes) in lies(&bench) {
        let verdict = bench.offer(LIAR, &bytes).await;
        assert!(
            matches!(verdict, Verdict::Refused(_)),
            "{what}: {verdict:?}"
        );
    }
    let held = bench
        .store
        .observations(Round(FIRST))
        .await
        .expect("a read");
    assert_eq!(held, Some(honest));
}

#[tokio::test]
async fn a_second_signed_statement_is_evidence_and_replaces_nothing() {
    let mut bench = Bench::new().await;
    let first = bench.fabricated.round(0, 6_700_000);
    let second = bench.fabricated.round(0, 6_800_000);
    bench.take(&first).await;
    let verdict = bench.offer(LIAR, &second.to_bytes()).await;
    assert_eq!(verdict, Verdict::Accepted(second.round()));
    bench.drain().await;
    let held = bench
        .store
        .observations(first.round())
        .await
        .expect("a read");
    assert_eq!(held, Some(first.clone()));
    let evidence = bench.store.equivocations().await.expect("a read");
    let mut digests: Vec<_> = evidence.iter().map(|e| e.digest.clone()).collect();
    let mut expected = vec![
        first.statement.digest().to_string(),
        second.statement.digest().to_string(),
    ];
    digests.sort();
    expected.sort();
    assert_eq!(digests, expected);
    let named = evidence
        .iter()
        .find(|e| e.source == LIAR)
        .expect("the source is kept");
    assert_eq!(named.attestation, second.to_bytes());
    assert_eq!(bench.health.equivocations(), 1);
    let ready: serde_json::Value =
        serde_json::from_slice(&bench.get("/readyz").await.body).expect("JSON");
    assert_eq!(ready["alarms"][0]["code"], "equivocation");
    let metrics = String::from_utf8(bench.get("/metrics").await.body).expect("text");
    assert!(
        metrics.contains("aggregator_equivocations_total{source=\"node 00ff"),
        "no alarm metric"
    );
}

#[tokio::test]
async fn another_signature_on_the_same_statement_is_the_same_attestation() {
    let mut bench = Bench::new().await;
    let mut bare = bench.fabricated.round(0, 6_700_000);
    let observations = std::mem::take(&mut bare.observations);
    bench.take(&bare).await;
    let mut full = bare.clone();
    full.observations = observations;
    bench.take(&full).await;
    bench.drain().await;
    assert_eq!(bench.store.equivocation_count().await.expect("a read"), 0);
    let held = bench
        .store
        .observations(bare.round())
        .await
        .expect("a read");
    assert_eq!(held, Some(full), "observations that come later are added");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_flipped_bit_is_believed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let fabricated = common::Fabricated::new();
        let mut bytes = fabricated.round(0, 6_700_000).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(verify(&fabricated.network, &bytes).is_err(), "byte {at} bit {bit}");
    }

    #[test]
    fn no_bytes_make_the_verifier_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let fabricated = common::Fabricated::new();
        let refused = matches!(verify(&fabricated.network, &bytes), Err(Refusal::Form(_)));
        prop_assert!(refused);
    }
}
