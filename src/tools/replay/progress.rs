//! What was sent of a file, noted beside it as `<file>.replayed`: a checksum and a number a line.
//!
//! Only ever appended to. Not trusted: its last line, which a crash may have cut; a line that is
//! none of ours is passed over, so that record is sent again rather than never.

use super::lines::Line;
use crate::base::checksum::Checksum;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The notes of one file.
#[derive(Debug)]
pub struct Progress {
    sent: HashSet<(u64, u32)>,
    file: File,
}

impl Progress {
    /// Opens, or begins, the notes of a quarantine file.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn open(path: &Path) -> io::Result<Self> {
        let notes = beside(path);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&notes)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Self { sent: text.lines().filter_map(parse).collect(), file })
    }

    /// Whether this line was sent before.
    #[must_use]
    pub fn has(&self, line: &Line) -> bool {
        self.sent.contains(&(line.checksum.value(), line.occurrence))
    }

    /// This line was sent.
    ///
    /// # Errors
    /// It could not be noted.
    pub fn note(&mut self, line: &Line) -> io::Result<()> {
        self.file.write_all(format!("{} {}\n", line.checksum, line.occurrence).as_bytes())?;
        self.sent.insert((line.checksum.value(), line.occurrence));
        Ok(())
    }

    /// Makes the notes survive a power cut.
    ///
    /// # Errors
    /// What the disk said.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".replayed");
    PathBuf::from(name)
}

fn parse(line: &str) -> Option<(u64, u32)> {
    let (checksum, occurrence) = line.split_once(' ')?;
    Some((Checksum::parse(checksum).ok()?.value(), occurrence.parse().ok()?))
}
