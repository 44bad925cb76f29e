//! A stream of verified updates that survives its connections.

use alloc::{
    borrow::ToOwned, collections::BTreeMap, collections::VecDeque, string::String, vec::Vec,
};
use core::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use touchstone_types::{FeedName, Round};

use super::{
    AnswerError, Client, EndpointError,
    api::{Problem, WithUpdate},
    client::shown,
    sse,
};
use crate::VerifiedUpdate;

const BACKOFF_FIRST: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// A stream that says nothing for this long, not even a comment, is dead.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// What a [`Watch`] tells.
#[derive(Debug)]
pub enum WatchEvent {
    /// A verified update that holds at least one feed that was asked for in a round not seen before.
    Update(VerifiedUpdate),
    /// The endpoint says that it has no signed round in this range. It is a claim.
    Gap {
        /// The first round.
        from: Round,
        /// The last round.
        to: Round,
    },
    /// A connection failed, ended, or an endpoint sent what does not verify; the watch goes on with the next endpoint.
    Interrupted {
        /// The endpoint and the reason.
        error: EndpointError,
        /// How long the watch waits before it connects again.
        retry_in: Duration,
    },
}

/// A watch of some feeds. Dropping it ends it.
///
/// Where it resumes is decided by the rounds that it verified, not by the ids that the stream claims.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    feeds: Vec<FeedName>,
    start_after: Option<Round>,
    seen: BTreeMap<FeedName, Round>,
    attempt: usize,
    failures: u32,
    pause: Option<Duration>,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    endpoint: String,
    response: Response,
    parser: sse::Parser,
    ready: VecDeque<sse::Event>,
}

#[derive(Deserialize)]
struct GapJson {
    from: u64,
    to: u64,
}

impl Watch {
    pub(super) fn new(client: Client, feeds: Vec<FeedName>, start_after: Option<Round>) -> Self {
        Self {
            client,
            feeds,
            start_after,
            seen: BTreeMap::new(),
            attempt: 0,
            failures: 0,
            pause: None,
            stream: None,
        }
    }

    /// The next event. There is always another one; rounds of a feed come in strictly ascending order.
    pub async fn next(&mut self) -> WatchEvent {
        loop {
            if let Some(pause) = self.pause.take() {
                tokio::time::sleep(pause).await;
            }
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => match self.connect().await {
                    Ok(stream) => stream,
                    Err(error) => return self.interrupted(error),
                },
            };
            let event = match stream.next().await {
                Ok(event) => event,
                Err(error) => {
                    let endpoint = stream.endpoint;
                    return self.interrupted(EndpointError { endpoint, error });
                }
            };
            match self.take(&event) {
                Ok(told) => {
                    self.stream = Some(stream);
                    self.failures = 0;
                    if let Some(told) = told {
                        return told;
                    }
                }
                Err(error) => {
                    let endpoint = stream.endpoint;
                    return self.interrupted(EndpointError { endpoint, error });
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<Stream, EndpointError> {
        let base = self.client.endpoint(self.attempt).ok_or_else(|| {
            let error = AnswerError::Transport("no endpoint".to_owned());
            let endpoint = String::new();
            EndpointError { endpoint, error }
        })?;
        let endpoint = base.as_str().to_owned();
        let opened = self
            .client
            .open_stream(base, &self.feeds, self.resume_after());
        match opened.await {
            Ok(response) => Ok(Stream {
                endpoint,
                response,
                parser: sse::Parser::new(),
                ready: VecDeque::new(),
            }),
            Err(error) => Err(EndpointError { endpoint, error }),
        }
    }

    /// The round after which every feed's updates are still wanted.
    fn resume_after(&self) -> Option<Round> {
        let seen = self.feeds.iter().map(|feed| self.seen.get(feed).copied());
        let all_seen: Option<Vec<Round>> = seen.collect();
        all_seen
            .and_then(|rounds| rounds.into_iter().min())
            .or(self.start_after)
    }

    fn take(&mut self, event: &sse::Event) -> Result<Option<WatchEvent>, AnswerError> {
        match event.kind.as_str() {
            "price" => self.take_price(event),
            "gap" => {
                let gap: GapJson =
                    serde_json::from_str(&event.data).map_err(AnswerError::malformed)?;
                let (from, to) = (Round(gap.from), Round(gap.to));
                Ok(Some(WatchEvent::Gap { from, to }))
            }
            "cut-off" => {
                let reason: Problem = serde_json::from_str(&event.data).unwrap_or_default();
                let reason = shown(reason.code.as_deref().unwrap_or("no reason given"));
                let text = alloc::format!("the endpoint cut the stream off: {reason}");
                Err(AnswerError::Transport(text))
            }
            // Kinds that later servers may add.
            _ => Ok(None),
        }
    }

    fn take_price(&mut self, event: &sse::Event) -> Result<Option<WatchEvent>, AnswerError> {
        let json: WithUpdate = serde_json::from_str(&event.data).map_err(AnswerError::malformed)?;
        let update = self.client.accept(&json.bytes()?, &[])?;
        let round = update.round();
        let asked: Vec<FeedName> = update.feeds().filter(|f| self.feeds.contains(f)).collect();
        if asked.is_empty()
            && let Some(feed) = self.feeds.first()
        {
            return Err(AnswerError::OtherFeed { asked: *feed });
        }
        let floor = self.start_after;
        let mut fresh = false;
        for feed in asked {
            let last = self.seen.get(&feed).copied().max(floor);
            if last.is_none_or(|last| round > last) {
                self.seen.insert(feed, round);
                fresh = true;
            }
        }
        Ok(fresh.then_some(WatchEvent::Update(update)))
    }

    fn interrupted(&mut self, error: EndpointError) -> WatchEvent {
        self.stream = None;
        self.attempt = self.attempt.wrapping_add(1);
        let factor = 1u32.checked_shl(self.failures.min(10)).unwrap_or(1);
        let retry_in = BACKOFF_FIRST.saturating_mul(factor).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(retry_in);
        WatchEvent::Interrupted { error, retry_in }
    }
}

impl Stream {
    async fn next(&mut self) -> Result<sse::Event, AnswerError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let chunk = tokio::time::timeout(SILENCE_MAX, self.response.chunk())
                .await
                .map_err(|_| AnswerError::Transport("the stream fell silent".to_owned()))??
                .ok_or_else(|| AnswerError::Transport("the stream ended".to_owned()))?;
            let events = self.parser.push(&chunk).map_err(AnswerError::malformed)?;
            self.ready.extend(events);
        }
    }
}
