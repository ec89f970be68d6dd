//! The run `done..held`: what is skipped, and rejected stretches that are joined into one piece.

use super::{Flow, STRAY, State, Step};
use crate::event::Fault;
use crate::ingest::encoding::{Charset, utf16_length};
use crate::ingest::sieve::Outlet;
use crate::quarantine::Piece;

impl Flow {
    pub(super) fn advance(&mut self, end: usize, length: u64) -> Step {
        self.position += length;
        self.done = end;
        self.held = end;
        self.state = State::Between;
        Step::On
    }

    pub(super) fn skip<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        out: &mut O,
    ) -> Step {
        if self.run.is_some() {
            self.flush(bytes, out);
        }
        self.held = end;
        self.state = State::Between;
        Step::On
    }

    /// Adds `held..to` to the rejected run as a whole, or begins a new run with it.
    pub(super) fn join<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        to: usize,
        fault: Fault,
        out: &mut O,
    ) -> Step {
        if self.run.is_none() || to - self.done > self.options.max_message_size {
            self.flush(bytes, out);
            self.run = Some(fault);
        }
        self.held = to;
        self.state = State::Between;
        if to - self.done >= self.options.max_message_size {
            self.flush(bytes, out);
        }
        Step::On
    }

    /// Adds bytes from `held` up to `to` to the rejected run, as many as fit.
    pub(super) fn garbage<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        to: usize,
        out: &mut O,
    ) -> Step {
        if self.run.is_none() {
            self.flush(bytes, out);
            self.run = Some(STRAY);
        }
        let bound = self.done + self.options.max_message_size.max(1);
        self.held = to.min(bound);
        self.state = State::Between;
        if self.held == bound {
            self.flush(bytes, out);
        }
        Step::On
    }

    /// Hands out `done..held`.
    pub(in crate::ingest) fn flush<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) {
        let raw = bytes.get(self.done..self.held).unwrap_or_default();
        let length = self.stream_length(raw);
        match self.run.take() {
            _ if raw.is_empty() => {}
            None => out.skipped(length),
            Some(fault) => {
                out.reject(Piece {
                    raw,
                    fault,
                    position: self.position,
                    repaired: &[],
                    part: None,
                    encoding: self.charset.label(),
                });
            }
        }
        self.position += length;
        self.done = self.held;
    }

    pub(super) fn stream_length(&self, bytes: &[u8]) -> u64 {
        if self.charset == Charset::Wide { utf16_length(bytes) } else { bytes.len() as u64 }
    }
}
