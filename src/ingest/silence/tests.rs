//! Silence on a clock that the test sets.

use super::*;
use crate::base::disk::OsDisk;
use std::sync::atomic::{AtomicU64, Ordering};

const LIMIT: Duration = Duration::from_secs(100);

/// Seconds; the wall clock began at the epoch.
#[derive(Debug, Default)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed) as i64).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

struct Room {
    folder: tempfile::TempDir,
    hands: Arc<Hands>,
}

impl Room {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hands: Arc::default() }
    }

    fn open(&self) -> Arc<Silence> {
        let options = Options { limit: LIMIT, file: self.folder.path().join("peers.json") };
        Silence::open(options, Arc::new(OsDisk), Arc::clone(&self.hands) as _)
    }

    /// Seconds pass, looked at one by one.
    fn pass(&self, silence: &Silence, seconds: u64, is_paused: bool) {
        for _ in 0..seconds {
            self.hands.0.fetch_add(1, Ordering::Relaxed);
            silence.look(is_paused, &|_| false);
        }
    }
}

fn peer(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn silent(silence: &Silence) -> Vec<Option<IpAddr>> {
    silence.silent().into_iter().map(|known| known.peer).collect()
}

#[test]
fn a_peer_is_silent_after_the_limit_and_no_longer_after_its_next_event() {
    let room = Room::new();
    let silence = room.open();
    silence.heard(peer(1));
    silence.heard(peer(2));
    room.pass(&silence, 99, false);
    silence.heard(peer(2));
    assert_eq!(silent(&silence), []);
    room.pass(&silence, 1, false);
    assert_eq!(silent(&silence), [Some(peer(1))]);
    silence.heard(peer(1));
    assert_eq!(silent(&silence), []);
    assert_eq!(silence.known().len(), 2);
}

#[test]
fn what_we_did_not_read_is_not_silence() {
    let room = Room::new();
    let silence = room.open();
    silence.heard(peer(1));
    room.pass(&silence, 50, false);
    room.pass(&silence, 1000, true);
    room.pass(&silence, 49, false);
    assert_eq!(silent(&silence), []);
    room.pass(&silence, 1, false);
    assert_eq!(silent(&silence), [Some(peer(1))]);
}

#[test]
fn nobody_ever_heard_is_told_until_the_first_event() {
    let room = Room::new();
    let silence = room.open();
    room.pass(&silence, 100, false);
    assert_eq!(silent(&silence), [None]);
    silence.heard(peer(1));
    assert_eq!(silent(&silence), []);
}

#[test]
fn a_restart_forgets_nobody() {
    let room = Room::new();
    let silence = room.open();
    silence.heard(peer(1));
    room.pass(&silence, 60, false);
    silence.heard(peer(2));
    room.pass(&silence, 40, false);
    assert_eq!(silent(&silence), [Some(peer(1))]);
    let last = silence.known();
    drop(silence); // as kill -9 would: nobody saved at the end
    room.hands.0.fetch_add(1_000_000, Ordering::Relaxed);
    let silence = room.open();
    assert_eq!(silence.known(), last);
    assert_eq!(silent(&silence), [Some(peer(1))], "silent before, and still");
    room.pass(&silence, 99, false);
    assert_eq!(silent(&silence), [Some(peer(1))], "the other has all the limit to speak");
    room.pass(&silence, 1, false);
    assert_eq!(silent(&silence), [Some(peer(1)), Some(peer(2))]);
}

#[test]
fn a_file_that_cannot_be_read_costs_the_memory_and_nothing_else() {
    let room = Room::new();
    let file = room.folder.path().join("peers.json");
    crate::base::disk::replace(&OsDisk, &file, b"{\"peers\":[{]").unwrap();
    let silence = room.open();
    silence.heard(peer(1));
    room.pass(&silence, 1, false);
    drop(silence);
    assert_eq!(room.open().known().len(), 1);
}

#[test]
fn the_number_of_known_peers_is_bounded_and_the_first_ones_stay() {
    let room = Room::new();
    let silence = room.open();
    for number in 0..2000_u32 {
        silence.heard(IpAddr::from(number.to_be_bytes()));
    }
    assert_eq!(silence.known().len(), MOST_PEERS);
    assert_eq!(silence.known()[0].peer, Some(IpAddr::from([0, 0, 0, 0])));
    let names = silence.lock().look(Duration::from_secs(100), false, LIMIT);
    assert_eq!((names.silent.len(), names.more), (LINES, MOST_PEERS - LINES));
}

#[test]
fn a_peer_that_comes_and_goes_is_named_once_a_minute() {
    let mut state = State::default();
    state.hear(peer(1), Timestamp::UNIX_EPOCH);
    let limit = Duration::from_secs(1);
    let mut lines = 0;
    for second in 1..=120 {
        let news = state.look(Duration::from_secs(second), false, limit);
        lines += news.silent.len();
        lines += usize::from(state.hear(peer(1), Timestamp::UNIX_EPOCH) != Heard::AsUsual);
    }
    assert_eq!(lines, 4, "two pairs in two minutes");
}

#[test]
fn a_peer_that_is_gone_for_good_is_forgotten() {
    let mut state = State::default();
    state.hear(peer(1), Timestamp::UNIX_EPOCH);
    let news = state.look(KEPT, false, LIMIT);
    assert_eq!(news.forgotten, [peer(1)]);
    assert_eq!(state.known().count(), 0);
}

#[test]
fn this_machine_is_watched_only_as_long_as_no_other_is_known() {
    let room = Room::new();
    let silence = room.open();
    let own: IpAddr = [127, 0, 0, 1].into();
    silence.heard(own);
    room.pass(&silence, 100, false);
    assert_eq!(silent(&silence), [Some(own)], "as behind a tunnel");
    silence.heard(peer(1));
    room.pass(&silence, 1, false);
    assert_eq!(silent(&silence), [], "an import, as it turns out");
    room.pass(&silence, 100, false);
    assert_eq!(silent(&silence), [Some(peer(1))]);
}
