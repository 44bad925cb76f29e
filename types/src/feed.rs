//! Names of feeds and markets.

use core::{fmt, str::FromStr};

use alloc::string::{String, ToString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::DecodeError;

/// The longest name: two parts of 15 characters and the hyphen.
pub const FEED_NAME_MAX: usize = 31;

/// `BASE-QUOTE`, each part 1 to 15 of `A-Z 0-9 .`; on the wire ASCII, padded with zeros on the right to 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedName([u8; 32]);

/// Why a text is no feed name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a feed name is BASE-QUOTE, each part 1 to 15 of the characters A-Z, 0-9 and '.'")]
pub struct FeedNameError;

impl FeedName {
    /// Parses `BASE-QUOTE`.
    ///
    /// # Errors
    /// Any other form.
    pub fn new(text: &str) -> Result<Self, FeedNameError> {
        let (base, quote) = text.split_once('-').ok_or(FeedNameError)?;
        let fits = |part: &str| {
            (1..=15).contains(&part.len())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.')
        };
        if !fits(base) || !fits(quote) {
            return Err(FeedNameError);
        }
        let mut out = [0; 32];
        for (slot, byte) in out.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        Ok(Self(out))
    }

    /// Name of the market of `base` against `quote`.
    ///
    /// # Errors
    /// A part that is not 1 to 15 of the allowed characters.
    pub fn pair(base: &str, quote: &str) -> Result<Self, FeedNameError> {
        let mut text = String::from(base);
        text.push('-');
        text.push_str(quote);
        Self::new(&text)
    }

    /// Reads the 32 padded bytes.
    ///
    /// # Errors
    /// Bytes that no name has.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, DecodeError> {
        let invalid = DecodeError::Invalid {
            field: "feed",
            reason: "not a zero-padded BASE-QUOTE name",
        };
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        let (name, padding) = bytes.split_at_checked(end).ok_or(invalid)?;
        if padding.iter().any(|b| *b != 0) {
            return Err(invalid);
        }
        let text = core::str::from_utf8(name).map_err(|_| invalid)?;
        Self::new(text).map_err(|_| invalid)
    }

    /// The 32 padded bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The name without its padding.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        self.0
            .get(..end)
            .and_then(|name| core::str::from_utf8(name).ok())
            .unwrap_or_default()
    }

    /// What is priced: `BTC` of `BTC-USD`.
    pub fn base(&self) -> &str {
        self.as_str().split_once('-').map_or("", |(base, _)| base)
    }

    /// What it is priced in: `USD` of `BTC-USD`.
    pub fn quote(&self) -> &str {
        self.as_str().split_once('-').map_or("", |(_, quote)| quote)
    }
}

impl FromStr for FeedName {
    type Err = FeedNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FeedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FeedName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text)
            .map_err(|e| D::Error::custom(alloc::format!("{:?}: {e}", text.to_string())))
    }
}
