//! The `.meta` beside a segment: all that is known about it, and all that its object needs.
//!
//! Written before the first event counts as received, completed when the segment is sealed, and
//! changed afterwards only before a PUT (where it goes, which name it takes). A reader of another
//! version ignores fields it does not know; a version above [`VERSION`] is refused.

use crate::base::checksum::Checksum;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the spool format that this program writes.
pub const VERSION: u32 = 1;

/// What an event object looks like (`OUTPUT_FORMAT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One document, root `<EVENTS>`.
    #[default]
    Xml,
    /// One array.
    Json,
    /// One object a line. Quarantine and log objects are always this.
    Ndjson,
    /// A String column per plain field.
    Parquet,
}

/// How an object is compressed (`COMPRESSION`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all (Parquet: zstd inside).
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// What is fixed about an object's form when its segment is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Form {
    /// `OUTPUT_FORMAT`.
    pub format: Format,
    /// `COMPRESSION`.
    pub compression: Compression,
    /// `PRETTY_PRINT_JSON`.
    pub pretty: bool,
    /// `USE_DATE_FOLDERS`.
    pub date_folders: bool,
    /// `MANIFEST`.
    #[serde(default)]
    pub manifest_object: bool,
}

/// Why a segment was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedBy {
    /// `ROTATION_INTERVAL`.
    Time,
    /// `MAX_FILE_SIZE`.
    Size,
    /// SIGHUP.
    Request,
    /// SIGTERM or SIGINT.
    Shutdown,
    /// Reading stopped for lack of space.
    Space,
    /// Found at start.
    Recovery,
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub version: u32,
    /// `<spool-id>-<lane>-<number>`: one segment in the whole world.
    pub identity: String,
    /// The event element the segment was written with.
    pub element: String,
    /// Wall clock when the segment was opened.
    pub opened_at: Timestamp,
    /// Set when the segment is sealed; never changed afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The object's name; its suffix grows when the store says that the name is somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Set before the first PUT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
}

/// What sealing fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The object's form.
    pub form: Form,
    /// Why it was sealed.
    pub by: SealedBy,
    /// Items in the file (events, or JSON lines).
    pub items: u64,
    /// Items that the ledger counts.
    pub counted: u64,
    /// Length of the sealed file in bytes.
    pub bytes: u64,
    /// Checksum of the sealed file.
    pub checksum: Checksum,
    /// First receipt.
    pub first_received: Timestamp,
    /// Last receipt.
    pub last_received: Timestamp,
    /// Who sent it; at most 100, then the list ends in "…".
    pub peers: Vec<String>,
}

/// The part of an object's name that no setting decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// Whole second, UTC, at which the segment was sealed.
    pub sealed_at: Timestamp,
    /// 0: no suffix; 1: `_001`; …
    pub suffix: u32,
    /// The store cannot do a conditional PUT: the identity is part of the key.
    #[serde(default)]
    pub with_identity: bool,
}

/// Written before the first PUT, so that a later process knows where to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The destination with its prefix, as a URL without secrets.
    pub destination: String,
    /// Length of the encoded object in bytes.
    pub length: u64,
    /// Checksum of the encoded object.
    pub checksum: Checksum,
}
