//! `inspect --follow`: each object that appears below a prefix, once, as it lands.
//!
//! The prefix is listed again and again; what was there at the first look is not shown, and what
//! was seen is remembered by its key (some 100 bytes each). Objects are never rewritten, so a key
//! is enough. A store that does not answer is said once and asked again, and so is an object that
//! could not be fetched: following ends only with the process.

use super::records::Content;
use super::{Args, show_one, tell};
use crate::tools::stored::Stored;
use object_store::path::Path;
use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

/// Shows what appears. Returns false if the URL cannot be followed; else it goes on until the
/// process is stopped.
///
/// # Errors
/// The output could not be written.
pub(super) fn follow(args: &Args, url: &str, out: &mut impl Write) -> io::Result<bool> {
    // A prefix is meant, with or without its slash.
    let url = format!("{}/", url.trim_end_matches('/'));
    let mut follower = match Stored::open(&url) {
        Ok(stored) => Follower { stored, seen: None, missed: HashSet::new(), troubled: false },
        Err(fault) => return tell(&url, &fault, out).map(|()| false),
    };
    loop {
        for key in follower.look(&url, out)? {
            follower.show(args, &key, out)?;
        }
        out.flush()?;
        std::thread::sleep(Duration::from_secs(args.every));
    }
}

struct Follower {
    stored: Stored,
    /// `None` before the first look.
    seen: Option<HashSet<Path>>,
    /// Could not be fetched yet, which was said.
    missed: HashSet<Path>,
    /// The last look failed.
    troubled: bool,
}

impl Follower {
    /// The keys that are new since the last look.
    fn look(&mut self, url: &str, out: &mut impl Write) -> io::Result<Vec<Path>> {
        match self.stored.keys() {
            Ok(keys) => {
                self.troubled = false;
                Ok(self.new_among(url, keys))
            }
            Err(_) if self.troubled => Ok(Vec::new()),
            Err(fault) => {
                self.troubled = true;
                tell(url, &fault.context("is asked again"), out)?;
                Ok(Vec::new())
            }
        }
    }

    /// Shows an object. One that cannot be fetched counts as new again at the next look.
    fn show(&mut self, args: &Args, key: &Path, out: &mut impl Write) -> io::Result<()> {
        let name = self.stored.show(key);
        match self.stored.fetch(key) {
            Ok(bytes) => {
                self.missed.remove(key);
                show_one(args, &name, || Ok(Content::Bytes(bytes)), out).map(|_| ())
            }
            Err(fault) => {
                if let Some(seen) = &mut self.seen {
                    seen.remove(key);
                }
                if !self.missed.insert(key.clone()) {
                    return Ok(());
                }
                tell(&name, &fault.context("is asked for again"), out)
            }
        }
    }

    fn new_among(&mut self, url: &str, keys: Vec<Path>) -> Vec<Path> {
        match &mut self.seen {
            Some(seen) => keys.into_iter().filter(|key| seen.insert(key.clone())).collect(),
            None => {
                eprintln!("following {url}: {} objects are there already", keys.len());
                self.seen = Some(keys.into_iter().collect());
                Vec::new()
            }
        }
    }
}
