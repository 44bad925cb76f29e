//! Files that must survive a crash whole, and secrets that must stay private.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use thiserror::Error;
use zeroize::Zeroizing;

/// What went wrong with which file.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    #[error("{}: mode {mode:04o} lets others read it; run: chmod 600 {}", path.display(), path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("{}: {got} bytes, at most {max} are read", path.display())]
    TooLong { path: PathBuf, got: u64, max: u64 },
    #[error("{} is in use by another running node", .0.display())]
    Locked(PathBuf),
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

/// Makes a folder that only its owner may enter, if it is not there.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(FileError::io(path))
}

/// Refuses if a file is there already, before any work is done.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(FileError::Exists(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::io(path)(error)),
    }
}

/// Writes a file whole or not at all, and never over another one.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let draft = write_draft(path, bytes, mode)?;
    publish_draft(&draft, path)
}

/// Gives a complete draft its name unless that is taken: a link, unlike a rename, does not replace.
pub(crate) fn publish_draft(draft: &Path, path: &Path) -> Result<(), FileError> {
    let linked = fs::hard_link(draft, path);
    let removed = fs::remove_file(draft);
    linked.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_owned()),
        _ => FileError::io(path)(error),
    })?;
    removed.map_err(FileError::io(draft))?;
    sync_dir_of(path)
}

/// Replaces a file whole or not at all; on return it is on the disk.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let draft = write_draft(path, bytes, mode)?;
    fs::rename(&draft, path).map_err(FileError::io(path))?;
    sync_dir_of(path)
}

/// Where the draft of a file lies until it is complete.
pub(crate) fn draft_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Writes the draft of a file to the disk.
pub(crate) fn write_draft(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    let draft = draft_path(path);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(FileError::io(&draft)(error));
        }
        _ => {}
    }
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(FileError::io(&draft))?;
    Ok(draft)
}

/// A new name in a folder is durable once the folder itself is.
fn sync_dir_of(path: &Path) -> Result<(), FileError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(FileError::io(dir))
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read_bounded(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read(path, max, false)
}

/// Reads a secret file of at most `max` bytes, unless others could read it, too.
pub(crate) fn read_private(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read(path, max, true)
}

fn read(path: &Path, max: u64, private: bool) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io(path))?;
    let metadata = file.metadata().map_err(FileError::io(path))?;
    let mode = metadata.mode() & 0o7777;
    if private && mode & 0o077 != 0 {
        return Err(FileError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    let too_long = |got| FileError::TooLong {
        path: path.to_owned(),
        got,
        max,
    };
    if metadata.len() > max {
        return Err(too_long(metadata.len()));
    }
    let capacity = usize::try_from(metadata.len()).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(1)));
    let limit = max.saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(FileError::io(path))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= max => Ok(bytes),
        _ => Err(too_long(limit)),
    }
}

/// Held while a process uses a folder of keys; two running copies would use one nonce twice or vote twice.
#[derive(Debug)]
pub(crate) struct DirLock(
    #[expect(dead_code, reason = "the lock lasts as long as the open file")] File,
);

impl DirLock {
    /// Takes the lock of the folder that holds `file`.
    pub(crate) fn of_dir_of(file: &Path) -> Result<Self, FileError> {
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let handle = File::open(dir).map_err(FileError::io(dir))?;
        match handle.try_lock() {
            Ok(()) => Ok(Self(handle)),
            Err(fs::TryLockError::WouldBlock) => Err(FileError::Locked(dir.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(FileError::io(dir)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("secret");
        write_new(&path, b"one", 0o600).expect("write");
        assert_eq!(fs::metadata(&path).expect("metadata").mode() & 0o777, 0o600);
        assert!(matches!(
            write_new(&path, b"two", 0o600),
            Err(FileError::Exists(_))
        ));
        assert_eq!(read_private(&path, 10).expect("read").as_slice(), b"one");
        assert!(!draft_path(&path).exists(), "no draft is left behind");
        replace(&path, b"three", 0o600).expect("replace");
        assert_eq!(read_private(&path, 10).expect("read").as_slice(), b"three");
    }

    #[test]
    fn what_others_can_read_is_no_secret() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("secret");
        fs::write(&path, b"x").expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let error = read_private(&path, 10).expect_err("refused").to_string();
        assert!(
            error.contains("mode 0640") && error.contains("chmod 600"),
            "{error}"
        );
        assert!(read_bounded(&path, 10).is_ok());
        assert!(matches!(
            read_bounded(&path, 0),
            Err(FileError::TooLong { .. })
        ));
    }

    #[test]
    fn a_folder_has_one_user() {
        let dir = tempfile::tempdir().expect("dir");
        let key = dir.path().join("share.key");
        let held = DirLock::of_dir_of(&key).expect("first");
        assert!(matches!(
            DirLock::of_dir_of(&key),
            Err(FileError::Locked(_))
        ));
        drop(held);
        DirLock::of_dir_of(&key).expect("free again");
    }

    /// A draft that a killed process left behind is in nobody's way.
    #[test]
    fn a_left_over_draft_is_replaced() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("fence");
        fs::write(draft_path(&path), b"half").expect("write");
        replace(&path, b"whole", 0o600).expect("replace");
        assert_eq!(fs::read(&path).expect("read"), b"whole");
    }
}
