//! Any bytes, cut anywhere: the same result, every byte in one place, nothing held beyond the bound.
//!
//! The first two bytes of the input choose the size limit and the cuts; the rest is the stream.

use std::sync::Arc;
use xml_stream_aggregator::event::{ElementName, Reason};
use xml_stream_aggregator::ingest::sieve::{
    Event, GiveUp, OnMalformed, Options, Outlet, Piece, Sieve,
};

#[derive(Debug, PartialEq)]
enum Out {
    Event(Vec<u8>, u64, u64, bool),
    Piece(Vec<u8>, Reason, u64),
    Copy(Vec<u8>, u64),
}

#[derive(Debug, Default)]
struct Recorder {
    outs: Vec<Out>,
    position: u64,
    skipped: u64,
}

impl Outlet for Recorder {
    fn event(&mut self, event: Event<'_>) {
        assert_eq!(event.position, self.position, "an event out of its place");
        self.position += event.length;
        let bytes = event.bytes.to_vec();
        self.outs.push(Out::Event(bytes, event.position, event.length, event.rescued));
    }

    fn reject(&mut self, piece: Piece<'_>) {
        let raw = piece.raw.to_vec();
        if !piece.repaired.is_empty() {
            return self.outs.push(Out::Copy(raw, piece.position));
        }
        assert!(!raw.is_empty(), "an empty piece");
        // Of UTF-16 a piece holds decoded text: its place is checked by what follows it.
        self.position = self.position.max(piece.position) + raw.len() as u64;
        self.outs.push(Out::Piece(raw, piece.fault.reason, piece.position));
    }

    fn skipped(&mut self, bytes: u64) {
        self.position += bytes;
        self.skipped += bytes;
    }
}

fn sift(options: &Arc<Options>, stream: &[u8], step: usize, time_out: bool) -> Recorder {
    let mut sieve = Sieve::new(options.clone());
    let mut out = Recorder::default();
    let mut from = 0;
    for to in (step..stream.len() + step).step_by(step).map(|to| to.min(stream.len())) {
        from += sieve.feed(&stream[from..to], &mut out);
        assert!(to - from <= options.max_message_size + 1024, "{} bytes held", to - from);
        if time_out && to % 7 == 0 {
            from += sieve.give_up(&stream[from..to], GiveUp::TimeOut, &mut out);
        }
    }
    let done = sieve.give_up(&stream[from..], GiveUp::End, &mut out);
    assert_eq!(from + done, stream.len());
    out
}

/// Panics if it does not hold for these bytes.
pub fn check(data: &[u8]) {
    let [limit, step, stream @ ..] = data else { return };
    // UTF-16 has its own property test, which knows how long decoded pieces were.
    if matches!(stream, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return;
    }
    let options = Arc::new(Options {
        element: ElementName::default(),
        max_message_size: if *limit == 0 { 1 << 20 } else { usize::from(*limit) * 4 },
        on_malformed: OnMalformed::Repair,
        honour_encodings: true,
    });
    let whole = sift(&options, stream, stream.len().max(1), false);
    assert_eq!(whole.position, stream.len() as u64, "a byte is lost or doubled");
    for step in [1, usize::from(*step) + 2] {
        let cut = sift(&options, stream, step, false);
        assert_eq!(cut.outs, whole.outs, "cut every {step}");
        assert_eq!(cut.skipped, whole.skipped);
        let given_up = sift(&options, stream, step, true);
        assert_eq!(given_up.position, stream.len() as u64, "a byte is lost or doubled");
    }
}
