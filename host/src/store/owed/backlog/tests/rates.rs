//! How fast the deliveries of one endpoint follow each other.

use super::*;

const KIND: WorkKind = WorkKind::Delivery;

/// As fast as this, whatever is in flight.
fn limited(each: Duration, burst: u32) -> Allowance {
    Allowance { rate: Some((each, burst)), ..Allowance::of(usize::MAX) }
}

/// So many works to one endpoint, which go no faster than this.
fn owed(works: u64, allowance: Allowance) -> Backlog {
    let mut backlog = Backlog::default();
    (1..=works).for_each(|position| backlog.push(work(KIND, "crm", position)));
    allow(&mut backlog, "crm", allowance);
    backlog
}

/// So many milliseconds after the start.
fn at(backlog: &mut Backlog, millis: u64) -> Vec<InFlight> {
    backlog.take(KIND, up_to(100), Timestamp(NOW.0 + millis))
}

#[test]
fn a_start_begins_with_one_and_a_burst_comes_behind_a_silence() {
    let mut backlog = owed(20, limited(Duration::from_millis(100), 3));

    let first = at(&mut backlog, 0);
    assert_eq!(positions(&first), [1]);
    assert_eq!(backlog.next_due(KIND), Some(Timestamp(NOW.0 + 100)));
    backlog.finish(&first[0]);
    assert!(backlog.is_idle(NOW), "it waits for its time");
    assert!(at(&mut backlog, 99).is_empty());
    assert_eq!(positions(&at(&mut backlog, 100)), [2]);
    assert_eq!(positions(&at(&mut backlog, 1_000)), [3, 4, 5]);
    assert!(at(&mut backlog, 1_099).is_empty());
    assert_eq!(positions(&at(&mut backlog, 1_100)), [6]);
}

#[test]
fn a_work_that_was_not_tried_leaves_its_turn_to_another() {
    let mut backlog = owed(9, limited(Duration::from_secs(60), 1));
    let taken = at(&mut backlog, 0);
    assert!(at(&mut backlog, 1).is_empty());

    backlog.give_back(&taken[0]);
    let again = at(&mut backlog, 1);

    assert_eq!(positions(&again), [1]);
    backlog.finish(&again[0]);
    assert!(at(&mut backlog, 2).is_empty());
    assert_eq!(backlog.next_due(KIND), Some(Timestamp(NOW.0 + 60_001)));
}

#[test]
fn a_clock_that_was_set_back_and_a_slower_rate_before_hold_it_up_for_one_turn_at_most() {
    let mut backlog = owed(9, limited(Duration::from_secs(60), 9));
    assert_eq!(at(&mut backlog, 3_600_000).len(), 1);
    assert!(at(&mut backlog, 0).is_empty());
    assert_eq!(at(&mut backlog, 60_000).len(), 1);

    allow(&mut backlog, "crm", limited(Duration::from_millis(10), 1));
    assert!(at(&mut backlog, 60_000).is_empty(), "what was paid before counts");
    assert_eq!(at(&mut backlog, 60_010).len(), 1);
}

/// Whatever is done, in no span of time go more than its rate has room for and a burst.
#[test]
fn no_window_has_more_than_the_rate_and_a_burst() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let each = Duration::from_micros(random.u64(10..50_000));
        let burst = random.u32(1..20);
        let mut backlog = owed(0, limited(each, burst));
        let (mut now, mut next) = (NOW, 1);
        let mut held: Vec<(Timestamp, InFlight)> = Vec::new();
        let mut gone: Vec<Timestamp> = Vec::new();
        for _ in 0..300 {
            match random.u8(..8) {
                0 => now.0 += random.u64(..500),
                1 => now = backlog.next_due(KIND).unwrap_or(now).max(now),
                2 => {
                    let at_a_time = random.usize(1..30);
                    let allowance = Allowance { at_a_time, ..limited(each, burst) };
                    allow(&mut backlog, "crm", allowance);
                }
                3 if !held.is_empty() => {
                    let (_, work) = held.swap_remove(random.usize(..held.len()));
                    backlog.give_back(&work);
                }
                4 if !held.is_empty() => {
                    let (at, mut work) = held.swap_remove(random.usize(..held.len()));
                    backlog.end_try(&mut work, 1);
                    backlog.finish(&work);
                    gone.push(at);
                }
                _ => {
                    for _ in 0..random.u64(..6) {
                        backlog.push(work(KIND, "crm", next));
                        next += 1;
                    }
                    let taken = backlog.take(KIND, up_to(random.usize(..30)), now);
                    held.extend(taken.into_iter().map(|work| (now, work)));
                }
            }
        }
        gone.extend(held.into_iter().map(|(at, _)| at));
        gone.sort_unstable();
        for (first, from) in gone.iter().enumerate() {
            for (last, to) in gone.iter().enumerate().skip(first + burst as usize) {
                let paid = each * u32::try_from(last - first + 1 - burst as usize).unwrap();
                assert!(paid <= to.since(*from), "{seed}: {from:?} to {to:?} at {each:?}, {burst}");
            }
        }
    }
}

#[test]
fn nothing_is_lost_of_a_rate_while_there_is_enough_to_do() {
    for (micros, burst) in [(10, 1_000), (700, 5), (2_500, 1), (60_000_000, 3)] {
        let each = Duration::from_micros(micros);
        let mut backlog = owed(3_000, limited(each, burst));
        let (mut now, mut taken) = (NOW, 0);
        while taken < 3_000 {
            taken += backlog.take(KIND, up_to(5_000), now).len();
            now = backlog.next_due(KIND).unwrap_or(now);
        }
        // A time is a whole millisecond, and a burst evens that out.
        let most = each * 3_000 + Duration::from_millis(if burst == 1 { 3_000 } else { 1 });
        assert!(now.since(NOW) <= most, "{:?} of {most:?}", now.since(NOW));
    }
}
