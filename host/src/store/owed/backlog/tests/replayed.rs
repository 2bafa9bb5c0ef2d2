//! Works that were opened again go behind all that is new.

use std::collections::BTreeSet;

use super::*;

const KIND: WorkKind = WorkKind::Delivery;

fn again(mut work: OpenWork) -> OpenWork {
    work.entry.tries = Tries::new(0, true);
    work
}

/// So many deliveries to one endpoint, the first of which were opened again.
fn owed(windows: Windows, reopened: u64, live: u64) -> Backlog {
    let mut backlog = Backlog::new(windows);
    backlog.set_mark(u64::MAX);
    for position in 1..=reopened + live {
        let work = work(KIND, "crm", position);
        backlog.push(if position <= reopened { again(work) } else { work });
    }
    backlog
}

#[test]
fn what_was_opened_again_goes_behind_what_is_new_also_when_it_is_tried_again() {
    let mut backlog = owed(Windows::default(), 3, 2);
    let mut taken = deliveries(&mut backlog, 3);
    assert_eq!(positions(&taken), [4, 5, 1]);

    let first = taken.remove(2);
    backlog.retry(&first, later(Timestamp(5_000)));
    backlog.push(work(KIND, "crm", 6));
    let taken = backlog.take(KIND, up_to(9), Timestamp(5_000));

    assert_eq!(positions(&taken), [6, 2, 3, 1]);
}

#[test]
fn what_is_given_back_is_the_first_again_of_those_that_it_was_with() {
    let mut backlog = owed(Windows::default(), 3, 2);
    let taken = deliveries(&mut backlog, 4);
    assert_eq!(positions(&taken), [4, 5, 1, 2]);

    for index in [3, 1, 2, 0] {
        backlog.give_back(&taken[index]);
    }

    assert_eq!(positions(&deliveries(&mut backlog, 9)), [4, 5, 1, 2, 3]);
}

#[test]
fn a_full_replay_leaves_the_window_to_what_is_new() {
    let windows = Windows { total: 10_000, least: 1, most: 4, held: 3 };
    let mut backlog = owed(windows, 1_024, 2);
    assert_eq!(positions(&deliveries(&mut backlog, 3)), [1_025, 1_026, 1]);

    // And no more than that is in memory.
    let backlog = owed(windows, 3_000, 0);
    assert!(backlog.in_memory() <= 1_024 + windows.most, "{}", backlog.in_memory());
    assert_eq!(backlog.stats()[&KIND].ready, 3_000);
}

#[test]
fn those_that_others_of_their_subject_wait_for_do_not_wait_for_what_is_new() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    backlog.push(again(run(&keys, "ledger", "pi_1", 1)));
    backlog.push(run(&keys, "ledger", "pi_1", 2));
    (3..9).for_each(|position| backlog.push(run(&keys, "ledger", "pi_2", position)));

    assert_eq!(positions(&take_runs(&mut backlog, NOW)), [1, 3]);
}

#[test]
fn what_was_opened_again_counts_until_it_has_ended_or_failed() {
    let mut backlog = owed(Windows::default(), 3, 2);
    assert_eq!(backlog.reopened_open(), 3);
    let taken = deliveries(&mut backlog, 9);

    taken[..2].iter().for_each(|live| backlog.finish(live));
    backlog.finish(&taken[2]);
    backlog.retry(&taken[3], later(Timestamp(5_000)));
    backlog.give_back(&taken[4]);

    assert_eq!(backlog.reopened_open(), 1, "of the one that has failed nobody knows when it ends");
    assert_eq!(backlog.reopened_to(), BTreeMap::from([("crm".parse().unwrap(), 2)]));
}

#[test]
fn what_a_start_reads_counts_once_however_often_it_is_read() {
    let mut backlog = Backlog::new(Windows { total: 9, least: 1, most: 4, held: 3 });
    backlog.set_mark(u64::MAX);
    backlog.add_far((KIND, &"crm".parse().unwrap()), None, (2, 0));
    assert_eq!(backlog.reopened_open(), 0, "it is on disk");
    let wanted = backlog.begin_read(KIND, Most { lanes: 9, works: 9 });
    let far = |position| {
        let entry = again(work(KIND, "crm", position)).entry;
        let key = (NOW, position);
        FarWork { key, waits: false, root: None, work: Some((entry, AT_ONCE)) }
    };
    let (works, waiting) = (vec![far(1), far(2)], Vec::new());
    backlog.fill(KIND, LaneRead { number: wanted[0].number, works, until: None, waiting });
    assert_eq!(backlog.reopened_open(), 2);

    for work in deliveries(&mut backlog, 9) {
        backlog.retry(&work, later(Timestamp(5_000)));
    }
    assert_eq!(backlog.reopened_to(), BTreeMap::from([("crm".parse().unwrap(), 2)]));
}

/// Else the room for replays shrinks with each until the next start.
#[test]
fn what_was_opened_again_and_is_not_what_its_row_says_counts_no_more() {
    let windows = Windows { total: 10_000, least: 1, most: 4, held: 3 };
    let mut backlog = owed(windows, 1_030, 0);
    let taken = deliveries(&mut backlog, 1_030);
    assert_eq!(taken.len(), 1_028, "two are on disk only");
    taken.iter().for_each(|work| backlog.finish(work));
    assert_eq!(backlog.reopened_open(), 2);

    let number = backlog.begin_read(KIND, Most { lanes: 1, works: 9 })[0].number;
    let far = |position: u64| {
        let key = (AT_ONCE, position);
        FarWork { key, waits: false, root: None, work: None }
    };
    let works = vec![far(1_029), far(1_030)];
    backlog.fill(KIND, LaneRead { number, works, until: None, waiting: Vec::new() });
    assert_eq!(backlog.reopened_open(), 0);
}

/// Take out the count by endpoint and a paused endpoint, or one that always fails, keeps all
/// replays from going on.
#[test]
fn what_was_opened_again_of_an_endpoint_that_is_switched_off_counts_there_alone() {
    let mut backlog = owed(Windows::default(), 3, 2);
    backlog.push(again(work(KIND, "erp", 6)));
    let to = |endpoint: &str, works| (endpoint.parse::<Name>().unwrap(), works);
    assert_eq!(backlog.reopened_open(), 4);

    allow(&mut backlog, "crm", Allowance::of(0));

    assert_eq!(backlog.reopened_open(), 1);
    assert_eq!(backlog.reopened_to(), BTreeMap::from([to("crm", 3), to("erp", 1)]));
    assert_eq!(backlog.switched_off(), BTreeSet::from([to("crm", 3).0]));
    allow(&mut backlog, "crm", Allowance::of(9));
    assert_eq!(backlog.reopened_open(), 4);
    deliveries(&mut backlog, 9).iter().for_each(|work| backlog.finish(work));
    assert_eq!((backlog.reopened_open(), backlog.reopened_to()), (0, BTreeMap::new()));
}

/// Take out what failed, or what an endpoint has that does not answer, and 1,024 deliveries to it
/// keep all replays from going on for days.
#[test]
fn an_endpoint_is_clogged_by_what_may_not_end_soon() {
    let untrusted = Allowance { is_trusted: false, ..Allowance::of(9) };
    let mut backlog = owed(Windows::default(), 256, 0);
    let crm: Name = "crm".parse().unwrap();
    assert_eq!((backlog.reopened_open(), backlog.clogged()), (256, BTreeSet::new()));
    allow(&mut backlog, "crm", untrusted);
    assert_eq!((backlog.reopened_open(), backlog.clogged()), (0, BTreeSet::from([crm.clone()])));
    allow(&mut backlog, "crm", Allowance::of(0));
    assert_eq!(backlog.clogged(), BTreeSet::new(), "it is switched off");

    allow(&mut backlog, "crm", Allowance::of(999));
    let taken = deliveries(&mut backlog, 999);
    taken.iter().for_each(|work| backlog.retry(work, later(Timestamp(5_000))));
    assert_eq!((backlog.reopened_open(), backlog.clogged()), (0, BTreeSet::from([crm])));
    let again = backlog.take(KIND, up_to(999), Timestamp(5_000));
    again[1..].iter().for_each(|work| backlog.retry(work, later(Timestamp(9_000))));
    backlog.finish(&again[0]);
    assert_eq!(backlog.reopened_to().into_values().sum::<usize>(), 255);
    assert_eq!(backlog.clogged(), BTreeSet::new());
}

/// Without the count by handler, 1,024 runs of a handler whose plugin is gone keep all replays from
/// going on until it returns.
#[test]
fn what_was_opened_again_of_a_handler_that_gets_nothing_keeps_no_replay_from_going_on() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    for (handler, position) in [("gone", 1), ("gone", 2), ("ledger", 3)] {
        backlog.push(again(run(&keys, handler, &format!("pi_{position}"), position)));
    }
    assert_eq!(backlog.reopened_open(), 3);
    let each = |handler: &Name| if handler.as_str() == "gone" { 0 } else { 9 };

    let taken = backlog.take(WorkKind::Run, Room::of(9, &each), NOW);

    assert_eq!((positions(&taken), backlog.reopened_open()), (vec![3], 1));
    backlog.ask_again(WorkKind::Run);
    assert_eq!(backlog.reopened_open(), 3, "it may get something at the next take");
}
