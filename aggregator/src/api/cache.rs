//! Answers with an ETag and a lifetime (RFC 9110 section 8.8.3, RFC 9111, RFC 8246).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;

use super::Encoding;

/// How long an answer may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lifetime {
    /// For ever: a signed round does not change.
    Immutable,
    /// For a moment.
    Seconds(u32),
    /// Not without asking again.
    Revalidate,
}

impl Lifetime {
    fn header(self) -> HeaderValue {
        match self {
            Self::Immutable => HeaderValue::from_static("public, max-age=31536000, immutable"),
            Self::Seconds(1) => HeaderValue::from_static("public, max-age=1"),
            Self::Seconds(s) => HeaderValue::try_from(format!("public, max-age={s}"))
                .unwrap_or(HeaderValue::from_static("no-cache")),
            Self::Revalidate => HeaderValue::from_static("no-cache"),
        }
    }
}

/// An answer in an encoding, or 304 where the asker has it already. `tag` must change with the content; the encoding is
/// added here.
pub(super) fn answer(
    request: &HeaderMap,
    tag: &str,
    lifetime: Lifetime,
    encoding: Encoding,
    body: Bytes,
) -> Response {
    let (kind, suffix) = match encoding {
        Encoding::Json => ("application/json", "j"),
        Encoding::Binary => ("application/octet-stream", "b"),
    };
    let tag = format!("\"{tag}-{suffix}\"");
    let fresh = matches(request, &tag);
    let mut response = Response::new(if fresh {
        Body::empty()
    } else {
        Body::from(body)
    });
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, lifetime.header());
    if !fresh {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

fn matches(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}
