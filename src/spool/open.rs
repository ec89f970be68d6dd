//! An open segment: a file that grows, and what is known about it so far.
//!
//! Its manifest and its header are durable before the first item is written. Items are written
//! whole, one write for as many as fit. Trusted: `length`, the bytes that were written without
//! error. Not trusted: what the file holds behind it after a failed write; it is cut off before
//! anything else happens to the file.

use super::Batch;
use super::manifest::{Manifest, Receipt};
use super::names::{Lane, Paths, State};
use crate::base::checksum::{Checksum, Running};
use crate::base::disk::{self, Disk, DiskFile};
use crate::event::{FOOTER, HEADER};
use jiff::Timestamp;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Peers that a manifest names.
const MAX_PEERS: usize = 100;

/// First bytes of a lane's files.
pub(super) const fn header(lane: Lane) -> &'static [u8] {
    match lane {
        Lane::Events => HEADER,
        Lane::Quarantine | Lane::Logs => b"",
    }
}

/// Last bytes of a lane's sealed files.
pub(super) const fn footer(lane: Lane) -> &'static [u8] {
    match lane {
        Lane::Events => FOOTER,
        Lane::Quarantine | Lane::Logs => b"",
    }
}

/// When it is now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub wall: Timestamp,
    pub monotonic: Duration,
}

/// A file, the good bytes in it, and their checksum.
pub(super) type Contents = (Arc<dyn DiskFile>, u64, Running);

#[derive(Debug)]
pub(super) struct OpenSegment {
    pub lane: Lane,
    pub number: u64,
    pub file: Arc<dyn DiskFile>,
    pub manifest: Manifest,
    /// Bytes written without error, header included.
    pub length: u64,
    pub items: u64,
    pub counted: u64,
    /// Of the bytes up to `length`.
    pub running: Running,
    pub first_received: Timestamp,
    pub last_received: Timestamp,
    /// When the first item came, by the monotonic clock.
    pub opened: Duration,
    /// Something was written since the last sync began.
    pub unsynced: bool,
    /// A peer came that the manifest on disk does not name.
    pub peers_changed: bool,
    /// Items and counted items before the disk lost some of them.
    pub before_damage: Option<(u64, u64)>,
    peers: Vec<IpAddr>,
    more_peers: bool,
    /// The file may hold bytes behind `length`.
    torn: bool,
}

impl OpenSegment {
    /// Makes the files of a segment, durable before this returns.
    ///
    /// The manifest comes first: alone it is litter, while a file without it would not say what
    /// it is.
    pub fn create(
        disk: &dyn Disk,
        paths: &Paths,
        lane: Lane,
        number: u64,
        mut manifest: Manifest,
        first: (Timestamp, Option<IpAddr>),
        now: Now,
    ) -> io::Result<Self> {
        let peers: Vec<IpAddr> = first.1.into_iter().collect();
        let names = peers.iter().map(ToString::to_string).collect();
        manifest.receipt = Some(Receipt { first_received: first.0, peers: names });
        disk::place(disk, &paths.segment(lane, number, State::Meta), &manifest.to_bytes()?)?;
        let file = disk::place(disk, &paths.segment(lane, number, State::Open), header(lane))?;
        disk.sync_dir(&paths.lane(lane))?;
        let mut running = Running::default();
        running.update(header(lane));
        Ok(Self {
            lane,
            number,
            file: Arc::from(file),
            manifest,
            length: header(lane).len() as u64,
            items: 0,
            counted: 0,
            running,
            first_received: first.0,
            last_received: first.0,
            opened: now.monotonic,
            unsynced: false,
            peers_changed: false,
            before_damage: None,
            peers,
            more_peers: false,
            torn: false,
        })
    }

    /// Goes on with a file that an earlier process left; what lies behind its whole items is cut
    /// off before the footer is written.
    pub fn recovered(
        lane: Lane,
        number: u64,
        manifest: Manifest,
        (file, length, running): Contents,
        (items, counted): (u64, u64),
        written: Timestamp,
    ) -> Self {
        let first_received =
            manifest.receipt.as_ref().map_or(manifest.opened_at, |r| r.first_received);
        let named = manifest.receipt.as_ref().map(|r| r.peers.as_slice()).unwrap_or_default();
        let peers: Vec<IpAddr> = named.iter().filter_map(|name| name.parse().ok()).collect();
        Self {
            lane,
            number,
            file,
            length,
            items,
            counted,
            running,
            first_received,
            last_received: written.max(first_received),
            opened: Duration::ZERO,
            unsynced: true,
            peers_changed: false,
            before_damage: manifest.sealed.as_ref().map(|s| (s.items, s.counted)),
            more_peers: peers.len() < named.len(),
            peers,
            torn: true,
            manifest,
        }
    }

    /// Writes the items of a batch that fit, and takes them from it. Gives back how many bytes
    /// that were; 0 means that the segment is full.
    ///
    /// An item that fits into no segment is written into one that is empty.
    ///
    /// # Errors
    /// What the disk said; nothing was taken from the batch then.
    pub fn write(&mut self, batch: &mut Batch, max_file_size: u64, now: Now) -> io::Result<u64> {
        self.cut()?;
        let used = self.length + footer(self.lane).len() as u64;
        let (taken, start, end) = fitting(batch, max_file_size.saturating_sub(used), self.items);
        let bytes = batch.bytes.get(start..end).unwrap_or_default();
        if taken == 0 {
            return Ok(0);
        }
        self.write_whole(bytes)?;
        self.note(batch, taken, now);
        batch.next += taken;
        Ok((end - start) as u64)
    }

    fn write_whole(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = disk::write_all_at(&*self.file, self.length, bytes) {
            self.torn = true;
            if let Err(second) = self.cut() {
                tracing::warn!(error = %second, "a torn write could not be cut off yet");
            }
            return Err(error);
        }
        self.running.update(bytes);
        self.length += bytes.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    fn note(&mut self, batch: &Batch, taken: usize, now: Now) {
        let items = batch.items.iter().skip(batch.next).take(taken);
        self.counted += items.filter(|item| item.counted).count() as u64;
        if self.items == 0 {
            self.opened = now.monotonic;
        }
        self.items += taken as u64;
        let received_at = batch.received_at.unwrap_or(now.wall);
        self.first_received = self.first_received.min(received_at);
        self.last_received = self.last_received.max(received_at);
        if let Some(peer) = batch.peer {
            self.note_peer(peer);
        }
    }

    fn note_peer(&mut self, peer: IpAddr) {
        if self.peers.contains(&peer) || self.more_peers {
            return;
        }
        self.peers_changed = true;
        if self.peers.len() < MAX_PEERS {
            self.peers.push(peer);
        } else {
            self.more_peers = true;
        }
    }

    /// The peers as a manifest names them.
    pub fn peer_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.peers.iter().map(ToString::to_string).collect();
        if self.more_peers {
            names.push("…".to_owned());
        }
        names
    }

    /// The manifest with what is known about the receipt by now.
    pub fn open_manifest(&self) -> Manifest {
        let mut manifest = self.manifest.clone();
        manifest.receipt =
            Some(Receipt { first_received: self.first_received, peers: self.peer_names() });
        manifest
    }

    /// Cuts off what a failed write may have left.
    pub fn cut(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes the footer. May be repeated.
    pub fn write_footer(&mut self) -> io::Result<()> {
        self.cut()?;
        self.torn = true; // until the segment is sealed, the footer is not part of it
        disk::write_all_at(&*self.file, self.length, footer(self.lane))
    }

    /// Length and checksum of the sealed file.
    pub fn sealed_facts(&self) -> (u64, Checksum) {
        let mut running = self.running.clone();
        running.update(footer(self.lane));
        (self.length + footer(self.lane).len() as u64, running.value())
    }
}

/// How many items of a batch fit into `room` bytes, and where their bytes lie.
fn fitting(batch: &Batch, room: u64, items_before: u64) -> (usize, usize, usize) {
    let end_of = |index: usize| batch.items.get(index).map_or(0, |item| item.end as usize);
    let start = batch.next.checked_sub(1).map_or(0, end_of);
    let rest = batch.items.get(batch.next..).unwrap_or_default();
    let mut taken = rest.partition_point(|i| u64::from(i.end).saturating_sub(start as u64) <= room);
    if taken == 0 && items_before == 0 && !rest.is_empty() {
        taken = 1;
    }
    let end = if taken == 0 { start } else { end_of(batch.next + taken - 1) };
    (taken, start, end)
}
