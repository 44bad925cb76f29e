//! Server-sent events: every new price of some feeds, resumable, and never at the cost of others.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use serde::Deserialize;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::error::RecvError,
    mpsc::{self, OwnedPermit, error::SendTimeoutError},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use touchstone_types::{FeedName, Round, Suite};
use utoipa::IntoParams;

use super::{
    ApiState, Code, Problem, ProblemView,
    extract::{Params, feed, feed_list, round, suite},
};
use crate::render::SignedRound;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Rounds read from the store at a time.
const REPLAY_PAGE: u32 = 64;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamParams {
    /// Names with commas between them, 1 to 255.
    #[param(example = "BTC-USD,ETH-USD")]
    feeds: String,
    /// Like the header Last-Event-ID, for clients that cannot set it.
    last_event_id: Option<String>,
    /// The suite of the updates: one of those that the network signs with; by default its first.
    #[param(value_type = Option<String>, example = "secp256k1-keccak")]
    suite: Option<Suite>,
}

/// A stream of signed prices.
///
/// One event `price` for each feed and round, its data as `/v1/feeds/{feed}/latest`; the last one of a round carries the
/// round as its `id`. Rounds that are not there are told by an event `gap` (`from`, `to`). Sent with a Last-Event-ID the
/// stream goes on after that round. A reader that is too slow gets `cut-off` and is to come again with the last id.
#[utoipa::path(get, path = "/v1/stream", tag = "prices",
    params(StreamParams, ("last-event-id" = Option<u64>, Header, description = "the last round that was received")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 400, body = ProblemView, content_type = "application/problem+json"),
        (status = 404, body = ProblemView, content_type = "application/problem+json"),
        (status = 503, body = ProblemView, content_type = "application/problem+json")))]
pub(super) async fn stream(
    State(api): State<ApiState>,
    Params(params): Params<StreamParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let feeds = feed_list(&params.feeds)?
        .into_iter()
        .map(|name| feed(&api, name))
        .collect::<Result<Vec<_>, _>>()?;
    let suite = suite(&api, params.suite)?;
    let next = last_event_id(&headers, &params)?.map(|last| last.saturating_add(1));
    let slot = Arc::clone(&api.streams).try_acquire_owned().map_err(|_| {
        let detail = format!("{} streams are open, at most that many", api.limits.streams);
        Problem::new(Code::TooManyStreams, detail).retry_after(5)
    })?;
    let queue = usize::try_from(api.limits.stream_queue).unwrap_or(usize::MAX);
    let (events, receiver) = mpsc::channel(queue.saturating_add(1));
    let last_word = events
        .clone()
        .try_reserve_owned()
        .map_err(|_| Problem::new(Code::Internal, "a new queue has no room"))?;
    let reader = Reader {
        stall: Duration::from_millis(api.limits.stream_stall_ms),
        api,
        feeds,
        suite,
        events,
        next,
        _slot: slot,
    };
    tokio::spawn(reader.run(last_word));
    let events = ReceiverStream::new(receiver).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    // Reverse proxies that buffer would hold events back.
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap, params: &StreamParams) -> Result<Option<Round>, Problem> {
    let text = match headers.get("last-event-id") {
        Some(value) => Some(value.to_str().unwrap_or("?")),
        None => params.last_event_id.as_deref(),
    };
    match text.filter(|t| !t.is_empty()) {
        None => Ok(None),
        Some(text) => round(text).map(Some).ok_or_else(|| {
            Problem::new(
                Code::InvalidLastEventId,
                "Last-Event-ID: must be the number of a round",
            )
        }),
    }
}

/// Why a reader's stream ends.
enum End {
    /// It went away.
    Gone,
    /// It does not keep up.
    Slow,
    /// The store failed.
    Failed,
    /// The aggregator is shutting down.
    Shutdown,
}

struct Reader {
    api: ApiState,
    feeds: Vec<FeedName>,
    suite: Suite,
    events: mpsc::Sender<Event>,
    stall: Duration,
    next: Option<Round>,
    _slot: OwnedSemaphorePermit,
}

impl Reader {
    async fn run(mut self, last_word: OwnedPermit<Event>) {
        metrics::gauge!("aggregator_streams").increment(1.0);
        let shutdown = self.api.shutdown.clone();
        let events = self.events.clone();
        let end = tokio::select! {
            end = self.follow() => end,
            () = events.closed() => End::Gone,
            () = shutdown.cancelled() => End::Shutdown,
        };
        metrics::gauge!("aggregator_streams").decrement(1.0);
        let reason = match end {
            End::Gone => return,
            End::Slow => "slow-reader",
            End::Failed => "storage",
            End::Shutdown => "shutdown",
        };
        metrics::counter!("aggregator_streams_cut_off_total", "reason" => reason).increment(1);
        let data = format!("{{\"code\":\"{reason}\"}}");
        last_word.send(Event::default().event("cut-off").data(data));
    }

    /// Ends only with a reason.
    async fn follow(&mut self) -> End {
        // Listening starts before the store is read, so that nothing falls between the two.
        let mut live = self.api.live.subscribe();
        let caught_up = match (self.next, self.api.live.latest()) {
            (Some(_), _) => self.replay().await,
            (None, Some(latest)) => self.send(&latest).await,
            (None, None) => Ok(()),
        };
        if let Err(end) = caught_up {
            return end;
        }
        loop {
            let sent = match live.recv().await {
                Ok(round) => self.send(&round).await,
                // This reader's task was too late for the short memory of the live stream; the store has it all.
                Err(RecvError::Lagged(_)) => self.replay().await,
                Err(RecvError::Closed) => return End::Shutdown,
            };
            if let Err(end) = sent {
                return end;
            }
        }
    }

    /// Sends what is stored from the next round on.
    async fn replay(&mut self) -> Result<(), End> {
        let newest = self.api.live.latest().map(|r| r.round());
        let (Some(newest), Some(next)) = (newest, self.next) else {
            return Ok(());
        };
        let oldest = newest.saturating_sub(self.api.limits.stream_replay_rounds);
        if next < oldest {
            self.gap(next, oldest).await?;
            self.next = Some(oldest);
        }
        loop {
            let from = self.next.unwrap_or(newest);
            let page = self.api.store.forward(from, REPLAY_PAGE).await;
            let page = page.map_err(|error| {
                tracing::error!(%error, "a stream cannot be resumed");
                End::Failed
            })?;
            if page.is_empty() {
                return Ok(());
            }
            for round in &page {
                self.send(round).await?;
            }
        }
    }

    /// Sends a round, if it is not below the next one, with the gap before it.
    async fn send(&mut self, signed: &SignedRound) -> Result<(), End> {
        let round = signed.round();
        match self.next {
            Some(next) if round < next => return Ok(()),
            Some(next) if round > next => self.gap(next, round).await?,
            _ => {}
        }
        self.next = Some(round.saturating_add(1));
        let feeds = self.feeds.iter();
        let rendered = feeds.filter_map(|f| signed.feed(*f, self.suite));
        let rendered: Vec<_> = rendered.collect();
        let last = rendered.len();
        for (position, feed) in rendered.into_iter().enumerate() {
            let text = std::str::from_utf8(&feed.json).unwrap_or_default();
            let mut event = Event::default().event("price").data(text);
            // Whoever is cut off between two feeds of a round must get the round again.
            if position + 1 == last {
                event = event.id(round.to_string());
            }
            self.push(event).await?;
        }
        Ok(())
    }

    /// Tells that `from..until` is not there.
    async fn gap(&self, from: Round, until: Round) -> Result<(), End> {
        let to = until.saturating_sub(1);
        let data = format!("{{\"from\":{from},\"to\":{to}}}");
        self.push(Event::default().event("gap").data(data)).await
    }

    async fn push(&self, event: Event) -> Result<(), End> {
        match self.events.send_timeout(event, self.stall).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(End::Gone),
            Err(SendTimeoutError::Timeout(_)) => Err(End::Slow),
        }
    }
}
