//! The store's half of a delivery: announce, send, and write the manifest object.
//!
//! What is about to be tried is in the segment's manifest before the request that tries it.

use super::{Depot, Segment, Trouble, Urgency, landed};
use crate::spool::Lane;
use crate::spool::manifest::Tried;
use crate::upload::body::Body;
use crate::upload::destination::Place;
use crate::upload::plan::Kind;
use crate::upload::put::{Asked, Mark, Object, PutError, Way, ask, put};
use crate::upload::record::{Record, dates};
use crate::upload::status::Landed;
use crate::upload::{blocking, key};
use object_store::path::Path;
use object_store::{Attribute, Attributes};
use std::io;

/// Names that somebody else has, looked at in one try.
const NAMES_PER_TRY: u32 = 1000;
/// Names that were free when they were looked at and taken when they were used, in one try.
const RACES_PER_TRY: u32 = 16;

impl Depot {
    pub(super) async fn store(
        &self,
        segment: &mut Segment,
        made: &Body,
    ) -> Result<Landed, Trouble> {
        let place = self.destination.place(segment.lane);
        let way = self.probe.way(&self.destination, &self.options.pace).await?;
        let way = self.announce(segment, place, way, made).await?;
        let object = self.object(segment, place, made);
        for _ in 0..RACES_PER_TRY {
            let key = segment.key(place)?;
            match put(place, &key, &object, way, &self.options.pace).await {
                Ok(stored) => {
                    if let Some(conditions) = stored.conditions {
                        self.probe.learned(conditions, &self.destination).await;
                    }
                    return Ok(landed(segment, place, &key, stored.before));
                }
                Err(PutError::Taken { by_a_copy }) => {
                    self.next_name(segment, place, by_a_copy, &object.mark).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(PutError::Retry(format!("{}: name after name is taken", place.url)).into())
    }

    /// Writes down where the object goes and under which kind of name, before its first PUT.
    async fn announce(
        &self,
        segment: &mut Segment,
        place: &Place,
        way: Way,
        made: &Body,
    ) -> Result<Way, Trouble> {
        let length = made.length();
        let tried = Tried { destination: place.url.clone(), length, checksum: made.checksum };
        let before = segment.manifest.tried.as_ref();
        if before.is_none() && matches!(way, Way::Unconditional { .. }) {
            segment.name.with_identity = true;
        }
        if place.kind == Kind::Folder && before.is_some() {
            remove_leftovers(place, &segment.key(place)?).await;
        }
        // A folder's file from an earlier version of the encoder is known by what was recorded.
        let is_known = before.is_some_and(|t| t.destination == tried.destination);
        if !is_known || segment.manifest.name != Some(segment.name) {
            segment.manifest.tried = Some(tried);
            segment.manifest.name = Some(segment.name);
            self.save(segment).await?;
        }
        Ok(match way {
            Way::Unconditional { .. } => {
                Way::Unconditional { own_name: segment.name.with_identity }
            }
            other => other,
        })
    }

    fn object(&self, segment: &Segment, place: &Place, made: &Body) -> Object {
        let attributes = key::attributes(
            place.kind,
            segment.lane,
            &segment.manifest,
            &segment.sealed,
            (segment.contents.items, segment.manifest.holds().1),
            &self.options.producer,
            &self.options.instance,
        );
        let mark = segment.mark(Some((made.length(), made.checksum)));
        Object { payload: made.payload.clone(), attributes, mark }
    }

    /// The name is somebody else's: the next one goes into the manifest before anything is sent.
    /// Names are looked at without sending the object, so that a crowd costs little.
    async fn next_name(
        &self,
        segment: &mut Segment,
        place: &Place,
        by_a_copy: bool,
        mark: &Mark,
    ) -> Result<(), Trouble> {
        if by_a_copy {
            tracing::error!(
                segment = segment.manifest.identity,
                "the store holds this segment with other contents: DATA_DIR was copied to another \
                 instance; give each instance a DATA_DIR of its own"
            );
        }
        for _ in 0..NAMES_PER_TRY {
            segment.name.suffix = segment.name.suffix.saturating_add(1);
            let found = ask(place, &segment.key(place)?, mark, &self.options.pace).await;
            if !matches!(found, Ok(Asked::Other { .. })) {
                break;
            }
        }
        segment.manifest.name = Some(segment.name);
        self.save(segment).await
    }

    pub(super) async fn record(
        &self,
        segment: &Segment,
        landed: &Landed,
        made: &Body,
    ) -> Result<(), Trouble> {
        if segment.lane != Lane::Events || !segment.sealed.form.manifest_object {
            return Ok(());
        }
        let (lane, number, source) = (segment.lane, segment.number, self.source.0.clone());
        let dates = blocking(move || dates(source.read(lane, number)?))
            .await
            .map_err(|error| Trouble::disk("reading a sealed segment", &error))?;
        let record = Record::new(
            &landed.object,
            &segment.manifest,
            &segment.sealed,
            segment.contents.items,
            &made.payload,
            dates,
        );
        let bytes = serde_json::to_vec_pretty(&record)
            .map_err(|error| Trouble::own(Urgency::Slow, error.to_string()))?;
        self.put_record(segment, bytes.into()).await
    }

    async fn put_record(&self, segment: &Segment, body: Body) -> Result<(), Trouble> {
        let place = self.destination.manifests();
        let relative =
            key::manifest_relative(&segment.sealed.form, &segment.name, &segment.manifest.identity);
        let key = key::key(&place.prefix, &relative)
            .map_err(|error| Trouble::own(Urgency::Slow, error.to_string()))?;
        let made = (body.length(), body.checksum);
        let attributes = match place.kind {
            Kind::Folder => Attributes::new(),
            _ => Attributes::from_iter([(Attribute::ContentType, "application/json")]),
        };
        let payload = body.payload;
        let object = Object { payload, attributes, mark: segment.mark(Some(made)) };
        match put(place, &key, &object, Way::Conditional, &self.options.pace).await {
            // The data object's name is ours alone, and so is this one.
            Ok(_) | Err(PutError::Taken { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Staging files (`name#1`, …) that an earlier process of ours left beside this name.
///
/// Another instance that is writing the same name at this moment finds its staging file gone and
/// tries again.
async fn remove_leftovers(place: &Place, key: &Path) {
    let base = place.show(key);
    let removal = blocking(move || {
        for number in 1..=16 {
            if !remove_leftover(&format!("{base}#{number}"))? {
                break;
            }
        }
        Ok(())
    });
    if let Err(error) = removal.await {
        tracing::warn!("an unfinished file of an earlier try cannot be removed: {error}");
    }
}

#[allow(clippy::disallowed_methods, reason = "a staging file in the destination, never the spool")]
fn remove_leftover(path: &str) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
