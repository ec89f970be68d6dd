//! The last step: the store has confirmed the object, so the segment may leave the disk.
//!
//! The only caller of [`Source::retire`]. A failure is the disk's: the segment waits, remembered as
//! stored, and only this step is done again. A process that dies in between asks the store, which
//! says "ours".

use super::deliver::{Segment, Trouble};
use super::{Source, blocking};
use std::sync::Arc;

/// Lets a confirmed segment go.
///
/// # Errors
/// What the disk said, as a trouble of this segment alone.
pub async fn retire(source: &Arc<dyn Source>, segment: &Segment) -> Result<(), Trouble> {
    let (lane, number) = (segment.lane, segment.number);
    let source = source.clone();
    blocking(move || source.retire(lane, number)).await.map_err(|error| Trouble {
        is_stored: true,
        ..Trouble::disk("removing the delivered segment", &error)
    })
}
