//! Another aggregator, as a place to back-fill from. It is believed as little as a node is.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use touchstone_types::Round;

use super::{Intake, Sources, Verdict};
use crate::verify::ATTESTATION_BYTES_MAX;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An aggregator's HTTP API.
pub struct Upstream {
    base: String,
    name: Arc<str>,
    http: reqwest::Client,
    sources: Arc<Sources>,
}

impl Upstream {
    /// The aggregator at a base URL such as `https://prices.example.org`.
    ///
    /// # Errors
    /// An HTTP client that cannot be built.
    pub fn new(base: &str, sources: Arc<Sources>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("touchstone-aggregator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            name: format!("aggregator {base}").into(),
            base,
            http,
            sources,
        })
    }

    /// How it is named in the log and in the metrics.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Asks for a round and offers what comes to the intake. `Ok(None)` means that it does not have the round.
    ///
    /// # Errors
    /// No answer, or one that is no attestation's size.
    pub async fn fetch(&self, round: Round, intake: &Intake) -> anyhow::Result<Option<Verdict>> {
        let result = self.get(round).await;
        self.sources
            .update(&self.name, |s| s.connected = result.is_ok());
        match result? {
            None => Ok(None),
            Some(bytes) => Ok(Some(intake.offer(&self.name, &bytes).await)),
        }
    }

    async fn get(&self, round: Round) -> anyhow::Result<Option<Vec<u8>>> {
        let url = format!(
            "{}/v1/rounds/{round}?encoding=binary&observations=true",
            self.base
        );
        let mut response = self.http.get(&url).send().await?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        response
            .error_for_status_ref()
            .with_context(|| format!("{url}: {}", response.status()))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let size = body.len().saturating_add(chunk.len());
            anyhow::ensure!(
                size <= ATTESTATION_BYTES_MAX,
                "{url}: the answer is too large"
            );
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}
