//! The spool's folder at start: made, locked, its identity and its ledger read.

use super::ledger::Ledger;
use super::names::{self, Lane, Paths};
use super::{OpenError, reserve};
use crate::base::disk::{self, Disk};
use std::any::Any;
use std::io;
use std::path::Path;

pub(super) fn unusable(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Unusable { doing, path, source }
}

pub(super) fn make_folders(disk: &dyn Disk, paths: &Paths) -> Result<(), OpenError> {
    let folders = Lane::ALL.into_iter().map(|lane| paths.lane(lane)).chain([paths.damaged()]);
    for folder in folders {
        disk.create_dir(&folder).map_err(unusable("making the folder", &folder))?;
        // A rename that an earlier process could not make durable any more is durable now.
        disk.sync_dir(&folder).map_err(unusable("syncing the folder", &folder))?;
    }
    disk.sync_dir(paths.root()).map_err(unusable("syncing the folder", paths.root()))?;
    let above = disk::parent(paths.root());
    disk.sync_dir(above).map_err(unusable("syncing the folder", above))
}

pub(super) fn lock_folder(
    disk: &dyn Disk,
    paths: &Paths,
) -> Result<Box<dyn Any + Send + Sync>, OpenError> {
    disk.lock(&paths.lock()).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { dir: paths.root().to_owned() },
        _ => unusable("locking", &paths.lock())(error),
    })
}

/// The identity, if the spool has one.
pub(super) fn spool_id(disk: &dyn Disk, paths: &Paths) -> Result<Option<String>, OpenError> {
    let path = paths.spool_id();
    match disk::read(disk, &path, 1024) {
        Ok(bytes) => {
            let id = String::from_utf8_lossy(&bytes).trim().to_owned();
            if id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Ok(Some(id));
            }
            let what = "it must hold 16 hexadecimal digits: restore it from a manifest's identity";
            Err(unusable("reading", &path)(io::Error::new(io::ErrorKind::InvalidData, what)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable("reading", &path)(error)),
    }
}

/// A new identity. Where a full disk does not take it, the old one has to do.
fn new_spool_id(disk: &dyn Disk, paths: &Paths, old: Option<String>) -> Result<String, OpenError> {
    let id = format!("{:016x}", rand::random::<u64>());
    match (disk::replace(disk, &paths.spool_id(), format!("{id}\n").as_bytes()), old) {
        (Ok(()), _) => Ok(id),
        (Err(error), Some(old)) if reserve::is_full(&error) => Ok(old),
        (Err(error), _) => Err(unusable("writing", &paths.spool_id())(error)),
    }
}

/// Reads the ledger file. Where there is none, or one that cannot be read, the counting begins
/// anew with what is in the folders: nothing is lost but the history.
pub(super) fn load_ledger(
    disk: &dyn Disk,
    paths: &Paths,
    id: Option<String>,
) -> Result<Ledger, OpenError> {
    let path = paths.ledger();
    let parse = |bytes: Vec<u8>| Ledger::parse(id.as_deref().unwrap_or_default(), &bytes);
    let parsed = disk::read(disk, &path, 64 << 20).and_then(parse);
    match parsed {
        Ok(ledger) => Ok(ledger),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Err(OpenError::Newer { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => rebuild(disk, paths, id, None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            rebuild(disk, paths, id, Some(&error))
        }
        Err(error) => Err(unusable("reading", &path)(error)),
    }
}

/// A ledger of what is in the folders. With the old one the last numbers are lost: what is given
/// out from now on belongs to a new identity, so that no segment is called like an earlier one.
fn rebuild(
    disk: &dyn Disk,
    paths: &Paths,
    old: Option<String>,
    broken: Option<&io::Error>,
) -> Result<Ledger, OpenError> {
    let mut ledger = Ledger::new(&new_spool_id(disk, paths, old)?);
    let mut found = false;
    for lane in Lane::ALL {
        let (mut smallest, mut largest) = (u64::MAX, 0);
        let folder = paths.lane(lane);
        disk.names(&folder, &mut |name| {
            if let Some((number, _)) = names::parse(name) {
                smallest = smallest.min(number);
                largest = largest.max(number);
            }
        })
        .map_err(unusable("listing", &folder))?;
        found |= largest > 0;
        ledger.reserve(lane, largest);
        ledger.burn(lane, 0, smallest.min(largest + 1).saturating_sub(1));
    }
    if let Some(error) = broken {
        let aside = paths.root().join("ledger.broken");
        disk.rename(&paths.ledger(), &aside).map_err(unusable("renaming", &paths.ledger()))?;
        tracing::error!(%error, kept = %aside.display(), "the ledger file could not be read: nothing is lost, but its counts begin anew");
    } else if found {
        tracing::error!("the ledger file is missing: nothing is lost, but its counts begin anew");
    }
    Ok(ledger)
}
