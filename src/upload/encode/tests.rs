//! What holds for every format: the same segment gives the same bytes, and every format tells the
//! same events as the XML, in the words of an independent reader (`roxmltree`) and an independent
//! mapping.

mod damage;
mod tables;

use super::*;
use crate::event::{FOOTER, HEADER, fields};
use parquet_crate::file::reader::{FileReader, SerializedFileReader};
use parquet_crate::record::Field;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::io::Cursor;

use ::parquet as parquet_crate;

/// A traps-in-everything event. Also written by `examples/encode_samples.rs`.
const TRAPS: &str = include_str!("traps.xml");

const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];
const FORMATS: [Format; 4] = [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet];

fn form(format: Format, compression: Compression) -> Form {
    Form { format, compression, ..Form::default() }
}

fn sealed(events: &[&str]) -> Vec<u8> {
    let mut segment = HEADER.to_vec();
    for event in events {
        segment.extend_from_slice(event.as_bytes());
        segment.push(b'\n');
    }
    segment.extend_from_slice(FOOTER);
    segment
}

fn try_encode(form: &Form, lane: Lane, segment: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let segment = segment.to_vec();
    let mut output = Vec::new();
    let mut open = move || Ok(Box::new(Cursor::new(segment.clone())) as Box<dyn Read>);
    encode(form, lane, &mut open, &mut output).map(|()| output)
}

fn encoded(form: &Form, events: &[&str]) -> Vec<u8> {
    try_encode(form, Lane::Events, &sealed(events)).unwrap()
}

fn unpacked(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match compression {
        Compression::None => plain.extend_from_slice(bytes),
        Compression::Gzip => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).map(|_| ()).unwrap();
        }
        Compression::Zstd => plain = zstd::decode_all(bytes).unwrap(),
    }
    plain
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ndjson(events: &[&str]) -> Vec<Value> {
    lines(&encoded(&form(Format::Ndjson, Compression::None), events))
}

fn one(event: &str) -> Value {
    ndjson(&[event]).remove(0)
}

/// DESIGN.md's mapping, written a second time over another parser.
fn model(element: roxmltree::Node<'_, '_>, top: bool) -> Value {
    let text: String =
        element.children().filter(roxmltree::Node::is_text).filter_map(|n| n.text()).collect();
    let text = text.trim_matches([' ', '\t', '\r', '\n']).to_owned();
    let elements: Vec<_> = element.children().filter(|n| n.is_element()).collect();
    if !top && elements.is_empty() && element.attributes().len() == 0 {
        return Value::String(text);
    }
    let mut object = Map::new();
    for attribute in element.attributes() {
        object.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    for child in elements {
        let value = model(child, false);
        match object.get_mut(child.tag_name().name()) {
            None => drop(object.insert(child.tag_name().name().to_owned(), json!([value]))),
            Some(list) => list.as_array_mut().unwrap().push(value),
        }
    }
    for (_, value) in &mut object {
        if let Some([single]) = value.as_array().map(Vec::as_slice) {
            *value = single.clone();
        }
    }
    if !text.is_empty() {
        object.insert("$".to_owned(), text.into());
    }
    Value::Object(object)
}

/// Line ends as XML 1.0 §2.11 has it, before parsing; `roxmltree` leaves a CR between two
/// references as it is.
fn modelled(event: &str) -> Value {
    let event = event.replace("\r\n", "\n").replace('\r', "\n");
    model(roxmltree::Document::parse(&event).unwrap().root_element(), true)
}

/// Rows of a Parquet object: what is not NULL, in column order.
fn rows(object: &[u8]) -> Vec<Vec<(String, String)>> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(object)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().into_columns().into_iter().filter_map(text_of).collect()).collect()
}

fn text_of((name, field): (String, Field)) -> Option<(String, String)> {
    match field {
        Field::Null => None,
        Field::Str(text) => {
            assert_ne!(text, "", "{name} is empty and not NULL");
            Some((name, text))
        }
        other => panic!("{name} is not text but {other:?}"),
    }
}

/// What a row says, put together again: the column's value first, then `_extra`'s of that name.
/// Objects only: the order of fields is not kept by columns, and what is empty is NULL.
fn rejoined(row: &[(String, String)]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, text) in row.iter().filter(|(name, _)| name != "_extra") {
        fields.insert(name.clone(), json!([text]));
    }
    let extra = row.iter().find(|(name, _)| name == "_extra");
    let extra: Map<String, Value> =
        extra.map(|(_, json)| serde_json::from_str(json).unwrap()).unwrap_or_default();
    for (name, value) in extra {
        let list = fields.entry(name).or_insert_with(|| json!([])).as_array_mut().unwrap();
        match value {
            Value::Array(values) => list.extend(values),
            single => list.push(single),
        }
    }
    fields
}

/// The same view of an NDJSON object: lists only.
fn listed(object: &Value) -> Map<String, Value> {
    let fields = object.as_object().unwrap().clone().into_iter();
    fields
        .map(|(name, value)| (name, if value.is_array() { value } else { json!([value]) }))
        .collect()
}

/// Without empty texts: a column cannot tell one from a field that is not there.
fn without_empty(fields: Map<String, Value>) -> Map<String, Value> {
    let keep_full = |(name, mut value): (String, Value)| {
        let list = value.as_array_mut().unwrap();
        list.retain(|text| text != "" || name.starts_with('@'));
        (!list.is_empty()).then_some((name, value))
    };
    fields.into_iter().filter_map(keep_full).collect()
}

fn assert_parquet_equals_ndjson(events: &[&str]) {
    let rows = rows(&encoded(&form(Format::Parquet, Compression::None), events));
    let objects = ndjson(events);
    assert_eq!(rows.len(), objects.len());
    for (row, object) in rows.iter().zip(&objects) {
        assert_eq!(without_empty(rejoined(row)), without_empty(listed(object)));
    }
}

#[test]
fn every_trap_comes_out_as_the_same_text() {
    let event = one(TRAPS);
    assert_eq!(event["plasectrxCardno"], "000123");
    assert_eq!(event["plasectrxEmbossedno"], "12E5");
    assert_eq!(event["plasectrxPri"], "1.50");
    assert_eq!(event["plasectrxPointaddress"], "750");
    assert_eq!(event["plasectrxLname"], "O'Brien \"Bob\" & <Söhne>");
    assert_eq!(event["plasectrxFname"], "Zoë 🚪");
    assert_eq!(event["plasectrxMsg"], "raw <card> & ]] </EVENT> <EVENT> tail");
    assert_eq!(event["plasectrxMi"], "");
    assert_eq!(event["plasectrxIdentityDN"], "");
    assert_eq!(event["plasectrxSourcename"], json!(["first", "", "third"]));
    assert_eq!(event["plasectrxPanelname"], "one\ntwo\nthree\rfour");
    assert_eq!(
        event["site:zone"],
        json!({"@xmlns:site": "urn:site", "@site:level": " 2  \n&", "$": "Lobby"})
    );
    assert_eq!(
        event["nested"],
        json!({"a": {"b": ["1", "2"], "c": ""}, "$": "before between after"})
    );
    assert_eq!(event["@version"], "1");
    assert_eq!(event["@xmlns"], "urn:x");
    assert_eq!(event["$"], "loose text");
    assert_eq!(event.as_object().unwrap().len(), 16);
}

#[test]
fn fields_stay_in_document_order_and_a_repeat_stands_at_its_first_place() {
    let line = encoded(
        &form(Format::Ndjson, Compression::None),
        &["<EVENT z='1'>t<b>1</b><a>2</a><b>3</b></EVENT>"],
    );
    assert_eq!(line, b"{\"@z\":\"1\",\"b\":[\"1\",\"3\"],\"a\":\"2\",\"$\":\"t\"}\n");
}

#[test]
fn an_event_with_only_text_or_nothing_is_an_object_too() {
    assert_eq!(one("<EVENT> x </EVENT>"), json!({"$": "x"}));
    assert_eq!(one("<EVENT/>"), json!({}));
    assert_eq!(one("<EVENT ></EVENT >"), json!({}));
}

#[test]
fn only_the_white_space_of_xml_is_trimmed() {
    assert_eq!(one("<EVENT><a>\u{a0} x\u{2003}\t</a></EVENT>")["a"], "\u{a0} x\u{2003}");
}

#[test]
fn an_array_and_lines_hold_the_same_objects() {
    let events = [TRAPS, "<EVENT/>", "<EVENT><cn>2</cn></EVENT>"];
    for pretty in [false, true] {
        let form = Form { pretty, ..form(Format::Json, Compression::None) };
        let array = encoded(&form, &events);
        assert_eq!(serde_json::from_slice::<Vec<Value>>(&array).unwrap(), ndjson(&events));
        assert_eq!(array.windows(3).any(|w| w == b"\n  "), pretty);
    }
}

#[test]
fn a_segment_without_events_is_a_well_formed_object_in_every_format() {
    assert_eq!(encoded(&form(Format::Json, Compression::None), &[]), b"[]\n");
    assert_eq!(encoded(&form(Format::Ndjson, Compression::None), &[]), b"");
    assert!(rows(&encoded(&form(Format::Parquet, Compression::None), &[])).is_empty());
}

#[test]
fn the_xml_object_is_the_sealed_segment() {
    for compression in COMPRESSIONS {
        let object = encoded(&form(Format::Xml, compression), &[TRAPS]);
        assert_eq!(unpacked(compression, &object), sealed(&[TRAPS]));
    }
}

#[test]
fn compression_changes_nothing_inside() {
    for format in [Format::Json, Format::Ndjson] {
        let plain = encoded(&form(format, Compression::None), &[TRAPS]);
        for compression in COMPRESSIONS {
            let object = encoded(&form(format, compression), &[TRAPS]);
            assert_eq!(unpacked(compression, &object), plain);
        }
    }
}

#[test]
fn the_same_segment_gives_the_same_bytes() {
    for format in FORMATS {
        for compression in COMPRESSIONS {
            let form = form(format, compression);
            let first = encoded(&form, &[TRAPS, "<EVENT><new>1</new></EVENT>"]);
            assert_eq!(first, encoded(&form, &[TRAPS, "<EVENT><new>1</new></EVENT>"]));
        }
    }
}

#[test]
fn gzip_tells_neither_the_time_nor_a_name() {
    for format in [Format::Xml, Format::Json, Format::Ndjson] {
        let object = encoded(&form(format, Compression::Gzip), &[TRAPS]);
        assert_eq!(object[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn zstandard_carries_a_checksum_so_that_damage_is_noticed() {
    let object = encoded(&form(Format::Ndjson, Compression::Zstd), &[TRAPS]);
    let descriptor = object[4]; // RFC 8878, 3.1.1.1.1
    assert_eq!(descriptor & 0b100, 0b100);
}

#[test]
fn line_ends_of_xml_1_1_are_ordinary_characters() {
    let event = one("<EVENT a='1\u{85}2\u{2028}3'><b>1\u{85}2\u{2028}3</b></EVENT>");
    assert_eq!(event, json!({"@a": "1\u{85}2\u{2028}3", "b": "1\u{85}2\u{2028}3"}));
}

#[test]
fn the_other_lanes_stay_the_lines_they_are() {
    let lines = b"{\"reason\":\"stray\"}\n{\"raw\":\"<EVENT>\"}\n";
    for format in FORMATS {
        for compression in COMPRESSIONS {
            let form = form(format, compression);
            let object = try_encode(&form, Lane::Quarantine, lines).unwrap();
            assert_eq!(unpacked(compression, &object), lines);
            assert!(extension(&form, Lane::Logs).starts_with("ndjson"));
            assert_eq!(content_type(&form, Lane::Logs), "application/x-ndjson");
        }
    }
}

#[test]
fn the_deepest_and_widest_event_that_is_accepted_converts() {
    let deep = format!("<EVENT>{}x{}</EVENT>", "<a>".repeat(63), "</a>".repeat(63));
    let attributes: String = (0..256).map(|n| format!(" a{n}='{n}'")).collect();
    let wide = format!("<EVENT{attributes}>{}</EVENT>", "<b/>".repeat(100_000));
    for event in [&deep, &wide] {
        for format in FORMATS {
            encoded(&form(format, Compression::None), &[event]);
        }
    }
    assert_eq!(one(&wide)["b"].as_array().unwrap().len(), 100_000);
}

#[test]
fn an_event_larger_than_the_window_is_one_event() {
    let large = format!("<EVENT><a>{}</a></EVENT>", "y".repeat(1_000_000));
    let objects = ndjson(&["<EVENT/>", &large, TRAPS]);
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[1]["a"].as_str().unwrap().len(), 1_000_000);
}

/// Markup and text that may stand in an element, without namespaces (the model has none).
fn content() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        "[ \t\r\n]{0,3}",
        "[a-z0-9 'é🚪\r\n\t>]{1,8}".prop_filter("no CDATA end", |s| !s.contains("]]>")),
        prop::sample::select(vec![
            "&amp;",
            "&lt;",
            "&gt;",
            "&quot;",
            "&apos;",
            "&#13;",
            "&#10;",
            "&#x20;",
            "&#x1F6AA;"
        ])
        .prop_map(str::to_owned),
        "[a-z<&\r\n ]{0,8}".prop_map(|s| format!("<![CDATA[{s}]]>")),
        Just("<!-- <a> & -->".to_owned()),
        Just("<?pi </EVENT> ?>".to_owned()),
    ];
    let attributes =
        prop::collection::btree_map("[a-c]", "[a-z \t\r\n>é]{0,4}(&amp;|&#10;|&lt;)?", 0..3)
            .prop_map(|map| {
                map.iter()
                    .map(|(name, value)| format!("  {name} = \"{value}\""))
                    .collect::<String>()
            });
    text.prop_recursive(4, 40, 6, move |inner| {
        ("[a-dA-D]|cn|_extra|EVENT", attributes.clone(), prop::collection::vec(inner, 0..6))
            .prop_map(|(name, attributes, content)| match content.concat() {
                content if content.is_empty() => format!("<{name}{attributes}/>"),
                content => format!("<{name}{attributes}>{content}</{name} >"),
            })
    })
}

fn event() -> impl Strategy<Value = String> {
    prop::collection::vec(content(), 0..8)
        .prop_map(|parts| format!("<EVENT>{}</EVENT>", parts.concat()))
}

proptest! {
    #[test]
    fn any_event_maps_as_the_model_says(event in event()) {
        prop_assert_eq!(one(&event), modelled(&event));
    }

    #[test]
    fn any_events_are_the_same_in_parquet_and_ndjson(events in prop::collection::vec(event(), 0..6)) {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        assert_parquet_equals_ndjson(&events);
    }

    #[test]
    fn any_document_falls_apart_into_its_events_however_it_is_read(
        events in prop::collection::vec(event(), 0..6), step in 1usize..5000,
    ) {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let count = self.1.min(buffer.len());
                self.0.read(&mut buffer[..count])
            }
        }
        let names: Vec<&str> = events.iter().map(String::as_str).collect();
        let segment = sealed(&names);
        let mut found = document::Events::new(Slow(&segment, step));
        for event in &events {
            prop_assert_eq!(found.next().unwrap(), Some(event.as_bytes()));
        }
        prop_assert_eq!(found.next().unwrap(), None);
    }
}
