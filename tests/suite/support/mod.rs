//! What the tests stand on: a store, the program as a process, an appliance, and the check.

pub mod appliance;
pub mod check;
pub mod pages;
pub mod process;
pub mod sender;
pub mod store;
