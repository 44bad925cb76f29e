//! Where the nodes get their prices, and the feeds that fit.

use std::{
    net::Ipv4Addr,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use touchstone_feeds::{FeedsConfig, default_feeds, feeds_for_markets};
use touchstone_market::{Market, Speed};
use touchstone_types::FeedSpec;

use crate::plan::{Origin, Plan};

/// Length of a recorded bar.
const BAR_MS: u64 = 60_000;
/// How many recorded minutes without a trade a quote may be old.
const REPLAY_AGE_BARS: u64 = 5;
/// However fast history is replayed, polling takes its time.
const REPLAY_AGE_MIN_MS: u64 = 15_000;
/// The market is asked by many nodes from one address.
const REQUESTS_PER_SECOND: u32 = 10_000;
/// Up to this many nodes ask each market once a second; more of them ask less often, for one machine serves them all.
const POLLERS: u64 = 7;
const PERIOD_MS: u64 = 1_000;

/// The market of a running devnet.
#[derive(Debug)]
pub(crate) struct Source {
    server: Option<Server>,
    /// Feeds that can be priced there.
    feeds: Vec<FeedSpec>,
    ends_at_ms: Option<u64>,
}

#[derive(Debug)]
struct Server {
    url: String,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Source {
    /// Starts the market server, unless the real exchanges are asked.
    ///
    /// # Errors
    /// A recording that cannot be read, or a port that cannot be listened on.
    pub(crate) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let (market, feeds) = match plan.market.clone() {
            Origin::Live => {
                return Ok(Self {
                    server: None,
                    feeds: default_feeds(),
                    ends_at_ms: None,
                });
            }
            Origin::Demo { seed } => (Market::demo(seed), default_feeds()),
            Origin::Replay { dir, from, speed } => {
                tokio::task::spawn_blocking(move || replay(&dir, &from, &speed)).await??
            }
        };
        let ends_at_ms = market.ends_at_ms();
        let address = (Ipv4Addr::LOCALHOST, plan.market_port);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("the market cannot listen on 127.0.0.1:{}", plan.market_port)
        })?;
        let url = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let task = tokio::spawn(touchstone_market::serve(listener, market, stop.clone()));
        Ok(Self {
            server: Some(Server { url, stop, task }),
            feeds,
            ends_at_ms,
        })
    }

    /// Feeds for a new network on this market.
    pub(crate) fn feeds(&self) -> &[FeedSpec] {
        &self.feeds
    }

    /// When recorded history is over, in Unix milliseconds.
    pub(crate) fn ends_at_ms(&self) -> Option<u64> {
        self.ends_at_ms
    }

    /// How each of so many nodes is to fetch from here.
    pub(crate) fn polling(&self, nodes: u16) -> FeedsConfig {
        match &self.server {
            None => FeedsConfig::default(),
            Some(server) => FeedsConfig {
                period_ms: PERIOD_MS * u64::from(nodes).max(POLLERS) / POLLERS,
                ..FeedsConfig::below(&server.url, REQUESTS_PER_SECOND)
            },
        }
    }

    /// Ends the server. Whoever still has a connection to it is cut off.
    pub(crate) async fn stop(self) {
        if let Some(mut server) = self.server {
            server.stop.cancel();
            if tokio::time::timeout(Duration::from_millis(500), &mut server.task)
                .await
                .is_err()
            {
                server.task.abort();
            }
        }
    }
}

fn replay(dir: &Path, from: &str, speed: &str) -> anyhow::Result<(Market, Vec<FeedSpec>)> {
    let from_ms = touchstone_market::parse_time(from).context("--from")?;
    let speed_text = speed;
    let speed: Speed = speed.parse().context("--speed")?;
    let market = Market::replay(dir, from_ms, speed, unix_ms())
        .with_context(|| format!("--market replay:{}", dir.display()))?;
    let feeds = feeds_for_markets(&market.markets(), replay_age_ms(speed_text));
    Ok((market, feeds))
}

/// How old a quote of replayed history may be, in milliseconds of the wall clock.
fn replay_age_ms(speed: &str) -> u64 {
    // At most three decimal places, as `Speed` has checked.
    let thousandths = touchstone_types::Decimal::parse(speed)
        .ok()
        .and_then(|d| d.rescale(-3).ok())
        .and_then(|d| u64::try_from(d.mantissa).ok())
        .filter(|t| *t > 0);
    let age = (REPLAY_AGE_BARS * BAR_MS * 1_000).checked_div(thousandths.unwrap_or(1_000));
    age.unwrap_or(0).max(REPLAY_AGE_MIN_MS)
}

/// The wall clock in Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    unix_us() / 1_000
}

/// The wall clock in Unix microseconds.
pub(crate) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_may_be_five_recorded_minutes_old() {
        assert_eq!(replay_age_ms("1"), 300_000);
        assert_eq!(replay_age_ms("0.5"), 600_000);
        assert_eq!(replay_age_ms("10"), 30_000);
        assert_eq!(replay_age_ms("600"), REPLAY_AGE_MIN_MS);
    }
}
