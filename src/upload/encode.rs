//! A sealed segment becomes the bytes of its object: format by compression.
//!
//! Plain functions over bytes: the same segment gives the same bytes, whoever asks and how often.
//! Trusted: what sealing wrote (its checksum was compared when the segment was claimed), that is
//! `HEADER`, accepted events each followed by a line break, `FOOTER`; in the other lanes JSON lines.
//! Every event that the validator accepts has a form in every format, so encoding refuses nothing
//! but a segment that is no longer what was sealed. Memory does not grow with the segment: one
//! window over the input (64 KiB, or twice the largest event), one event's tree, and what the
//! format holds back (Parquet: a row group of 4 MiB). Events are copied, never logged.

pub mod document;
pub mod element;
pub mod json;
pub mod mapping;
pub mod parquet;
mod sink;

use crate::spool::manifest::{Compression, Form, Format};
use crate::spool::names::Lane;
use std::io::{self, Read, Write};

/// Why a segment could not be encoded, sorted by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The segment could not be opened or read: try again later.
    #[error("reading the segment failed: {0}")]
    Read(#[source] io::Error),
    /// The object's bytes could not be written: the caller's business.
    #[error("writing the object failed: {0}")]
    Write(#[source] io::Error),
    /// The segment is not what sealing wrote; trying again will not help, so set it aside.
    #[error("the segment is damaged at byte {position}: {detail}")]
    Damaged {
        /// Offset in bytes from the start of the segment.
        position: u64,
        /// What is wrong; never repeats input.
        detail: &'static str,
    },
    /// The Parquet library refused; a fault of the program, so set the segment aside.
    #[error("writing Parquet failed: {0}")]
    Parquet(#[source] ::parquet::errors::ParquetError),
}

impl From<document::DocumentError> for EncodeError {
    /// A sealed segment has its end: one without is damaged.
    fn from(error: document::DocumentError) -> Self {
        use document::DocumentError::{Damaged, Read, Unfinished};
        let ends = "it ends, or is not well-formed, inside an event or before </EVENTS>";
        match error {
            Read(cause) => Self::Read(cause),
            Unfinished { position } => Self::Damaged { position, detail: ends },
            Damaged { position, detail } => Self::Damaged { position, detail },
        }
    }
}

impl From<::parquet::errors::ParquetError> for EncodeError {
    /// What the library passes on from the output is the output's error.
    fn from(error: ::parquet::errors::ParquetError) -> Self {
        use ::parquet::errors::ParquetError::External;
        match error {
            External(cause) => match cause.downcast::<io::Error>() {
                Ok(cause) => Self::Write(*cause),
                Err(cause) => Self::Parquet(External(cause)),
            },
            other => Self::Parquet(other),
        }
    }
}

/// Opens the segment anew, at its first byte. Parquet reads it twice: for the columns, for the rows.
pub type Open<'a> = dyn FnMut() -> io::Result<Box<dyn Read>> + 'a;

/// Writes the object of a sealed segment to `output`.
///
/// # Errors
/// See [`EncodeError`]; `output` then holds a part of the object, which must not be used.
pub fn encode(
    form: &Form,
    lane: Lane,
    open: &mut Open<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), EncodeError> {
    match form_of(form, lane) {
        Format::Xml => copy(form.compression, open, output),
        Format::Ndjson if lane != Lane::Events => copy(form.compression, open, output),
        Format::Ndjson => json::encode(json::Layout::Lines, form.compression, open, output),
        Format::Json => json::encode(array(form), form.compression, open, output),
        Format::Parquet => parquet::encode(form.compression, open, output),
    }
}

/// The extension of an object's name, without the first dot: `xml`, `ndjson.gz`, `parquet`, …
#[must_use]
pub fn extension(form: &Form, lane: Lane) -> &'static str {
    match (form_of(form, lane), form.compression) {
        (Format::Xml, Compression::None) => "xml",
        (Format::Xml, Compression::Gzip) => "xml.gz",
        (Format::Xml, Compression::Zstd) => "xml.zst",
        (Format::Json, Compression::None) => "json",
        (Format::Json, Compression::Gzip) => "json.gz",
        (Format::Json, Compression::Zstd) => "json.zst",
        (Format::Ndjson, Compression::None) => "ndjson",
        (Format::Ndjson, Compression::Gzip) => "ndjson.gz",
        (Format::Ndjson, Compression::Zstd) => "ndjson.zst",
        (Format::Parquet, _) => "parquet",
    }
}

/// The object's Content-Type: by format. Compression shows in the extension alone, so that no
/// client unpacks a file on the way.
#[must_use]
pub fn content_type(form: &Form, lane: Lane) -> &'static str {
    match form_of(form, lane) {
        Format::Xml => "application/xml",
        Format::Json => "application/json",
        Format::Ndjson => "application/x-ndjson",
        Format::Parquet => "application/vnd.apache.parquet",
    }
}

/// `OUTPUT_FORMAT` is about events; the other lanes hold JSON lines and stay that.
fn form_of(form: &Form, lane: Lane) -> Format {
    match lane {
        Lane::Events => form.format,
        Lane::Quarantine | Lane::Logs => Format::Ndjson,
    }
}

fn array(form: &Form) -> json::Layout {
    if form.pretty { json::Layout::PrettyArray } else { json::Layout::Array }
}

/// Nothing to convert: the sealed bytes are the object.
fn copy(
    compression: Compression,
    open: &mut Open<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), EncodeError> {
    let mut input = open().map_err(EncodeError::Read)?;
    let mut sink = sink::Sink::new(compression, output).map_err(EncodeError::Write)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let filled = match input.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(EncodeError::Read)?,
        };
        let Some(part) = buffer.get(..filled).filter(|p| !p.is_empty()) else { break };
        sink.write_all(part).map_err(EncodeError::Write)?;
    }
    sink.finish().map_err(EncodeError::Write)
}

#[cfg(test)]
mod tests;
