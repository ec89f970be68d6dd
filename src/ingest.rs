//! From the socket to the spool: admit, read, frame, validate, keep.
//!
//! `framer`, `validator`, `repair`, `encoding` and `sieve` are plain functions over bytes; only
//! `accept`, `connection` and `datagram` know sockets.

pub mod sieve;
