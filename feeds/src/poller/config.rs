//! How the poller asks.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Exchange;

const PERIOD_MS: RangeInclusive<u64> = 100..=3_600_000;
const TIMEOUT_MS: RangeInclusive<u64> = 100..=60_000;
const BODY_BYTES: RangeInclusive<u64> = 1_024..=16_777_216;
const REQUESTS_PER_SECOND: RangeInclusive<u32> = 1..=10_000;

/// How prices are fetched; every key has a default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedsConfig {
    /// How often each market is asked for, in milliseconds, give or take a tenth; 100 to 3600000.
    pub period_ms: u64,
    /// How long one request may take, in milliseconds; 100 to 60000.
    pub timeout_ms: u64,
    /// The longest body that is read, in bytes after decompression; 1024 to 16777216.
    pub max_body_bytes: u64,
    /// What the exchanges see as `User-Agent`.
    pub user_agent: String,
    /// Settings of single exchanges, by the name of the source.
    pub sources: BTreeMap<String, SourceConfig>,
}

/// Settings of one exchange.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Where its API answers; by default the exchange's own address.
    pub base_url: Option<String>,
    /// Requests per second over all its markets, 1 to 10000; by default what the exchange grants one address.
    pub requests_per_second: Option<u32>,
    /// Whether it is asked at all.
    pub enabled: bool,
}

impl Default for FeedsConfig {
    fn default() -> Self {
        Self {
            period_ms: 1_000,
            timeout_ms: 2_500,
            max_body_bytes: 262_144,
            user_agent: concat!("touchstone/", env!("CARGO_PKG_VERSION")).to_owned(),
            sources: BTreeMap::new(),
        }
    }
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            base_url: None,
            requests_per_second: None,
            enabled: true,
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("feeds.{key} = {value}: must be {allowed}")]
pub struct FeedsConfigError {
    /// The key below `feeds`.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

fn refuse<T>(
    key: impl Into<String>,
    value: &impl ToString,
    allowed: impl Into<String>,
) -> Result<T, FeedsConfigError> {
    Err(FeedsConfigError {
        key: key.into(),
        value: value.to_string(),
        allowed: allowed.into(),
    })
}

fn within(key: &str, value: u64, range: &RangeInclusive<u64>) -> Result<(), FeedsConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    refuse(
        key,
        &value,
        format!("from {} to {}", range.start(), range.end()),
    )
}

impl FeedsConfig {
    /// The default settings with every exchange below one server, as the demo market serves them:
    /// `http://127.0.0.1:8080` gives `http://127.0.0.1:8080/kraken` and so on.
    pub fn below(server: &str, requests_per_second: u32) -> Self {
        let source = |exchange: &Exchange| {
            let config = SourceConfig {
                base_url: Some(format!(
                    "{}/{}",
                    server.trim_end_matches('/'),
                    exchange.name
                )),
                requests_per_second: Some(requests_per_second),
                enabled: true,
            };
            (exchange.name.to_owned(), config)
        };
        Self {
            sources: crate::EXCHANGES.iter().map(source).collect(),
            ..Self::default()
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The first one outside its range.
    pub fn validate(&self) -> Result<(), FeedsConfigError> {
        within("period_ms", self.period_ms, &PERIOD_MS)?;
        within("timeout_ms", self.timeout_ms, &TIMEOUT_MS)?;
        within("max_body_bytes", self.max_body_bytes, &BODY_BYTES)?;
        let printable = |b: u8| b == b' ' || b.is_ascii_graphic();
        if self.user_agent.is_empty()
            || self.user_agent.len() > 200
            || !self.user_agent.bytes().all(printable)
        {
            return refuse(
                "user_agent",
                &format!("{:?}", self.user_agent),
                "1 to 200 printable ASCII characters",
            );
        }
        for (name, source) in &self.sources {
            if Exchange::by_name(name).is_none() {
                return refuse(
                    format!("sources.{name}"),
                    &"..",
                    format!("one of {}", Exchange::names()),
                );
            }
            if let Some(rate) = source
                .requests_per_second
                .filter(|r| !REQUESTS_PER_SECOND.contains(r))
            {
                return refuse(
                    format!("sources.{name}.requests_per_second"),
                    &rate,
                    "from 1 to 10000",
                );
            }
            if let Some(url) = &source.base_url
                && !is_base_url(url)
            {
                return refuse(
                    format!("sources.{name}.base_url"),
                    &format!("{url:?}"),
                    "an http or https URL without user, query and fragment",
                );
            }
        }
        Ok(())
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn source(&self, name: &str) -> SourceConfig {
        self.sources.get(name).cloned().unwrap_or_default()
    }
}

fn is_base_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_key_value_and_range() {
        let message = |change: &dyn Fn(&mut FeedsConfig)| {
            let mut config = FeedsConfig::default();
            config.validate().expect("the default is valid");
            change(&mut config);
            config.validate().expect_err("refused").to_string()
        };
        assert_eq!(
            message(&|c| c.period_ms = 5),
            "feeds.period_ms = 5: must be from 100 to 3600000"
        );
        assert_eq!(
            message(&|c| c.timeout_ms = 0),
            "feeds.timeout_ms = 0: must be from 100 to 60000"
        );
        assert!(message(&|c| c.user_agent = "a\nb".into()).contains("user_agent = \"a\\nb\""));
        let with = |name: &str, source: SourceConfig| {
            message(&move |c| {
                c.sources.insert(name.to_owned(), source.clone());
            })
        };
        assert!(
            with("mtgox", SourceConfig::default())
                .contains("one of coinbase, kraken, binance, binance_us")
        );
        let source = SourceConfig {
            requests_per_second: Some(0),
            ..SourceConfig::default()
        };
        assert!(
            with("okx", source)
                .starts_with("feeds.sources.okx.requests_per_second = 0: must be from 1")
        );
        for url in ["ftp://h", "kraken", "http://h/?a=1", "http://user@h"] {
            let source = SourceConfig {
                base_url: Some(url.into()),
                ..SourceConfig::default()
            };
            assert!(
                with("kraken", source).starts_with("feeds.sources.kraken.base_url"),
                "{url}"
            );
        }
        FeedsConfig::below("http://127.0.0.1:1/", 50)
            .validate()
            .expect("valid");
    }
}
