//! Settings: what was typed becomes what is true, in one place.
//!
//! [`Typed`] is what environment and flags say, as text. [`Settings::from_typed`] reads it all,
//! finds every problem at once, and gives [`Settings`], which can be trusted: ranges hold, what
//! depends on each other fits, names and URLs are well-formed. Nothing is started before that.
//! Not checked here: whether a bucket or a folder can be used; that is found out by using it. Ports
//! and the files for TLS are tried by [`Settings::for_start`] only ([`surroundings`]).
//! Secrets come from the environment only, because flags are seen by everybody in the process list.

pub mod defaults;
pub mod problem;
pub mod settings;
pub mod surroundings;
pub mod table;
pub mod typed;

mod aws;
mod destination;
mod env;
mod legacy;
mod network;
mod reader;
mod storage;

pub use aws::endpoint;
pub use env::Env;
pub use problem::{Problem, Problems, Warning};
pub use settings::Settings;
pub use typed::Typed;

#[cfg(test)]
mod tests;
