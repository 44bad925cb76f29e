//! The random market: each exchange trades around a common walk.
//!
//! Everything is a function of the seed and the time, nothing is stored. Time is cut into slots of a market's mean time
//! between trades; most slots hold one trade at a random moment. Its price is the common walk a little earlier (the
//! exchange's lag), plus the exchange's slowly wandering premium, plus noise, minus or plus half the spread.

use touchstone_feeds::EXCHANGES;
use touchstone_types::{Decimal, FeedName, Market};

use crate::{
    asset::{self, BASES, QUOTES},
    hash::Place,
    trade::{Day, Side, Summary, Trade, shifted},
    walk::{ONE, walk},
};

const DAY_MS: u64 = 86_400_000;
/// How many slots back a trade is looked for.
const SLOTS_MAX: u64 = 2_000;
/// Half of the spread, in millionths of the price.
const HALF_SPREAD_PPM: i128 = 60;
/// Noise of a single trade, in millionths of the price either way.
const NOISE_PPM: u64 = 120;

/// How an exchange trades.
struct Venue {
    lag_ms: u64,
    /// Mean time between trades against a busy exchange.
    pace: u64,
}

fn venue(source: &str) -> Venue {
    let (lag_ms, pace) = match source {
        "coinbase" => (40, 1),
        "kraken" => (120, 2),
        "binance" => (20, 1),
        "bitstamp" => (180, 8),
        "okx" => (30, 1),
        "bybit" => (30, 1),
        "kucoin" => (60, 2),
        "gateio" => (70, 2),
        "bitfinex" => (100, 3),
        "gemini" => (200, 8),
        "cryptocom" => (60, 2),
        "htx" => (80, 3),
        "mexc" => (90, 2),
        "bitget" => (50, 2),
        _ => (250, 10),
    };
    Venue { lag_ms, pace }
}

#[derive(Debug)]
pub(crate) struct Demo {
    seed: Place,
}

impl Demo {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed: Place::new(seed),
        }
    }

    pub(crate) fn markets(&self) -> Vec<Market> {
        let pairs: Vec<FeedName> = BASES
            .iter()
            .flat_map(|base| QUOTES.map(|quote| (base.name, quote)))
            .filter(|(base, quote)| base != quote)
            .filter_map(|(base, quote)| FeedName::pair(base, quote).ok())
            .collect();
        let mut markets: Vec<Market> = EXCHANGES
            .iter()
            .flat_map(|exchange| pairs.iter().map(|pair| (exchange.name.to_owned(), *pair)))
            .map(|(source, pair)| Market { source, pair })
            .collect();
        markets.sort_by(|a, b| (&a.source, a.pair).cmp(&(&b.source, b.pair)));
        markets
    }

    /// Dollars per unit of a currency, in units of 10^-8.
    fn dollars_e8(&self, name: &str, t_ms: u64) -> i128 {
        match asset::find(name) {
            Some(asset) => {
                let moved = walk(self.seed.named(name), asset.sigma, t_ms);
                asset.dollars_e8 * (ONE + moved) / ONE
            }
            None => 100_000_000,
        }
    }

    /// The common price of a pair in units of 10^-12.
    fn common_e12(&self, pair: FeedName, t_ms: u64) -> i128 {
        let quote = self.dollars_e8(pair.quote(), t_ms).max(1);
        self.dollars_e8(pair.base(), t_ms) * ONE / quote
    }

    /// The price of one trade.
    fn price(&self, source: &str, pair: FeedName, at: Place, t_ms: u64, side: Side) -> Decimal {
        let base = asset::find(pair.base());
        let seen_ms = t_ms.saturating_sub(venue(source).lag_ms);
        let common = self.common_e12(pair, seen_ms);
        let premium_place = self.seed.named(source).named(pair.as_str());
        let premium = walk(premium_place, base.map_or(0, |b| b.sigma / 160), t_ms);
        // What hardly moves has hardly any noise either.
        let calm = base.is_none_or(|b| b.sigma < 100_000);
        let noise_ppm = i128::from(at.named("noise").below(2 * NOISE_PPM)) - i128::from(NOISE_PPM);
        let spread_ppm = match side {
            Side::Buy => HALF_SPREAD_PPM,
            Side::Sell => -HALF_SPREAD_PPM,
        };
        let off_ppm = (noise_ppm + spread_ppm) / if calm { 4 } else { 1 };
        let factor = ONE + premium + off_ppm * (ONE / 1_000_000);
        let places = base.map_or(2, |b| b.places);
        let unit = 10i128.pow(12u32.saturating_sub(u32::from(places)));
        let mantissa = (common * factor / ONE / unit).max(1);
        Decimal::new(mantissa, 0i8.saturating_sub_unsigned(places))
    }

    fn slot_ms(source: &str, pair: FeedName) -> u64 {
        asset::find(pair.base()).map_or(1_000, |b| b.trade_every_ms) * venue(source).pace
    }

    /// The trade of a slot, if it has one.
    fn trade_in(&self, source: &str, pair: FeedName, slot: u64) -> Option<Trade> {
        let at = self.seed.named(source).named(pair.as_str()).at(slot);
        if at.named("quiet").below(8) == 0 {
            return None;
        }
        let slot_us = Self::slot_ms(source, pair) * 1_000;
        let time_us = slot * slot_us + at.named("moment").below(slot_us);
        let side = if at.named("side").below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let price = self.price(source, pair, at, time_us / 1_000, side);
        // About a hundred to a hundred thousand dollars' worth, in units of 10^-6 of the base currency.
        let worth_e8 = 10_000_000_000 * i128::from(1 + at.named("worth").below(1_000));
        let amount =
            (worth_e8 * 1_000_000 / self.dollars_e8(pair.base(), time_us / 1_000).max(1)).max(1);
        Some(Trade {
            id: slot,
            time_us,
            price,
            amount: Decimal::new(amount, -6),
            side,
        })
    }

    pub(crate) fn trades(
        &self,
        source: &str,
        pair: FeedName,
        now_ms: u64,
        limit: usize,
    ) -> Vec<Trade> {
        let now_slot = now_ms / Self::slot_ms(source, pair);
        (0..SLOTS_MAX)
            .filter_map(|back| now_slot.checked_sub(back))
            .filter_map(|slot| self.trade_in(source, pair, slot))
            .filter(|trade| trade.time_us <= now_ms * 1_000)
            .take(limit)
            .collect()
    }

    pub(crate) fn summary(&self, source: &str, pair: FeedName, now_ms: u64) -> Option<Summary> {
        let last = self.trades(source, pair, now_ms, 1).first().copied()?;
        Some(Summary {
            last,
            bid: shifted(last.price, -HALF_SPREAD_PPM),
            ask: shifted(last.price, HALF_SPREAD_PPM),
            day: self.day(source, pair, last, now_ms),
        })
    }

    /// The day's figures from its hours: good enough for what nobody prices by.
    fn day(&self, source: &str, pair: FeedName, last: Trade, now_ms: u64) -> Day {
        let exponent = last.price.exponent;
        let unit = 10i128.pow(12u32.saturating_sub(u32::from(exponent.unsigned_abs())));
        let hourly: Vec<i128> = (0..24)
            .map(|hour| now_ms.saturating_sub(DAY_MS) + hour * (DAY_MS / 24))
            .map(|t| (self.common_e12(pair, t) / unit).max(1))
            .chain([last.price.mantissa])
            .collect();
        let decimal = |mantissa: i128| Decimal::new(mantissa, exponent);
        let mean = hourly.iter().sum::<i128>() / 25;
        let count = DAY_MS / Self::slot_ms(source, pair) * 7 / 8;
        // The mean trade is worth 50,050 dollars.
        let worth_e8 = 5_005_000_000_000 * i128::from(count);
        let volume = worth_e8 * 1_000_000 / self.dollars_e8(pair.base(), now_ms).max(1);
        Day {
            open: decimal(hourly.first().copied().unwrap_or(mean)),
            high: decimal(hourly.iter().max().copied().unwrap_or(mean)),
            low: decimal(hourly.iter().min().copied().unwrap_or(mean)),
            vwap: decimal(mean),
            volume: Decimal::new(volume.max(1), -6),
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn pair(text: &str) -> FeedName {
        FeedName::new(text).expect(text)
    }

    #[test]
    fn the_same_seed_gives_the_same_market() {
        let trades = |seed: u64| Demo::new(seed).trades("kraken", pair("BTC-USD"), NOW, 5);
        assert_eq!(trades(1), trades(1));
        assert_ne!(trades(1), trades(2));
    }

    #[test]
    fn trades_come_newest_first_and_never_from_the_future() {
        let demo = Demo::new(3);
        for market in demo.markets() {
            let trades = demo.trades(&market.source, market.pair, NOW, 20);
            assert_eq!(trades.len(), 20, "{market:?}");
            assert!(trades[0].time_us <= NOW * 1_000);
            assert!(
                trades
                    .windows(2)
                    .all(|w| w[0].time_us > w[1].time_us && w[0].id > w[1].id)
            );
            assert!(
                NOW - trades[0].time_ms() < 60_000,
                "{market:?} has hardly any trades"
            );
        }
    }

    #[test]
    fn a_trade_stays_what_it_was() {
        let demo = Demo::new(3);
        let now = demo.trades("okx", pair("ETH-USDT"), NOW, 10);
        let later = demo.trades("okx", pair("ETH-USDT"), NOW + 700, 30);
        let start = later
            .iter()
            .position(|t| t == &now[0])
            .expect("still there");
        assert_eq!(later[start..start + 10], now[..]);
    }

    #[test]
    fn exchanges_agree_within_a_fifth_of_a_percent() {
        let demo = Demo::new(4);
        for hour in 0..300 {
            let now = NOW + hour * 3_600_000;
            let prices: Vec<i128> = EXCHANGES
                .iter()
                .map(|exchange| {
                    demo.trades(exchange.name, pair("BTC-USD"), now, 1)[0]
                        .price
                        .mantissa
                })
                .collect();
            let (low, high) = (
                prices.iter().min().expect("some"),
                prices.iter().max().expect("some"),
            );
            assert!((high - low) * 500 < *low, "{prices:?}");
        }
    }

    #[test]
    fn tether_is_no_dollar() {
        let demo = Demo::new(4);
        let cross =
            demo.common_e12(pair("BTC-USDT"), NOW) * demo.dollars_e8("USDT", NOW) / 100_000_000;
        let direct = demo.common_e12(pair("BTC-USD"), NOW);
        assert!((cross - direct).abs() < direct / 1_000_000);
        assert_ne!(demo.common_e12(pair("BTC-USDT"), NOW), direct);
    }

    #[test]
    fn the_summary_hangs_together() {
        let demo = Demo::new(4);
        for market in demo.markets() {
            let s = demo
                .summary(&market.source, market.pair, NOW)
                .expect("traded");
            assert!(s.bid.mantissa < s.ask.mantissa);
            assert!(
                s.day.low.mantissa <= s.last.price.mantissa
                    && s.last.price.mantissa <= s.day.high.mantissa
            );
            assert!(s.day.volume.is_positive() && s.day.count > 0);
        }
    }
}
