//! Server-sent events: live, resumed, with gaps, and with readers that do not keep up.
mod common;

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use common::{Bench, FIRST};
use serde_json::Value;
use tokio_stream::StreamExt as _;
use touchstone_aggregator::config::Limits;
use tower::ServiceExt as _;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Event {
    id: Option<String>,
    kind: String,
    data: String,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("JSON")
    }
}

/// Reads an event stream as browsers do.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(bench: &Bench, feeds: &str, last: Option<u64>) -> Self {
        let mut request = Request::get(format!("/v1/stream?feeds={feeds}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = bench.app.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        let patience = Duration::from_secs(20);
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let mut event = Event::default();
                for line in block.lines() {
                    let (field, value) = line.split_once(": ").unwrap_or((line, ""));
                    match field {
                        "id" => event.id = Some(value.to_owned()),
                        "event" => event.kind = value.to_owned(),
                        "data" => event.data = value.to_owned(),
                        _ => {}
                    }
                }
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk = tokio::time::timeout(patience, self.body.next())
                .await
                .expect("in time")?;
            let chunk = chunk.expect("a chunk");
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The rounds of the next so many price events, and what else came between.
    async fn rounds(&mut self, count: usize) -> (Vec<u64>, Vec<Event>) {
        let (mut rounds, mut others) = (Vec::new(), Vec::new());
        while rounds.len() < count {
            let event = self.next().await.expect("more events");
            match event.kind.as_str() {
                "price" => rounds.push(event.json()["round"].as_u64().expect("a number") - FIRST),
                _ => others.push(event),
            }
        }
        (rounds, others)
    }
}

#[tokio::test]
async fn live_events_have_id_and_the_shape_of_latest() {
    let bench = Bench::new().await;
    bench.fill(2).await;
    let mut events = Events::open(&bench, "BTC-USD", None).await;
    let first = events.next().await.expect("the newest round at once");
    assert_eq!(
        (first.kind.as_str(), first.id),
        ("price", Some((FIRST + 1).to_string()))
    );
    let latest = bench.get("/v1/feeds/BTC-USD/latest").await.body;
    assert_eq!(first.data.as_bytes(), latest);
    bench.take(&bench.fabricated.round(2, 1)).await;
    let (rounds, others) = events.rounds(1).await;
    assert_eq!((rounds, others), (vec![2], vec![]));
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off() {
    let bench = Bench::new().await;
    bench.fill(200).await;
    let mut events = Events::open(&bench, "BTC-USD", Some(FIRST + 4)).await;
    let (rounds, others) = events.rounds(195).await;
    assert_eq!(rounds, (5..200).collect::<Vec<_>>());
    assert_eq!(others, []);
    bench.take(&bench.fabricated.round(200, 1)).await;
    assert_eq!(events.rounds(1).await.0, [200]);
    // From the newest round on there is nothing to repeat.
    let mut events = Events::open(&bench, "BTC-USD", Some(FIRST + 200)).await;
    bench.take(&bench.fabricated.round(201, 1)).await;
    assert_eq!(events.rounds(1).await.0, [201]);
}

#[tokio::test]
async fn gaps_are_told_live_and_when_resumed() {
    let bench = Bench::new().await;
    bench.fill(3).await;
    let mut events = Events::open(&bench, "ETH-USD", None).await;
    assert_eq!(events.rounds(1).await.0, [2]);
    bench.take(&bench.fabricated.round(7, 1)).await;
    let (rounds, others) = events.rounds(1).await;
    assert_eq!(rounds, [7]);
    let gap = serde_json::json!({"from": FIRST + 3, "to": FIRST + 6});
    assert_eq!(
        (others[0].kind.as_str(), others[0].json()),
        ("gap", gap.clone())
    );
    let mut resumed = Events::open(&bench, "ETH-USD", Some(FIRST)).await;
    let (rounds, others) = resumed.rounds(3).await;
    assert_eq!(rounds, [1, 2, 7]);
    assert_eq!(others[0].json(), gap);
    // A back-filled round is no news for those who were told of the gap.
    bench.take(&bench.fabricated.round(4, 1)).await;
    bench.take(&bench.fabricated.round(8, 1)).await;
    assert_eq!(events.rounds(1).await.0, [8]);
}

#[tokio::test]
async fn a_round_of_several_feeds_is_resumed_as_a_whole() {
    let bench = Bench::new().await;
    bench.fill(1).await;
    let mut events = Events::open(&bench, "ETH-USD,BTC-USD", None).await;
    let first = events.next().await.expect("an event");
    let second = events.next().await.expect("an event");
    assert_eq!(first.json()["feed"], "ETH-USD");
    assert_eq!(
        first.id, None,
        "until the round is complete, the last id is the round before"
    );
    assert_eq!(second.id, Some(FIRST.to_string()));
}

#[tokio::test]
async fn too_old_an_id_is_a_gap() {
    let limits = Limits {
        stream_replay_rounds: 5,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    bench.fill(50).await;
    let mut events = Events::open(&bench, "BTC-USD", Some(FIRST)).await;
    let (rounds, others) = events.rounds(6).await;
    assert_eq!(rounds, [44, 45, 46, 47, 48, 49]);
    assert_eq!(
        others[0].json(),
        serde_json::json!({"from": FIRST + 1, "to": FIRST + 43})
    );
}

#[tokio::test]
async fn a_slow_reader_is_cut_off_with_a_word_and_others_go_on() {
    let limits = Limits {
        stream_queue: 8,
        stream_stall_ms: 100,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    bench.fill(60).await;
    // Nobody reads this one while sixty rounds are replayed into a queue of eight.
    let mut slow = Events::open(&bench, "BTC-USD", Some(FIRST)).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut fast = Events::open(&bench, "BTC-USD", Some(FIRST)).await;
    assert_eq!(fast.rounds(59).await.0.len(), 59);
    let mut last = None;
    let mut count = 0;
    while let Some(event) = slow.next().await {
        count += 1;
        last = Some(event);
    }
    let last = last.expect("events");
    assert_eq!(
        (last.kind.as_str(), last.json()["code"].as_str()),
        ("cut-off", Some("slow-reader"))
    );
    assert_eq!(count, 9, "no more than the queue, and the word");
}

#[tokio::test]
async fn streams_are_counted_and_end_at_shutdown() {
    let limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    let bench = Bench::with(limits).await;
    bench.fill(1).await;
    let mut events = Events::open(&bench, "BTC-USD", None).await;
    assert_eq!(events.rounds(1).await.0, [0]);
    bench
        .get("/v1/stream?feeds=BTC-USD")
        .await
        .is_problem(503, "too-many-streams");
    bench.shutdown.cancel();
    let word = events.next().await.expect("a last word");
    assert_eq!(
        (word.kind.as_str(), word.json()["code"].as_str()),
        ("cut-off", Some("shutdown"))
    );
    assert_eq!(events.next().await, None);
}
