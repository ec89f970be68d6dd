//! What is whole in a damaged file stays; the rest is set aside.
//!
//! One look serves a file that was never sealed, one whose sync failed, and a sealed one whose
//! checksum differs. Events are found by the framer and the validator ([`super::Recoverer`]),
//! records by their lines. Whatever is neither a whole item nor our own header and footer is copied
//! to `damaged/`, synced, before anything is cut off or replaced. Nothing in `damaged/` is ever
//! removed or overwritten. Memory: one buffer, and one range per hole.

mod copy;

use super::manifest::Manifest;
use super::names::State;
use super::open::{self, OpenSegment};
use super::{Closing, Lane, Spool, guard};
use crate::base::checksum::{Checksum, Running};
use crate::base::disk::{self, Disk, DiskFile};
use crate::event::ElementName;
use copy::Copy;
use serde::Deserialize;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The whole items of a file.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// Items one behind the other, each followed by one line break; the last one's is left out.
    pub runs: Vec<Range<u64>>,
    pub items: u64,
    pub counted: u64,
    /// The rest, without header and footer.
    pub holes: Vec<Range<u64>>,
    /// The file begins with its header.
    header: bool,
}

impl Whole {
    fn add(&mut self, file: &dyn DiskFile, item: Range<u64>, counted: bool) -> io::Result<()> {
        self.items += 1;
        self.counted += u64::from(counted);
        if let Some(last) = self.runs.last_mut()
            && last.end + 1 == item.start
            && is_line_break(file, last.end)?
        {
            last.end = item.end;
            return Ok(());
        }
        self.runs.push(item);
        Ok(())
    }

    /// The file needs no rewrite: what is whole begins behind the header and has no hole in it.
    pub fn is_prefix(&self, lane: Lane) -> bool {
        let start = open::header(lane).len() as u64;
        self.header && matches!(self.runs.as_slice(), [run] if run.start == start)
    }

    fn find_holes(&mut self, lane: Lane, file: &dyn DiskFile, length: u64) -> io::Result<()> {
        let header = open::header(lane);
        self.header = read_some(file, 0, header.len())? == header;
        let mut at = if self.header { header.len() as u64 } else { 0 };
        for run in &self.runs {
            if at < run.start {
                self.holes.push(at..run.start);
            }
            at = run.end + u64::from(is_line_break(file, run.end)?);
        }
        let footer = open::footer(lane);
        let tail = length.saturating_sub(at);
        let is_footer =
            tail <= footer.len() as u64 && footer.starts_with(&read_some(file, at, footer.len())?);
        if at < length && !is_footer {
            self.holes.push(at..length);
        }
        Ok(())
    }
}

/// What a line of the quarantine says about being counted, as `Item::counted` did.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    repaired: Value,
    #[serde(default)]
    last: Option<bool>,
}

impl Record {
    fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok().filter(|text| text.starts_with('{'))?;
        serde_json::from_str(text).ok()
    }

    fn counts(&self) -> bool {
        let is_copy = match &self.repaired {
            Value::Bool(repaired) => *repaired,
            Value::Array(rules) => !rules.is_empty(),
            _ => false,
        };
        !is_copy && self.last != Some(false)
    }
}

impl Spool {
    /// Finds what is whole in a file.
    pub(super) fn look(&self, lane: Lane, manifest: &Manifest, path: &Path) -> io::Result<Whole> {
        let file = self.disk.open(path)?;
        let length = file.len()?;
        let mut whole = Whole::default();
        match lane {
            Lane::Events => {
                self.look_for_events(manifest, path, length, &*file, &mut whole)?;
            }
            Lane::Quarantine | Lane::Logs => look_for_lines(&*self.disk, path, &*file, &mut whole)?,
        }
        whole.find_holes(lane, &*file, length)?;
        Ok(whole)
    }

    fn look_for_events(
        &self,
        manifest: &Manifest,
        path: &Path,
        length: u64,
        file: &dyn DiskFile,
        whole: &mut Whole,
    ) -> io::Result<()> {
        let element = ElementName::new(&manifest.element)
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        let mut input = disk::reader(self.disk.open(path)?);
        let mut failed = Ok(());
        self.options.recoverer.events(&element, &mut input, length, &mut |item| {
            if failed.is_ok() {
                failed = whole.add(file, item, true);
            }
        })?;
        failed
    }

    /// Copies the holes of a file to `damaged/`.
    pub(super) fn keep_holes(
        &self,
        lane: Lane,
        number: u64,
        path: &Path,
        holes: &[Range<u64>],
    ) -> io::Result<()> {
        for hole in holes {
            let kept = self.keep_damage(lane, number, path, hole)?;
            tracing::error!(
                lane = lane.name(),
                number,
                offset = hole.start,
                bytes = hole.end - hole.start,
                kept,
                "part of a segment was not understood and is set aside"
            );
        }
        Ok(())
    }

    fn keep_damage(
        &self,
        lane: Lane,
        number: u64,
        path: &Path,
        hole: &Range<u64>,
    ) -> io::Result<String> {
        let source = self.disk.open(path)?;
        let mut attempt = 1;
        loop {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            let name = format!("{}-{number:012}-{}{suffix}", lane.name(), hole.start);
            let kept = self.paths.damaged().join(&name);
            if self.disk.size(&kept)?.is_none() {
                let mut copy = Copy::begin(&*self.disk, &kept)?;
                copy.range(&*source, hole)?;
                copy.place(&*self.disk, &kept)?;
                self.disk.sync_dir(&self.paths.damaged())?;
                return Ok(name);
            }
            if self.same(&kept, &*source, hole)? {
                return Ok(name);
            }
            attempt += 1;
        }
    }

    fn same(&self, kept: &Path, source: &dyn DiskFile, hole: &Range<u64>) -> io::Result<bool> {
        let file = self.disk.open(kept)?;
        let length = file.len()?;
        Ok(length == hole.end - hole.start
            && checksum(&*file, &(0..length))? == checksum(source, hole)?)
    }

    /// Writes what is whole beside a file, synced; [`Copy::place`] puts it in the file's place.
    fn copy_whole(&self, lane: Lane, path: &Path, whole: &Whole) -> io::Result<Copy> {
        let source = self.disk.open(path)?;
        let mut copy = Copy::begin(&*self.disk, path)?;
        copy.bytes(open::header(lane))?;
        for run in &whole.runs {
            copy.range(&*source, run)?;
            copy.bytes(b"\n")?;
        }
        Ok(copy)
    }

    /// Puts what is whole in place of an open file, by the four steps.
    pub(super) fn rewrite(
        &self,
        lane: Lane,
        path: &Path,
        whole: &Whole,
    ) -> io::Result<(Arc<dyn DiskFile>, u64, Running)> {
        let done = self.copy_whole(lane, path, whole)?.place(&*self.disk, path)?;
        self.disk.sync_dir(&self.paths.lane(lane))?;
        Ok(done)
    }

    /// Puts a file in the place of one whose sync failed: what can be read back of it.
    pub(super) fn rescue(&self, closing: &mut Closing) -> io::Result<()> {
        let segment = &mut closing.segment;
        let (lane, number) = (segment.lane, segment.number);
        let path = self.paths.segment(lane, number, State::Open);
        let written = 0..segment.length;
        if segment.file.len()? >= segment.length
            && checksum(&*segment.file, &written)? == segment.running.value()
        {
            let mut copy = Copy::begin(&*self.disk, &path)?;
            copy.range(&*segment.file, &written)?;
            segment.file = copy.place(&*self.disk, &path)?.0;
            return self.disk.sync_dir(&self.paths.lane(lane));
        }
        let all = 0..segment.file.len()?;
        self.keep_holes(lane, number, &path, std::slice::from_ref(&all))?;
        let whole = self.look(lane, &segment.manifest, &path)?;
        let rewritten = self.rewrite(lane, &path, &whole)?;
        segment.shrink(rewritten, whole.items, whole.counted);
        Ok(())
    }

    /// Saves what is whole in a sealed segment whose checksum differs, under the same number, name
    /// and original checksum, by one rename. Where nothing could be saved, `salvaged.items` is 0:
    /// there is nothing to upload, and the segment may be retired.
    ///
    /// To be called only after the store has said that it does not have the segment's object.
    ///
    /// # Errors
    /// What the disk said; may be repeated then.
    pub fn salvage(&self, lane: Lane, number: u64) -> io::Result<Manifest> {
        let path = self.paths.segment(lane, number, State::Sealed);
        let mut manifest = self.manifest(lane, number)?;
        if manifest.sealed.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the manifest is not final"));
        }
        let before = manifest.holds().2;
        let whole = self.look(lane, &manifest, &path)?;
        self.keep_holes(lane, number, &path, &whole.holes)?;
        let mut copy = self.copy_whole(lane, &path, &whole)?;
        copy.bytes(open::footer(lane))?;
        manifest.salvaged = Some(copy.salvaged(&whole));
        self.store_manifest(lane, number, &manifest)?;
        copy.place(&*self.disk, &path)?;
        self.disk.sync_dir(&self.paths.lane(lane))?;
        self.book_salvage(lane, number, before, &manifest);
        Ok(manifest)
    }

    fn book_salvage(&self, lane: Lane, number: u64, before: u64, manifest: &Manifest) {
        let after = manifest.holds().2;
        let mut ledger = guard(&self.ledger);
        ledger.resize(lane, number, before, after);
        ledger.lose(lane, number, manifest);
        self.forget_bytes(lane, before);
        self.lane(lane).used.fetch_add(after, std::sync::atomic::Ordering::Relaxed);
    }
}

impl OpenSegment {
    /// Goes on with a file that holds less than was written.
    fn shrink(&mut self, file: (Arc<dyn DiskFile>, u64, Running), items: u64, counted: u64) {
        self.before_damage = self.before_damage.or(Some((self.items, self.counted)));
        (self.file, self.length, self.running) = file;
        (self.items, self.counted) = (items, counted);
    }
}

fn look_for_lines(
    disk: &dyn Disk,
    path: &Path,
    file: &dyn DiskFile,
    whole: &mut Whole,
) -> io::Result<()> {
    let mut input = BufReader::new(disk::reader(disk.open(path)?));
    let (mut at, mut line) = (0, Vec::new());
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Some(record) = Record::parse(text) {
            whole.add(file, at..at + text.len() as u64, record.counts())?;
        }
        at += line.len() as u64;
        line.clear();
    }
    Ok(())
}

/// The checksum of part of a file.
pub(super) fn checksum(file: &dyn DiskFile, range: &Range<u64>) -> io::Result<Checksum> {
    Ok(running(file, range)?.value())
}

/// The checksum of part of a file, to be gone on with.
pub(super) fn running(file: &dyn DiskFile, range: &Range<u64>) -> io::Result<Running> {
    let mut running = Running::default();
    each_part(file, range, &mut |part| {
        running.update(part);
        Ok(())
    })?;
    Ok(running)
}

fn each_part(
    file: &dyn DiskFile,
    range: &Range<u64>,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = range.start;
    while at < range.end {
        let left = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..left) else { break };
        let read = file.read_at(at, part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        each(part.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
    Ok(())
}

fn read_some(file: &dyn DiskFile, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Part { file, at }.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_line_break(file: &dyn DiskFile, at: u64) -> io::Result<bool> {
    Ok(read_some(file, at, 1)? == b"\n")
}

struct Part<'a> {
    file: &'a dyn DiskFile,
    at: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
