//! Which segment comes next, step by step on a clock that stands still.

use super::*;

const WIDTH: usize = 4;
const MINUTE: Duration = Duration::from_secs(60);

fn wait(seconds: u64) -> PutOff {
    PutOff { wait: Duration::from_secs(seconds), is_stored: false, is_own_fault: false }
}

/// A lane whose store failed `count` segments, each put off for ten seconds.
fn failing(count: u64, now: Instant) -> Queue {
    let mut queue = Queue::default();
    for number in 1..=count {
        queue.start(number, now, MINUTE);
        queue.put_off(number, now, wait(10));
    }
    queue.slow_down(now, MINUTE);
    queue
}

#[test]
fn what_waits_gives_up_its_slot_until_it_is_due() {
    let now = Instant::now();
    let mut queue = Queue::default();
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
    queue.start(5, now, MINUTE);
    assert_eq!((queue.in_flight(), queue.waiting()), (1, 0));
    assert_eq!(queue.fail(5), 1);
    queue.put_off(5, now, wait(10));
    assert_eq!((queue.in_flight(), queue.waiting()), (0, 1));
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
    assert_eq!(queue.next_change(now), Some(now + Duration::from_secs(10)));
    let later = now + Duration::from_secs(10);
    assert_eq!(queue.pick(later, WIDTH), Pick::Again(5, false));
    queue.start(5, later, MINUTE);
    assert_eq!(queue.fail(5), 2);
    queue.finish(5);
    assert!(!queue.holds(5));
}

#[test]
fn the_oldest_that_is_due_comes_first() {
    let now = Instant::now();
    let queue = failing(3, now);
    assert_eq!(queue.pick(now + MINUTE, WIDTH), Pick::Again(1, false));
}

#[test]
fn a_failing_store_gets_no_more_than_a_width_of_segments_and_one_more_a_minute() {
    let now = Instant::now();
    let mut queue = failing(3, now);
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
    queue.start(4, now, MINUTE);
    assert_eq!(queue.pick(now, WIDTH), Pick::Nothing);
    for number in 1..=4 {
        queue.put_off(number, now, wait(3600));
    }
    let later = now + MINUTE;
    assert_eq!(queue.next_change(now), Some(later));
    assert_eq!(queue.pick(later, WIDTH), Pick::Fresh);
    queue.start(5, later, MINUTE);
    assert_eq!(queue.pick(later, WIDTH), Pick::Nothing);
}

#[test]
fn a_store_that_is_back_gets_at_once_what_waited_for_it() {
    let now = Instant::now();
    let mut queue = failing(4, now);
    let own = PutOff { is_own_fault: true, ..wait(3600) };
    queue.start(9, now, MINUTE);
    queue.put_off(9, now, own);
    queue.start(1, now, MINUTE);
    queue.finish(1);
    queue.speed_up(now);
    assert_eq!(queue.pick(now, WIDTH), Pick::Again(2, false));
    for number in 2..=4 {
        queue.start(number, now, MINUTE);
    }
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh, "9 waits for something else");
}

#[test]
fn claims_are_bounded_whatever_the_backlog_is() {
    let now = Instant::now();
    let own = PutOff { is_own_fault: true, ..wait(3600) };
    for (how, most) in [(own, MOST as u64), (wait(3600), LIMIT as u64)] {
        let mut queue = Queue::default();
        let mut number = 0;
        while queue.pick(now, WIDTH) == Pick::Fresh {
            number += 1;
            queue.start(number, now, MINUTE);
            queue.put_off(number, now, how);
        }
        assert_eq!(number, most);
    }
}

/// An old destination that swallows every question, and more segments to ask it for than there are
/// slots: they would be due again before the last of them was asked.
#[test]
fn what_waits_for_a_reason_of_its_own_comes_after_what_is_fresh_and_has_half_of_the_slots() {
    let now = Instant::now();
    let mut queue = Queue::default();
    for number in 1..=2 * LIMIT as u64 {
        queue.start(number, now, MINUTE);
        queue.put_off(number, now, PutOff { is_own_fault: true, ..wait(0) });
    }
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
    for number in 1..=2 {
        assert_eq!(queue.pick_hindered(now, WIDTH), Pick::Again(number, false));
        queue.start(number, now, MINUTE);
    }
    assert_eq!(queue.pick_hindered(now, WIDTH), Pick::Nothing);
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
    assert_eq!(queue.pick_hindered(now, 1), Pick::Nothing);
}

#[test]
fn segments_that_wait_for_reasons_of_their_own_hold_back_nobody() {
    let now = Instant::now();
    let mut queue = Queue::default();
    for number in 1..=10 {
        queue.start(number, now, MINUTE);
        queue.put_off(number, now, PutOff { is_own_fault: true, ..wait(3600) });
    }
    queue.slow_down(now, MINUTE);
    assert_eq!(queue.pick(now, WIDTH), Pick::Fresh);
}

#[test]
fn a_segment_that_is_stored_is_remembered_as_such() {
    let now = Instant::now();
    let mut queue = Queue::default();
    queue.start(1, now, MINUTE);
    queue.put_off(1, now, PutOff { is_stored: true, ..wait(0) });
    queue.start(1, now, MINUTE);
    queue.put_off(1, now, wait(0));
    assert_eq!(queue.pick(now, WIDTH), Pick::Again(1, true));
}

#[test]
fn draining_makes_everything_due() {
    let now = Instant::now();
    let mut queue = failing(1, now);
    queue.wake_all(now);
    assert_eq!(queue.pick(now, WIDTH), Pick::Again(1, false));
}
