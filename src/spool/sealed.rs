//! A sealed segment: how it becomes one, and how it leaves.
//!
//! Footer, sync, final manifest, rename, sync of the folder; only then may an uploader see it.
//! Leaving: ledger first, then the file, sync of the folder, then the manifest. Every step may be
//! repeated after a failure, except a sync of the file's contents.

use super::manifest::{Compression, Form, Format, Manifest, Salvaged, Sealed};
use super::names::State;
use super::{Closing, Lane, Spool, guard};
use crate::base::disk::{self, DiskReader};
use std::io;
use std::sync::atomic::Ordering;

impl Spool {
    /// Seals what waits in a lane, oldest first; what fails stays, is tried again, and holds back
    /// nothing behind it.
    pub(super) fn finish(&self, lane: Lane) {
        let state = self.lane(lane);
        let _keeper = guard(&state.keeper);
        let mut sealed = 0;
        let waiting = guard(&state.writer).closing.len();
        for _ in 0..waiting {
            let Some(mut closing) = self.take_closing(lane) else { break };
            match self.close(&mut closing) {
                Ok(()) => sealed += 1,
                Err(error) => self.put_back(lane, closing, &error),
            }
        }
        if sealed > 0 {
            self.store_ledger();
            *guard(&self.last_seal) = Some(self.clock.wall());
            self.sealed.send_modify(|count| *count += sealed);
        }
    }

    /// Behind the others, so that each has its turn.
    fn put_back(&self, lane: Lane, closing: Closing, error: &io::Error) {
        {
            let mut writer = guard(&self.lane(lane).writer);
            writer.in_hand = 0;
            writer.closing.push_back(closing);
        }
        self.disk_trouble(error);
    }

    fn take_closing(&self, lane: Lane) -> Option<Closing> {
        let mut writer = guard(&self.lane(lane).writer);
        let closing = writer.closing.pop_front()?;
        writer.in_hand = closing.segment.counted;
        Some(closing)
    }

    /// Seals one segment.
    pub(super) fn close(&self, closing: &mut Closing) -> io::Result<()> {
        if !closing.complete {
            let first = self.complete(closing);
            if closing.suspect {
                let (lane, number) = (closing.segment.lane, closing.segment.number);
                tracing::error!(lane = lane.name(), number, error = ?first.err(), "a sync failed; what the segment holds is read back into a new file");
                self.complete(closing)?;
            } else {
                first?;
            }
            closing.complete = true;
        }
        let manifest = self.final_manifest(closing);
        self.publish(closing.segment.lane, closing.segment.number, &manifest)
    }

    /// Footer and sync.
    fn complete(&self, closing: &mut Closing) -> io::Result<()> {
        if closing.suspect {
            self.rescue(closing)?;
            closing.suspect = false;
        }
        closing.segment.write_footer()?;
        let began = self.clock.monotonic();
        let synced = closing.segment.file.sync();
        self.note_sync(began);
        closing.suspect = synced.is_err();
        synced
    }

    /// Writes the final manifest, gives the file its last name, and shows it to the uploader.
    pub(super) fn publish(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()> {
        let path = |state| self.paths.segment(lane, number, state);
        manifest.store(&*self.disk, &path(State::Meta))?;
        if self.disk.size(&path(State::Open))?.is_none() {
            // The folder's sync failed the last time: the rename is made anew, so that it is
            // part of this sync.
            self.disk.rename(&path(State::Sealed), &path(State::Open))?;
        }
        self.disk.rename(&path(State::Open), &path(State::Sealed))?;
        self.disk.sync_dir(&self.paths.lane(lane))?;
        {
            let mut writer = guard(&self.lane(lane).writer);
            let mut ledger = guard(&self.ledger);
            ledger.seal(lane, number, manifest);
            ledger.lose(lane, number, manifest);
            writer.in_hand = 0;
        }
        guard(&self.lane(lane).hidden).remove(&number);
        Ok(())
    }

    fn final_manifest(&self, closing: &mut Closing) -> Manifest {
        let segment = &mut closing.segment;
        // A name once given is kept: the manifest may be on disk although writing it failed.
        let name = segment.manifest.name.unwrap_or_else(|| self.object_name(segment.lane));
        segment.manifest.name = Some(name);
        let mut manifest = segment.manifest.clone();
        let (bytes, checksum) = segment.sealed_facts();
        let (items, counted) = segment.before_damage.unwrap_or((segment.items, segment.counted));
        manifest.receipt = None;
        manifest.sealed.get_or_insert_with(|| Sealed {
            form: self.form(segment.lane),
            by: closing.by,
            items,
            counted,
            bytes,
            checksum,
            first_received: segment.first_received,
            last_received: segment.last_received,
            peers: segment.peer_names(),
        });
        if segment.before_damage.is_some() {
            let (items, counted) = (segment.items, segment.counted);
            manifest.salvaged = Some(Salvaged { items, counted, bytes, checksum });
        }
        manifest
    }

    /// The form of a lane's objects.
    pub(super) const fn form(&self, lane: Lane) -> Form {
        let form = self.options.form;
        match lane {
            Lane::Events => form,
            Lane::Quarantine | Lane::Logs => Form {
                format: Format::Ndjson,
                compression: Compression::None,
                pretty: false,
                date_folders: form.date_folders,
                manifest_object: false,
            },
        }
    }

    /// The number of the oldest sealed segment above `after`. Looks at files one by one and keeps
    /// no list.
    #[must_use]
    pub fn oldest(&self, lane: Lane, after: Option<u64>) -> Option<u64> {
        let end = self.lane(lane).next.load(Ordering::SeqCst);
        let mut number = after.map_or(0, |after| after.saturating_add(1));
        loop {
            number = guard(&self.ledger).totals(lane).retired.next_missing(number);
            if number >= end {
                return None;
            }
            if self.is_visible(lane, number) {
                return Some(number);
            }
            number += 1;
        }
    }

    fn is_visible(&self, lane: Lane, number: u64) -> bool {
        if guard(&self.lane(lane).hidden).contains(&number) {
            return false;
        }
        match self.disk.size(&self.paths.segment(lane, number, State::Sealed)) {
            Ok(size) => size.is_some(),
            Err(error) => {
                tracing::warn!(lane = lane.name(), number, %error, "a segment could not be looked at");
                false
            }
        }
    }

    /// Reads a segment's manifest.
    ///
    /// # Errors
    /// What the disk said; `InvalidData` if the file is no manifest.
    pub fn manifest(&self, lane: Lane, number: u64) -> io::Result<Manifest> {
        Manifest::load(&*self.disk, &self.paths.segment(lane, number, State::Meta))
    }

    /// Replaces a segment's manifest by the four steps.
    ///
    /// # Errors
    /// What the disk said; the old manifest is then still in place.
    pub fn store_manifest(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()> {
        manifest.store(&*self.disk, &self.paths.segment(lane, number, State::Meta))
    }

    /// Opens a sealed segment for reading from its start.
    ///
    /// # Errors
    /// What the disk said.
    pub fn read(&self, lane: Lane, number: u64) -> io::Result<DiskReader> {
        Ok(disk::reader(self.disk.open(&self.paths.segment(lane, number, State::Sealed))?))
    }

    /// Lets a segment go that the store has confirmed. May be repeated after an error.
    ///
    /// # Errors
    /// What the disk said.
    pub fn retire(&self, lane: Lane, number: u64) -> io::Result<()> {
        if !guard(&self.ledger).totals(lane).retired.contains(number) {
            let manifest = self.manifest(lane, number)?;
            let added = guard(&self.ledger).retire(lane, number, &manifest);
            self.lane(lane).used.fetch_add(added, Ordering::Relaxed);
            self.forget_bytes(lane, manifest.holds().2);
        }
        self.write_ledger()?;
        self.unlink(lane, number)
    }

    pub(super) fn forget_bytes(&self, lane: Lane, bytes: u64) {
        let used = &self.lane(lane).used;
        // The closure always gives a value, so there is no error to look at.
        let _ = used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |u| Some(u.saturating_sub(bytes)));
    }

    /// Removes the files of a segment that the ledger includes.
    pub(super) fn unlink(&self, lane: Lane, number: u64) -> io::Result<()> {
        disk::remove_if_there(&*self.disk, &self.paths.segment(lane, number, State::Sealed))?;
        self.disk.sync_dir(&self.paths.lane(lane))?;
        disk::remove_if_there(&*self.disk, &self.paths.segment(lane, number, State::Meta))
    }

    /// Sets a segment aside that cannot be handled; it stays counted as spooled.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_aside(&self, lane: Lane, number: u64, why: &str) -> io::Result<()> {
        let path = |state| self.paths.segment(lane, number, state);
        tracing::error!(
            lane = lane.name(),
            number,
            why,
            "a segment is set aside as .stuck; its events stay in the spool: report this, and rename it to .sealed to have it tried again"
        );
        self.disk.rename(&path(State::Sealed), &path(State::Stuck))?;
        self.disk.sync_dir(&self.paths.lane(lane))
    }
}
