//! One try to store one object, and the question whose an existing one is.
//!
//! Only a HEAD that answers 200 with another identity says that a name is taken. After 409, 412, a
//! time-out, an answer that makes no sense or a HEAD that is refused or finds nothing, the same
//! name is tried again: an earlier PUT may still be under way in the store. Trusted: the metadata
//! that the store returns. A folder has none; there length and checksum of the file decide.

mod advice;

use super::Pace;
use super::answer::{Verdict, verdict};
use super::destination::Place;
use super::key::{CHECKSUM, SEGMENT};
use super::plan::Kind;
use crate::base::checksum::{Checksum, Running};
use advice::{Doing, sort};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetResult, ObjectStore, PutMode, PutOptions, PutPayload,
};
use std::future::Future;

/// Why an object was not stored, by what happens next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// It will pass: tried again soon.
    #[error("{0}")]
    Retry(String),
    /// Somebody must act, the text says how: tried again at the slow end.
    #[error("{0}")]
    Misconfigured(String),
    /// The name belongs to somebody else: the next one is tried.
    #[error("the name is taken")]
    Taken {
        /// By this very segment with other contents: a copied `DATA_DIR`.
        by_a_copy: bool,
    },
}

/// What tells our own object from anybody else's.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The segment's identity.
    pub segment: String,
    /// The checksum of the sealed file.
    pub checksum: Checksum,
    /// For a folder: length and checksum of the files that are ours.
    pub files: Vec<(u64, Checksum)>,
    /// The name carries the identity, so that nobody else can meet it: in a store that returns no
    /// metadata an object of our length under it is ours.
    pub own_name: bool,
}

/// What is under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Our own object.
    Ours,
    /// Somebody else's.
    Other {
        /// The same segment with other contents.
        by_a_copy: bool,
    },
    /// Nothing.
    Missing,
}

/// An object ready to be sent.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its bytes.
    pub payload: PutPayload,
    /// Content-Type and metadata.
    pub attributes: Attributes,
    /// How to know it again.
    pub mark: Mark,
}

/// How a store guards names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It keeps `If-None-Match: *`.
    Conditional,
    /// It is not known whether it does: asked before, and proved by sending the object twice.
    Unproven,
    /// It does not: asked before.
    Unconditional {
        /// The name carries the identity, so that nobody else can meet it.
        own_name: bool,
    },
}

/// How an object came to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// It was there already, from an earlier try.
    pub before: bool,
    /// What a [`Way::Unproven`] store turned out to do.
    pub conditions: Option<bool>,
}

const BEFORE: Stored = Stored { before: true, conditions: None };
const NOW: Stored = Stored { before: false, conditions: None };

/// Tries to store an object, once.
///
/// # Errors
/// See [`PutError`]; unless the name is taken, the same name may be tried again.
pub async fn put(
    place: &Place,
    key: &Path,
    object: &Object,
    way: Way,
    pace: &Pace,
) -> Result<Stored, PutError> {
    match way {
        Way::Conditional => conditional(place, key, object, pace).await,
        Way::Unproven => unproven(place, key, object, pace).await,
        Way::Unconditional { own_name } => {
            match ask(place, key, &object.mark, pace).await {
                Ok(Asked::Ours) => return Ok(BEFORE),
                Ok(Asked::Other { by_a_copy }) => return Err(PutError::Taken { by_a_copy }),
                Ok(Asked::Missing) => {}
                // The worst that can happen under our own name is that our own bytes are replaced.
                Err(PutError::Misconfigured(_)) if own_name => {}
                Err(error) => return Err(error),
            }
            match send(place, key, object, PutMode::Overwrite, pace).await? {
                Sent::Stored => Ok(NOW),
                Sent::Exists => whose(place, key, object, pace).await,
                Sent::Unconditional => Err(no_condition(place)),
            }
        }
    }
}

async fn conditional(
    place: &Place,
    key: &Path,
    object: &Object,
    pace: &Pace,
) -> Result<Stored, PutError> {
    match send(place, key, object, PutMode::Create, pace).await? {
        Sent::Stored => Ok(NOW),
        Sent::Exists => whose(place, key, object, pace).await,
        Sent::Unconditional => Err(no_condition(place)),
    }
}

fn no_condition(place: &Place) -> PutError {
    let url = &place.url;
    PutError::Misconfigured(format!("{url}: the store does not know If-None-Match"))
}

/// Where even the probe was refused: nothing is sent before the store said that nothing is there,
/// and the same bytes are sent a second time, which a store that keeps the condition refuses.
async fn unproven(
    place: &Place,
    key: &Path,
    object: &Object,
    pace: &Pace,
) -> Result<Stored, PutError> {
    match ask(place, key, &object.mark, pace).await? {
        Asked::Ours => return Ok(BEFORE),
        Asked::Other { by_a_copy } => return Err(PutError::Taken { by_a_copy }),
        Asked::Missing => {}
    }
    let stored = conditional(place, key, object, pace).await?;
    if stored.before {
        return Ok(stored);
    }
    let again = send(place, key, object, PutMode::Create, pace).await?;
    Ok(Stored { conditions: Some(again == Sent::Exists), ..stored })
}

/// The name is said to be taken: by whom?
async fn whose(
    place: &Place,
    key: &Path,
    object: &Object,
    pace: &Pace,
) -> Result<Stored, PutError> {
    match ask(place, key, &object.mark, pace).await? {
        Asked::Ours => Ok(BEFORE),
        Asked::Other { by_a_copy } => Err(PutError::Taken { by_a_copy }),
        Asked::Missing => Err(PutError::Retry(String::from(
            "the store said that the name is taken and then that nothing is there: \
             an earlier try may still be under way",
        ))),
    }
}

/// What became of a PUT that the store understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Stored,
    Exists,
    /// 501: the store says that it does not know the condition.
    Unconditional,
}

pub(super) async fn send(
    place: &Place,
    key: &Path,
    object: &Object,
    mode: PutMode,
    pace: &Pace,
) -> Result<Sent, PutError> {
    let is_conditional = matches!(mode, PutMode::Create);
    let options =
        PutOptions { mode, attributes: object.attributes.clone(), ..PutOptions::default() };
    let request = place.store.put_opts(key, object.payload.clone(), options);
    match cut_off(pace, object.payload.content_length() as u64, request).await? {
        Ok(_) => Ok(Sent::Stored),
        Err(error) => match verdict(&error) {
            Verdict::Exists => Ok(Sent::Exists),
            Verdict::Refused(answer) if answer.status == 501 && is_conditional => {
                Ok(Sent::Unconditional)
            }
            other => Err(sort(Doing::Put, place, other)),
        },
    }
}

/// Whose object is under a name.
///
/// # Errors
/// The store gave no answer: [`PutError::Retry`] or [`PutError::Misconfigured`].
pub async fn ask(place: &Place, key: &Path, mark: &Mark, pace: &Pace) -> Result<Asked, PutError> {
    let head = place.kind != Kind::Folder;
    let request = place.store.get_opts(key, GetOptions { head, ..GetOptions::default() });
    match cut_off(pace, 0, request).await? {
        Ok(found) if head => Ok(compare_metadata(&found.attributes, found.meta.size, mark)),
        Ok(found) => cut_off(pace, found.meta.size, compare_file(found, mark))
            .await?
            .map_err(|error| sort(Doing::Head, place, verdict(&error))),
        Err(error) => match verdict(&error) {
            Verdict::Missing => Ok(Asked::Missing),
            other => Err(sort(Doing::Head, place, other)),
        },
    }
}

fn compare_metadata(attributes: &Attributes, size: u64, mark: &Mark) -> Asked {
    let get = |key: &'static str| attributes.get(&Attribute::Metadata(key.into()));
    let is = |key, value: &str| get(key).is_some_and(|v| v.as_ref() == value);
    let same_segment = is(SEGMENT, &mark.segment);
    let is_own_length = mark.files.iter().any(|(length, _)| *length == size);
    let is_ours = match get(SEGMENT) {
        Some(_) => same_segment && is(CHECKSUM, &mark.checksum.to_string()),
        None => mark.own_name && is_own_length,
    };
    if is_ours { Asked::Ours } else { Asked::Other { by_a_copy: same_segment } }
}

async fn compare_file(found: GetResult, mark: &Mark) -> object_store::Result<Asked> {
    let size = found.meta.size;
    if mark.files.iter().all(|(length, _)| *length != size) {
        return Ok(Asked::Other { by_a_copy: false });
    }
    let mut running = Running::default();
    let mut stream = found.into_stream();
    while let Some(chunk) = stream.next().await {
        running.update(&chunk?);
    }
    if mark.files.contains(&(size, running.value())) {
        Ok(Asked::Ours)
    } else {
        Ok(Asked::Other { by_a_copy: false })
    }
}

async fn cut_off<T>(
    pace: &Pace,
    bytes: u64,
    request: impl Future<Output = T>,
) -> Result<T, PutError> {
    let limit = pace.limit(bytes);
    tokio::time::timeout(limit, request).await.map_err(|_| {
        PutError::Retry(format!(
            "the store did not answer within {:.0} s: check the network and proxy between",
            limit.as_secs_f64()
        ))
    })
}

#[cfg(test)]
#[path = "put/tests.rs"]
mod tests;
