//! What the sieve's tests share: an outlet that writes everything down, and streams to feed.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use proptest::prelude::*;
use std::sync::Arc;
use xml_stream_aggregator::event::{ElementName, Reason};
use xml_stream_aggregator::ingest::sieve::{
    Event, GiveUp, OnMalformed, Options, Outlet, Part, Piece, Sieve,
};

pub fn options() -> Options {
    Options {
        element: ElementName::default(),
        max_message_size: 1 << 20,
        on_malformed: OnMalformed::Repair,
        honour_encodings: true,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    Event { text: String, position: u64, length: u64, rescued: bool },
    Piece { raw: Vec<u8>, reason: Reason, detail: &'static str, position: u64, part: Option<Part> },
    Copy { raw: Vec<u8>, rules: Vec<&'static str>, position: u64 },
}

/// Writes down what comes out and checks that it is contiguous.
#[derive(Debug, Default)]
pub struct Recorder {
    pub outs: Vec<Out>,
    pub skipped: u64,
    pub position: u64,
    /// The stream is UTF-16: the length of a piece is not that of its bytes.
    pub decoded: bool,
}

impl Outlet for Recorder {
    fn event(&mut self, event: Event<'_>) {
        assert_eq!(event.position, self.position, "an event out of its place");
        self.position += event.length;
        self.outs.push(Out::Event {
            text: String::from_utf8(event.bytes.to_vec()).expect("events are UTF-8"),
            position: event.position,
            length: event.length,
            rescued: event.rescued,
        });
    }

    fn reject(&mut self, piece: Piece<'_>) {
        let raw = piece.raw.to_vec();
        if piece.repaired.is_empty() {
            assert!(!raw.is_empty(), "an empty piece");
            assert_eq!(piece.position, self.position, "a piece out of its place");
            let half = piece.fault.detail.starts_with("half a");
            self.position +=
                if self.decoded && !half { utf16_length(&raw) } else { raw.len() as u64 };
            let (reason, detail, position) =
                (piece.fault.reason, piece.fault.detail, piece.position);
            self.outs.push(Out::Piece { raw, reason, detail, position, part: piece.part });
        } else {
            let rules = piece.repaired.iter().map(|r| r.name()).collect();
            self.outs.push(Out::Copy { raw, rules, position: piece.position });
        }
    }

    fn skipped(&mut self, bytes: u64) {
        assert!(bytes > 0, "nothing skipped");
        self.skipped += bytes;
        self.position += bytes;
    }
}

/// Bytes of UTF-16 that decoded text stands for, also if a piece ends within a character.
fn utf16_length(decoded: &[u8]) -> u64 {
    let length = |&byte: &u8| match byte {
        0x80..=0xBF => 0,
        0xF0..=0xF7 => 4,
        _ => 2,
    };
    decoded.iter().map(length).sum()
}

/// Feeds `stream` in pieces of the lengths given (the last one again and again), then ends it.
pub fn sift(options: &Options, stream: &[u8], cuts: &[usize]) -> Recorder {
    let mut sieve = Sieve::new(Arc::new(options.clone()));
    let decoded = matches!(stream, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
    let mut out = Recorder { decoded, ..Recorder::default() };
    let mut buffer = Vec::new();
    let mut rest = stream;
    let mut cuts =
        cuts.iter().copied().chain(std::iter::repeat(cuts.last().copied().unwrap_or(usize::MAX)));
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
        buffer.extend_from_slice(now);
        rest = later;
        let done = sieve.feed(&buffer, &mut out);
        buffer.drain(..done);
        assert!(
            buffer.len() <= options.max_message_size + 1024,
            "{} bytes held, more than allowed",
            buffer.len()
        );
        if !decoded || !buffer.is_empty() {
            assert_eq!(sieve.unfinished().is_some(), !buffer.is_empty());
        }
    }
    assert_eq!(sieve.give_up(&buffer, GiveUp::End, &mut out), buffer.len());
    assert_eq!(sieve.unfinished(), None);
    out
}

pub fn whole(options: &Options, stream: &[u8]) -> Recorder {
    sift(options, stream, &[])
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(words).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    one_of(&[
        "a",
        "b",
        "a",
        "b",
        "plasectrxCardno",
        "a.b-c_1",
        "é",
        "日本",
        "p:a",
        "q:b",
        "p:b",
        "xml:a",
        "_",
        "xmlns:p",
        "p:",
        "1a",
        ":a",
        "a:b:c",
        "·",
        "xmlfoo",
        "a\u{300}",
        "\u{10000}",
        "p",
    ])
}

fn attribute() -> impl Strategy<Value = String> {
    let declaration = one_of(&[
        " xmlns:p='urn:x'",
        " xmlns:q=\"urn:x\"",
        " xmlns:q='http://h/p?q#f'",
        " xmlns='urn:y'",
        " xmlns=''",
        " xmlns:p=''",
        " xmlns:p='urn:&#120;'",
        " xmlns:q='a b'",
        " xmlns:q='\nurn:x'",
        " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
        " xmlns:q='1:a'",
        " xmlns:q='//h:80/%41'",
        " xmlns:q='http://u@h:x/'",
        " xmlns:q='%4'",
        " xmlns:q='é'",
        " xmlns:q='a#b#c'",
        " xmlns:q=':'",
        " xmlns:q='//a@b@c'",
        " xmlns:q='?'",
        " xmlns:q='a:'",
        " xmlns:q='urn:a|b'",
        " xmlns:q='http://h:99999/'",
    ]);
    let plain = (name(), value()).prop_map(|(name, value)| format!(" {name}={value}"));
    let odd = one_of(&[
        " xml:id='a'",
        " xml:lang='x'",
        " xml:space='x'",
        " a",
        " a=1",
        "a='1'",
        " ",
        "\n",
        " a = '1'",
    ]);
    prop_oneof![3 => declaration, 4 => plain, 1 => odd]
}

fn value() -> impl Strategy<Value = String> {
    one_of(&[
        "''", "'1'", "\"'\"", "'>'", "'&amp;'", "'&#10;'", "'\n\t'", "'&lt;'", "'<'", "'&'", "'é'",
    ])
}

fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => one_of(&["", "text", " 750", "\n", "é日😀", "&amp;", "&#x10FFFF;", "&quot;x&apos;", "]", "]]", ">"]),
        2 => one_of(&["<!-- c -->", "<!---->", "<![CDATA[]]>", "<![CDATA[<a>&]]]>", "<?t?>", "<?t x?>", "<?xml-a b?>"]),
        1 => one_of(&[
            "]]>", "&", "&nbsp;", "&#0;", "&#xFFFE;", "&#xD800;", "&#1114112;", "<!-- -- -->", "<!--->", "<!-- --->",
            "<?xml?>", "<?XML a?>", "<?p:t x?>", "<?t", "<![CDATA[", "<!DOCTYPE a>", "\u{1}", "\u{7f}", "\u{85}",
            "\u{fffe}", "\u{feff}", "<?t\u{e9}?>", "<?té x?>", "&#x0041;", "&#X41;", "&#;", "&#x;", "&lt", "\u{fffd}",
        ]),
    ]
}

/// Events that are good, or nearly.
pub fn event_like() -> impl Strategy<Value = String> {
    let attributes = || proptest::collection::vec(attribute(), 0..3).prop_map(|a| a.concat());
    let content = leaf().prop_recursive(4, 24, 5, move |inner| {
        let children = proptest::collection::vec(inner, 0..5).prop_map(|c| c.concat());
        let broken = (name(), name());
        prop_oneof![
            8 => (name(), attributes(), children.clone())
                .prop_map(|(name, attributes, inner)| format!("<{name}{attributes}>{inner}</{name}>")),
            2 => (name(), attributes()).prop_map(|(name, attributes)| format!("<{name}{attributes}/>")),
            1 => (broken, children).prop_map(|((start, end), inner)| format!("<{start}>{inner}</{end} >")),
        ]
    });
    let contents = proptest::collection::vec(content, 0..6).prop_map(|c| c.concat());
    (attributes(), contents)
        .prop_map(|(attributes, inner)| format!("<EVENT{attributes}>{inner}</EVENT>"))
}
