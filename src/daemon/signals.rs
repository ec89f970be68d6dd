//! What the operating system may ask of the process.

use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// One request may come as two signals: a tool that signals a process and then its group. What
/// follows this soon is not somebody who lost patience.
pub const ECHO: Duration = Duration::from_millis(200);

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

    /// Waits for a second order to stop, behind the echo of the first.
    pub(super) async fn stop_again(&mut self) {
        let first = Instant::now();
        while !(matches!(self.next().await, Asked::Stop(_)) && first.elapsed() > ECHO) {}
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
