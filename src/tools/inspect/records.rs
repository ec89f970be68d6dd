//! The records of a file in any of our forms, one after the other.
//!
//! The form follows from the first bytes: gzip and Zstandard are unpacked, `PAR1` is Parquet, `<` is
//! XML, `[` a JSON array, anything else JSON lines. A record is an event as a JSON object (the
//! mapping of `upload::encode`; Parquet's columns and `_extra` put together again), or a quarantine
//! or log record as it is. Memory: one record, and for Parquet what its reader holds of a row group.

use crate::upload::encode::document::{DocumentError, Events};
use crate::upload::encode::element::Element;
use crate::upload::encode::mapping::Object;
use crate::upload::encode::parquet::EXTRA;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};

/// A record's fields in their order.
pub type Fields = Map<String, Value>;
/// Takes a record; false: no more.
pub type Each<'a> = dyn FnMut(Fields) -> bool + 'a;

/// The bytes of a file, or of an object that was fetched.
#[derive(Debug)]
pub enum Content {
    /// A local file, at its first byte.
    File(File),
    /// An object.
    Bytes(Bytes),
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It could not be read or unpacked.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It ends inside a record or before its own end mark.
    #[error("ends, or is not well-formed, behind the last record shown")]
    Unfinished,
    /// It is not well-formed.
    #[error("is damaged at byte {position} of the unpacked text: {detail}")]
    Document {
        /// Offset in bytes.
        position: u64,
        /// What is wrong.
        detail: &'static str,
    },
    /// It is not JSON; line and column are those of the unpacked text.
    #[error("is not JSON at line {line}, column {column}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is not Parquet as the library reads it.
    #[error("is not readable as Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

/// Calls `each` with every record until it says no more.
///
/// # Errors
/// See [`Fault`]; the records before it have been handed over.
pub fn read(content: Content, each: &mut Each<'_>) -> Result<(), Fault> {
    match content {
        Content::File(mut file) => {
            let start = first_bytes(&mut file)?;
            file.rewind()?;
            if start == *b"PAR1" { parquet_rows(file, each) } else { unpack(start, file, each) }
        }
        Content::Bytes(bytes) => {
            let start = first_bytes(&mut &*bytes)?;
            if start == *b"PAR1" {
                parquet_rows(bytes, each)
            } else {
                unpack(start, io::Cursor::new(bytes), each)
            }
        }
    }
}

fn first_bytes(input: &mut impl Read) -> io::Result<[u8; 4]> {
    let mut start = Vec::new();
    input.take(4).read_to_end(&mut start)?;
    start.resize(4, 0);
    Ok(start.try_into().unwrap_or_default())
}

fn unpack(start: [u8; 4], input: impl Read, each: &mut Each<'_>) -> Result<(), Fault> {
    match start {
        [0x1f, 0x8b, ..] => text(BufReader::new(MultiGzDecoder::new(input)), each),
        [0x28, 0xb5, 0x2f, 0xfd] => text(BufReader::new(zstd::Decoder::new(input)?), each),
        _ => text(BufReader::new(input), each),
    }
}

fn text(mut input: impl BufRead, each: &mut Each<'_>) -> Result<(), Fault> {
    if input.fill_buf().map_err(unfinished)?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    loop {
        match input.fill_buf().map_err(unfinished)?.first() {
            None => return Ok(()),
            Some(byte) if byte.is_ascii_whitespace() => input.consume(1),
            Some(b'<') => return xml(input, each),
            Some(b'[') => return array(input, each),
            Some(_) => return lines(input, each),
        }
    }
}

/// A compressed file that was cut says so as an I/O error.
fn unfinished(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Unfinished,
        _ => Fault::Read(error),
    }
}

fn xml(input: impl Read, each: &mut Each<'_>) -> Result<(), Fault> {
    let mut events = Events::new(input);
    loop {
        let position = events.position();
        let Some(event) = events.next().map_err(document_fault)? else { return Ok(()) };
        let event = Element::parse(event).map_err(|detail| Fault::Document { position, detail })?;
        if !each(fields_of(&event)) {
            return Ok(());
        }
    }
}

fn document_fault(error: DocumentError) -> Fault {
    match error {
        DocumentError::Read(error) => unfinished(error),
        DocumentError::Unfinished { .. } => Fault::Unfinished,
        DocumentError::Damaged { position, detail } => Fault::Document { position, detail },
    }
}

fn fields_of(event: &Element<'_>) -> Fields {
    match serde_json::to_value(Object::new(event)) {
        Ok(Value::Object(fields)) => fields,
        _ => Fields::new(), // an object of texts always becomes one
    }
}

fn lines(input: impl BufRead, each: &mut Each<'_>) -> Result<(), Fault> {
    for record in serde_json::Deserializer::from_reader(input).into_iter::<Fields>() {
        if !each(record.map_err(json_fault)?) {
            break;
        }
    }
    Ok(())
}

fn array(input: impl BufRead, each: &mut Each<'_>) -> Result<(), Fault> {
    let mut json = serde_json::Deserializer::from_reader(input);
    let mut stopped = false;
    match (Elements { each, stopped: &mut stopped }).deserialize(&mut json) {
        Err(_) if stopped => Ok(()),
        Err(error) => Err(json_fault(error)),
        Ok(()) => json.end().map_err(json_fault),
    }
}

/// The library's own message may quote the input; line and column do not.
fn json_fault(error: serde_json::Error) -> Fault {
    match error.classify() {
        serde_json::error::Category::Eof => Fault::Unfinished,
        serde_json::error::Category::Io => unfinished(error.into()),
        _ => Fault::Json { line: error.line(), column: error.column() },
    }
}

/// Hands over the elements of an array while it is read.
struct Elements<'e, 'f> {
    each: &'e mut Each<'f>,
    stopped: &'e mut bool,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(record) = elements.next_element::<Fields>()? {
            if !(self.each)(record) {
                *self.stopped = true;
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn parquet_rows(input: impl ChunkReader + 'static, each: &mut Each<'_>) -> Result<(), Fault> {
    let reader = SerializedFileReader::new(input)?;
    for row in reader.get_row_iter(None)? {
        if !each(joined(row?)) {
            break;
        }
    }
    Ok(())
}

/// The columns that hold something, and what `_extra` adds to them.
fn joined(row: Row) -> Fields {
    let mut fields = Fields::new();
    let mut extra = Fields::new();
    for (name, field) in row.into_columns() {
        match field {
            Field::Null => {}
            Field::Str(json) if name == EXTRA => match serde_json::from_str(&json) {
                Ok(more) => extra = more,
                Err(_) => drop(fields.insert(name, Value::String(json))),
            },
            Field::Str(text) => drop(fields.insert(name, Value::String(text))),
            other => drop(fields.insert(name, Value::String(other.to_string()))),
        }
    }
    extra.into_iter().for_each(|(name, value)| add(&mut fields, name, value));
    fields
}

fn add(fields: &mut Fields, name: String, value: Value) {
    let Some(first) = fields.get_mut(&name) else {
        fields.insert(name, value);
        return;
    };
    let mut list = vec![first.take()];
    match value {
        Value::Array(values) => list.extend(values),
        single => list.push(single),
    }
    *first = Value::Array(list);
}
