//! daemon: see ARCHITECTURE.md.
//!
//! The shape that the tools are written against; the parts are not joined yet, and both ways in say
//! so and fail.

use crate::config::Settings;
use crate::spool::Lane;
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::sync::broadcast;

/// The whole program.
#[derive(Debug)]
pub struct Daemon;

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
#[error("this version cannot listen yet")]
pub struct StartError;

impl StartError {
    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        1
    }
}

/// The program at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub listen_addr: SocketAddr,
    landed: broadcast::Sender<Landed>,
}

/// An object that the store has confirmed.
#[derive(Debug, Clone)]
pub struct Landed {
    /// Its lane.
    pub lane: Lane,
    /// Where it lies: a URL.
    pub location: String,
    /// Events or records in it.
    pub items: u64,
    /// Bytes of the object.
    pub bytes: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Events received.
    pub received_events: u64,
    /// Events in stored objects.
    pub delivered_events: u64,
    /// Rejected pieces received.
    pub received_pieces: u64,
    /// Rejected pieces in stored objects.
    pub delivered_pieces: u64,
    /// What waits in the spool.
    pub spooled: u64,
}

impl Daemon {
    /// Starts everything.
    ///
    /// # Errors
    /// Always, for now.
    pub async fn start(_settings: Settings) -> Result<Running, StartError> {
        Err(StartError)
    }
}

impl Running {
    /// What lands from now on.
    #[must_use]
    pub fn landed(&self) -> broadcast::Receiver<Landed> {
        self.landed.subscribe()
    }

    /// Ends it in order.
    pub async fn stop(self, _reason: &'static str) -> Summary {
        Summary::default()
    }
}

/// The `run` command.
#[must_use]
pub fn run(_settings: Settings) -> ExitCode {
    eprintln!("error: {StartError}");
    ExitCode::FAILURE
}
