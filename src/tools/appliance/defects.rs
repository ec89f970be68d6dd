//! What can be wrong with an event, each in a way that costs exactly one.

use super::Kind;
use memchr::memmem;
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus as Rng;

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    /// An `&` that begins no reference.
    Ampersand,
    /// A control character.
    Control,
    /// Latin-1 in the middle of UTF-8.
    Encoding,
    /// A name with a space in it.
    Name,
    /// An end tag that closes something else.
    WrongEndTag,
    /// A reference to a character that XML forbids.
    Reference,
    /// Two hyphens in a comment.
    Comment,
    /// The event's end tag is missing.
    Unclosed,
    /// It stops somewhere.
    CutShort,
    /// Not an event at all.
    Stray,
}

impl Defect {
    const CALM: [Self; 7] = [
        Self::Ampersand,
        Self::Control,
        Self::Encoding,
        Self::Name,
        Self::WrongEndTag,
        Self::Reference,
        Self::Comment,
    ];
    const TOUCHY: [Self; 3] = [Self::Unclosed, Self::CutShort, Self::Stray];

    /// Chooses one; behind a piece that would be joined with its neighbour, a calm one.
    pub(super) fn draw(rng: &mut Rng, calm: bool) -> Self {
        let touchy = if calm { 0 } else { Self::TOUCHY.len() };
        let choice = rng.random_range(0..Self::CALM.len() + touchy);
        let all = Self::CALM.iter().chain(&Self::TOUCHY);
        all.copied().nth(choice).unwrap_or(Self::Ampersand)
    }

    /// Whether a receiver joins it with a neighbour of the same sort, so that two would count as one.
    pub(super) fn touches(self) -> bool {
        Self::TOUCHY.contains(&self)
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Ampersand | Self::Control | Self::Encoding | Self::Name => Kind::Repairable,
            _ => Kind::Rejected,
        }
    }

    /// Spoils the event that begins at `start`.
    pub(super) fn apply(self, rng: &mut Rng, out: &mut Vec<u8>, start: usize) {
        let any = |rng: &mut Rng, from: &[&'static [u8]]| {
            from.get(rng.random_range(0..from.len())).copied().unwrap_or_default()
        };
        match self {
            Self::Ampersand => {
                insert(out, start, any(rng, &[b" AT&T", b"R&D;", b"a & b", b"&nbsp;", b"&"]));
            }
            Self::Control => insert(out, start, any(rng, &[b"\x0b", b"\x01\x02", b"\x1b[0m"])),
            Self::Encoding => {
                insert(out, start, any(rng, &[b"Caf\xe9", b"\x96 Nord", b"M\xfcller"]))
            }
            Self::Reference => insert(out, start, any(rng, &[b"&#0;", b"&#x1F;", b"&#xFFFF;"])),
            Self::Comment => insert(out, start, b"<!-- one -- two -->"),
            Self::Name => {
                swap(out, start, b"<plasectrxPanelname>", b"<plasectrxPanel name>");
                swap(out, start, b"</plasectrxPanelname>", b"</plasectrxPanel name>");
            }
            Self::WrongEndTag => swap(out, start, b"</plasectrxLname>", b"</plasectrxFname>"),
            Self::Unclosed => swap(out, start, b"</EVENT>", b""),
            Self::CutShort => cut(rng, out, start),
            Self::Stray => {
                out.truncate(start);
                let words: [&[u8]; 3] = [
                    b"*** 3 events dropped ***\n",
                    b"ERROR 17: out of memory\r\n",
                    b"\xff\xfb\x1f busy\n",
                ];
                out.extend_from_slice(any(rng, &words));
            }
        }
    }
}

/// Puts bytes at the end of a text that every event has.
fn insert(out: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end_tag: &[u8] = b"</plasectrxSourcelocation>";
    swap(out, start, end_tag, &[bytes, end_tag].concat());
}

fn swap(out: &mut Vec<u8>, start: usize, old: &[u8], new: &[u8]) {
    let found = out.get(start..).and_then(|event| memmem::rfind(event, old));
    if let Some(at) = found.map(|at| start + at) {
        out.splice(at..at + old.len(), new.iter().copied());
    }
}

/// Cuts somewhere between the first fields and the last.
fn cut(rng: &mut Rng, out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    out.truncate(start + rng.random_range(length / 5..length * 4 / 5));
}
