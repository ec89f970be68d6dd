//! How the process is, as `/api/status` says it: counts, times and reasons, never content.

use crate::spool::Sums;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A clock that differs by more from the store's is worth a word, in seconds.
pub const WRONG_CLOCK: u64 = 60;

/// The answer of `/api/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// `INSTANCE_ID`.
    pub instance: String,
    /// Seconds since the process began.
    pub uptime_s: u64,
    /// Where appliances are listened for.
    pub listening: Vec<String>,
    /// Where event objects go, without secrets.
    pub destination: String,
    /// Where everything is that was received.
    pub ledger: Ledger,
    /// What waits on the disk.
    pub spool: Spool,
    /// How the store takes it.
    pub uploads: Uploads,
    /// Who is connected.
    pub connections: Vec<Connection>,
    /// Peers that fell silent (`SILENCE_ALARM`).
    pub silence: Vec<Silence>,
}

/// `received = delivered + quarantined + spooled (+ damaged)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Events and rejected pieces.
    pub received: u64,
    /// Events in stored objects.
    pub delivered: u64,
    /// Rejected pieces in stored objects.
    pub quarantined: u64,
    /// Both, still on the disk.
    pub spooled: u64,
    /// Lost by the disk after they were counted; what is left of them is under `damaged/`.
    pub damaged: u64,
    /// The totals were compared with the files.
    pub checked: bool,
    /// The sum is right.
    pub balanced: bool,
}

impl From<Sums> for Ledger {
    fn from(sums: Sums) -> Self {
        Self {
            received: sums.received,
            delivered: sums.delivered,
            quarantined: sums.quarantined,
            spooled: sums.spooled,
            damaged: sums.damaged,
            checked: sums.checked,
            balanced: sums.is_balanced(),
        }
    }
}

/// What waits on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    /// Bytes in segments.
    pub bytes: u64,
    /// `MAX_SPOOL_SIZE`.
    pub max_bytes: u64,
    /// Sealed segments that wait for the store.
    pub segments: u64,
    /// Age of the oldest of them in seconds.
    pub oldest_age_s: Option<u64>,
    /// Reading is stopped.
    pub paused: bool,
    /// Why, and what to do.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How long the last sync took, in milliseconds.
    pub last_sync_ms: Option<u64>,
}

/// How the store takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uploads {
    /// Objects on their way.
    pub in_flight: u64,
    /// The last object stored.
    pub last_object: Option<String>,
    /// When.
    pub last_object_at: Option<Timestamp>,
    /// What the store said last when it refused, and what to do.
    pub last_error: Option<String>,
    /// When.
    pub last_error_at: Option<Timestamp>,
    /// Since when it refuses; none when all is well.
    pub since: Option<Timestamp>,
    /// Seconds that this machine's clock is ahead of the store's; none before its first answer.
    #[serde(default)]
    pub clock_skew_s: Option<i64>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Number since the process began.
    pub id: u64,
    /// Address of the other end.
    pub peer: String,
    /// Seconds since it was opened.
    pub age_s: u64,
    /// Seconds since something was read.
    pub idle_s: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Events accepted.
    pub events: u64,
    /// Quarantine records made.
    pub rejected: u64,
}

/// A known peer that has not sent an event for `SILENCE_ALARM`, or nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its address; none: nobody ever sent an event.
    pub peer: Option<String>,
    /// Its last event.
    pub last_event_at: Option<Timestamp>,
    /// It has a connection (with none: anybody has).
    pub connected: bool,
}

impl Status {
    /// Why the process cannot take events; none when it can.
    #[must_use]
    pub fn why_not_ready(&self) -> Option<String> {
        let reason = self.spool.reason.as_deref().unwrap_or("reading is stopped");
        self.spool.paused.then(|| format!("paused: {reason}"))
    }

    /// What `/readyz` says: whether events are taken, and a line for each trouble, or how many
    /// there are.
    #[must_use]
    pub fn readiness(&self, with_details: bool) -> String {
        let not_ready = self.why_not_ready();
        let mut lines = vec![not_ready.clone().unwrap_or_else(|| "ready: events are taken".into())];
        let others: Vec<String> =
            self.troubles().into_iter().skip(not_ready.iter().len()).collect();
        match (others.len(), with_details) {
            (0, _) => {}
            (_, true) => lines.extend(others.iter().map(|other| format!("attention: {other}"))),
            (count, false) => lines.push(format!(
                "attention: {count} more; ask with 'Authorization: Bearer <ADMIN_TOKEN>'"
            )),
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// All that somebody must look at, worst first, in words that say what to do.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles: Vec<String> = self.why_not_ready().into_iter().collect();
        if let (Some(error), Some(since)) = (&self.uploads.last_error, self.uploads.since) {
            troubles.push(format!("the store takes nothing since {since:.0}: {error}"));
        }
        troubles.extend(self.uploads.clock_trouble());
        if self.ledger.checked && !self.ledger.balanced {
            troubles.push("the ledger does not balance: run 'ledger' and report it".into());
        }
        if self.ledger.damaged > 0 {
            let damaged = self.ledger.damaged;
            troubles.push(format!("the disk lost {damaged} items: see DATA_DIR/damaged"));
        }
        troubles.extend(self.silence.iter().map(Silence::words));
        troubles
    }
}

impl Uploads {
    fn clock_trouble(&self) -> Option<String> {
        let skew = self.clock_skew_s.filter(|skew| skew.unsigned_abs() > WRONG_CLOCK)?;
        let (seconds, side) = (skew.unsigned_abs(), if skew > 0 { "ahead of" } else { "behind" });
        Some(format!(
            "this machine's clock is {seconds} s {side} the store's: set it (NTP); names and times of what is stored are wrong by as much"
        ))
    }
}

impl Silence {
    fn words(&self) -> String {
        let link = match self.connected {
            true => {
                "it is connected: see that its collaboration is installed, its schedule and events"
            }
            false => {
                "it has no connection: see that it runs, its collaboration (Installed, Host, Port) and the network between"
            }
        };
        match (&self.peer, self.last_event_at) {
            (Some(peer), Some(at)) => {
                format!("the appliance is silent: no event from {peer} since {at:.0}; {link}")
            }
            (Some(peer), None) => format!("the appliance is silent: no event from {peer}; {link}"),
            (None, _) if self.connected => {
                "the appliance is silent: somebody is connected, but no event ever came; see its schedule and events".into()
            }
            (None, _) => {
                "the appliance is silent: no event ever came from anybody; see its collaboration (Installed, Host, Port) and the network between".into()
            }
        }
    }
}
