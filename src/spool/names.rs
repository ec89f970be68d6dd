//! File names in the spool, made and read in one place.
//!
//! `000000000042.open`, `.sealed`, `.meta`, `.stuck`: twelve digits or more, never wrapping.

/// One of the three kinds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Accepted events.
    Events,
    /// Rejected pieces, one JSON record a line.
    Quarantine,
    /// Our own warnings and errors (`LOG_TO_STORE`), one JSON record a line.
    Logs,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 3] = [Self::Events, Self::Quarantine, Self::Logs];

    /// The folder's name, also used in identities, metrics and log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
            Self::Logs => "logs",
        }
    }
}
