//! The simulated appliance: the stream of an access-control appliance, made up.
//!
//! No sockets and no clock: bytes from a seed, the same ones every time. Fields, order, padding and
//! empty values are those of Avigilon Unity Access; names hold what people and doors are called
//! (`&`, quotes, accents, other scripts). Nobody in it exists.
//! Made for speed: events are copied from ready-made ones, and only what differs is written: the
//! row id (`cn`), unique per appliance, and four times.
//!
//! Defects are chosen so that each costs exactly one event or one rejected piece, whatever stands
//! around it: see [`Kind`]. Pieces that a receiver joins when they touch never do.

mod defects;
mod templates;

use defects::Defect;
use jiff::Timestamp;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use templates::{Stamps, Template};

/// Events of one second of the appliance's own time.
const EVENTS_PER_SECOND: u32 = 8;

/// How many events there are to copy from.
const TEMPLATES: usize = 96;

/// How the appliance writes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Style {
    /// A declaration in front of every event, each element on a line of its own
    #[default]
    Acm,
    /// The same without any line break
    Oneline,
    /// As printed in the vendor's guide: names with spaces, an end tag and a value broken in two
    VendorSample,
}

/// What a receiver makes of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One well-formed event.
    Good,
    /// One event that is not well-formed: delivered with `ON_MALFORMED=repair`, else one rejected
    /// piece.
    Repairable,
    /// One piece that cannot be repaired.
    Rejected,
}

/// One appliance: an endless stream.
#[derive(Debug)]
pub struct Appliance {
    rng: Xoshiro256PlusPlus,
    templates: Vec<Template>,
    style: Style,
    malformed: f64,
    start: Timestamp,
    stamps: Stamps,
    number: u16,
    seed: u16,
    count: u32,
    touchy: bool,
}

impl Appliance {
    /// An appliance that writes the same stream for the same arguments; `malformed` is the share of
    /// its output that is not well-formed, from 0 to 1.
    #[must_use]
    pub fn new(seed: u64, style: Style, malformed: f64) -> Self {
        Self::numbered(0, seed, style, malformed)
    }

    /// One of several appliances that share a seed; what they write differs, row ids too.
    #[must_use]
    pub fn numbered(number: u16, seed: u64, style: Style, malformed: f64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ (u64::from(number) << 48));
        let start = Timestamp::constant(1_767_571_200, 0);
        Self {
            templates: (0..TEMPLATES).map(|_| Template::make(&mut rng, style)).collect(),
            seed: rng.random(),
            rng,
            style,
            malformed,
            start,
            stamps: Stamps::at(start),
            number,
            count: 0,
            touchy: false,
        }
    }

    /// Sets the clock of a running appliance: for one that sends at the pace of real time.
    pub fn set_time(&mut self, now: Timestamp) {
        let passed = i64::from(self.count / EVENTS_PER_SECOND);
        self.start = now - jiff::SignedDuration::from_secs(passed);
        self.stamps = Stamps::at(now);
    }

    /// Appends the next event, or what became of it, and says what it is.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> Kind {
        let start = out.len();
        self.copy_template(out);
        self.count = self.count.wrapping_add(1);
        if self.malformed > 0.0 && self.rng.random::<f64>() < self.malformed {
            return self.spoil(out, start);
        }
        self.touchy = false;
        match self.style {
            Style::VendorSample => Kind::Repairable,
            Style::Acm | Style::Oneline => Kind::Good,
        }
    }

    fn copy_template(&mut self, out: &mut Vec<u8>) {
        if self.count.is_multiple_of(EVENTS_PER_SECOND) && self.count > 0 {
            let seconds = i64::from(self.count / EVENTS_PER_SECOND);
            let now = self.start + jiff::SignedDuration::from_secs(seconds);
            self.stamps = Stamps::at(now);
        }
        let row =
            (u64::from(self.number) << 48) | (u64::from(self.seed) << 32) | u64::from(self.count);
        let choice = self.rng.random_range(0..self.templates.len());
        if let Some(template) = self.templates.get(choice) {
            template.copy(row, &self.stamps, out);
        }
    }

    fn spoil(&mut self, out: &mut Vec<u8>, start: usize) -> Kind {
        let defect = Defect::draw(&mut self.rng, self.touchy);
        self.touchy = defect.touches();
        defect.apply(&mut self.rng, out, start);
        defect.kind()
    }
}

#[cfg(test)]
mod tests;
