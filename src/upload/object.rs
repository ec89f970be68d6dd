//! From the sealed file to the bytes of an object, checking the file on the way.
//!
//! Blocking. Uncompressed XML and NDJSON are the file itself, read once into one buffer of its
//! size; everything else goes through `encode`. Trusted: the manifest. Not trusted: the file, whose
//! length and checksum must be the manifest's, and the encoder, which may panic on one segment.

use super::Source;
use super::encode::{EncodeError, Open, encode};
use super::key::is_verbatim;
use crate::base::checksum::{Checksum, Running};
use crate::spool::Lane;
use crate::spool::manifest::{Compression, Form, Format, Manifest};
use bytes::Bytes;
use std::io::{self, Read, Write};

/// What the manifest says about the file as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Items in it.
    pub items: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its checksum.
    pub checksum: Checksum,
}

impl Contents {
    /// Read from a sealed segment's manifest.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Option<Self> {
        let checksum = manifest.file_checksum()?;
        let (items, _, bytes) = manifest.holds();
        Some(Self { items, bytes, checksum })
    }
}

/// What became of the file.
#[derive(Debug)]
pub enum Made {
    /// The object.
    Object {
        /// Its bytes.
        bytes: Bytes,
        /// Their checksum.
        checksum: Checksum,
    },
    /// The file is not what was sealed.
    Damaged,
    /// The encoder refused; the text says why.
    Unfit(String),
    /// It needs more than its share of memory.
    TooLarge,
}

/// What an upload needs besides the object: the HTTP client's and the encoder's buffers, in bytes.
const BUFFERS: u64 = 128 * 1024;
const ENCODER: u64 = 1024 * 1024;

/// How much memory an object will probably need, in bytes.
#[must_use]
pub fn estimate(lane: Lane, form: &Form, contents: &Contents) -> u64 {
    if is_verbatim(lane, form) {
        return contents.bytes + BUFFERS;
    }
    let object = match (form.format, form.compression) {
        // Parquet holds its columns until a row group ends.
        (Format::Parquet, _) => contents.bytes,
        (_, Compression::None) => contents.bytes,
        (_, Compression::Gzip | Compression::Zstd) => contents.bytes / 2,
    };
    object + BUFFERS + ENCODER
}

/// Makes the object within a share of memory.
///
/// # Errors
/// What the disk said.
pub fn make(
    source: &dyn Source,
    lane: Lane,
    number: u64,
    form: &Form,
    contents: &Contents,
    share: u64,
) -> io::Result<Made> {
    if is_verbatim(lane, form) {
        return verbatim(source.read(lane, number)?, contents);
    }
    let mut open = || Ok(Box::new(source.read(lane, number)?) as Box<dyn Read>);
    if !is_as_sealed(open()?, contents)? {
        return Ok(Made::Damaged);
    }
    encoded(&mut open, lane, form, share.saturating_sub(BUFFERS + ENCODER))
}

fn verbatim(mut file: impl Read, contents: &Contents) -> io::Result<Made> {
    let Ok(length) = usize::try_from(contents.bytes) else { return Ok(Made::TooLarge) };
    let mut bytes = vec![0; length];
    match file.read_exact(&mut bytes) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Made::Damaged),
        Err(error) => return Err(error),
    }
    let at_end = file.read(&mut [0])? == 0;
    let checksum = Checksum::of(&bytes);
    if !at_end || checksum != contents.checksum {
        return Ok(Made::Damaged);
    }
    Ok(Made::Object { bytes: bytes.into(), checksum })
}

/// Whether the file's length and checksum are the manifest's.
fn is_as_sealed(mut file: impl Read, contents: &Contents) -> io::Result<bool> {
    let mut summed = Summed { running: Running::default(), length: 0 };
    io::copy(&mut file, &mut summed)?;
    Ok(summed.length == contents.bytes && summed.running.value() == contents.checksum)
}

fn encoded(open: &mut Open<'_>, lane: Lane, form: &Form, room: u64) -> io::Result<Made> {
    let mut output = Bounded { bytes: Vec::new(), room, is_full: false };
    match encode(form, lane, open, &mut output) {
        _ if output.is_full => Ok(Made::TooLarge),
        Ok(()) => {
            let checksum = Checksum::of(&output.bytes);
            Ok(Made::Object { bytes: output.bytes.into(), checksum })
        }
        Err(EncodeError::Read(error)) => Err(error),
        Err(error) => Ok(Made::Unfit(error.to_string())),
    }
}

/// A writer that keeps nothing but length and checksum.
struct Summed {
    running: Running,
    length: u64,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.running.update(bytes);
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A buffer that does not grow past its share.
struct Bounded {
    bytes: Vec<u8>,
    room: u64,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.room {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"<EVENTS>\n<EVENT/>\n</EVENTS>\n";

    fn contents() -> Contents {
        Contents { items: 1, bytes: FILE.len() as u64, checksum: Checksum::of(FILE) }
    }

    #[test]
    fn the_sealed_file_is_the_object_byte_for_byte() {
        let made = verbatim(FILE, &contents()).unwrap();
        assert!(matches!(made, Made::Object { bytes, checksum }
            if bytes == FILE && checksum == contents().checksum));
    }

    #[test]
    fn a_file_that_is_shorter_longer_or_flipped_is_damaged() {
        let longer = [FILE, b"x"].concat();
        let mut flipped = FILE.to_vec();
        flipped[3] ^= 1;
        for file in [&FILE[..5], &longer, &flipped, b""] {
            assert!(matches!(verbatim(file, &contents()).unwrap(), Made::Damaged));
            assert!(!is_as_sealed(file, &contents()).unwrap());
        }
    }

    #[test]
    fn an_object_beyond_its_share_is_not_built() {
        let mut open = || Ok(Box::new(FILE) as Box<dyn Read>);
        let made = encoded(&mut open, Lane::Events, &Form::default(), 3).unwrap();
        assert!(matches!(made, Made::TooLarge));
    }

    #[test]
    fn a_disk_that_fails_is_no_damage() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("I/O error"))
            }
        }
        assert!(verbatim(Broken, &contents()).is_err());
        assert!(is_as_sealed(Broken, &contents()).is_err());
        let mut open = || Ok(Box::new(Broken) as Box<dyn Read>);
        assert!(encoded(&mut open, Lane::Events, &Form::default(), 1 << 20).is_err());
    }

    #[test]
    fn memory_for_an_uncompressed_file_is_its_size_and_little_more() {
        let form = Form::default();
        assert_eq!(estimate(Lane::Events, &form, &contents()), FILE.len() as u64 + BUFFERS);
    }
}
