//! Small parts without knowledge of events: clock, disk, checksum, sizes, durations, secrets.

pub mod checksum;
pub mod clock;
pub mod disk;
pub mod secret;
pub mod units;
