//! Evidence from a node to the API: what proves something is kept and served, and who sends anything else is left alone.
mod common;
#[path = "common/node.rs"]
mod node;
#[path = "common/running.rs"]
mod running;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use common::{Bench, FIRST};
use node::Node;
use running::{Running, fabricate, node_toml};
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_aggregator::collect::{EvidenceIntake, EvidenceVerdict};
use touchstone_crypto::{EvidenceRefusal, verify_evidence};
use touchstone_types::{Digest, Evidence, MemberId, MessageKind};

fn intake(bench: &Bench) -> EvidenceIntake {
    EvidenceIntake::new(
        Arc::clone(&bench.fabricated.network),
        Arc::clone(&bench.store),
        Arc::clone(&bench.sources),
    )
}

async fn offer(intake: &EvidenceIntake, bytes: &[u8]) -> EvidenceVerdict {
    intake.offer(&"node".into(), bytes).await
}

/// Whoever has the pin believes an item of the API.
fn believe(bench: &Bench, item: &Value) -> MemberId {
    let bytes = BASE64.decode(item["evidence"].as_str().expect("text"));
    let evidence = Evidence::from_bytes(&bytes.expect("base64")).expect("evidence");
    assert_eq!(item["id"], evidence.id().to_string());
    let pin = &bench.fabricated.pin;
    let (manifest, record) = (&pin.genesis_manifest, &pin.genesis_record);
    let guilt = verify_evidence(&evidence, pin.network_id(), manifest, record).expect("guilty");
    assert_eq!(item["offence"], guilt.offence.to_string());
    assert_eq!(item["round"], guilt.round.0);
    guilt.member
}

#[tokio::test]
async fn what_proves_something_is_stored_once_and_served_newest_first() {
    let bench = Bench::new().await;
    let intake = intake(&bench);
    let world = &bench.fabricated;
    let (vote, share) = (world.contradiction(3, FIRST), world.bad_share(2, FIRST + 1));
    assert_eq!(
        bench.get("/v1/evidence").await.json(),
        json!({"items": [], "next_cursor": null})
    );
    for evidence in [&vote, &share] {
        let verdict = offer(&intake, &evidence.to_bytes()).await;
        assert!(matches!(verdict, EvidenceVerdict::Stored(_)), "{verdict:?}");
        let again = offer(&intake, &evidence.to_bytes()).await;
        assert_eq!(again, EvidenceVerdict::Superfluous);
    }
    // The same contradiction with its headers exchanged is the same.
    let Evidence::Contradiction { first, second } = vote.clone() else {
        panic!()
    };
    let swapped = Evidence::Contradiction {
        first: second,
        second: first,
    };
    assert_eq!(
        offer(&intake, &swapped.to_bytes()).await,
        EvidenceVerdict::Superfluous
    );

    let page = bench.get("/v1/evidence").await.json();
    let items = page["items"].as_array().expect("a list");
    let members: Vec<_> = items.iter().map(|item| believe(&bench, item)).collect();
    assert_eq!(members, [MemberId(2), MemberId(3)]);
    let kinds: Vec<_> = items.iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, ["bad_share", "contradiction"]);
    let of = async |query: &str| {
        let page = bench.get(&format!("/v1/evidence?{query}")).await.json();
        page["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|i| i["id"].clone())
            .collect::<Vec<_>>()
    };
    let (vote_id, share_id) = (json!(vote.id().to_string()), json!(share.id().to_string()));
    assert_eq!(of("member=3").await, vec![vote_id.clone()]);
    assert_eq!(
        of(&format!("round={}", FIRST + 1)).await,
        vec![share_id.clone()]
    );
    assert_eq!(
        of(&format!("member=3&round={}", FIRST + 1)).await,
        Vec::<Value>::new()
    );
    let page = bench.get("/v1/evidence?limit=1").await.json();
    assert_eq!(page["items"][0]["id"], share_id);
    let cursor = page["next_cursor"].as_str().expect("more").to_owned();
    assert_eq!(of(&format!("limit=1&cursor={cursor}")).await, [vote_id]);
}

#[tokio::test]
async fn a_record_is_a_file_of_plain_evidence() {
    let bench = Bench::new().await;
    let evidence = bench.fabricated.contradiction(1, FIRST);
    offer(&intake(&bench), &evidence.to_bytes()).await;
    let path = format!("/v1/evidence/{}", evidence.id());
    let file = bench.get(&path).await;
    assert_eq!(file.status, 200);
    assert_eq!(file.body, evidence.to_bytes());
    assert_eq!(file.header("content-type"), "application/octet-stream");
    let name = format!("attachment; filename=\"{}.evidence\"", evidence.id());
    assert_eq!(file.header("content-disposition"), name);
    assert!(file.header("cache-control").contains("immutable"));
    let view = bench.get(&format!("{path}?encoding=json")).await.json();
    assert_eq!(believe(&bench, &view), MemberId(1));
    let unknown = Digest([7; 32]);
    for (path, status, code) in [
        (format!("/v1/evidence/{unknown}"), 404, "unknown-evidence"),
        ("/v1/evidence/latest".to_owned(), 400, "invalid-path"),
        (format!("{path}?encoding=xml"), 400, "invalid-query"),
        ("/v1/evidence?member=-1".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?member=70000".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?round=x".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?limit=0".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?limit=201".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?cursor=%00".to_owned(), 400, "invalid-query"),
        ("/v1/evidence?colour=red".to_owned(), 400, "invalid-query"),
    ] {
        bench.get(&path).await.is_problem(status, code);
    }
}

#[tokio::test]
async fn a_guilty_member_cannot_fill_the_table() {
    let bench = Bench::new().await;
    let intake = intake(&bench);
    let world = &bench.fabricated;
    let mut stored = 0;
    for round in 0..100 {
        let verdict = offer(&intake, &world.contradiction(3, FIRST + round).to_bytes()).await;
        stored += usize::from(matches!(verdict, EvidenceVerdict::Stored(_)));
    }
    assert_eq!(stored, 16);
    let other = offer(&intake, &world.contradiction(0, FIRST).to_bytes()).await;
    assert!(matches!(other, EvidenceVerdict::Stored(_)), "{other:?}");
    let page = bench.get("/v1/evidence?member=3&limit=200").await.json();
    let rounds = page["items"].as_array().expect("a list").iter();
    let rounds: Vec<u64> = rounds.filter_map(|i| i["round"].as_u64()).collect();
    assert_eq!(
        rounds,
        Vec::from_iter((FIRST..FIRST + 16).rev()),
        "the first ones stay"
    );
}

#[tokio::test]
async fn what_proves_nothing_is_refused_and_not_stored() {
    let bench = Bench::new().await;
    let intake = intake(&bench);
    let world = &bench.fabricated;
    let Evidence::Contradiction { first, second } = world.contradiction(3, FIRST) else {
        panic!()
    };
    let mut forged = second;
    forged.signature = world.signed(2, MessageKind::Vote, FIRST, b"no").signature;
    let mut elsewhere = (first, second);
    elsewhere.0.header.tag = Digest([9; 32]);
    elsewhere.1.header.tag = Digest([9; 32]);
    let contradiction = |first, second| Evidence::Contradiction { first, second }.to_bytes();
    for (bytes, code) in [
        (contradiction(first, forged), "bad-member-signature"),
        (contradiction(first, first), "malformed"),
        (contradiction(elsewhere.0, elsewhere.1), "unknown-epoch"),
        (b"not evidence".to_vec(), "malformed"),
        (Vec::new(), "malformed"),
    ] {
        let verdict = offer(&intake, &bytes).await;
        let EvidenceVerdict::Refused(refusal) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(EvidenceRefusal::code(&refusal), code);
    }
    assert_eq!(bench.get("/v1/evidence").await.json()["items"], json!([]));
    let refused: Vec<u64> = bench
        .sources
        .snapshot()
        .iter()
        .map(|(_, s)| s.refused)
        .collect();
    assert_eq!(refused, [5]);
}

/// Over real QUIC and HTTP: one honest node that has evidence, one that makes it up.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_flows_from_an_honest_node_past_a_liar() {
    let folder = TempDir::new().expect("a folder");
    let (fabricated, start) = fabricate(&folder, 100);
    let (honest, liar) = (Node::start(&fabricated, 0), Node::start(&fabricated, 1));
    let evidence = fabricated.contradiction(3, FIRST);
    honest.accuse(evidence.to_bytes());
    let Evidence::Contradiction { first, mut second } = fabricated.contradiction(2, FIRST) else {
        panic!()
    };
    second.signature = first.signature;
    liar.accuse(Evidence::Contradiction { first, second }.to_bytes());
    let toml = node_toml(&fabricated, &[(0, honest.address()), (1, liar.address())]);
    let running = Running::start(folder.path(), &toml).await;
    let path = format!("/v1/evidence/{}?encoding=json", evidence.id());
    let view = running.has(&path).await;
    assert_eq!(view["member"], 3);
    let name = fabricated.pin.genesis_manifest.members[1]
        .identity
        .to_string();
    running
        .until("the liar is found out", async || {
            let ready = running.get("/readyz").await.1;
            let sources = ready["sources"].as_array().expect("a list").clone();
            let liar = |s: &&Value| s["source"].as_str().is_some_and(|s| s.contains(&name));
            let liar = sources.iter().find(liar).expect("named by its key");
            (liar["refused"] == 1 && liar["connected"] == false).then_some(())
        })
        .await;
    // Later evidence and attestations come over the same connection.
    let later = fabricated.bad_share(2, FIRST + 1);
    honest.accuse(later.to_bytes());
    honest.publish(&fabricated.round_at(FIRST, start, 6_700_000));
    running
        .has(&format!("/v1/evidence/{}?encoding=json", later.id()))
        .await;
    running.round(0).await;
    let (_, page) = running.get("/v1/evidence").await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2), "{page}");
    running.stop().await;
    honest.stop().await;
    liar.stop().await;
}
