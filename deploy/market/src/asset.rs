//! The currencies of the random walk.

/// A currency and how it moves.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) name: &'static str,
    /// Price around which it walks, in units of 10^-8 dollars.
    pub(crate) dollars_e8: i128,
    /// Deviation over one millisecond, in units of 10^-12: 3400000 is 60 % a year.
    pub(crate) sigma: u32,
    /// Decimal places of its prices.
    pub(crate) places: u8,
    /// Mean time between two trades at a busy exchange, in milliseconds.
    pub(crate) trade_every_ms: u64,
}

const fn asset(
    name: &'static str,
    dollars_e8: i128,
    sigma: u32,
    places: u8,
    trade_every_ms: u64,
) -> Asset {
    Asset {
        name,
        dollars_e8,
        sigma,
        places,
        trade_every_ms,
    }
}

/// What has a market.
pub(crate) static BASES: [Asset; 12] = [
    asset("AAVE", 17_850_000_000, 5_100_000, 2, 1_500),
    asset("AVAX", 2_745_000_000, 5_100_000, 3, 900),
    asset("BTC", 9_712_000_000_000, 3_400_000, 2, 250),
    asset("DOGE", 19_840_000, 5_600_000, 5, 700),
    asset("ETH", 344_500_000_000, 4_000_000, 2, 300),
    asset("EUR", 108_320_000, 450_000, 5, 1_200),
    asset("LINK", 1_486_000_000, 5_100_000, 3, 900),
    asset("LTC", 8_390_000_000, 4_500_000, 2, 1_000),
    asset("SOL", 19_630_000_000, 5_000_000, 2, 350),
    asset("USDC", 100_000_000, 12_000, 5, 1_000),
    asset("USDT", 100_030_000, 15_000, 5, 800),
    asset("XRP", 228_400_000, 5_000_000, 4, 500),
];

/// What prices are written in.
pub(crate) const QUOTES: [&str; 4] = ["EUR", "USD", "USDC", "USDT"];

/// The walking currency of a name; the dollar is none.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    BASES.iter().find(|a| a.name == name)
}
