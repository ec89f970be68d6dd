//! A file that is written beside the one it will replace, with its length and checksum.

use super::{Whole, each_part};
use crate::base::checksum::Running;
use crate::base::disk::{self, Disk, DiskFile};
use crate::spool::manifest::Salvaged;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A file that is written beside the one it will replace.
#[derive(Debug)]
pub(super) struct Copy {
    file: Box<dyn DiskFile>,
    length: u64,
    running: Running,
}

impl Copy {
    pub(super) fn begin(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.create(&path.with_added_extension("tmp"))?;
        Ok(Self { file, length: 0, running: Running::default() })
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        disk::write_all_at(&*self.file, self.length, bytes)?;
        self.running.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn range(&mut self, source: &dyn DiskFile, range: &Range<u64>) -> io::Result<()> {
        each_part(source, range, &mut |part| self.bytes(part))
    }

    pub(super) fn salvaged(&self, whole: &Whole) -> Salvaged {
        Salvaged {
            items: whole.items,
            counted: whole.counted,
            bytes: self.length,
            checksum: self.running.value(),
        }
    }

    /// Sync and rename; the folder is the caller's to sync.
    pub(super) fn place(
        self,
        disk: &dyn Disk,
        path: &Path,
    ) -> io::Result<(Arc<dyn DiskFile>, u64, Running)> {
        self.file.sync()?;
        disk.rename(&path.with_added_extension("tmp"), path)?;
        Ok((Arc::from(self.file), self.length, self.running))
    }
}
