//! The sieve as a whole: the same result however the bytes are cut, every byte in one place, and
//! nothing accepted that other parsers refuse.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use support::{Out, event_like, options, sift, whole};
use xml_stream_aggregator::event::{FOOTER, Fault, HEADER};
use xml_stream_aggregator::ingest::sieve::Options;
use xml_stream_aggregator::ingest::validator::validate;

/// Pieces of which hostile streams are made.
const SHARDS: &[&str] = &[
    "<EVENT>",
    "</EVENT>",
    "<EVENT>",
    "</EVENT>",
    "<EVENT/>",
    "<EVENT a='1'>",
    "<EVENT a=\">\" b='/'/>",
    "<EVENT ",
    "</EVENT ",
    "<EVE",
    "NT>",
    "<",
    ">",
    "/",
    "\"",
    "'",
    "=",
    "<a>",
    "</a>",
    "<a>1</a>",
    "<a b='x>y'>",
    "<a b=\"",
    "<b c>",
    "</b c>",
    "<b c>1</b c>",
    "<b c>1</b\nc>",
    "&",
    "&amp;",
    "&nbsp;",
    "&#0;",
    "&#65;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "--",
    "-",
    "<?",
    "?>",
    "<?pi ",
    "<?xml ",
    "<?xml version=\"1.0\"?>",
    "<?xml version='1.0' encoding='ISO-8859-1'?>",
    "<?xml encoding='koi9'?>",
    "<?xml encoding='utf-16'?>",
    "<EVENTS>",
    "</EVENTS>",
    "<EVENTS a='>'>",
    "<!DOCTYPE E>",
    "<!DOCTYPE E [",
    "]>",
    "<!ENTITY a '",
    "[",
    "]",
    " ",
    "\n",
    "\r\n",
    "\0",
    "text",
    "xyz",
    "\u{feff}",
    "é",
    "日",
    "\u{ffff}",
    "<x:a>",
    " xmlns:x='u'",
    "xml:id='a'",
];

fn shard() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => proptest::sample::select(SHARDS).prop_map(|s| s.as_bytes().to_vec()),
        2 => Just(b"<?xml version=\"1.0\"?>\n<EVENT>\n<a>1</a>\n<b>x &amp; y</b>\n</EVENT>\n".to_vec()),
        1 => event_like().prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
        1 => (0x80u8..=0xFF).prop_map(|b| vec![b]),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(shard(), 0..40).prop_map(|shards| shards.concat())
}

fn limits() -> impl Strategy<Value = Options> {
    prop_oneof![Just(1 << 20), Just(64usize), Just(300), 1usize..200]
        .prop_map(|max| Options { max_message_size: max, ..options() })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(3000)) })]

    #[test]
    fn a_stream_gives_the_same_result_however_it_is_cut(
        stream in stream(),
        options in limits(),
        cuts in proptest::collection::vec(1usize..30, 1..20),
    ) {
        let expected = whole(&options, &stream);
        prop_assert_eq!(expected.position, stream.len() as u64, "a byte is lost or doubled");
        for cuts in [&cuts[..], &[1]] {
            let cut = sift(&options, &stream, cuts);
            prop_assert_eq!(&cut.outs, &expected.outs);
            prop_assert_eq!(cut.skipped, expected.skipped);
        }
    }

    #[test]
    fn a_stream_of_utf16_gives_the_same_result_however_it_is_cut(
        text in stream(),
        odd in proptest::collection::vec(any::<u8>(), 0..5),
        big_endian: bool,
        options in limits(),
        cuts in proptest::collection::vec(1usize..30, 1..20),
    ) {
        let stream = utf16(&String::from_utf8_lossy(&text), big_endian, &odd);
        let expected = whole(&options, &stream);
        prop_assert_eq!(expected.position, stream.len() as u64, "a byte is lost or doubled");
        for cuts in [&cuts[..], &[1]] {
            let cut = sift(&options, &stream, cuts);
            prop_assert_eq!(&cut.outs, &expected.outs);
            prop_assert_eq!(cut.skipped, expected.skipped);
        }
    }

    #[test]
    fn every_byte_is_in_the_place_where_it_came(stream in stream(), options in limits()) {
        prop_assume!(!matches!(stream[..], [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]));
        for out in whole(&options, &stream).outs {
            if let Out::Piece { raw, position, .. } | Out::Copy { raw, position, .. } = out {
                let from = usize::try_from(position).unwrap();
                prop_assert_eq!(&stream[from..from + raw.len()], &raw[..]);
            }
        }
    }

    #[test]
    fn what_is_accepted_is_accepted_by_two_other_parsers(
        stream in stream(),
        events in proptest::collection::vec(event_like(), 1..6),
    ) {
        let stream = [&stream[..], events.concat().as_bytes()].concat();
        let text = joined(&whole(&options(), &stream).outs);
        let document = roxmltree::Document::parse(&text);
        prop_assert!(document.is_ok(), "{:?} in {}", document.err(), text);
        quick(&text)?;
    }

    /// The other way round, so that the validator cannot be right by refusing everything.
    #[test]
    fn what_is_refused_is_refused_by_another_parser_or_for_a_reason_of_our_own(event in event_like()) {
        let Err(fault) = validate(&event, "EVENT") else { return Ok(()) };
        let ours = ["xml:id", "reserved", "no URI", "a colon", "declared", "more than", "given twice", "a reference to a character"];
        // What roxmltree takes though it should not: names with odd colons, xmlns:xml twice.
        let lenient = ["<:", "</:", ":>", ": ", "xmlns:xml="].iter().any(|odd| event.contains(odd))
            || target_runs_on(&event, &fault);
        if !lenient && !ours.iter().any(|detail| fault.detail.contains(detail)) {
            let accepted = roxmltree::Document::parse(&event).is_ok();
            prop_assert!(!accepted, "refused: {} at {}: {event}", fault.detail, fault.position);
        }
    }
}

/// `<?t<…?>`: roxmltree ends the target at the `<`, XML 1.0 (production 16) wants white space or `?>`
/// there. Only this fault, and only if that is what stands at its place.
fn target_runs_on(event: &str, fault: &Fault) -> bool {
    let spaced = ["?>", " ", "\t", "\r", "\n"];
    let behind = &event[fault.position..];
    fault.detail.starts_with("no space behind the target")
        && !spaced.iter().any(|s| behind.starts_with(s))
}

/// The document that an event object is.
fn joined(outs: &[Out]) -> String {
    let events = outs.iter().filter_map(|out| match out {
        Out::Event { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let body: String = events.flat_map(|event| [event, "\n"]).collect();
    [std::str::from_utf8(HEADER).unwrap(), &body, std::str::from_utf8(FOOTER).unwrap()].concat()
}

#[test]
fn the_other_parser_is_excused_only_where_a_target_runs_on() {
    let fault = |event: &str| validate(event, "EVENT").unwrap_err();
    let lax = "<EVENT><b><?t</b><b><?t?></b></EVENT>";
    assert!(roxmltree::Document::parse(lax).is_ok(), "no longer lax: the excuse can go");
    assert!(target_runs_on(lax, &fault(lax)));
    for other in ["<EVENT><?t x</EVENT>", "<EVENT><b></EVENT>", "<EVENT><??></EVENT>"] {
        assert!(!target_runs_on(other, &fault(other)), "{other}");
    }
}

/// Writes documents for libxml2 to judge, if `JOINED_DIR` names a folder:
/// `python3 tests/python/joined.py` makes one, runs this test and parses what it wrote.
#[test]
fn joined_documents_are_written_for_libxml2() {
    let Some(folder) = std::env::var_os("JOINED_DIR").map(std::path::PathBuf::from) else { return };
    let mut runner = proptest::test_runner::TestRunner::default();
    let one = (stream(), proptest::collection::vec(event_like(), 1..40));
    for number in 0..cases(2000) {
        let (stream, events) = one.new_tree(&mut runner).unwrap().current();
        let stream = [&stream[..], events.concat().as_bytes()].concat();
        let text = joined(&whole(&options(), &stream).outs);
        std::fs::write(folder.join(format!("{number}.xml")), text).unwrap();
        for (event_number, event) in events.iter().enumerate() {
            let refused = validate(event, "EVENT").is_err();
            let name =
                format!("{number}-{event_number}.{}", if refused { "refused" } else { "accepted" });
            std::fs::write(folder.join(name), event).unwrap();
        }
    }
}

/// A stream in UTF-16 with its byte-order mark and some odd bytes behind it.
fn utf16(text: &str, big_endian: bool, odd: &[u8]) -> Vec<u8> {
    let mark = std::iter::once(0xFEFF);
    let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    let mut stream: Vec<u8> = mark.chain(text.encode_utf16()).flat_map(bytes).collect();
    stream.extend_from_slice(odd);
    stream
}

/// `PROPTEST_CASES` or so many.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(default)
}

fn quick(text: &str) -> Result<(), TestCaseError> {
    let mut reader = quick_xml::NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(TestCaseError::fail(format!("{error} in {text}"))),
        }
    }
}
