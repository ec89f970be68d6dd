//! What is unfinished, when it is given up, and what goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;
use support::{Out, Recorder, options};
use xml_stream_aggregator::event::Reason;
use xml_stream_aggregator::ingest::sieve::{GiveUp, Options, Sieve};

/// A connection: a sieve and the buffer that its owner keeps.
struct Line {
    sieve: Sieve,
    buffer: Vec<u8>,
    out: Recorder,
}

impl Line {
    fn new(options: Options) -> Self {
        let sieve = Sieve::new(Arc::new(options));
        Self { sieve, buffer: Vec::new(), out: Recorder::default() }
    }

    fn send(&mut self, bytes: &str) -> &mut Self {
        self.buffer.extend_from_slice(bytes.as_bytes());
        let done = self.sieve.feed(&self.buffer, &mut self.out);
        self.buffer.drain(..done);
        self
    }

    fn time_out(&mut self) -> &mut Self {
        let done = self.sieve.give_up(&self.buffer, GiveUp::TimeOut, &mut self.out);
        self.buffer.drain(..done);
        self
    }

    fn end(&mut self) -> &mut Self {
        let done = self.sieve.give_up(&self.buffer, GiveUp::End, &mut self.out);
        assert_eq!(done, self.buffer.len());
        self.buffer.clear();
        self
    }

    /// Takes what came out: events as text with `+` if rescued, pieces as `reason:text`.
    fn out(&mut self) -> Vec<String> {
        let show = |out: Out| match out {
            Out::Event { text, rescued, .. } => format!("{}{text}", if rescued { "+" } else { "" }),
            Out::Piece { raw, reason, part, .. } => {
                let part = part
                    .map(|p| format!("#{}.{}{}", p.piece, p.part, if p.last { "!" } else { "" }));
                format!("{reason}{}:{}", part.unwrap_or_default(), String::from_utf8_lossy(&raw))
            }
            Out::Copy { .. } => "copy".to_owned(),
        };
        std::mem::take(&mut self.out.outs).into_iter().map(show).collect()
    }
}

fn line() -> Line {
    Line::new(options())
}

#[test]
fn an_event_out_of_time_is_truncated_and_the_connection_goes_on() {
    let mut line = line();
    line.send("<EVENT><a>1");
    assert_eq!(line.sieve.unfinished(), Some(0));
    assert_eq!(line.time_out().out(), ["truncated:<EVENT><a>1"]);
    assert_eq!(line.sieve.unfinished(), None);
    assert_eq!(line.send("</a></EVENT><EVENT/>").out(), ["stray:</a></EVENT>", "<EVENT/>"]);
}

#[test]
fn an_unclosed_section_out_of_time_gives_back_the_events_it_took_in() {
    for opening in
        ["<EVENT><![CDATA[", "<EVENT><!--", "<EVENT><?p ", "<!--", "<?p ", "<!DOCTYPE a ["]
    {
        let mut line = line();
        line.send(opening)
            .send(" <EVENT>1</EVENT><EVENT>2</EVENT>")
            .time_out()
            .send("<EVENT>3</EVENT>");
        let out = line.out();
        let events: Vec<_> = out.iter().filter(|o| !o.contains(':')).cloned().collect();
        let rescued = if opening.starts_with("<!DOC") { "" } else { "+" };
        let expected = [
            format!("{rescued}<EVENT>1</EVENT>"),
            format!("{rescued}<EVENT>2</EVENT>"),
            "<EVENT>3</EVENT>".into(),
        ];
        assert_eq!(events, expected, "{opening}: {out:?}");
        assert_eq!(out.len(), 4, "{opening}: {out:?}");
    }
}

#[test]
fn the_last_part_that_is_still_open_goes_on_as_the_open_event() {
    let mut line = line();
    line.send("<EVENT><![CDATA[ <EVENT>1</EVENT><EVENT>2");
    assert_eq!(line.sieve.unfinished(), Some(0));
    assert_eq!(line.time_out().out(), ["cut-off:<EVENT><![CDATA[ ", "+<EVENT>1</EVENT>"]);
    assert_eq!(line.sieve.unfinished(), Some(33), "its time runs anew");
    assert_eq!(line.send("3</EVENT>").out(), ["+<EVENT>23</EVENT>"]);
    assert_eq!(line.sieve.unfinished(), None);
}

#[test]
fn the_last_part_is_given_up_in_its_turn() {
    let mut line = line();
    line.send("<EVENT><![CDATA[<EVENT><![CDATA[").time_out();
    assert_eq!(line.time_out().out(), ["cut-off:<EVENT><![CDATA[", "truncated:<EVENT><![CDATA["]);
    assert!(line.buffer.is_empty());
}

#[test]
fn garbage_byte_by_byte_is_one_piece_until_its_time_is_out() {
    let mut line = line();
    for byte in ["a", " ", "b", "<", "c", ">", "\n"] {
        line.send(byte);
        assert_eq!(line.sieve.unfinished(), Some(0));
    }
    assert_eq!(line.time_out().out(), ["stray:a b<c>\n"]);
}

#[test]
fn an_event_that_begins_behind_garbage_has_a_time_of_its_own() {
    let mut line = line();
    line.send("garbage<EVE");
    assert_eq!(line.time_out().out(), ["stray:garbage"]);
    assert_eq!(line.sieve.unfinished(), Some(7));
    assert_eq!(line.send("NT/>").out(), ["<EVENT/>"]);
    line.send("garbage<EVENT>");
    assert_eq!(line.sieve.unfinished(), Some(22), "the event, not the garbage");
    assert_eq!(line.time_out().out(), ["stray:garbage", "truncated:<EVENT>"]);
}

#[test]
fn what_is_too_large_ends_with_its_time_and_says_so() {
    let mut line = Line::new(Options { max_message_size: 16, ..options() });
    line.send("<EVENT>").send(&"x".repeat(200));
    let out = line.time_out().out();
    assert!(out.iter().all(|o| o.starts_with("too-large#0.")), "{out:?}");
    assert_eq!(out.iter().filter(|o| o.contains('!')).count(), 1);
    assert!(out.last().unwrap().starts_with("too-large#0.4!:"), "{out:?}");
    assert_eq!(line.send("<EVENT/>").out(), ["<EVENT/>"]);
}

#[test]
fn the_end_leaves_nothing() {
    for tail in [
        "<",
        "<EVENT",
        "<EVENT>",
        "<?xml ",
        "<!--",
        "<EVENTS a='",
        "<!DOCTYPE x",
        "x",
        "\u{feff}x",
        "</EVENT",
    ] {
        let mut line = line();
        line.send("<EVENT/>").send(tail).end();
        assert_eq!(line.out.position, 8 + tail.len() as u64, "{tail}");
        assert_eq!(line.sieve.unfinished(), None);
    }
}

#[test]
fn nothing_given_up_is_nothing() {
    let mut line = line();
    assert!(line.time_out().end().out().is_empty());
    assert_eq!(line.send("<EVENT/> \n").time_out().end().out(), ["<EVENT/>"]);
}

#[test]
fn a_byte_order_mark_cut_in_two_is_one() {
    let mut line = line();
    line.buffer.push(0xFF);
    assert_eq!(line.sieve.feed(&line.buffer, &mut line.out), 0);
    assert_eq!(line.sieve.unfinished(), Some(0));
    line.out.decoded = true;
    line.buffer.extend_from_slice(b"\xFE<\0E\0V\0E\0N\0T\0/\0>\0");
    let done = line.sieve.feed(&line.buffer, &mut line.out);
    assert_eq!(done, line.buffer.len());
    assert_eq!(line.out(), ["<EVENT/>"]);
}

#[test]
fn recovery_reads_utf8_only() {
    let mut line = Line::new(Options { honour_encodings: false, ..options() });
    line.send("<?xml version='1.0' encoding='iso-8859-1'?><EVENT>é</EVENT>");
    assert_eq!(line.out(), ["<EVENT>é</EVENT>"]);
}

/// Adjacent stray and cut-off bytes are one piece, and never a larger one.
#[test]
fn a_joined_piece_is_never_larger_than_a_message() {
    let mut line = Line::new(Options { max_message_size: 20, ..options() });
    for _ in 0..30 {
        line.send("<EVENT>").send("junk").send("<?xml <");
    }
    line.end();
    let (mut total, mut count) = (0, 0);
    for out in &line.out.outs {
        let Out::Piece { raw, reason, .. } = out else { panic!("{out:?}") };
        assert!(raw.len() <= 20, "{reason}: {} bytes", raw.len());
        total += raw.len();
        count += usize::from(*reason == Reason::CutOff || *reason == Reason::Stray);
    }
    assert_eq!(total, 30 * 18);
    assert!(count <= 61, "{count} pieces");
}

#[test]
fn a_start_cut_in_two_by_the_time_limit_is_still_a_start() {
    let mut line = line();
    line.send("<EVENT><![CDATA[ x <EVE");
    assert_eq!(line.time_out().out(), ["cut-off:<EVENT><![CDATA[ x "]);
    assert_eq!(line.send("NT/>").out(), ["+<EVENT/>"]);
}

#[test]
fn a_broken_declaration_longer_than_a_message_is_handed_out_at_once() {
    let mut line = Line::new(Options { max_message_size: 20, ..options() });
    line.send(&format!("<?xml {}", "x".repeat(1018)));
    assert_eq!(line.buffer.len(), 0);
    assert_eq!(line.send("y<EVENT/>").end().out()[1..], ["stray:y", "<EVENT/>"]);
}

#[test]
fn rejected_bytes_and_an_open_event_behind_them_stay_within_the_bound_together() {
    let mut line = Line::new(Options { max_message_size: 4000, ..options() });
    line.send(&"x".repeat(3900)).send("<EVENT>");
    assert_eq!(line.buffer.len(), 3907);
    line.send(&"y".repeat(3000));
    assert_eq!(line.buffer.len(), 3007, "the garbage was handed out");
    line.send(&format!("{}<?xml {}", "x".repeat(9000), "y".repeat(1000)));
    assert!(line.buffer.len() <= 4000 + 1024, "{} bytes held", line.buffer.len());
}

/// A million bytes, one at a time, into an event that never ends: what was looked at is not looked
/// at again. A scan from the start each time would take hours here.
#[test]
fn an_unfinished_event_is_not_scanned_again() {
    for opening in [
        "<EVENT><a>",
        "<EVENT><![CDATA[",
        "<EVENT a='",
        "<!--",
        "<EVENTS a='",
        "<!DOCTYPE a [ '",
        "junk",
    ] {
        let mut sieve = Sieve::new(Arc::new(options()));
        let mut out = Recorder::default();
        let stream = format!("{opening}{}", "x > y ".repeat(170_000));
        let mut from = 0;
        for to in 1..=stream.len() {
            from += sieve.feed(&stream.as_bytes()[from..to], &mut out);
        }
        assert_eq!(from, 0, "{opening}");
        assert!(out.outs.is_empty(), "{opening}");
    }
}
