//! Frames that come compressed.

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;

use super::ParseError;

/// The longest frame that is unpacked, in bytes after unpacking.
const UNPACKED_MAX: u64 = 1 << 20;

/// The text of a frame: itself, or what it unpacks to if it begins as gzip does, which no JSON text can.
///
/// # Errors
/// Damaged or cut gzip, or more than [`UNPACKED_MAX`] bytes.
pub(super) fn text(frame: &[u8]) -> Result<Cow<'_, [u8]>, ParseError> {
    if !frame.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(frame));
    }
    let mut text = Vec::new();
    let mut unpacked = GzDecoder::new(frame).take(UNPACKED_MAX);
    unpacked
        .read_to_end(&mut text)
        .map_err(|e| ParseError::gzip(&e.to_string()))?;
    if unpacked.limit() == 0 {
        return Err(ParseError::gzip(
            "the frame has more than a megabyte unpacked",
        ));
    }
    Ok(Cow::Owned(text))
}
