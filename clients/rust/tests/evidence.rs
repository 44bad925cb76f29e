//! Evidence: the library's verdict, and the command's words and exit codes.
#![cfg(feature = "cli")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::group;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_client::{
    Pin, Verifier, check_pin_members,
    evidence::{Evidence, EvidenceVerifier, NotProved, Offence},
};
use touchstone_crypto::IdentityKey;
use touchstone_types::{
    Digest, Epoch, Header, MemberId, MessageKind, NonceCommitments, Round, SessionShare,
    SessionSigner, SignedHeader, SigningSession, Statement, Suite, View, commit_body, sha256,
};
use zeroize::Zeroizing;

/// The vectors' network, with verifying shares that fit together: those of a constant polynomial.
struct World {
    pin: Pin,
    folder: TempDir,
}

fn identity(member: u16) -> IdentityKey {
    let seed = u8::try_from(member).expect("few") + 0x60;
    IdentityKey::from_seed(Zeroizing::new([seed; 32]))
}

impl World {
    fn new() -> Self {
        let mut pin = common::pin();
        let record = &mut pin.genesis_record;
        let key = group().verifying_key().to_bytes().to_vec();
        record.keys[0].verifying_shares.fill(key);
        let members = pin.genesis_manifest.members.iter();
        record.member_signatures = members
            .map(|m| identity(m.id.0).sign_epoch_record(record))
            .collect();
        record.group_signatures[0].signature = group().sign(&record.digest().0).to_vec();
        Verifier::from_pin(&pin).expect("a good pin");
        check_pin_members(&pin).expect("signed by all");
        let world = Self {
            pin,
            folder: tempfile::tempdir().expect("a folder"),
        };
        let text = serde_json::to_vec(&world.pin).expect("JSON");
        world.file("network.json", &text);
        world
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    fn signed(&self, member: u16, kind: MessageKind, body: &[u8]) -> SignedHeader {
        let header = Header {
            tag: Header::tag(self.pin.network_id(), Epoch(0)),
            kind,
            round: Round(77),
            view: View(1),
            instance: 2,
            member: MemberId(member),
            body_hash: sha256(&[body]),
        };
        SignedHeader {
            header,
            signature: identity(member).sign_header(&header),
        }
    }

    fn contradiction(&self, member: u16) -> Evidence {
        Evidence::Contradiction {
            first: self.signed(member, MessageKind::Vote, b"yes"),
            second: self.signed(member, MessageKind::Vote, b"no"),
        }
    }

    fn bad_share(&self, member: u16) -> Evidence {
        let points = [1, 2].map(|m| *identity(m).public().as_bytes()).concat();
        let committee = self.pin.genesis_manifest.committee().expect("a committee");
        let signers = committee.members().take(committee.signing_threshold());
        let session = SigningSession {
            statement: Statement {
                network: self.pin.network_id(),
                epoch: Epoch(0),
                round: Round(77),
                timestamp_ms: 1,
                feed_count: 1,
                feeds_root: Digest([1; 32]),
                observations_root: Digest([1; 32]),
            },
            signers: signers
                .map(|member| SessionSigner {
                    member,
                    nonces: vec![NonceCommitments {
                        suite: Suite::Ed25519,
                        bytes: points.clone(),
                    }],
                })
                .collect(),
        };
        let share = SessionShare {
            session: session.digest(),
            shares: vec![(Suite::Ed25519, vec![1; 32])],
        };
        let mut extra = Vec::new();
        SessionShare::write_option(Some(&share), &mut extra);
        let value = Digest([6; 32]);
        Evidence::BadShare {
            share: self.signed(member, MessageKind::Commit, &commit_body(&value, &extra)),
            body: [&value.0[..], &extra].concat(),
            session,
        }
    }

    /// A contradiction whose second signature is another member's.
    fn forgery(&self, member: u16) -> Evidence {
        let Evidence::Contradiction { first, mut second } = self.contradiction(member) else {
            panic!()
        };
        second.signature = self.signed(0, MessageKind::Vote, b"no").signature;
        Evidence::Contradiction { first, second }
    }

    async fn verify(&self, file: &Path, more: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_touchstone"))
            .args(["evidence", "verify"])
            .arg(file)
            .arg("--network")
            .arg(self.folder.path().join("network.json"))
            .args(more)
            .env_clear()
            .output()
            .await
            .expect("the binary runs")
    }
}

/// As the API serves it, with lies beside what counts.
fn item(evidence: &Evidence) -> Value {
    json!({ "id": "00", "member": 0, "offence": "none", "evidence": STANDARD.encode(evidence.to_bytes()) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn assert_exit(output: &Output, code: i32) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
}

#[test]
fn the_pin_is_the_only_other_input() {
    let world = World::new();
    let verifier = EvidenceVerifier::from_pin(&world.pin).expect("a verifier");
    let guilt = verifier.verify_bytes(&world.contradiction(3).to_bytes());
    assert_eq!(guilt.expect("guilty").member, MemberId(3));
    let guilt = verifier.verify(&world.bad_share(2)).expect("guilty");
    assert!(matches!(guilt.offence, Offence::BadShare { .. }));
    let refusal = verifier.verify(&world.forgery(3)).expect_err("forged");
    assert_eq!(refusal.code(), "bad-member-signature");
    let refusal = verifier.verify_bytes(b"no").expect_err("no evidence");
    assert_eq!(refusal.code(), "malformed");
    let mut elsewhere = world.pin.clone();
    elsewhere.genesis_manifest.network.push('2');
    elsewhere.genesis_record.manifest_hash = elsewhere.genesis_manifest.hash();
    let verifier = EvidenceVerifier::from_pin(&elsewhere).expect("a verifier");
    let refusal = verifier.verify(&world.contradiction(3));
    assert_eq!(refusal, Err(NotProved::UnknownEpoch));
}

#[tokio::test]
async fn the_command_says_who_did_what_in_which_round() {
    let world = World::new();
    let vote = world.contradiction(3);
    let output = world
        .verify(&world.file("vote", &vote.to_bytes()), &[])
        .await;
    assert_exit(&output, 0);
    let identity = identity(3).public();
    assert_eq!(
        text(&output.stdout),
        format!(
            "GUILTY: member 3 of epoch 0, in round 77, signed two different VOTE messages for one slot (view 1, instance 2)\n  \
             identity {identity}\n  evidence {}\n",
            vote.id()
        )
    );
    let share = world.file("share", &world.bad_share(2).to_bytes());
    let output = world.verify(&share, &["--json"]).await;
    assert_exit(&output, 0);
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["guilty"], true);
    assert_eq!((&told["member"], &told["round"]), (&json!(2), &json!(77)));
    assert_eq!(told["kind"], "bad_share");
    let offence = told["offence"].as_str().expect("text");
    assert_eq!(
        offence,
        "signed a COMMIT whose ed25519 share is wrong in the session that it names"
    );
}

#[tokio::test]
async fn the_command_reads_what_the_api_serves() {
    let world = World::new();
    let (vote, share) = (item(&world.contradiction(3)), item(&world.bad_share(2)));
    let page = json!({ "items": [vote, share], "next_cursor": null });
    let list = json!([vote, share]);
    for (name, json, lines) in [("one", &vote, 3), ("page", &page, 6), ("list", &list, 6)] {
        let file = world.file(name, json.to_string().as_bytes());
        let output = world.verify(&file, &[]).await;
        assert_exit(&output, 0);
        assert_eq!(text(&output.stdout).lines().count(), lines, "{name}");
    }
    let page = json!({ "items": [vote, item(&world.forgery(1)), share] });
    let file = world.file("mixed", page.to_string().as_bytes());
    let output = world.verify(&file, &["--json"]).await;
    assert_exit(&output, 1);
    let told = text(&output.stdout);
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let guilty: Vec<_> = told.iter().map(|t| t["guilty"].clone()).collect();
    assert_eq!(guilty, [true, false, true]);
    assert_eq!(told[1]["error"]["code"], "bad-member-signature");
}

#[tokio::test]
async fn what_proves_nothing_is_refused_with_its_reason() {
    let world = World::new();
    let forged = world.file("forged", &world.forgery(3).to_bytes());
    let output = world.verify(&forged, &[]).await;
    assert_exit(&output, 1);
    let told = text(&output.stdout);
    assert!(
        told.contains("the second header does not have the signature of member 3"),
        "{told}"
    );
    let cut = &world.bad_share(2).to_bytes()[..300];
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("cut", cut),
        ("no JSON", b"{"),
        ("nothing in it", b"{\"items\":[]}"),
        ("another answer", b"{\"feed\":\"BTC-USD\"}"),
        ("no base64", b"[{\"evidence\":\"!\"}]"),
    ] {
        let output = world.verify(&world.file("file", bytes), &["--json"]).await;
        assert_exit(&output, 1);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(told["error"]["code"], "malformed", "{name}");
    }
    let missing = world.verify(Path::new("/nowhere"), &["--json"]).await;
    assert_exit(&missing, 1);
    // Another network's pin, and one that is forged.
    fs::copy(common::pin_path(), world.folder.path().join("network.json")).expect("a copy");
    let vote = world.file("vote", &world.contradiction(3).to_bytes());
    assert_exit(&world.verify(&vote, &[]).await, 0);
    let mut pin = world.pin.clone();
    pin.genesis_record.member_signatures.swap(0, 1);
    world.file("network.json", &serde_json::to_vec(&pin).expect("JSON"));
    assert_exit(&world.verify(&vote, &[]).await, 3);
}
