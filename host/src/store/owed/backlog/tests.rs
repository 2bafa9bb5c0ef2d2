//! Order, fairness and limits of the backlog, apart from any file.

mod ended;
mod ending;
mod in_order;
mod rates;
mod replayed;
mod windows;

use super::*;
use crate::store::owed::tally::count::SourceNumber;

const NOW: Timestamp = Timestamp(1_000);
const AT_ONCE: Timestamp = Timestamp(0);

fn any(_: &Name) -> usize {
    usize::MAX
}

/// Room for this many works.
fn up_to(works: usize) -> Room<'static> {
    Room::of(works, &any)
}

fn work(kind: WorkKind, group: &str, position: u64) -> OpenWork {
    let (tries, source) = (Tries::default(), SourceNumber::default());
    let entry = Entry { position, offset: 0, tries, source, order: None };
    let (group, due, since) = (group.parse().unwrap(), AT_ONCE, AT_ONCE);
    OpenWork { kind, group, entry, due, since, root: None }
}

/// When a work may go that waits for this time.
fn later(due: Timestamp) -> When {
    When { since: due, due }
}

fn run(keys: &OrderKeys, handler: &str, subject: &str, position: u64) -> OpenWork {
    let mut run = work(WorkKind::Run, handler, position);
    run.entry.order = Some(keys.key(&run.group, subject));
    run
}

fn positions(taken: &[InFlight]) -> Vec<u64> {
    taken.iter().map(|work| work.entry.position).collect()
}

fn take_runs(backlog: &mut Backlog, now: Timestamp) -> Vec<InFlight> {
    backlog.take(WorkKind::Run, up_to(100), now)
}

fn deliveries(backlog: &mut Backlog, works: usize) -> Vec<InFlight> {
    backlog.take(WorkKind::Delivery, up_to(works), NOW)
}

fn allow(backlog: &mut Backlog, group: &str, allowance: Allowance) -> bool {
    backlog.allow(WorkKind::Delivery, &group.parse().unwrap(), allowance)
}

#[test]
fn runs_of_one_subject_go_one_at_a_time_in_order() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    for position in 1..=3 {
        backlog.push(run(&keys, "ledger", "pi_1", position));
    }
    backlog.push(run(&keys, "ledger", "pi_2", 4));
    backlog.push(run(&keys, "mailer", "pi_1", 5));

    let first = take_runs(&mut backlog, NOW);
    assert_eq!(positions(&first), [1, 5, 4]);
    assert!(take_runs(&mut backlog, NOW).is_empty());

    backlog.finish(&first[0]);
    assert_eq!(positions(&take_runs(&mut backlog, NOW)), [2]);
}

#[test]
fn a_run_being_retried_blocks_its_own_subject_only() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    backlog.push(run(&keys, "ledger", "pi_1", 1));
    backlog.push(run(&keys, "ledger", "pi_1", 2));
    let first = take_runs(&mut backlog, NOW);
    backlog.retry(&first[0], later(Timestamp(5_000)));
    backlog.push(run(&keys, "ledger", "pi_2", 3));

    assert_eq!(positions(&take_runs(&mut backlog, NOW)), [3]);
    assert_eq!(backlog.next_due(WorkKind::Run), Some(Timestamp(5_000)));

    let again = take_runs(&mut backlog, Timestamp(5_000));
    assert_eq!(positions(&again), [1]);
    assert_eq!(again[0].entry.tries.made(), 1);
    backlog.finish(&again[0]);
    assert_eq!(positions(&take_runs(&mut backlog, Timestamp(5_000))), [2]);
}

#[test]
fn runs_without_a_subject_never_wait_for_each_other() {
    let mut backlog = Backlog::default();
    for position in 1..=3 {
        backlog.push(work(WorkKind::Run, "ledger", position));
    }
    assert_eq!(positions(&take_runs(&mut backlog, NOW)), [1, 2, 3]);
}

#[test]
fn groups_take_turns_and_keep_to_their_limits() {
    let mut backlog = Backlog::default();
    for position in 1..=50 {
        backlog.push(work(WorkKind::Delivery, "slow", position));
    }
    backlog.push(work(WorkKind::Delivery, "quick", 51));
    backlog.push(work(WorkKind::Delivery, "off", 52));
    allow(&mut backlog, "slow", Allowance::of(3));
    allow(&mut backlog, "off", Allowance::of(0));

    assert_eq!(positions(&deliveries(&mut backlog, 2)), [1, 51]);
    let rest = deliveries(&mut backlog, 100);
    assert_eq!(positions(&rest), [2, 3]);

    backlog.finish(&rest[0]);
    assert_eq!(positions(&deliveries(&mut backlog, 100)), [4]);
}

#[test]
fn a_work_given_back_is_the_first_again() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Parse, "stripe", 1));
    backlog.push(work(WorkKind::Parse, "stripe", 2));

    let taken = backlog.take(WorkKind::Parse, up_to(1), NOW);
    backlog.give_back(&taken[0]);

    assert_eq!(positions(&backlog.take(WorkKind::Parse, up_to(9), NOW)), [1, 2]);
}

#[test]
fn works_given_back_in_any_order_go_in_their_own() {
    let mut backlog = Backlog::default();
    for position in 1..=5 {
        backlog.push(work(WorkKind::Parse, "stripe", position));
    }

    let taken = backlog.take(WorkKind::Parse, up_to(4), NOW);
    for index in [1, 3, 0] {
        backlog.give_back(&taken[index]);
    }
    let first = backlog.take(WorkKind::Parse, up_to(1), NOW);
    backlog.give_back(&taken[2]);

    assert_eq!(positions(&first), [1]);
    assert_eq!(positions(&backlog.take(WorkKind::Parse, up_to(9), NOW)), [2, 3, 4, 5]);
}

#[test]
fn it_is_idle_when_only_the_future_is_left() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    assert!(backlog.is_idle(NOW));

    backlog.push(run(&keys, "ledger", "pi_1", 1));
    backlog.push(run(&keys, "ledger", "pi_1", 2));
    assert!(!backlog.is_idle(NOW));
    let taken = take_runs(&mut backlog, NOW);
    assert!(!backlog.is_idle(NOW));
    backlog.retry(&taken[0], later(Timestamp(5_000)));

    assert!(backlog.is_idle(NOW));
    assert!(!backlog.is_idle(Timestamp(5_000)));
    let stats = &backlog.stats()[&WorkKind::Run];
    assert_eq!((stats.retrying, stats.blocked), (1, 1));
}

#[test]
fn a_group_that_is_switched_off_does_not_keep_it_from_being_idle() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Delivery, "off", 1));
    assert!(!backlog.is_idle(NOW));

    allow(&mut backlog, "off", Allowance::of(0));
    assert!(deliveries(&mut backlog, 9).is_empty());
    assert!(backlog.is_idle(NOW));
}

#[test]
fn a_group_at_its_limit_stands_aside_until_it_may_have_more() {
    let mut backlog = Backlog::default();
    for position in 1..=9 {
        backlog.push(work(WorkKind::Delivery, "crm", position));
    }
    allow(&mut backlog, "crm", Allowance::of(1));
    let first = deliveries(&mut backlog, 9);
    assert_eq!(positions(&first), [1]);
    assert!(deliveries(&mut backlog, 9).is_empty());

    assert!(allow(&mut backlog, "crm", Allowance::of(3)), "something may be taken now");
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [2, 3]);
    allow(&mut backlog, "crm", Allowance::of(1));
    backlog.finish(&first[0]);
    assert!(deliveries(&mut backlog, 9).is_empty(), "two are in flight where one may be");
}

#[test]
fn a_group_without_an_allowance_is_asked_for_whenever_works_are_taken() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Run, "ledger", 1));
    let take = |backlog: &mut Backlog, each: &dyn Fn(&Name) -> usize| {
        backlog.take(WorkKind::Run, Room::of(9, each), NOW)
    };

    assert!(take(&mut backlog, &|_| 0).is_empty());
    assert!(backlog.is_idle(NOW), "it is switched off");
    assert_eq!(positions(&take(&mut backlog, &|_| 1)), [1]);
}

#[test]
fn a_group_that_rests_goes_on_when_its_time_has_come() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Delivery, "crm", 1));
    let resting = Allowance { not_before: Timestamp(5_000), ..Allowance::of(1) };
    allow(&mut backlog, "crm", resting);

    assert!(deliveries(&mut backlog, 9).is_empty());
    assert_eq!(backlog.next_due(WorkKind::Delivery), Some(Timestamp(5_000)));
    assert!(backlog.is_idle(NOW) && !backlog.is_idle(Timestamp(5_000)));
    backlog.push(work(WorkKind::Delivery, "crm", 2));
    assert!(deliveries(&mut backlog, 9).is_empty(), "what is new waits as well");

    let taken = backlog.take(WorkKind::Delivery, up_to(9), Timestamp(5_000));
    assert_eq!(positions(&taken), [1]);
}

#[test]
fn groups_that_are_not_trusted_leave_half_of_the_slots_to_the_others() {
    let mut backlog = Backlog::default();
    for position in 1..=20 {
        let group = ["hung-1", "hung-2", "crm", "shop"][position as usize % 4];
        backlog.push(work(WorkKind::Delivery, group, position));
    }
    let untrusted = Allowance { is_trusted: false, ..Allowance::of(5) };
    allow(&mut backlog, "hung-1", untrusted);
    allow(&mut backlog, "hung-2", untrusted);
    let room = Room { slots: 8, ..up_to(100) };
    let take = |backlog: &mut Backlog| backlog.take(WorkKind::Delivery, room, NOW);

    let taken = take(&mut backlog);
    assert_eq!(positions(&taken), [1, 2, 3, 4, 5, 6, 7, 8]);
    for done in taken.iter().filter(|work| work.entry.position % 4 >= 2) {
        backlog.finish(done);
    }
    let more = take(&mut backlog);
    assert!(more.iter().all(|work| work.entry.position % 4 >= 2), "{more:?}");
    assert_eq!(more.len(), 4);

    // One that hung has answered: it is trusted now, and the other may take its place.
    let hung = taken.iter().find(|work| work.entry.position == 1).unwrap();
    allow(&mut backlog, "hung-2", Allowance::of(5));
    backlog.finish(hung);
    assert_eq!(take(&mut backlog).len(), 1);
}

#[test]
fn a_large_work_takes_more_slots() {
    let mut backlog = Backlog::default();
    for position in 1..=9 {
        backlog.push(work(WorkKind::Delivery, "crm", position));
    }
    allow(&mut backlog, "crm", Allowance { slots: 4, ..Allowance::of(9) });
    let room = Room { slots: 10, ..up_to(100) };

    let taken = backlog.take(WorkKind::Delivery, room, NOW);
    assert_eq!(positions(&taken), [1, 2]);
    backlog.finish(&taken[0]);
    assert_eq!(positions(&backlog.take(WorkKind::Delivery, room, NOW)), [3]);
}

#[test]
fn a_group_that_is_forgotten_goes_with_its_last_work() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Delivery, "crm", 1));
    let taken = deliveries(&mut backlog, 9);
    backlog.forget(WorkKind::Delivery, &"crm".parse().unwrap());
    backlog.retry(&taken[0], later(Timestamp(5_000)));
    let again = backlog.take(WorkKind::Delivery, up_to(9), Timestamp(5_000));
    assert_eq!(positions(&again), [1]);
    backlog.finish(&again[0]);

    // Its number is free for another, which knows nothing of it.
    allow(&mut backlog, "shop", Allowance::of(1));
    for position in 2..=3 {
        backlog.push(work(WorkKind::Delivery, "crm", position));
        backlog.push(work(WorkKind::Delivery, "shop", position + 2));
    }
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [2, 4, 3]);
}

#[test]
fn a_million_works_are_small() {
    assert!(size_of::<Entry>() <= 24);
}
