//! Works of a group that end without a try.

use super::*;

const KIND: WorkKind = WorkKind::Delivery;

fn end(backlog: &mut Backlog, keep: usize, most: usize) -> (Vec<InFlight>, bool) {
    backlog.end_group((KIND, &"crm".parse().unwrap()), keep, most)
}

fn owed(works: u64) -> Backlog {
    let mut backlog = Backlog::default();
    (1..=works).for_each(|position| backlog.push(work(KIND, "crm", position)));
    backlog.push(work(KIND, "erp", works + 1));
    backlog
}

#[test]
fn what_waits_ends_in_slices_and_what_is_in_flight_is_left() {
    let mut backlog = owed(6);
    let taken = deliveries(&mut backlog, 3);
    assert_eq!(positions(&taken), [1, 7, 2]);
    backlog.retry(&taken[0], later(Timestamp(5_000)));
    allow(&mut backlog, "crm", Allowance::of(0));

    let (first, more) = end(&mut backlog, 0, 3);
    assert_eq!((positions(&first), more), (vec![1, 3, 4], true));
    let (rest, more) = end(&mut backlog, 0, 9);
    assert_eq!((positions(&rest), more), (vec![5, 6], false));
    first.iter().chain(&rest).for_each(|work| backlog.finish(work));

    let stats = backlog.stats()[&KIND];
    assert_eq!((stats.in_flight, stats.pending()), (2, 2));
    assert_eq!(end(&mut backlog, 0, 9).0.len(), 0, "it is in somebody's hands");
    assert_eq!(end(&mut Backlog::default(), 0, 9).0.len(), 0, "there is no such group");
}

/// Else the groups of all endpoints that were ever deleted stay in memory.
#[test]
fn a_group_that_is_forgotten_goes_although_it_had_a_turn_when_its_works_ended() {
    let mut backlog = owed(2);
    backlog.forget(KIND, &"crm".parse().unwrap());
    let (ended, _) = end(&mut backlog, 0, 9);
    ended.iter().for_each(|work| backlog.finish(work));
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [3]);
    assert_eq!(backlog.queues[KIND].number(&"crm".parse().unwrap()), None);
}

#[test]
fn the_newest_stay() {
    let mut backlog = owed(6);
    let (ended, more) = end(&mut backlog, 4, 9);
    assert_eq!((positions(&ended), more), (vec![1, 2], false));
    ended.iter().for_each(|work| backlog.finish(work));
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [3, 7, 4, 5, 6]);
}

#[test]
fn what_does_not_end_after_all_goes_as_before() {
    let mut backlog = owed(3);
    let (taken, _) = end(&mut backlog, 0, 2);
    for work in taken {
        backlog.give_back(&work);
    }
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [1, 4, 2, 3]);
}

#[test]
fn those_behind_another_end_with_it_and_wait_again_if_they_do_not() {
    let keys = OrderKeys::default();
    let owed = |works: u64| {
        let mut backlog = Backlog::default();
        for position in 1..=works {
            let mut work = work(KIND, "crm", position);
            work.entry.order = Some(keys.key(&work.group, "pi_1"));
            backlog.push(work);
        }
        backlog
    };
    let mut backlog = owed(5);
    let (ended, more) = end(&mut backlog, 0, 3);
    assert_eq!((positions(&ended), more), (vec![1, 2, 3], true));
    assert!(deliveries(&mut backlog, 9).is_empty(), "the first has not ended yet");
    for work in ended {
        backlog.finish(&work);
    }
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [4]);

    let mut backlog = owed(3);
    let (ended, _) = end(&mut backlog, 0, 9);
    for work in ended.iter().rev() {
        backlog.give_back(work);
    }
    for position in 1..=3 {
        let taken = deliveries(&mut backlog, 9);
        assert_eq!(positions(&taken), [position]);
        backlog.finish(&taken[0]);
    }
}

#[test]
fn what_is_on_disk_is_read_for_that_also_if_it_is_switched_off() {
    let mut backlog = Backlog::new(Windows { total: 9, least: 1, most: 4, held: 3 });
    backlog.set_mark(u64::MAX);
    backlog.add_far((KIND, &"crm".parse().unwrap()), None, (7, 0));
    allow(&mut backlog, "crm", Allowance::of(0));
    assert!(!backlog.is_low(KIND));

    let (none, more) = end(&mut backlog, 2, 9);
    assert!(none.is_empty() && more && backlog.is_low(KIND));
    let mut read = |rows: std::ops::Range<u64>, until: Option<u64>| {
        let wanted = backlog.begin_read(KIND, Most { lanes: 9, works: 9 });
        let far = |position| {
            let entry = work(KIND, "crm", position).entry;
            let key = (NOW, position);
            FarWork { key, waits: false, root: None, work: Some((entry, AT_ONCE)) }
        };
        let (works, waiting) = (rows.map(far).collect(), Vec::new());
        let until = until.map(|position| (NOW, position));
        backlog.fill(KIND, LaneRead { number: wanted[0].number, works, until, waiting });
        let (ended, more) = end(&mut backlog, 2, 9);
        ended.iter().for_each(|work| backlog.finish(work));
        (positions(&ended), more)
    };

    assert_eq!(read(1..5, Some(5)), (vec![1, 2, 3, 4], true));
    assert_eq!(read(5..8, None), (vec![5], false));
    assert_eq!(backlog.stats()[&KIND].pending(), 2);
}
