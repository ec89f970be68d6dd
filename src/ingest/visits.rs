//! Tells the log who comes and goes, as long as that is news: a sender that connects anew for each
//! event, or a flood of connections, becomes a number in the next line. A fault of ours is always told.

use super::registry::Link;
use super::seldom::Seldom;
use crate::base::clock::Clock;
use std::io;
use std::net::IpAddr;

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it.
    Closed,
    /// The network broke it.
    Failed(io::Error),
    /// `IDLE_TIMEOUT`.
    Idle,
    /// A newcomer took its place.
    Replaced,
    /// The process is ending.
    Stopping,
    /// The sieve panicked.
    Panicked,
}

/// The lines about connections, each kind with its own limit.
#[derive(Debug)]
pub(super) struct Visits {
    opened: Seldom,
    closed: Seldom,
    broken: Seldom,
}

impl Default for Visits {
    fn default() -> Self {
        Self { opened: Seldom::a_few(), closed: Seldom::a_few(), broken: Seldom::a_few() }
    }
}

impl Visits {
    /// Somebody came; `connections` are open now.
    pub(super) fn opened(&self, peer: IpAddr, connections: usize, clock: &dyn Clock) {
        let Some(unsaid) = self.opened.due(clock) else { return };
        tracing::info!(%peer, connections, unsaid, "connection opened");
    }

    /// A connection has ended, and whatever it brought is in the spool.
    pub(super) fn ended(&self, link: &Link, end: &End, clock: &dyn Clock) {
        match end {
            End::Closed => self.left(link, "connection closed by the sender", clock),
            End::Stopping => self.left(link, "connection closed at our end", clock),
            End::Replaced => self.left(link, "connection closed: a new one took its place", clock),
            End::Idle => self.left(link, "connection closed after IDLE_TIMEOUT", clock),
            End::Failed(error) => self.broke(link, error, clock),
            End::Panicked => panicked(link),
        }
    }

    fn left(&self, link: &Link, words: &str, clock: &dyn Clock) {
        let Some(unsaid) = self.closed.due(clock) else { return };
        let (peer, brought) = (link.peer(), link.brought());
        let (events, rejected) = (brought.events, brought.rejects);
        tracing::info!(%peer, events, rejected, unsaid, "{words}");
    }

    fn broke(&self, link: &Link, error: &io::Error, clock: &dyn Clock) {
        let Some(unsaid) = self.broken.due(clock) else { return };
        let (peer, brought) = (link.peer(), link.brought());
        let (events, rejected) = (brought.events, brought.rejects);
        tracing::warn!(%peer, events, rejected, %error, unsaid, "connection broken by the network");
    }
}

fn panicked(link: &Link) {
    let (peer, brought) = (link.peer(), link.brought());
    tracing::error!(
        %peer,
        events = brought.events,
        rejected = brought.rejects,
        "the program failed while reading this connection; its bytes are in the quarantine (reason \
         panic): please report them"
    );
}
