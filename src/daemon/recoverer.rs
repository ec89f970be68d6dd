//! Recovery reads what a crash left with the same sieve that reads the sockets: there is no second parser.

use crate::event::ElementName;
use crate::ingest::sieve::{Event, GiveUp, OnMalformed, Options, Outlet, Piece, Sieve};
use crate::spool::Recoverer;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read from the file at a time.
const CHUNK: usize = 256 * 1024;

/// The sieve, as recovery needs it: UTF-8, no repair, no limit but the file's length.
#[derive(Debug)]
pub(super) struct SieveRecoverer;

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
        element: &str,
        file: &mut dyn Read,
        each: &mut dyn FnMut(Range<u64>),
    ) -> io::Result<()> {
        let element = ElementName::new(element)
            .map_err(|wrong| io::Error::new(io::ErrorKind::InvalidData, wrong))?;
        let mut sieve = Sieve::new(Arc::new(Options {
            element,
            max_message_size: usize::MAX / 4,
            on_malformed: OnMalformed::Quarantine,
            honour_encodings: false,
        }));
        sift(&mut sieve, file, &mut Found(each))
    }
}

fn sift(sieve: &mut Sieve, file: &mut dyn Read, found: &mut Found<'_>) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut buffer)?;
        let consumed = if read == 0 {
            sieve.give_up(&buffer, GiveUp::End, found)
        } else {
            sieve.feed(&buffer, found)
        };
        if read == 0 {
            return Ok(());
        }
        buffer.drain(..consumed);
    }
}
