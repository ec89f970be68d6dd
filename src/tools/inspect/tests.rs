//! What `inspect` shows of each form, and what it masks.

use super::*;
use crate::event::{FOOTER, HEADER};
use crate::spool::manifest::{Compression, Form, Format};
use crate::spool::names::Lane;
use crate::upload::encode::encode;
use bytes::Bytes;
use clap::Parser;
use std::io::{Cursor, Read};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Args {
    Line::try_parse_from([&["inspect", "file"], line].concat()).unwrap().args
}

const FIRST: &str = "<EVENT kind='a'><plasectrxEventname>Local grant</plasectrxEventname><plasectrxLname>Brown</plasectrxLname><plasectrxCardno> 007</plasectrxCardno><plasectrxIsAlarm>0</plasectrxIsAlarm><cn>1</cn></EVENT>";
const SECOND: &str = "<EVENT><plasectrxEventname>Door\nforced \u{9b}31m</plasectrxEventname><plasectrxIsAlarm>1</plasectrxIsAlarm><cn>2</cn><cn>3</cn><x:plasectrxFname xmlns:x='u' y='Ann'>Zoe</x:plasectrxFname></EVENT>";

fn segment() -> Vec<u8> {
    [HEADER, FIRST.as_bytes(), b"\n", SECOND.as_bytes(), b"\n", FOOTER].concat()
}

fn object(format: Format, compression: Compression, pretty: bool) -> Vec<u8> {
    let mut open = || Ok(Box::new(Cursor::new(segment())) as Box<dyn Read>);
    let mut output = Vec::new();
    let form = Form { format, compression, pretty, ..Form::default() };
    encode(&form, Lane::Events, &mut open, &mut output).unwrap();
    output
}

fn try_show(line: &[&str], name: &str, bytes: &[u8]) -> (String, Option<String>) {
    let mut out = Vec::new();
    let content = Content::Bytes(Bytes::copy_from_slice(bytes));
    let fault = show(&args(line), name, content, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), fault.map(|f| f.to_string()))
}

fn shown(line: &[&str], bytes: &[u8]) -> String {
    let (out, fault) = try_show(line, "file", bytes);
    assert_eq!(fault, None);
    out
}

#[test]
fn every_form_shows_the_same_events() {
    let expected = shown(&["--json", "--fields", "cn,plasectrxEventname"], &segment());
    assert_eq!(
        expected,
        "{\"cn\":\"1\",\"plasectrxEventname\":\"Local grant\"}\n{\"cn\":[\"2\",\"3\"],\"plasectrxEventname\":\"Door\\nforced \u{9b}31m\"}\n"
    );
    for format in [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet] {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            for pretty in [false, true] {
                let object = object(format, compression, pretty);
                let line = ["--json", "--fields", "cn,plasectrxEventname"];
                assert_eq!(shown(&line, &object), expected, "{format:?} {compression:?}");
            }
        }
    }
}

#[test]
fn all_fields_come_back_as_they_were_sent() {
    for format in [Format::Xml, Format::Json, Format::Ndjson] {
        let out =
            shown(&["--json", "--show-personal-data"], &object(format, Compression::Zstd, true));
        assert_eq!(out.as_bytes(), object(Format::Ndjson, Compression::None, false));
    }
}

#[test]
fn names_and_card_numbers_are_masked_unless_asked_for() {
    for format in [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet] {
        let object = object(format, Compression::None, false);
        for line in
            [&["--json"][..], &["--fields", "plasectrxLname,plasectrxCardno,x:plasectrxFname"]]
        {
            let masked = shown(line, &object);
            assert!(masked.contains("***"));
            for secret in ["Brown", "007", "Zoe", "Ann"] {
                assert!(!masked.contains(secret), "{secret} in {masked}");
                let open = shown(&[line, &["--show-personal-data"]].concat(), &object);
                assert!(open.contains(secret), "no {secret} in {open}");
            }
        }
    }
}

#[test]
fn the_table_has_a_line_for_each_event_and_nothing_a_terminal_obeys() {
    let out = shown(&["--fields", "cn,plasectrxEventname,none"], &segment());
    let expected = "cn         plasectrxEventname  none\n1          Local grant\n[\"2\",\"3\"]  Door·forced ·31m\nfile: 2 records\n";
    assert_eq!(out, expected);
}

#[test]
fn long_cells_are_cut_and_rows_behind_the_sample_keep_the_widths() {
    let mut document = HEADER.to_vec();
    for number in 0..300 {
        let text = "w".repeat(number);
        document
            .extend_from_slice(format!("<EVENT><a>{text}</a><b>{number}</b></EVENT>").as_bytes());
    }
    document.extend_from_slice(FOOTER);
    let out = shown(&["--fields", "a,b"], &document);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 302);
    assert_eq!(lines[300], format!("{}…  299", "w".repeat(39)));
}

#[test]
fn conditions_choose_and_all_must_hold() {
    let count = |line: &[&str]| shown(&[&["--count"], line].concat(), &segment());
    assert_eq!(count(&[]), "2\n");
    assert_eq!(count(&["--where", "plasectrxIsAlarm=1"]), "1\n");
    assert_eq!(count(&["--where", "plasectrxIsAlarm=1", "--where", "cn=1"]), "0\n");
    assert_eq!(count(&["--where", "cn=3"]), "1\n");
    assert_eq!(count(&["--where", "x:plasectrxFname=Zoe"]), "1\n");
    assert_eq!(count(&["--where", "plasectrxLname="]), "1\n");
    let out = shown(&["--where", "cn=1"], &segment());
    assert!(out.ends_with("file: 1 of 2 records\n"), "{out}");
}

#[test]
fn a_condition_without_a_field_or_a_value_sign_is_refused() {
    for wrong in ["plasectrxIsAlarm", "=1"] {
        assert!(Line::try_parse_from(["inspect", "file", "--where", wrong]).is_err());
    }
}

#[test]
fn quarantine_records_have_columns_of_their_own_and_raw_is_masked() {
    let lines = br#"{"received_at":"2026-01-02T03:04:05Z","peer":"10.0.0.1","reason":"stray","detail":"text between events","position":7,"raw":"Brown 007"}
{"received_at":"2026-01-02T03:04:06Z","peer":"10.0.0.1","reason":"encoding","detail":"d","position":9,"raw_base64":"QnJvd24="}
"#;
    let out = shown(&[], lines);
    assert!(out.starts_with("received_at"), "{out}");
    assert!(out.contains("stray"), "{out}");
    assert_eq!(shown(&["--count", "--where", "position=7"], lines), "1\n");
    let out = shown(&["--json"], lines);
    assert!(!out.contains("Brown") && !out.contains("QnJvd24"), "{out}");
    assert_eq!(shown(&["--json", "--show-personal-data"], lines).as_bytes(), lines);
}

#[test]
fn a_file_that_ends_early_is_shown_up_to_there_and_only_an_open_segment_may() {
    let whole = segment();
    let cut = &whole[..whole.len() - FOOTER.len() - 3];
    let (out, fault) = try_show(&["--count"], "000000000001.open", cut);
    assert_eq!((out.as_str(), fault), ("1\n", None));
    let (out, fault) = try_show(&["--count"], "000000000001.sealed", cut);
    assert_eq!(out, "1\n");
    assert!(fault.unwrap().contains("ends"));
    for (format, compression) in [
        (Format::Json, Compression::None),
        (Format::Ndjson, Compression::None),
        (Format::Xml, Compression::Gzip),
        (Format::Ndjson, Compression::Zstd),
        (Format::Parquet, Compression::None),
    ] {
        let object = object(format, compression, false);
        let (_, fault) = try_show(&["--count"], "x", &object[..object.len() - 8]);
        assert!(fault.is_some(), "{format:?} {compression:?}");
    }
}

#[test]
fn what_is_no_event_file_is_refused_without_repeating_it() {
    for wrong in
        ["secret words", "{\"a\":1} secret", "[1,2]", "<EVENTS>secret</EVENTS>", "<!DOCTYPE x><a/>"]
    {
        let (_, fault) = try_show(&["--json"], "x", wrong.as_bytes());
        let fault = fault.unwrap();
        assert!(!fault.contains("secret"), "{fault}");
    }
}

#[test]
fn reading_stops_when_nobody_wants_more() {
    for format in [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet] {
        let content = Content::Bytes(Bytes::from(object(format, Compression::None, false)));
        let mut records = 0;
        records::read(content, &mut |_| {
            records += 1;
            false
        })
        .unwrap();
        assert_eq!(records, 1, "{format:?}");
    }
}

#[test]
fn an_empty_file_and_a_byte_order_mark_are_fine() {
    assert_eq!(shown(&["--count"], b""), "0\n");
    assert_eq!(shown(&["--count"], &[b"\xef\xbb\xbf".as_slice(), &segment()].concat()), "2\n");
}

#[test]
fn a_capture_of_the_wire_without_a_wrapper_is_read_too() {
    let capture = format!("<?xml version=\"1.0\"?>{FIRST}\r\n<?xml version=\"1.0\"?>{SECOND}");
    assert_eq!(shown(&["--count"], capture.as_bytes()), "2\n");
}

#[test]
fn folders_urls_and_missing_files_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [folder.path().to_str().unwrap(), "s3://bucket/key.xml", "/no/such/file"] {
        assert!(open(wrong).is_err(), "{wrong}");
    }
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, object(Format::Parquet, Compression::None, false)).unwrap();
    let mut line = args(&["--count"]);
    line.paths = vec!["/no/such/file".into(), path.to_str().unwrap().into()];
    let mut out = Vec::new();
    assert!(!show_all(&line, &mut out).unwrap());
    assert!(String::from_utf8(out).unwrap().ends_with("a.parquet: 2\n"));
}
