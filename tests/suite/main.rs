//! The tests that see the program from outside: the real binary, real sockets, a real S3 protocol
//! server. One binary, so that the server is linked once.
//!
//! | module | what it shows |
//! |---|---|
//! | [`arrows`] | the source keeps the arrows of ARCHITECTURE.md, and every file has its header |
//! | [`harness`] | the store and the checks of this suite do what the tests below rely on |
//! | [`delivery`] | one event's whole way, from plain sockets to objects that an independent parser reads |
//! | [`volume`] | the job in its ordinary size: 100,000 events over eight connections |
//! | [`settings`] | wrong settings and unusable surroundings: message and exit code |
//! | [`uploads`] | the uploads alone against a real store that fails in every way |
//! | [`hostile`] | hostile input and datagrams on real sockets: what arrives, byte for byte |
//! | [`ops`] | the operator's commands: what they say and what they leave behind |
//! | [`network`] | TLS, the rate limit and the admin listener over real sockets |
//! | [`hostile_clients`] | clients that misbehave: the others do not notice, memory keeps its bound |
//! | [`stored`] | `inspect` and `replay` on what is in a store |
//! | [`migration`] | the Python script's settings and leftover file |
//! | [`reference`](mod@reference) | the field reference for people is the list in the code |
//! | [`watch`] | what /readyz, status and check say in each trouble; silence, histograms, log objects |
//! | [`marks`] | no personal data and no secret in anything that is said |
//! | [`faults`] | the drills: nothing lost, nothing doubled, whatever breaks |
//!
//! Random choices follow `DRILL_SEED`; a test that draws any prints the seed it used.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests stand outside of the program and touch its files as a person would"
)]

mod support;

mod arrows;
mod delivery;
mod faults;
mod harness;
mod hostile;
mod hostile_clients;
mod marks;
mod migration;
mod network;
mod ops;
mod reference;
mod settings;
mod stored;
mod uploads;
mod volume;
mod watch;
