//! What a crash or a bad disk leaves in the spool: whole items stay, the rest is set aside, the
//! ledger balances.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod spool_kit;

use spool_kit::bad::BadSector;
use spool_kit::{Rig, push};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use xml_stream_aggregator::base::checksum::Checksum;
use xml_stream_aggregator::base::disk::OsDisk;
use xml_stream_aggregator::spool::manifest::SealedBy;
use xml_stream_aggregator::spool::{Batch, Lane, OpenError, Spool, read_ledger};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n";

/// A spool whose process ended without sealing; gives the path of its `.open`.
fn left_open(rig: &Rig, events: &[&str]) -> PathBuf {
    let spool = rig.open();
    push(&spool, events).unwrap();
    drop(spool);
    let name = rig.files("events").into_iter().find(|f| f.ends_with(".open")).unwrap();
    rig.dir.path().join("events").join(name)
}

fn recovered(rig: &Rig) -> Arc<Spool> {
    let spool = rig.open();
    spool.recover();
    assert!(spool.ledger().checked);
    assert!(spool.ledger().is_balanced(), "{:?}", spool.ledger());
    spool
}

fn text(spool: &Spool, lane: Lane) -> String {
    let number = spool.oldest(lane, None).expect("a sealed segment");
    let mut text = String::new();
    spool.read(lane, number).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn damaged(rig: &Rig) -> Vec<Vec<u8>> {
    let names = rig.files("damaged");
    names.iter().map(|n| fs::read(rig.dir.path().join("damaged").join(n)).unwrap()).collect()
}

#[test]
fn an_open_segment_of_an_earlier_process_is_sealed_with_its_first_receipt_and_peer() {
    let rig = Rig::new();
    let began = xml_stream_aggregator::base::clock::Clock::wall(&*rig.clock);
    left_open(&rig, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]);
    rig.clock.advance(std::time::Duration::from_secs(60));
    let spool = recovered(&rig);
    assert_eq!(
        text(&spool, Lane::Events),
        format!("{HEAD}<EVENT>1</EVENT>\n<EVENT>2</EVENT>\n</EVENTS>\n")
    );
    let sealed = rig.segments(&spool, Lane::Events).remove(0);
    assert_eq!((sealed.items, sealed.by), (2, SealedBy::Recovery));
    assert_eq!(sealed.first_received, began);
    assert_eq!(sealed.peers, ["10.0.0.1"]);
    assert_eq!(spool.ledger().received, 2);
    assert!(damaged(&rig).is_empty());
}

#[test]
fn a_torn_tail_is_set_aside_and_cut_off() {
    let rig = Rig::new();
    let path = left_open(&rig, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 4);
    fs::write(&path, &bytes).unwrap();
    let spool = recovered(&rig);
    assert_eq!(text(&spool, Lane::Events), format!("{HEAD}<EVENT>1</EVENT>\n</EVENTS>\n"));
    assert_eq!(damaged(&rig), [b"<EVENT>2</EVE"]);
}

#[test]
fn an_event_without_its_line_break_is_whole() {
    let rig = Rig::new();
    let path = left_open(&rig, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes.pop();
    fs::write(&path, &bytes).unwrap();
    let spool = recovered(&rig);
    assert_eq!(
        text(&spool, Lane::Events),
        format!("{HEAD}<EVENT>1</EVENT>\n<EVENT>2</EVENT>\n</EVENTS>\n")
    );
    assert!(damaged(&rig).is_empty());
}

/// Power cut, a page of zeros: two half events must not become one that never happened.
#[test]
fn a_page_of_zeros_in_the_middle_costs_only_what_it_hit() {
    let rig = Rig::new();
    let path = left_open(
        &rig,
        &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>", "<EVENT>3</EVENT>", "<EVENT>4</EVENT>"],
    );
    let mut bytes = fs::read(&path).unwrap();
    let at = HEAD.len() + 17 + 8;
    bytes[at..at + 17].fill(0);
    fs::write(&path, &bytes).unwrap();
    let spool = recovered(&rig);
    assert_eq!(
        text(&spool, Lane::Events),
        format!("{HEAD}<EVENT>1</EVENT>\n<EVENT>4</EVENT>\n</EVENTS>\n")
    );
    let mut hole = b"<EVENT>2".to_vec();
    hole.extend([0; 17]);
    hole.extend(b"</EVENT>\n");
    assert_eq!(damaged(&rig), [hole]);
}

#[test]
fn zeros_between_two_events_do_not_stay_in_the_document() {
    let rig = Rig::new();
    let path = left_open(&rig, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEAD.len() + 16] = 0;
    fs::write(&path, &bytes).unwrap();
    let spool = recovered(&rig);
    assert_eq!(
        text(&spool, Lane::Events),
        format!("{HEAD}<EVENT>1</EVENT>\n<EVENT>2</EVENT>\n</EVENTS>\n")
    );
    assert_eq!(damaged(&rig), [[0]]);
}

#[test]
fn a_file_of_zeros_is_set_aside_whole_and_an_empty_one_is_litter() {
    for (contents, kept) in [(vec![0; 500], 1), (Vec::new(), 0)] {
        let rig = Rig::new();
        let path = left_open(&rig, &["<EVENT>1</EVENT>"]);
        fs::write(&path, &contents).unwrap();
        let spool = recovered(&rig);
        assert_eq!(spool.oldest(Lane::Events, None), None);
        assert_eq!(damaged(&rig).len(), kept);
        assert!(rig.files("events").is_empty(), "{:?}", rig.files("events"));
        push(&spool, &["<EVENT>2</EVENT>"]).unwrap();
        assert_eq!(spool.ledger().received, 1);
    }
}

#[test]
fn a_damaged_header_is_made_anew() {
    let rig = Rig::new();
    let path = left_open(&rig, &["<EVENT>1</EVENT>"]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 0x20;
    fs::write(&path, &bytes).unwrap();
    let spool = recovered(&rig);
    assert_eq!(text(&spool, Lane::Events), format!("{HEAD}<EVENT>1</EVENT>\n</EVENTS>\n"));
    assert_eq!(damaged(&rig).len(), 1);
}

#[test]
fn a_quarantine_file_keeps_its_whole_lines_and_their_counting() {
    let rig = Rig::new();
    let spool = rig.open();
    let mut batch = Batch::default();
    for (line, counted) in [
        ("{\"reason\":\"malformed\"}", true),
        ("{\"reason\":\"malformed\",\"repaired\":[\"name\"]}", false),
        ("{\"part\":0,\"last\":false}", false),
        ("{\"part\":1,\"last\":true}", true),
        ("{\"reason\":\"torn", true),
    ] {
        batch.push(line.as_bytes(), counted);
    }
    spool.append(Lane::Quarantine, &mut batch).unwrap();
    drop(spool);
    let spool = recovered(&rig);
    let sealed = rig.segments(&spool, Lane::Quarantine).remove(0);
    assert_eq!((sealed.items, sealed.counted), (4, 2));
    assert_eq!(damaged(&rig), [b"{\"reason\":\"torn\n"]);
}

#[test]
fn a_lost_manifest_costs_no_event() {
    let rig = Rig::new();
    let path = left_open(&rig, &["<EVENT>1</EVENT>"]);
    fs::write(path.with_extension("meta"), "{").unwrap();
    let spool = recovered(&rig);
    assert_eq!(spool.ledger().spooled, 1);
}

#[test]
fn a_panic_while_recovering_sets_one_segment_aside_and_goes_on() {
    let mut rig = Rig::new();
    left_open(&rig, &["<EVENT>boom</EVENT>"]);
    left_open(&rig, &["<EVENT>1</EVENT>"]);
    rig.options.recoverer = Arc::new(spool_kit::PanickingRecoverer);
    let spool = recovered(&rig);
    assert!(rig.files("events").iter().any(|f| f.ends_with(".stuck")));
    assert_eq!(spool.ledger().spooled, 1);
    // Nothing of it is lost: renamed, it is tried again.
    drop(spool);
    let stuck = rig.files("events").into_iter().find(|f| f.ends_with(".stuck")).unwrap();
    let stuck = rig.dir.path().join("events").join(stuck);
    fs::copy(&stuck, stuck.with_extension("open")).unwrap();
    fs::OpenOptions::new().write(true).open(&stuck).unwrap();
    std::process::Command::new("rm").arg(&stuck).status().unwrap();
    rig.options.recoverer = Arc::new(spool_kit::PlainRecoverer);
    assert_eq!(recovered(&rig).ledger().spooled, 2);
}

/// Stored, crash before retire, a bit flips: salvaged under a new name it would be doubled.
#[test]
fn a_bit_flip_in_a_sealed_segment_is_salvaged_under_the_same_name_and_checksum() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>", "<EVENT>3</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    let before = spool.manifest(Lane::Events, number).unwrap();
    let path = rig.dir.path().join(format!("events/{number:012}.sealed"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEAD.len() + 17 + 3] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let after = spool.salvage(Lane::Events, number).unwrap();
    assert_eq!(
        (&after.identity, &after.name, &after.sealed),
        (&before.identity, &before.name, &before.sealed)
    );
    assert_eq!(after.holds().1, 2);
    let now = text(&spool, Lane::Events);
    assert_eq!(now, format!("{HEAD}<EVENT>1</EVENT>\n<EVENT>3</EVENT>\n</EVENTS>\n"));
    let checksum = xml_stream_aggregator::base::checksum::Checksum::of(now.as_bytes());
    assert_eq!(after.file_checksum(), Some(checksum));
    let sums = spool.ledger();
    assert_eq!((sums.received, sums.spooled, sums.damaged), (3, 2, 1));
    assert!(sums.is_balanced());
    drop(spool);
    let spool = recovered(&rig);
    assert_eq!((spool.ledger().spooled, spool.ledger().damaged), (2, 1));
    spool.retire(Lane::Events, number).unwrap();
    drop(spool);
    let sums = recovered(&rig).ledger();
    assert_eq!((sums.received, sums.delivered, sums.damaged), (3, 2, 1));
}

#[test]
fn a_segment_removed_by_hand_shows_as_an_imbalance() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    drop(spool);
    let path = rig.dir.path().join(format!("events/{number:012}.sealed"));
    std::process::Command::new("rm").arg(&path).status().unwrap();
    let spool = rig.open();
    spool.recover();
    let sums = spool.ledger();
    assert!(sums.checked && !sums.is_balanced(), "{sums:?}");
    assert_eq!((sums.received, sums.spooled), (2, 0));
}

#[test]
fn a_retired_segment_that_is_still_there_is_unlinked_and_not_counted_again() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    let files = ["sealed", "meta"].map(|e| rig.dir.path().join(format!("events/{number:012}.{e}")));
    let contents = files.each_ref().map(|f| fs::read(f).unwrap());
    spool.retire(Lane::Events, number).unwrap();
    drop(spool);
    for (file, bytes) in files.iter().zip(contents) {
        fs::write(file, bytes).unwrap();
    }
    let spool = rig.open();
    assert_eq!(spool.oldest(Lane::Events, None), None, "not offered to the uploader");
    drop(spool);
    let spool = recovered(&rig);
    assert!(rig.files("events").is_empty(), "{:?}", rig.files("events"));
    assert_eq!((spool.ledger().received, spool.ledger().delivered), (1, 1));
}

#[test]
fn a_lost_or_broken_ledger_begins_anew_with_what_is_there() {
    for broken in [None, Some("{\"version\":1"), Some("{}")] {
        let rig = Rig::new();
        let spool = rig.open();
        push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
        spool.seal(SealedBy::Request);
        drop(spool);
        let path = rig.dir.path().join("ledger");
        match broken {
            Some(text) => fs::write(&path, text).unwrap(),
            None => drop(std::process::Command::new("rm").arg(&path).status().unwrap()),
        }
        let spool = recovered(&rig);
        assert_eq!((spool.ledger().received, spool.ledger().spooled), (1, 1));
        push(&spool, &["<EVENT>2</EVENT>"]).unwrap();
        spool.seal(SealedBy::Request);
        assert_eq!(rig.segments(&spool, Lane::Events).len(), 2);
    }
}

/// The ledger says which segments may be unlinked: with one digit changed it must not be believed.
#[test]
fn a_ledger_with_a_changed_digit_costs_no_segment() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    push(&spool, &["<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let (first, second) = (spool.oldest(Lane::Events, None).unwrap(), 2);
    assert_eq!(first, 1);
    spool.retire(Lane::Events, first).unwrap();
    drop(spool);
    let path = rig.dir.path().join("ledger");
    let text = fs::read_to_string(&path).unwrap();
    let mut ledger: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(ledger["events"]["retired"], serde_json::json!([[0, 1]]));
    ledger["events"]["retired"] = serde_json::json!([[0, 2]]);
    fs::write(&path, ledger.to_string()).unwrap();
    let spool = recovered(&rig);
    assert_eq!(spool.oldest(Lane::Events, None), Some(second));
    assert_eq!(spool.ledger().spooled, 1);
    assert!(rig.files("").contains(&"ledger.broken".to_owned()));
}

/// Two segments sealed and one of them retired; gives the ledger file.
fn delivered_one_of_two(rig: &Rig) -> serde_json::Value {
    let spool = rig.open();
    for event in ["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"] {
        push(&spool, &[event]).unwrap();
        spool.seal(SealedBy::Request);
    }
    spool.retire(Lane::Events, 1).unwrap();
    drop(spool);
    serde_json::from_slice(&fs::read(rig.dir.path().join("ledger")).unwrap()).unwrap()
}

/// An update must not cost the counts, nor the numbers that were used.
#[test]
fn a_ledger_of_another_version_of_the_program_is_believed() {
    let sum = |ledger: &serde_json::Value| {
        let mut lanes = ledger.as_object().unwrap().clone();
        lanes.retain(|name, _| ["events", "quarantine", "logs"].contains(&name.as_str()));
        Checksum::of(&serde_json::to_vec(&lanes).unwrap()).to_string()
    };
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let without_checksum: Change<'_> = &|ledger| {
        ledger["version"] = 1.into();
        ledger.as_object_mut().unwrap().shift_remove("checksum");
    };
    let first_with_checksum: Change<'_> = &|ledger| ledger["version"] = 1.into();
    let with_a_field_more: Change<'_> = &|ledger| {
        ledger["events"]["later"] = true.into();
        ledger["checksum"] = sum(ledger).into();
    };
    for change in [without_checksum, first_with_checksum, with_a_field_more] {
        let rig = Rig::new();
        let mut ledger = delivered_one_of_two(&rig);
        change(&mut ledger);
        fs::write(rig.dir.path().join("ledger"), ledger.to_string()).unwrap();
        let spool = recovered(&rig);
        let sums = spool.ledger();
        assert_eq!((sums.received, sums.delivered, sums.spooled), (2, 1, 1), "{ledger}");
        assert!(!rig.files("").contains(&"ledger.broken".to_owned()));
    }
}

#[test]
fn a_ledger_without_its_checksum_is_believed_only_from_a_version_that_had_none() {
    let rig = Rig::new();
    let mut ledger = delivered_one_of_two(&rig);
    ledger.as_object_mut().unwrap().shift_remove("checksum");
    fs::write(rig.dir.path().join("ledger"), ledger.to_string()).unwrap();
    assert_eq!(recovered(&rig).ledger().delivered, 0);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_whatever_its_shape_and_left_alone() {
    let rig = Rig::new();
    delivered_one_of_two(&rig);
    let path = rig.dir.path().join("ledger");
    fs::write(&path, "{\"version\":3,\"lanes\":[]}").unwrap();
    let opened = Spool::open(rig.options.clone(), Arc::new(OsDisk), rig.clock.clone());
    assert!(matches!(opened, Err(OpenError::Newer { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"version\":3,\"lanes\":[]}");
}

/// The last number went with the ledger: what follows must still be a segment like no other.
#[test]
fn no_identity_is_used_twice_although_the_ledger_was_lost() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    let before = spool.manifest(Lane::Events, number).unwrap().identity;
    spool.retire(Lane::Events, number).unwrap();
    drop(spool);
    fs::write(rig.dir.path().join("ledger"), "").unwrap();
    let spool = recovered(&rig);
    push(&spool, &["<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    assert_ne!(spool.manifest(Lane::Events, number).unwrap().identity, before);
}

/// A bad sector in one file must not keep the events of all others from the store.
#[test]
fn a_segment_that_cannot_be_read_holds_back_no_other() {
    let rig = Rig::new();
    let bad = left_open(&rig, &["<EVENT>1</EVENT>"]);
    left_open(&rig, &["<EVENT>2</EVENT>"]);
    let disk = Arc::new(BadSector::at(&bad));
    let spool = Spool::open(rig.options.clone(), disk.clone(), rig.clock.clone()).unwrap();
    spool.recover();
    assert_eq!(text(&spool, Lane::Events), format!("{HEAD}<EVENT>2</EVENT>\n</EVENTS>\n"));
    disk.mend();
    rig.clock.advance(Duration::from_secs(11));
    spool.tick();
    let sums = spool.ledger();
    assert!(sums.is_balanced() && sums.checked, "{sums:?}");
    assert_eq!(sums.spooled, 2);
}

#[test]
fn a_segment_that_cannot_be_sealed_holds_back_no_other() {
    let mut rig = Rig::new();
    rig.options.max_file_size = 100;
    let disk = Arc::new(BadSector::at(&rig.dir.path().join("events/000000000001.open")));
    let spool = Spool::open(rig.options.clone(), disk.clone(), rig.clock.clone()).unwrap();
    let long = format!("<EVENT>{}</EVENT>", "1".repeat(60));
    push(&spool, &[&long, "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    assert_eq!(spool.oldest(Lane::Events, None), Some(2));
    assert_eq!(spool.ledger().received, 2);
    disk.mend();
    spool.tick();
    assert_eq!(spool.oldest(Lane::Events, None), Some(1));
    let sums = spool.ledger();
    assert!(sums.is_balanced() && sums.spooled == 2, "{sums:?}");
}

#[test]
fn the_ledger_is_read_from_the_files_without_the_lock() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    push(&spool, &["<EVENT>3</EVENT>"]).unwrap();
    let reading = read_ledger(rig.dir.path(), &xml_stream_aggregator::base::disk::OsDisk).unwrap();
    assert_eq!((reading.ledger.received, reading.ledger.spooled), (2, 2));
    assert!(reading.ledger.is_balanced() && reading.ledger.checked);
    assert_eq!(reading.open_segments, 1);
}

#[test]
fn a_stuck_segment_without_a_manifest_does_not_hide_the_ledger() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let events = rig.dir.path().join("events");
    std::fs::write(events.join("000000009001.stuck"), [0; 100]).unwrap();
    let read = || read_ledger(rig.dir.path(), &xml_stream_aggregator::base::disk::OsDisk).unwrap();
    assert_eq!(read().ledger.received, 1);
    assert!(read().ledger.is_balanced());
    // One that was counted is missed.
    std::fs::write(events.join("000000000001.meta"), b"{").unwrap();
    assert!(!read().ledger.is_balanced());
}
