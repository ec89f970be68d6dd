//! `ledger --audit`: the ledger beside the store's own word, one HEAD per object.
//!
//! Counted are objects whose metadata says that they are of this spool. The ledger is read after
//! the last answer, so that what lands meanwhile cannot look like too much. Fewer events than the
//! ledger says are *unknown*: the consumer may have removed objects. More, or one segment in two
//! objects, is an error. A quarantine object says how many of its records count (copies of repaired
//! events and all but the last part of a large piece do not); one written before it did so makes
//! the pieces inexact, and only fewer records are then worth a word. Refused: a local folder, whose
//! files carry no metadata.

use crate::admin::status::Ledger;
use crate::base::disk::{self, OsDisk};
use crate::config::Settings;
use crate::daemon::options;
use crate::spool::Lane;
use crate::spool::names::Paths;
use crate::upload::answer::{Verdict, verdict};
use crate::upload::destination::{Destination, Place};
use crate::upload::key::{COUNTED, ITEMS, SEGMENT};
use crate::upload::plan::Kind;
use anyhow::{Context, Result, anyhow, ensure};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions};
use serde::Serialize;
use std::collections::HashSet;
use std::time::Duration;

/// HEADs side by side.
const WIDTH: usize = 16;
/// A HEAD that takes longer is an error.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest spool id, in bytes.
const ID_LIMIT: u64 = 1024;

/// What the store says.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Audit {
    /// Events in our event objects.
    pub events: u64,
    /// Our event objects.
    pub event_objects: u64,
    /// Records in our quarantine objects, with copies and parts.
    pub records: u64,
    /// Rejected pieces in our quarantine objects, as the ledger counts them.
    pub pieces: u64,
    /// Our quarantine objects that do not say how many of their records count.
    pub uncounted_objects: u64,
    /// Our quarantine objects.
    pub quarantine_objects: u64,
    /// Objects under the two prefixes that are not of this spool.
    pub others: u64,
    /// Segments that are in more than one object.
    pub doubled: Vec<String>,
}

/// The same, beside the ledger.
#[derive(Debug, Serialize)]
pub(super) struct Compared<'a> {
    #[serde(flatten)]
    audit: &'a Audit,
    /// Events that were delivered and are not in the store.
    unknown_events: u64,
    /// The same for rejected pieces; at least so many while there are uncounted objects.
    unknown_pieces: u64,
    /// What is wrong, in words.
    faults: Vec<String>,
}

/// Asks the store.
///
/// # Errors
/// The spool has no id, the destination cannot be used, or the store did not answer.
pub(super) fn audit(settings: &Settings) -> Result<Audit> {
    let path = Paths::new(&settings.spool.data_dir).spool_id();
    let id = disk::read(&OsDisk, &path, ID_LIMIT).with_context(|| {
        format!("{}: cannot be read; run this where DATA_DIR is", path.display())
    })?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    let destination =
        Destination::new(options::destination(settings)).map_err(|problem| anyhow!("{problem}"))?;
    ensure!(
        destination.kind() != Kind::Folder,
        "a local folder keeps no metadata, so nothing says whose file it is: count with 'inspect \
         --count FILE…'"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut audit = Audit::default();
        for lane in [Lane::Events, Lane::Quarantine] {
            audit.count(lane, destination.place(lane), &id).await?;
        }
        Ok(audit)
    })
}

impl Audit {
    async fn count(&mut self, lane: Lane, place: &Place, id: &str) -> Result<()> {
        let ours = format!("{id}-{}-", lane.name());
        let prefix = Path::from(place.prefix.as_str());
        let keys = place.store.list(Some(&prefix)).map_ok(|found| found.location);
        let heads = keys.map(|key| async { head(place, key?).await });
        let mut heads = heads.buffer_unordered(WIDTH);
        let mut seen = HashSet::new();
        while let Some(found) = heads.next().await {
            let found = found.with_context(|| format!("asking {}", place.url))?;
            // Removed between the listing and the question.
            let Some(attributes) = found else { continue };
            match text(&attributes, SEGMENT).filter(|segment| segment.starts_with(&ours)) {
                Some(segment) => {
                    self.add(lane, items(&attributes, &segment)?, number(&attributes, COUNTED));
                    if !seen.insert(segment.clone()) {
                        self.doubled.push(segment);
                    }
                }
                None => self.others += 1,
            }
        }
        Ok(())
    }

    fn add(&mut self, lane: Lane, items: u64, counted: Option<u64>) {
        if lane == Lane::Events {
            self.events += items;
            self.event_objects += 1;
            return;
        }
        self.records += items;
        self.quarantine_objects += 1;
        // Without the count: all its records, the most that it can be.
        self.pieces += counted.unwrap_or(items);
        self.uncounted_objects += u64::from(counted.is_none());
    }

    pub(super) fn compared(&self, ledger: &Ledger) -> Compared<'_> {
        Compared {
            audit: self,
            unknown_events: self.unknown(ledger),
            unknown_pieces: self.unknown_pieces(ledger),
            faults: self.faults(ledger),
        }
    }

    /// What is wrong, in words.
    pub(super) fn faults(&self, ledger: &Ledger) -> Vec<String> {
        let mut faults: Vec<String> = self
            .doubled
            .iter()
            .map(|s| format!("segment {s} is in more than one object"))
            .collect();
        let mut compare = |what, stored, (name, known)| {
            // Stored, and not yet taken out of the spool: a moment, or a crash, lies between.
            if stored > known + ledger.spooled {
                faults.push(format!(
                    "the store holds {stored} {what} of this spool, the ledger knows of {known} \
                     {name} and {} spooled: was DATA_DIR put back from an old copy?",
                    ledger.spooled
                ));
            }
        };
        compare("events", self.events, ("delivered", ledger.delivered));
        if self.uncounted_objects == 0 {
            compare("rejected pieces", self.pieces, ("quarantined", ledger.quarantined));
        }
        faults
    }

    /// Events that were delivered and are not in the store.
    pub(super) fn unknown(&self, ledger: &Ledger) -> u64 {
        ledger.delivered.saturating_sub(self.events)
    }

    /// The same for rejected pieces; at least so many while there are uncounted objects.
    pub(super) fn unknown_pieces(&self, ledger: &Ledger) -> u64 {
        ledger.quarantined.saturating_sub(self.pieces)
    }

    pub(super) fn show(&self, ledger: &Ledger) {
        let (objects, quarantine) = (self.event_objects, self.quarantine_objects);
        println!("in the store");
        println!("  {:<12} {:>14} in {objects} objects", "events", self.events);
        println!(
            "  {:<12} {:>14} in {quarantine} objects of {} records, with copies and parts",
            "pieces", self.pieces, self.records
        );
        if self.uncounted_objects > 0 {
            println!(
                "  {:<12} {:>14} of them do not say how many of their records count",
                "", self.uncounted_objects
            );
        }
        println!("  {:<12} {:>14} objects of other writers, probes", "others", self.others);
        let (events, pieces) = (self.unknown(ledger), self.unknown_pieces(ledger));
        if events + pieces > 0 {
            println!(
                "  {:<12} {:>14} events, {pieces} rejected pieces (removed by the consumer?)",
                "unknown", events
            );
        }
        match self.faults(ledger).as_slice() {
            [] => println!("  nothing is doubled, nothing is more than the ledger says"),
            faults => faults.iter().for_each(|fault| println!("  ✗ {fault}")),
        }
    }
}

async fn head(place: &Place, key: Path) -> Result<Option<Attributes>> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    let answer = tokio::time::timeout(LIMIT, place.store.get_opts(&key, options)).await;
    match answer.with_context(|| format!("{}: no answer within 30 s", place.show(&key)))? {
        Ok(found) => Ok(Some(found.attributes)),
        Err(error) if verdict(&error) == Verdict::Missing => Ok(None),
        Err(error) => Err(error).with_context(|| place.show(&key)),
    }
}

fn text(attributes: &Attributes, name: &'static str) -> Option<String> {
    // Azure's metadata keys have no dash.
    let names = [name.to_owned(), name.replace('-', "_")];
    let mut values =
        names.into_iter().map(|name| attributes.get(&Attribute::Metadata(name.into())));
    values.find_map(|value| value.map(|value| value.to_string()))
}

fn number(attributes: &Attributes, name: &'static str) -> Option<u64> {
    text(attributes, name)?.parse().ok()
}

fn items(attributes: &Attributes, segment: &str) -> Result<u64> {
    number(attributes, ITEMS)
        .with_context(|| format!("the object of segment {segment} has no event-count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(delivered: u64, spooled: u64) -> Ledger {
        Ledger { received: delivered + spooled, delivered, spooled, ..Ledger::default() }
    }

    #[test]
    fn less_is_unknown_and_more_is_an_error() {
        let audit = Audit { events: 10, ..Audit::default() };
        assert_eq!(audit.unknown(&ledger(12, 0)), 2);
        assert!(audit.faults(&ledger(12, 0)).is_empty());
        assert!(audit.faults(&ledger(8, 2)).is_empty(), "stored and not yet retired");
        assert_eq!(audit.faults(&ledger(8, 1)).len(), 1);
    }

    #[test]
    fn pieces_are_compared_exactly_unless_an_object_does_not_say_how_many_count() {
        let ledger = Ledger { quarantined: 5, ..ledger(0, 0) };
        let mut audit = Audit::default();
        audit.add(Lane::Quarantine, 9, Some(5));
        assert_eq!((audit.unknown_pieces(&ledger), audit.faults(&ledger).len()), (0, 0));
        audit.add(Lane::Quarantine, 2, Some(1));
        assert_eq!(audit.faults(&ledger).len(), 1, "more than the ledger knows of");
        audit.add(Lane::Quarantine, 2, None);
        assert!(audit.faults(&ledger).is_empty(), "nobody can say");
    }

    #[test]
    fn a_segment_in_two_objects_is_an_error() {
        let audit = Audit { doubled: vec!["a-events-000000000001".into()], ..Audit::default() };
        assert_eq!(audit.faults(&ledger(1, 0)).len(), 1);
    }
}
