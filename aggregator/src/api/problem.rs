//! Errors of the API: `application/problem+json` (RFC 9457) with a stable `code`.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{render::json, store::StoreError};

/// Every code that an answer may carry. A code never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// There is no such path.
    NotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// The path is not valid percent-encoded UTF-8, or a part of it is not what it must be.
    InvalidPath,
    /// A query parameter is unknown, missing, repeated or out of range.
    InvalidQuery,
    /// The Last-Event-ID header is no round.
    InvalidLastEventId,
    /// No feed can have this name.
    InvalidFeedName,
    /// The network has no such feed.
    UnknownFeed,
    /// The round is not stored (any more, or not yet).
    UnknownRound,
    /// No source had the round.
    MissedRound,
    /// The round is stored without its observations.
    NoObservations,
    /// The evidence is not stored.
    UnknownEvidence,
    /// Nothing is stored at or before that time.
    NoPriceBefore,
    /// Nothing is stored yet.
    NoData,
    /// The request line and headers are too long.
    HeadersTooLarge,
    /// The request has a body that is too large, or of unknown length.
    BodyTooLarge,
    /// Too many requests from one address.
    RateLimited,
    /// Too many open streams.
    TooManyStreams,
    /// The answer took too long to make.
    Timeout,
    /// The database failed.
    Storage,
    /// A fault of this program.
    Internal,
}

impl Code {
    /// The text in the answer.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::InvalidPath => "invalid-path",
            Self::InvalidQuery => "invalid-query",
            Self::InvalidLastEventId => "invalid-last-event-id",
            Self::InvalidFeedName => "invalid-feed-name",
            Self::UnknownFeed => "unknown-feed",
            Self::UnknownRound => "unknown-round",
            Self::MissedRound => "missed-round",
            Self::NoObservations => "no-observations",
            Self::UnknownEvidence => "unknown-evidence",
            Self::NoPriceBefore => "no-price-before",
            Self::NoData => "no-data",
            Self::HeadersTooLarge => "headers-too-large",
            Self::BodyTooLarge => "body-too-large",
            Self::RateLimited => "rate-limited",
            Self::TooManyStreams => "too-many-streams",
            Self::Timeout => "timeout",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidPath
            | Self::InvalidQuery
            | Self::InvalidLastEventId
            | Self::InvalidFeedName => StatusCode::BAD_REQUEST,
            Self::NotFound
            | Self::UnknownFeed
            | Self::UnknownRound
            | Self::MissedRound
            | Self::NoObservations
            | Self::UnknownEvidence
            | Self::NoPriceBefore => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::NoData | Self::TooManyStreams | Self::Timeout | Self::Storage => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    code: Code,
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u64>,
}

/// The JSON of an error.
#[derive(Serialize, ToSchema)]
pub struct ProblemView {
    /// A URI reference of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:touchstone:problem:unknown-feed")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable name of the kind of problem.
    #[schema(example = "unknown-feed")]
    code: &'static str,
    /// What is wrong with this request.
    detail: String,
}

impl Problem {
    /// A problem with its code's own status.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: code.status(),
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a `Retry-After` header, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // What exactly failed is the operator's business.
        tracing::error!(%error, "the store failed a request");
        Self::new(Code::Storage, "the store cannot answer now").retry_after(1)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let view = ProblemView {
            kind: format!("urn:touchstone:problem:{}", self.code.text()),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code.text(),
            detail: self.detail,
        };
        let mut response = Response::new(Body::from(json(&view)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        let store = HeaderValue::from_static("no-store");
        headers.insert(header::CACHE_CONTROL, store);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
