//! Where objects go: a destination that changes, and folders.

use super::*;

fn in_folder(path: &Path) -> DestinationOptions {
    below(Kind::Folder, "", &format!("{}/", path.to_str().unwrap().trim_start_matches('/')))
}

#[test]
fn a_new_destination_gets_what_was_never_tried_and_not_what_has_landed() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInAnswer).puts().at("old/20260301_040507").times(1));
    store.fault(Rule::always(Fault::HangInBody).puts().at("old/20260301_040508").times(1));
    shelf.seal(Lane::Events, 1, XML);
    shelf.seal(Lane::Events, 2, XML);
    let house = House::open(&shelf, s3(&store, "old/"));
    until("stored", || keys(&store, "old/").len() == 1);
    until("under way", || requests(&store, "PUT", "old/").len() == 2);
    house.crash();
    shelf.seal(Lane::Events, 3, XML);

    let house = House::open(&shelf, s3(&store, "new/"));
    house.drained();
    assert_eq!(keys(&store, "old/"), ["old/20260301_040507.xml"]);
    let moved = ["new/20260301_040508.xml", "new/20260301_040509.xml"];
    assert_eq!(keys(&store, "new/"), moved);
    assert!(shelf.is_empty());
}

#[test]
fn while_the_old_destination_gives_no_answer_its_segments_wait_and_the_others_go_on() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let other = Store::start();
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/"));
    for number in 1..=4 {
        shelf.seal(Lane::Events, number, XML);
    }
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("tried", || requests(&store, "PUT", "xml-events/").len() == 4);
    house.crash();
    store.go_away();
    for number in 5..=12 {
        shelf.seal(Lane::Events, number, XML);
    }

    // The same bucket name at another address is another place.
    let mut house = House::open(&shelf, s3(&other, "xml-events/"));
    for _ in 5..=12 {
        house.next_landed();
    }
    assert_eq!(keys(&other, "xml-events/").len(), 8);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("set the destination back"), "{words}");

    store.heal();
    house.drained();
    assert_eq!(keys(&other, "xml-events/").len(), 12);
    assert!(keys(&store, "xml-events/").is_empty());
}

/// An outage of an hour leaves 64 segments behind that were tried; if their store never comes back,
/// they must not be all that is ever looked at.
#[test]
fn many_segments_that_wait_for_an_old_destination_hold_back_nobody() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let other = Store::start();
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/"));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("tried", || requests(&store, "PUT", "xml-events/").len() == 1);
    house.crash();
    store.go_away();
    for number in 2..=100 {
        shelf.seal(Lane::Events, number, XML);
        let mut slots = shelf.slots.lock().unwrap();
        let tried = slots[&(Lane::Events, 1)].manifest.tried.clone();
        slots.get_mut(&(Lane::Events, number)).unwrap().manifest.tried = tried;
    }
    shelf.seal(Lane::Events, 101, XML);

    let mut house = House::open(&shelf, s3(&other, "xml-events/"));
    house.next_landed();
    assert_eq!(keys(&other, "xml-events/").len(), 1);
    store.heal();
    house.drained();
    assert_eq!(keys(&other, "xml-events/").len(), 101);
}

#[test]
fn a_folder_gets_whole_files_with_siblings_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["out", "with space", "per%20cent", "ha#sh~", "ünï"] {
        let shelf = Shelf::new("a");
        shelf.seal(Lane::Events, 1, XML);
        shelf.seal(Lane::Quarantine, 1, b"{}\n");
        let folder = dir.path().join(name);
        let mut house = House::open(&shelf, in_folder(&folder));
        let landed = [house.next_landed(), house.next_landed()];
        house.drained();
        let file = folder.join("20260301_040507.xml");
        assert_eq!(std::fs::read(&file).unwrap(), XML);
        assert!(landed.iter().any(|l| Path::new(&l.object) == file), "{landed:?}");
        let beside = dir.path().join(format!("{name}-quarantine/20260301_040507.ndjson"));
        assert_eq!(std::fs::read(beside).unwrap(), b"{}\n");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing unfinished");
    }
}

#[test]
fn a_folders_own_file_is_known_again_and_a_strangers_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("out");
    let options = || in_folder(&folder);
    let shelf = Shelf::new("a");
    shelf.failing.lock().unwrap().extend(["retire"; 1000]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, options());
    until("stored", || folder.join("20260301_040507.xml").exists());
    house.crash();
    shelf.failing.lock().unwrap().clear();
    std::fs::write(folder.join("20260301_040507.xml#1"), b"half").unwrap();
    std::fs::write(folder.join("20260301_040508.xml"), b"a stranger's").unwrap();
    shelf.seal(Lane::Events, 2, XML);

    let house = House::open(&shelf, options());
    house.drained();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["20260301_040507.xml", "20260301_040508.xml", "20260301_040508_001.xml"];
    assert_eq!(names, expected);
    assert_eq!(std::fs::read(folder.join("20260301_040508.xml")).unwrap(), b"a stranger's");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_healed() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("out");
    std::fs::write(&in_the_way, b"a file").unwrap();
    let shelf = Shelf::new("a");
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, in_folder(&in_the_way));
    until("refused", || house.uploader.status().lanes[0].mood == Mood::Refusing);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("correct DESTINATION"), "{words}");
    std::fs::remove_file(&in_the_way).unwrap();
    house.drained();
    assert!(in_the_way.join("20260301_040507.xml").exists());
}
