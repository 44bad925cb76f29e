//! What others did wrong: evidence where there is a proof that anybody can check, a line in a file where there is none.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use touchstone_consensus::{Fault, FaultKind};
use touchstone_types::{Evidence, MemberId};

use crate::files::FileError;

/// When the file has so many bytes it becomes the old one, and the older one is gone.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// A member's faults are told at most this often.
const PERIOD: Duration = Duration::from_secs(1);

/// The proof of a fault, where it is one that anybody can check.
pub(super) fn portable(fault: &Fault) -> Option<Evidence> {
    match &fault.kind {
        FaultKind::Evidence(evidence) => Some(Evidence::clone(evidence)),
        FaultKind::BadProposal | FaultKind::BadRequest | FaultKind::Divergence { .. } => None,
    }
}

/// The name of a fault in metrics and in the log.
pub(super) fn name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Evidence(evidence) => evidence.kind(),
        FaultKind::BadProposal => "bad_proposal",
        FaultKind::BadRequest => "bad_request",
        FaultKind::Divergence { .. } => "divergence",
    }
}

/// Faults without a proof, one JSON object a line: who, in which round, what.
pub(crate) struct FaultLog {
    path: PathBuf,
    file: File,
    bytes: u64,
    told: BTreeMap<Option<MemberId>, (Instant, u64)>,
}

impl FaultLog {
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let (file, bytes) = append(path).map_err(FileError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            told: BTreeMap::new(),
        })
    }

    /// Whether a member's fault is to be told now, and how many were not told since the last one: nobody fills a log, or keeps
    /// the disk busy, by misbehaving.
    pub(super) fn may_tell(&mut self, member: Option<MemberId>, now: Instant) -> Option<u64> {
        let Some((at, untold)) = self.told.get_mut(&member) else {
            self.told.insert(member, (now, 0));
            return Some(0);
        };
        if now.duration_since(*at) < PERIOD {
            *untold = untold.saturating_add(1);
            return None;
        }
        *at = now;
        Some(std::mem::take(untold))
    }

    /// Appends a fault and forces it to the disk.
    pub(super) fn write(&mut self, at_ms: u64, fault: &Fault) -> Result<(), FileError> {
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

fn line(at_ms: u64, fault: &Fault) -> Value {
    let details = match &fault.kind {
        FaultKind::Divergence { signed, decided } => {
            json!({ "signed": hex::encode(signed.to_bytes()), "decided": hex::encode(decided.to_bytes()) })
        }
        FaultKind::Evidence(_) | FaultKind::BadProposal | FaultKind::BadRequest => Value::Null,
    };
    json!({
        "at_ms": at_ms,
        "member": fault.member,
        "round": fault.round,
        "kind": name(&fault.kind),
        "details": details,
    })
}

#[cfg(test)]
mod tests {
    use touchstone_types::Round;

    use super::*;

    fn fault(round: u64) -> Fault {
        Fault {
            member: Some(MemberId(3)),
            round: Round(round),
            kind: FaultKind::BadRequest,
        }
    }

    #[test]
    fn faults_are_kept_as_lines_and_bounded() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("faults.jsonl");
        let mut log = FaultLog::open(&path).expect("open");
        log.write(5, &fault(1)).expect("write");
        drop(log);
        let mut log = FaultLog::open(&path).expect("open again");
        log.write(6, &fault(2)).expect("write");
        let text = fs::read_to_string(&path).expect("text");
        let rounds: Vec<_> = text
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["round"].clone())
            .collect();
        assert_eq!(rounds, [json!(1), json!(2)]);
        log.bytes = FILE_BYTES_MAX;
        log.write(7, &fault(3)).expect("write");
        assert_eq!(fs::read_to_string(&path).expect("text").lines().count(), 1);
        let old = fs::read_to_string(dir.path().join("faults.jsonl.old"));
        assert_eq!(old.expect("old").lines().count(), 2);
    }

    #[test]
    fn a_flood_of_one_member_is_told_once_a_second() {
        let dir = tempfile::tempdir().expect("dir");
        let mut log = FaultLog::open(&dir.path().join("faults.jsonl")).expect("open");
        let start = Instant::now();
        let mut tell = |member, ms| log.may_tell(member, start + Duration::from_millis(ms));
        let (one, other) = (Some(MemberId(1)), Some(MemberId(2)));
        assert_eq!(tell(one, 0), Some(0));
        assert_eq!(tell(one, 999), None);
        assert_eq!(tell(other, 999), Some(0));
        assert_eq!(tell(None, 999), Some(0));
        assert_eq!(tell(one, 1_000), Some(1));
    }
}
