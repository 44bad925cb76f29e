//! One file for each record, named by its id, holding nothing but its bytes: what `touchstone evidence verify` reads.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use touchstone_transport::EVIDENCE_BYTES_MAX;
use touchstone_types::{Digest, Evidence};

use crate::files::{self, FileError};

const EXTENSION: &str = "evidence";

pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// Writes a record; on return it is on the disk.
    pub(super) fn write(&self, id: &Digest, bytes: &[u8]) -> Result<(), FileError> {
        files::create_private_dir(&self.0)?;
        let path = self.0.join(format!("{id}.{EXTENSION}"));
        files::replace(&path, bytes, 0o600)
    }

    /// Every record in the order in which it was written, with the time, in Unix milliseconds. No folder is an empty one.
    pub(super) fn read(&self) -> Result<Vec<(Evidence, u64)>, FileError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FileError::io(&self.0)(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(FileError::io(&self.0))?.path();
            // A draft that a crash left behind has another ending.
            if path.extension() != Some(OsStr::new(EXTENSION)) {
                continue;
            }
            match read(&path) {
                Ok((evidence, at_ms)) => found.push((at_ms, evidence.id(), evidence)),
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "not read as evidence; it is left alone");
                }
            }
        }
        found.sort_by_key(|(at_ms, id, _)| (*at_ms, *id));
        Ok(found.into_iter().map(|(at, _, e)| (e, at)).collect())
    }
}

fn read(path: &Path) -> anyhow::Result<(Evidence, u64)> {
    let bytes = files::read_bounded(path, u64::from(EVIDENCE_BYTES_MAX))?;
    let written = fs::metadata(path)?.modified()?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Ok((Evidence::from_bytes(&bytes)?, at_ms))
}
