//! One feed's instants as a picture: price, the range of the quotes that were used, every venue, and the flags.

use std::fmt::Write as _;

use jiff::Timestamp;
use touchstone_types::{Decimal, FeedSpec, Market, Status};

use super::Moment;

/// Columns of the picture; more instants share one.
const COLUMNS_MAX: usize = 1_200;
const WIDTH: i128 = 1_200;
const HEIGHT: i128 = 520;
const LEFT: i128 = 110;
const TOP: i128 = 40;
const FLAGS: i128 = 14;
/// Air above and below the price, in hundredths of its range.
const MARGIN: i128 = 15;
const COLOURS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22",
    "#7f7f7f", "#aec7e8",
];

/// Lowest and highest of what was seen.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: i128,
    high: i128,
}

impl Range {
    fn with(range: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (range, other) {
            (Some(a), Some(b)) => Some(Self {
                low: a.low.min(b.low),
                high: a.high.max(b.high),
            }),
            (a, b) => a.or(b),
        }
    }
}

#[derive(Clone, Debug)]
struct Column {
    from_ms: u64,
    price: Option<Range>,
    used: Option<Range>,
    venues: Vec<Option<Range>>,
    status: u8,
}

/// Collects instants in bounded memory, and draws them.
#[derive(Clone, Debug)]
pub struct Chart {
    index: usize,
    feed: FeedSpec,
    columns: Vec<Column>,
    /// Instants that share a column.
    shared: usize,
    /// Instants in the last column.
    in_last: usize,
    to_ms: u64,
}

impl Chart {
    /// For the feed at this place of the list.
    pub fn new(index: usize, feed: &FeedSpec) -> Self {
        Self {
            index,
            feed: feed.clone(),
            columns: Vec::new(),
            shared: 1,
            in_last: 0,
            to_ms: 0,
        }
    }

    /// Takes an instant.
    pub fn add(&mut self, moment: &Moment<'_>) {
        let Some(priced) = moment.priced.get(self.index) else {
            return;
        };
        let whole = |value: Decimal| value.rescale(self.feed.exponent).ok().map(|v| v.mantissa);
        let point = |value: Decimal| whole(value).map(|v| Range { low: v, high: v });
        let quotes = || {
            let used = priced.used.iter().map(|q| (&q.source, q.pair, q.value));
            // What the gate refused has a value, too.
            used.chain(priced.dropped.iter().filter_map(|q| match q.reason {
                crate::DropReason::Outlier { value, .. } => Some((&q.source, q.pair, value)),
                _ => None,
            }))
        };
        let venue = |market: &Market| {
            let found = quotes()
                .find(|(source, pair, _)| (*source, *pair) == (&market.source, market.pair));
            found.and_then(|(_, _, value)| point(value))
        };
        let column = Column {
            from_ms: moment.now_ms,
            price: priced.price.and_then(point),
            used: priced
                .used
                .iter()
                .fold(None, |range, quote| Range::with(range, point(quote.value))),
            venues: self.feed.sources.iter().map(venue).collect(),
            status: priced.status.bits(),
        };
        self.to_ms = moment.now_ms;
        match self.columns.last_mut() {
            Some(last) if self.in_last < self.shared => {
                last.merge(&column);
                self.in_last = self.in_last.saturating_add(1);
            }
            _ => {
                self.columns.push(column);
                self.in_last = 1;
            }
        }
        if self.columns.len() > COLUMNS_MAX {
            self.halve();
        }
    }

    /// Makes one column of two.
    fn halve(&mut self) {
        let last_is_alone = self.columns.len() % 2 == 1;
        let halved = self.columns.chunks(2).filter_map(|pair| {
            let (first, rest) = pair.split_first()?;
            let mut column = first.clone();
            rest.iter().for_each(|other| column.merge(other));
            Some(column)
        });
        self.columns = halved.collect();
        if !last_is_alone {
            self.in_last = self.in_last.saturating_add(self.shared);
        }
        self.shared = self.shared.saturating_mul(2);
    }

    /// The picture; none if the feed never had a price.
    pub fn svg(&self) -> Option<String> {
        let frame = Frame::around(self)?;
        let mut out = String::new();
        // Writing to a text cannot fail.
        let _ = self.draw(&frame, &mut out);
        Some(out)
    }

    fn draw(&self, frame: &Frame, out: &mut String) -> std::fmt::Result {
        let below = TOP + HEIGHT;
        let legend = i128::try_from(self.feed.sources.len() / 5).unwrap_or(0) * 18 + 18;
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="sans-serif" font-size="12">"#,
            LEFT + WIDTH + 20,
            below + FLAGS + 50 + legend,
        )?;
        writeln!(out, r##"<rect width="100%" height="100%" fill="#fff"/>"##)?;
        writeln!(
            out,
            r#"<text x="{LEFT}" y="22" font-size="16">{} from {} to {}</text>"#,
            self.feed.name,
            time(self.columns.first().map_or(0, |c| c.from_ms)),
            time(self.to_ms),
        )?;
        frame.grid(self.feed.exponent, out)?;
        let used = self.columns.iter().map(|c| c.used);
        writeln!(
            out,
            r##"<path d="{}" stroke="#d9d9d9" stroke-width="1.5" fill="none"/>"##,
            frame.bars(used)
        )?;
        for (i, market) in self.feed.sources.iter().enumerate() {
            let colour = COLOURS.get(i % COLOURS.len()).copied().unwrap_or_default();
            let venue = self
                .columns
                .iter()
                .map(|c| c.venues.get(i).copied().flatten());
            writeln!(
                out,
                r#"<path d="{}" stroke="{colour}" stroke-width="0.7" fill="none"/>"#,
                frame.line(venue)
            )?;
            let i = i128::try_from(i).unwrap_or(0);
            let (x, y) = (LEFT + i % 5 * 230, below + FLAGS + 44 + i / 5 * 18);
            writeln!(
                out,
                r#"<text x="{x}" y="{y}" fill="{colour}">{} {}</text>"#,
                market.source, market.pair
            )?;
        }
        let price = self.columns.iter().map(|c| c.price);
        writeln!(
            out,
            r##"<path d="{}" stroke="#000" stroke-width="1.4" fill="none"/>"##,
            frame.line(price)
        )?;
        for (i, column) in self.columns.iter().enumerate() {
            if let Some(colour) = colour_of(column.status) {
                writeln!(
                    out,
                    r#"<rect x="{}" y="{}" width="{}" height="{FLAGS}" fill="{colour}"><title>{}</title></rect>"#,
                    frame.x(i),
                    below + 4,
                    (WIDTH / frame.columns).max(1),
                    Status::from_bits(column.status).map_or_else(String::new, |s| s.to_string()),
                )?;
            }
        }
        writeln!(
            out,
            r##"<text x="4" y="{}">flags</text><text x="{LEFT}" y="{}" fill="#555">black: the price; grey: the quotes behind it; flags: red without a price, orange any other</text>"##,
            below + FLAGS + 1,
            TOP - 6,
        )?;
        writeln!(out, "</svg>")
    }
}

impl Column {
    fn merge(&mut self, other: &Self) {
        self.price = Range::with(self.price, other.price);
        self.used = Range::with(self.used, other.used);
        for (mine, theirs) in self.venues.iter_mut().zip(&other.venues) {
            *mine = Range::with(*mine, *theirs);
        }
        self.status |= other.status;
    }
}

fn colour_of(status: u8) -> Option<&'static str> {
    match Status::from_bits(status)? {
        status if status.is_ok() => None,
        status if status.bits() & Status::UNAVAILABLE.bits() != 0 => Some("#d62728"),
        _ => Some("#ff9900"),
    }
}

fn time(ms: u64) -> String {
    let stamp = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(|| ms.to_string(), |stamp| stamp.to_string())
}

/// Where prices and columns lie in the picture.
struct Frame {
    low: i128,
    range: i128,
    columns: i128,
}

impl Frame {
    fn around(chart: &Chart) -> Option<Self> {
        let price = chart
            .columns
            .iter()
            .fold(None, |r, c| Range::with(r, c.price))?;
        let spread = price.high.saturating_sub(price.low);
        // A price that does not move is drawn in the middle of half a percent.
        let least = (price.high / 200).max(2);
        let air = (spread.max(least)).saturating_mul(MARGIN) / 100;
        let low = price.low.saturating_sub(air);
        Some(Self {
            low,
            range: price.high.saturating_add(air).saturating_sub(low).max(1),
            columns: i128::try_from(chart.columns.len()).ok()?.max(1),
        })
    }

    fn x(&self, column: usize) -> i128 {
        LEFT + i128::try_from(column).unwrap_or(0) * WIDTH / self.columns
    }

    /// What lies outside is drawn at the edge.
    fn y(&self, value: i128) -> i128 {
        let above = value.saturating_sub(self.low).clamp(0, self.range);
        let height = above.checked_mul(HEIGHT).map_or(0, |y| y / self.range);
        TOP + HEIGHT - height
    }

    /// A line that breaks where there is nothing.
    fn line(&self, ranges: impl Iterator<Item = Option<Range>>) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for (i, range) in ranges.enumerate() {
            let Some(range) = range else {
                pen = 'M';
                continue;
            };
            let x = self.x(i);
            let _ = write!(
                path,
                "{pen}{x} {}L{x} {}",
                self.y(range.low),
                self.y(range.high)
            );
            pen = 'L';
        }
        path
    }

    fn bars(&self, ranges: impl Iterator<Item = Option<Range>>) -> String {
        let mut path = String::new();
        for (i, range) in ranges.enumerate() {
            if let Some(range) = range {
                let x = self.x(i);
                let _ = write!(
                    path,
                    "M{x} {}L{x} {}",
                    self.y(range.low),
                    self.y(range.high)
                );
            }
        }
        path
    }

    fn grid(&self, exponent: i8, out: &mut String) -> std::fmt::Result {
        for i in 0..=4 {
            let value = self.low.saturating_add(self.range.saturating_mul(i) / 4);
            let y = self.y(value);
            // Six digits are enough to read, the rest is in the table.
            let shown = readable(Decimal::new(value, exponent));
            writeln!(
                out,
                r##"<path d="M{LEFT} {y}H{}" stroke="#eee"/><text x="{}" y="{}" text-anchor="end">{shown}</text>"##,
                LEFT + WIDTH,
                LEFT - 6,
                y + 4,
            )?;
        }
        Ok(())
    }
}

/// The value with about six digits.
fn readable(value: Decimal) -> Decimal {
    let digits = value.mantissa.unsigned_abs().checked_ilog10().unwrap_or(0);
    let surplus = i8::try_from(digits.saturating_sub(5)).unwrap_or(0);
    let exponent = value.exponent.saturating_add(surplus);
    value
        .rescale(exponent.min(0).max(value.exponent))
        .unwrap_or(value)
}
