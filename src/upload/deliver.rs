//! One segment's way: claim → encode → key → put → retire.
//!
//! Order is everything here. The destination (and for a folder the file's length and checksum) is
//! in the manifest before the first PUT; a new name is there before its PUT; the segment goes last.
//! So a process that dies anywhere leaves what the next one needs to ask "is this ours?".
//! Cases: a segment never tried follows a new destination; one that was tried is asked for at the
//! old place first, and waits while that gives no answer. A damaged file is asked for before it is
//! salvaged. What cannot be encoded is set aside; nothing is ever sent elsewhere or dropped.

mod making;
mod store;

use super::destination::{Destination, Place};
use super::memory::Memory;
use super::object::Contents;
use super::probe::Probe;
use super::put::{Asked, Mark, PutError, ask};
use super::retire::retire;
use super::status::Landed;
use super::{Options, Source, blocking, key};
use crate::base::checksum::Checksum;
use crate::spool::Lane;
use crate::spool::manifest::{Manifest, Name, Sealed};
use jiff::Timestamp;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Old destinations kept open.
const OLD_PLACES: usize = 8;

/// What uploads share.
#[derive(Debug)]
pub(super) struct Depot {
    pub(super) source: SourceHandle,
    pub(super) destination: Destination,
    pub(super) options: Options,
    pub(super) memory: Memory,
    pub(super) probe: Probe,
    pub(super) old_places: Mutex<BTreeMap<String, Place>>,
}

/// A [`Source`] whose `Debug` says nothing.
#[derive(Clone)]
pub(super) struct SourceHandle(pub(super) Arc<dyn Source>);

impl std::fmt::Debug for SourceHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

/// A segment in the hand.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its lane.
    pub lane: Lane,
    /// Its number.
    pub number: u64,
    pub(super) manifest: Manifest,
    pub(super) sealed: Sealed,
    pub(super) name: Name,
    pub(super) contents: Contents,
}

impl Segment {
    /// How to know its object again at a place.
    fn mark(&self, made: Option<(u64, Checksum)>) -> Mark {
        let recorded = self.manifest.tried.as_ref().map(|tried| (tried.length, tried.checksum));
        Mark {
            segment: self.manifest.identity.clone(),
            checksum: self.sealed.checksum,
            files: recorded.into_iter().chain(made).collect(),
            own_name: self.name.with_identity,
        }
    }

    fn relative(&self) -> String {
        key::relative(self.lane, &self.sealed.form, &self.name, &self.manifest.identity)
    }

    fn key(&self, place: &Place) -> Result<Path, Trouble> {
        key::key(&place.prefix, &self.relative())
            .map_err(|error| Trouble::own(Urgency::Slow, format!("{}: {error}", place.url)))
    }
}

/// How a try ended well.
#[derive(Debug)]
pub enum Outcome {
    /// The store has it, the disk no longer.
    Delivered(Landed),
    /// It cannot be encoded and was set aside.
    SetAside(String),
    /// It is not there any more.
    Gone,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Soon, then ever later.
    Soon,
    /// At the slow end: somebody must act.
    Slow,
}

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When to try again.
    pub urgency: Urgency,
    /// What is wrong and what to do.
    pub words: String,
    /// The reason is the segment's or the disk's, not the store's.
    pub is_own_fault: bool,
    /// The store has the object; only the disk was in the way.
    pub is_stored: bool,
}

impl Trouble {
    fn own(urgency: Urgency, words: String) -> Self {
        Self { urgency, words, is_own_fault: true, is_stored: false }
    }

    pub(super) fn disk(doing: &str, error: &io::Error) -> Self {
        Self::own(Urgency::Soon, format!("{doing}: {error}: check the disk that holds DATA_DIR"))
    }
}

impl From<PutError> for Trouble {
    fn from(error: PutError) -> Self {
        let urgency = match error {
            PutError::Misconfigured(_) => Urgency::Slow,
            PutError::Retry(_) | PutError::Taken { .. } => Urgency::Soon,
        };
        Self { urgency, words: error.to_string(), is_own_fault: false, is_stored: false }
    }
}

/// What a step decided.
enum Step<T> {
    Go(T),
    Done(Outcome),
}

impl Depot {
    /// Takes one segment the whole way, once.
    pub(super) async fn deliver(&self, lane: Lane, number: u64) -> Result<Outcome, Trouble> {
        let mut segment = match self.claim(lane, number).await? {
            Step::Go(segment) => segment,
            Step::Done(outcome) => return Ok(outcome),
        };
        if let Some(landed) = self.ask_old_place(&mut segment).await? {
            return self.finish(&segment, landed).await;
        }
        let object = match self.encode(&mut segment).await? {
            Step::Go(made) => made,
            Step::Done(outcome) => return Ok(outcome),
        };
        let landed = self.store(&mut segment, &object).await?;
        self.record(&segment, &landed, &object).await?;
        self.finish(&segment, landed).await
    }

    /// Only the last step, for a segment that the store is known to have.
    pub(super) async fn deliver_rest(&self, lane: Lane, number: u64) -> Result<Outcome, Trouble> {
        let segment = match self.claim(lane, number).await? {
            Step::Go(segment) => segment,
            Step::Done(outcome) => return Ok(outcome),
        };
        let place = self.destination.place(lane);
        let landed = landed(&segment, place, &segment.key(place)?, true);
        self.finish(&segment, landed).await
    }

    async fn finish(&self, segment: &Segment, landed: Landed) -> Result<Outcome, Trouble> {
        retire(&self.source.0, segment).await?;
        Ok(Outcome::Delivered(landed))
    }

    async fn claim(&self, lane: Lane, number: u64) -> Result<Step<Segment>, Trouble> {
        let source = self.source.0.clone();
        let manifest = match blocking(move || source.manifest(lane, number)).await {
            Ok(manifest) => manifest,
            Err(error) => return self.without_manifest(lane, number, &error).await.map(Step::Done),
        };
        let parts = (manifest.sealed.clone(), manifest.name, Contents::of(&manifest));
        let (Some(sealed), Some(name), Some(contents)) = parts else {
            let why = "its manifest does not say what was sealed";
            return self.set_aside(lane, number, why).await.map(Step::Done);
        };
        Ok(Step::Go(Segment { lane, number, manifest, sealed, name, contents }))
    }

    async fn without_manifest(
        &self,
        lane: Lane,
        number: u64,
        error: &io::Error,
    ) -> Result<Outcome, Trouble> {
        match error.kind() {
            io::ErrorKind::NotFound => self.alone_or_gone(lane, number).await,
            io::ErrorKind::InvalidData => {
                self.set_aside(lane, number, &format!("its manifest cannot be read: {error}")).await
            }
            io::ErrorKind::Unsupported => Err(Trouble::own(Urgency::Slow, error.to_string())),
            _ => Err(Trouble::disk("reading a manifest", error)),
        }
    }

    /// A segment without a manifest was retired at this very moment, or lost it to the disk: then
    /// nobody knows its name, and whether the store has it.
    async fn alone_or_gone(&self, lane: Lane, number: u64) -> Result<Outcome, Trouble> {
        let source = self.source.0.clone();
        match blocking(move || source.read(lane, number)).await {
            Ok(_) => self.set_aside(lane, number, "its manifest is missing").await,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::Gone),
            Err(error) => Err(Trouble::disk("reading a sealed segment", &error)),
        }
    }

    async fn set_aside(&self, lane: Lane, number: u64, why: &str) -> Result<Outcome, Trouble> {
        let source = self.source.0.clone();
        let reason = why.to_owned();
        blocking(move || source.set_aside(lane, number, &reason))
            .await
            .map_err(|error| Trouble::disk("setting a segment aside", &error))?;
        Ok(Outcome::SetAside(why.to_owned()))
    }

    async fn save(&self, segment: &Segment) -> Result<(), Trouble> {
        let (lane, number, manifest) = (segment.lane, segment.number, segment.manifest.clone());
        let source = self.source.0.clone();
        blocking(move || source.store_manifest(lane, number, &manifest))
            .await
            .map_err(|error| Trouble::disk("writing a manifest", &error))
    }

    // --- where it was tried before ---------------------------------------------------------------

    /// A segment that was tried at another destination: is it there?
    async fn ask_old_place(&self, segment: &mut Segment) -> Result<Option<Landed>, Trouble> {
        let here = &self.destination.place(segment.lane).url;
        let Some(tried) = segment.manifest.tried.clone().filter(|t| t.destination != *here) else {
            return Ok(None);
        };
        let old = self.old_place(&tried.destination).await?;
        let key = segment.key(&old)?;
        match ask(&old, &key, &segment.mark(None), &self.options.pace).await {
            Ok(Asked::Ours) => Ok(Some(landed(segment, &old, &key, true))),
            Ok(Asked::Missing | Asked::Other { .. }) => {
                tracing::info!(from = old.url, to = here, "an undelivered segment moves");
                segment.manifest.tried = None; // written with the new place, before its PUT
                Ok(None)
            }
            Err(error) => Err(Trouble::own(
                Trouble::from(error.clone()).urgency,
                format!(
                    "it was tried at {} before the destination changed, and whether it is there \
                     cannot be learnt ({error}): make that place answer, or set the destination back",
                    old.url
                ),
            )),
        }
    }

    async fn old_place(&self, url: &str) -> Result<Place, Trouble> {
        let mut places = self.old_places.lock().await;
        if let Some(place) = places.get(url) {
            return Ok(place.clone());
        }
        let place = self.destination.reopen(url).map_err(|problem| {
            let words = format!("the earlier destination {url} is not usable: {}", problem.message);
            Trouble::own(Urgency::Slow, words)
        })?;
        if places.len() >= OLD_PLACES {
            places.clear();
        }
        places.insert(url.to_owned(), place.clone());
        Ok(place)
    }
}

fn landed(segment: &Segment, place: &Place, key: &Path, was_there: bool) -> Landed {
    let age = Timestamp::now().duration_since(segment.sealed.first_received);
    Landed {
        lane: segment.lane,
        object: place.show(key),
        items: segment.contents.items,
        bytes: segment.manifest.tried.as_ref().map_or(segment.contents.bytes, |t| t.length),
        freshness: Duration::try_from(age).unwrap_or_default(), // the clock was set back
        was_there,
    }
}
