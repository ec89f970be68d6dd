//! `inspect`: what is in an event file, a quarantine or log file, or a segment of the spool.
//!
//! Reads any of our forms by what the bytes say, not by the file's name, and shows a table of chosen
//! fields, JSON lines, or a count. Nothing is trusted: a file that ends early or is damaged is shown
//! up to there, named on stderr with the place, and makes the exit code 1; only an `.open` segment may
//! end early, because it is being written. Names and card numbers are masked unless
//! `--show-personal-data`. Of a URL the object is shown, or all objects below it if it ends in `/`; with
//! `--follow` those that appear there from now on. A folder is refused.

pub mod follow;
pub mod mask;
pub mod records;
pub mod table;

use super::stored::{Stored, is_url};
use anyhow::{Context, bail};
use object_store::path::Path;
use records::{Content, Fields};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use table::Table;

/// Show what is in event files, quarantine files or spool segments.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Files in any of our forms: XML, JSON, NDJSON, Parquet, plain, gzip or Zstandard; or URLs
    /// (s3://bucket/key, gs://, az://, file://), where one that ends in / is all that is below it.
    #[arg(required_unless_present = "follow", value_name = "PATH|URL")]
    pub paths: Vec<String>,
    /// Show the objects that appear below this URL from now on, until stopped. Each look is a LIST
    /// of the prefix: name one that is not large, such as today's folder.
    #[arg(long, conflicts_with = "paths", value_name = "URL")]
    pub follow: Option<String>,
    /// With --follow, seconds between two looks.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600),
        requires = "follow", value_name = "SECONDS")]
    pub every: u64,
    /// Fields to show, separated by commas; without it, those that suit the file.
    #[arg(long, value_delimiter = ',', value_name = "FIELD")]
    pub fields: Vec<String>,
    /// Only records whose field has this value; given more than once, all must hold.
    /// `FIELD=` means empty or not there.
    #[arg(long = "where", value_parser = condition, value_name = "FIELD=VALUE")]
    pub conditions: Vec<Condition>,
    /// One JSON object a line, instead of a table; with all fields unless --fields chooses.
    #[arg(long, conflicts_with = "count")]
    pub json: bool,
    /// The number of records only.
    #[arg(long)]
    pub count: bool,
    /// Do not mask names, card numbers and raw bytes.
    #[arg(long)]
    pub show_personal_data: bool,
}

/// A field and the value it must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    field: String,
    value: String,
}

fn condition(text: &str) -> Result<Condition, &'static str> {
    let (field, value) = text.split_once('=').ok_or("must be FIELD=VALUE")?;
    if field.is_empty() {
        return Err("must be FIELD=VALUE");
    }
    Ok(Condition { field: field.to_owned(), value: value.to_owned() })
}

/// Shows the files one after the other.
///
/// # Errors
/// Standard output could not be written. What is wrong with a file is told on stderr and by the exit
/// code; the files behind it are shown all the same.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = show_what_is_asked(args, &mut out).and_then(|good| out.flush().map(|()| good));
    match shown {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS), // `| head`
        Err(e) => Err(e).context("writing to standard output"),
    }
}

fn show_what_is_asked(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    match &args.follow {
        Some(url) => follow::follow(args, url, out),
        None => show_all(args, out),
    }
}

/// Whether every file could be read to its end.
fn show_all(args: &Args, out: &mut impl Write) -> io::Result<bool> {
    let mut good = true;
    for path in &args.paths {
        good &= if is_url(path) {
            show_url(args, path, out)?
        } else {
            show_one(args, path, || open(path), out)?
        };
    }
    Ok(good)
}

fn show_url(args: &Args, url: &str, out: &mut impl Write) -> io::Result<bool> {
    match Stored::open(url).and_then(|stored| stored.keys().map(|keys| (stored, keys))) {
        Ok((stored, keys)) => {
            let mut good = true;
            for key in &keys {
                good &= show_object(args, &stored, key, out)?;
            }
            Ok(good)
        }
        Err(fault) => tell(url, &fault, out).map(|()| false),
    }
}

/// Shows one object; false if something is wrong with it.
fn show_object(args: &Args, stored: &Stored, key: &Path, out: &mut impl Write) -> io::Result<bool> {
    show_one(args, &stored.show(key), || stored.fetch(key).map(Content::Bytes), out)
}

fn show_one(
    args: &Args,
    name: &str,
    open: impl FnOnce() -> anyhow::Result<Content>,
    out: &mut impl Write,
) -> io::Result<bool> {
    let fault = match open() {
        Ok(content) => show(args, name, content, out)?,
        Err(fault) => Some(fault),
    };
    match fault {
        None => Ok(true),
        Some(fault) => tell(name, &fault, out).map(|()| false),
    }
}

/// Says what is wrong, behind what was shown so far.
fn tell(name: &str, fault: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    out.flush()?;
    eprintln!("{name}: {fault:#}");
    Ok(())
}

fn open(path: &str) -> anyhow::Result<Content> {
    let file = File::open(path).context("cannot be opened")?;
    if file.metadata().context("cannot be opened")?.is_dir() {
        bail!("is a folder: name the files in it");
    }
    Ok(Content::File(file))
}

/// Shows one file. Returns what is wrong with it, after showing all that could be read.
///
/// # Errors
/// The output could not be written.
pub fn show(
    args: &Args,
    name: &str,
    content: Content,
    out: &mut dyn Write,
) -> io::Result<Option<anyhow::Error>> {
    let mut view = View { args, table: None, matching: 0, out };
    let (mut records, mut refused) = (0u64, None);
    let end = records::read(content, &mut |record| {
        records += 1;
        view.take(record).map_err(|e| refused = Some(e)).is_ok()
    });
    match refused {
        Some(error) => return Err(error),
        None => view.end(name, records)?,
    }
    Ok(match end {
        Err(records::Fault::Unfinished) if name.ends_with(".open") => None,
        other => other.err().map(anyhow::Error::new),
    })
}

/// Where matching records go.
struct View<'a> {
    args: &'a Args,
    table: Option<Table>,
    matching: u64,
    out: &'a mut dyn Write,
}

impl View<'_> {
    fn take(&mut self, mut record: Fields) -> io::Result<()> {
        if !self.args.conditions.iter().all(|c| c.holds(&record)) {
            return Ok(());
        }
        self.matching += 1;
        if self.args.count {
            return Ok(());
        }
        if !self.args.show_personal_data {
            mask::mask(&mut record);
        }
        if self.args.json { self.json(record) } else { self.row(&record) }
    }

    fn json(&mut self, mut record: Fields) -> io::Result<()> {
        if !self.args.fields.is_empty() {
            record = self.args.fields.iter().filter_map(|f| record.remove_entry(f)).collect();
        }
        serde_json::to_writer(&mut *self.out, &record)?;
        self.out.write_all(b"\n")
    }

    fn row(&mut self, record: &Fields) -> io::Result<()> {
        let fields = &self.args.fields;
        let table = self.table.get_or_insert_with(|| match fields.as_slice() {
            [] => Table::new(table::suiting(record)),
            chosen => Table::new(chosen.to_vec()),
        });
        table.push(record, &mut *self.out)
    }

    fn end(&mut self, name: &str, records: u64) -> io::Result<()> {
        if let Some(table) = &mut self.table {
            table.finish(&mut *self.out)?;
        }
        let matching = self.matching;
        let alone = matches!(self.args.paths.as_slice(), [path] if !path.ends_with('/'));
        match (self.args.count, alone) {
            (true, true) => writeln!(self.out, "{matching}"),
            (true, false) => writeln!(self.out, "{name}: {matching}"),
            (false, _) if self.args.json => Ok(()),
            (false, _) if matching == records => writeln!(self.out, "{name}: {records} records"),
            (false, _) => writeln!(self.out, "{name}: {matching} of {records} records"),
        }
    }
}

impl Condition {
    /// Whether the field, or one of its values, is the text.
    fn holds(&self, record: &Fields) -> bool {
        match record.get(&self.field) {
            None | Some(Value::Null) => self.value.is_empty(),
            Some(Value::Array(values)) => values.iter().any(|v| self.is(v)),
            Some(value) => self.is(value),
        }
    }

    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => *text == self.value,
            Value::Object(inner) => inner.get("$").is_some_and(|text| *text == self.value),
            other => {
                let number = other.to_string();
                number == self.value
            }
        }
    }
}

#[cfg(test)]
mod tests;
