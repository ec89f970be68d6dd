//! What happens to bytes that are given up: too large, out of time, cut off, or a frame that was
//! refused although a further event start is in it.
//!
//! They are divided, before anything is handed out, at every literal event start or declaration
//! behind their first byte. Each part is framed once more, where a section counts only if it closes
//! within the part, and is never divided again; the last one may go on as the open event. It holds
//! no further start, so no byte is looked at more often than a fixed number of times.
//! Known limit: an event quoted in the CDATA of refused bytes is handed out (`rescued`).

use crate::event::{Fault, Reason};
use crate::ingest::flow::{CUT_OFF, Flow, SecondLook, State, Step, fault};
use crate::ingest::framer::{LOOKAHEAD, Start, Unclosed, find_start};
use crate::ingest::sieve::{GiveUp, Outlet};
use crate::quarantine::Part;

const TOO_LARGE: Fault = fault(Reason::TooLarge, "larger than MAX_MESSAGE_SIZE");
const TIMED_OUT: Fault = fault(Reason::Truncated, "not finished within EVENT_TIMEOUT");
const ENDED: Fault = fault(Reason::Truncated, "not finished when the stream ended");

impl Flow {
    /// Gives up what is unfinished; see [`crate::ingest::sieve::Sieve::give_up`].
    pub(super) fn give_up<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        why: GiveUp,
        out: &mut O,
    ) -> usize {
        self.walk(bytes, out);
        match (why, self.state) {
            (GiveUp::End, State::Oversize { .. }) => self.last_part(bytes, bytes.len(), out),
            (GiveUp::TimeOut, State::Oversize { at, .. }) => self.last_part(bytes, at, out),
            (GiveUp::End, _) => self.end(bytes, out),
            // Rejected bytes were waiting; what comes behind them has had no time of its own yet.
            (GiveUp::TimeOut, State::Between) if self.run.is_some() => {}
            (GiveUp::TimeOut, _) => self.time_out(bytes, out),
        }
        self.flush(bytes, out);
        self.settle(bytes, out)
    }

    fn end<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) {
        self.divide(bytes, bytes.len(), Some(ENDED), out);
    }

    fn time_out<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) {
        let alone = self.next_start(bytes, self.held + 1, bytes.len()) == Start::None;
        self.divide(bytes, bytes.len(), alone.then_some(TIMED_OUT), out);
        self.walk(bytes, out);
    }

    /// Divides `held..end`. `last` says what an event is that is still open at the end of the last
    /// part; without it the last part is read on.
    pub(super) fn divide<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        last: Option<Fault>,
        out: &mut O,
    ) -> Step {
        self.flush(bytes, out);
        loop {
            match self.next_start(bytes, self.held + 1, end) {
                Start::At(next) => self.second_look(bytes, next, CUT_OFF, out),
                Start::Perhaps(next) if last.is_none() => {
                    self.second_look(bytes, next, CUT_OFF, out);
                }
                _ => break,
            }
        }
        self.state = State::Between;
        match last {
            Some(open_event) => self.second_look(bytes, end, open_event, out),
            None => self.rescued_until = self.rescued_until.max(end),
        }
        Step::On
    }

    /// Frames the part `held..end` for the second time.
    fn second_look<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        open_event: Fault,
        out: &mut O,
    ) {
        self.state = State::Between;
        self.part = Some(SecondLook { open_event, unclosed: Unclosed::default() });
        self.walk(bytes.get(..end).unwrap_or(bytes), out);
        self.part = None;
    }

    /// What begins at `held` is larger than `max_message_size`.
    pub(super) fn too_large<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> Step {
        let limit = self.held + self.options.max_message_size;
        if self.next_start(bytes, self.held + 1, limit) != Start::None {
            return self.divide(bytes, limit, None, out);
        }
        self.flush(bytes, out);
        self.state = State::Oversize { piece: self.oversized, part: 0, at: limit };
        self.oversized += 1;
        Step::On
    }

    /// Hands out the next part of something too large; it ends where an event or a declaration
    /// begins.
    pub(super) fn oversize<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        piece: u64,
        part: u32,
        at: usize,
        out: &mut O,
    ) -> Step {
        let max = self.options.max_message_size;
        let bound = self.held + max;
        let window = bytes.get(..bound + LOOKAHEAD);
        let start = find_start(window.unwrap_or(bytes), at, self.options.element.as_bytes());
        match (start, window) {
            (Start::At(next), _) if next <= bound => self.last_part(bytes, next, out),
            (Start::At(_), _) | (_, Some(_)) => {
                let tag = Part { piece, part, last: false };
                self.reject(bytes, bound, TOO_LARGE, Some(tag), out);
                self.state = State::Oversize { piece, part: part.saturating_add(1), at: bound };
            }
            (Start::Perhaps(at), None) => return self.look_on(piece, part, at),
            (Start::None, None) => return self.look_on(piece, part, bytes.len()),
        }
        Step::On
    }

    fn look_on(&mut self, piece: u64, part: u32, at: usize) -> Step {
        self.state = State::Oversize { piece, part, at };
        Step::Wait
    }

    fn last_part<O: Outlet + ?Sized>(&mut self, bytes: &[u8], end: usize, out: &mut O) {
        if let State::Oversize { piece, part, .. } = self.state {
            let tag = Part { piece, part, last: true };
            self.reject(bytes, end, TOO_LARGE, Some(tag), out);
        }
    }
}
