//! `checks/repair.rs`, on whatever the fuzzer thinks of.
#![no_main]

#[path = "../checks/repair.rs"]
mod repair;

libfuzzer_sys::fuzz_target!(|data: &[u8]| repair::check(data));
