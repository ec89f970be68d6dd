//! The lines of a quarantine file or object: read once from the first to the last, and again one by one.
//!
//! Not trusted: the lines. One longer than 64 MiB, or one that is no record, is an error of that
//! line; the next one is read all the same.

use crate::base::checksum::Checksum;
use crate::quarantine::{Record, RecordError};
use std::collections::HashMap;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Longest line, in bytes. A record's bytes are bounded by `MAX_MESSAGE_SIZE`.
const LONGEST: u64 = 64 << 20;

/// Where a line is and how it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// From 1, for people.
    pub number: u64,
    /// Of its bytes without the line's end.
    pub checksum: Checksum,
    /// How many equal lines stand before it.
    pub occurrence: u32,
    offset: u64,
    length: u64,
}

/// A line and what is on it.
#[derive(Debug)]
pub struct Found {
    /// The line.
    pub line: Line,
    /// What it says.
    pub record: Result<Record, LineError>,
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is too long to be one.
    #[error("not a quarantine record: the line is longer than 64 MiB")]
    Long,
    /// It says something else.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Where lines come from.
trait Bytes: Read + Seek + Debug {}

impl<T: Read + Seek + Debug> Bytes for T {}

/// The lines of a file or an object.
#[derive(Debug)]
pub struct Lines {
    file: BufReader<Box<dyn Bytes>>,
    offset: u64,
    number: u64,
    met: HashMap<u64, u32>,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system said.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::from(Box::new(File::open(path)?)))
    }

    /// The lines of an object that was fetched.
    #[must_use]
    pub fn of(object: bytes::Bytes) -> Self {
        Self::from(Box::new(Cursor::new(object)))
    }

    fn from(bytes: Box<dyn Bytes>) -> Self {
        Self { file: BufReader::new(bytes), offset: 0, number: 0, met: HashMap::new() }
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Found>> {
        loop {
            let offset = self.offset;
            let mut bytes = Vec::new();
            let length = (&mut self.file).take(LONGEST).read_until(b'\n', &mut bytes)? as u64;
            if length == 0 {
                return Ok(None);
            }
            let long = length == LONGEST && !bytes.ends_with(b"\n");
            let rest = if long { skip_line(&mut self.file)? } else { 0 };
            self.offset += length + rest;
            self.number += 1;
            let text = bytes.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let line = self.line(text, offset, length);
            let record =
                if long { Err(LineError::Long) } else { Record::parse(text).map_err(Into::into) };
            return Ok(Some(Found { line, record }));
        }
    }

    fn line(&mut self, text: &[u8], offset: u64, length: u64) -> Line {
        let checksum = Checksum::of(text);
        let met = self.met.entry(checksum.value()).or_default();
        let occurrence = *met;
        *met = met.saturating_add(1);
        Line { number: self.number, checksum, occurrence, offset, length }
    }

    /// The bytes that a line keeps.
    ///
    /// # Errors
    /// The file cannot be read, or has changed since.
    pub fn raw(&mut self, line: &Line) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(line.offset))?;
        let mut bytes = Vec::new();
        (&mut self.file).take(line.length).read_to_end(&mut bytes)?;
        let text = bytes.trim_ascii();
        if Checksum::of(text) != line.checksum {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file changed meanwhile"));
        }
        Record::parse(text).map(|record| record.raw).map_err(io::Error::other)
    }
}

fn skip_line(file: &mut impl BufRead) -> io::Result<u64> {
    file.skip_until(b'\n').map(|skipped| skipped as u64)
}
