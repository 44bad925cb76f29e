//! The whole aggregator over real sockets: QUIC nodes on one side, HTTP on the other.
mod common;
#[path = "common/node.rs"]
mod node;
#[path = "common/running.rs"]
mod running;

use std::{process::Command, time::Duration};

use common::FIRST;
use node::Node;
use running::{Running, fabricate, node_toml};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};
use touchstone_aggregator::store::{DatabaseUrl, Store};
use touchstone_types::Round;

const QUICK: &str = "[collect]\ngap_grace_ms = 100\ngive_up_after_s = 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn prices_flow_from_honest_nodes_past_a_liar() {
    let folder = TempDir::new().expect("a folder");
    let (fabricated, start) = fabricate(&folder, 100);
    let (honest, liar) = (Node::start(&fabricated, 0), Node::start(&fabricated, 1));
    let toml = node_toml(&fabricated, &[(0, honest.address()), (1, liar.address())]);
    let running = Running::start(folder.path(), &format!("{toml}{QUICK}")).await;
    let round = |after: u64| fabricated.round_at(FIRST + after, start + after * 1_000, 6_700_000);
    honest.publish(&round(0));
    running.round(0).await;
    let mut forged = round(1);
    forged.leaves[0].price += 1;
    liar.publish(&forged);
    honest.publish(&round(2));
    running.round(2).await;
    let name = fabricated.pin.genesis_manifest.members[1]
        .identity
        .to_string();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let ready = running.get("/readyz").await.1;
        let sources = ready["sources"].as_array().expect("a list").clone();
        let find = |s: &&Value| s["source"].as_str().is_some_and(|s| s.contains(&name));
        let liar = sources.iter().find(find).expect("named by its key");
        if liar["refused"] == 1 && liar["connected"] == false {
            break;
        }
        assert!(Instant::now() < end, "{ready}");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        running.get(&format!("/v1/rounds/{}", FIRST + 1)).await.0,
        404
    );
    running.stop().await;
    honest.stop().await;
    liar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holes_are_filled_from_a_node_and_from_another_aggregator_or_given_up() {
    let (folder, other) = (
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    );
    let (fabricated, start) = fabricate(&folder, 100);
    std::fs::copy(
        folder.path().join("network.json"),
        other.path().join("network.json"),
    )
    .expect("a copy");
    let round = |after: u64| fabricated.round_at(FIRST + after, start + after * 1_000, 6_700_000);
    // The other aggregator has rounds 0 to 5 from its own node.
    let complete = Node::start(&fabricated, 1);
    (0..=5).for_each(|after| complete.publish(&round(after)));
    let toml = node_toml(&fabricated, &[(1, complete.address())]);
    let upstream = Running::start(other.path(), &toml).await;
    upstream.round(5).await;
    // This one's node streams 0, 6 and 9, and has 7 on its shelf only once the stream is past it.
    let patchy = Node::start(&fabricated, 0);
    let toml = node_toml(&fabricated, &[(0, patchy.address())]);
    let toml = format!(
        "upstreams = [\"http://{}\"]\n{toml}{QUICK}",
        upstream.address
    );
    let running = Running::start(folder.path(), &toml).await;
    patchy.publish(&round(0));
    running.round(0).await;
    patchy.publish(&round(6));
    running.round(6).await;
    patchy.publish(&round(9));
    running.round(9).await;
    patchy.shelve(Round(FIRST + 7), round(7).to_bytes());
    for after in 1..=5 {
        running.round(after).await;
        running
            .has(&format!("/v1/rounds/{}/observations", FIRST + after))
            .await;
    }
    running.round(7).await;
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, body) = running.get(&format!("/v1/rounds/{}", FIRST + 8)).await;
        assert_eq!(status, 404);
        if body["code"] == "missed-round" {
            break;
        }
        assert!(Instant::now() < end, "{body}");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(running.get("/readyz").await.1["missing_rounds"], 0);
    running.stop().await;
    upstream.stop().await;
    patchy.stop().await;
    complete.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_stopped() {
    let folder = TempDir::new().expect("a folder");
    let (fabricated, start) = fabricate(&folder, 100);
    let round = |after: u64| fabricated.round_at(FIRST + after, start + after * 1_000, 6_700_000);
    let node = Node::start(&fabricated, 0);
    let toml = node_toml(&fabricated, &[(0, node.address())]);
    let running = Running::start(folder.path(), &toml).await;
    (0..10).for_each(|after| node.publish(&round(after)));
    running.round(9).await;
    running.stop().await;
    (10..20).for_each(|after| node.publish(&round(after)));
    let running = Running::start(folder.path(), &toml).await;
    // Before any node has answered, the newest stored round is served.
    assert_eq!(running.get("/v1/feeds/BTC-USD/latest").await.0, 200);
    running.round(19).await;
    running.round(10).await;
    running.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited_and_slow_heads_are_cut_off() {
    let folder = TempDir::new().expect("a folder");
    let (_, _) = fabricate(&folder, 1);
    let limits =
        "[limits]\nconnections_per_address = 2\ntimeout_ms = 300\nrequests_per_second = 0\n";
    let running = Running::start(folder.path(), limits).await;
    let mut slow = TcpStream::connect(running.address)
        .await
        .expect("a connection");
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        .await
        .expect("a write");
    let mut second = TcpStream::connect(running.address)
        .await
        .expect("a connection");
    second
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("a write");
    let mut start = [0; 15];
    second.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    let mut third = TcpStream::connect(running.address)
        .await
        .expect("accepted, then closed");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), third.read_to_end(&mut rest)).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut answer)).await;
    assert!(
        ended.is_ok(),
        "a head that never ends holds its place for ever"
    );
    running.stop().await;
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let aggregator = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_aggregator"))
            .args(arguments)
            .output()
            .expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let (status, text) = aggregator(&["--help"]);
    assert_eq!(status, Some(0));
    assert!(
        text.contains("Example") && text.contains("check-config"),
        "{text}"
    );
    assert_eq!(aggregator(&["run"]).0, Some(2));
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("a.toml");
    let path = config.to_str().expect("UTF-8");
    let (status, text) = aggregator(&["check-config", "--config", path]);
    assert_eq!(status, Some(1));
    assert!(text.contains("a.toml: cannot be read"), "{text}");
    std::fs::write(&config, "network = \"network.json\"\ndatabase = \"a.db\"\n").expect("a file");
    let (status, text) = aggregator(&["check-config", "--config", path]);
    assert_eq!(status, Some(1));
    assert!(text.contains("network.json"), "{text}");
    fabricate(&folder, 1);
    let (status, text) = aggregator(&["check-config", "--config", path]);
    assert_eq!(
        (status, text.contains("ok: network fabricated")),
        (Some(0), true),
        "{text}"
    );
    let to = folder.path().join("copy.db");
    let to = to.to_str().expect("UTF-8");
    let (status, text) = aggregator(&["backup", "--config", path, "--to", to]);
    assert_eq!(status, Some(1), "no database yet: {text}");
}

/// SIGTERM ends the program cleanly, and its database can be copied while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_stops_at_sigterm_and_is_backed_up_while_it_runs() {
    let folder = TempDir::new().expect("a folder");
    let (fabricated, start) = fabricate(&folder, 10);
    let node = Node::start(&fabricated, 0);
    node.publish(&fabricated.round_at(FIRST, start, 6_700_000));
    let config = folder.path().join("a.toml");
    let toml = node_toml(&fabricated, &[(0, node.address())]);
    let text = format!(
        "network = \"network.json\"\ndatabase = \"a.db\"\nlisten = \"127.0.0.1:0\"\naddress_file = \"address\"\n{toml}"
    );
    std::fs::write(&config, text).expect("a file");
    let program = env!("CARGO_BIN_EXE_aggregator");
    let mut child = Command::new(program)
        .arg("run")
        .arg("--config")
        .arg(&config)
        .spawn()
        .expect("it runs");
    let end = Instant::now() + Duration::from_secs(20);
    let client = reqwest::Client::new();
    loop {
        if let Ok(address) = std::fs::read_to_string(folder.path().join("address")) {
            let url = format!("http://{}/v1/rounds/{FIRST}", address.trim());
            if client
                .get(url)
                .send()
                .await
                .is_ok_and(|r| r.status() == 200)
            {
                break;
            }
        }
        assert!(Instant::now() < end, "no price");
        sleep(Duration::from_millis(50)).await;
    }
    let copy = folder.path().join("copy.db");
    let backup = Command::new(program)
        .arg("backup")
        .arg("--config")
        .arg(&config)
        .arg("--to")
        .arg(&copy)
        .status();
    assert!(backup.expect("it runs").success());
    let kill = Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status();
    assert!(kill.expect("kill runs").success());
    let status = tokio::task::spawn_blocking(move || child.wait())
        .await
        .expect("no panic");
    assert!(status.expect("a status").success());
    let store = Store::open(&DatabaseUrl::Sqlite(copy), 1, fabricated.network.id()).await;
    let newest = store.expect("a copy").newest().await.expect("a read");
    assert_eq!(newest.expect("a round").round(), Round(FIRST));
    node.stop().await;
}
