//! Recovery reads what a crash left with the same sieve that reads the sockets: there is no second parser.

use crate::event::ElementName;
use crate::ingest::sieve::{Event, GiveUp, OnMalformed, Options, Outlet, Piece, Sieve};
use crate::spool::Recoverer;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read from the file at a time.
const CHUNK: u64 = 256 * 1024;

/// The sieve, as recovery needs it: UTF-8, no repair, no limit but the file's length.
#[derive(Debug)]
pub struct SieveRecoverer;

struct Found<'a>(&'a mut dyn FnMut(Range<u64>));

impl Outlet for Found<'_> {
    fn event(&mut self, event: Event<'_>) {
        (self.0)(event.position..event.position + event.length);
    }
    fn reject(&mut self, _piece: Piece<'_>) {}
    fn skipped(&mut self, _bytes: u64) {}
}

impl Recoverer for SieveRecoverer {
    fn events(
        &self,
        element: &ElementName,
        input: &mut dyn Read,
        length: u64,
        each: &mut dyn FnMut(Range<u64>),
    ) -> io::Result<()> {
        let mut sieve = Sieve::new(Arc::new(Options {
            element: element.clone(),
            max_message_size: usize::try_from(length).unwrap_or(usize::MAX / 4).max(1024),
            on_malformed: OnMalformed::Quarantine,
            honour_encodings: false,
        }));
        let mut buffer = Vec::new();
        let mut found = Found(each);
        let mut input = input;
        while (&mut input).take(CHUNK).read_to_end(&mut buffer)? > 0 {
            let consumed = sieve.feed(&buffer, &mut found);
            buffer.drain(..consumed);
        }
        sieve.give_up(&buffer, GiveUp::End, &mut found);
        Ok(())
    }
}
