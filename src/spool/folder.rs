//! The spool's folder at start: made, locked, its identity and its ledger read.

use super::OpenError;
use super::ledger::Ledger;
use super::names::{self, Lane, Paths};
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

pub(super) fn spool_id(disk: &dyn Disk, paths: &Paths) -> Result<String, OpenError> {
    let path = paths.spool_id();
    match disk::read(disk, &path, 1024) {
        Ok(bytes) => {
            let id = String::from_utf8_lossy(&bytes).trim().to_owned();
            if id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Ok(id);
            }
            let what = "it must hold 16 hexadecimal digits: restore it from a manifest's identity";
            Err(unusable("reading", &path)(io::Error::new(io::ErrorKind::InvalidData, what)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = format!("{:016x}", rand::random::<u64>());
            disk::replace(disk, &path, format!("{id}\n").as_bytes())
                .map_err(unusable("writing", &path))?;
            Ok(id)
        }
        Err(error) => Err(unusable("reading", &path)(error)),
    }
}

/// Reads the ledger file. Where there is none, or one that cannot be read, the counting begins
/// anew with what is in the folders: nothing is lost but the history.
pub(super) fn load_ledger(disk: &dyn Disk, paths: &Paths, id: &str) -> Result<Ledger, OpenError> {
    let path = paths.ledger();
    let parsed = disk::read(disk, &path, 64 << 20).and_then(|bytes| Ledger::parse(id, &bytes));
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

fn rebuild(
    disk: &dyn Disk,
    paths: &Paths,
    id: &str,
    broken: Option<&io::Error>,
) -> Result<Ledger, OpenError> {
    let mut ledger = Ledger::new(id);
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
