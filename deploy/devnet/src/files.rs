//! The data directory: where what stands, and one devnet at a time in it.

use std::{
    fs::{self, File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// The data directory.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Held while the devnet lives; the system lets go of it however the process ends.
    _lock: File,
    /// Removed at the end, unless it is kept.
    temporary: Option<tempfile::TempDir>,
}

impl DataDir {
    /// Takes hold of a directory, or of a fresh temporary one.
    ///
    /// # Errors
    /// A directory that cannot be made, has something else in it, or is in use by another devnet.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let temporary = match path {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("touchstone-devnet-")
                    .tempdir()?,
            ),
        };
        let path = temporary.as_ref().map_or(path, |t| Some(t.path()));
        let path = path.context("a data directory")?;
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("--data-dir {shown}: cannot be made"))?;
        let path = fs::canonicalize(path)?;
        let foreign = fs::read_dir(&path)?.next().is_some() && !path.join(LOCK).exists();
        anyhow::ensure!(
            !foreign,
            "--data-dir {shown}: must be empty, new, or the data directory of a devnet; it holds something else"
        );
        let lock = File::create(path.join(LOCK))
            .with_context(|| format!("--data-dir {shown}: cannot be written"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!("--data-dir {shown}: another devnet is running in it")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("--data-dir {shown}: no lock"));
            }
        }
        Ok(Self {
            path,
            _lock: lock,
            temporary,
        })
    }

    /// Whether it goes away with the devnet.
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Keeps a temporary directory, because something in it must be looked at.
    pub(crate) fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let _ = temporary.keep();
        }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the devnet was started with.
    pub(crate) fn plan(&self) -> PathBuf {
        self.path.join("devnet.json")
    }

    /// The genesis manifest, as it goes into the key generation.
    pub(crate) fn genesis(&self) -> PathBuf {
        self.path.join("genesis.json")
    }

    /// The pin. It is written last: where it is, the network exists.
    pub(crate) fn pin(&self) -> PathBuf {
        self.path.join("network.json")
    }

    /// Everything of all members.
    pub(crate) fn members(&self) -> PathBuf {
        self.path.join("nodes")
    }

    /// Everything of one member.
    pub(crate) fn member(&self, id: u16) -> PathBuf {
        self.members().join(id.to_string())
    }

    /// Everything of the aggregator.
    pub(crate) fn aggregator(&self) -> PathBuf {
        self.path.join("aggregator")
    }
}

const LOCK: &str = "devnet.lock";

/// Writes a file in one step: whoever reads it finds the old text or the new one.
///
/// # Errors
/// What the file system says, with the path.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("tmp");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_devnet_at_a_time() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("data");
        let first = DataDir::open(Some(&path)).expect("fresh");
        let error = DataDir::open(Some(&path)).expect_err("taken").to_string();
        assert!(error.contains("another devnet"), "{error}");
        drop(first);
        DataDir::open(Some(&path)).expect("free again");
    }

    #[test]
    fn what_belongs_to_others_is_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join("thesis.tex"), "x").expect("written");
        let error = DataDir::open(Some(folder.path()))
            .expect_err("foreign")
            .to_string();
        assert!(error.contains("something else"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
    }

    #[test]
    fn a_temporary_directory_goes_unless_it_is_kept() {
        let dir = DataDir::open(None).expect("temporary");
        let path = dir.path().to_owned();
        assert!(dir.is_temporary());
        drop(dir);
        assert!(!path.exists());
        let mut dir = DataDir::open(None).expect("temporary");
        let path = dir.path().to_owned();
        dir.keep();
        drop(dir);
        assert!(path.exists());
        fs::remove_dir_all(path).expect("removed");
    }
}
