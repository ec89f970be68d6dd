//! xml-stream-aggregator: one event's way from an appliance's socket to an object store.
//!
//! The modules sort in the order in which an event meets them; `ARCHITECTURE.md` has the path,
//! the promise and the glossary. Arrows point one way:
//! `tools → daemon → config → (ingest → quarantine → spool), (upload → spool), (admin → spool) →
//! event, base`.
//! `tests/suite/arrows.rs` keeps them.

pub mod base;
pub mod event;

pub mod ingest;
pub mod quarantine;
pub mod spool;
pub mod upload;

pub mod admin;
pub mod config;
pub mod daemon;
pub mod tools;
