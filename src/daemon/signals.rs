//! What the operating system may ask of the process.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal, as what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM or SIGINT: end in order; the second time: at once.
    Stop(&'static str),
    /// SIGHUP: seal now, and end every wait after a failed upload.
    Seal,
}

/// The three signals we answer.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over from their default, which would end the process at once.
    ///
    /// # Errors
    /// The operating system refused a handler.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Seal,
        }
    }
}
