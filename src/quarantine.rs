//! What is kept of rejected bytes: one JSON record a line, written here and read back for `replay`.
//!
//! Trusted: nothing about the bytes. Cases: UTF-8 goes in as text (`raw`), so that a person can
//! correct it; anything else as base64 (`raw_base64`). A record never says more about the bytes
//! than they are: details are static text. Refused by [`Record::parse`]: lines that are not such a
//! record, both or neither form of the bytes, unknown reasons.

use crate::event::{Fault, Reason, Repair};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A rejected piece, or the original of a repaired event.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The bytes as they came. On a connection that opened with a UTF-16 byte-order mark: decoded
    /// to UTF-8, with a byte 0xFF for each unit without partner.
    pub raw: &'a [u8],
    /// Why.
    pub fault: Fault,
    /// Where its first byte stood in the stream.
    pub position: u64,
    /// Rules that mended it. Not empty: the event was delivered and this is a copy, not counted.
    pub repaired: &'a [Repair],
    /// Set for a piece that comes in parts (`too-large`).
    pub part: Option<Part>,
    /// The label that held for it, if a declaration named one that is not UTF-8 (UTF-16: the bytes
    /// are decoded). [`UNKNOWN_ENCODING`] for one that is not honoured.
    pub encoding: Option<&'static str>,
}

/// Stands for any label that is not honoured, and is none itself.
pub const UNKNOWN_ENCODING: &str = "unknown";

/// One part of a piece that was too large to be kept in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Number of the piece on this connection.
    pub piece: u64,
    /// Number of the part, from 0.
    pub part: u32,
    /// Nothing of this piece follows. The ledger counts the piece once, here.
    pub last: bool,
}

/// Appends one record, a line of JSON without its newline.
pub fn write_record(
    out: &mut Vec<u8>,
    piece: &Piece<'_>,
    received_at: Timestamp,
    peer: Option<&str>,
) {
    let text = std::str::from_utf8(piece.raw).ok();
    let line = Line {
        received_at,
        peer: peer.map(Into::into),
        reason: piece.fault.reason.name().into(),
        detail: piece.fault.detail.into(),
        position: piece.fault.position as u64,
        stream_position: piece.position,
        part: piece.part,
        encoding: piece.encoding.filter(|_| !piece.raw.is_ascii()).map(Into::into),
        repaired: !piece.repaired.is_empty(),
        repairs: piece.repaired.iter().map(|rule| rule.name().into()).collect(),
        raw: text.map(Into::into),
        raw_base64: text.is_none().then(|| BASE64_STANDARD.encode(piece.raw).into()),
    };
    let length = out.len();
    if serde_json::to_writer(&mut *out, &line).is_err() {
        // Writing texts and numbers into memory cannot fail; if it ever did, half a line must not stay.
        out.truncate(length);
    }
}

/// The record as it stands in the file; the order of the fields is the order in the line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    received_at: Timestamp,
    peer: Option<std::borrow::Cow<'a, str>>,
    reason: std::borrow::Cow<'a, str>,
    detail: std::borrow::Cow<'a, str>,
    position: u64,
    stream_position: u64,
    #[serde(flatten)]
    part: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<std::borrow::Cow<'a, str>>,
    repaired: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repairs: Vec<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<std::borrow::Cow<'a, str>>,
}

/// One quarantine record, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the piece was decided.
    pub received_at: Timestamp,
    /// Who sent it.
    pub peer: Option<String>,
    /// Why it was rejected.
    pub reason: Reason,
    /// What exactly was wrong.
    pub detail: String,
    /// Offset of the fault in bytes from the start of `raw`.
    pub position: u64,
    /// Where the first byte of `raw` stood on its connection.
    pub stream_position: u64,
    /// Set for a piece that comes in parts.
    pub part: Option<Part>,
    /// The encoding in which `raw` was sent, unless it was UTF-8, ASCII or is decoded.
    pub encoding: Option<String>,
    /// The event was mended and delivered; this is a copy.
    pub repaired: bool,
    /// The rules that mended it.
    pub repairs: Vec<String>,
    /// The bytes.
    pub raw: Vec<u8>,
}

/// A line is not a quarantine record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON, or a field is missing or of another type.
    #[error("not a quarantine record: {0}")]
    Json(#[from] serde_json::Error),
    /// `reason` holds a word that is none of the reasons.
    #[error("not a quarantine record: the reason is none that this version knows")]
    Reason,
    /// Not exactly one of `raw` and `raw_base64`.
    #[error("not a quarantine record: it must hold either raw or raw_base64")]
    Raw,
    /// `raw_base64` is not base64.
    #[error("not a quarantine record: raw_base64 is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
}

impl Record {
    /// Reads one line; white space around it does not matter.
    ///
    /// # Errors
    /// The line is not a record.
    pub fn parse(line: &[u8]) -> Result<Self, RecordError> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        let raw = match (line.raw, line.raw_base64) {
            (Some(text), None) => text.into_owned().into_bytes(),
            (None, Some(text)) => BASE64_STANDARD.decode(text.as_bytes())?,
            _ => return Err(RecordError::Raw),
        };
        let named = |reason: &&Reason| reason.name() == line.reason;
        Ok(Self {
            received_at: line.received_at,
            peer: line.peer.map(Into::into),
            reason: *Reason::ALL.iter().find(named).ok_or(RecordError::Reason)?,
            detail: line.detail.into_owned(),
            position: line.position,
            stream_position: line.stream_position,
            part: line.part,
            encoding: line.encoding.map(Into::into),
            repaired: line.repaired,
            repairs: line.repairs.into_iter().map(Into::into).collect(),
            raw,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(raw: &[u8]) -> Piece<'_> {
        let fault = Fault { reason: Reason::Malformed, detail: "d", position: 3 };
        Piece { raw, fault, position: 70, repaired: &[], part: None, encoding: None }
    }

    fn line(piece: &Piece<'_>, peer: Option<&str>) -> String {
        let mut out = Vec::new();
        write_record(&mut out, piece, Timestamp::UNIX_EPOCH, peer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_of_text_is_one_line_in_a_fixed_order() {
        assert_eq!(
            line(&piece(b"a\n\"b\""), Some("192.0.2.1:5")),
            concat!(
                r#"{"received_at":"1970-01-01T00:00:00Z","peer":"192.0.2.1:5","reason":"malformed","#,
                r#""detail":"d","position":3,"stream_position":70,"repaired":false,"#,
                r#""raw":"a\n\"b\""}"#
            )
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_go_in_as_base64_and_come_back_the_same() {
        let raw = b"\xFF\x00<EVENT>";
        let text = line(&piece(raw), None);
        assert!(text.contains(r#""raw_base64":"/wA8RVZFTlQ+""#), "{text}");
        assert_eq!(Record::parse(text.as_bytes()).unwrap().raw, raw);
    }

    #[test]
    fn every_reason_comes_back() {
        for reason in Reason::ALL {
            let mut piece = piece(b"x");
            piece.fault.reason = reason;
            assert_eq!(Record::parse(line(&piece, None).as_bytes()).unwrap().reason, reason);
        }
    }

    #[test]
    fn parts_and_rules_come_back() {
        let part = Part { piece: 2, part: 1, last: true };
        let rules = [Repair::Control, Repair::Name];
        let piece = Piece { part: Some(part), repaired: &rules, ..piece(b"x") };
        let text = line(&piece, None);
        assert!(text.contains(r#""piece":2,"part":1,"last":true,"#), "{text}");
        let record = Record::parse(text.as_bytes()).unwrap();
        assert_eq!(record.part, Some(part));
        assert!(record.repaired);
        assert_eq!(record.repairs, ["control", "name"]);
    }

    #[test]
    fn the_encoding_comes_back_with_bytes_that_need_it() {
        let piece = |raw| Piece { encoding: Some("windows-1252"), ..piece(raw) };
        let encoding = |raw| Record::parse(line(&piece(raw), None).as_bytes()).unwrap().encoding;
        assert_eq!(encoding(b"caf\xE9").as_deref(), Some("windows-1252"));
        assert_eq!(encoding("café".as_bytes()).as_deref(), Some("windows-1252"));
        assert_eq!(encoding(b"cafe"), None);
    }

    #[test]
    fn a_line_that_is_no_record_is_refused_with_what_is_missing() {
        let refused = |line: &str| Record::parse(line.as_bytes()).unwrap_err().to_string();
        let good = line(&piece(b"x"), None);
        assert!(refused("{}").contains("missing field"));
        assert!(refused(&good.replace("malformed", "odd")).contains("reason"));
        assert!(refused(&good.replace(r#","raw":"x""#, "")).contains("either raw or raw_base64"));
        let both = good.replace(r#""raw":"x""#, r#""raw":"x","raw_base64":"eA==""#);
        assert!(refused(&both).contains("either raw or raw_base64"));
        assert!(refused(&good.replace(r#""raw":"x""#, r#""raw_base64":"!""#)).contains("base64"));
    }
}
