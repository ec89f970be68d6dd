//! The calls of the simulated disk: each counts, and dies or fails where it was told to.

use super::{Change, Inode, SimDisk, name, refuse_full};
use jiff::Timestamp;
use std::any::Any;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use xml_stream_aggregator::base::disk::{Disk, DiskFile, Room, parent};

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.inner();
        refuse_full(inner.call()?)?;
        let number = match inner.find(path) {
            Some(number) => number,
            None => {
                inner.inodes.push(Inode::default());
                let number = inner.inodes.len() - 1;
                let folder = inner.folder(path)?;
                folder.names.insert(name(path), number);
                folder.pending.push(Change::Put(name(path), number));
                number
            }
        };
        inner.inodes[number].data.clear();
        inner.inodes[number].forgotten.clear();
        Ok(Box::new(SimFile { disk: self.clone(), number }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.call()?;
        let number = inner.find(path).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), number }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        assert_eq!(parent(from), parent(to), "a rename is promised within a folder only");
        let mut inner = self.inner();
        refuse_full(inner.call()?)?;
        let number = inner.find(from).ok_or(ErrorKind::NotFound)?;
        let folder = inner.folder(from)?;
        folder.names.remove(&name(from));
        folder.names.insert(name(to), number);
        // One step of the journal: never both names, never none.
        folder.pending.push(Change::Put(name(to), number));
        let both = folder.pending.len();
        folder.pending.insert(both, Change::Take(name(from)));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        inner.call()?;
        inner.find(path).ok_or(ErrorKind::NotFound)?;
        let folder = inner.folder(path)?;
        folder.names.remove(&name(path));
        folder.pending.push(Change::Take(name(path)));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        refuse_full(inner.call()?)?;
        for folder in path.ancestors() {
            inner.folders.entry(folder.to_owned()).or_default();
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        refuse_full(inner.call()?)?;
        let children: Vec<PathBuf> = inner
            .folders
            .keys()
            .filter(|f| parent(f) == path || f.parent().is_none())
            .cloned()
            .collect();
        inner.durable_folders.extend(children);
        let folder = inner.folders.get_mut(path).ok_or(ErrorKind::NotFound)?;
        folder.durable = folder.names.clone();
        folder.pending.clear();
        Ok(())
    }

    fn names(&self, dir: &Path, each: &mut dyn FnMut(&str)) -> io::Result<()> {
        let names: Vec<String> = {
            let mut inner = self.inner();
            inner.call()?;
            inner.folders.get(dir).ok_or(ErrorKind::NotFound)?.names.keys().cloned().collect()
        };
        names.iter().for_each(|name| each(name));
        Ok(())
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        let mut inner = self.inner();
        inner.call()?;
        Ok(inner.find(path).map(|number| inner.inodes[number].data.len() as u64))
    }

    fn modified(&self, path: &Path) -> io::Result<Option<Timestamp>> {
        let mut inner = self.inner();
        inner.call()?;
        Ok(inner.find(path).map(|_| "2026-03-04T05:06:08Z".parse().unwrap()))
    }

    fn room(&self, _dir: &Path) -> io::Result<Room> {
        let mut inner = self.inner();
        inner.call()?;
        let total = inner.capacity.unwrap_or(1 << 40);
        Ok(Room { total, available: total.saturating_sub(inner.used()) })
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut inner = self.inner();
        inner.call()?;
        if inner.locked {
            return Err(ErrorKind::WouldBlock.into());
        }
        inner.locked = true;
        Ok(Box::new(Unlock(self.clone())))
    }
}

#[derive(Debug)]
struct Unlock(SimDisk);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.inner().locked = false;
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    number: usize,
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        let full = inner.call()?;
        let room = inner.capacity.map_or(u64::MAX, |c| c.saturating_sub(inner.used()));
        let inode = &mut inner.inodes[self.number];
        let new = (offset + bytes.len() as u64).saturating_sub(inode.data.len() as u64);
        let taken = if full {
            bytes.len() / 2
        } else {
            bytes.len() - new.saturating_sub(room).min(bytes.len() as u64) as usize
        };
        if taken == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        let (start, end) = (offset as usize, offset as usize + taken);
        if inode.data.len() < end {
            inode.data.resize(end, 0);
        }
        inode.data[start..end].copy_from_slice(&bytes[..taken]);
        inode.forgotten.retain(|r| r.start < start || r.end > end);
        if full {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(taken)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.disk.inner();
        inner.call()?;
        let data = &inner.inodes[self.number].data;
        let rest = data.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let failed = inner.call().and_then(refuse_full);
        let dead = inner.dead;
        let inode = &mut inner.inodes[self.number];
        if let Err(error) = failed {
            if !dead && inode.data.len() > inode.durable.len() {
                inode.forgotten.push(inode.durable.len()..inode.data.len());
            }
            return Err(error);
        }
        inode.durable = inode.data.clone();
        for range in &inode.forgotten {
            let end = range.end.min(inode.durable.len());
            inode.durable[range.start.min(end)..end].fill(0);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut inner = self.disk.inner();
        inner.call()?;
        inner.inodes[self.number].data.resize(length as usize, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut inner = self.disk.inner();
        inner.call()?;
        Ok(inner.inodes[self.number].data.len() as u64)
    }
}
