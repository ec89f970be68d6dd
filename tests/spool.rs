//! The spool on a real disk: what goes in comes out, once, in well-formed files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod spool_kit;

use spool_kit::{Rig, options, push};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use xml_stream_aggregator::base::checksum::Checksum;
use xml_stream_aggregator::base::clock::Clock;
use xml_stream_aggregator::base::disk::OsDisk;
use xml_stream_aggregator::spool::manifest::SealedBy;
use xml_stream_aggregator::spool::{Batch, Blocked, Lane, OpenError, Spool};

#[test]
fn what_was_appended_is_sealed_as_one_document_with_its_facts() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).unwrap();
    let mut text = String::new();
    spool.read(Lane::Events, number).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n<EVENT>1</EVENT>\n<EVENT>2</EVENT>\n</EVENTS>\n"
    );
    let manifest = spool.manifest(Lane::Events, number).unwrap();
    let sealed = manifest.sealed.unwrap();
    assert_eq!((sealed.items, sealed.counted, sealed.by), (2, 2, SealedBy::Request));
    assert_eq!(sealed.bytes, text.len() as u64);
    assert_eq!(sealed.checksum, Checksum::of(text.as_bytes()));
    assert_eq!(manifest.identity, spool.identity(Lane::Events, number));
    assert_eq!(sealed.peers, ["10.0.0.1"]);
}

#[test]
fn an_empty_spool_seals_nothing() {
    let rig = Rig::new();
    let spool = rig.open();
    spool.seal(SealedBy::Shutdown);
    spool.tick();
    assert_eq!(spool.oldest(Lane::Events, None), None);
    assert_eq!(rig.files("events"), Vec::<String>::new());
}

#[test]
fn a_segment_is_sealed_by_age_and_not_before() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT/>"]).unwrap();
    rig.clock.advance(Duration::from_secs(3599));
    spool.tick();
    assert_eq!(spool.oldest(Lane::Events, None), None);
    rig.clock.advance(Duration::from_secs(1));
    spool.tick();
    let number = spool.oldest(Lane::Events, None).unwrap();
    assert_eq!(spool.manifest(Lane::Events, number).unwrap().sealed.unwrap().by, SealedBy::Time);
}

/// Segment age runs on the monotonic clock; names follow the wall clock, also backwards.
#[test]
fn a_clock_that_jumps_changes_names_and_no_ages() {
    const MONTH: i64 = 30 * 86_400;
    let rig = Rig::new();
    let spool = rig.open();
    let mut after = None;
    for jump in [MONTH, -2 * MONTH, -1, MONTH] {
        push(&spool, &["<EVENT/>"]).unwrap();
        rig.clock.jump(jump);
        push(&spool, &["<EVENT/>"]).unwrap();
        rig.clock.advance(Duration::from_secs(3599));
        spool.tick();
        assert_eq!(spool.oldest(Lane::Events, after), None, "sealed before its time");
        rig.clock.advance(Duration::from_secs(1));
        spool.tick();
        let number = spool.oldest(Lane::Events, after).expect("sealed at its time");
        let manifest = spool.manifest(Lane::Events, number).unwrap();
        let second = Clock::wall(&*rig.clock).as_second();
        assert_eq!(manifest.name.unwrap().sealed_at.as_second(), second);
        let sealed = manifest.sealed.unwrap();
        assert_eq!(sealed.items, 2);
        assert!(sealed.first_received <= sealed.last_received);
        after = Some(number);
    }
    assert!(spool.ledger().is_balanced());
    // What was named keeps its name at a restart a year earlier.
    let names = |spool: &Spool| {
        (1..=4).map(|n| spool.manifest(Lane::Events, n).unwrap().name).collect::<Vec<_>>()
    };
    let before = names(&spool);
    drop(spool);
    rig.clock.jump(-12 * MONTH);
    let spool = rig.open();
    spool.recover();
    assert_eq!(names(&spool), before);
}

#[test]
fn no_sealed_file_is_larger_than_allowed_and_names_in_one_second_differ() {
    let mut rig = Rig::new();
    rig.options.max_file_size = 1024;
    let spool = rig.open();
    let event = format!("<EVENT>{}</EVENT>", "x".repeat(185));
    for _ in 0..20 {
        push(&spool, &[event.as_str(); 10]).unwrap();
    }
    spool.seal(SealedBy::Shutdown);
    let (mut after, mut suffixes, mut items) = (None, Vec::new(), 0);
    while let Some(number) = spool.oldest(Lane::Events, after) {
        let manifest = spool.manifest(Lane::Events, number).unwrap();
        let sealed = manifest.sealed.unwrap();
        assert!(sealed.bytes <= 1024, "{}", sealed.bytes);
        items += sealed.items;
        suffixes.push(manifest.name.unwrap().suffix);
        after = Some(number);
    }
    assert_eq!(items, 200);
    assert_eq!(suffixes, (0..50).collect::<Vec<u32>>());
}

#[test]
fn an_event_that_fits_no_segment_makes_one_of_its_own() {
    let mut rig = Rig::new();
    rig.options.max_file_size = 1024;
    let spool = rig.open();
    let large = format!("<EVENT>{}</EVENT>", "x".repeat(3000));
    push(&spool, &["<EVENT>1</EVENT>", &large, "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Shutdown);
    let segments = rig.segments(&spool, Lane::Events);
    assert_eq!(segments.iter().map(|s| s.items).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn retire_moves_the_count_and_removes_the_files() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>", "<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Request);
    push(&spool, &["<EVENT>3</EVENT>"]).unwrap();
    let number = spool.oldest(Lane::Events, None).unwrap();
    spool.retire(Lane::Events, number).unwrap();
    spool.retire(Lane::Events, number).unwrap();
    let ledger = spool.status().ledger;
    assert_eq!((ledger.received, ledger.delivered, ledger.spooled), (3, 2, 1));
    assert!(ledger.is_balanced());
    assert_eq!(spool.oldest(Lane::Events, None), None);
    assert!(rig.files("events").iter().all(|f| !f.starts_with(&format!("{number:012}"))));
}

#[test]
fn copies_and_parts_are_kept_but_not_counted() {
    let rig = Rig::new();
    let spool = rig.open();
    let mut batch = Batch::default();
    batch.push(b"{\"part\":0,\"last\":false}", false);
    batch.push(b"{\"part\":1,\"last\":true}", true);
    batch.push(b"{\"repaired\":true}", false);
    spool.append(Lane::Quarantine, &mut batch).unwrap();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Quarantine, None).unwrap();
    let sealed = spool.manifest(Lane::Quarantine, number).unwrap().sealed.unwrap();
    assert_eq!((sealed.items, sealed.counted), (3, 1));
    spool.retire(Lane::Quarantine, number).unwrap();
    assert_eq!(spool.ledger().quarantined, 1);
    assert!(spool.ledger().is_balanced());
}

#[test]
fn a_second_process_is_refused_by_name() {
    let rig = Rig::new();
    let _spool = rig.open();
    let second = Spool::open(options(rig.dir.path()), Arc::new(OsDisk), rig.clock.clone());
    assert!(matches!(second, Err(OpenError::Locked { .. })));
}

#[test]
fn reading_stops_at_the_limit_seals_what_is_open_and_goes_on_below_ninety_percent() {
    let mut rig = Rig::new();
    (rig.options.max_file_size, rig.options.max_spool_size) = (1024, 4096);
    let spool = rig.open();
    let event = format!("<EVENT>{}</EVENT>", "x".repeat(185));
    let mut batch = Batch::default();
    for _ in 0..40 {
        batch.push(event.as_bytes(), true);
    }
    let mut one = Batch::default();
    while spool.append(Lane::Events, &mut one).is_ok() {
        one.push(event.as_bytes(), true);
    }
    assert_eq!(spool.append(Lane::Events, &mut batch), Err(Blocked::SpoolFull));
    assert!(spool.status().used <= 4096);
    assert!(spool.paused().unwrap().reason.contains("MAX_SPOOL_SIZE"));
    assert!(!spool.has_room(Lane::Events));
    spool.tick();
    let first = spool.oldest(Lane::Events, None).unwrap();
    assert_eq!(spool.status().lanes.events.open_items, 0, "what was open is sealed at once");
    spool.retire(Lane::Events, first).unwrap();
    spool.tick();
    assert_eq!(spool.paused(), None);
    assert!(spool.append(Lane::Events, &mut one).is_ok() && one.is_done());
}

/// Headers and a first large item reach the limit without being refused. Whoever then asks for room
/// and waits for news was never told: nobody had noted that anybody waits.
#[test]
fn whoever_is_told_that_there_is_no_room_is_told_when_there_is() {
    let mut rig = Rig::new();
    rig.options.max_spool_size = 300;
    let spool = rig.open();
    push(&spool, &[format!("<EVENT>{}</EVENT>", "x".repeat(400)).as_str()]).unwrap();
    let mut changes = spool.pause_changes();
    changes.mark_unchanged();
    assert!(!spool.has_room(Lane::Events));
    assert_eq!(spool.paused().unwrap().cause, Blocked::SpoolFull);
    spool.tick();
    spool.seal(SealedBy::Request);
    let number = spool.oldest(Lane::Events, None).expect("sealed");
    spool.retire(Lane::Events, number).unwrap();
    spool.tick();
    assert!(spool.has_room(Lane::Events) && changes.has_changed().unwrap());
}

#[test]
fn a_full_quarantine_stops_only_rejected_bytes() {
    let mut rig = Rig::new();
    rig.options.max_spool_size = 10 * 1024;
    let spool = rig.open();
    let mut pieces = Batch::default();
    let mut outcome = Ok(());
    for _ in 0..20 {
        pieces.push(&[b'x'; 100], true);
        outcome = spool.append(Lane::Quarantine, &mut pieces);
    }
    assert_eq!(outcome, Err(Blocked::QuarantineFull));
    assert!(spool.pause_changes().borrow().blocks(Lane::Quarantine));
    assert!(!spool.pause_changes().borrow().blocks(Lane::Events));
    push(&spool, &["<EVENT/>"]).unwrap();
    spool.tick();
    let number = spool.oldest(Lane::Quarantine, None).unwrap();
    spool.retire(Lane::Quarantine, number).unwrap();
    spool.tick();
    assert_eq!(spool.append(Lane::Quarantine, &mut pieces), Ok(()));
}

#[test]
fn a_restart_goes_on_with_the_ledger_and_never_uses_a_number_twice() {
    let rig = Rig::new();
    let spool = rig.open();
    push(&spool, &["<EVENT>1</EVENT>"]).unwrap();
    spool.seal(SealedBy::Shutdown);
    let first = spool.oldest(Lane::Events, None).unwrap();
    let id = spool.spool_id().to_owned();
    drop(spool);
    let spool = rig.open();
    assert_eq!(spool.spool_id(), id);
    push(&spool, &["<EVENT>2</EVENT>"]).unwrap();
    spool.seal(SealedBy::Shutdown);
    let second = spool.oldest(Lane::Events, Some(first)).unwrap();
    assert!(second > first);
    assert_eq!(spool.ledger().received, 2);
    assert_eq!(spool.status().lanes.events.segments, 2);
}
