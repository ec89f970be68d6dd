//! The ledger as anybody may ask for it, also of a spool that no process has open.

use super::{Ledger, PerLane};
use crate::base::disk::{self, Disk};
use crate::spool::manifest::Manifest;
use crate::spool::names::{self, Lane, Paths, State};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// A ledger file larger than this is not ours, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The ledger as anybody may ask for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Events, and rejected pieces.
    pub received: u64,
    /// Events in objects that the store has confirmed.
    pub delivered: u64,
    /// Rejected pieces in objects that the store has confirmed.
    pub quarantined: u64,
    /// Events and rejected pieces that are still in the spool.
    pub spooled: u64,
    /// Events and rejected pieces that the disk has lost after they were counted.
    pub damaged: u64,
    /// The stored totals were compared with the segments that are there.
    pub checked: bool,
}

impl Sums {
    /// Whether everything received is in exactly one place.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        self.received == self.delivered + self.quarantined + self.spooled + self.damaged
    }
}

/// The ledger of a spool that no process has open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The sums over all sealed segments.
    pub ledger: Sums,
    /// Files of segments that were not sealed; what is in them is counted at the next start.
    pub open_segments: u64,
    /// Their bytes, with headers.
    pub open_bytes: u64,
}

/// Reads the ledger from the files of a spool, without its lock: for a spool that no process has
/// open. Changes nothing.
///
/// # Errors
/// What the disk said; `InvalidData` or `Unsupported` if a file is not what it should be.
pub fn read_ledger(dir: &Path, disk: &dyn Disk) -> io::Result<Reading> {
    let paths = Paths::new(dir);
    let id = disk::read(disk, &paths.spool_id(), LIMIT)?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    let mut ledger = Ledger::parse(&id, &disk::read(disk, &paths.ledger(), LIMIT)?)?;
    let (mut open_segments, mut open_bytes) = (0, 0);
    for lane in Lane::ALL {
        let mut numbers = Vec::new();
        disk.names(&paths.lane(lane), &mut |name| numbers.extend(names::parse(name)))?;
        numbers.sort_unstable_by_key(|n| n.0);
        for (number, state) in numbers {
            match state {
                State::Open => {
                    open_segments += 1;
                    open_bytes += disk.size(&paths.segment(lane, number, state))?.unwrap_or(0);
                }
                State::Sealed | State::Stuck if !ledger.totals(lane).retired.contains(number) => {
                    let path = paths.segment(lane, number, State::Meta);
                    if let Some(manifest) = sealed_manifest(disk, &path)? {
                        ledger.check_one(lane, number, &manifest);
                    }
                }
                _ => {}
            }
        }
        ledger.check_end(lane);
    }
    Ok(Reading { ledger: ledger.sums(&PerLane::default()), open_segments, open_bytes })
}

/// The manifest of a segment that was sealed. One that is lost or cannot be read says of nothing
/// that it was counted: if it was, the sum does not balance.
fn sealed_manifest(disk: &dyn Disk, path: &Path) -> io::Result<Option<Manifest>> {
    match Manifest::load(disk, path) {
        Ok(manifest) => Ok(Some(manifest).filter(|manifest| manifest.sealed.is_some())),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
