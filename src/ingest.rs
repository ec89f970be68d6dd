//! From the socket to the spool: admit, read, frame, validate, keep.
//!
//! `sieve` and what it is made of (`framer`, `outside`, `flow`, `flat`, `divide`, `encoding`, `validator`, `names`, `repair`)
//! are plain functions over bytes; only `accept`, `connection` and `datagram` know sockets.

pub mod divide;
pub mod encoding;
pub mod flat;
pub mod flow;
pub mod framer;
pub mod names;
pub mod outside;
pub mod repair;
pub mod sieve;
pub mod validator;
