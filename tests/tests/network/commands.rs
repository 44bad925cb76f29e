//! The commands that people use by hand.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::story::{PATIENCE, alone};

/// A running `relay`, spoken to line by line.
struct Talk {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Talk {
    fn say(&mut self, line: &str) -> String {
        let input = self.process.stdin.as_mut().expect("a pipe");
        writeln!(input, "{line}").expect("said");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("an answer");
        answer.trim_end().to_owned()
    }
}

#[test]
fn the_relay_obeys_its_standard_input() {
    let bind = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    };
    let (one, other) = (bind(), bind());
    let real = |socket: &UdpSocket| socket.local_addr().expect("an address");
    // Places for the fronts: they are free again when the sockets are gone.
    let fronts: [SocketAddr; 2] = [bind(), bind()].map(|socket| real(&socket));
    let mut process = Command::new(env!("CARGO_BIN_EXE_relay"))
        .arg(format!("--member={}={}", fronts[0], real(&one)))
        .arg(format!("--member={}={}", fronts[1], real(&other)))
        .args(["--delay-ms", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let answers = BufReader::new(process.stdout.take().expect("a pipe"));
    let mut talk = Talk { process, answers };

    assert_eq!(talk.say("all 20 10 0 100"), "done");
    one.send_to(b"hello", fronts[1]).expect("sent");
    let mut buffer = [0; 16];
    for _ in 0..2 {
        let (length, from) = other.recv_from(&mut buffer).expect("a copy");
        assert_eq!((&buffer[..length], from), (&b"hello"[..], fronts[0]));
    }
    assert_eq!(talk.say("cut 0 1"), "done");
    one.send_to(b"cut", fronts[1]).expect("sent");
    assert_eq!(talk.say("link 1 0 0"), "done");
    other.send_to(b"back", fronts[0]).expect("sent");
    assert_eq!(one.recv_from(&mut buffer).expect("it arrives").1, fronts[1]);
    let counters: Value = serde_json::from_str(&talk.say("count 0 1")).expect("JSON");
    assert_eq!(
        (&counters["forwarded"], &counters["cut"]),
        (&2.into(), &1.into())
    );
    assert_eq!(talk.say("partition 0 1"), "done");
    assert_eq!(talk.say("heal"), "done");

    // It ends with its input.
    drop(talk.process.stdin.take());
    assert!(talk.process.wait().expect("a status").success());
}

#[tokio::test]
async fn the_measurement_prints_one_object() {
    let _alone = alone().await;
    let measured = tokio::process::Command::new(env!("CARGO_BIN_EXE_network"))
        .args([
            "--nodes",
            "4",
            "--silent",
            "1",
            "--delay-ms",
            "5",
            "--loss",
            "1",
        ])
        .args(["--interval", "250", "--seconds", "2", "--json"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), measured).await;
    let output = output.expect("it ends").expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("text");
    println!("{text}");
    let told: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(told["times"]["members"], serde_json::json!([0, 1, 2]));
    let rounds = told["times"]["rounds"].as_u64().expect("a number");
    assert!((6..=9).contains(&rounds), "{rounds} rounds in two seconds");
    let last = &told["times"]["last"];
    let delays = last["p50_ms"].as_f64().expect("a time") / 5.0;
    assert!((last["p50_delays"].as_f64().expect("a time") - delays).abs() < 0.02);
    assert_eq!(told["audit"]["findings"], serde_json::json!([]));
}
