//! The two clocks: the wall clock names and stamps, the monotonic clock measures.
//!
//! Names follow the wall clock, also when it is set back; ages and time-outs never do.

use jiff::Timestamp;
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Where a component reads the time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock, UTC.
    fn wall(&self) -> Timestamp;
    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}
