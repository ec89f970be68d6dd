//! The sieve as a whole: the same result however the bytes are cut, every byte in one place, and
//! nothing accepted that other parsers refuse.

mod support;

use proptest::prelude::*;
use support::{Out, options, sift, whole};
use xml_stream_aggregator::event::{FOOTER, HEADER};
use xml_stream_aggregator::ingest::sieve::Options;

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
    #![proptest_config(ProptestConfig::with_cases(cases(3000)))]

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
    fn every_byte_is_in_the_place_where_it_came(stream in stream(), options in limits()) {
        for out in whole(&options, &stream).outs {
            if let Out::Piece { raw, position, .. } | Out::Copy { raw, position, .. } = out {
                let from = usize::try_from(position).unwrap();
                prop_assert_eq!(&stream[from..from + raw.len()], &raw[..]);
            }
        }
    }

    #[test]
    fn what_is_accepted_is_accepted_by_two_other_parsers(stream in stream()) {
        let mut joined = HEADER.to_vec();
        for out in whole(&options(), &stream).outs {
            if let Out::Event { text, .. } = out {
                joined.extend_from_slice(text.as_bytes());
                joined.push(b'\n');
            }
        }
        joined.extend_from_slice(FOOTER);
        let text = String::from_utf8(joined).unwrap();
        let document = roxmltree::Document::parse(&text);
        prop_assert!(document.is_ok(), "{:?} in {}", document.err(), text);
        quick(&text)?;
    }
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
