//! Names of feeds.

use crate::bytes::equal;

/// `BASE-QUOTE`, each part 1 to 15 of `A-Z 0-9 .`: ASCII, padded with zeros on the right to 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Feed([u8; 32]);

impl Feed {
    /// A feed by name, at compile time where it is asked for in a constant:
    ///
    /// ```
    /// use touchstone_solana::Feed;
    /// const BTC_USD: Feed = Feed::new("BTC-USD").unwrap();
    /// ```
    pub const fn new(name: &str) -> Option<Self> {
        let mut padded = [0; 32];
        let mut from = name.as_bytes();
        let mut to: &mut [u8] = &mut padded;
        while let [byte, rest @ ..] = from {
            let [slot, others @ ..] = to else { return None };
            *slot = *byte;
            (from, to) = (rest, others);
        }
        Self::from_bytes(padded)
    }

    /// Reads the padded bytes; `None` if no feed has this name.
    pub const fn from_bytes(bytes: [u8; 32]) -> Option<Self> {
        if is_name(&bytes) {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The 32 padded bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn is(&self, bytes: &[u8; 32]) -> bool {
        equal(&self.0, bytes)
    }
}

/// Whether the padded bytes are a feed's name.
pub(crate) const fn is_name(bytes: &[u8; 32]) -> bool {
    const PART_MAX: u8 = 15;
    let (mut rest, mut part, mut in_quote): (&[u8], u8, bool) = (bytes, 0, false);
    while let [byte, others @ ..] = rest {
        match byte {
            // At most twice 15 and once more: it cannot overflow.
            b'A'..=b'Z' | b'0'..=b'9' | b'.' if part < PART_MAX => part = part.wrapping_add(1),
            b'-' if part > 0 && !in_quote => (part, in_quote) = (0, true),
            0 => break,
            _ => return false,
        }
        rest = others;
    }
    // Padding, eight bytes at a time.
    let (mut words, mut rest) = rest.as_chunks::<8>();
    while let [word, others @ ..] = words {
        if u64::from_le_bytes(*word) != 0 {
            return false;
        }
        words = others;
    }
    while let [byte, others @ ..] = rest {
        if *byte != 0 {
            return false;
        }
        rest = others;
    }
    // Two parts of 15 and a hyphen are 31 bytes, so a zero is always there.
    in_quote && part > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in [
            "A-B",
            "BTC-USD",
            "BRK.B-USD",
            "ABCDEFGHIJKLMNO-0123456789.ABCD",
        ] {
            let feed = Feed::new(good).expect(good);
            assert!(feed.as_bytes().starts_with(good.as_bytes()));
            assert!(feed.is(feed.as_bytes()));
        }
        for bad in [
            "",
            "-",
            "A",
            "A-",
            "-A",
            "A-B-C",
            "a-B",
            "A-b",
            "A B",
            "A_B-C",
            "ABCDEFGHIJKLMNOP-A",
            "A-ABCDEFGHIJKLMNOP",
            "A-B\0C",
            "\0A-B",
            "Ä-B",
            "ABCDEFGHIJKLMNO-ABCDEFGHIJKLMNOPQ",
        ] {
            assert_eq!(Feed::new(bad), None, "{bad}");
        }
    }
}
