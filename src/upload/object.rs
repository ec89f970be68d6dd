//! From the sealed file to the bytes of an object, checking the file on the way.
//!
//! Blocking. Uncompressed XML and NDJSON are the file itself, read once into one buffer of its
//! size; everything else goes through `encode`. Trusted: the manifest. Not trusted: the file, whose
//! length and checksum must be the manifest's, and the encoder, which may panic on one segment.

use super::Source;
use super::body::{Body, Builder};
use super::encode::{EncodeError, Open, encode};
use super::key::is_verbatim;
use super::memory::Share;
use crate::base::checksum::{Checksum, Running};
use crate::spool::Lane;
use crate::spool::manifest::{Compression, Form, Format, Manifest};
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
    Object(Body),
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
    share: Share,
) -> io::Result<Made> {
    if is_verbatim(lane, form) {
        return verbatim(source.read(lane, number)?, contents, share);
    }
    let mut open = || Ok(Box::new(source.read(lane, number)?) as Box<dyn Read>);
    if !is_as_sealed(open()?, contents)? {
        return Ok(Made::Damaged);
    }
    encoded(&mut open, lane, form, share)
}

fn verbatim(file: impl Read, contents: &Contents, share: Share) -> io::Result<Made> {
    let mut output = Builder::new(share, contents.bytes);
    match output.read_from(file) {
        Err(error) if !output.is_full() => return Err(error),
        _longer_or_whole => {}
    }
    let is_whole = !output.is_full() && output.length() == contents.bytes;
    let body = output.finish();
    let is_as_sealed = is_whole && body.checksum == contents.checksum;
    Ok(if is_as_sealed { Made::Object(body) } else { Made::Damaged })
}

/// Whether the file's length and checksum are the manifest's.
fn is_as_sealed(mut file: impl Read, contents: &Contents) -> io::Result<bool> {
    let mut summed = Summed { running: Running::default(), length: 0 };
    io::copy(&mut file, &mut summed)?;
    Ok(summed.length == contents.bytes && summed.running.value() == contents.checksum)
}

fn encoded(open: &mut Open<'_>, lane: Lane, form: &Form, share: Share) -> io::Result<Made> {
    let room = share.bytes.saturating_sub(BUFFERS + ENCODER);
    let mut output = Builder::new(share, room);
    match encode(form, lane, open, &mut output) {
        _ if output.is_full() => Ok(Made::TooLarge),
        Ok(()) => Ok(Made::Object(output.finish())),
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

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::*;
    use bytes::Bytes;
    use futures_util::FutureExt;

    const ROOM: usize = (BUFFERS + ENCODER) as usize;

    fn share(bytes: usize) -> Share {
        Memory::new(1 << 30).share(bytes as u64).now_or_never().unwrap().unwrap()
    }

    const FILE: &[u8] = b"<EVENTS>\n<EVENT/>\n</EVENTS>\n";

    fn contents() -> Contents {
        Contents { items: 1, bytes: FILE.len() as u64, checksum: Checksum::of(FILE) }
    }

    #[test]
    fn the_sealed_file_is_the_object_byte_for_byte() {
        let made = verbatim(FILE, &contents(), share(FILE.len())).unwrap();
        assert!(matches!(made, Made::Object(body)
            if Bytes::from(body.payload.clone()) == FILE && body.checksum == contents().checksum));
    }

    #[test]
    fn a_file_that_is_shorter_longer_or_flipped_is_damaged() {
        let longer = [FILE, b"x"].concat();
        let mut flipped = FILE.to_vec();
        flipped[3] ^= 1;
        for file in [&FILE[..5], &longer, &flipped, b""] {
            assert!(matches!(
                verbatim(file, &contents(), share(FILE.len())).unwrap(),
                Made::Damaged
            ));
            assert!(!is_as_sealed(file, &contents()).unwrap());
        }
    }

    #[test]
    fn an_object_beyond_its_share_is_not_built() {
        let mut open = || Ok(Box::new(FILE) as Box<dyn Read>);
        let made = encoded(&mut open, Lane::Events, &Form::default(), share(ROOM)).unwrap();
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
        assert!(verbatim(Broken, &contents(), share(FILE.len())).is_err());
        assert!(is_as_sealed(Broken, &contents()).is_err());
        let mut open = || Ok(Box::new(Broken) as Box<dyn Read>);
        assert!(encoded(&mut open, Lane::Events, &Form::default(), share(ROOM + 9)).is_err());
    }

    #[test]
    fn memory_for_an_uncompressed_file_is_its_size_and_little_more() {
        let form = Form::default();
        assert_eq!(estimate(Lane::Events, &form, &contents()), FILE.len() as u64 + BUFFERS);
    }
}
