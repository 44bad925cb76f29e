//! The node's key files: what is in them and how they are opened.

mod password;
mod share;

use std::path::Path;

use rand_core::OsRng;
use thiserror::Error;
use touchstone_crypto::{
    CoinError, IdentityError, IdentityKey, KeyError, KeyFileError, KeyKind, SealedFile,
    keyfile::FILE_MAX,
};

use crate::files::{self, FileError};

pub(crate) use password::{NodePassword, PasswordError};
pub(crate) use share::{ShareHeader, open_shares, seal_shares};

/// Why a key file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum KeysError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("{path}: {error}")]
    Sealed { path: String, error: KeyFileError },
    #[error("{path}: {error}")]
    Identity { path: String, error: IdentityError },
    #[error("{path}: {error}")]
    Share { path: String, error: KeyError },
    #[error("{path}: {error}")]
    Coin { path: String, error: CoinError },
    #[error("{path}: {problem}")]
    Content { path: String, problem: String },
}

fn sealed(path: &Path) -> impl Fn(KeyFileError) -> KeysError {
    let path = path.display().to_string();
    move |error| KeysError::Sealed {
        path: path.clone(),
        error,
    }
}

/// A sealed key file, read but not opened.
fn read_sealed(path: &Path) -> Result<SealedFile, KeysError> {
    let max = u64::try_from(FILE_MAX).unwrap_or(u64::MAX);
    let bytes = files::read_private(path, max)?;
    SealedFile::parse(&bytes).map_err(sealed(path))
}

/// Makes a fresh identity and writes it, over nothing.
pub(crate) fn create_identity(
    path: &Path,
    password: &NodePassword,
) -> Result<IdentityKey, KeysError> {
    let key = IdentityKey::generate(&mut OsRng);
    let header = format!("{{\"identity\":\"{}\"}}", key.public());
    let secret = key.to_secret_bytes();
    let file = SealedFile::seal(
        KeyKind::Identity,
        header.as_bytes(),
        &secret,
        password.as_crypto(),
        &mut OsRng,
    )
    .map_err(sealed(path))?;
    files::write_new(path, &file, 0o600)?;
    Ok(key)
}

/// Opens the identity.
pub(crate) fn open_identity(
    path: &Path,
    password: &NodePassword,
) -> Result<IdentityKey, KeysError> {
    let secret = read_sealed(path)?
        .open(KeyKind::Identity, password.as_crypto())
        .map_err(sealed(path))?;
    IdentityKey::from_secret_bytes(&secret).map_err(|error| KeysError::Identity {
        path: path.display().to_string(),
        error,
    })
}
