//! What `replay` reads: local files, and objects of a store.
//!
//! The notes about a local file lie beside it. Those about an object lie in the folder where the
//! command is run, under a name that follows from the object's URL, so that two of one name in two
//! prefixes do not share them.

use super::lines::Lines;
use super::progress::Progress;
use crate::base::checksum::Checksum;
use crate::tools::stored::{Stored, is_url};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// One file or object.
#[derive(Debug)]
pub(super) struct Source {
    /// As a person finds it.
    pub name: String,
    /// Its lines.
    pub lines: Lines,
    /// What was sent of it.
    pub progress: Progress,
}

/// Opens everything that was named, in that order; of a prefix its objects in the order of their keys.
///
/// # Errors
/// The first thing that cannot be opened, by its name.
pub(super) fn open(named: &[String]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for name in named {
        if is_url(name) {
            open_url(name, &mut sources).with_context(|| name.clone())?;
        } else {
            sources.push(open_file(name).with_context(|| name.clone())?);
        }
    }
    Ok(sources)
}

fn open_file(name: &str) -> Result<Source> {
    let path = Path::new(name);
    let (lines, progress) = (Lines::open(path)?, Progress::open(path)?);
    Ok(Source { name: name.to_owned(), lines, progress })
}

fn open_url(url: &str, sources: &mut Vec<Source>) -> Result<()> {
    let stored = Stored::open(url)?;
    let mut keys = stored.keys()?;
    if url.ends_with('/') {
        // The probe of the store's conditions lies there too.
        keys.retain(|key| key.as_ref().ends_with(".ndjson"));
    }
    for key in keys {
        let name = stored.show(&key);
        let bytes = stored.fetch(&key).with_context(|| name.clone())?;
        let notes = notes(&name);
        let progress = Progress::open(&notes).with_context(|| notes.display().to_string())?;
        sources.push(Source { name, lines: Lines::of(bytes), progress });
    }
    Ok(())
}

/// `<last part of the key>-<checksum of the whole>`, in the current folder.
fn notes(name: &str) -> PathBuf {
    let last = name.rsplit('/').next().unwrap_or(name);
    PathBuf::from(format!("{last}-{}", Checksum::of(name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_one_name_in_two_prefixes_have_their_own_notes() {
        let [one, other] = ["s3://b/x/1.ndjson", "s3://b/y/1.ndjson"].map(notes);
        assert_ne!(one, other);
        assert!(one.to_string_lossy().starts_with("1.ndjson-"));
        assert_eq!(one.parent(), Some(Path::new("")));
    }
}
