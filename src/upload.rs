//! From the spool to the store: claim, encode, name, store, retire.
//!
//! `encode` and `key` are plain functions over bytes.

pub mod encode;
