//! The sieve's path through the bytes: between events, into one, and out of it with a verdict.
//!
//! The bytes in hand are always three stretches: `done..held`, decided but not handed out (skipped
//! bytes, or a rejected run that the next piece may join), then what begins at `held` and is being
//! scanned, then bytes not looked at. Cases: the `State`s. What is given up instead of finished is
//! in `divide`.
//!
//! Every decision hangs on positions in the stream, never on where a buffer ends: that is what
//! makes the result the same however the bytes were cut.

mod judge;
mod run;

use crate::event::{Fault, Reason};
use crate::ingest::encoding::Charset;
use crate::ingest::flat::{Names, flat};
use crate::ingest::framer::{
    LOOKAHEAD, Open, Reach, Section, Start, Token, Unclosed, find_close, find_start, lost_its_end,
    token,
};
use crate::ingest::outside::{
    Doctype, DoctypeReach, Tag, TagReach, declaration, next_markup, skippable,
};
use crate::ingest::sieve::{Options, Outlet};
use crate::quarantine::Piece;
use memchr::memmem;
use std::sync::Arc;

/// One stream's place in the rules.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) options: Arc<Options>,
    charset: Charset,
    /// Stream position of the byte at `done`.
    position: u64,
    pub(super) done: usize,
    pub(super) held: usize,
    /// Why `done..held` is rejected; `None` while it is skipped.
    pub(super) run: Option<Fault>,
    pub(super) state: State,
    /// Events that begin before this offset were found by dividing.
    pub(super) rescued_until: usize,
    /// Set while a part is framed for the second time.
    pub(super) part: Option<SecondLook>,
    /// How many pieces were too large to be kept in one.
    pub(super) oversized: u64,
    names: Names,
    /// Position and length of a rejected run, and its length in the stream.
    measured: (u64, usize, u64),
    unfinished: Option<u64>,
}

/// What begins at `held`.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// Nothing yet.
    Between,
    /// An event.
    Event(Open),
    /// A comment or an instruction; closings were looked for before `at`.
    Section { section: Section, at: usize },
    /// A tag of the wrapper.
    Wrapper(Tag),
    /// A DOCTYPE.
    Doctype(Doctype),
    /// The rest of something too large; starts were looked for before `at`.
    Oversize { piece: u64, part: u32, at: usize },
}

/// A part of bytes given up, framed once more up to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecondLook {
    /// What an event still open at the end of the part is.
    pub(super) open_event: Fault,
    pub(super) unclosed: Unclosed,
}

/// Whether the bytes in hand are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    On,
    Wait,
}

pub(super) const fn fault(reason: Reason, detail: &'static str) -> Fault {
    Fault { reason, detail, position: 0 }
}

const STRAY: Fault = fault(Reason::Stray, "not an event, nor anything XML allows between events");
pub(super) const CUT_OFF: Fault =
    fault(Reason::CutOff, "another event or a declaration began before this event's end tag");

impl Flow {
    pub(super) fn new(options: Arc<Options>) -> Self {
        Self {
            options,
            charset: Charset::Utf8,
            position: 0,
            done: 0,
            held: 0,
            run: None,
            state: State::Between,
            rescued_until: 0,
            part: None,
            oversized: 0,
            names: Names::default(),
            measured: (0, 0, 0),
            unfinished: None,
        }
    }

    /// The stream is UTF-16 and its byte-order mark was read.
    pub(super) fn widen(&mut self) {
        self.charset = Charset::Wide;
        self.position = 2;
    }

    pub(super) fn unfinished(&self) -> Option<u64> {
        self.unfinished
    }

    /// Stream position of the first byte that was not consumed.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The odd byte at the end of a UTF-16 stream.
    pub(super) fn half_unit<O: Outlet + ?Sized>(&mut self, raw: &[u8], out: &mut O) {
        let fault = fault(Reason::Encoding, "half a UTF-16 unit");
        let (position, encoding) = (self.position, None);
        out.reject(Piece { raw, fault, position, repaired: &[], part: None, encoding });
        self.position += raw.len() as u64;
    }

    pub(super) fn feed<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> usize {
        self.walk(bytes, out);
        self.settle(bytes, out)
    }

    pub(super) fn walk<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) {
        while self.step(bytes, out) == Step::On {}
    }

    /// Hands out what need not wait and moves all offsets to the start of the next buffer.
    pub(super) fn settle<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> usize {
        let open = !matches!(self.state, State::Between);
        let bound = self.options.max_message_size + LOOKAHEAD;
        if self.run.is_none() || (open && bytes.len() - self.done > bound) {
            self.flush(bytes, out);
        }
        let before = bytes.get(self.done..self.held).filter(|_| open).unwrap_or_default();
        self.unfinished = (self.done < bytes.len()).then(|| self.position_behind(before));
        self.shift(self.done)
    }

    /// Stream position behind a rejected run; measured once for each run, however often asked.
    fn position_behind(&mut self, run: &[u8]) -> u64 {
        if (self.measured.0, self.measured.1) != (self.position, run.len()) {
            self.measured = (self.position, run.len(), self.stream_length(run));
        }
        self.position + self.measured.2
    }

    fn shift(&mut self, by: usize) -> usize {
        self.done -= by;
        self.held -= by;
        self.rescued_until = self.rescued_until.saturating_sub(by);
        match &mut self.state {
            State::Between => {}
            State::Event(open) => open.shift(by),
            State::Wrapper(tag) => tag.shift(by),
            State::Doctype(doctype) => doctype.shift(by),
            State::Section { at, .. } | State::Oversize { at, .. } => *at -= by,
        }
        by
    }

    fn step<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> Step {
        match self.state {
            State::Between => self.between(bytes, out),
            State::Event(open) => self.event(bytes, open, out),
            State::Section { section, at } => self.section(bytes, section, at, out),
            State::Wrapper(tag) => self.wrapper(bytes, tag, out),
            State::Doctype(doctype) => self.doctype(bytes, doctype, out),
            State::Oversize { piece, part, at } => self.oversize(bytes, piece, part, at, out),
        }
    }

    fn between<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> Step {
        if self.run.is_none() {
            self.held += skippable(bytes.get(self.held..).unwrap_or_default());
        }
        let rest = bytes.get(self.held..).unwrap_or_default();
        match rest {
            [] => Step::Wait,
            [b'<', ..] => self.markup(bytes, rest, out),
            [0xEF] | [0xEF, 0xBB] if self.part.is_none() && self.run.is_none() => Step::Wait,
            _ => self.garbage(bytes, next_markup(bytes, self.held), out),
        }
    }

    fn markup<O: Outlet + ?Sized>(&mut self, bytes: &[u8], rest: &[u8], out: &mut O) -> Step {
        let start = self.held;
        let token = token(rest, self.options.element.as_bytes());
        self.state = match token {
            Token::EventStart if self.flat(bytes, rest, out) => return Step::On,
            Token::EventStart => State::Event(Open::new(start, self.options.element.as_bytes())),
            Token::WrapperStart | Token::WrapperEnd => State::Wrapper(Tag::new(start)),
            Token::Doctype => State::Doctype(Doctype::new(start)),
            Token::Declaration => return self.declaration(bytes, out),
            Token::Short if self.part.is_none() => return Step::Wait,
            _ => match Section::of(token).filter(|&s| s != Section::Cdata && self.may_close(s)) {
                Some(section) => State::Section { section, at: start + section.opening() },
                None => return self.garbage(bytes, start + 1, out),
            },
        };
        Step::On
    }

    /// The short way: takes a whole flat event, once, when its start is first seen.
    fn flat<O: Outlet + ?Sized>(&mut self, bytes: &[u8], rest: &[u8], out: &mut O) -> bool {
        let Some(flat) = flat(rest, self.options.element.as_bytes(), &mut self.names) else {
            return false;
        };
        let decoded = flat.ascii || matches!(self.charset, Charset::Utf8 | Charset::Wide);
        if !decoded || flat.length > self.options.max_message_size {
            return false;
        }
        let event = rest.get(..flat.length).unwrap_or_default();
        self.accept(bytes, self.held + flat.length, event, out);
        true
    }

    fn may_close(&mut self, section: Section) -> bool {
        self.part.as_mut().is_none_or(|part| !*part.unclosed.flag(section))
    }

    fn declaration<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> Step {
        match declaration(bytes, self.held) {
            TagReach::Closed(end) => {
                let text = bytes.get(self.held..end).unwrap_or_default();
                if self.run.is_some() {
                    // What came before it keeps the encoding it came in.
                    self.flush(bytes, out);
                }
                if self.options.honour_encodings && self.charset != Charset::Wide {
                    self.charset = Charset::declared(text);
                }
                self.skip(bytes, end, out)
            }
            TagReach::Broken(at) => self.join(bytes, at, STRAY, out),
            TagReach::More if self.part.is_some() => self.garbage(bytes, self.held + 1, out),
            TagReach::More => Step::Wait,
        }
    }

    /// The bytes that may be scanned for the end of what begins at `held`, where it must end, and
    /// whether these are all bytes that may be needed.
    fn window<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], usize, bool) {
        if self.part.is_some() {
            return (bytes, usize::MAX, false);
        }
        let limit = self.held + self.options.max_message_size;
        match bytes.get(..limit + LOOKAHEAD) {
            Some(window) => (window, limit, true),
            None => (bytes, limit, false),
        }
    }

    fn event<O: Outlet + ?Sized>(&mut self, bytes: &[u8], mut open: Open, out: &mut O) -> Step {
        let (window, limit, all) = self.window(bytes);
        let unclosed = self.part.as_mut().map(|part| &mut part.unclosed);
        match open.scan(window, self.options.element.as_bytes(), unclosed) {
            Reach::Whole(end) if end <= limit => self.judge(bytes, end, out),
            Reach::Cut(at) if at <= limit => self.interrupted(bytes, at, out),
            Reach::More if self.part.is_some() => self.open_at_end(bytes, out),
            Reach::More if !all => {
                self.state = State::Event(open);
                Step::Wait
            }
            _ => self.too_large(bytes, out),
        }
    }

    /// An event start or a declaration at `at` says that the open event was cut off.
    fn interrupted<O: Outlet + ?Sized>(&mut self, bytes: &[u8], at: usize, out: &mut O) -> Step {
        match self.next_start(bytes, self.held + 1, at) {
            Start::None => self.join(bytes, at, CUT_OFF, out),
            _ => self.divide(bytes, at, Some(CUT_OFF), out),
        }
    }

    fn open_at_end<O: Outlet + ?Sized>(&mut self, bytes: &[u8], out: &mut O) -> Step {
        let open_event = self.part.map_or(CUT_OFF, |part| part.open_event);
        if open_event.reason == Reason::CutOff {
            return self.join(bytes, bytes.len(), open_event, out);
        }
        self.reject(bytes, bytes.len(), open_event, None, out)
    }

    fn section<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        section: Section,
        at: usize,
        out: &mut O,
    ) -> Step {
        let (window, limit, all) = self.window(bytes);
        let begin = self.held + section.opening();
        match find_close(window, begin, at, section.close()) {
            Some(end) if end <= limit => {
                let whole = bytes.get(self.held..end).unwrap_or_default();
                if self.part.is_none() && self.swallowed(whole, section) {
                    return self.divide(bytes, end, None, out);
                }
                self.skip(bytes, end, out)
            }
            None if self.part.is_some() => {
                if let Some(part) = &mut self.part {
                    *part.unclosed.flag(section) = true;
                }
                self.garbage(bytes, self.held + 1, out)
            }
            None if !all => {
                self.state = State::Section { section, at: window.len() };
                Step::Wait
            }
            _ => self.too_large(bytes, out),
        }
    }

    /// Whether a comment or an instruction between events shows that its own end was lost: as in
    /// an event, and nobody writes a declaration into an instruction.
    fn swallowed(&self, whole: &[u8], section: Section) -> bool {
        let element = self.options.element.as_bytes();
        let inside =
            whole.get(section.opening()..whole.len() - section.close().len()).unwrap_or_default();
        let declares = || {
            memmem::find_iter(inside, b"<?xml").any(|at| {
                token(inside.get(at..).unwrap_or_default(), element) == Token::Declaration
            })
        };
        lost_its_end(inside, section, element) || section == Section::Instruction && declares()
    }

    fn wrapper<O: Outlet + ?Sized>(&mut self, bytes: &[u8], mut tag: Tag, out: &mut O) -> Step {
        let (window, limit, all) = self.window(bytes);
        match tag.scan(window) {
            TagReach::Closed(end) if end <= limit => self.skip(bytes, end, out),
            TagReach::Broken(at) if at <= limit => self.join(bytes, at, STRAY, out),
            TagReach::More if self.part.is_some() => self.garbage(bytes, self.held + 1, out),
            TagReach::More if !all => {
                self.state = State::Wrapper(tag);
                Step::Wait
            }
            _ => self.too_large(bytes, out),
        }
    }

    fn doctype<O: Outlet + ?Sized>(
        &mut self,
        bytes: &[u8],
        mut doctype: Doctype,
        out: &mut O,
    ) -> Step {
        const SUBSET: Fault = fault(Reason::Doctype, "a DOCTYPE with an internal subset");
        let (window, limit, all) = self.window(bytes);
        match doctype.scan(window, self.options.element.as_bytes()) {
            DoctypeReach::Plain(end) if end <= limit => self.skip(bytes, end, out),
            DoctypeReach::Subset(end) if end <= limit => self.reject(bytes, end, SUBSET, None, out),
            DoctypeReach::Broken(at) if at <= limit => self.join(bytes, at, STRAY, out),
            DoctypeReach::More if self.part.is_some() && doctype.has_subset() => {
                self.reject(bytes, bytes.len(), SUBSET, None, out)
            }
            DoctypeReach::More if self.part.is_some() => self.garbage(bytes, self.held + 1, out),
            DoctypeReach::More if !all => {
                self.state = State::Doctype(doctype);
                Step::Wait
            }
            _ => self.too_large(bytes, out),
        }
    }

    /// The next event start or declaration in `from..end`.
    pub(super) fn next_start(&self, bytes: &[u8], from: usize, end: usize) -> Start {
        let window = bytes.get(..end + LOOKAHEAD).unwrap_or(bytes);
        match find_start(window, from, self.options.element.as_bytes()) {
            Start::At(at) | Start::Perhaps(at) if at >= end => Start::None,
            start => start,
        }
    }
}
