//! File names in the spool, made and read in one place.
//!
//! `000000000042.open`, `.sealed`, `.meta`, `.stuck`: twelve digits or more, never wrapping, so
//! that a sorted listing is the order of sealing. Refused: signs, other extensions, fewer digits,
//! superfluous zeros; such a file is not ours and is left alone.

use serde::Serialize;
use std::path::{Path, PathBuf};

/// For how many seconds the suffixes of object names are remembered; a name met again after that
/// is found out by the store's refusal.
pub(super) const SECONDS_REMEMBERED: usize = 1024;

/// One of the three kinds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
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

/// What the extension says about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being written, or left by a process that ended without sealing.
    Open,
    /// Complete; never changes again.
    Sealed,
    /// The manifest beside it.
    Meta,
    /// Set aside because handling it failed; counted as spooled.
    Stuck,
}

impl State {
    const ALL: [Self; 4] = [Self::Open, Self::Sealed, Self::Meta, Self::Stuck];

    const fn extension(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Meta => "meta",
            Self::Stuck => "stuck",
        }
    }
}

/// `000000000042.open`.
#[must_use]
pub fn file_name(number: u64, state: State) -> String {
    format!("{number:012}.{}", state.extension())
}

/// Reads what [`file_name`] wrote; `None` for any other name.
#[must_use]
pub fn parse(name: &str) -> Option<(u64, State)> {
    let (digits, extension) = name.split_once('.')?;
    let state = State::ALL.into_iter().find(|s| s.extension() == extension)?;
    let number: u64 = digits.parse().ok()?;
    (file_name(number, state) == name).then_some((number, state))
}

/// The number of an unfinished copy (`….open.tmp`), which a crash left behind.
#[must_use]
pub fn parse_litter(name: &str) -> Option<u64> {
    Some(parse(name.strip_suffix(".tmp")?)?.0)
}

/// `<spool-id>-<lane>-<number>`: one segment in the whole world.
#[must_use]
pub fn identity(spool_id: &str, lane: Lane, number: u64) -> String {
    format!("{spool_id}-{}-{number:012}", lane.name())
}

/// Where everything lies below `DATA_DIR`.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The paths below a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// `DATA_DIR` itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file that is locked.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The file with the spool's identity.
    #[must_use]
    pub fn spool_id(&self) -> PathBuf {
        self.root.join("spool-id")
    }

    /// The ledger file.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// The file that is freed so that sealing has room.
    #[must_use]
    pub fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// The folder for what recovery did not understand.
    #[must_use]
    pub fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// A lane's folder.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> PathBuf {
        self.root.join(lane.name())
    }

    /// A segment's file.
    #[must_use]
    pub fn segment(&self, lane: Lane, number: u64, state: State) -> PathBuf {
        self.lane(lane).join(file_name(number, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_back() {
        for number in [0, 1, 42, 999_999_999_999, 1_000_000_000_000, u64::MAX] {
            for state in State::ALL {
                assert_eq!(parse(&file_name(number, state)), Some((number, state)));
            }
        }
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        for name in [
            "42.open",
            "000000000042",
            "000000000042.open.tmp",
            "000000000042.OPEN",
            "+00000000042.open",
            "0000000000042.open",
            "000000000042.seal",
            "99999999999999999999.open",
            ".open",
            "",
            "lost+found",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn litter_is_only_an_unfinished_copy_of_ours() {
        assert_eq!(parse_litter("000000000042.open.tmp"), Some(42));
        assert_eq!(parse_litter("000000000042.open"), None);
        assert_eq!(parse_litter("notes.tmp"), None);
    }
}
