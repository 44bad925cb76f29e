//! What every request passes: limits, time, headers of the answer, metrics.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _};

use super::{ApiState, Code, Problem};
use crate::config::Limits;

/// Who is at the other end of the connection; the server puts it into each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub SocketAddr);

/// Requests per address.
pub struct RateLimit(Option<DefaultKeyedRateLimiter<IpAddr>>);

impl RateLimit {
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = NonZeroU32::new(limits.requests_per_second);
        let burst = NonZeroU32::new(limits.request_burst).unwrap_or(NonZeroU32::MIN);
        Self(
            rate.map(|rate| {
                DefaultKeyedRateLimiter::keyed(Quota::per_second(rate).allow_burst(burst))
            }),
        )
    }

    /// Forgets addresses that have been quiet, so that memory is bounded by who asks now.
    pub fn sweep(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    /// `Err` says after how many seconds to come again.
    fn check(&self, address: IpAddr) -> Result<(), u64> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        limiter.check_key(&address).map_err(|refused| {
            let wait = refused.wait_time_from(limiter.clock().now());
            wait.as_secs().saturating_add(1)
        })
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 /64 network, which anybody has to himself.
pub(crate) fn one_address(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            },
            IpAddr::V4,
        ),
    }
}

/// The asker's address: the peer, or what a believed proxy says, read from the right.
fn asker(peer: Peer, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut address = peer.0.ip().to_canonical();
    if proxies.is_empty() {
        return address;
    }
    let forwarded = headers
        .get_all(HeaderName::from_static("x-forwarded-for"))
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .collect::<Vec<_>>();
    for hop in forwarded.into_iter().rev() {
        if !proxies.contains(&address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(ip) => address = ip.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

/// The middleware around everything.
pub(super) async fn guard(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match check(&api, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            let limit = Duration::from_millis(api.limits.timeout_ms);
            match tokio::time::timeout(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Problem::new(Code::Timeout, "the answer took too long")
                    .retry_after(1)
                    .into_response(),
            }
        }
    };
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    headers(response.headers_mut(), route);
    let labels = [
        ("route", route.to_owned()),
        ("status", response.status().as_str().to_owned()),
    ];
    metrics::counter!("aggregator_requests_total", &labels).increment(1);
    metrics::histogram!("aggregator_request_seconds", "route" => route.to_owned())
        .record(started.elapsed());
    response
}

fn check(api: &ApiState, request: &Request) -> Result<(), Problem> {
    if let Some(peer) = request.extensions().get::<Peer>() {
        let proxies = &api.limits.trusted_proxies;
        let address = one_address(asker(*peer, request.headers(), proxies));
        api.rate.check(address).map_err(|seconds| {
            let detail = format!(
                "more than {} requests per second from {address}",
                api.limits.requests_per_second
            );
            Problem::new(Code::RateLimited, detail).retry_after(seconds)
        })?;
    }
    let line = request.uri().path().len() + request.uri().query().map_or(0, |q| q.len());
    let size = request.headers().iter().fold(line, |sum, (name, value)| {
        // Name, colon, blank, value, line end.
        sum.saturating_add(name.as_str().len())
            .saturating_add(value.len())
            .saturating_add(4)
    });
    let max = api.limits.header_bytes;
    if u64::try_from(size).unwrap_or(u64::MAX) > u64::from(max) {
        let detail = format!("{size} bytes of request line and headers: at most {max}");
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    let max = api.limits.body_bytes;
    // No route reads a body. One of unknown length is as bad as one that is too large.
    if request.body().size_hint().upper().is_none_or(|u| u > max) {
        let detail =
            format!("a request's body may have at most {max} bytes, and must say its length");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(())
}

/// An API that answers with JSON and bytes needs no scripts; its documentation page needs its own.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
);

fn headers(headers: &mut HeaderMap, route: &str) {
    let policy = if route.starts_with("/docs") {
        DOCS_POLICY
    } else {
        POLICY
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    let open = HeaderValue::from_static("cross-origin");
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        open,
    );
}

/// No such path.
pub(super) async fn not_found(request: Request) -> Problem {
    let path: String = request.uri().path().chars().take(200).collect();
    Problem::new(
        Code::NotFound,
        format!("{path}: there is nothing here; see /docs"),
    )
}

/// No such method.
pub(super) async fn method_not_allowed(request: Request) -> Response {
    let detail = format!(
        "{}: only GET, HEAD and OPTIONS are served",
        request.method()
    );
    let mut response = Problem::new(Code::MethodNotAllowed, detail).into_response();
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_address() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(one_address(ip("2001:db8:1:2:3::4")), ip("2001:db8:1:2::"));
        assert_eq!(one_address(ip("::ffff:10.0.0.1")), ip("10.0.0.1"));
    }

    #[test]
    fn only_believed_proxies_speak_for_others() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let peer = Peer(SocketAddr::new(ip("10.0.0.1"), 1));
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("1.1.1.1, 2.2.2.2, 10.0.0.2");
        headers.insert("x-forwarded-for", value);
        assert_eq!(asker(peer, &headers, &[]), ip("10.0.0.1"));
        assert_eq!(asker(peer, &headers, &[ip("10.0.0.9")]), ip("10.0.0.1"));
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(asker(peer, &headers, &proxies), ip("2.2.2.2"));
    }
}
