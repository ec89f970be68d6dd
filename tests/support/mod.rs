//! What the sieve's tests share: an outlet that writes everything down, and streams to feed.
#![allow(dead_code, reason = "each test file uses its own part of this")]

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
        if !self.decoded {
            assert_eq!(event.position, self.position, "an event out of its place");
        }
        self.position = event.position + event.length;
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
            if !self.decoded {
                assert_eq!(piece.position, self.position, "a piece out of its place");
            }
            self.position = piece.position + raw.len() as u64;
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
