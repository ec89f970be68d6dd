//! Any bytes in any file of the spool: the start does not panic, no byte of a segment is lost, what
//! is sealed is well-formed, the ledger balances, a second start changes nothing, and the next
//! event is taken.
//!
//! The first two bytes of the input choose the file and what happens to it, the next two where; the
//! rest is what is written there.

use crate::sim::SimDisk;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xml_stream_aggregator::base::checksum::Checksum;
use xml_stream_aggregator::base::clock::Clock;
use xml_stream_aggregator::base::disk::{Disk, write_all_at};
use xml_stream_aggregator::daemon::recoverer::SieveRecoverer;
use xml_stream_aggregator::event::{ElementName, FOOTER, HEADER};
use xml_stream_aggregator::spool::manifest::{Form, SealedBy};
use xml_stream_aggregator::spool::names::{State, file_name, parse};
use xml_stream_aggregator::spool::{Batch, Lane, OpenError, Options, Spool};

const ROOT: &str = "/spool";

type Files = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(5)
    }
}

fn open(disk: &SimDisk) -> Result<Arc<Spool>, OpenError> {
    let options = Options {
        dir: ROOT.into(),
        sync_interval: Duration::from_secs(1),
        rotation_interval: Duration::from_secs(3600),
        max_file_size: 1 << 20,
        max_spool_size: 1 << 30,
        reserve: 1024,
        element: ElementName::default(),
        form: Form::default(),
        recoverer: Arc::new(SieveRecoverer),
    };
    Spool::open(options, Arc::new(disk.clone()), Arc::new(Noon))
}

fn push(spool: &Spool, lane: Lane, items: &[&str]) {
    let mut batch = Batch { peer: "10.0.0.1".parse().ok(), ..Batch::default() };
    items.iter().for_each(|item| batch.push(item.as_bytes(), true));
    spool.append(lane, &mut batch).expect("there is room");
}

fn write(disk: &SimDisk, files: &Files) {
    for (path, bytes) in files {
        let folder = path.parent().expect("a folder");
        disk.create_dir(folder).expect("a folder");
        write_all_at(&*disk.create(path).expect("a file"), 0, bytes).expect("written");
        disk.sync_dir(folder).expect("synced");
    }
}

fn files(disk: &SimDisk) -> Files {
    let folders = ["", "events", "quarantine", "logs", "damaged"];
    let folders = folders.map(|folder| Path::new(ROOT).join(folder));
    folders.iter().flat_map(|f| disk.files(f).into_iter().map(|(n, b)| (f.join(n), b))).collect()
}

/// A spool in which two lanes have a sealed segment and one that is open.
fn healthy() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = SimDisk::default();
        let id = (Path::new(ROOT).join("spool-id"), b"0123456789abcdef\n".to_vec());
        write(&disk, &Files::from([id]));
        let spool = open(&disk).expect("a new spool");
        let pieces = ["{\"reason\":\"stray\"}", "{\"part\":0,\"last\":false}"];
        push(&spool, Lane::Events, &["<EVENT>1</EVENT>", "<EVENT><a b='c'>&lt;</a></EVENT>"]);
        push(&spool, Lane::Quarantine, &pieces);
        spool.seal(SealedBy::Request);
        push(&spool, Lane::Events, &["<EVENT>2</EVENT>", "<EVENT><![CDATA[3]]></EVENT>"]);
        push(&spool, Lane::Quarantine, &pieces);
        let found = files(&disk);
        drop(spool);
        found
    })
}

fn in_state(lane: Lane, state: State) -> PathBuf {
    let has = |path: &&PathBuf| {
        path.parent().is_some_and(|p| p.ends_with(lane.name())) && state_of(path) == Some(state)
    };
    healthy().keys().find(has).expect("a healthy spool has one").clone()
}

fn is_segment_file(path: &Path) -> bool {
    matches!(state_of(path), Some(State::Open | State::Sealed))
}

fn state_of(path: &Path) -> Option<State> {
    Some(parse(path.file_name()?.to_str()?)?.1)
}

fn victim(choice: u8) -> PathBuf {
    let root = Path::new(ROOT);
    match choice % 9 {
        0 => in_state(Lane::Events, State::Open),
        1 | 8 => in_state(Lane::Events, State::Sealed),
        2 => in_state(Lane::Events, State::Open).with_extension("meta"),
        3 => in_state(Lane::Events, State::Sealed).with_extension("meta"),
        4 => root.join("ledger"),
        5 => in_state(Lane::Quarantine, State::Open),
        6 => in_state(Lane::Quarantine, State::Sealed),
        _ => root.join("spool-id"),
    }
}

fn hurt(healthy: &[u8], how: u8, at: usize, new: &[u8]) -> Vec<u8> {
    let at = at.min(healthy.len());
    let (front, back) = healthy.split_at(at);
    match how % 4 {
        0 => new.to_vec(),
        1 => [front, new, back.get(new.len()..).unwrap_or_default()].concat(),
        2 => [front, new, back].concat(),
        _ => [front, new].concat(),
    }
}

/// Panics if it does not hold for these bytes.
pub fn check(data: &[u8]) {
    let [choice, how, high, low, new @ ..] = data else { return };
    let mut before = healthy().clone();
    let mut victim = victim(*choice);
    let at = usize::from(u16::from_be_bytes([*high, *low]));
    let bytes = hurt(&before[&victim], *how, at, new);
    before.insert(victim.clone(), bytes);
    if choice % 9 == 8 {
        // The crash came between the final manifest and the rename.
        let bytes = before.remove(&victim).expect("it is there");
        victim = victim.with_extension("open");
        before.insert(victim.clone(), bytes);
    }
    start(&before, &victim);
}

fn start(before: &Files, victim: &Path) {
    let disk = SimDisk::default();
    write(&disk, before);
    let in_root = victim.parent() == Some(Path::new(ROOT));
    let spool = match open(&disk) {
        Ok(spool) => spool,
        Err(OpenError::Newer { .. } | OpenError::Unusable { .. }) if in_root => return,
        Err(error) => panic!("the spool does not open: {error}"),
    };
    spool.recover();
    let is_segment = is_segment_file(victim);
    for lane in [Lane::Events, Lane::Quarantine] {
        look_at_sealed(&spool, lane, is_segment);
    }
    let sums = spool.ledger();
    assert!(sums.checked, "the ledger was not checked");
    assert!(sums.is_balanced() || !is_segment, "{sums:?}");
    let after = files(&disk);
    for (path, bytes) in before.iter().filter(|(path, _)| is_segment_file(path)) {
        // Whatever a manifest, the ledger or another segment says, the bytes stay.
        every_byte_is_kept(bytes, &after, path);
    }
    drop(spool);
    start_again(&disk.after_kill());
}

/// What the uploader does with each segment: its checksum, and the salvage if it differs.
fn look_at_sealed(spool: &Spool, lane: Lane, must_be_sound: bool) {
    let mut after = None;
    while let Some(number) = spool.oldest(lane, after) {
        after = Some(number);
        let Ok(mut manifest) = spool.manifest(lane, number) else {
            assert!(!must_be_sound, "{} has no manifest", file_name(number, State::Sealed));
            continue;
        };
        let mut bytes = contents(spool, lane, number);
        if manifest.file_checksum() != Some(Checksum::of(&bytes)) {
            let Ok(salvaged) = spool.salvage(lane, number) else {
                assert!(!must_be_sound, "it cannot be salvaged");
                continue;
            };
            manifest = salvaged;
            bytes = contents(spool, lane, number);
        }
        assert_eq!(manifest.file_checksum(), Some(Checksum::of(&bytes)));
        if lane == Lane::Events && must_be_sound {
            document(&bytes, manifest.holds().0);
        }
    }
}

fn contents(spool: &Spool, lane: Lane, number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    spool.read(lane, number).expect("it is there").read_to_end(&mut bytes).expect("it can be read");
    bytes
}

fn document(bytes: &[u8], items: u64) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let document = match roxmltree::Document::parse(text) {
        Ok(document) => document,
        Err(error) => panic!("a sealed segment is not well-formed: {error}"),
    };
    let events = document.root_element().children().filter(roxmltree::Node::is_element).count();
    assert_eq!(events as u64, items, "the manifest has another count than the document");
}

/// What was set aside and what stayed make up what was there, but for header, footer and line breaks.
fn every_byte_is_kept(before: &[u8], after: &Files, victim: &Path) {
    let lane = victim.parent().and_then(Path::file_name).and_then(|n| n.to_str()).expect("a lane");
    let stem = victim.file_stem().and_then(|n| n.to_str()).expect("a number");
    let mut rest: Vec<Option<u8>> = before.iter().copied().map(Some).collect();
    let prefix = format!("{lane}-{stem}-");
    for (path, bytes) in after {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let Some(place) = name.strip_prefix(&prefix) else { continue };
        let at: usize = place.split('-').next().and_then(|n| n.parse().ok()).expect("an offset");
        assert_eq!(
            before.get(at..at + bytes.len()),
            Some(&bytes[..]),
            "set aside with other bytes"
        );
        for byte in &mut rest[at..at + bytes.len()] {
            assert!(byte.take().is_some(), "a byte was set aside twice");
        }
    }
    let stayed = [State::Sealed, State::Stuck].into_iter().find_map(|state| {
        let extension = if state == State::Sealed { "sealed" } else { "stuck" };
        after.get(&victim.with_extension(extension))
    });
    let stayed = stayed.map_or(&[][..], Vec::as_slice);
    let rest: Vec<u8> = rest.into_iter().flatten().collect();
    assert_eq!(bare(&rest), bare(stayed), "bytes are lost or doubled");
}

/// Without header, footer or its beginning, and line breaks.
fn bare(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(HEADER).unwrap_or(bytes);
    let mut bytes: Vec<u8> = bytes.iter().copied().filter(|b| *b != b'\n').collect();
    for length in (1..FOOTER.len()).rev() {
        if bytes.ends_with(&FOOTER[..length]) {
            bytes.truncate(bytes.len() - length);
            break;
        }
    }
    bytes
}

fn start_again(disk: &SimDisk) {
    let before: Vec<_> = segments(disk);
    let spool = open(disk).expect("it opened before");
    spool.recover();
    assert_eq!(segments(disk), before, "a second start changes something");
    let sums = spool.ledger();
    push(&spool, Lane::Events, &["<EVENT>next</EVENT>"]);
    spool.seal(SealedBy::Request);
    let more = spool.ledger();
    assert_eq!((more.received, more.spooled), (sums.received + 1, sums.spooled + 1));
}

fn segments(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(ROOT);
    files(disk).into_iter().filter(|(path, _)| path.parent() != Some(root)).collect()
}
