//! What the fuzzers once found, and the seeds they begin with, hold in `cargo test` too.
//!
//! `tests/fuzz/TARGET/NAME` is an input of `fuzz/fuzz_targets/TARGET.rs`; the checks are the same
//! code (`fuzz/checks`). The hostile samples go through all of them as well.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../fuzz/checks/framer.rs"]
mod framer;
#[path = "../fuzz/checks/recovery.rs"]
mod recovery;
#[path = "../fuzz/checks/repair.rs"]
mod repair;
#[path = "spool_kit/sim.rs"]
#[allow(dead_code, reason = "its faults are for others")]
mod sim;
#[path = "../fuzz/checks/validator.rs"]
mod validator;

use std::fs;
use std::path::{Path, PathBuf};

fn inputs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "expect")).collect()
}

fn run(target: &str, check: fn(&[u8])) {
    let kept = inputs(&format!("fuzz/{target}"));
    assert!(!kept.is_empty(), "no input is kept for {target}");
    for path in kept.iter().chain(&inputs("hostile")) {
        // The name of an input that panics is the last one shown.
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
    }
}

#[test]
fn the_framer_gives_the_same_frames_however_they_are_cut() {
    run("framer", framer::check);
}

#[test]
fn what_the_validator_accepts_two_other_parsers_accept() {
    run("validator", validator::check);
}

#[test]
fn what_was_mended_is_not_mended_again() {
    run("repair", repair::check);
}

#[test]
fn any_file_of_the_spool_may_hold_anything() {
    run("recovery", recovery::check);
}
