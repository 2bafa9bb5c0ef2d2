//! Works whose try has ended and whose outcome is not committed.

use super::*;

const KIB: usize = 1024;

/// Room for so many outcomes, and these works.
fn with(places: usize, works: &[OpenWork]) -> Backlog {
    let mut backlog = Backlog::default();
    backlog.set_uncommitted(places);
    works.iter().for_each(|work| backlog.push(work.clone()));
    backlog
}

fn owed_to(endpoints: &[&str]) -> Vec<OpenWork> {
    (1..).zip(endpoints).map(|(position, to)| work(WorkKind::Delivery, to, position)).collect()
}

/// Takes and ends as many as there is a slot and an outcome for; gives how many of each group.
fn exhaust(backlog: &mut Backlog) -> BTreeMap<Name, usize> {
    let mut counts = BTreeMap::new();
    loop {
        let taken = deliveries(backlog, 1);
        let Some(mut work) = taken.into_iter().next() else { return counts };
        backlog.end_try(&mut work, KIB);
        *counts.entry(backlog.group_of(&work)).or_default() += 1;
    }
}

fn counted(counts: &[(&str, usize)]) -> BTreeMap<Name, usize> {
    counts.iter().map(|(name, count)| (name.parse().unwrap(), *count)).collect()
}

#[test]
fn a_work_whose_try_has_ended_leaves_its_slot_to_another_and_nobody_gets_it() {
    let mut backlog = with(8, &owed_to(&["crm"; 3]));
    allow(&mut backlog, "crm", Allowance::of(1));
    let mut first = deliveries(&mut backlog, 9).pop().unwrap();
    assert!(deliveries(&mut backlog, 9).is_empty(), "it is worked on");

    assert!(backlog.end_try(&mut first, KIB), "another may be taken");
    let second = deliveries(&mut backlog, 9);

    assert_eq!(positions(&second), [2]);
    assert_eq!(backlog.stats()[&WorkKind::Delivery].in_flight, 2);
    backlog.finish(&first);
    assert!(deliveries(&mut backlog, 9).is_empty(), "its slot was free before");
    backlog.finish(&second[0]);
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [3]);
}

#[test]
fn the_next_of_its_subject_waits_for_the_commit() {
    let keys = OrderKeys::default();
    let runs = [1, 2].map(|position| run(&keys, "ledger", "pi_1", position));
    let mut backlog = with(8, &runs);
    let mut first = take_runs(&mut backlog, NOW).pop().unwrap();

    backlog.end_try(&mut first, KIB);
    assert!(take_runs(&mut backlog, NOW).is_empty());

    backlog.finish(&first);
    assert_eq!(positions(&take_runs(&mut backlog, NOW)), [2]);
}

/// I11: the first has half of the room, the next half of what is left.
#[test]
fn the_outcomes_of_one_group_leave_room_for_those_of_all_others() {
    let works: Vec<&str> = ["crm"; 20].into_iter().chain(["erp"; 20]).collect();
    let mut backlog = with(8, &owed_to(&works));
    allow(&mut backlog, "crm", Allowance::of(1));
    allow(&mut backlog, "erp", Allowance::of(0));
    assert_eq!(exhaust(&mut backlog), counted(&[("crm", 5)]), "four, and the one in its slot");

    allow(&mut backlog, "erp", Allowance::of(1));
    assert_eq!(exhaust(&mut backlog), counted(&[("erp", 3)]), "two, and the one in its slot");
}

#[test]
fn without_room_for_outcomes_a_work_keeps_its_slot_until_it_is_committed() {
    let mut backlog = with(0, &owed_to(&["crm"; 3]));
    allow(&mut backlog, "crm", Allowance::of(1));
    let mut first = deliveries(&mut backlog, 9).pop().unwrap();

    assert!(!backlog.end_try(&mut first, KIB));
    assert!(!first.has_ended() && deliveries(&mut backlog, 9).is_empty());

    backlog.finish(&first);
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [2]);
}

#[test]
fn a_large_outcome_takes_the_room_of_several() {
    let mut backlog = with(8, &owed_to(&["crm", "erp", "shop"]));
    let mut works = deliveries(&mut backlog, 9).into_iter();
    let mut ended = |bytes| {
        let mut work = works.next().unwrap();
        backlog.end_try(&mut work, bytes);
        work.has_ended()
    };

    assert!(ended(300 * KIB));
    assert!(!ended(300 * KIB), "three places are left");
    assert!(ended(KIB));
}

#[test]
fn it_is_not_idle_while_an_outcome_is_on_its_way() {
    let mut backlog = with(8, &owed_to(&["crm"]));
    let mut work = deliveries(&mut backlog, 9).pop().unwrap();
    backlog.end_try(&mut work, KIB);
    assert!(!backlog.is_idle(NOW));
    backlog.finish(&work);
    assert!(backlog.is_idle(NOW));
}

#[test]
fn a_work_whose_outcome_was_lost_goes_back_and_leaves_its_room() {
    let mut backlog = with(1, &owed_to(&["crm"; 2]));
    for _ in 0..3 {
        let mut work = deliveries(&mut backlog, 1).pop().unwrap();
        backlog.end_try(&mut work, KIB);
        assert!(work.has_ended());
        backlog.give_back(&work);
    }
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [1, 2]);
}

#[test]
fn nobody_is_woken_if_nothing_can_be_taken_by_the_end_of_a_try() {
    let mut backlog = with(8, &owed_to(&["crm", "off"]));
    allow(&mut backlog, "off", Allowance::of(0));
    let mut work = deliveries(&mut backlog, 9).pop().unwrap();
    assert!(!backlog.end_try(&mut work, KIB), "what is left is switched off");
}
