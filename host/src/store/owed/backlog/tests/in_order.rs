//! Deliveries to an endpoint that wants those of one subject in order.

use std::num::NonZeroU32;

use super::*;

const KIND: WorkKind = WorkKind::Delivery;

fn in_order(skip_after: Option<u32>) -> Allowance {
    let skip_after = skip_after.and_then(NonZeroU32::new);
    Allowance { order: Order::Subject { skip_after }, ..Allowance::of(usize::MAX) }
}

fn about(keys: &OrderKeys, subject: &str, position: u64) -> OpenWork {
    let mut work = work(KIND, "crm", position);
    work.entry.order = Some(keys.key(&work.group, subject));
    work
}

fn at(backlog: &mut Backlog, millis: u64) -> Vec<InFlight> {
    backlog.take(KIND, up_to(9), Timestamp(millis))
}

#[test]
fn one_that_fails_holds_up_its_own_subject_until_it_ends() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    allow(&mut backlog, "crm", in_order(None));
    for (position, subject) in [(1, "pi_1"), (2, "pi_1"), (3, "pi_2")] {
        backlog.push(about(&keys, subject, position));
    }
    let taken = at(&mut backlog, 1_000);
    assert_eq!(positions(&taken), [1, 3]);

    backlog.retry(&taken[0], later(Timestamp(5_000)));
    assert!(at(&mut backlog, 4_999).is_empty());
    let again = at(&mut backlog, 5_000);
    assert_eq!(positions(&again), [1]);
    backlog.finish(&again[0]);
    assert_eq!(positions(&at(&mut backlog, 5_000)), [2]);
}

#[test]
fn one_that_has_failed_so_often_lets_the_others_pass() {
    let keys = OrderKeys::default();
    let mut backlog = Backlog::default();
    allow(&mut backlog, "crm", in_order(Some(2)));
    (1..=3).for_each(|position| backlog.push(about(&keys, "pi_1", position)));
    for (now, next) in [(1_000, 2_000), (2_000, 9_000)] {
        let taken = at(&mut backlog, now);
        assert_eq!(positions(&taken), [1], "at {now}");
        backlog.retry(&taken[0], later(Timestamp(next)));
    }

    let passed = at(&mut backlog, 2_000);
    assert_eq!(positions(&passed), [2]);
    let first = at(&mut backlog, 9_000);
    assert_eq!(positions(&first), [1], "beside the one that passed it");
    backlog.finish(&first[0]);
    assert!(at(&mut backlog, 9_000).is_empty());
    backlog.finish(&passed[0]);
    assert_eq!(positions(&at(&mut backlog, 9_000)), [3]);
}

#[test]
fn a_hundred_thousand_behind_one_fill_the_window_of_their_endpoint_only() {
    let keys = OrderKeys::default();
    let windows = Windows { total: 10_000, least: 2, most: 100, held: 1_000 };
    let mut backlog = Backlog::new(windows);
    backlog.set_mark(u64::MAX);
    allow(&mut backlog, "crm", in_order(None));
    (1..=100_000).for_each(|position| backlog.push(about(&keys, "pi_1", position)));
    let taken = at(&mut backlog, 1_000);
    assert_eq!(positions(&taken), [1]);
    backlog.retry(&taken[0], later(Timestamp(5_000)));

    assert!(backlog.in_memory() <= windows.held + windows.most, "{}", backlog.in_memory());
    assert!(!backlog.is_low(KIND), "it waits for its first");
    (1..=5).for_each(|erp| backlog.push(work(KIND, "erp", 100_000 + erp)));
    assert_eq!(at(&mut backlog, 1_000).len(), 5);
    assert_eq!(backlog.stats()[&KIND].pending(), 100_005);

    let first = at(&mut backlog, 5_000);
    assert_eq!(positions(&first), [1]);
    backlog.finish(&first[0]);
    assert_eq!(positions(&at(&mut backlog, 5_000)), [2]);
}

#[test]
fn a_retry_that_is_due_leaves_the_window_its_bound() {
    let keys = OrderKeys::default();
    let windows = Windows { total: 10_000, least: 2, most: 10, held: 1_000 };
    let mut backlog = Backlog::new(windows);
    backlog.set_mark(u64::MAX);
    allow(&mut backlog, "crm", in_order(None));
    backlog.push(about(&keys, "pi_1", 1));
    let first = at(&mut backlog, 1_000);
    backlog.retry(&first[0], later(Timestamp(2_000)));
    assert_eq!(positions(&at(&mut backlog, 2_000)), [1]);

    for position in 2..=500 {
        backlog.push(about(&keys, &format!("pi_{position}"), position));
    }

    assert!(backlog.in_memory() <= windows.most, "{}", backlog.in_memory());
    assert_eq!(backlog.stats()[&KIND].pending(), 500);
}

#[test]
fn endpoints_have_keys_of_their_own_and_handlers_of_their_name_others() {
    let name = |text: &str| -> Name { text.parse().unwrap() };
    let rule = Order::Subject { skip_after: NonZeroU32::new(3) };
    let keys = OrderKeys::default();
    keys.learn([(name("crm"), rule), (name("erp"), Order::None)].into());
    let key = keys.delivery(&name("crm"), Some("pi_1"));

    assert!(key.is_some() && key != Some(keys.key(&name("crm"), "pi_1")));
    assert_eq!(keys.delivery(&name("crm"), None), None);
    assert_eq!(keys.delivery(&name("erp"), Some("pi_1")), None);
    keys.set(&name("erp"), rule);
    let other = keys.delivery(&name("erp"), Some("pi_1"));
    assert!(other.is_some() && other != key);
    keys.set(&name("crm"), Order::None);
    assert_eq!(keys.delivery(&name("crm"), Some("pi_1")), None);
}
