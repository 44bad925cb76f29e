//! The outlier gate: how far from the median a quote may be.

use std::cmp::Ordering;

use serde::Serialize;
use touchstone_types::{Decimal, EXPONENT_MIN, FeedSpec};

use super::DropReason;

/// Decimal places beyond the feed's own that the gate compares with.
const EXTRA_PLACES: i8 = 6;
/// Largest integer that the gate computes with: times the largest factor (2^32) it still fits 127 bits.
const GAUGE_MAX: i128 = 1_000_000_000_000_000_000_000_000_000;
const MILLION: i128 = 1_000_000;

/// A quote is an outlier if it is further from the lower median of all than `outlier_mads_milli` thousandths of the
/// median absolute deviation (MAD), and further than the floor of `outlier_floor_ppm` millionths of the median.
///
/// The MAD is the *upper* median of the deviations: more than half of the quotes are at most one MAD away. So a gate of
/// at least one MAD never drops half of the quotes, and of two it drops none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Gate {
    /// Lower median of all quotes before the gate.
    pub median: Decimal,
    /// Upper median of their distances from it.
    pub mad: Decimal,
    /// How far from the median a quote may be.
    pub limit: Decimal,
    #[serde(skip)]
    center: i128,
    #[serde(skip)]
    reach: i128,
    #[serde(skip)]
    floor: i128,
}

/// A value beside the integer that stands for it in the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gauged {
    pub(super) value: Decimal,
    gauge: i128,
}

impl Gauged {
    /// `None` if the value is too large to compute with: above 10^13 at an exponent of -8.
    pub(super) fn new(feed: &FeedSpec, value: Decimal) -> Option<Self> {
        let gauge = value.rescale(gauge_exponent(feed)).ok()?.mantissa;
        (0..=GAUGE_MAX)
            .contains(&gauge)
            .then_some(Self { value, gauge })
    }
}

impl PartialOrd for Gauged {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Gauged {
    fn cmp(&self, other: &Self) -> Ordering {
        // Values that only differ in how they are written still need an order that `Eq` agrees with.
        self.value
            .cmp_value(&other.value)
            .then(self.value.exponent.cmp(&other.value.exponent))
    }
}

fn gauge_exponent(feed: &FeedSpec) -> i8 {
    feed.exponent.saturating_sub(EXTRA_PLACES).max(EXPONENT_MIN)
}

fn distance(a: i128, b: i128) -> i128 {
    a.saturating_sub(b).saturating_abs()
}

impl Gate {
    /// The gate over a feed's quotes, if there are any.
    pub(super) fn over(feed: &FeedSpec, values: impl Iterator<Item = Gauged>) -> Option<Self> {
        let mut gauges: Vec<i128> = values.map(|v| v.gauge).collect();
        gauges.sort_unstable();
        let center = *gauges.get(gauges.len().saturating_sub(1) / 2)?;
        let mut distances: Vec<i128> = gauges.iter().map(|g| distance(*g, center)).collect();
        distances.sort_unstable();
        let mad = *distances.get(distances.len() / 2)?;
        let by_mad = mad.saturating_mul(i128::from(feed.outlier_mads_milli)) / 1_000;
        let floor = center.saturating_mul(i128::from(feed.outlier_floor_ppm)) / MILLION;
        let reach = by_mad.max(floor);
        let decimal = |gauge| Decimal::new(gauge, gauge_exponent(feed)).trimmed();
        Some(Self {
            median: decimal(center),
            mad: decimal(mad),
            limit: decimal(reach),
            center,
            reach,
            floor,
        })
    }

    /// Why the quote is an outlier, if it is one.
    pub(super) fn refuses(&self, quote: Gauged) -> Option<DropReason> {
        (distance(quote.gauge, self.center) > self.reach).then(|| DropReason::Outlier {
            value: quote.value,
            median: self.median,
            limit: self.limit,
            deviation_ppm: self.deviation_ppm(quote),
        })
    }

    /// Whether two quotes differ by more than the floor allows.
    pub(super) fn differ(&self, low: Gauged, high: Gauged) -> bool {
        distance(low.gauge, high.gauge) > self.floor
    }

    /// Signed distance from the median in millionths of it.
    pub(super) fn deviation_ppm(&self, quote: Gauged) -> i64 {
        quote
            .gauge
            .saturating_sub(self.center)
            .saturating_mul(MILLION)
            .checked_div(self.center)
            .map_or(0, |ppm| i64::try_from(ppm).unwrap_or(i64::MAX))
    }
}
