//! The real disk with one bad file: whatever touches it fails until the disk is mended.

use jiff::Timestamp;
use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use xml_stream_aggregator::base::disk::{Disk, DiskFile, OsDisk, Room};

#[derive(Debug)]
pub struct BadSector {
    path: PathBuf,
    is_bad: AtomicBool,
}

impl BadSector {
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), is_bad: AtomicBool::new(true) }
    }

    pub fn mend(&self) {
        self.is_bad.store(false, Ordering::SeqCst);
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        if self.is_bad.load(Ordering::SeqCst) && path == self.path {
            return Err(io::Error::from_raw_os_error(5)); // EIO
        }
        Ok(())
    }
}

impl Disk for BadSector {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.touch(path)?;
        OsDisk.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.touch(path)?;
        OsDisk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.touch(from)?;
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_dir(path)
    }

    fn names(&self, dir: &Path, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        OsDisk.names(dir, each)
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        OsDisk.size(path)
    }

    fn modified(&self, path: &Path) -> io::Result<Option<Timestamp>> {
        OsDisk.modified(path)
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        OsDisk.room(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        OsDisk.lock(path)
    }
}
