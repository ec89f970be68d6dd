//! Lets one line through in a while, for what a stranger can repeat at will.
//!
//! What was held back is counted, and the next line says how often it happened.

use crate::base::clock::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// At most one line in this time.
pub(super) const REPEAT: Duration = Duration::from_secs(10);

/// One kind of line.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Duration>,
    unsaid: u64,
}

impl Seldom {
    /// Whether to speak now, and how many times nothing was said since the last line.
    pub(super) fn due(&self, clock: &dyn Clock) -> Option<u64> {
        let now = clock.monotonic();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_sub(last) < REPEAT) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock that a test sets, in milliseconds.
    #[derive(Debug, Default)]
    pub(in crate::ingest) struct Dial(pub(in crate::ingest) AtomicU64);

    impl Clock for Dial {
        fn wall(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn one_line_in_ten_seconds_and_the_next_says_how_many_were_held_back() {
        let (clock, seldom) = (Dial::default(), Seldom::default());
        assert_eq!(seldom.due(&clock), Some(0));
        assert_eq!((seldom.due(&clock), seldom.due(&clock)), (None, None));
        clock.0.store(9_999, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), None);
        clock.0.store(10_000, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), Some(3));
        clock.0.store(30_000, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), Some(0));
    }
}
