//! Where the password of the key files comes from: a systemd credential, a file, a prompt, in that order.

use std::{
    env, fmt,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use thiserror::Error;
use touchstone_crypto::Password;
use zeroize::Zeroizing;

use crate::{
    config::PasswordConfig,
    files::{self, FileError},
};

/// Where systemd puts a unit's credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// A password, or the statement that there is none.
pub(crate) enum NodePassword {
    Secret(Zeroizing<Vec<u8>>),
    InsecureNone,
}

/// Why there is no password.
#[derive(Debug, Error)]
pub(crate) enum PasswordError {
    #[error("password: {0}")]
    File(#[from] FileError),
    #[error("password: {} is empty", .0.display())]
    Empty(PathBuf),
    #[error("password: {0}")]
    Prompt(io::Error),
    #[error("password: the two entries differ")]
    Differ,
    #[error(
        "password: an empty password protects nothing; a development network may say --insecure-no-password"
    )]
    EmptyEntry,
    #[error(
        "password: no systemd credential {credential:?}, no password.file in the configuration, and no terminal to ask at"
    )]
    NoSource { credential: String },
}

impl NodePassword {
    /// The password of an existing key file.
    pub(crate) fn of_config(config: &PasswordConfig) -> Result<Self, PasswordError> {
        if config.insecure_none {
            return Ok(Self::InsecureNone);
        }
        let credential = env::var_os(CREDENTIALS_DIRECTORY)
            .map(|dir| Path::new(&dir).join(&config.credential))
            .filter(|path| path.exists());
        if let Some(path) = credential.as_ref().or(config.file.as_ref()) {
            return Self::of_file(path);
        }
        if !io::stdin().is_terminal() {
            return Err(PasswordError::NoSource {
                credential: config.credential.clone(),
            });
        }
        Self::prompt("Password of the key files: ")
    }

    /// The password in the first line of a file.
    pub(crate) fn of_file(path: &Path) -> Result<Self, PasswordError> {
        let bytes = files::read_private(path, PASSWORD_BYTES_MAX)?;
        let line = bytes
            .split(|b| matches!(b, b'\n' | b'\r'))
            .next()
            .unwrap_or_default();
        if line.is_empty() {
            return Err(PasswordError::Empty(path.to_owned()));
        }
        Ok(Self::Secret(Zeroizing::new(line.to_vec())))
    }

    /// A new password, asked for twice.
    pub(crate) fn choose() -> Result<Self, PasswordError> {
        if !io::stdin().is_terminal() {
            return Err(PasswordError::NoSource {
                credential: PasswordConfig::default().credential,
            });
        }
        let (first, again) = (
            Self::prompt("New password for the key files: ")?,
            Self::prompt("Again: ")?,
        );
        match (&first, &again) {
            (Self::Secret(a), Self::Secret(b)) if a == b => Ok(first),
            _ => Err(PasswordError::Differ),
        }
    }

    fn prompt(text: &str) -> Result<Self, PasswordError> {
        let entered =
            Zeroizing::new(rpassword::prompt_password(text).map_err(PasswordError::Prompt)?);
        if entered.is_empty() {
            return Err(PasswordError::EmptyEntry);
        }
        Ok(Self::Secret(Zeroizing::new(entered.as_bytes().to_vec())))
    }

    pub(crate) fn as_crypto(&self) -> Password<'_> {
        match self {
            Self::Secret(secret) => Password::Secret(secret),
            Self::InsecureNone => Password::InsecureNone,
        }
    }
}

impl fmt::Debug for NodePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_crypto().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("password");
        files::write_new(&path, b"pass word\r\nmore", 0o600).expect("write");
        let NodePassword::Secret(secret) = NodePassword::of_file(&path).expect("password") else {
            panic!("a secret");
        };
        assert_eq!(secret.as_slice(), b"pass word");
        files::replace(&path, b"\n", 0o600).expect("write");
        assert!(matches!(
            NodePassword::of_file(&path),
            Err(PasswordError::Empty(_))
        ));
        files::replace(&path, b"secret", 0o644).expect("write");
        let refused = NodePassword::of_file(&path).expect_err("readable by others");
        assert!(!format!("{refused:?} {refused}").contains("secret\""));
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = NodePassword::Secret(Zeroizing::new(b"hunter2".to_vec()));
        assert_eq!(format!("{password:?}"), "Secret(<redacted>)");
    }
}
