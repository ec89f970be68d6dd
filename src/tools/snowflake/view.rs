//! The typed view: a column for every vendor field, as a time, number or truth value where it is
//! one, and without the events that came twice.
//!
//! An event came twice when gateway, `cn` *and* content are the same: `cn` is unique per appliance
//! only, may be missing, and blocks about one alarm may share it. A value that cannot be read as
//! its type is NULL; its text stays in the table.

use super::Plan;
use super::quote::literal;
use crate::event::fields::{FIELDS, Field, Kind, NEVER, PREFIX};
use crate::spool::manifest::Format;

/// The columns about the file a row came from, in the table's order.
pub(super) const METADATA: &[(&str, &str, &str)] = &[
    ("file_name", "VARCHAR", "METADATA$FILENAME"),
    ("file_row", "NUMBER(38,0)", "METADATA$FILE_ROW_NUMBER"),
    ("file_modified", "TIMESTAMP_NTZ", "METADATA$FILE_LAST_MODIFIED"),
    ("loaded_at", "TIMESTAMP_LTZ", "METADATA$START_SCAN_TIME"),
];

/// Reads `20140610055028-0700`, and `20140610125028Z` once its Z is `+0000`. A quoted "Z" in the
/// format would apply the session's zone.
const TIME_FORMAT: &str = "YYYYMMDDHH24MISSTZHTZM";

/// The statement that makes the view.
pub(super) fn create(plan: &Plan<'_>) -> String {
    let format = plan.target.form.format;
    format!(
        "CREATE OR REPLACE VIEW {view} AS\n\
         WITH texts AS (\n    SELECT\n{texts},\n        {content} AS content,\n        {rest}\n    \
         FROM {table}\n),\n\
         once AS (\n    SELECT *\n    FROM texts\n    QUALIFY NVL(cn, '') = ''\n        \
         OR ROW_NUMBER() OVER (\n            PARTITION BY gatewaydn, cn, content\n            \
         ORDER BY file_name, file_row\n        ) = 1\n)\n\
         SELECT\n{typed},\n    {rest}\nFROM once;\n",
        view = plan.view,
        table = plan.table,
        texts = lines(|f| format!("        NULLIF({}, '') AS {}", text(f, format), column(f))),
        content = content(format),
        rest = rest(format),
        typed = lines(|f| format!("    {} AS {}", typed(f), column(f))),
    )
}

/// The view's column for a field: the vendor's name without its prefix.
pub(super) fn column(field: &Field) -> String {
    field.name.strip_prefix(PREFIX).unwrap_or(field.name).to_ascii_lowercase()
}

fn lines(line: impl Fn(&Field) -> String) -> String {
    FIELDS.iter().map(line).collect::<Vec<_>>().join(",\n")
}

/// A field's text, the first one where it is repeated.
fn text(field: &Field, format: Format) -> String {
    let name = field.name;
    match format {
        Format::Xml => format!("XMLGET(event_data, {}):\"$\"::STRING", literal(name)),
        Format::Json | Format::Ndjson => {
            let value = format!("event_data:{name}");
            format!("IFF(IS_ARRAY({value}), {value}[0]::STRING, {value}::STRING)")
        }
        Format::Parquet => name.to_owned(),
    }
}

/// What two rows of one event have in common. Parquet: all columns but those about the file, so
/// that one which came later by schema evolution counts too.
fn content(format: Format) -> String {
    match format {
        Format::Parquet => format!("HASH(* EXCLUDE ({}))", metadata_columns()),
        _ => "HASH(event_data)".to_owned(),
    }
}

fn rest(format: Format) -> String {
    let event = if format == Format::Parquet { "_extra" } else { "event_data" };
    format!("{event}, {}", metadata_columns())
}

pub(super) fn metadata_columns() -> String {
    METADATA.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

fn typed(field: &Field) -> String {
    let column = column(field);
    match field.kind {
        Kind::Text | Kind::Dn | Kind::Digits => column,
        Kind::Number => format!("TRY_TO_NUMBER({column})"),
        Kind::Flag => format!("CASE {column} WHEN '1' THEN TRUE WHEN '0' THEN FALSE END"),
        Kind::LocalTime | Kind::UtcTime => time(&column),
        Kind::DateOrNever => time(&format!("NULLIF({column}, '{NEVER}')")),
    }
}

fn time(value: &str) -> String {
    format!("TRY_TO_TIMESTAMP_TZ(REPLACE({value}, 'Z', '+0000'), '{TIME_FORMAT}')")
}
