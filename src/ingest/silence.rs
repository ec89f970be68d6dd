//! Peers that fell silent (`SILENCE_ALARM`): the appliance is never answered, so this is the only
//! way to notice that it stopped talking.
//!
//! A peer is known once an event of it is in the spool, whether or not it is still connected, and
//! across restarts (`DATA_DIR/peers.json`). Its clock stands still while our own reading is stopped
//! and while the process is down: what we did not listen to is not silence. Nobody ever heard is a
//! case of its own. This machine itself is watched only as long as no other is known: where
//! appliances send from elsewhere, `import` and `replay` are no appliance, and where a tunnel ends
//! here, everybody comes from here. Known peers are at most [`MOST_PEERS`]; one that stays silent for [`KEPT`] is
//! forgotten aloud. Not trusted: the file; without a readable one the knowing begins anew.

use crate::base::clock::Clock;
use crate::base::disk::{self, Disk};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Peers that are remembered; further ones are served, but not watched.
pub const MOST_PEERS: usize = 256;
/// A peer that is silent for this long (or twice `SILENCE_ALARM`, if that is longer) is forgotten.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// At most one pair of lines about a peer in this time.
const REPEAT: Duration = Duration::from_secs(60);
/// Peers that one look names in the log; the others are on the status page.
const LINES: usize = 10;
/// How old the times in the file may become.
const SAVE: Duration = Duration::from_secs(60);
/// A larger file is none of ours, in bytes.
const LARGEST_FILE: u64 = 256 * 1024;

/// How silence is watched.
#[derive(Debug, Clone)]
pub struct Options {
    /// `SILENCE_ALARM`.
    pub limit: Duration,
    /// Where the known peers are kept.
    pub file: PathBuf,
}

/// A known peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its address; `None`: nobody was ever heard.
    pub peer: Option<IpAddr>,
    /// Its last event.
    pub last_event_at: Option<Timestamp>,
    /// It fell silent.
    pub silent: bool,
}

/// Who was heard when.
#[derive(Debug)]
pub struct Silence {
    options: Options,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    peers: BTreeMap<IpAddr, Peer>,
    /// Nobody was ever heard, and that was said.
    nobody: bool,
    /// How long we listened so far.
    listened: Duration,
    /// When we looked last, by the monotonic clock.
    looked: Duration,
    saved: Duration,
    /// Peers came, went, fell silent or spoke since the file was written.
    changed: bool,
    /// Only times changed.
    aged: bool,
    told_full: bool,
    told_unsaved: bool,
}

#[derive(Debug)]
struct Peer {
    last_event_at: Timestamp,
    /// What [`State::listened`] was at its last event.
    heard: Duration,
    silent: bool,
    /// What [`State::listened`] was when the log named it last.
    told: Option<Duration>,
    /// The log said that it is silent.
    is_told: bool,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    peers: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    peer: IpAddr,
    last_event_at: Timestamp,
    silent: bool,
}

impl Silence {
    /// Begins with the peers of earlier processes: those that were silent still are, the others
    /// have all of `SILENCE_ALARM` to speak.
    #[must_use]
    pub fn open(options: Options, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let looked = clock.monotonic();
        let peers = load(&*disk, &options).unwrap_or_else(|error| {
            tracing::warn!(%error, file = %options.file.display(), "the list of known peers cannot be read: SILENCE_ALARM begins anew with whoever sends");
            BTreeMap::new()
        });
        let state = Mutex::new(State { peers, looked, saved: looked, ..State::default() });
        Arc::new(Self { options, disk, clock, state })
    }

    /// Notes that an event of a peer is in the spool.
    pub fn heard(&self, peer: IpAddr) {
        let spoke = self.lock().hear(peer, self.clock.wall());
        match spoke {
            Heard::Again(since) => {
                tracing::warn!(%peer, "events from {peer} again; it was silent since {since:.0}");
            }
            Heard::First => tracing::warn!(%peer, "the first event came, from {peer}"),
            Heard::Unwatched => tracing::warn!(
                %peer, most = MOST_PEERS,
                "more peers than SILENCE_ALARM can watch: further ones are served, but not watched"
            ),
            Heard::AsUsual => {}
        }
    }

    /// To be called about once a second: who fell silent by now? `is_connected` tells for the log.
    pub fn look(&self, is_paused: bool, is_connected: &dyn Fn(IpAddr) -> bool) {
        let news = self.lock().look(self.clock.monotonic(), is_paused, self.options.limit);
        let limit = self.options.limit.as_secs();
        for (peer, since) in &news.silent {
            let connected = is_connected(*peer);
            tracing::error!(
                %peer, connected, silence_alarm_s = limit,
                "no event from {peer} since {since:.0}: see that the appliance runs and its collaboration is installed, and the network between"
            );
        }
        if news.more > 0 {
            tracing::error!(more = news.more, "further peers fell silent: see 'status'");
        }
        if news.nobody {
            tracing::error!(
                silence_alarm_s = limit,
                "no event from anybody yet: see that the appliance's collaboration is installed and sends to this host and PORT, and the network between"
            );
        }
        for peer in &news.forgotten {
            tracing::warn!(%peer, "{peer} has been silent for so long that it is forgotten: SILENCE_ALARM watches it again from its next event");
        }
        if !is_paused {
            self.save_if_due();
        }
    }

    /// Writes down who is known; for the end of the process.
    pub fn save(&self) {
        let entries = self.lock().entries();
        let written = serde_json::to_vec(&entries)
            .map_err(io::Error::other)
            .and_then(|bytes| disk::replace(&*self.disk, &self.options.file, &bytes));
        let mut state = self.lock();
        match written {
            Ok(()) => state.told_unsaved = false,
            Err(error) => {
                state.changed = true;
                if !std::mem::replace(&mut state.told_unsaved, true) {
                    tracing::warn!(%error, "the list of known peers cannot be written: after a restart SILENCE_ALARM watches only whoever sends again");
                }
            }
        }
    }

    /// Whoever is silent; nobody ever heard is one of them.
    #[must_use]
    pub fn silent(&self) -> Vec<Known> {
        let state = self.lock();
        let nobody = Known { peer: None, last_event_at: None, silent: true };
        let silent = state.known().filter(|known| known.silent);
        state.nobody.then_some(nobody).into_iter().chain(silent).collect()
    }

    /// All known peers.
    #[must_use]
    pub fn known(&self) -> Vec<Known> {
        self.lock().known().collect()
    }

    fn save_if_due(&self) {
        let now = self.clock.monotonic();
        let is_due = {
            let mut state = self.lock();
            let is_old = state.aged && now.saturating_sub(state.saved) >= SAVE;
            let is_due = state.changed || is_old;
            if is_due {
                (state.changed, state.aged, state.saved) = (false, false, now);
            }
            is_due
        };
        if is_due {
            self.save();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event of a peer means.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    AsUsual,
    /// It was said that it is silent, since then.
    Again(Timestamp),
    /// It was said that nobody was ever heard.
    First,
    /// There is no room for another peer, which was not yet said.
    Unwatched,
}

/// What a look has found.
#[derive(Debug, Default)]
struct News {
    silent: Vec<(IpAddr, Timestamp)>,
    more: usize,
    nobody: bool,
    forgotten: Vec<IpAddr>,
}

impl State {
    fn hear(&mut self, peer: IpAddr, now: Timestamp) -> Heard {
        let heard = self.listened;
        self.aged = true;
        if let Some(known) = self.peers.get_mut(&peer) {
            let since = std::mem::replace(&mut known.last_event_at, now);
            known.heard = heard;
            let is_told = std::mem::take(&mut known.is_told);
            self.changed |= std::mem::take(&mut known.silent);
            return if is_told { Heard::Again(since) } else { Heard::AsUsual };
        }
        if self.peers.len() >= MOST_PEERS {
            let is_told = std::mem::replace(&mut self.told_full, true);
            return if is_told { Heard::AsUsual } else { Heard::Unwatched };
        }
        let new = Peer { last_event_at: now, heard, silent: false, told: None, is_told: false };
        self.peers.insert(peer, new);
        self.changed = true;
        if std::mem::take(&mut self.nobody) { Heard::First } else { Heard::AsUsual }
    }

    fn look(&mut self, now: Duration, is_paused: bool, limit: Duration) -> News {
        let passed = now.saturating_sub(self.looked);
        self.looked = now;
        if !is_paused {
            self.listened += passed;
        }
        let mut news = News { forgotten: self.forget(limit), ..News::default() };
        let listened = self.listened;
        let other_hosts = self.peers.keys().any(|peer| !peer.is_loopback());
        for (peer, known) in &mut self.peers {
            if other_hosts && peer.is_loopback() {
                known.is_told = false;
                self.changed |= std::mem::take(&mut known.silent);
            } else if listened.saturating_sub(known.heard) >= limit && !known.silent {
                known.silent = true;
                self.changed = true;
                known.tell(listened, *peer, &mut news);
            } else if known.silent && !known.is_told && known.told.is_none() {
                known.tell(listened, *peer, &mut news); // silent since an earlier process
            }
        }
        if self.peers.is_empty() && !self.nobody && listened >= limit {
            (self.nobody, news.nobody) = (true, true);
        }
        news
    }

    fn forget(&mut self, limit: Duration) -> Vec<IpAddr> {
        let (listened, kept) = (self.listened, KEPT.max(limit.saturating_mul(2)));
        let gone =
            self.peers.extract_if(.., |_, known| listened.saturating_sub(known.heard) >= kept);
        let gone: Vec<IpAddr> = gone.map(|(peer, _)| peer).collect();
        self.changed |= !gone.is_empty();
        gone
    }

    fn known(&self) -> impl Iterator<Item = Known> + '_ {
        self.peers.iter().map(|(peer, known)| Known {
            peer: Some(*peer),
            last_event_at: Some(known.last_event_at),
            silent: known.silent,
        })
    }

    fn entries(&self) -> File {
        let entry = |(peer, known): (&IpAddr, &Peer)| Entry {
            peer: *peer,
            last_event_at: known.last_event_at,
            silent: known.silent,
        };
        File { peers: self.peers.iter().map(entry).collect() }
    }
}

impl Peer {
    /// Names it in the log, unless that was done a moment ago or others fill this look's lines.
    fn tell(&mut self, listened: Duration, peer: IpAddr, news: &mut News) {
        let is_recent = self.told.is_some_and(|told| listened.saturating_sub(told) < REPEAT);
        if is_recent {
            return;
        }
        self.told = Some(listened);
        if news.silent.len() < LINES {
            self.is_told = true;
            news.silent.push((peer, self.last_event_at));
        } else {
            news.more += 1;
        }
    }
}

fn load(disk: &dyn Disk, options: &Options) -> io::Result<BTreeMap<IpAddr, Peer>> {
    let bytes = match disk::read(disk, &options.file, LARGEST_FILE) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let file: File = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    let peer = |entry: Entry| {
        let Entry { peer, last_event_at, silent } = entry;
        (peer, Peer { last_event_at, heard: Duration::ZERO, silent, told: None, is_told: false })
    };
    Ok(file.peers.into_iter().take(MOST_PEERS).map(peer).collect())
}

#[cfg(test)]
#[path = "silence/tests.rs"]
mod tests;
