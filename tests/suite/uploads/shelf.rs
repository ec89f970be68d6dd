//! A spool in memory: the uploader's [`Source`] with everything in sight.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use xml_stream_aggregator::base::checksum::Checksum;
use xml_stream_aggregator::base::disk::{DiskFile, DiskReader, reader};
use xml_stream_aggregator::spool::Lane;
use xml_stream_aggregator::spool::manifest::{Form, Manifest, Name, Sealed, SealedBy};
use xml_stream_aggregator::upload::Source;

/// The second in which every segment here was sealed.
pub const SEALED_AT: &str = "2026-03-01T04:05:06Z";

#[derive(Clone)]
pub struct Slot {
    pub manifest: Manifest,
    /// What the disk holds.
    pub file: Vec<u8>,
    /// What was sealed; salvaging brings it back.
    pub good: Vec<u8>,
}

pub struct Shelf {
    pub id: &'static str,
    pub slots: Mutex<BTreeMap<(Lane, u64), Slot>>,
    /// What was done, in order: `retire events 1`, …
    pub log: Mutex<Vec<String>>,
    /// Errors that the next calls of a kind meet.
    pub failing: Mutex<Vec<&'static str>>,
    sealed: watch::Sender<u64>,
}

impl Shelf {
    pub fn new(id: &'static str) -> Arc<Self> {
        Arc::new(Self {
            id,
            slots: Mutex::default(),
            log: Mutex::default(),
            failing: Mutex::default(),
            sealed: watch::Sender::new(0),
        })
    }

    /// Seals a segment in second [`SEALED_AT`] plus `number`.
    pub fn seal(&self, lane: Lane, number: u64, file: &[u8]) {
        self.seal_at(lane, number, number, file, Form::default());
    }

    pub fn seal_at(&self, lane: Lane, number: u64, second: u64, file: &[u8], form: Form) {
        let now: Timestamp = SEALED_AT.parse().unwrap();
        let sealed_at = now + jiff::Span::new().seconds(i64::try_from(second).unwrap());
        let identity = format!("{}-{}-{number:012}", self.id, lane.name());
        let sealed = Sealed {
            form,
            by: SealedBy::Time,
            items: 1,
            counted: 1,
            bytes: file.len() as u64,
            checksum: Checksum::of(file),
            first_received: now,
            last_received: now,
            peers: vec!["192.0.2.1".into()],
        };
        let manifest: Manifest = serde_json::from_value(serde_json::json!({
            "version": 1, "identity": identity, "element": "EVENT", "opened_at": now,
            "sealed": sealed, "name": Name { sealed_at, suffix: 0, with_identity: false },
        }))
        .unwrap();
        let slot = Slot { manifest, file: file.to_vec(), good: file.to_vec() };
        self.slots.lock().unwrap().insert((lane, number), slot);
        self.sealed.send_modify(|count| *count += 1);
    }

    pub fn damage(&self, lane: Lane, number: u64) {
        self.slots.lock().unwrap().get_mut(&(lane, number)).unwrap().file[0] ^= 1;
    }

    pub fn manifest_of(&self, lane: Lane, number: u64) -> Option<Manifest> {
        Some(self.slots.lock().unwrap().get(&(lane, number))?.manifest.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.slots.lock().unwrap().is_empty()
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn note(&self, what: &str, lane: Lane, number: u64) -> io::Result<()> {
        self.log.lock().unwrap().push(format!("{what} {} {number}", lane.name()));
        let mut failing = self.failing.lock().unwrap();
        match failing.iter().position(|kind| *kind == what) {
            Some(place) => {
                failing.remove(place);
                Err(io::Error::other("the disk failed on purpose"))
            }
            None => Ok(()),
        }
    }
}

impl Source for Shelf {
    fn oldest(&self, lane: Lane, after: Option<u64>) -> Option<u64> {
        let first = after.map_or(0, |number| number + 1);
        let slots = self.slots.lock().unwrap();
        let next = slots.range((lane, first)..=(lane, u64::MAX)).next()?;
        Some(next.0.1)
    }

    fn manifest(&self, lane: Lane, number: u64) -> io::Result<Manifest> {
        self.manifest_of(lane, number).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn store_manifest(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()> {
        self.note("manifest", lane, number)?;
        self.slots.lock().unwrap().get_mut(&(lane, number)).unwrap().manifest = manifest.clone();
        Ok(())
    }

    fn read(&self, lane: Lane, number: u64) -> io::Result<DiskReader> {
        let file = self.slots.lock().unwrap()[&(lane, number)].file.clone();
        Ok(reader(Box::new(Memory(file))))
    }

    fn retire(&self, lane: Lane, number: u64) -> io::Result<()> {
        self.note("retire", lane, number)?;
        self.slots.lock().unwrap().remove(&(lane, number)).unwrap();
        Ok(())
    }

    fn salvage(&self, lane: Lane, number: u64) -> io::Result<()> {
        self.note("salvage", lane, number)?;
        let mut slots = self.slots.lock().unwrap();
        let slot = slots.get_mut(&(lane, number)).unwrap();
        slot.file = slot.good.clone();
        Ok(())
    }

    fn set_aside(&self, lane: Lane, number: u64, _why: &str) -> io::Result<()> {
        self.note("stuck", lane, number)?;
        self.slots.lock().unwrap().remove(&(lane, number)).unwrap();
        Ok(())
    }

    fn sealed_changes(&self) -> watch::Receiver<u64> {
        self.sealed.subscribe()
    }
}

#[derive(Debug)]
struct Memory(Vec<u8>);

impl DiskFile for Memory {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}
