//! Events as Parquet: a text column per plain field, and `_extra` for what fits no column.
//!
//! Columns: the vendor's fields always and first, then every other plain field (text alone) in the
//! order in which the segment brings them, 256 at most. A field has no column if one that differs
//! only by case has, or if it is called `_extra`: readers fold case. A row holds the first occurrence
//! of each field, if that is plain; all else (later ones, attributes, children, the event's own
//! text) is in `_extra`, as the JSON object that it would be without the columns. An empty text
//! is NULL, and so is `_extra` with nothing in it. The segment is read twice: for the columns, for the rows. Version 1 pages,
//! compressed inside; at most a row group (4 MiB) is held.

use super::document::Events;
use super::element::Element;
use super::mapping::Object;
use super::{EncodeError, Open};
use crate::event::fields;
use crate::spool::manifest::Compression;
use parquet::basic::{self, GzipLevel, LogicalType, Repetition, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::Arc;

/// Columns for fields; `_extra` comes on top.
pub const MAX_COLUMNS: usize = 256;
/// The column for everything that fits no other.
pub const EXTRA: &str = "_extra";
/// A row group is written when it holds this much text and bookkeeping, in bytes.
const ROW_GROUP: usize = 4 * 1024 * 1024;
/// Values handed to the library at a time.
const BATCH: usize = 1024;

/// Writes the events of a document as Parquet.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode(
    compression: Compression,
    open: &mut Open<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), EncodeError> {
    let mut columns = Columns::default();
    each_event(open, |event| {
        columns.find(event);
        Ok(())
    })?;
    let properties = Arc::new(properties(compression)?);
    let mut file = SerializedFileWriter::new(output, columns.schema()?, properties)?;
    let mut group = RowGroup::new(columns);
    each_event(open, |event| {
        group.push(event)?;
        if group.size >= ROW_GROUP { group.write(&mut file) } else { Ok(()) }
    })?;
    group.write(&mut file)?;
    file.close()?;
    Ok(())
}

fn each_event(
    open: &mut Open<'_>,
    mut act: impl FnMut(&Element<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let mut events = Events::new(open().map_err(EncodeError::Read)?);
    loop {
        let position = events.position();
        let Some(event) = events.next()? else { return Ok(()) };
        let event =
            Element::parse(event).map_err(|detail| EncodeError::Damaged { position, detail })?;
        act(&event)?;
    }
}

fn properties(compression: Compression) -> Result<WriterProperties, ParquetError> {
    let compression = match compression {
        Compression::Gzip => basic::Compression::GZIP(GzipLevel::try_new(6)?),
        Compression::None | Compression::Zstd => basic::Compression::ZSTD(ZstdLevel::try_new(3)?),
    };
    Ok(WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("xml-stream-aggregator ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build())
}

/// The fields that have a column.
struct Columns {
    /// Without `_extra`.
    names: Vec<String>,
    index: HashMap<String, usize>,
    /// Names taken, case folded.
    folded: HashSet<String>,
}

impl Default for Columns {
    fn default() -> Self {
        let folded = HashSet::from([fold(EXTRA)]);
        let mut columns = Self { names: Vec::new(), index: HashMap::new(), folded };
        fields::FIELDS.iter().for_each(|field| columns.add(field.name));
        columns
    }
}

impl Columns {
    /// Takes in the fields of an event.
    fn find(&mut self, event: &Element<'_>) {
        for child in event.children().iter().filter(|child| child.is_plain()) {
            if self.names.len() >= MAX_COLUMNS {
                return;
            }
            self.add(child.name);
        }
    }

    fn add(&mut self, name: &str) {
        if self.index.contains_key(name) || !self.folded.insert(fold(name)) {
            return;
        }
        self.index.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
    }

    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let names = self.names.iter().map(String::as_str).chain([EXTRA]);
        let fields = names.map(text_column).collect::<Result<_, _>>()?;
        Ok(Arc::new(Type::group_type_builder("event").with_fields(fields).build()?))
    }
}

fn text_column(name: &str) -> Result<TypePtr, ParquetError> {
    Type::primitive_type_builder(name, basic::Type::BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::String))
        .build()
        .map(Arc::new)
}

/// Up, then down: also joins the pairs that only one direction joins (`ſ` and `s`).
fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// Rows not yet written.
struct RowGroup {
    columns: Columns,
    /// One per column, `_extra` last.
    values: Vec<Values>,
    rows: usize,
    /// Text and bookkeeping held, in bytes.
    size: usize,
    /// Per column, whether this row's first occurrence is past.
    met: Vec<bool>,
    extra: Vec<u8>,
}

/// The texts of one column that are there, back to back. What is not there costs nothing: a
/// column that one event in a thousand has may not make row groups small.
#[derive(Default)]
struct Values {
    text: Vec<u8>,
    /// Row and end of each text.
    ends: Vec<(usize, usize)>,
}

/// What a row counts beside its texts, in bytes, so that rows without any end a group too.
const PER_ROW: usize = 16;

impl RowGroup {
    fn new(columns: Columns) -> Self {
        let count = columns.names.len() + 1;
        let values = std::iter::repeat_with(Values::default).take(count).collect();
        Self { columns, values, rows: 0, size: 0, met: vec![false; count], extra: Vec::new() }
    }

    fn push(&mut self, event: &Element<'_>) -> Result<(), EncodeError> {
        self.met.fill(false);
        let left: Vec<_> = event.children().iter().filter(|child| !self.place(child)).collect();
        let rest = Object::with_children(event, left);
        if !rest.is_empty() {
            self.extra.clear();
            serde_json::to_writer(&mut self.extra, &rest)
                .map_err(|e| EncodeError::Write(e.into()))?;
            if let Some(values) = self.values.last_mut() {
                self.size += values.push(self.rows, &self.extra);
            }
        }
        self.size += PER_ROW;
        self.rows += 1;
        Ok(())
    }

    /// Puts a field into its column; false if it does not belong there.
    fn place(&mut self, field: &Element<'_>) -> bool {
        let Some(&column) = self.columns.index.get(field.name) else { return false };
        let (Some(met), Some(values)) = (self.met.get_mut(column), self.values.get_mut(column))
        else {
            return false;
        };
        if std::mem::replace(met, true) || !field.is_plain() {
            return false;
        }
        self.size += values.push(self.rows, field.text.as_bytes());
        true
    }

    fn write<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<(), EncodeError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = file.next_row_group()?;
        for values in &mut self.values {
            let Some(mut column) = group.next_column()? else { break };
            std::mem::take(values).write(self.rows, |values, levels| {
                column.typed::<ByteArrayType>().write_batch(values, Some(levels), None).map(|_| ())
            })?;
            column.close()?;
        }
        group.close()?;
        (self.rows, self.size) = (0, 0);
        Ok(())
    }
}

impl Values {
    /// Adds a row's text, unless it is empty. Returns what it costs, in bytes.
    fn push(&mut self, row: usize, text: &[u8]) -> usize {
        if text.is_empty() {
            return 0;
        }
        self.text.extend_from_slice(text);
        self.ends.push((row, self.text.len()));
        text.len() + size_of::<(usize, usize)>()
    }

    /// Hands the values over in batches: the texts that are there, and a level (0: NULL) per row.
    fn write(
        self,
        rows: usize,
        mut batch: impl FnMut(&[ByteArray], &[i16]) -> Result<(), ParquetError>,
    ) -> Result<(), ParquetError> {
        let text = bytes::Bytes::from(self.text);
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let (mut start, mut ends) = (0, self.ends.into_iter().peekable());
        for row in 0..rows {
            let end = ends.next_if(|(with_text, _)| *with_text == row).map(|(_, end)| end);
            levels.push(i16::from(end.is_some()));
            if let Some(end) = end {
                values.push(ByteArray::from(text.slice(start..end)));
                start = end;
            }
            if levels.len() == BATCH || row + 1 == rows {
                batch(&values, &levels)?;
                values.clear();
                levels.clear();
            }
        }
        Ok(())
    }
}
