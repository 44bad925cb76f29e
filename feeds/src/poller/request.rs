//! One request: sent, bounded in time and size, parsed.

use std::{error::Error, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Client, Response, StatusCode, Url, header, redirect};
use thiserror::Error;
use touchstone_types::Market;

use super::{FeedsConfig, PollerError, wall_ms};
use crate::{Exchange, ParseError, Quote};

/// The longest pause that a `Retry-After` is believed to ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// How much of an error's body is read, in bytes.
const ERROR_BODY_MAX: u64 = 4_096;

/// Why a request brought no quotes.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(super) enum RequestFailure {
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Transport(String),
    #[error("HTTP {status}{}", detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
    Status {
        status: u16,
        detail: Option<ParseError>,
    },
    #[error("HTTP {status}: asked too often")]
    RateLimited {
        status: u16,
        retry_after: Option<Duration>,
    },
    #[error("HTTP {status}: the exchange does not serve this address")]
    Refused { status: u16 },
    #[error("the body is longer than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("{0}")]
    Answer(#[from] ParseError),
}

/// An exchange at its address, with the client to reach it.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) exchange: &'static Exchange,
    base_url: String,
    client: Client,
    timeout: Duration,
    max_body_bytes: u64,
}

impl Endpoint {
    pub(super) fn new(
        exchange: &'static Exchange,
        config: &FeedsConfig,
    ) -> Result<Self, PollerError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(PollerError::NoCryptoProvider);
        }
        let source = config.source(exchange.name);
        let base_url = source
            .base_url
            .unwrap_or_else(|| exchange.base_url.to_owned());
        let mut builder = Client::builder()
            .user_agent(&config.user_agent)
            .timeout(config.timeout())
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(60));
        if is_loopback(&base_url) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            exchange,
            base_url,
            client: builder
                .build()
                .map_err(|e| PollerError::Client(root_cause(&e)))?,
            timeout: config.timeout(),
            max_body_bytes: config.max_body_bytes,
        })
    }

    /// The market's newest quote, `None` if the answer has no trade.
    pub(super) async fn fetch(&self, market: &Market) -> Result<Option<Quote>, RequestFailure> {
        let request = self
            .exchange
            .request(&self.base_url, market.pair, self.exchange.polled)
            .map_err(|e| RequestFailure::Transport(e.to_string()))?;
        let response = self
            .client
            .get(&request.url)
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(|e| self.transport(&e))?;
        let status = response.status();
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::IM_A_TEAPOT => {
                return Err(RequestFailure::RateLimited {
                    status: status.as_u16(),
                    retry_after: retry_after(&response),
                });
            }
            StatusCode::FORBIDDEN | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
                return Err(RequestFailure::Refused {
                    status: status.as_u16(),
                });
            }
            _ => {}
        }
        let limit = if status.is_success() {
            self.max_body_bytes
        } else {
            ERROR_BODY_MAX
        };
        let body = self.body(response, limit).await;
        if !status.is_success() {
            let parsed = body.map(|body| self.exchange.parse(market.pair, request.endpoint, &body));
            let detail = match parsed {
                Ok(Err(error @ ParseError::Exchange { .. })) => Some(error),
                _ => None,
            };
            return Err(RequestFailure::Status {
                status: status.as_u16(),
                detail,
            });
        }
        let quotes = self.exchange.parse(market.pair, request.endpoint, &body?)?;
        Ok(self.exchange.newest(quotes))
    }

    /// Reads the body as it comes in and stops at the limit, whatever the length that the header announces.
    async fn body(&self, mut response: Response, limit: u64) -> Result<Vec<u8>, RequestFailure> {
        let limit_bytes = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(&e))? {
            if body.len().saturating_add(chunk.len()) > limit_bytes {
                return Err(RequestFailure::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, error: &reqwest::Error) -> RequestFailure {
        if error.is_timeout() {
            RequestFailure::Timeout(self.timeout)
        } else {
            RequestFailure::Transport(root_cause(error))
        }
    }
}

/// The innermost error: the outer ones say "error sending request" only.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A proxy of the environment is not meant for this machine.
fn is_loopback(base_url: &str) -> bool {
    Url::parse(base_url).is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        host == "localhost" || host == "[::1]" || host.starts_with("127.")
    })
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(text, wall_ms())
}

/// Seconds, or a date (RFC 9110, section 10.2.3), bounded.
fn parse_retry_after(text: &str, now_ms: u64) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date: Timestamp = rfc2822::DateTimeParser::new()
                .parse_timestamp(text.trim())
                .ok()?;
            let date_ms = u64::try_from(date.as_millisecond()).ok()?;
            Duration::from_millis(date_ms.saturating_sub(now_ms))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_both_forms() {
        let at = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        let parse = |text| parse_retry_after(text, at - 5_000);
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(5))
        );
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(parse("soon"), None);
    }

    #[test]
    fn loopback_addresses() {
        for url in [
            "http://127.0.0.1:80/x",
            "http://[::1]:80",
            "http://localhost/",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://api.kraken.com"));
    }
}
