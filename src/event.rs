//! The words that every stage shares: why a piece was rejected, which repair mended it, how the
//! document around the events looks.
//!
//! Names are a contract: metrics, log lines, quarantine records and the documentation use the
//! strings given here and no others.

pub mod fields;

use std::fmt;

/// First bytes of every event document.
pub const HEADER: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n";
/// Last bytes of every event document.
pub const FOOTER: &[u8] = b"</EVENTS>\n";

/// Why a piece of the stream is in the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A whole block that is not well-formed XML 1.0 with namespaces.
    Malformed,
    /// Bytes between events that are neither white space nor anything XML allows there.
    Stray,
    /// An event that another event start or a declaration interrupted.
    CutOff,
    /// An event that was open when the connection, the time limit or the process ended.
    Truncated,
    /// An event larger than `MAX_MESSAGE_SIZE`.
    TooLarge,
    /// A DOCTYPE with an internal subset.
    Doctype,
    /// Bytes that the declared encoding does not know.
    Encoding,
    /// A declared encoding that we do not honour, on bytes that are not UTF-8.
    UnknownEncoding,
    /// The connection's task panicked; these are the bytes it had not framed.
    Panic,
}

impl Reason {
    /// Every reason, for tables and metrics with a known set of labels.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::Stray,
        Self::CutOff,
        Self::Truncated,
        Self::TooLarge,
        Self::Doctype,
        Self::Encoding,
        Self::UnknownEncoding,
        Self::Panic,
    ];

    /// The name used in records, metrics and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Stray => "stray",
            Self::CutOff => "cut-off",
            Self::Truncated => "truncated",
            Self::TooLarge => "too-large",
            Self::Doctype => "doctype",
            Self::Encoding => "encoding",
            Self::UnknownEncoding => "unknown-encoding",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule that mended an event which had failed validation (`ON_MALFORMED=repair`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repair {
    /// A byte outside any valid UTF-8 sequence became its Windows-1252 character.
    Encoding,
    /// A character that XML forbids became U+FFFD.
    Control,
    /// An `&` that begins no reference became `&amp;`.
    Ampersand,
    /// An element name broken by white space was joined again.
    Name,
}

impl Repair {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [Self; 4] = [Self::Encoding, Self::Control, Self::Ampersand, Self::Name];

    /// The name used in records, metrics and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Control => "control",
            Self::Ampersand => "ampersand",
            Self::Name => "name",
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a check found wrong with a piece.
///
/// `detail` goes into the quarantine record beside the raw bytes, so it is static text: it never
/// repeats input, and may therefore also be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The condition.
    pub reason: Reason,
    /// What exactly is wrong, in a few plain words.
    pub detail: &'static str,
    /// Offset in bytes from the start of the piece.
    pub position: usize,
}

/// The name of the block's element (`EVENT_ELEMENT`, default `EVENT`).
///
/// Checked when it is made: an XML name without a colon, ASCII, not `EVENTS`, 1 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementName(String);

impl ElementName {
    /// Takes a name that may stand for the event element.
    ///
    /// # Errors
    /// What is wrong with the name, ready to be shown after the setting's name and value.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        let mut bytes = name.bytes();
        let first = bytes.next().ok_or("must not be empty")?;
        if !(first.is_ascii_alphabetic() || first == b'_') {
            return Err("must begin with a letter or an underscore");
        }
        if !bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
            return Err("may hold ASCII letters, digits, '_', '-' and '.' only");
        }
        if name.len() > 64 {
            return Err("may be at most 64 bytes long");
        }
        if name == "EVENTS" {
            return Err("is the name of the wrapper around the events");
        }
        if name.get(..3).is_some_and(|p| p.eq_ignore_ascii_case("xml")) {
            return Err("must not begin with 'xml', which the XML recommendation reserves");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Default for ElementName {
    fn default() -> Self {
        Self("EVENT".to_owned())
    }
}

impl fmt::Display for ElementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
