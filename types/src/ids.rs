//! Ids and digests.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Index of a member in its epoch's manifest, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberId(pub u16);

/// Number of a round; strictly increasing per network, derived from the wall clock by [`crate::RoundClock`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Round(pub u64);

/// Number of a view within one round: 0 is the optimistic view, 1 and above are asynchronous.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct View(pub u32);

/// Which manifest is in force, from 0 (genesis).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl MemberId {
    /// The index as a `usize`, for slices ordered by member.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Round {
    /// The round `by` later, or the last round there is.
    pub fn saturating_add(self, by: u64) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// The round `by` earlier, or round 0.
    pub fn saturating_sub(self, by: u64) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

impl View {
    /// The next view, or the last view there is.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

macro_rules! display_number {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_number!(MemberId, Round, View, Epoch);

/// A SHA-256 digest; text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Parses 64 hexadecimal digits.
    ///
    /// # Errors
    /// Any other length or character.
    pub fn from_hex(text: &str) -> Result<Self, hex::FromHexError> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out)?;
        Ok(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            Self::from_hex(&text).map_err(|e| {
                D::Error::custom(alloc::format!("expected 64 hexadecimal digits: {e}"))
            })
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// SHA-256 over the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// The network's name for ever: the tagged hash of its genesis manifest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NetworkId(pub Digest);

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A signature suite of the group key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Suite {
    /// FROST(Ed25519, SHA-512) of RFC 9591: an ordinary Ed25519 signature of 64 bytes.
    #[serde(rename = "ed25519")]
    Ed25519 = 1,
    /// FROST over secp256k1 with Keccak-256, for EVM verifiers: 96 bytes (R.x, R.y, z).
    #[serde(rename = "secp256k1-keccak")]
    Secp256k1Keccak = 2,
}

/// Every suite, in ascending order of its byte.
pub const SUITES: [Suite; 2] = [Suite::Ed25519, Suite::Secp256k1Keccak];

impl Suite {
    /// The suite's byte in the wire forms.
    pub fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Secp256k1Keccak => 2,
        }
    }

    /// The suite of a byte, if there is one.
    pub fn from_byte(byte: u8) -> Option<Self> {
        SUITES.into_iter().find(|s| s.byte() == byte)
    }

    /// Length of a group signature, in bytes.
    pub fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 64,
            Self::Secp256k1Keccak => 96,
        }
    }

    /// Length of a pair of FROST nonce commitments (hiding, binding), in bytes.
    pub fn commitments_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 64,
            Self::Secp256k1Keccak => 66,
        }
    }

    /// Length of a serialised group element (a group key, a verifying share), in bytes.
    pub fn element_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::Secp256k1Keccak => 33,
        }
    }

    /// The suite's name in JSON and in command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Secp256k1Keccak => "secp256k1-keccak",
        }
    }
}

/// The text is no suite's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a suite must be {} or {}", SUITES[0], SUITES[1])]
pub struct SuiteError;

impl FromStr for Suite {
    type Err = SuiteError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = SUITES.into_iter().find(|suite| suite.name() == name);
        found.ok_or(SuiteError)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
