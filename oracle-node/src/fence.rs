//! The restart fence on disk: the highest round that this node may have said anything in.
//!
//! After a restart the node is silent up to it, so it never contradicts what it said before. The file is one line of JSON,
//! replaced whole, and forced to the disk before the core goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use touchstone_types::{NetworkId, Round};

use crate::files::{self, FileError};

const FILE_BYTES_MAX: u64 = 1_024;

/// Why the fence cannot be relied on.
#[derive(Debug, Error)]
pub(crate) enum FenceError {
    #[error("restart fence: {0}")]
    File(#[from] FileError),
    #[error(
        "restart fence: {}: {problem}; without it this node could contradict what it said before. Write \
         {{\"network_id\":\"(the network's)\",\"round\":N}} into it, with N above every round so far",
        path.display()
    )]
    Content { path: PathBuf, problem: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    network_id: NetworkId,
    round: Round,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct FenceFile {
    path: PathBuf,
    network: NetworkId,
}

impl FenceFile {
    pub(crate) fn new(path: PathBuf, network: NetworkId) -> Self {
        Self { path, network }
    }

    /// The stored round; none if nothing was ever stored.
    pub(crate) fn load(&self) -> Result<Option<Round>, FenceError> {
        if !exists(&self.path)? {
            return Ok(None);
        }
        let content = |problem: String| FenceError::Content {
            path: self.path.clone(),
            problem,
        };
        let bytes = files::read_bounded(&self.path, FILE_BYTES_MAX)?;
        let line: Line = serde_json::from_slice(&bytes).map_err(|e| content(e.to_string()))?;
        if line.network_id != self.network {
            return Err(content(format!("it is of the network {}", line.network_id)));
        }
        Ok(Some(line.round))
    }

    /// Stores a round; on return it is on the disk.
    pub(crate) fn store(&self, round: Round) -> Result<(), FenceError> {
        let line = Line {
            network_id: self.network,
            round,
        };
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        Ok(files::replace(&self.path, &text, 0o600)?)
    }
}

fn exists(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(FileError::io(path))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use touchstone_types::Digest;

    use super::*;

    fn fence(dir: &Path, network: u8) -> FenceFile {
        FenceFile::new(dir.join("fence.json"), NetworkId(Digest([network; 32])))
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let dir = tempfile::tempdir().expect("dir");
        let fence = fence(dir.path(), 1);
        assert_eq!(fence.load().expect("none yet"), None);
        for round in [7, 12, u64::MAX] {
            fence.store(Round(round)).expect("store");
            assert_eq!(fence.load().expect("load"), Some(Round(round)));
        }
        // A crash while the next one was being written leaves a draft, which says nothing.
        fs::write(files::draft_path(&fence.path), "{\"netw").expect("write");
        assert_eq!(fence.load().expect("load"), Some(Round(u64::MAX)));
        fence.store(Round(1)).expect("store");
    }

    #[test]
    fn a_fence_that_cannot_be_read_is_no_fence_of_zero() {
        let dir = tempfile::tempdir().expect("dir");
        let file = fence(dir.path(), 1);
        for text in ["", "{}", "12", "{\"network_id\":\"00\",\"round\":1}"] {
            fs::write(&file.path, text).expect("write");
            assert!(
                matches!(file.load(), Err(FenceError::Content { .. })),
                "{text}"
            );
        }
        fence(dir.path(), 2).store(Round(5)).expect("store");
        let error = file.load().expect_err("another network").to_string();
        assert!(error.contains("of the network 0202"), "{error}");
    }
}
