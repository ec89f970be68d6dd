//! `checks/validator.rs`, on whatever the fuzzer thinks of.
#![no_main]

#[path = "../checks/validator.rs"]
mod validator;

libfuzzer_sys::fuzz_target!(|data: &[u8]| validator::check(data));
