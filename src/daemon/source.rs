//! The spool, as the uploads see it. They are written against a trait, so that a drill can put
//! another source underneath.

use crate::base::disk::DiskReader;
use crate::spool::manifest::Manifest;
use crate::spool::{Lane, Spool};
use crate::upload::Source;
use std::io;
use tokio::sync::watch;

impl Source for Spool {
    fn oldest(&self, lane: Lane, after: Option<u64>) -> Option<u64> {
        self.oldest(lane, after)
    }

    fn manifest(&self, lane: Lane, number: u64) -> io::Result<Manifest> {
        self.manifest(lane, number)
    }

    fn store_manifest(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()> {
        self.store_manifest(lane, number, manifest)
    }

    fn read(&self, lane: Lane, number: u64) -> io::Result<DiskReader> {
        self.read(lane, number)
    }

    fn retire(&self, lane: Lane, number: u64) -> io::Result<()> {
        self.retire(lane, number)
    }

    fn salvage(&self, lane: Lane, number: u64) -> io::Result<()> {
        self.salvage(lane, number).map(drop)
    }

    fn set_aside(&self, lane: Lane, number: u64, why: &str) -> io::Result<()> {
        self.set_aside(lane, number, why)
    }

    fn sealed_changes(&self) -> watch::Receiver<u64> {
        self.sealed_changes()
    }
}
