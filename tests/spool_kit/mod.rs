//! What the spool's tests share: a clock that is moved by hand, a spool in its own folder.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod bad;
pub mod sim;

use jiff::{SignedDuration, Timestamp};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xml_stream_aggregator::base::clock::Clock;
use xml_stream_aggregator::base::disk::OsDisk;
use xml_stream_aggregator::event::ElementName;
use xml_stream_aggregator::spool::manifest::{Form, Sealed};
use xml_stream_aggregator::spool::{Batch, Blocked, Lane, Options, Recoverer, Spool};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct HandClock(Mutex<(Timestamp, Duration)>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Mutex::new(("2026-03-04T05:06:07.5Z".parse().unwrap(), Duration::from_secs(5))))
    }
}

impl HandClock {
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        now.0 += SignedDuration::try_from(by).unwrap();
        now.1 += by;
    }

    /// Sets the wall clock alone, also backwards.
    pub fn jump(&self, seconds: i64) {
        self.0.lock().unwrap().0 += SignedDuration::from_secs(seconds);
    }
}

impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// Generous settings; a test narrows the one it is about.
pub fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_owned(),
        sync_interval: Duration::from_secs(1),
        rotation_interval: Duration::from_secs(3600),
        max_file_size: 1 << 20,
        max_spool_size: 1 << 30,
        reserve: 64 * 1024,
        element: ElementName::default(),
        form: Form::default(),
        recoverer: Arc::new(PlainRecoverer),
    }
}

/// Stands for the framer and the validator: an event is `<EVENT>`, letters and digits, `</EVENT>`.
#[derive(Debug)]
pub struct PlainRecoverer;

impl Recoverer for PlainRecoverer {
    fn events(
        &self,
        element: &ElementName,
        input: &mut dyn Read,
        _length: u64,
        each: &mut dyn FnMut(Range<u64>),
    ) -> io::Result<()> {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], start.as_bytes()) {
            let first = at + found;
            let text = first + start.len();
            let length = bytes[text..].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
            at = text + length;
            if bytes[at..].starts_with(end.as_bytes()) {
                at += end.len();
                each(first as u64..at as u64);
            }
        }
        Ok(())
    }
}

/// Panics at an event that says so.
#[derive(Debug)]
pub struct PanickingRecoverer;

impl Recoverer for PanickingRecoverer {
    fn events(
        &self,
        element: &ElementName,
        input: &mut dyn Read,
        length: u64,
        each: &mut dyn FnMut(Range<u64>),
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes)?;
        assert!(find(&bytes, b"boom").is_none(), "asked to panic");
        PlainRecoverer.events(element, &mut bytes.as_slice(), length, each)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|w| w == what)
}

/// A spool on the real disk, in a folder of its own.
pub struct Rig {
    pub dir: tempfile::TempDir,
    pub clock: Arc<HandClock>,
    pub options: Options,
}

impl Rig {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        Self { dir, clock: Arc::default(), options }
    }

    pub fn open(&self) -> Arc<Spool> {
        Spool::open(self.options.clone(), Arc::new(OsDisk), self.clock.clone()).unwrap()
    }

    pub fn files(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn segments(&self, spool: &Spool, lane: Lane) -> Vec<Sealed> {
        let (mut after, mut found) = (None, Vec::new());
        while let Some(number) = spool.oldest(lane, after) {
            found.push(spool.manifest(lane, number).unwrap().sealed.unwrap());
            after = Some(number);
        }
        found
    }
}

/// Appends events from one peer.
pub fn push(spool: &Spool, events: &[&str]) -> Result<(), Blocked> {
    let mut batch = Batch { peer: Some("10.0.0.1".parse().unwrap()), ..Batch::default() };
    for event in events {
        batch.push(event.as_bytes(), true);
    }
    spool.append(Lane::Events, &mut batch)
}
