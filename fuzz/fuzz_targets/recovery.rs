//! `checks/recovery.rs`, on whatever the fuzzer thinks of.
#![no_main]

#[path = "../checks/recovery.rs"]
mod recovery;
#[path = "../../tests/spool_kit/sim.rs"]
#[allow(dead_code, reason = "the tests of the spool use all of it")]
mod sim;

libfuzzer_sys::fuzz_target!(|data: &[u8]| recovery::check(data));
