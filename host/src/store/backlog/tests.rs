//! Order, fairness and limits of the backlog, apart from any file.

use super::*;

const NOW: Timestamp = Timestamp(1_000);
const AT_ONCE: Timestamp = Timestamp(0);

fn any(_: &Name) -> usize {
    usize::MAX
}

fn work(kind: WorkKind, group: &str, position: u64) -> OpenWork {
    let entry = Entry { position, offset: 0, tries_made: 0, lane: None };
    OpenWork { kind, group: group.parse().unwrap(), entry, due: AT_ONCE }
}

fn run(keys: &LaneKeys, handler: &str, subject: &str, position: u64) -> OpenWork {
    let mut run = work(WorkKind::Run, handler, position);
    run.entry.lane = Some(keys.lane(&run.group, subject));
    run
}

fn positions(claimed: &[Claimed]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.entry.position).collect()
}

fn claim_runs(backlog: &mut Backlog, now: Timestamp) -> Vec<Claimed> {
    backlog.claim(WorkKind::Run, 100, &any, now)
}

#[test]
fn runs_of_one_subject_go_one_at_a_time_in_order() {
    let keys = LaneKeys::default();
    let mut backlog = Backlog::default();
    for position in 1..=3 {
        backlog.push(run(&keys, "ledger", "pi_1", position));
    }
    backlog.push(run(&keys, "ledger", "pi_2", 4));
    backlog.push(run(&keys, "mailer", "pi_1", 5));

    let first = claim_runs(&mut backlog, NOW);
    assert_eq!(positions(&first), [1, 5, 4]);
    assert!(claim_runs(&mut backlog, NOW).is_empty());

    backlog.finish(&first[0]);
    assert_eq!(positions(&claim_runs(&mut backlog, NOW)), [2]);
}

#[test]
fn a_run_being_retried_blocks_its_own_subject_only() {
    let keys = LaneKeys::default();
    let mut backlog = Backlog::default();
    backlog.push(run(&keys, "ledger", "pi_1", 1));
    backlog.push(run(&keys, "ledger", "pi_1", 2));
    let first = claim_runs(&mut backlog, NOW);
    backlog.retry(&first[0], Timestamp(5_000));
    backlog.push(run(&keys, "ledger", "pi_2", 3));

    assert_eq!(positions(&claim_runs(&mut backlog, NOW)), [3]);
    assert_eq!(backlog.next_due(WorkKind::Run), Some(Timestamp(5_000)));

    let again = claim_runs(&mut backlog, Timestamp(5_000));
    assert_eq!(positions(&again), [1]);
    assert_eq!(again[0].entry.tries_made, 1);
    backlog.finish(&again[0]);
    assert_eq!(positions(&claim_runs(&mut backlog, Timestamp(5_000))), [2]);
}

#[test]
fn runs_without_a_subject_never_wait_for_each_other() {
    let mut backlog = Backlog::default();
    for position in 1..=3 {
        backlog.push(work(WorkKind::Run, "ledger", position));
    }
    assert_eq!(positions(&claim_runs(&mut backlog, NOW)), [1, 2, 3]);
}

#[test]
fn groups_take_turns_and_keep_to_their_limits() {
    let mut backlog = Backlog::default();
    for position in 1..=50 {
        backlog.push(work(WorkKind::Delivery, "slow", position));
    }
    backlog.push(work(WorkKind::Delivery, "quick", 51));
    backlog.push(work(WorkKind::Delivery, "off", 52));
    let limit = |name: &Name| match name.as_str() {
        "slow" => 3,
        "off" => 0,
        _ => 10,
    };

    let claimed = backlog.claim(WorkKind::Delivery, 2, &limit, NOW);
    assert_eq!(positions(&claimed), [1, 51]);
    let rest = backlog.claim(WorkKind::Delivery, 100, &limit, NOW);
    assert_eq!(positions(&rest), [2, 3]);

    backlog.finish(&rest[0]);
    assert_eq!(positions(&backlog.claim(WorkKind::Delivery, 100, &limit, NOW)), [4]);
}

#[test]
fn a_claim_given_back_is_the_first_again() {
    let mut backlog = Backlog::default();
    backlog.push(work(WorkKind::Parse, "stripe", 1));
    backlog.push(work(WorkKind::Parse, "stripe", 2));

    let claimed = backlog.claim(WorkKind::Parse, 1, &any, NOW);
    backlog.give_back(&claimed[0]);

    assert_eq!(positions(&backlog.claim(WorkKind::Parse, 9, &any, NOW)), [1, 2]);
}

#[test]
fn it_is_idle_when_only_the_future_is_left() {
    let keys = LaneKeys::default();
    let mut backlog = Backlog::default();
    assert!(backlog.is_idle(NOW));

    backlog.push(run(&keys, "ledger", "pi_1", 1));
    backlog.push(run(&keys, "ledger", "pi_1", 2));
    assert!(!backlog.is_idle(NOW));
    let claimed = claim_runs(&mut backlog, NOW);
    assert!(!backlog.is_idle(NOW));
    backlog.retry(&claimed[0], Timestamp(5_000));

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

    assert!(backlog.claim(WorkKind::Delivery, 9, &|_| 0, NOW).is_empty());
    assert!(backlog.is_idle(NOW));
}

#[test]
fn a_million_works_are_small() {
    assert!(size_of::<Entry>() <= 24);
}
