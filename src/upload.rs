//! From the spool to the store: claim, encode, name, store, retire.
//!
//! `encode` and `key` are plain functions over bytes; `backoff` and `claim` decide without I/O;
//! `deliver` takes one segment the whole way; `run` feeds it. Trusted: a segment that [`Source`]
//! shows is sealed and synced. Not trusted: its bytes (checked against its checksum when it is
//! claimed), the store's word that a name is taken (its metadata decides), an answer that never
//! came. A segment leaves the disk only after the store has confirmed its object.

pub mod answer;
pub mod backoff;
pub mod body;
pub mod claim;
pub mod credentials;
pub mod deliver;
pub mod destination;
pub mod encode;
pub mod key;
pub mod memory;
pub mod object;
pub mod plan;
pub mod probe;
pub mod put;
pub mod record;
pub mod retire;
pub mod run;
pub mod status;
pub mod url;

use crate::base::disk::DiskReader;
use crate::spool::Lane;
use crate::spool::manifest::Manifest;
use std::io;
use std::time::Duration;
use tokio::sync::watch;

pub use destination::Destination;
pub use plan::{AwsOptions, DestinationOptions, StoreOptions};
pub use run::Uploader;
pub use status::{Landed, UploadStatus};

/// Where sealed segments come from. Every call may block.
pub trait Source: Send + Sync + 'static {
    /// The lowest number of a sealed segment of a lane, above `after` if given.
    fn oldest(&self, lane: Lane, after: Option<u64>) -> Option<u64>;
    /// A segment's manifest.
    ///
    /// # Errors
    /// `InvalidData` if it is none, `Unsupported` if a newer program wrote it, or what the disk said.
    fn manifest(&self, lane: Lane, number: u64) -> io::Result<Manifest>;
    /// Replaces a segment's manifest by the four steps.
    ///
    /// # Errors
    /// What the disk said.
    fn store_manifest(&self, lane: Lane, number: u64, manifest: &Manifest) -> io::Result<()>;
    /// The sealed file, from its start.
    ///
    /// # Errors
    /// What the disk said.
    fn read(&self, lane: Lane, number: u64) -> io::Result<DiskReader>;
    /// The store has confirmed the segment: it leaves the disk and counts as delivered.
    ///
    /// # Errors
    /// What the disk said; the segment may then still be there.
    fn retire(&self, lane: Lane, number: u64) -> io::Result<()>;
    /// Saves what is whole in a damaged sealed file, under the same number, name and checksum.
    ///
    /// # Errors
    /// What the disk said.
    fn salvage(&self, lane: Lane, number: u64) -> io::Result<()>;
    /// Renames a segment to `.stuck`: it counts as spooled and is not shown again.
    ///
    /// # Errors
    /// What the disk said.
    fn set_aside(&self, lane: Lane, number: u64, why: &str) -> io::Result<()>;
    /// Changes whenever a segment was sealed.
    fn sealed_changes(&self) -> watch::Receiver<u64>;
}

/// What `config` decides about uploads.
#[derive(Debug, Clone)]
pub struct Options {
    /// `UPLOAD_CONCURRENCY`: uploads side by side, all lanes together.
    pub concurrency: usize,
    /// `UPLOAD_MEMORY`: bytes of objects in memory, all uploads together.
    pub memory: u64,
    /// `INSTANCE_ID`, printable ASCII.
    pub instance: String,
    /// What made the objects; in their metadata.
    pub producer: String,
    /// How long to wait for what.
    pub pace: Pace,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 4,
            memory: 24 * 1024 * 1024,
            instance: String::from("unnamed"),
            producer: String::from(PRODUCER),
            pace: Pace::default(),
        }
    }
}

/// `xml-stream-aggregator/VERSION`: the producer in metadata, and the user agent.
pub const PRODUCER: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Waiting times. Only tests change them.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first wait after a failed try is up to this long.
    pub base: Duration,
    /// No wait is longer; what somebody must repair is tried again this often.
    pub cap: Duration,
    /// A try is cut off after this …
    pub cut_off: Duration,
    /// … plus one second for this many bytes.
    pub bytes_per_second: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(60),
            cut_off: Duration::from_secs(60),
            bytes_per_second: 32 * 1024,
        }
    }
}

impl Pace {
    /// When a try with `bytes` of body is cut off.
    #[must_use]
    pub fn limit(&self, bytes: u64) -> Duration {
        self.cut_off + Duration::from_secs(bytes / self.bytes_per_second.max(1))
    }
}

/// Runs a blocking call of the spool where it stalls nobody.
///
/// # Errors
/// What the call said. A panic in it goes on here.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(io::Error::other(error)), // the runtime is shutting down
        },
    }
}
