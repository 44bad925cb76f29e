//! The program's two kinds of accounts, byte by byte. Integers are little-endian, as usual on Solana.

mod config;
mod price;

pub use config::{CONFIG_BYTES, Config};
pub use price::{PRICE_BYTES, PriceAccount, Stored};
