//! What names a person or a card is masked, wherever in a record it stands.
//!
//! The list is that of `event::fields`, without regard to case or prefix, and the raw bytes of a
//! quarantine record. A field of the site's own that is not in the list is not known and not masked.
//! What is empty stays empty, so that one sees whether there is something.

use super::records::Fields;
use crate::event::fields;
use serde_json::Value;

/// Stands for anything masked, whatever its length.
pub const MASK: &str = "***";

/// Fields of a quarantine record that hold the event's own bytes.
const RAW: [&str; 2] = ["raw", "raw_base64"];

/// Masks a record.
pub fn mask(record: &mut Fields) {
    for (name, value) in record {
        if is_personal(name) { hide(value) } else { look_inside(value) }
    }
}

fn is_personal(name: &str) -> bool {
    let local = name.rsplit([':', '@']).next().unwrap_or(name);
    fields::FIELDS.iter().any(|field| field.personal && field.name.eq_ignore_ascii_case(local))
        || RAW.contains(&name)
}

fn look_inside(value: &mut Value) {
    match value {
        Value::Object(inner) => mask(inner),
        Value::Array(values) => values.iter_mut().for_each(look_inside),
        _ => {}
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(inner) => inner.values_mut().for_each(hide),
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::String(text) if text.is_empty() => {}
        Value::Null => {}
        _ => *value = Value::String(MASK.to_owned()),
    }
}
