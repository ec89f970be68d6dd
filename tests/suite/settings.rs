//! Wrong settings and unusable surroundings: what the program says, and how it ends.

use crate::support::process::{Ended, Site};
use crate::support::store::Store;
use std::net::TcpListener;

#[test]
fn no_destination_is_named_with_both_ways_to_give_one() {
    let ended = Site::bare().run(&[]);
    refused(&ended, 2, &["BUCKET_NAME", "DESTINATION"]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let mut site = Site::bare();
    site.set("PORT", "eighty").set("MAX_FILE_SIZE", "-1").set("BUCKET_NAME", "No_Bucket");
    site.set("ROTATION_INTERVAL", "1 fortnight");
    let named = ["PORT", "eighty", "MAX_FILE_SIZE", "-1", "BUCKET_NAME", "No_Bucket"];
    refused(&site.run(&[]), 2, &named);
    refused(&site.run(&[]), 2, &["ROTATION_INTERVAL", "fortnight"]);
}

#[test]
fn a_flag_is_a_setting_too() {
    let site = Site::bare();
    refused(&site.run(&["--bucket-name", "ab"]), 2, &["ab"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
    let ended = check.arg("check").env_clear().stdout(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(141), "like any program before `head`");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_port_in_use_is_named() {
    let store = Store::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut site = Site::new(&store);
    site.set("PORT", &port);
    refused(&site.run(&[]), 2, &[&port, "PORT"]);
}

#[test]
fn a_locked_spool_is_named() {
    let store = Store::start();
    let mut site = Site::new(&store);
    let mut first = site.start();
    site.set("PORT", "0");
    let data = site.data();
    refused(&site.run(&[]), 3, &[data.to_str().unwrap(), "DATA_DIR"]);
    assert!(first.lives());
}

#[test]
fn a_spool_that_cannot_be_written_is_named() {
    let store = Store::start();
    let mut site = Site::new(&store);
    let file = site.path("file");
    std::fs::write(&file, "in the way").unwrap();
    let data = file.join("data").to_str().unwrap().to_owned();
    site.set("DATA_DIR", &data);
    refused(&site.run(&[]), 3, &[&data, "DATA_DIR"]);
}

#[test]
fn settings_of_the_script_are_accepted_with_one_warning() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("MAX_RETRIES", "3").set("RETRY_BASE_DELAY", "1");
    site.set("CURRENT_FILE", "/dev/shm/current.xml").set("TEMP_FILE", "/dev/shm/temp.xml");
    let ended = site.start().terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let warnings: Vec<_> = ended.log.lines().filter(|l| l.contains("MAX_RETRIES")).collect();
    assert_eq!(warnings.len(), 1, "{}", ended.log);
    for name in ["RETRY_BASE_DELAY", "CURRENT_FILE", "TEMP_FILE"] {
        assert!(warnings[0].contains(name), "{}", warnings[0]);
    }
}

#[test]
fn help_lists_every_setting() {
    let ended = Site::bare().run(&["--help"]);
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let named = ["PORT", "BIND_HOST", "BUCKET_NAME", "DESTINATION", "PREFIX", "USE_DATE_FOLDERS"];
    let more =
        ["ROTATION_INTERVAL", "MAX_FILE_SIZE", "DATA_DIR", "SYNC_INTERVAL", "MAX_SPOOL_SIZE"];
    for name in named.into_iter().chain(more) {
        assert!(ended.output.contains(name), "{name} is not in --help");
    }
}

/// The program ended with this code, and said all of these.
fn refused(ended: &Ended, code: i32, said: &[&str]) {
    assert_eq!(ended.code(), Some(code), "{}", ended.log);
    for text in said {
        assert!(ended.log.contains(text), "'{text}' is not in: {}", ended.log);
    }
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}
