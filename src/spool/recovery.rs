//! Brings what earlier processes left to a known state, behind the intake.
//!
//! Trusted: a `.sealed` file is complete (its checksum is looked at when it is uploaded). Not
//! trusted: the length and the contents of an `.open` file. Cases:
//! - `.open` with a final manifest: the crash came between manifest and rename; it keeps its name.
//! - `.open` with items: whole items stay, the rest goes to `damaged/`, the file is sealed.
//! - `.open` without an item, a lone `.meta`, a `.tmp`: litter.
//! - a number that the ledger has as retired: unlinked, not counted again.
//! - `.sealed` that the ledger does not include: added from its manifest.
//!
//! A panic or an error of the contents sets that one segment aside; an error of the disk has the
//! lane looked at again later, and costs the lane's other segments nothing. Names that are not ours are left alone.

use super::manifest::{Manifest, SealedBy};
use super::names::{self, State};
use super::open::{self, OpenSegment};
use super::{Closing, Lane, Spool, guard, salvage};
use crate::base::disk::{self, DiskFile};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A lane that could not be recovered is looked at again after this long.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is left to do.
#[derive(Debug, Default)]
pub(super) struct Due {
    lanes: Vec<Lane>,
    tried_at: Duration,
}

/// What a look into a lane's folder found.
#[derive(Debug, Default)]
struct Found {
    open: Vec<u64>,
    retired: Vec<u64>,
    litter: Vec<String>,
}

impl Spool {
    /// Recovers what earlier processes left and checks the ledger against it. Blocks until that
    /// is done; the spool takes items meanwhile.
    pub fn recover(&self) {
        let mut due = guard(&self.due);
        self.recover_lanes(&mut due, Lane::ALL.to_vec());
    }

    /// Tries again what failed.
    pub(super) fn recover_again(&self) {
        let Ok(mut due) = self.due.try_lock() else { return };
        let waited = self.clock.monotonic().saturating_sub(due.tried_at) >= AGAIN_AFTER;
        if waited && !due.lanes.is_empty() {
            let lanes = std::mem::take(&mut due.lanes);
            self.recover_lanes(&mut due, lanes);
        }
    }

    fn recover_lanes(&self, due: &mut Due, lanes: Vec<Lane>) {
        due.tried_at = self.clock.monotonic();
        due.lanes = lanes;
        due.lanes.retain(|lane| match self.recover_lane(*lane) {
            Ok(()) => false,
            Err(error) => {
                tracing::error!(lane = lane.name(), %error, "recovery met a disk error; it is tried again");
                self.disk_trouble(&error);
                true
            }
        });
        self.store_ledger();
        self.sealed.send_modify(|count| *count += 1);
    }

    fn recover_lane(&self, lane: Lane) -> io::Result<()> {
        let found = self.find_left(lane)?;
        // A bad sector under one file is no reason to leave the others where they are.
        let mut first = Ok(());
        for name in &found.litter {
            let path = self.paths.lane(lane).join(name);
            first = first.and(disk::remove_if_there(&*self.disk, &path));
        }
        for number in &found.retired {
            first = first.and(self.unlink(lane, *number));
        }
        for number in &found.open {
            first = first.and(self.recover_or_set_aside(lane, *number));
        }
        first.and(self.check(lane))
    }

    fn find_left(&self, lane: Lane) -> io::Result<Found> {
        let mut found = Found::default();
        let retired = guard(&self.ledger).totals(lane).retired.clone();
        let first = self.lane(lane).first;
        self.disk.names(&self.paths.lane(lane), &mut |name| match names::parse(name) {
            Some((number, _)) if number >= first => {}
            Some((number, State::Sealed | State::Meta)) if retired.contains(number) => {
                found.retired.push(number);
            }
            Some((number, State::Open)) => found.open.push(number),
            Some(_) => {}
            None if names::parse_litter(name).is_some_and(|number| number < first) => {
                found.litter.push(name.to_owned());
            }
            None => {}
        })?;
        found.open.sort_unstable();
        Ok(found)
    }

    /// A panic, or contents that nobody can read, cost this segment its place and nothing else.
    fn recover_or_set_aside(&self, lane: Lane, number: u64) -> io::Result<()> {
        guard(&self.lane(lane).hidden).insert(number);
        let tried = panic::catch_unwind(AssertUnwindSafe(|| self.recover_open(lane, number)));
        let why = match tried {
            Ok(Err(error)) if is_content(&error) => error.to_string(),
            Ok(other) => return other,
            Err(_) => "recovering it panicked".to_owned(),
        };
        tracing::error!(
            lane = lane.name(),
            number,
            why,
            "a segment is set aside as .stuck; nothing of it is lost: report this, and rename it to .open to have it tried again at the next start"
        );
        let path = |state| self.paths.segment(lane, number, state);
        self.disk.rename(&path(State::Open), &path(State::Stuck))?;
        self.disk.sync_dir(&self.paths.lane(lane))
    }

    fn recover_open(&self, lane: Lane, number: u64) -> io::Result<()> {
        let path = self.paths.segment(lane, number, State::Open);
        let manifest = self.manifest_of_open(lane, number)?;
        if let Some(sealed) = &manifest.sealed {
            let file = self.disk.open(&path)?;
            let length = file.len()?;
            let sound = length == manifest.holds().2
                && Some(salvage::checksum(&*file, &(0..length))?) == manifest.file_checksum();
            if sound {
                return self.publish_left(lane, number, &manifest);
            }
            tracing::error!(
                lane = lane.name(),
                number,
                items = sealed.items,
                "a complete segment is damaged"
            );
        }
        self.recover_items(lane, number, manifest)
    }

    /// The manifest of a file that was not sealed. Where there is none that can be read, the file
    /// alone must do.
    fn manifest_of_open(&self, lane: Lane, number: u64) -> io::Result<Manifest> {
        match self.manifest(lane, number) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) =>
            {
                tracing::error!(lane = lane.name(), number, %error, "an open segment has no manifest that can be read; its settings are taken from now");
                let path = self.paths.segment(lane, number, State::Open);
                let written = self.disk.modified(&path)?.unwrap_or(self.clock.wall());
                let element = self.options.element.as_str().to_owned();
                Ok(Manifest::new(self.identity(lane, number), element, written))
            }
            other => other,
        }
    }

    fn recover_items(&self, lane: Lane, number: u64, manifest: Manifest) -> io::Result<()> {
        let path = self.paths.segment(lane, number, State::Open);
        let written = self.disk.modified(&path)?.unwrap_or(manifest.opened_at);
        let whole = self.look(lane, &manifest, &path)?;
        self.keep_holes(lane, number, &path, &whole.holes)?;
        if whole.items == 0 && manifest.sealed.is_none() {
            return self.drop_empty(lane, number);
        }
        let file = if whole.is_prefix(lane) {
            self.cut_tail(lane, number, &whole)?
        } else {
            self.rewrite(lane, &path, &whole)?
        };
        let segment = OpenSegment::recovered(
            lane,
            number,
            manifest,
            file,
            (whole.items, whole.counted),
            written,
        );
        self.close_left(segment)
    }

    /// What is whole is the front of the file: the rest is cut off when the footer is written.
    fn cut_tail(
        &self,
        lane: Lane,
        number: u64,
        whole: &salvage::Whole,
    ) -> io::Result<open::Contents> {
        let file = self.disk.open(&self.paths.segment(lane, number, State::Open))?;
        let end = whole.runs.last().map_or(0, |run| run.end);
        disk::write_all_at(&*file, end, b"\n")?;
        let running = salvage::running(&*file, &(0..end + 1))?;
        Ok((Arc::<dyn DiskFile>::from(file), end + 1, running))
    }

    fn close_left(&self, segment: OpenSegment) -> io::Result<()> {
        let (lane, number) = (segment.lane, segment.number);
        let _keeper = guard(&self.lane(lane).keeper);
        let mut closing = Closing::new(segment, SealedBy::Recovery);
        self.close(&mut closing)?;
        let (bytes, _) = closing.segment.sealed_facts();
        self.lane(lane).used.fetch_add(bytes, Ordering::Relaxed);
        tracing::info!(
            lane = lane.name(),
            number,
            items = closing.segment.items,
            "an open segment of an earlier process was recovered"
        );
        Ok(())
    }

    fn publish_left(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()> {
        let _keeper = guard(&self.lane(lane).keeper);
        self.publish(lane, number, manifest)?;
        self.lane(lane).used.fetch_add(manifest.holds().2, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the files of a segment in which nothing whole is.
    pub(super) fn drop_empty(&self, lane: Lane, number: u64) -> io::Result<()> {
        disk::remove_if_there(&*self.disk, &self.paths.segment(lane, number, State::Open))?;
        self.disk.sync_dir(&self.paths.lane(lane))?;
        disk::remove_if_there(&*self.disk, &self.paths.segment(lane, number, State::Meta))?;
        guard(&self.lane(lane).hidden).remove(&number);
        guard(&self.ledger).burn(lane, number, number);
        Ok(())
    }

    /// Compares the stored totals with the manifests, number by number, and adds segments that
    /// they do not include.
    fn check(&self, lane: Lane) -> io::Result<()> {
        if guard(&self.ledger).is_checked(lane) {
            return Ok(());
        }
        let mut number = 0;
        loop {
            number = guard(&self.ledger).check_next(lane, number);
            if number >= self.lane(lane).first {
                break;
            }
            self.check_number(lane, number)?;
            number += 1;
        }
        let finding = guard(&self.ledger).check_end(lane);
        self.correct_used(lane, finding.bytes_off);
        if finding.expected == finding.found {
            // Nothing left over is no news.
            if finding.found > 0 {
                tracing::info!(lane = lane.name(), spooled = finding.found, "the ledger balances");
            }
        } else {
            tracing::error!(
                lane = lane.name(),
                expected = finding.expected,
                found = finding.found,
                "the ledger does not balance: the spool should hold other counts than it does; was a file removed by hand?"
            );
        }
        Ok(())
    }

    fn check_number(&self, lane: Lane, number: u64) -> io::Result<()> {
        if guard(&self.lane(lane).hidden).contains(&number) {
            return Ok(());
        }
        // The lock is held over the reading, so that no segment is retired in between.
        let mut ledger = guard(&self.ledger);
        if ledger.totals(lane).retired.contains(number) {
            return Ok(());
        }
        if self.exists(lane, number)? {
            match self.manifest(lane, number) {
                // What was never sealed is not counted yet, even if it is stuck.
                Ok(manifest) if manifest.sealed.is_none() => {}
                Ok(manifest) => {
                    let added = ledger.check_one(lane, number, &manifest);
                    self.lane(lane).used.fetch_add(added, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::error!(lane = lane.name(), number, %error, "a manifest cannot be read; its segment is not counted");
                }
            }
        } else if !ledger.totals(lane).counted.contains(number) {
            disk::remove_if_there(&*self.disk, &self.paths.segment(lane, number, State::Meta))?;
            ledger.burn(lane, number, number);
        }
        Ok(())
    }

    fn correct_used(&self, lane: Lane, off: i128) {
        let used = &self.lane(lane).used;
        match u64::try_from(off) {
            Ok(more) => drop(used.fetch_add(more, Ordering::Relaxed)),
            Err(_) => self.forget_bytes(lane, u64::try_from(-off).unwrap_or(u64::MAX)),
        }
    }
}

/// Whether an error is about what a file holds, so that trying again would not help.
fn is_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::Unsupported)
}
