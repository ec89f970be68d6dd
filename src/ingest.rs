//! From the socket to the spool: admit, read, frame, validate, keep.
//!
//! `sieve` and what it is made of (`framer`, `flow`, `divide`, `encoding`, `validator`, `names`,
//! `repair`) are plain functions over bytes; only `accept`, `connection` and `datagram` know
//! sockets. Everything they share is the [`House`].

pub mod accept;
pub mod connection;
pub mod datagram;
pub mod divide;
pub mod encoding;
pub mod flat;
pub mod flow;
pub mod framer;
mod misuse;
pub mod names;
pub mod outside;
pub mod pace;
pub mod registry;
pub mod repair;
mod seldom;
pub mod sieve;
pub mod silence;
mod tally;
pub mod tls;
pub mod validator;
mod visits;
mod worker;

use crate::base::clock::Clock;
use crate::spool::Spool;
use ipnet::IpNet;
use registry::Registry;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::{Semaphore, watch};

/// Bytes of unfinished events that every connection may keep without asking.
pub const OWN_BUFFER: usize = 16 * 1024;
/// Most bytes taken from a socket in one read.
pub const READ_SIZE: usize = 256 * 1024;
/// How long a socket is read after the order to stop, until it is empty.
pub const LAST_READS: Duration = Duration::from_secs(1);

/// What `config` decides for the intake.
#[derive(Debug, Clone)]
pub struct Options {
    /// How streams are read.
    pub sieve: sieve::Options,
    /// An unfinished event is given up after this (`EVENT_TIMEOUT`).
    pub event_timeout: Duration,
    /// A silent connection is closed after this (`IDLE_TIMEOUT`); `None`: never.
    pub idle_timeout: Option<Duration>,
    /// Most connections at once (`MAX_CONNECTIONS`).
    pub max_connections: usize,
    /// Most connections of one peer (`MAX_CONNECTIONS_PER_PEER`).
    pub max_connections_per_peer: usize,
    /// Bytes for all unfinished events beyond each connection's own 16 KiB (`MAX_BUFFER_MEMORY`).
    pub max_buffer_memory: usize,
    /// Who may connect (`ALLOW_FROM`); empty: anybody.
    pub allow_from: Vec<IpNet>,
    /// How fast one peer may send (`RATE_LIMIT_…`); `None`: as fast as it can.
    pub rate_limit: Option<pace::Limit>,
    /// What makes the TCP listener one for TLS (`TLS_…`); `None`: plain.
    pub tls: Option<Arc<tls::Gate>>,
    /// Notices whoever stopped talking (`SILENCE_ALARM`); `None`: nobody asked.
    pub silence: Option<Arc<silence::Silence>>,
}

/// What all connections share.
#[derive(Debug)]
pub struct House {
    /// The settings.
    pub options: Options,
    /// Where whole events go.
    pub spool: Arc<Spool>,
    /// Who is connected.
    pub registry: Registry,
    sieve: Arc<sieve::Options>,
    clock: Arc<dyn Clock>,
    budget: Arc<Semaphore>,
    tally: Tally,
    misuse: misuse::Notes,
    refused: seldom::Seldom,
    visits: visits::Visits,
    pace: Option<pace::Pace>,
    stop: watch::Receiver<bool>,
}

impl House {
    /// Puts the shared parts together; `stop` turns true when the process is asked to end.
    #[must_use]
    pub fn new(
        options: Options,
        spool: Arc<Spool>,
        clock: Arc<dyn Clock>,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let shares = options.max_buffer_memory.div_ceil(1024).max(share_kib(&options));
        Arc::new(Self {
            sieve: Arc::new(options.sieve.clone()),
            registry: Registry::new(options.max_connections, options.max_connections_per_peer),
            budget: Arc::new(Semaphore::new(shares)),
            tally: Tally::default(),
            misuse: misuse::Notes::default(),
            refused: seldom::Seldom::default(),
            visits: visits::Visits::default(),
            pace: options.rate_limit.map(pace::Pace::new),
            options,
            spool,
            clock,
            stop,
        })
    }

    /// Notes for `SILENCE_ALARM` that an event of a peer is in the spool.
    fn heard(&self, peer: Option<IpAddr>) {
        if let (Some(silence), Some(peer)) = (&self.options.silence, peer) {
            silence.heard(peer);
        }
    }
}

/// What one large event may need: itself, the read that completes it, and what the sieve looks ahead.
fn share_kib(options: &Options) -> usize {
    (options.sieve.max_message_size + READ_SIZE).div_ceil(1024) + 1
}
