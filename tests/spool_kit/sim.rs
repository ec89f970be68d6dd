//! A disk in memory that forgets what was not synced.
//!
//! Contents are durable after a sync of the file, names after a sync of the folder. At a power cut
//! of what was not synced some is kept, some is lost, some comes back as zeros, by the seed; folder
//! changes are kept up to some point, as a journal does. It dies or fails at the n-th call. A
//! failed sync is reported once; a second one succeeds and writes nothing, as on Linux.

#[path = "sim/calls.rs"] // this file is also included by its path
mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use xml_stream_aggregator::base::disk::parent;

/// What happens at the n-th call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call and all later ones do nothing: the process has ended.
    Crash,
    /// This call fails with an I/O error.
    Broken,
    /// This call finds the disk full; a write has written half.
    Full,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes whose sync failed: no later sync writes them.
    forgotten: Vec<Range<usize>>,
}

#[derive(Debug, Clone)]
enum Change {
    Put(String, usize),
    Take(String),
}

#[derive(Debug, Default, Clone)]
struct Folder {
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Change>,
}

#[derive(Debug, Default)]
struct Inner {
    inodes: Vec<Inode>,
    folders: BTreeMap<PathBuf, Folder>,
    durable_folders: BTreeSet<PathBuf>,
    calls: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
    locked: bool,
    capacity: Option<u64>,
}

#[derive(Debug, Default, Clone)]
pub struct SimDisk(Arc<Mutex<Inner>>);

/// A small generator; the same seed gives the same run.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

fn gone() -> io::Error {
    io::Error::other("the process has ended")
}

impl Inner {
    /// Counts a call; `Ok(true)` means a full disk.
    fn call(&mut self) -> io::Result<bool> {
        if self.dead {
            return Err(gone());
        }
        self.calls += 1;
        match self.fault {
            Some((at, Fault::Crash)) if at == self.calls => {
                self.dead = true;
                Err(gone())
            }
            Some((at, Fault::Broken)) if at == self.calls => Err(io::Error::from_raw_os_error(5)),
            Some((at, Fault::Full)) if at == self.calls => Ok(true),
            _ => Ok(false),
        }
    }

    fn used(&self) -> u64 {
        let live: BTreeSet<usize> =
            self.folders.values().flat_map(|f| f.names.values().copied()).collect();
        live.iter().map(|i| self.inodes[*i].data.len() as u64).sum()
    }

    fn find(&self, path: &Path) -> Option<usize> {
        self.folders.get(parent(path))?.names.get(&name(path)).copied()
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(parent(path)).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn refuse_full(full: bool) -> io::Result<()> {
    if full { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
}

impl SimDisk {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Has the n-th call from now go wrong.
    pub fn fail_at(&self, calls_from_now: u64, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.calls + calls_from_now, fault));
    }

    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    pub fn is_dead(&self) -> bool {
        self.inner().dead
    }

    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner().capacity = bytes;
    }

    /// The process ended, the machine did not: everything written is there.
    pub fn after_kill(&self) -> Self {
        let mut inner = std::mem::take(&mut *self.inner());
        (inner.dead, inner.locked, inner.fault) = (false, false, None);
        self.inner().dead = true;
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The power was cut.
    pub fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let next = self.after_kill();
        {
            let mut inner = next.inner();
            let durable = inner.durable_folders.clone();
            inner.folders.retain(|path, _| durable.contains(path));
            for folder in inner.folders.values_mut() {
                let kept = dice.roll(folder.pending.len() as u64 + 1) as usize;
                let mut names = folder.durable.clone();
                for change in folder.pending.drain(..).take(kept) {
                    apply(&mut names, change);
                }
                folder.names = names.clone();
                folder.durable = names;
            }
            for inode in &mut inner.inodes {
                inode.data = remains(inode, dice);
                inode.durable = inode.data.clone();
                inode.forgotten.clear();
            }
        }
        next
    }

    /// Whether a power cut would leave a file under this name with these contents.
    pub fn is_durable(&self, path: &Path) -> bool {
        let inner = self.inner();
        let Some(folder) = inner.folders.get(parent(path)) else { return false };
        let (now, durable) = (folder.names.get(&name(path)), folder.durable.get(&name(path)));
        now.is_some_and(|inode| {
            let file = &inner.inodes[*inode];
            durable == now && file.durable == file.data
        })
    }

    /// All files below a folder with their contents.
    pub fn files(&self, folder: &Path) -> Vec<(String, Vec<u8>)> {
        let inner = self.inner();
        let Some(found) = inner.folders.get(folder) else { return Vec::new() };
        found.names.iter().map(|(n, i)| (n.clone(), inner.inodes[*i].data.clone())).collect()
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: Change) {
    match change {
        Change::Put(name, inode) => drop(names.insert(name, inode)),
        Change::Take(name) => drop(names.remove(&name)),
    }
}

/// What a power cut leaves of a file.
fn remains(inode: &Inode, dice: &mut Dice) -> Vec<u8> {
    let (durable, data) = (&inode.durable, &inode.data);
    let synced = durable.len().min(data.len());
    if durable[..synced] != data[..synced] {
        // Rewritten in place and not synced: only the old or the new contents are promised here.
        return if dice.roll(2) == 0 { durable.clone() } else { data.clone() };
    }
    let more = data.len() - synced;
    let mut left = data.clone();
    match dice.roll(4) {
        0 => durable.clone(),
        1 => {
            left.truncate(synced + dice.roll(more as u64 + 1) as usize);
            left
        }
        2 => {
            let from = synced + dice.roll(more as u64 + 1) as usize;
            left[from..].fill(0);
            left
        }
        _ => {
            for range in &inode.forgotten {
                let end = range.end.min(left.len());
                left[range.start.min(end)..end].fill(0);
            }
            left
        }
    }
}
