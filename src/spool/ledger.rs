//! The ledger: what was received, and where it is now.
//!
//! `received = delivered + quarantined + spooled + damaged`, over the events and the quarantine
//! lane. *Received* are the items counted in a segment: an event in the events lane, a rejected
//! piece in the quarantine lane (copies of repaired events and all but the last part of a piece
//! are stored, not counted). *Delivered* and *quarantined* grow when a segment is retired, which
//! is after the store confirmed it. *Damaged* are items that a sealed segment had and that could
//! not be read back. The logs lane is kept in the same way and is in none of the sums.
//!
//! The file holds, per lane, totals through the last sealed segment and which numbers they
//! include. Not trusted: that it is up to date, and that a bad disk left it as it was written: it
//! says what may be unlinked, so it carries a checksum (since version 2; version 1 may have none).
//! The checksum is of the text, so that a field of another version does not make it wrong. A
//! segment sealed later is added from its manifest at start; a retired one that is still there is
//! only unlinked. No I/O here.

mod reading;

use super::manifest::Manifest;
use super::names::Lane;
use super::ranges::Ranges;
use crate::base::checksum::Checksum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

pub use reading::{Reading, Sums, read_ledger};

/// The version of the ledger file.
const VERSION: u32 = 2;
/// The last version that could be without a checksum.
const LAST_WITHOUT: u64 = 1;

/// One value for each lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerLane<T> {
    /// For accepted events.
    pub events: T,
    /// For rejected pieces.
    pub quarantine: T,
    /// For our own log records.
    pub logs: T,
}

impl<T> PerLane<T> {
    /// Makes the value of each lane.
    pub fn make(mut each: impl FnMut(Lane) -> T) -> Self {
        Self {
            events: each(Lane::Events),
            quarantine: each(Lane::Quarantine),
            logs: each(Lane::Logs),
        }
    }

    /// The lane's value.
    pub const fn get(&self, lane: Lane) -> &T {
        match lane {
            Lane::Events => &self.events,
            Lane::Quarantine => &self.quarantine,
            Lane::Logs => &self.logs,
        }
    }

    /// The lane's value, to be changed.
    pub const fn get_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Events => &mut self.events,
            Lane::Quarantine => &mut self.quarantine,
            Lane::Logs => &mut self.logs,
        }
    }
}

/// What the file says about a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Items counted in every segment of `counted`.
    pub received: u64,
    /// Items in retired segments: delivered, or quarantined.
    pub confirmed: u64,
    /// Items that retired segments had lost.
    pub damaged: u64,
    /// Segments sealed and not retired.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Numbers up to this one may have been given out; a later process begins behind it.
    pub reserved: u64,
    /// Numbers that `received` includes.
    pub counted: Ranges,
    /// Numbers that `confirmed` includes, and numbers that never became a segment.
    pub retired: Ranges,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    version: u32,
    spool_id: String,
    #[serde(flatten)]
    lanes: PerLane<Totals>,
    /// Of everything else but the first two, written as JSON without white space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<Checksum>,
}

impl File {
    fn of(spool_id: &str, lanes: PerLane<Totals>) -> io::Result<Self> {
        let checksum = Some(Checksum::of(&serde_json::to_vec(&lanes)?));
        Ok(Self { version: VERSION, spool_id: spool_id.to_owned(), lanes, checksum })
    }

    /// # Errors
    /// `Unsupported` if a newer version wrote it, whatever else it says; `InvalidData`.
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let text: Map<String, Value> = serde_json::from_slice(bytes).map_err(|e| invalid(&e))?;
        let version = text.get("version").and_then(Value::as_u64).unwrap_or_default();
        if version > u64::from(VERSION) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is of a newer version"));
        }
        let sum = sum_of(&text)?;
        let file: Self = serde_json::from_value(text.into()).map_err(|e| invalid(&e))?;
        let is_as_written = file.checksum.map_or(version <= LAST_WITHOUT, |c| c == sum);
        if is_as_written && file.is_sound() {
            return Ok(file);
        }
        Err(invalid(&"its checksum is wrong"))
    }

    fn is_sound(&self) -> bool {
        Lane::ALL.into_iter().all(|lane| {
            let totals = self.lanes.get(lane);
            totals.counted.is_sound() && totals.retired.is_sound()
        })
    }
}

fn invalid(what: &dyn Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// The checksum that a file should have, from its text.
fn sum_of(text: &Map<String, Value>) -> io::Result<Checksum> {
    let is_summed = |name: &String| !["version", "spool_id", "checksum"].contains(&name.as_str());
    let summed = text.iter().filter(|(name, _)| is_summed(name));
    let summed: Map<_, _> = summed.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Checksum::of(&serde_json::to_vec(&summed)?))
}

/// The check of a lane's stored totals against its manifests, which runs behind the intake.
#[derive(Debug, Default)]
struct Check {
    /// The numbers that the stored totals include.
    counted: Ranges,
    /// The next number to be looked at.
    cursor: u64,
    expected: Sum,
    found: Sum,
    done: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    items: u64,
    segments: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, manifest: &Manifest) {
        self.items += counted(manifest);
        self.segments += 1;
        self.bytes += manifest.holds().2;
    }
}

/// What the check of one lane found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    /// Items that the totals say are in the spool.
    pub expected: u64,
    /// Items that the manifests say are in the spool.
    pub found: u64,
    /// By how much the stored bytes were wrong.
    pub bytes_off: i128,
}

#[derive(Debug, Default)]
struct Book {
    totals: Totals,
    check: Check,
    /// Items lost in segments that are not retired yet.
    lost: BTreeMap<u64, u64>,
    /// Expected minus found.
    imbalance: i128,
}

/// The ledger in memory.
#[derive(Debug)]
pub(super) struct Ledger {
    spool_id: String,
    books: PerLane<Book>,
    /// The file does not say what the memory says.
    pub dirty: bool,
}

impl Ledger {
    /// The ledger of a new spool, or of one whose ledger file is lost.
    pub fn new(spool_id: &str) -> Self {
        Self { spool_id: spool_id.to_owned(), books: PerLane::default(), dirty: true }
    }

    /// Reads the file's contents.
    ///
    /// # Errors
    /// `InvalidData` if they are no ledger of this spool; `Unsupported` if they are of a newer
    /// version.
    pub fn parse(spool_id: &str, bytes: &[u8]) -> io::Result<Self> {
        let file = File::parse(bytes)?;
        if file.spool_id != spool_id {
            return Err(invalid(&"it belongs to another spool"));
        }
        let mut ledger = Self::new(spool_id);
        for lane in Lane::ALL {
            ledger.books.get_mut(lane).take(file.lanes.get(lane).clone());
        }
        Ok(ledger)
    }

    /// The file's contents.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let lanes = PerLane::make(|lane| self.books.get(lane).totals.clone());
        let mut bytes = serde_json::to_vec_pretty(&File::of(&self.spool_id, lanes)?)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Whose it is.
    pub fn spool_id(&self) -> &str {
        &self.spool_id
    }

    pub fn totals(&self, lane: Lane) -> &Totals {
        &self.books.get(lane).totals
    }

    /// Notes up to which number the file allows segments to be made.
    pub fn reserve(&mut self, lane: Lane, through: u64) {
        let totals = &mut self.books.get_mut(lane).totals;
        totals.reserved = totals.reserved.max(through);
    }

    /// Adds a sealed segment, once; gives back the bytes added.
    pub fn seal(&mut self, lane: Lane, number: u64, manifest: &Manifest) -> u64 {
        let added = self.books.get_mut(lane).seal(number, manifest);
        self.dirty |= added > 0;
        added
    }

    /// Moves a segment from spooled to confirmed, once; gives back the bytes that had not been
    /// added before.
    pub fn retire(&mut self, lane: Lane, number: u64, manifest: &Manifest) -> u64 {
        let added = self.seal(lane, number, manifest);
        self.dirty |= self.books.get_mut(lane).retire(number, manifest);
        added
    }

    /// Notes what a segment has lost; its manifest keeps it, so the file need not.
    pub fn lose(&mut self, lane: Lane, number: u64, manifest: &Manifest) {
        let book = self.books.get_mut(lane);
        if !book.totals.retired.contains(number) && manifest.lost() > 0 {
            book.lost.insert(number, manifest.lost());
        }
    }

    /// Changes the bytes of a segment that is in the totals, after it was salvaged.
    pub fn resize(&mut self, lane: Lane, number: u64, before: u64, after: u64) {
        let book = self.books.get_mut(lane);
        if book.totals.counted.contains(number) {
            book.totals.bytes = book.totals.bytes.saturating_sub(before) + after;
            book.check.resize(number, before, after);
            self.dirty = true;
        }
    }

    /// Notes numbers that never became a segment.
    pub fn burn(&mut self, lane: Lane, first: u64, last: u64) {
        let totals = &mut self.books.get_mut(lane).totals;
        totals.counted.insert_range(first, last);
        totals.retired.insert_range(first, last);
        self.dirty = true;
    }

    /// The first number at or above `number` that the check has to look at.
    pub fn check_next(&mut self, lane: Lane, number: u64) -> u64 {
        let book = self.books.get_mut(lane);
        book.check.cursor = book.totals.retired.next_missing(number);
        book.check.cursor
    }

    /// Takes the manifest of an existing segment into the check. Segments that the stored totals
    /// do not include are added to them; gives back the bytes added.
    pub fn check_one(&mut self, lane: Lane, number: u64, manifest: &Manifest) -> u64 {
        let book = self.books.get_mut(lane);
        if book.check.counted.contains(number) && number >= book.check.cursor {
            book.check.found.add(manifest);
        }
        book.check.cursor = number.saturating_add(1);
        self.lose(lane, number, manifest);
        self.seal(lane, number, manifest)
    }

    pub fn is_checked(&self, lane: Lane) -> bool {
        self.books.get(lane).check.done
    }

    /// Ends the check of a lane.
    pub fn check_end(&mut self, lane: Lane) -> Finding {
        let book = self.books.get_mut(lane);
        let (expected, found) = (book.check.expected, book.check.found);
        let bytes_off = i128::from(found.bytes) - i128::from(expected.bytes);
        book.imbalance = i128::from(expected.items) - i128::from(found.items);
        book.totals.bytes = (book.totals.bytes + found.bytes).saturating_sub(expected.bytes);
        book.totals.segments =
            (book.totals.segments + found.segments).saturating_sub(expected.segments);
        self.dirty |= expected != found;
        book.check.done = true;
        Finding { expected: expected.items, found: found.items, bytes_off }
    }

    /// The sums, with what is in open segments.
    pub fn sums(&self, open: &PerLane<u64>) -> Sums {
        let (events, pieces) = (&self.books.events, &self.books.quarantine);
        Sums {
            received: events.totals.received
                + pieces.totals.received
                + open.events
                + open.quarantine,
            delivered: events.totals.confirmed,
            quarantined: pieces.totals.confirmed,
            spooled: events.spooled() + pieces.spooled() + open.events + open.quarantine,
            damaged: events.damaged() + pieces.damaged(),
            checked: events.check.done && pieces.check.done && self.books.logs.check.done,
        }
    }
}

impl Book {
    /// Begins from what the file says.
    fn take(&mut self, totals: Totals) {
        self.check.counted = totals.counted.clone();
        self.check.expected = Sum {
            items: totals.received.saturating_sub(totals.confirmed + totals.damaged),
            segments: totals.segments,
            bytes: totals.bytes,
        };
        self.totals = totals;
    }

    fn seal(&mut self, number: u64, manifest: &Manifest) -> u64 {
        if self.totals.counted.contains(number) {
            return 0;
        }
        self.totals.counted.insert(number);
        self.totals.received += counted(manifest);
        self.totals.segments += 1;
        self.totals.bytes += manifest.holds().2;
        manifest.holds().2
    }

    fn retire(&mut self, number: u64, manifest: &Manifest) -> bool {
        if self.totals.retired.contains(number) {
            return false;
        }
        self.totals.retired.insert(number);
        self.totals.confirmed += manifest.holds().1;
        self.totals.damaged += manifest.lost();
        self.totals.segments = self.totals.segments.saturating_sub(1);
        self.totals.bytes = self.totals.bytes.saturating_sub(manifest.holds().2);
        self.lost.remove(&number);
        self.check.retire(number, manifest);
        true
    }

    fn spooled(&self) -> u64 {
        let totals = &self.totals;
        let gone = totals.confirmed + self.damaged();
        let left = i128::from(totals.received) - i128::from(gone) - self.imbalance;
        u64::try_from(left).unwrap_or(0)
    }

    fn damaged(&self) -> u64 {
        self.totals.damaged + self.lost.values().sum::<u64>()
    }
}

impl Check {
    /// A segment that leaves before the check has come to it is looked at now.
    fn retire(&mut self, number: u64, manifest: &Manifest) {
        if !self.done && number >= self.cursor && self.counted.contains(number) {
            self.found.add(manifest);
        }
    }

    /// A segment that changed its size behind the check counts with its new size on both sides.
    fn resize(&mut self, number: u64, before: u64, after: u64) {
        if !self.done && self.counted.contains(number) {
            self.expected.bytes = self.expected.bytes.saturating_sub(before) + after;
            if number < self.cursor {
                self.found.bytes = self.found.bytes.saturating_sub(before) + after;
            }
        }
    }
}

fn counted(manifest: &Manifest) -> u64 {
    manifest.sealed.as_ref().map_or(0, |s| s.counted)
}
