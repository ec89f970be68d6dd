//! `checks/framer.rs`, on whatever the fuzzer thinks of.
#![no_main]

#[path = "../checks/framer.rs"]
mod framer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| framer::check(data));
