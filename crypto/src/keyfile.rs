//! Sealed key files: one secret in one file, encrypted under a password. Bytes in, bytes out; writing them to disk (mode,
//! rename, locks) is the node's business.
//!
//! Layout, integers big-endian: `magic "touchstone/key/1" (16) | kind u8 | protection u8 | memory KiB u32 | passes u32 |
//! lanes u32 | salt (16) | nonce (24) | header length u16 | header | ciphertext with tag`. The key is Argon2id (RFC 9106) of
//! the password, the cipher XChaCha20-Poly1305; everything before the ciphertext is associated data, so that nobody can
//! change the public header or weaken the parameters unnoticed.
//!
//! Protection 0 is for development networks: the key is a constant of the file, the encryption hides nothing and only
//! detects damage. Such a file opens for [`Password::InsecureNone`] alone, and no other file does.

use alloc::vec::Vec;
use core::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand_core::CryptoRngCore;
use thiserror::Error;
use touchstone_types::{DecodeError, Reader, sha256};
use zeroize::Zeroizing;

const MAGIC: &[u8; 16] = b"touchstone/key/1";
const INSECURE_TAG: &[u8] = b"touchstone/key/insecure/1";
/// The longest public header.
pub const HEADER_MAX: usize = 4_096;
/// The longest secret.
pub const SECRET_MAX: usize = 4_096;
/// The longest file.
pub const FILE_MAX: usize = 8_400;
const TAG_BYTES: usize = 16;

/// What a file holds. A file of one kind never opens as another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyKind {
    /// The seed of the identity key.
    Identity,
    /// A share of a group key; the header says of which suite and epoch.
    SigningShare,
    /// A share of the coin key.
    CoinShare,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::SigningShare => 2,
            Self::CoinShare => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Identity, Self::SigningShare, Self::CoinShare]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

/// What protects a file.
#[derive(Clone, Copy)]
pub enum Password<'a> {
    /// A password, at least one byte.
    Secret(&'a [u8]),
    /// Nothing: for development networks, said aloud.
    InsecureNone,
}

impl fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(<redacted>)",
            Self::InsecureNone => "InsecureNone",
        })
    }
}

/// The price of one guess: Argon2id's parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfCost {
    /// 64 MiB, three passes, one lane.
    pub const DEFAULT: Self = Self {
        memory_kib: 65_536,
        passes: 3,
        lanes: 1,
    };
    /// The least that a file may have: 8 MiB and one pass.
    pub const MIN: Self = Self {
        memory_kib: 8_192,
        passes: 1,
        lanes: 1,
    };
    /// The most: 512 MiB, sixteen passes, eight lanes. A file that asks for more is refused before anything is allocated.
    pub const MAX: Self = Self {
        memory_kib: 524_288,
        passes: 16,
        lanes: 8,
    };

    /// A cost within [`KdfCost::MIN`] and [`KdfCost::MAX`].
    ///
    /// # Errors
    /// [`KeyFileError::Cost`] outside of them.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyFileError> {
        let cost = Self {
            memory_kib,
            passes,
            lanes,
        };
        let fits = (Self::MIN.memory_kib..=Self::MAX.memory_kib).contains(&memory_kib)
            && (Self::MIN.passes..=Self::MAX.passes).contains(&passes)
            && (Self::MIN.lanes..=Self::MAX.lanes).contains(&lanes);
        if fits {
            Ok(cost)
        } else {
            Err(KeyFileError::Cost(cost))
        }
    }
}

impl fmt::Display for KdfCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        write!(f, "{memory_kib} KiB, {passes} passes, {lanes} lanes")
    }
}

/// Why a file cannot be made or opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyFileError {
    /// It is no key file.
    #[error("not a key file: {0}")]
    Form(#[from] DecodeError),
    /// It is longer than any key file.
    #[error("key file: {got} bytes, must be at most {FILE_MAX}")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// The header or the secret to be sealed is too long.
    #[error("key file: {what} of {got} bytes, must be at most {max}")]
    Size {
        /// Which.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The bound.
        max: usize,
    },
    /// Argon2 parameters outside the bounds.
    #[error("key file: Argon2id with {0} is outside {min} to {max}", min = KdfCost::MIN, max = KdfCost::MAX)]
    Cost(KdfCost),
    /// An empty password protects nothing.
    #[error("key file: the password is empty")]
    EmptyPassword,
    /// The file is encrypted and no password was given.
    #[error("key file: it is encrypted, a password is needed")]
    PasswordNeeded,
    /// The file is not encrypted, and nobody said that this is meant.
    #[error(
        "key file: it is not encrypted, which only a development network allows, and only where it is said aloud"
    )]
    NotEncrypted,
    /// It holds another kind of key.
    #[error("key file: it holds a key of kind {got:?}, must be {must:?}")]
    Kind {
        /// What it holds.
        got: KeyKind,
        /// What was asked for.
        must: KeyKind,
    },
    /// The password is wrong, or the file was changed or damaged.
    #[error("key file: wrong password, or the file is damaged")]
    Refused,
}

/// A key file that was read but not opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedFile {
    kind: KeyKind,
    cost: Option<KdfCost>,
    salt: [u8; 16],
    nonce: [u8; 24],
    header: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl SealedFile {
    /// Seals a secret at [`KdfCost::DEFAULT`] and gives the file's bytes. The header stays readable.
    ///
    /// # Errors
    /// A header or secret above its bound, or an empty password.
    pub fn seal(
        kind: KeyKind,
        header: &[u8],
        secret: &[u8],
        password: Password<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, KeyFileError> {
        Self::seal_at(KdfCost::DEFAULT, kind, header, secret, password, rng)
    }

    /// Seals a secret at a chosen cost.
    ///
    /// # Errors
    /// As for [`SealedFile::seal`].
    pub fn seal_at(
        cost: KdfCost,
        kind: KeyKind,
        header: &[u8],
        secret: &[u8],
        password: Password<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, KeyFileError> {
        for (what, got, max) in [
            ("header", header.len(), HEADER_MAX),
            ("secret", secret.len(), SECRET_MAX),
        ] {
            if got > max {
                return Err(KeyFileError::Size { what, got, max });
            }
        }
        let mut file = Self {
            kind,
            cost: matches!(password, Password::Secret(_)).then_some(cost),
            salt: [0; 16],
            nonce: [0; 24],
            header: header.to_vec(),
            ciphertext: Vec::new(),
        };
        rng.fill_bytes(&mut file.salt);
        rng.fill_bytes(&mut file.nonce);
        let key = file.key(password)?;
        let mut bytes = file.prefix();
        let payload = Payload {
            msg: secret,
            aad: &bytes,
        };
        let sealed = XChaCha20Poly1305::new(Key::from_slice(key.as_ref()))
            .encrypt(XNonce::from_slice(&file.nonce), payload)
            .map_err(|_| KeyFileError::Refused)?;
        bytes.extend_from_slice(&sealed);
        Ok(bytes)
    }

    /// Reads a file's form without opening it.
    ///
    /// # Errors
    /// Another form, a length above [`FILE_MAX`], or Argon2 parameters outside the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > FILE_MAX {
            return Err(KeyFileError::TooLong { got: bytes.len() });
        }
        let invalid = |field, reason| KeyFileError::Form(DecodeError::Invalid { field, reason });
        let mut reader = Reader::new(bytes);
        if reader.array::<16>("magic")? != *MAGIC {
            return Err(invalid("magic", "must be touchstone/key/1"));
        }
        let kind = KeyKind::from_byte(reader.u8("kind")?)
            .ok_or_else(|| invalid("kind", "must be from 1 to 3"))?;
        let protection = reader.u8("protection")?;
        let (memory, passes, lanes) = (
            reader.u32("memory")?,
            reader.u32("passes")?,
            reader.u32("lanes")?,
        );
        let cost = match protection {
            0 if (memory, passes, lanes) == (0, 0, 0) => None,
            0 => {
                return Err(invalid(
                    "memory, passes, lanes",
                    "must be 0 without protection",
                ));
            }
            1 => Some(KdfCost::new(memory, passes, lanes)?),
            _ => return Err(invalid("protection", "must be 0 or 1")),
        };
        let salt = reader.array("salt")?;
        let nonce = reader.array("nonce")?;
        let length = usize::from(reader.u16("header length")?);
        if length > HEADER_MAX {
            return Err(invalid("header length", "must be at most 4096"));
        }
        let header = reader.take(length, "header")?.to_vec();
        if reader.remaining() < TAG_BYTES {
            let missing = TAG_BYTES.saturating_sub(reader.remaining());
            let field = "ciphertext";
            return Err(DecodeError::Truncated { field, missing }.into());
        }
        let ciphertext = reader.take(reader.remaining(), "ciphertext")?.to_vec();
        Ok(Self {
            kind,
            cost,
            salt,
            nonce,
            header,
            ciphertext,
        })
    }

    /// What the file says that it holds; proven only when it opens.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public header; proven only when the file opens.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Whether a password is needed.
    pub fn is_encrypted(&self) -> bool {
        self.cost.is_some()
    }

    /// Opens the file as one of `kind`.
    ///
    /// # Errors
    /// Another kind, a missing or wrong password, a damaged file, or an unencrypted one where [`Password::InsecureNone`] was
    /// not given.
    pub fn open(
        &self,
        kind: KeyKind,
        password: Password<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        if kind != self.kind {
            return Err(KeyFileError::Kind {
                got: self.kind,
                must: kind,
            });
        }
        let key = self.key(password)?;
        let prefix = self.prefix();
        let payload = Payload {
            msg: &self.ciphertext,
            aad: &prefix,
        };
        XChaCha20Poly1305::new(Key::from_slice(key.as_ref()))
            .decrypt(XNonce::from_slice(&self.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| KeyFileError::Refused)
    }

    /// The encryption key.
    fn key(&self, password: Password<'_>) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
        match (self.cost, password) {
            (Some(_), Password::Secret([])) => Err(KeyFileError::EmptyPassword),
            (Some(cost), Password::Secret(password)) => self.argon2(cost, password),
            (None, Password::InsecureNone) => {
                Ok(Zeroizing::new(sha256(&[INSECURE_TAG, &self.salt]).0))
            }
            (Some(_), Password::InsecureNone) => Err(KeyFileError::PasswordNeeded),
            (None, Password::Secret(_)) => Err(KeyFileError::NotEncrypted),
        }
    }

    fn argon2(&self, cost: KdfCost, password: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
        let refused = |_| KeyFileError::Cost(cost);
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
        let argon2 = Argon2::new(
            Algorithm::Argon2id,
            Version::V0x13,
            params.map_err(refused)?,
        );
        let mut key = Zeroizing::new([0; 32]);
        argon2
            .hash_password_into(password, &self.salt, key.as_mut())
            .map_err(refused)?;
        Ok(key)
    }

    /// Everything before the ciphertext.
    fn prefix(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.kind.byte());
        bytes.push(u8::from(self.cost.is_some()));
        let (memory, passes, lanes) = self
            .cost
            .map_or((0, 0, 0), |c| (c.memory_kib, c.passes, c.lanes));
        for number in [memory, passes, lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        let length = u16::try_from(self.header.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.header);
        bytes
    }
}

#[cfg(test)]
mod tests;
