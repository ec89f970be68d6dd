//! A whole frame's verdict: accepted, mended, divided or rejected.

use super::{Flow, Step, fault};
use crate::event::{Fault, Reason, Repair};
use crate::ingest::framer::holds_event_start;
use crate::ingest::repair::{Mended, mend};
use crate::ingest::sieve::{Event, OnMalformed, Outlet};
use crate::ingest::validator::validate;
use crate::quarantine::{Part, Piece};
use std::borrow::Cow;

impl Flow {
    /// A whole frame: an event, or a rejection.
    pub(super) fn judge<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        out: &mut O,
    ) -> Step {
        let frame = bytes.get(self.held..end).unwrap_or_default();
        let fault = match self.check(frame) {
            Ok(text) => return self.accept(bytes, end, text.as_bytes(), out),
            Err(fault) => fault,
        };
        if self.part.is_none() && self.holds_further_start(frame) {
            return self.divide(bytes, end, None, out);
        }
        match self.mend(frame) {
            Some(mended) => self.accept_mended(bytes, end, &mended, fault, out),
            None => self.reject(bytes, end, fault, None, out),
        }
    }

    fn holds_further_start(&self, frame: &[u8]) -> bool {
        let behind = frame.get(1..).unwrap_or_default();
        holds_event_start(behind, self.options.element.as_bytes())
    }

    fn check<'a>(&self, frame: &'a [u8]) -> Result<Cow<'a, str>, Fault> {
        let text = self.charset.decode(frame)?;
        if text.len() > self.options.max_message_size {
            return Err(fault(Reason::TooLarge, "larger than MAX_MESSAGE_SIZE once it is UTF-8"));
        }
        validate(&text, self.options.element.as_str()).map(|()| text)
    }

    fn mend(&self, frame: &[u8]) -> Option<Mended> {
        if self.options.on_malformed == OnMalformed::Quarantine {
            return None;
        }
        let element = self.options.element.as_str();
        let mended = match self.charset.decode(frame) {
            Ok(text) => mend(text.as_bytes(), element, false),
            Err(_) if self.charset.mendable() => mend(frame, element, true),
            Err(_) => None,
        }?;
        let fits = mended.text.len() <= self.options.max_message_size;
        (fits && validate(&mended.text, element).is_ok()).then_some(mended)
    }

    pub(super) fn accept<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        event: &[u8],
        out: &mut O,
    ) -> Step {
        self.flush(bytes, out);
        let length = self.stream_length(bytes.get(self.held..end).unwrap_or_default());
        let rescued = self.part.is_some() || self.held < self.rescued_until;
        out.event(Event { bytes: event, position: self.position, length, rescued });
        self.advance(end, length)
    }

    fn accept_mended<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        mended: &Mended,
        fault: Fault,
        out: &mut O,
    ) -> Step {
        self.flush(bytes, out);
        let position = self.position;
        let raw = bytes.get(self.held..end).unwrap_or_default();
        self.accept(bytes, end, mended.text.as_bytes(), out);
        let repaired: &[Repair] = &mended.rules;
        let encoding = self.charset.label();
        out.reject(Piece { raw, fault, position, repaired, part: None, encoding });
        Step::On
    }

    /// Hands out `held..end` as a piece of its own.
    pub(in crate::ingest) fn reject<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        end: usize,
        fault: Fault,
        part: Option<Part>,
        out: &mut O,
    ) -> Step {
        self.flush(bytes, out);
        let raw = bytes.get(self.held..end).unwrap_or_default();
        let (position, encoding) = (self.position, self.charset.label());
        out.reject(Piece { raw, fault, position, repaired: &[], part, encoding });
        self.advance(end, self.stream_length(raw))
    }
}
