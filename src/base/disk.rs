//! The disk behind one small trait, and the four steps that make a file appear whole or not at all.
//!
//! Trusted: a rename within one folder is atomic; what was synced survives a power cut; a folder
//! entry survives once the folder was synced. Not trusted: anything written and not yet synced.
//! Everything that lives in the spool goes through here, so that a test can put a disk underneath
//! that forgets what was not synced, or fails at the n-th call.

use jiff::Timestamp;
use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Room on the file system that holds a folder, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Size of the file system.
    pub total: u64,
    /// What an ordinary user may still write.
    pub available: u64,
}

/// Every disk call the spool makes.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a file for reading and writing, empty even if it was there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Renames within one folder, replacing what has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and its parents, if missing.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes renames, creations and removals in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Calls `each` with every file name in a folder, in no order, without keeping them.
    /// Names that are not UTF-8 come in their lossy form.
    fn names(&self, dir: &Path, each: &mut dyn FnMut(&str)) -> io::Result<()>;
    /// The size of a file in bytes, or `None` if there is none.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;
    /// When a file was last written, by the wall clock; `None` if there is no such file.
    fn modified(&self, path: &Path) -> io::Result<Option<Timestamp>>;
    /// The room on the file system that holds `dir`.
    fn room(&self, dir: &Path) -> io::Result<Room>;
    /// Locks a file against other processes until the value is dropped.
    ///
    /// # Errors
    /// `WouldBlock` if somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;
}

/// An open file of a [`Disk`].
#[allow(clippy::len_without_is_empty, reason = "nobody asks an open segment whether it is empty")]
pub trait DiskFile: Debug + Send + Sync {
    /// Writes at an offset; may write less than asked.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Reads at an offset; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Makes the contents durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
}

/// The machine's own disk.
#[derive(Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(OsFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OsFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that renames")]
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that removes")]
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn names(&self, dir: &Path, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            each(&entry?.file_name().to_string_lossy());
        }
        Ok(())
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(facts) => Ok(Some(facts.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn modified(&self, path: &Path) -> io::Result<Option<Timestamp>> {
        match fs::metadata(path).and_then(|facts| facts.modified()) {
            Ok(time) => Timestamp::try_from(time).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn room(&self, dir: &Path) -> io::Result<Room> {
        let facts = rustix::fs::statvfs(dir)?;
        Ok(Room {
            total: facts.f_blocks.saturating_mul(facts.f_frsize),
            available: facts.f_bavail.saturating_mul(facts.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        Ok(Box::new(file))
    }
}

#[derive(Debug)]
struct OsFile(File);

#[cfg(unix)]
impl DiskFile for OsFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Writes all of `bytes` at `offset`.
///
/// # Errors
/// What the disk said; part of the bytes may then be in the file.
pub fn write_all_at(file: &dyn DiskFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a whole small file.
///
/// # Errors
/// What the disk said; `InvalidData` if the file is larger than `limit` bytes.
pub fn read(disk: &dyn Disk, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    if file.len()? > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is larger than allowed"));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut reader(file), &mut bytes)?;
    Ok(bytes)
}

/// Reads a file from its start, buffer by buffer.
pub fn reader(file: Box<dyn DiskFile>) -> DiskReader {
    DiskReader { file, offset: 0 }
}

/// A [`DiskFile`] read in order.
#[derive(Debug)]
pub struct DiskReader {
    file: Box<dyn DiskFile>,
    offset: u64,
}

impl io::Read for DiskReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// The four steps: write beside, sync, rename into place, sync the folder.
///
/// After a crash at any point the file at `path` is the old one or the new one, never a mixture.
/// The name beside it ends in `.tmp`; one that a crash left is litter.
///
/// # Errors
/// What the disk said; the old file is then still in place unless only the folder's sync failed.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(disk, path, bytes)?;
    disk.sync_dir(parent(path))
}

/// The first three of the four steps; gives back the file. Nothing is sure before the folder was
/// synced, which the caller does once for several files.
///
/// # Errors
/// What the disk said.
pub fn place(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn DiskFile>> {
    let beside = path.with_added_extension("tmp");
    let file = disk.create(&beside)?;
    write_all_at(&*file, 0, bytes)?;
    file.sync()?;
    disk.rename(&beside, path)?;
    Ok(file)
}

/// Removes a file that may be gone already.
///
/// # Errors
/// What the disk said, except that there is no such file.
pub fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The folder a path lies in.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
