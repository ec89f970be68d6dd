//! The spool: what was received and is not yet confirmed by the store, in plain files.
//!
//! See `ARCHITECTURE.md` for the files and the order of steps. Three lanes of the same kind, each
//! with its own segments. Trusted: what was synced. Not trusted: the length of an `.open` file,
//! the folder of an earlier process (`recover` looks at it behind the intake).
//!
//! Locks are taken in this order and no other: a lane's `keeper` (one thread at a time finishes
//! segments), its `writer` (short: one write), its `hidden` numbers, the ledger.

mod append;
mod folder;
mod keep;
pub mod ledger;
pub mod manifest;
pub mod names;
mod open;
pub mod ranges;
mod recovery;
pub mod reserve;
mod salvage;
pub mod sealed;
pub mod status;

use crate::base::clock::Clock;
use crate::base::disk::{self, Disk};
use crate::event::ElementName;
use folder::{load_ledger, lock_folder, make_folders, spool_id, unusable};
use jiff::Timestamp;
use ledger::{Ledger, PerLane};
use manifest::{Form, SealedBy};
use names::Paths;
use open::{Now, OpenSegment};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

pub use ledger::{Sums, read_ledger};
pub use names::Lane;
pub use reserve::{Blocked, Pause, Paused};
pub use status::Status;

/// How far ahead of the last number the ledger file allows numbers to be given out.
const NUMBERS_AHEAD: u64 = 16;

/// How the spool is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// `DATA_DIR`.
    pub dir: PathBuf,
    /// `SYNC_INTERVAL`.
    pub sync_interval: Duration,
    /// `ROTATION_INTERVAL`.
    pub rotation_interval: Duration,
    /// `MAX_FILE_SIZE` in bytes, header and footer included.
    pub max_file_size: u64,
    /// `MAX_SPOOL_SIZE` in bytes; the quarantine and the logs may use a tenth each.
    pub max_spool_size: u64,
    /// Room kept for sealing and recovery, in bytes: `MAX_MESSAGE_SIZE` + 1 MiB.
    pub reserve: u64,
    /// `EVENT_ELEMENT`.
    pub element: ElementName,
    /// The form of event objects. Quarantine and log objects are always uncompressed NDJSON, with
    /// the same date folders.
    pub form: Form,
    /// Finds the whole events in a file that was not sealed, or that is damaged.
    pub recoverer: Arc<dyn Recoverer>,
}

/// Finds whole events in bytes: the framer and the validator that the socket uses, with repair
/// off, as UTF-8, without a limit of size.
pub trait Recoverer: Debug + Send + Sync + 'static {
    /// Calls `each` with the place of every whole, well-formed event, in order, in bytes from the
    /// start of `input`. `length` is how much `input` holds; no event can be larger.
    ///
    /// # Errors
    /// Only what reading `input` gave.
    fn events(
        &self,
        element: &ElementName,
        input: &mut dyn io::Read,
        length: u64,
        each: &mut dyn FnMut(Range<u64>),
    ) -> io::Result<()>;
}

/// Why a spool could not be opened; the process ends with exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error(
        "the spool in {} is in use by another process: stop that one, or give this one its own DATA_DIR",
        dir.display()
    )]
    Locked {
        /// `DATA_DIR`.
        dir: PathBuf,
    },
    /// The folder cannot be used.
    #[error(
        "the spool cannot be used: {doing} {} failed: {source}; DATA_DIR must be a folder on a local disk that this user may write to",
        path.display()
    )]
    Unusable {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer version of the program has written it.
    #[error(
        "{} was written by a newer version of this program: start that version, or give this one its own DATA_DIR",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
}

/// What one lane keeps in memory: the same for ten segments and for a million.
#[derive(Debug)]
struct LaneState {
    /// Held by whoever syncs, seals or recovers.
    keeper: Mutex<()>,
    writer: Mutex<Writer>,
    /// Numbers of this process's segments that are not sealed and durable yet.
    hidden: Mutex<BTreeSet<u64>>,
    /// The next number to be given out.
    next: AtomicU64,
    /// Numbers up to this one may be given out without asking the ledger file.
    reserved: AtomicU64,
    /// Where this process began; files with smaller numbers are those of earlier ones.
    first: u64,
    /// Bytes in the lane's segments.
    used: AtomicU64,
}

/// What is under a lane's append lock.
#[derive(Debug, Default)]
struct Writer {
    current: Option<OpenSegment>,
    /// Full or old segments on their way to being sealed, oldest first.
    closing: VecDeque<Closing>,
    /// Items counted in the segment that is being sealed at this moment.
    in_hand: u64,
    /// A number whose files could not be made yet.
    number: Option<u64>,
    /// When the last sync began.
    synced_at: Duration,
    /// Seconds that have given names, and the next suffix in each.
    names: BTreeMap<i64, u32>,
}

/// A segment that is being sealed.
#[derive(Debug)]
struct Closing {
    segment: OpenSegment,
    by: SealedBy,
    /// A sync of it failed: only what can be read back counts.
    suspect: bool,
    /// It is complete and durable; only its names are missing.
    complete: bool,
}

impl Closing {
    const fn new(segment: OpenSegment, by: SealedBy) -> Self {
        Self { segment, by, suspect: false, complete: false }
    }
}

/// The spool.
#[derive(Debug)]
pub struct Spool {
    options: Options,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    paths: Paths,
    id: String,
    lanes: PerLane<LaneState>,
    ledger: Mutex<Ledger>,
    /// Held while the ledger file is written, so that a later state never meets an earlier one.
    ledger_file: Mutex<()>,
    paused: watch::Sender<Paused>,
    room: Mutex<reserve::RoomKeeper>,
    sealed: watch::Sender<u64>,
    due: Mutex<recovery::Due>,
    last_sync: Mutex<Option<Duration>>,
    last_seal: Mutex<Option<Timestamp>>,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Spool {
    /// Opens the spool in a folder and locks it; it takes items at once.
    ///
    /// What earlier processes left is not looked at here: see `recover`.
    ///
    /// # Errors
    /// The folder is locked, cannot be used, or is of a newer version.
    pub fn open(
        options: Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, OpenError> {
        let paths = Paths::new(&options.dir);
        make_folders(&*disk, &paths)?;
        let lock = lock_folder(&*disk, &paths)?;
        let ledger = load_ledger(&*disk, &paths, spool_id(&*disk, &paths)?)?;
        let id = ledger.spool_id().to_owned();
        let lanes = PerLane::make(|lane| LaneState::new(ledger.totals(lane)));
        let spool = Arc::new(Self {
            options,
            disk,
            clock,
            paths,
            id,
            lanes,
            ledger: Mutex::new(ledger),
            ledger_file: Mutex::default(),
            paused: watch::Sender::new(Paused::default()),
            room: Mutex::default(),
            sealed: watch::Sender::new(0),
            due: Mutex::default(),
            last_sync: Mutex::default(),
            last_seal: Mutex::default(),
            _lock: lock,
        });
        spool.begin()?;
        Ok(spool)
    }

    /// Writes what must be there before the first item. A full disk is no reason to end: it
    /// pauses the spool.
    fn begin(&self) -> Result<(), OpenError> {
        for written in [self.make_reserve(), self.write_ledger()] {
            match written {
                Err(error) if reserve::is_full(&error) => self.disk_trouble(&error),
                other => other.map_err(|e| unusable("writing to", self.paths.root())(e))?,
            }
        }
        Ok(())
    }

    /// The spool's identity in the whole world.
    #[must_use]
    pub fn spool_id(&self) -> &str {
        &self.id
    }

    /// A segment's identity in the whole world.
    #[must_use]
    pub fn identity(&self, lane: Lane, number: u64) -> String {
        names::identity(&self.id, lane, number)
    }

    /// Changes whenever a segment was sealed and may be uploaded.
    #[must_use]
    pub fn sealed_changes(&self) -> watch::Receiver<u64> {
        self.sealed.subscribe()
    }

    fn lane(&self, lane: Lane) -> &LaneState {
        self.lanes.get(lane)
    }

    fn now(&self) -> Now {
        Now { wall: self.clock.wall(), monotonic: self.clock.monotonic() }
    }

    /// Writes the ledger file by the four steps, if it does not say what the memory says. Whoever
    /// waited while another wrote finds his own change written.
    fn write_ledger(&self) -> io::Result<()> {
        let _file = guard(&self.ledger_file);
        let (bytes, reserved) = {
            let mut ledger = guard(&self.ledger);
            if !ledger.dirty {
                return Ok(());
            }
            let reserved = PerLane::make(|lane| {
                let next = self.lane(lane).next.load(Ordering::SeqCst);
                ledger.reserve(lane, next + NUMBERS_AHEAD);
                next + NUMBERS_AHEAD
            });
            ledger.dirty = false;
            (ledger.to_bytes()?, reserved)
        };
        if let Err(error) = disk::replace(&*self.disk, &self.paths.ledger(), &bytes) {
            guard(&self.ledger).dirty = true;
            return Err(error);
        }
        for lane in Lane::ALL {
            self.lane(lane).reserved.fetch_max(*reserved.get(lane), Ordering::SeqCst);
        }
        Ok(())
    }
}

impl LaneState {
    fn new(totals: &ledger::Totals) -> Self {
        let first = totals.reserved + 1;
        Self {
            keeper: Mutex::default(),
            writer: Mutex::default(),
            hidden: Mutex::default(),
            next: AtomicU64::new(first),
            reserved: AtomicU64::new(totals.reserved),
            first,
            used: AtomicU64::new(totals.bytes),
        }
    }
}

/// Locks a mutex. A thread that panicked in it left nothing half done: every change under our
/// locks is a plain assignment behind the disk call that may fail.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where one item of a [`Batch`] ends, and whether the ledger counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Offset in [`Batch::bytes`] behind the item and its line break.
    pub end: u32,
    /// False for copies of repaired events and for all but the last part of a piece.
    pub counted: bool,
}

/// What one read brought for one lane: whole events (or whole JSON lines), each followed by `\n`.
///
/// The spool takes items from the front as it writes them, so a batch that met a full disk is
/// simply handed in again: `next` is the first item not yet written.
#[derive(Debug, Default)]
pub struct Batch {
    /// The items, back to back.
    pub bytes: Vec<u8>,
    /// Their ends.
    pub items: Vec<Item>,
    /// First item that is not yet in the spool.
    pub next: usize,
    /// Who sent it.
    pub peer: Option<IpAddr>,
    /// When it was read.
    pub received_at: Option<Timestamp>,
}

impl Batch {
    /// Adds an item and its line break.
    pub fn push(&mut self, item: &[u8], counted: bool) {
        self.bytes.extend_from_slice(item);
        self.bytes.push(b'\n');
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.items.push(Item { end, counted });
    }

    /// Adds an item that `write` appends to the bytes, and its line break.
    pub fn push_with(&mut self, counted: bool, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.push(&[], counted);
    }

    /// Whether everything in it has been written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next >= self.items.len()
    }

    /// Empties it for the next read; keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
        self.next = 0;
    }
}
