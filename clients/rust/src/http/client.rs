//! Requests, failover and the checks that an answer is about what was asked.

use alloc::{borrow::ToOwned, string::String, sync::Arc, vec::Vec};
use core::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Response, Url};
use serde::de::DeserializeOwned;
use touchstone_types::{Attestation, FeedName, Round, SignedObservation, Suite};

use super::{
    AnswerError, ClientError, EndpointError, Watch,
    api::{AroundInstant, Observations, Problem, SignedRound, WithUpdate},
};
use crate::{Policy, VerifiedPrice, VerifiedUpdate, Verifier, verify_at};

const USER_AGENT: &str = concat!("touchstone-client/", env!("CARGO_PKG_VERSION"));
const PROBLEM_BYTES_MAX: usize = 16 * 1024;
const TEXT_SHOWN_MAX: usize = 200;

/// The system's clock, in Unix milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// Builds a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    verifier: Verifier,
    suite: Option<Suite>,
    endpoints: Vec<String>,
    timeout: Duration,
    connect_timeout: Duration,
    body_bytes_max: usize,
}

/// A client of one network over any number of endpoints.
///
/// Every call tries the endpoints in turn, from the one that answered last, until one gives an authentic answer that is
/// about what was asked.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    verifier: Verifier,
    /// The suite to ask for by name; without one endpoints answer in the network's first.
    suite: Option<Suite>,
    endpoints: Vec<Url>,
    preferred: AtomicUsize,
    timeout: Duration,
    body_bytes_max: usize,
}

impl ClientBuilder {
    /// Adds an aggregator by its base URL, such as `https://prices.example.org` or `http://127.0.0.1:8080`.
    pub fn endpoint(mut self, base_url: impl Into<String>) -> Self {
        self.endpoints.push(base_url.into());
        self
    }

    /// Asks for updates signed in this suite, and takes no others. By default any pinned suite will do: endpoints answer in the
    /// network's first one, and a client whose pin lacks that asks for what it has.
    pub fn suite(mut self, suite: Suite) -> Self {
        self.suite = Some(suite);
        self
    }

    /// How long one endpoint may take for a whole answer; 5 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a connection may take; 2 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest answer that is read, in bytes after decompression; 8 MiB by default.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// The client.
    ///
    /// A process that speaks `https` must have installed a rustls crypto provider before.
    ///
    /// # Errors
    /// No endpoint, one that is no `http` or `https` URL, or TLS that cannot start.
    pub fn build(self) -> Result<Client, ClientError> {
        let endpoints = self
            .endpoints
            .iter()
            .map(|text| base_url(text))
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(ClientError::Config("no endpoint: give at least one".into()));
        }
        // Without a provider reqwest would panic.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::limited(3))
            .build()
            .map_err(|e| ClientError::Config(alloc::format!("HTTP client: {e}")))?;
        let pinned = self.verifier.suites().min();
        let suite = self.suite.or(pinned.filter(|s| *s != Suite::Ed25519));
        Ok(Client {
            inner: Arc::new(Inner {
                http,
                verifier: self.verifier,
                suite,
                endpoints,
                preferred: AtomicUsize::new(0),
                timeout: self.timeout,
                body_bytes_max: self.body_bytes_max,
            }),
        })
    }
}

fn base_url(text: &str) -> Result<Url, ClientError> {
    let refuse = |why: &str| {
        Err(ClientError::Config(alloc::format!(
            "endpoint {text:?}: {why}"
        )))
    };
    // Relative paths are resolved against the base's last slash.
    let with_slash = alloc::format!("{}/", text.trim_end_matches('/'));
    let Ok(url) = Url::parse(&with_slash) else {
        return refuse("not a URL");
    };
    if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
        return refuse("must be an http or https URL without a query");
    }
    Ok(url)
}

impl Client {
    /// A client that believes what `verifier` verifies.
    pub fn builder(verifier: Verifier) -> ClientBuilder {
        ClientBuilder {
            verifier,
            suite: None,
            endpoints: Vec::new(),
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            body_bytes_max: 8 << 20,
        }
    }

    /// The verifier.
    pub fn verifier(&self) -> &Verifier {
        &self.inner.verifier
    }

    /// A feed's price under the policy that `policy` gives for the time at which the answer came, in Unix milliseconds.
    /// An endpoint whose answer the policy refuses, because it lags behind, is passed over as well.
    ///
    /// # Errors
    /// [`ClientError::AllFailed`] with every endpoint's reason.
    pub async fn price(
        &self,
        feed: FeedName,
        policy: impl Fn(u64) -> Policy,
    ) -> Result<VerifiedPrice, ClientError> {
        let policy = &policy;
        self.first(|base| async move {
            let update = self.latest_from(&base, &[feed]).await?;
            Ok(update.price(feed, &policy(now_ms()))?)
        })
        .await
    }

    /// The latest update of these feeds, under one signature.
    ///
    /// # Errors
    /// [`ClientError::AllFailed`] with every endpoint's reason.
    pub async fn latest(&self, feeds: &[FeedName]) -> Result<VerifiedUpdate, ClientError> {
        self.latest_if(feeds, |_| Ok(())).await
    }

    /// The latest update of these feeds that also passes a check of the caller's, from the first endpoint that has one.
    ///
    /// # Errors
    /// [`ClientError::AllFailed`] with every endpoint's reason.
    pub async fn latest_if(
        &self,
        feeds: &[FeedName],
        check: impl Fn(&VerifiedUpdate) -> Result<(), crate::PolicyError>,
    ) -> Result<VerifiedUpdate, ClientError> {
        let check = &check;
        self.first(|base| async move {
            let update = self.latest_from(&base, feeds).await?;
            check(&update)?;
            Ok(update)
        })
        .await
    }

    /// The last update of a feed at or before an instant (Unix milliseconds) and the next one after it.
    ///
    /// # Errors
    /// [`ClientError::AllFailed`] with every endpoint's reason; among them pairs that do not stand around the instant.
    pub async fn around(
        &self,
        feed: FeedName,
        instant_ms: u64,
    ) -> Result<(VerifiedUpdate, VerifiedUpdate), ClientError> {
        self.first(|base| async move {
            let mut url = join(&base, &alloc::format!("v1/feeds/{feed}/at"))?;
            url.query_pairs_mut()
                .append_pair("timestamp_ms", &alloc::format!("{instant_ms}"));
            let answer: AroundInstant = self.get_json(self.in_suite(url)).await?;
            let before = self.accept(&answer.before.bytes()?, &[feed])?;
            let after = answer.after.ok_or(AnswerError::NoNextYet)?;
            let after = self.accept(&after.bytes()?, &[feed])?;
            verify_at(&before, &after, instant_ms)?;
            Ok((before, after))
        })
        .await
    }

    /// A whole signed round with its observations. The group's signature holds, and the leaves are those of the signed
    /// statement; the observations are as the endpoint sent them, for [`recompute`](crate::recompute) to judge.
    ///
    /// # Errors
    /// [`ClientError::AllFailed`] with every endpoint's reason.
    pub async fn round(
        &self,
        round: Round,
    ) -> Result<(Attestation, Vec<SignedObservation>), ClientError> {
        self.first(|base| async move {
            let path = alloc::format!("v1/rounds/{round}");
            let signed: SignedRound = self.get_json(join(&base, &path)?).await?;
            let attestation = signed.attestation(round)?;
            self.inner.verifier.verify_attestation(&attestation)?;
            let path = alloc::format!("v1/rounds/{round}/observations");
            let observations: Observations = self.get_json(join(&base, &path)?).await?;
            Ok((attestation, observations.decode(round)?))
        })
        .await
    }

    /// A stream of verified updates of these feeds, from the next one on, or from the one after round `after`.
    pub fn watch(&self, feeds: &[FeedName], after: Option<Round>) -> Watch {
        Watch::new(self.clone(), feeds.to_vec(), after)
    }

    /// Tries every endpoint once, from the preferred one on.
    async fn first<T, F>(&self, call: impl Fn(Url) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, AnswerError>>,
    {
        let mut errors = Vec::new();
        for index in self.order() {
            let Some(base) = self.inner.endpoints.get(index) else {
                continue;
            };
            let answer = tokio::time::timeout(self.inner.timeout, call(base.clone()))
                .await
                .unwrap_or_else(|_| {
                    let ms = self.inner.timeout.as_millis();
                    Err(AnswerError::Transport(alloc::format!(
                        "no whole answer within {ms} ms"
                    )))
                });
            match answer {
                Ok(value) => {
                    self.inner.preferred.store(index, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(error) => errors.push(EndpointError {
                    endpoint: base.as_str().to_owned(),
                    error,
                }),
            }
        }
        Err(ClientError::AllFailed(errors))
    }

    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let count = self.inner.endpoints.len();
        let first = self.inner.preferred.load(Ordering::Relaxed);
        (first..count).chain(0..first.min(count))
    }

    async fn latest_from(
        &self,
        base: &Url,
        feeds: &[FeedName],
    ) -> Result<VerifiedUpdate, AnswerError> {
        let url = match feeds {
            [feed] => join(base, &alloc::format!("v1/feeds/{feed}/latest"))?,
            _ => with_feeds(join(base, "v1/updates/latest")?, feeds),
        };
        let answer: WithUpdate = self.get_json(self.in_suite(url)).await?;
        self.accept(&answer.bytes()?, feeds)
    }

    /// Verifies bytes and checks that every feed that was asked for is in them.
    pub(super) fn accept(
        &self,
        bytes: &[u8],
        feeds: &[FeedName],
    ) -> Result<VerifiedUpdate, AnswerError> {
        let update = self.inner.verifier.verify(bytes)?;
        if let Some(asked) = self.inner.suite.filter(|s| *s != update.suite()) {
            let got = update.suite();
            return Err(AnswerError::OtherSuite { asked, got });
        }
        match feeds.iter().find(|feed| update.status(**feed).is_none()) {
            Some(asked) => Err(AnswerError::OtherFeed { asked: *asked }),
            None => Ok(update),
        }
    }

    /// Base URL of the endpoint to stream from at the `attempt`-th attempt.
    pub(super) fn endpoint(&self, attempt: usize) -> Option<&Url> {
        let at = self.inner.preferred.load(Ordering::Relaxed);
        let at = at.wrapping_add(attempt);
        self.inner
            .endpoints
            .get(at.checked_rem(self.inner.endpoints.len())?)
    }

    /// Opens the event stream of one endpoint.
    pub(super) async fn open_stream(
        &self,
        base: &Url,
        feeds: &[FeedName],
        after: Option<Round>,
    ) -> Result<Response, AnswerError> {
        let url = self.in_suite(with_feeds(join(base, "v1/stream")?, feeds));
        let mut request = self
            .inner
            .http
            .get(url)
            .header("accept", "text/event-stream");
        if let Some(round) = after {
            request = request.header("last-event-id", alloc::format!("{round}"));
        }
        let opened = tokio::time::timeout(self.inner.timeout, request.send()).await;
        let response = opened.map_err(|_| AnswerError::Transport("time-out".into()))??;
        refuse_status(response).await
    }

    fn in_suite(&self, mut url: Url) -> Url {
        if let Some(suite) = self.inner.suite {
            url.query_pairs_mut().append_pair("suite", suite.name());
        }
        url
    }

    async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, AnswerError> {
        let request = self
            .inner
            .http
            .get(url)
            .header("accept", "application/json");
        let response = refuse_status(request.send().await?).await?;
        let body = read_body(response, self.inner.body_bytes_max).await?;
        serde_json::from_slice(&body).map_err(AnswerError::malformed)
    }
}

fn join(base: &Url, path: &str) -> Result<Url, AnswerError> {
    base.join(path).map_err(AnswerError::malformed)
}

fn with_feeds(mut url: Url, feeds: &[FeedName]) -> Url {
    let names: Vec<&str> = feeds.iter().map(FeedName::as_str).collect();
    // Feed names need no escaping, and a bare comma keeps the URL readable and cacheable.
    url.set_query(Some(&alloc::format!("feeds={}", names.join(","))));
    url
}

async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, AnswerError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if chunk.len() > limit.saturating_sub(body.len()) {
            return Err(AnswerError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refuse_status(response: Response) -> Result<Response, AnswerError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = read_body(response, PROBLEM_BYTES_MAX)
        .await
        .unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem.detail.or(problem.title);
    Err(AnswerError::Status {
        status: status.as_u16(),
        code: shown(problem.code.as_deref().unwrap_or("http")),
        detail: shown(
            detail
                .as_deref()
                .or(status.canonical_reason())
                .unwrap_or(""),
        ),
    })
}

/// A server's text without what could confuse a terminal.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(TEXT_SHOWN_MAX)
        .collect()
}
