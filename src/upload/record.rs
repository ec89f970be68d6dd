//! The manifest object (`MANIFEST=true`): a small JSON beside each event object, outside the loaded
//! prefix, for reconciliation.
//!
//! Its name follows from the data object's, which is ours alone, so an object that is there already
//! is ours. Its bytes follow from the segment, except that a first and last `plasectrxRecdateUTC`
//! are missing where no event has one.

use crate::spool::manifest::{Manifest, Sealed};
use memchr::memmem::Finder;
use object_store::PutPayload;
use ring::digest;
use serde::Serialize;
use std::fmt::Write;
use std::io::{self, Read};

const FIELD: &[u8] = b"<plasectrxRecdateUTC>";
/// A value longer than this is no time.
const LONGEST: usize = 64;

/// What a manifest object says.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// The data object.
    pub object: &'a str,
    /// The segment's identity.
    pub segment: &'a str,
    /// Events in the object.
    pub event_count: u64,
    /// First receipt.
    pub first_received: String,
    /// Last receipt.
    pub last_received: String,
    /// Smallest `plasectrxRecdateUTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_recdate_utc: Option<String>,
    /// Largest `plasectrxRecdateUTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_recdate_utc: Option<String>,
    /// Who sent the events.
    pub peers: &'a [String],
    /// Length of the object in bytes.
    pub bytes: usize,
    /// SHA-256 of the object, hexadecimal.
    pub sha256: String,
}

impl<'a> Record<'a> {
    /// Describes an object; `dates` come from [`dates`] over the sealed file.
    #[must_use]
    pub fn new(
        object: &'a str,
        manifest: &'a Manifest,
        sealed: &'a Sealed,
        items: u64,
        object_bytes: &PutPayload,
        dates: Option<(String, String)>,
    ) -> Self {
        let (first_recdate_utc, last_recdate_utc) = dates.unzip();
        Self {
            object,
            segment: &manifest.identity,
            event_count: items,
            first_received: sealed.first_received.to_string(),
            last_received: sealed.last_received.to_string(),
            first_recdate_utc,
            last_recdate_utc,
            peers: &sealed.peers,
            bytes: object_bytes.content_length(),
            sha256: sha256(object_bytes),
        }
    }
}

fn sha256(bytes: &PutPayload) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    bytes.iter().for_each(|chunk| context.update(chunk));
    context.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// The smallest and the largest `plasectrxRecdateUTC` of a sealed file, read buffer by buffer.
/// Such times are fixed-width text, so their order is that of the text.
///
/// # Errors
/// What the disk said.
pub fn dates(mut file: impl Read) -> io::Result<Option<(String, String)>> {
    let finder = Finder::new(FIELD);
    let mut window = Vec::new();
    let mut found: Option<(String, String)> = None;
    loop {
        let read = file.by_ref().take(64 * 1024).read_to_end(&mut window)?;
        for start in finder.find_iter(&window) {
            if let Some(value) = value_at(&window, start + FIELD.len()) {
                widen(&mut found, value);
            }
        }
        if read == 0 {
            return Ok(found);
        }
        // What may be cut off at the end is looked at again with what follows; twice is no harm.
        let keep = window.len().saturating_sub(FIELD.len() + LONGEST + 1);
        window.drain(..keep);
    }
}

fn value_at(window: &[u8], start: usize) -> Option<&str> {
    let rest = window.get(start..)?;
    let rest = rest.get(..LONGEST.min(rest.len()))?;
    let end = memchr::memchr(b'<', rest)?;
    let text = std::str::from_utf8(rest.get(..end)?).ok()?.trim();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-:./ ".contains(&b));
    (plain && !text.is_empty()).then_some(text)
}

fn widen(found: &mut Option<(String, String)>, value: &str) {
    let (first, last) = found.get_or_insert_with(|| (value.to_owned(), value.to_owned()));
    if value < first.as_str() {
        value.clone_into(first);
    }
    if value > last.as_str() {
        value.clone_into(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_are_found_across_buffers_and_the_extremes_kept() {
        let mut file = Vec::new();
        for second in [30, 10, 50, 20] {
            file.extend(vec![b' '; 64 * 1024 - 7]);
            let date = format!("<plasectrxRecdateUTC>201406101250{second}Z</plasectrxRecdateUTC>");
            file.extend(date.bytes());
        }
        let (first, last) = dates(&file[..]).unwrap().unwrap();
        assert_eq!((first.as_str(), last.as_str()), ("20140610125010Z", "20140610125050Z"));
    }

    #[test]
    fn a_value_that_is_no_time_is_left_out() {
        let long = "9".repeat(100);
        for value in ["", "  ", "a&amp;b", long.as_str(), "<b>1</b>"] {
            let file = format!("<plasectrxRecdateUTC>{value}</plasectrxRecdateUTC>");
            assert_eq!(dates(file.as_bytes()).unwrap(), None, "{value}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&PutPayload::from_static(b"abc")), known);
    }
}
