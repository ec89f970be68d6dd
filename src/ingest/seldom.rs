//! Lets a few lines through in a while, for what a stranger can repeat at will.
//!
//! What was held back is counted, and the next line says how often it happened.

use crate::base::clock::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One kind of line.
#[derive(Debug)]
pub(super) struct Seldom {
    /// Lines let through in `span`.
    most: u32,
    span: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the span began, and how many lines it has seen.
    span: Option<(Duration, u32)>,
    unsaid: u64,
}

impl Default for Seldom {
    /// For what somebody does wrong: one line in 10 s.
    fn default() -> Self {
        Self::new(1, Duration::from_secs(10))
    }
}

impl Seldom {
    fn new(most: u32, span: Duration) -> Self {
        Self { most, span, state: Mutex::default() }
    }

    /// For what is news as long as it does not happen all the time: 20 lines in a minute.
    pub(super) fn a_few() -> Self {
        Self::new(20, Duration::from_secs(60))
    }

    /// Whether to speak now, and how many times nothing was said since the last line, if ever.
    pub(super) fn due(&self, clock: &dyn Clock) -> Option<Option<u64>> {
        let now = clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let running = state.span.filter(|(since, _)| now.saturating_sub(*since) < self.span);
        let (since, said) = running.unwrap_or((now, 0));
        if said >= self.most {
            state.unsaid += 1;
            return None;
        }
        state.span = Some((since, said + 1));
        let unsaid = std::mem::take(&mut state.unsaid);
        Some((unsaid > 0).then_some(unsaid))
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
        assert_eq!(seldom.due(&clock), Some(None));
        assert_eq!((seldom.due(&clock), seldom.due(&clock)), (None, None));
        clock.0.store(9_999, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), None);
        clock.0.store(10_000, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), Some(Some(3)));
        clock.0.store(30_000, Ordering::Relaxed);
        assert_eq!(seldom.due(&clock), Some(None));
    }

    #[test]
    fn a_few_visits_are_told_one_by_one_and_a_flood_as_a_number() {
        let (clock, visits) = (Dial::default(), Seldom::a_few());
        let said = |times: u32| (0..times).filter(|_| visits.due(&clock) == Some(None)).count();
        assert_eq!((said(20), said(1_000)), (20, 0));
        clock.0.store(60_000, Ordering::Relaxed);
        assert_eq!(visits.due(&clock), Some(Some(1_000)));
        assert_eq!(said(1_000), 19);
    }
}
