//! The drills. Each one breaks something and ends with the same check: every event exactly once in
//! event objects, or in the quarantine, or in the spool; every object well-formed.
//!
//! | what breaks | drills |
//! |---|---|
//! | the program | killed in mid stream, killed in a lull, terminated during an upload |
//! | the store | away, refusing, throttling, slow, resetting, hanging, half answers, lost answers, late commits, old servers |
//! | the disk | spool full, disk full, files damaged |
//! | the neighbours | two instances on one prefix |
//! | the version | a spool that an older one left |

mod disk;
mod neighbours;
pub mod parts;
mod program;
mod store;
mod versions;
