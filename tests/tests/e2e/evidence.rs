//! A member that says two things is proved guilty to everybody: from the nodes over the aggregator to whoever has the pin.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use touchstone_client::{
    evidence::{Evidence, EvidenceVerifier, Offence},
    http::now_ms,
};
use touchstone_consensus::{Content, Signed};
use touchstone_crypto::IdentityKey;
use touchstone_transport::{FrameKind, Outgoing, TlsIdentity};
use touchstone_types::{
    Header, MemberId, MessageKind, NonceCommitments, Observation, Round, Suite, View, sha256,
};

use crate::{
    net::{INTERVAL_MS, Net, alone, first, is_alive, until},
    strangers::{bind, identity_of, members},
};

const CULPRIT: u16 = 3;

/// An observation of nothing at this time, as it travels.
fn observation(net: &Net, identity: &IdentityKey, round: Round, timestamp_ms: u64) -> Vec<u8> {
    let point = *identity.public().as_bytes();
    let observation = Observation {
        timestamp_ms,
        feeds: Vec::new(),
        nonces: vec![NonceCommitments {
            suite: Suite::Ed25519,
            bytes: [point, point].concat(),
        }],
    };
    let body = observation.to_bytes();
    let header = Header {
        tag: Header::tag(net.pin.network_id(), net.pin.genesis_manifest.epoch),
        kind: MessageKind::Obs,
        round,
        view: View(0),
        instance: 0,
        member: MemberId(CULPRIT),
        body_hash: sha256(&[&body]),
    };
    let signed = Signed {
        header,
        signature: identity.sign_header(&header),
        content: Content::Obs {
            body: body.into(),
            observation: Arc::new(observation),
        },
    };
    signed.to_bytes()
}

/// What the aggregator serves against the culprit, oldest first.
async fn served(net: &Net) -> Vec<Value> {
    let path = format!("/v1/evidence?member={CULPRIT}&limit=200");
    let page = net.get(&path).await.json();
    let mut items = page["items"].as_array().expect("a list").clone();
    items.reverse();
    items
}

#[tokio::test]
async fn who_contradicts_itself_is_proved_guilty_by_the_pin_alone() {
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("folder");
    let kill = format!("{CULPRIT}@2");
    let net = Net::start(&folder.path().join("data"), &first(&["--kill", &kill])).await;
    until("the culprit's node is gone", async || {
        let pid = net.member_pid(CULPRIT);
        pid.is_none_or(|pid| !is_alive(pid)).then_some(())
    })
    .await;
    // As long as everybody is honest there is none.
    assert_eq!(
        net.get("/v1/evidence").await.json()["items"],
        Value::Array(Vec::new())
    );

    // The culprit's own program, with its key, at its place, tells the members two things in each of many rounds.
    let manifest = &net.pin.genesis_manifest;
    let address = &manifest.members[usize::from(CULPRIT)].address;
    let key = identity_of(&net, CULPRIT);
    let identity = TlsIdentity::from_pkcs8(&key.tls_pkcs8()).expect("identity");
    let listen = address.parse().expect("an address");
    let (mesh, _events) = bind(MemberId(CULPRIT), identity, members(manifest), listen);
    let mut rounds = 0_u32;
    let accused = until("evidence reaches the aggregator", async || {
        let now = now_ms();
        let round = manifest.clock().round_at(now).expect("it has begun");
        // Of the next round: this one may be over, and nothing is compared with what a round that is over had.
        let round = round.saturating_add(1);
        for timestamp_ms in [now, now + 1] {
            let bytes = observation(&net, &key, round, timestamp_ms);
            let frame = Outgoing::once(FrameKind(MessageKind::Obs.byte()), bytes);
            mesh.broadcast(&frame).expect("queued");
        }
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(INTERVAL_MS)).await;
        // Far more than are kept against one member.
        let items = served(&net).await;
        (items.len() == 16 && rounds > 24).then_some(items)
    })
    .await;

    // Each file that the API hands out proves the same to whoever has the pin.
    let verifier = EvidenceVerifier::from_pin(&net.pin).expect("a good pin");
    for item in &accused {
        let id = item["id"].as_str().expect("text");
        let file = net.get(&format!("/v1/evidence/{id}")).await;
        assert_eq!((file.status.as_u16(), file.body.len()), (200, 292));
        let guilt = verifier.verify_bytes(&file.body).expect("guilty");
        assert_eq!(guilt.member, MemberId(CULPRIT));
        assert_eq!(item["round"], guilt.round.0);
        let Offence::Contradiction { kind, .. } = guilt.offence else {
            panic!("{guilt}")
        };
        assert_eq!(kind, MessageKind::Obs);
        let evidence = Evidence::from_bytes(&file.body).expect("evidence");
        assert_eq!(evidence.id().to_string(), id);
    }
    // Each member keeps what it saw itself, within the same bound, and nobody else is accused.
    for member in 0..CULPRIT {
        let page = net.member_page(member, "/evidence").await;
        let page: Value = serde_json::from_str(&page).expect("JSON");
        let items = page["items"].as_array().expect("a list");
        assert!((1..=16).contains(&items.len()), "member {member}");
        assert!(items.iter().all(|item| item["member"] == CULPRIT));
    }
    let all = net.get("/v1/evidence?limit=200").await.json();
    let all = all["items"].as_array().expect("a list");
    assert!(all.iter().all(|item| item["member"] == CULPRIT), "{all:?}");
    // And the network goes on.
    let since = net.newest().await.expect("a round");
    let newest = net.rounds_more(3).await;
    for round in since..newest {
        net.contributors(round).await.expect("no round is missed");
    }
    mesh.shutdown().await;
    assert!(net.terminate().await.success());
}
