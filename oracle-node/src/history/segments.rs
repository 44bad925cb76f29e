//! Append-only files of attestations.
//!
//! A segment is `touchstone/seg/1 (16) | network id (32)` and then records `round u64 | length u32 | check (8) | bytes`,
//! check = the first 8 bytes of SHA-256 over the rest of the record. Appending is one write; a crash may leave the last
//! record torn, and opening cuts it off. When the segments take too much space the oldest is removed.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use thiserror::Error;
use touchstone_transport::Item;
use touchstone_types::{NetworkId, Round, sha256};

const MAGIC: &[u8; 16] = b"touchstone/seg/1";
const HEADER_BYTES: u64 = 48;
const HEAD_BYTES: usize = 20;
/// The longest record that is believed; attestations of the largest network are smaller.
const RECORD_BYTES_MAX: u32 = 64 << 20;
/// Into how many segments the disk space is divided.
const SEGMENTS: u64 = 16;

/// What is wrong with the segments.
#[derive(Debug, Error)]
pub(crate) enum SegmentsError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} holds attestations of another network, or is no segment; move the folder away to start anew", .0.display())]
    Foreign(PathBuf),
}

/// Where a record lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    path: Arc<Path>,
    offset: u64,
}

impl Place {
    /// Reads the record and checks it.
    pub(crate) fn read(&self, round: Round) -> io::Result<Bytes> {
        let file = File::open(&self.path)?;
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, self.offset)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the record is damaged");
        let (found, length, check) = split(head);
        if found != round || length > RECORD_BYTES_MAX {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged())?];
        file.read_exact_at(&mut bytes, self.offset + 20)?;
        if check_of(round, &bytes) != check {
            return Err(damaged());
        }
        Ok(bytes.into())
    }
}

/// The segments of one folder; the last one is appended to.
pub(crate) struct Segments {
    dir: PathBuf,
    network: NetworkId,
    /// Number and size of each segment.
    sizes: BTreeMap<u64, u64>,
    current: Option<(u64, Arc<Path>, File)>,
    segment_bytes: u64,
}

type Index = BTreeMap<Round, Place>;

impl Segments {
    /// Opens or makes the folder, and finds out what is there.
    pub(crate) fn open(
        dir: &Path,
        network: NetworkId,
        disk_bytes: u64,
    ) -> Result<(Self, Index), SegmentsError> {
        let io = |error| SegmentsError::Io {
            path: dir.to_owned(),
            error,
        };
        crate::files::create_private_dir(dir).map_err(|e| io(io::Error::other(e.to_string())))?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let number = name
                .to_str()
                .and_then(|n| n.strip_suffix(".seg"))
                .and_then(|n| n.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let mut segments = Self {
            dir: dir.to_owned(),
            network,
            sizes: BTreeMap::new(),
            current: None,
            segment_bytes: (disk_bytes / SEGMENTS).max(1 << 16),
        };
        let mut index = Index::new();
        for number in numbers {
            segments.recover(number, &mut index)?;
        }
        Ok((segments, index))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:010}.seg"))
    }

    /// Reads one segment's records, and cuts off what follows the last sound one.
    fn recover(&mut self, number: u64, index: &mut Index) -> Result<(), SegmentsError> {
        let path: Arc<Path> = self.path(number).into();
        let fail = |error| SegmentsError::Io {
            path: path.to_path_buf(),
            error,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        let mut reader = BufReader::new(&file);
        let mut header = [0; 48];
        if length < HEADER_BYTES {
            // The process died between making the file and its first write.
            drop(reader);
            return fs::remove_file(&path).map_err(fail);
        }
        reader.read_exact(&mut header).map_err(fail)?;
        if header != self.header() {
            return Err(SegmentsError::Foreign(path.to_path_buf()));
        }
        let mut offset = HEADER_BYTES;
        while let Some((round, size)) =
            next_record(&mut reader, length.saturating_sub(offset)).map_err(fail)?
        {
            index.insert(
                round,
                Place {
                    segment: number,
                    path: Arc::clone(&path),
                    offset,
                },
            );
            offset += size;
        }
        if offset < length {
            tracing::warn!(
                segment = %path.display(), cut_bytes = length - offset,
                "the end of a segment is damaged, as after a crash; it is cut off"
            );
            file.set_len(offset).map_err(fail)?;
            file.sync_all().map_err(fail)?;
        }
        self.sizes.insert(number, offset);
        self.current = Some((number, path, file));
        Ok(())
    }

    fn header(&self) -> [u8; 48] {
        let mut header = [0; 48];
        header[..16].copy_from_slice(MAGIC);
        header[16..].copy_from_slice(&self.network.0.0);
        header
    }

    /// Appends an item; gives its place and the number of the segment that had to go for it.
    pub(crate) fn append(&mut self, item: &Item) -> Result<(Place, Option<u64>), SegmentsError> {
        let length = u32::try_from(item.bytes.len()).unwrap_or(u32::MAX);
        let mut record = Vec::with_capacity(item.bytes.len() + HEAD_BYTES);
        record.extend_from_slice(&item.round.0.to_be_bytes());
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&check_of(item.round, &item.bytes));
        record.extend_from_slice(&item.bytes);
        let size = u64::try_from(record.len()).unwrap_or(u64::MAX);
        let dropped = self.make_room(size)?;
        let Some((number, path, file)) = &mut self.current else {
            let error = io::Error::other("no segment is open");
            return Err(SegmentsError::Io {
                path: self.dir.clone(),
                error,
            });
        };
        let offset = self.sizes.get(number).copied().unwrap_or(HEADER_BYTES);
        let written = file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| file.write_all(&record));
        if let Err(error) = written {
            // A part of the record may be there; the next one goes over it, and nothing points to it.
            return Err(SegmentsError::Io {
                path: path.to_path_buf(),
                error,
            });
        }
        self.sizes.insert(*number, offset + size);
        let place = Place {
            segment: *number,
            path: Arc::clone(path),
            offset,
        };
        Ok((place, dropped))
    }

    /// Opens a new segment where the current one is full, and removes the oldest where there are too many.
    fn make_room(&mut self, size: u64) -> Result<Option<u64>, SegmentsError> {
        let current = self.current.as_ref().map(|(number, ..)| *number);
        let used = current.and_then(|n| self.sizes.get(&n)).copied();
        if used.is_some_and(|used| used + size <= self.segment_bytes || used == HEADER_BYTES) {
            return Ok(None);
        }
        self.sync()?;
        let number = current.map_or(0, |n| n + 1);
        let path: Arc<Path> = self.path(number).into();
        let fail = |error| SegmentsError::Io {
            path: path.to_path_buf(),
            error,
        };
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let mut file = open.map_err(fail)?;
        file.write_all(&self.header()).map_err(fail)?;
        self.sizes.insert(number, HEADER_BYTES);
        self.current = Some((number, path, file));
        let oldest = self.sizes.keys().next().copied();
        let full = u64::try_from(self.sizes.len()).unwrap_or(u64::MAX) > SEGMENTS;
        let Some(oldest) = oldest.filter(|_| full) else {
            return Ok(None);
        };
        self.sizes.remove(&oldest);
        let path = self.path(oldest);
        fs::remove_file(&path).map_err(|error| SegmentsError::Io { path, error })?;
        Ok(Some(oldest))
    }

    /// Forces the current segment to the disk.
    pub(crate) fn sync(&self) -> Result<(), SegmentsError> {
        let Some((_, path, file)) = &self.current else {
            return Ok(());
        };
        file.sync_data().map_err(|error| SegmentsError::Io {
            path: path.to_path_buf(),
            error,
        })
    }
}

fn split(head: [u8; HEAD_BYTES]) -> (Round, u32, [u8; 8]) {
    let [r0, r1, r2, r3, r4, r5, r6, r7, l0, l1, l2, l3, check @ ..] = head;
    let round = u64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    (Round(round), u32::from_be_bytes([l0, l1, l2, l3]), check)
}

fn check_of(round: Round, bytes: &[u8]) -> [u8; 8] {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let digest = sha256(&[&round.0.to_be_bytes(), &length.to_be_bytes(), bytes]);
    let mut check = [0; 8];
    check.copy_from_slice(&digest.0[..8]);
    check
}

/// The next sound record and its size in bytes; none at the end, or where the rest is torn or damaged.
fn next_record(reader: &mut impl io::Read, left: u64) -> io::Result<Option<(Round, u64)>> {
    let head_bytes = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    if left < head_bytes {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    reader.read_exact(&mut head)?;
    let (round, length, check) = split(head);
    if length > RECORD_BYTES_MAX || u64::from(length) > left - head_bytes {
        return Ok(None);
    }
    let Ok(length) = usize::try_from(length) else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    let sound = check_of(round, &bytes) == check;
    Ok(sound.then_some((
        round,
        head_bytes + u64::try_from(length).unwrap_or(u64::MAX),
    )))
}
