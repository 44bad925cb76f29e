//! From a set of observations to the report that the group signs. Everybody who holds the observations computes the same.

use alloc::vec::Vec;

use thiserror::Error;

use crate::{
    Committee, Digest, Epoch, FeedName, FeedObservation, Header, Leaf, MessageKind, NetworkId,
    Observation, Round, Statement, Status, Suite, merkle, sha256,
};

/// What a report depends on, beside the observations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The network.
    pub network: NetworkId,
    /// The epoch.
    pub epoch: Epoch,
    /// The committee of the epoch.
    pub committee: Committee,
    /// The suites of the group key.
    pub suites: Vec<Suite>,
    /// The feeds in the manifest's order, with their exponents.
    pub feeds: Vec<(FeedName, i8)>,
}

/// One contributor's observation: the header it signed and the body that the header's hash names.
#[derive(Clone, Copy, Debug)]
pub struct Contribution<'a> {
    /// The signed header.
    pub header: &'a Header,
    /// The canonical bytes of the observation.
    pub body: &'a [u8],
    /// The same, decoded.
    pub observation: &'a Observation,
}

/// Why there is no report over these contributions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ReportError {
    /// Fewer contributors than a quorum.
    #[error("{held} contributions, but a report needs {needed}")]
    TooFew {
        /// How many there are.
        held: usize,
        /// The quorum.
        needed: usize,
    },
    /// Contributors are not strictly ascending by member.
    #[error("contributions must be in ascending order of member, each member once")]
    Order,
    /// A header that is not of this round's observation, or that names another body.
    #[error("the contribution of member {member} is not its observation of this round")]
    Header {
        /// The member of the header.
        member: u16,
    },
}

/// A round's result before it is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What the group signs.
    pub statement: Statement,
    /// One leaf for each feed of the manifest, in its order.
    pub leaves: Vec<Leaf>,
}

impl Report {
    /// The report of a round over a set of contributions in ascending order of member.
    ///
    /// With `k >= 2f + 1` observations of a feed, the price is their lower median, low the `f`-th smallest and high the
    /// `f`-th largest (from 0): all inside the range of honest values. With fewer the feed is unavailable. A status bit is
    /// set where `f + 1` observers raise it.
    ///
    /// # Errors
    /// Fewer than a quorum of contributions, an order that is not ascending, or a header of something else.
    pub fn compute(
        terms: &Terms,
        round: Round,
        contributions: &[Contribution<'_>],
    ) -> Result<Self, ReportError> {
        let needed = terms.committee.quorum();
        let held = contributions.len();
        if held < needed {
            return Err(ReportError::TooFew { held, needed });
        }
        check_headers(terms, round, contributions)?;
        let leaves = leaves(terms, contributions);
        let leaf_hashes: Vec<Digest> = leaves
            .iter()
            .map(|l| merkle::leaf_hash(&l.to_bytes()))
            .collect();
        let timestamps = contributions.iter().map(|c| c.observation.timestamp_ms);
        let statement = Statement {
            network: terms.network,
            epoch: terms.epoch,
            round,
            timestamp_ms: lower_median(timestamps.collect()).unwrap_or_default(),
            feed_count: u16::try_from(leaves.len()).unwrap_or(u16::MAX),
            feeds_root: merkle::root(&leaf_hashes),
            observations_root: observations_root(contributions),
        };
        Ok(Self { statement, leaves })
    }
}

/// The RFC 9162 tree over `header || body` of each contributor, in the given order.
fn observations_root(contributions: &[Contribution<'_>]) -> Digest {
    let hashes: Vec<Digest> = contributions
        .iter()
        .map(|c| sha256(&[&[0], &c.header.to_bytes(), c.body]))
        .collect();
    merkle::root(&hashes)
}

fn check_headers(
    terms: &Terms,
    round: Round,
    contributions: &[Contribution<'_>],
) -> Result<(), ReportError> {
    let tag = Header::tag(terms.network, terms.epoch);
    let mut last = None;
    for c in contributions {
        let h = c.header;
        if last.is_some_and(|last| last >= h.member) {
            return Err(ReportError::Order);
        }
        last = Some(h.member);
        let fits = h.tag == tag
            && h.kind == MessageKind::Obs
            && h.round == round
            && h.view.0 == 0
            && h.instance == 0
            && terms.committee.contains(h.member)
            && h.body_hash == sha256(&[c.body]);
        if !fits {
            return Err(ReportError::Header { member: h.member.0 });
        }
    }
    Ok(())
}

/// One leaf for each feed. Observations hold feeds in ascending order, so each is gone through once.
fn leaves(terms: &Terms, contributions: &[Contribution<'_>]) -> Vec<Leaf> {
    let feeds = contributions.iter().map(|c| c.observation.feeds.iter());
    let mut rest: Vec<_> = feeds.map(Iterator::peekable).collect();
    let mut seen = Vec::with_capacity(rest.len());
    let mut out = Vec::with_capacity(terms.feeds.len());
    for (index, (feed, exponent)) in terms.feeds.iter().enumerate() {
        seen.clear();
        let of_feed = |o: &&FeedObservation| usize::from(o.feed_index) == index;
        seen.extend(rest.iter_mut().filter_map(|feeds| feeds.next_if(of_feed)));
        out.push(leaf(terms.committee, *feed, *exponent, &seen));
    }
    out
}

fn leaf(committee: Committee, feed: FeedName, exponent: i8, seen: &[&FeedObservation]) -> Leaf {
    let observers = u16::try_from(seen.len()).unwrap_or(u16::MAX);
    let status = Status::all()
        .filter(|(bit, _)| {
            let raised = seen.iter().filter(|o| o.status.contains(*bit)).count();
            raised >= committee.one_honest()
        })
        .fold(Status::OK, |acc, (bit, _)| acc.with(bit));
    let mut values: Vec<i128> = seen.iter().map(|o| o.mantissa).collect();
    values.sort_unstable();
    let f = usize::from(committee.f());
    let top = values.len().checked_sub(f.saturating_add(1));
    let (low, high) = (values.get(f), top.and_then(|at| values.get(at)));
    let times = seen.iter().map(|o| o.trade_time_ms).collect();
    match (middle(&values), low, high, lower_median(times)) {
        (Some(price), Some(low), Some(high), Some(observed_at_ms))
            if values.len() >= committee.priceable() =>
        {
            Leaf {
                feed,
                status,
                exponent,
                price,
                low: *low,
                high: *high,
                observed_at_ms,
                observers,
            }
        }
        _ => Leaf::unavailable(feed, exponent, status, observers),
    }
}

fn lower_median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    middle(&values)
}

/// `sorted[(k - 1) / 2]`.
fn middle<T: Copy>(sorted: &[T]) -> Option<T> {
    let at = sorted.len().checked_sub(1)? / 2;
    sorted.get(at).copied()
}
