//! Evidence of misbehaviour, one JSON object a line: who, in which round, what, and the signed headers that prove it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use touchstone_consensus::{Fault, FaultKind};

use crate::files::FileError;

/// When the file has so many bytes it becomes the old one, and the older one is gone.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// The file.
pub(crate) struct EvidenceFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EvidenceFile {
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let (file, bytes) = append(path).map_err(FileError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
        })
    }

    /// Appends a fault and forces it to the disk.
    pub(crate) fn store(&mut self, at_ms: u64, fault: &Fault) -> Result<(), FileError> {
        let mut line = line(at_ms, fault).to_string();
        line.push('\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes.saturating_add(length) > FILE_BYTES_MAX {
            let mut old = self.path.as_os_str().to_owned();
            old.push(".old");
            fs::rename(&self.path, old).map_err(FileError::io(&self.path))?;
            (self.file, self.bytes) = append(&self.path).map_err(FileError::io(&self.path))?;
        }
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        self.bytes = self.bytes.saturating_add(length);
        written.map_err(FileError::io(&self.path))
    }
}

fn append(path: &Path) -> std::io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// The name of a fault in metrics and evidence.
pub(crate) fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Evidence(evidence) => evidence.kind(),
        FaultKind::BadProposal => "bad_proposal",
        FaultKind::BadRequest => "bad_request",
        FaultKind::Divergence { .. } => "divergence",
    }
}

fn line(at_ms: u64, fault: &Fault) -> Value {
    let proof = match &fault.kind {
        FaultKind::Evidence(evidence) => json!({ "evidence": hex::encode(evidence.to_bytes()) }),
        FaultKind::BadProposal | FaultKind::BadRequest => Value::Null,
        FaultKind::Divergence { signed, decided } => {
            json!({ "signed": hex::encode(signed.to_bytes()), "decided": hex::encode(decided.to_bytes()) })
        }
    };
    json!({
        "at_ms": at_ms,
        "member": fault.member,
        "round": fault.round,
        "kind": name(&fault.kind),
        "proof": proof,
    })
}

#[cfg(test)]
mod tests {
    use touchstone_types::{MemberId, Round};

    use super::*;

    #[test]
    fn evidence_is_kept_as_lines_and_bounded() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("evidence.jsonl");
        let fault = |round| Fault {
            member: Some(MemberId(3)),
            round: Round(round),
            kind: FaultKind::BadRequest,
        };
        let mut evidence = EvidenceFile::open(&path).expect("open");
        evidence.store(5, &fault(1)).expect("store");
        drop(evidence);
        let mut evidence = EvidenceFile::open(&path).expect("open again");
        evidence.store(6, &fault(2)).expect("store");
        let text = fs::read_to_string(&path).expect("text");
        let rounds: Vec<_> = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["round"].clone())
            .collect();
        assert_eq!(rounds, [json!(1), json!(2)]);
        evidence.bytes = FILE_BYTES_MAX;
        evidence.store(7, &fault(3)).expect("store");
        assert_eq!(fs::read_to_string(&path).expect("text").lines().count(), 1);
        assert_eq!(
            fs::read_to_string(dir.path().join("evidence.jsonl.old"))
                .expect("old")
                .lines()
                .count(),
            2
        );
    }
}
