//! What a window takes in, sets aside and counts.

use super::*;

const AT_ONCE: Timestamp = Timestamp(0);

fn key(number: u64) -> Key {
    (Timestamp(number), number)
}

fn entry(position: u64) -> Entry {
    let (tries, source) = (Tries::default(), SourceNumber::default());
    Entry { position, offset: 0, tries, source, order: None }
}

fn row(number: u64) -> FarWork {
    let work = Some((entry(number), AT_ONCE));
    FarWork { key: key(number), waits: false, root: None, work }
}

/// A window of a lane with so many works on disk, and one that has no row.
fn window(far: usize, later: u64) -> Window {
    let mut window = Window::default();
    window.add_far(far, 0);
    window.set_aside(key(later), entry(later), AT_ONCE, false);
    window
}

fn fill(window: &mut Window, rows: &[u64], until: Option<u64>, room: usize) -> Vec<u64> {
    let rows = rows.iter().map(|number| row(*number)).collect();
    let entering = window.fill(rows, until.map(key), room);
    entering.iter().map(|entering| entering.key().1).collect()
}

#[test]
fn what_was_read_comes_in_with_what_waits_before_it() {
    let mut window = window(5, 2);
    assert_eq!(window.begin_read(), FIRST);
    assert_eq!(fill(&mut window, &[1, 3], Some(5), 3), [1, 2, 3]);
    assert!(window.is_beyond(key(5)) && !window.is_beyond(key(4)));
    assert_eq!(window.far(), 3);
}

#[test]
fn what_was_read_and_has_no_room_stays_on_disk() {
    let mut window = window(5, 2);
    window.begin_read();
    assert_eq!(fill(&mut window, &[1, 3, 4], None, 2), [1, 2]);
    assert!(window.is_beyond(key(3)) && !window.is_beyond(key(2)));
    assert_eq!(window.far(), 2, "there were no more");
}

#[test]
fn at_the_end_of_a_lane_nothing_is_far_whatever_was_counted() {
    let mut window = window(5, 9);
    window.begin_read();
    assert_eq!(fill(&mut window, &[1], None, 9), [1, 9]);
    assert!(!window.has_more() && !window.is_beyond(key(u64::MAX)));
}

#[test]
fn what_has_no_room_waits_on_in_memory() {
    let mut window = window(1, 8);
    window.set_aside(key(9), entry(9), AT_ONCE, false);
    window.begin_read();
    assert_eq!(fill(&mut window, &[1], None, 2), [1, 8]);
    assert!(window.is_beyond(key(9)) && window.has_more());
    let entering = window.fill_from_memory(5);
    assert_eq!(entering.iter().map(Entering::key).collect::<Vec<_>>(), [key(9)]);
    assert!(!window.is_beyond(key(9)));
}

#[test]
fn what_was_hastened_while_it_was_read_is_not_read() {
    let mut window = window(3, 9);
    window.begin_read();
    assert_eq!(window.find(key(2), true), Found::Far);
    assert_eq!(fill(&mut window, &[1, 2, 3], Some(4), 9), [1, 3]);
    assert_eq!(window.find(key(1), true), Found::Here, "it is in memory");
}

#[test]
fn what_gets_a_row_while_the_lane_is_read_stays_in_memory_until_then() {
    let mut window = window(2, 3);
    window.begin_read();
    window.passed(key(3));
    assert_eq!((window.later(), window.far()), (1, 2));
    assert_eq!(fill(&mut window, &[1], Some(2), 9), [1]);
    assert_eq!((window.later(), window.far()), (0, 2), "it is on disk only");

    let mut window = self::window(2, 3);
    window.begin_read();
    window.passed(key(3));
    window.give_up_read();
    assert_eq!((window.later(), window.far()), (0, 3));
}

#[test]
fn the_bound_never_comes_before_what_is_ready() {
    let mut window = Window::default();
    window.keeps(key(5));
    assert!(!window.may_end_at(key(4)) && !window.may_end_at(key(5)) && window.may_end_at(key(6)));
    window.fires(key(9), Timestamp(8));
    assert!(window.may_end_at(key(6)), "it is known by its position");
    window.end_at(key(6), entry(6), AT_ONCE, true);

    assert_eq!(window.begin_read(), key(6));
    assert_eq!(fill(&mut window, &[6, 9], None, 9), [6], "the other is in memory");
}

#[test]
fn what_was_in_memory_by_an_exception_is_passed_over_even_if_it_is_finished_meanwhile() {
    let mut window = window(2, 9);
    window.keeps(key(2));
    window.begin_read();
    window.leave(2);
    assert_eq!(fill(&mut window, &[1, 2, 3], Some(4), 9), [1, 3]);
}
