//! From the sealed file to the object, and what happens when the file is not what was sealed.

use super::{Depot, Outcome, Segment, Step, Trouble, landed};
use crate::upload::blocking;
use crate::upload::body::Body;
use crate::upload::memory::Share;
use crate::upload::object::{Made, estimate, make};
use crate::upload::put::{Asked, ask};
use crate::upload::retire::retire;
use std::io;

impl Depot {
    pub(super) async fn encode(&self, segment: &mut Segment) -> Result<Step<Body>, Trouble> {
        let mut need = estimate(segment.lane, &segment.sealed.form, &segment.contents);
        let mut is_salvaged = false;
        loop {
            let share = self.memory.share(need).await.map_err(|e| Trouble::disk("memory", &e))?;
            match self.make(segment, share).await? {
                Made::Object(body) => return Ok(Step::Go(body)),
                Made::TooLarge => need = need.saturating_mul(2),
                Made::Damaged if is_salvaged => {
                    let why = "its file is damaged and was not mended by salvaging";
                    return self.set_aside(segment.lane, segment.number, why).await.map(Step::Done);
                }
                Made::Damaged => {
                    match self.damaged(segment).await? {
                        Step::Go(saved) if saved.contents.items == 0 => {
                            // Nothing was whole: an object without an event is written for nobody.
                            retire(&self.source.0, &saved).await?;
                            return Ok(Step::Done(Outcome::Gone));
                        }
                        Step::Go(saved) => *segment = saved,
                        Step::Done(outcome) => return Ok(Step::Done(outcome)),
                    }
                    is_salvaged = true;
                }
                Made::Unfit(why) => {
                    return self
                        .set_aside(segment.lane, segment.number, &why)
                        .await
                        .map(Step::Done);
                }
            }
        }
    }

    /// Encoding runs where it stalls nobody, and a panic in it costs this segment only.
    async fn make(&self, segment: &Segment, share: Share) -> Result<Made, Trouble> {
        let (lane, number) = (segment.lane, segment.number);
        let (form, contents) = (segment.sealed.form, segment.contents);
        let source = self.source.0.clone();
        let work = move || make(&*source, lane, number, &form, &contents, share);
        match tokio::task::spawn_blocking(work).await {
            Ok(made) => made.map_err(|error| Trouble::disk("reading a sealed segment", &error)),
            Err(error) if error.is_panic() => Ok(Made::Unfit(String::from("encoding it panicked"))),
            Err(error) => Err(Trouble::disk("encoding", &io::Error::other(error))),
        }
    }

    /// The file is not what was sealed: if the store has it, it is delivered; else what is whole is
    /// saved. Only what was tried can be there.
    async fn damaged(&self, segment: &Segment) -> Result<Step<Segment>, Trouble> {
        let place = self.destination.place(segment.lane);
        if segment.manifest.tried.is_some() {
            let key = segment.key(place)?;
            let asked = ask(place, &key, &segment.mark(None), &self.options.pace).await?;
            if asked == Asked::Ours {
                let landed = landed(segment, place, &key, true);
                return self.finish(segment, landed).await.map(Step::Done);
            }
        }
        let (lane, number) = (segment.lane, segment.number);
        tracing::error!(
            lane = lane.name(),
            segment = number,
            "a sealed segment was damaged on the disk: what is whole is delivered, the rest is kept \
             in damaged/; check the disk"
        );
        let source = self.source.0.clone();
        blocking(move || source.salvage(lane, number))
            .await
            .map_err(|error| Trouble::disk("salvaging a damaged segment", &error))?;
        self.claim(lane, number).await
    }
}
