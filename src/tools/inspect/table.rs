//! Records as a table for a terminal.
//!
//! Widths follow from the first hundred rows, so that a large file is not held; a later cell that is
//! longer moves its row. A cell is one line,
//! cut at 40 characters; control characters are shown as `·`, because a value comes from the wire
//! and a terminal would obey it.

use super::records::Fields;
use serde_json::Value;
use std::io::{self, Write};

/// Rows that decide the widths.
const SAMPLE: usize = 100;
/// Widest cell, in characters.
const WIDEST: usize = 40;

const EVENT: [&str; 7] = [
    "plasectrxPaneldateUTC",
    "plasectrxEventname",
    "plasectrxPanelname",
    "plasectrxSourcename",
    "plasectrxLname",
    "plasectrxCardno",
    "plasectrxIsAlarm",
];
const QUARANTINE: [&str; 6] = ["received_at", "peer", "reason", "detail", "position", "repaired"];

/// The fields that suit a file, by its first record: an event's, a quarantine record's, or else
/// whatever it has.
#[must_use]
pub fn suiting(record: &Fields) -> Vec<String> {
    let known: &[&str] = if record.contains_key("reason") && record.contains_key("received_at") {
        &QUARANTINE
    } else if EVENT.iter().any(|field| record.contains_key(*field)) {
        &EVENT
    } else {
        return record.keys().take(8).cloned().collect();
    };
    known.iter().map(|&field| field.to_owned()).collect()
}

/// A table in the making.
#[derive(Debug)]
pub struct Table {
    fields: Vec<String>,
    /// Rows waiting for the widths, the heading first.
    waiting: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    /// A table with these columns.
    #[must_use]
    pub fn new(fields: Vec<String>) -> Self {
        let heading = fields.iter().map(|name| one_line(name)).collect();
        Self { fields, waiting: vec![heading], widths: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The output refused.
    pub fn push(&mut self, record: &Fields, out: &mut dyn Write) -> io::Result<()> {
        let row: Vec<_> = self.fields.iter().map(|name| cell(record.get(name))).collect();
        if !self.widths.is_empty() {
            return self.write(&row, out);
        }
        self.waiting.push(row);
        if self.waiting.len() > SAMPLE { self.finish(out) } else { Ok(()) }
    }

    /// Writes what is still waiting.
    ///
    /// # Errors
    /// The output refused.
    pub fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if self.widths.is_empty() {
            self.widths = widths(self.fields.len(), &rows);
        }
        rows.iter().try_for_each(|row| self.write(row, out))
    }

    fn write(&self, row: &[String], out: &mut dyn Write) -> io::Result<()> {
        let cells = row.iter().zip(&self.widths).map(|(cell, &width)| {
            let cell = cut(cell);
            format!("{cell:width$}")
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())
    }
}

fn widths(columns: usize, rows: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(WIDEST)
    };
    (0..columns).map(width).collect()
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= WIDEST {
        return cell.to_owned();
    }
    cell.chars().take(WIDEST - 1).chain(['…']).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => one_line(text),
        Some(other) => one_line(&other.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.chars().take(4 * WIDEST).map(|c| if c.is_control() { '·' } else { c }).collect()
}
