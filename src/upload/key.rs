//! Object names, their Content-Type and their metadata: plain functions of a segment's manifest.
//!
//! `<PREFIX>[YYYY/MM/DD/]YYYYMMDD_HHMMSS[_NNN].<ext>[.gz|.zst]`. The same manifest gives the same
//! key in every process. A store that cannot do a conditional PUT gets the segment's identity in
//! the name, where no other writer can meet it. Refused: whatever [`Path::parse`] refuses.

use super::plan::Kind;
use crate::spool::Lane;
use crate::spool::manifest::{Compression, Form, Format, Manifest, Name, Sealed};
use object_store::path::{self, Path};
use object_store::{Attribute, Attributes};
use std::fmt::Write;

/// The full key of an object.
///
/// # Errors
/// The prefix is none that a store takes; settings are checked at start, so this is a key from
/// another version's manifest.
pub fn key(prefix: &str, relative: &str) -> Result<Path, path::Error> {
    Path::parse(format!("{prefix}{relative}"))
}

/// The part of the key behind the prefix.
#[must_use]
pub fn relative(lane: Lane, form: &Form, name: &Name, identity: &str) -> String {
    let mut text = stem(form, name, identity);
    text.push('.');
    text.push_str(format_extension(lane, form));
    text.push_str(compression_extension(lane, form));
    text
}

/// The part of a manifest object's key behind its prefix: beside the data object's, plus `.json`.
#[must_use]
pub fn manifest_relative(form: &Form, name: &Name, identity: &str) -> String {
    stem(form, name, identity) + ".json"
}

fn stem(form: &Form, name: &Name, identity: &str) -> String {
    let mut text = String::new();
    if form.date_folders {
        text += &name.sealed_at.strftime("%Y/%m/%d/").to_string();
    }
    text += &name.sealed_at.strftime("%Y%m%d_%H%M%S").to_string();
    if name.with_identity {
        text.push('_');
        text.push_str(identity);
    }
    if name.suffix > 0 {
        let _infallible = write!(text, "_{:03}", name.suffix);
    }
    text
}

/// What an object of this lane and form holds, after compression.
#[must_use]
pub fn content_type(lane: Lane, form: &Form) -> &'static str {
    super::encode::content_type(form, lane)
}

fn format_extension(lane: Lane, form: &Form) -> &'static str {
    match (lane, form.format) {
        (Lane::Quarantine | Lane::Logs, _) | (_, Format::Ndjson) => "ndjson",
        (_, Format::Xml) => "xml",
        (_, Format::Json) => "json",
        (_, Format::Parquet) => "parquet",
    }
}

/// Parquet compresses inside; quarantine and log objects are kept readable as they are.
fn compression_extension(lane: Lane, form: &Form) -> &'static str {
    match (lane, form.format, form.compression) {
        (Lane::Quarantine | Lane::Logs, ..) | (_, Format::Parquet, _) => "",
        (_, _, Compression::None) => "",
        (_, _, Compression::Gzip) => ".gz",
        (_, _, Compression::Zstd) => ".zst",
    }
}

/// Metadata key: the segment's identity.
pub const SEGMENT: &str = "segment";
/// Metadata key: the checksum of the sealed file.
pub const CHECKSUM: &str = "checksum";
/// Metadata key: how many events or records the object holds.
pub const ITEMS: &str = "event-count";
/// Metadata key: what the object adds to the ledger. In the quarantine less than its records:
/// copies of repaired events and all but the last part of a piece do not count.
pub const COUNTED: &str = "ledger-count";

/// Content-Type and metadata of an object; a folder keeps neither.
#[must_use]
pub fn attributes(
    kind: Kind,
    lane: Lane,
    manifest: &Manifest,
    sealed: &Sealed,
    (items, counted): (u64, u64),
    producer: &str,
    instance: &str,
) -> Attributes {
    if kind == Kind::Folder {
        return Attributes::new();
    }
    let metadata = [
        (SEGMENT, manifest.identity.clone()),
        (CHECKSUM, sealed.checksum.to_string()),
        (ITEMS, items.to_string()),
        (COUNTED, counted.to_string()),
        ("first-received", sealed.first_received.to_string()),
        ("last-received", sealed.last_received.to_string()),
        ("producer", printable(producer)),
        ("instance", printable(instance)),
    ];
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, content_type(lane, &sealed.form).into());
    for (key, value) in metadata {
        attributes.insert(metadata_key(kind, key), value.into());
    }
    attributes
}

/// Azure's metadata keys are identifiers, which have no dash.
fn metadata_key(kind: Kind, key: &str) -> Attribute {
    let key = if kind == Kind::Azure { key.replace('-', "_") } else { key.to_owned() };
    Attribute::Metadata(key.into())
}

/// Settings are checked at start; a header with anything else would fail every upload.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '_' }).collect()
}

/// Whether the object is the sealed file, byte for byte.
#[must_use]
pub fn is_verbatim(lane: Lane, form: &Form) -> bool {
    lane != Lane::Events || (form.format == Format::Xml && form.compression == Compression::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = "5f0c-events-000000000042";

    fn name(suffix: u32) -> Name {
        let sealed_at = "2026-03-01T04:05:06Z".parse().unwrap();
        Name { sealed_at, suffix, with_identity: false }
    }

    fn form(format: Format, compression: Compression) -> Form {
        Form { format, compression, ..Form::default() }
    }

    #[test]
    fn a_name_is_the_second_of_sealing_in_utc() {
        let text = relative(Lane::Events, &Form::default(), &name(0), IDENTITY);
        assert_eq!(text, "20260301_040506.xml");
    }

    #[test]
    fn date_folders_come_between_prefix_and_name() {
        let form = Form { date_folders: true, ..Form::default() };
        let text = relative(Lane::Events, &form, &name(0), IDENTITY);
        assert_eq!(text, "2026/03/01/20260301_040506.xml");
        assert_eq!(key("xml-events/", &text).unwrap().as_ref(), format!("xml-events/{text}"));
    }

    #[test]
    fn a_taken_name_gets_three_digits_and_more_when_they_run_out() {
        let of = |suffix| relative(Lane::Events, &Form::default(), &name(suffix), IDENTITY);
        assert_eq!(of(1), "20260301_040506_001.xml");
        assert_eq!(of(999), "20260301_040506_999.xml");
        assert_eq!(of(1000), "20260301_040506_1000.xml");
    }

    #[test]
    fn every_form_has_its_extension_and_content_type() {
        use Compression as C;
        use Format as F;
        let table = [
            (F::Xml, C::None, "xml", "application/xml"),
            (F::Xml, C::Gzip, "xml.gz", "application/xml"),
            (F::Json, C::None, "json", "application/json"),
            (F::Json, C::Zstd, "json.zst", "application/json"),
            (F::Ndjson, C::None, "ndjson", "application/x-ndjson"),
            (F::Ndjson, C::Gzip, "ndjson.gz", "application/x-ndjson"),
            (F::Parquet, C::None, "parquet", "application/vnd.apache.parquet"),
            (F::Parquet, C::Gzip, "parquet", "application/vnd.apache.parquet"),
            (F::Parquet, C::Zstd, "parquet", "application/vnd.apache.parquet"),
        ];
        for (format, compression, extension, kind) in table {
            let form = form(format, compression);
            let text = relative(Lane::Events, &form, &name(0), IDENTITY);
            assert_eq!(text, format!("20260301_040506.{extension}"));
            assert_eq!(content_type(Lane::Events, &form), kind);
        }
    }

    #[test]
    fn quarantine_and_log_objects_are_ndjson_whatever_the_events_are() {
        for lane in [Lane::Quarantine, Lane::Logs] {
            let form = form(Format::Parquet, Compression::Gzip);
            assert_eq!(relative(lane, &form, &name(0), IDENTITY), "20260301_040506.ndjson");
            assert_eq!(content_type(lane, &form), "application/x-ndjson");
            assert!(is_verbatim(lane, &form));
        }
    }

    #[test]
    fn only_uncompressed_xml_is_the_sealed_file_itself() {
        assert!(is_verbatim(Lane::Events, &form(Format::Xml, Compression::None)));
        assert!(!is_verbatim(Lane::Events, &form(Format::Xml, Compression::Gzip)));
        assert!(!is_verbatim(Lane::Events, &form(Format::Ndjson, Compression::None)));
    }

    #[test]
    fn a_store_without_conditional_put_gets_the_identity_in_the_name() {
        let name = Name { with_identity: true, ..name(0) };
        let text = relative(Lane::Events, &Form::default(), &name, IDENTITY);
        assert_eq!(text, format!("20260301_040506_{IDENTITY}.xml"));
        let name = Name { suffix: 1, ..name };
        let text = relative(Lane::Events, &Form::default(), &name, IDENTITY);
        assert_eq!(text, format!("20260301_040506_{IDENTITY}_001.xml"));
    }

    #[test]
    fn a_prefix_that_no_store_takes_is_refused() {
        assert!(key("a//b/", "x.xml").is_err());
        assert!(key("a/../b/", "x.xml").is_err());
    }
}
