//! The `.meta` beside a segment: all that is known about it, and all that its object needs.
//!
//! Written before the first event counts as received, completed when the segment is sealed, and
//! changed afterwards only before a PUT (where it goes, which name it takes). A reader of another
//! version ignores fields it does not know; a version above [`VERSION`] is refused.

use crate::base::checksum::Checksum;
use crate::base::disk::{self, Disk};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

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
    /// What is known about the receipt while the segment is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Set when the segment is sealed; never changed afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// Set when part of the file was damaged after its counts were fixed: what the file holds now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salvaged: Option<Salvaged>,
    /// The object's name; its suffix grows when the store says that the name is somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Set before the first PUT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
}

/// What an open segment's manifest knows about where its items came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When the first item was read.
    pub first_received: Timestamp,
    /// Who sent the items so far; at most 100, then the list ends in "…".
    pub peers: Vec<String>,
}

/// What was saved of a damaged segment. Its identity, name and checksum stay those of [`Sealed`]:
/// by them the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salvaged {
    /// Items saved.
    pub items: u64,
    /// Items saved that the ledger counts.
    pub counted: u64,
    /// Length of the file as it is now, in bytes.
    pub bytes: u64,
    /// Checksum of the file as it is now.
    pub checksum: Checksum,
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

/// No file has so many bytes: a manifest that says so is damaged.
const LARGEST: u64 = 1 << 50;
/// A manifest larger than this is not ours, in bytes.
const LIMIT: u64 = 64 * 1024;

/// The one thing that every version of a manifest says.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Manifest {
    /// A manifest for a segment that is about to be opened.
    #[must_use]
    pub fn new(identity: String, element: String, opened_at: Timestamp) -> Self {
        Self {
            version: VERSION,
            identity,
            element,
            opened_at,
            receipt: None,
            sealed: None,
            salvaged: None,
            name: None,
            tried: None,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// What the disk said; `InvalidData` if the file is no manifest; `Unsupported` if it was
    /// written by a newer version of this program.
    pub fn load(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let bytes = disk::read(disk, path, LIMIT)?;
        // serde_json's message holds a position and a type, never content.
        let invalid =
            |e: serde_json::Error| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
        // Whatever else a newer program writes, this must not be taken for damage.
        let Versioned { version } = serde_json::from_slice(&bytes).map_err(invalid)?;
        if version > VERSION {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!(
                    "spool format {version} is newer than this program's {VERSION}: start the newer version"
                ),
            ));
        }
        let manifest: Self = serde_json::from_slice(&bytes).map_err(invalid)?;
        if !manifest.is_sound() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its counts cannot be"));
        }
        Ok(manifest)
    }

    /// No more counted than there are, none without a byte, and not more bytes than a disk has.
    fn is_sound(&self) -> bool {
        let sealed = self.sealed.as_ref().map(|s| (s.counted, s.items, s.bytes));
        let salvaged = self.salvaged.map(|s| (s.counted, s.items, s.bytes));
        let mut all = sealed.into_iter().chain(salvaged);
        all.all(|(counted, items, bytes)| counted <= items && items <= bytes && bytes < LARGEST)
    }

    /// Writes the manifest by the four steps.
    ///
    /// # Errors
    /// What the disk said; the old manifest is then still in place.
    pub fn store(&self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        disk::replace(disk, path, &self.to_bytes()?)
    }

    /// The file's contents.
    ///
    /// # Errors
    /// None in practice: every field can be written as JSON.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// What the file holds now: items, counted items, bytes.
    #[must_use]
    pub fn holds(&self) -> (u64, u64, u64) {
        match (&self.salvaged, &self.sealed) {
            (Some(s), _) => (s.items, s.counted, s.bytes),
            (None, Some(s)) => (s.items, s.counted, s.bytes),
            (None, None) => (0, 0, 0),
        }
    }

    /// Items that the ledger had counted and that were damaged since.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let counted = self.sealed.as_ref().map_or(0, |s| s.counted);
        self.salvaged.map_or(0, |s| counted.saturating_sub(s.counted))
    }

    /// The checksum that the file must have now.
    #[must_use]
    pub fn file_checksum(&self) -> Option<Checksum> {
        self.salvaged.map(|s| s.checksum).or(self.sealed.as_ref().map(|s| s.checksum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_the_first_version_is_still_read() {
        let text = br#"{"version":1,"identity":"ab-events-000000000007","element":"EVENT",
            "opened_at":"2026-01-02T03:04:05Z","sealed":{"form":{"format":"xml","compression":"none",
            "pretty":false,"date_folders":true},"by":"size","items":2,"counted":2,"bytes":99,
            "checksum":"00000000000000ff","first_received":"2026-01-02T03:04:05Z",
            "last_received":"2026-01-02T03:04:06Z","peers":["10.0.0.1"],"later":1},
            "name":{"sealed_at":"2026-01-02T03:04:06Z","suffix":1},"unknown":true}"#;
        let manifest: Manifest = serde_json::from_slice(text).unwrap();
        assert_eq!(manifest.holds(), (2, 2, 99));
        assert_eq!(manifest.lost(), 0);
        assert!(!manifest.name.unwrap().with_identity);
    }

    #[test]
    fn counts_that_cannot_be_are_those_of_a_damaged_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let salvaged =
            |items, counted, bytes| Salvaged { items, counted, bytes, checksum: Checksum::of(b"") };
        let mut manifest = Manifest::new("a".into(), "EVENT".into(), Timestamp::UNIX_EPOCH);
        for (salvaged, is_sound) in [
            (salvaged(2, 1, 70), true),
            (salvaged(1, 2, 70), false),
            (salvaged(71, 1, 70), false),
            (salvaged(1, 1, LARGEST), false),
        ] {
            manifest.salvaged = Some(salvaged);
            manifest.store(&disk::OsDisk, &path).unwrap();
            assert_eq!(Manifest::load(&disk::OsDisk, &path).is_ok(), is_sound, "{salvaged:?}");
        }
    }

    #[test]
    fn a_manifest_of_a_later_version_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let mut manifest = Manifest::new("a".into(), "EVENT".into(), Timestamp::UNIX_EPOCH);
        manifest.version = VERSION + 1;
        let another_shape = br#"{"version":2,"who":"somebody"}"#.to_vec();
        for text in [manifest.to_bytes().unwrap(), another_shape] {
            disk::replace(&disk::OsDisk, &path, &text).unwrap();
            let error = Manifest::load(&disk::OsDisk, &path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains("newer"), "{error}");
        }
    }
}
