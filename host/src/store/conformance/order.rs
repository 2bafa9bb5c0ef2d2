//! Order: what is of one subject goes one after the other, the oldest first.

use std::num::NonZeroU32;

use super::replays::reopened;
use super::*;

/// The events that the runs of one handler are for, as they come one after the other.
async fn run_all(case: &Case<impl Subject>) -> Vec<String> {
    let mut ran = Vec::new();
    while let Some(run) = case.runs().await.pop() {
        ran.push(run.event.event.id.clone());
        case.end_run(run, Verdict::Done).await;
    }
    ran
}

pub(in crate::store) async fn runs_of_one_subject_are_taken_in_order_one_at_a_time<S: Subject>() {
    let case = Case::<S>::new();
    let events = [("evt_1", "pi_1"), ("evt_2", "pi_1"), ("evt_3", "pi_2"), ("evt_4", "")];
    let events = events.map(|(id, subject)| event(id, subject).to(&["ledger"], &[]));
    case.bring(events.to_vec()).await;
    let event_ids = |works: &[RunWork]| -> Vec<String> {
        works.iter().map(|work| work.event.event.id.clone()).collect()
    };

    let mut works = case.runs().await;
    assert_eq!(event_ids(&works), ["evt_1", "evt_3", "evt_4"]);
    case.end_run(works.remove(0), Verdict::RetryAt(in_minutes(1))).await;
    assert!(case.runs().await.is_empty());

    case.clock.set(in_minutes(1));
    let mut works = case.runs().await;
    assert_eq!((event_ids(&works), works[0].tries_made), (vec!["evt_1".to_owned()], 1));
    case.end_run(works.remove(0), Verdict::Dead).await;
    assert_eq!(event_ids(&case.runs().await), ["evt_2"]);
}

/// Deliveries to `crm` go in order.
fn in_order(skip_after: Option<u32>) -> Config {
    let skip_after = skip_after.and_then(NonZeroU32::new);
    let ordered = [(name("crm"), Order::Subject { skip_after })].into();
    Config { ordered, ..Config::at("nowhere") }
}

/// Some events of one subject that `crm` is to get.
fn to_crm<const N: usize>(ids: [&str; N]) -> Vec<NewEvent> {
    ids.map(|id| event(id, "pi_1").to(&[], &["crm"])).to_vec()
}

fn event_ids(works: &[DeliveryWork]) -> Vec<&str> {
    let payloads = works.iter().map(|work| match &work.payload {
        Payload::Event(stored) => stored.event.id.as_str(),
        Payload::Parcel(_) => "a parcel",
    });
    payloads.collect()
}

pub(in crate::store) async fn deliveries_of_one_subject_go_in_order_where_that_is_wanted<
    S: Subject,
>() {
    let mut case = Case::<S>::with(in_order(None));
    let others = ["pi_2", ""].map(|subject| event(&format!("of {subject}"), subject));
    let others = others.map(|new| new.to(&[], &["crm"]));
    case.bring([to_crm(["evt_1", "evt_2"]), others.to_vec()].concat()).await;
    case.bring(vec![event("evt_3", "pi_1").to(&[], &["erp"])]).await;
    let mut taken = case.deliveries().await;
    assert_eq!(event_ids(&taken), ["evt_1", "evt_3", "of pi_2", "of "]);

    case.end_delivery(taken.remove(0), Verdict::RetryAt(in_minutes(1))).await;
    for other in taken {
        case.end_delivery(other, Verdict::Done).await;
    }
    for is_killed in [false, true] {
        assert!(case.deliveries().await.is_empty());
        case = if is_killed { case.killed() } else { case.restart().await };
    }
    assert!(case.deliveries().await.is_empty());
    case.clock.set(in_minutes(1));
    for next in ["evt_1", "evt_2"] {
        let mut taken = case.deliveries().await;
        assert_eq!(event_ids(&taken), [next]);
        case.end_delivery(taken.remove(0), Verdict::Done).await;
    }
}

pub(in crate::store) async fn a_delivery_that_failed_so_often_is_passed_also_after_a_start<
    S: Subject,
>() {
    let mut case = Case::<S>::with(in_order(Some(1)));
    case.bring(to_crm(["evt_1", "evt_2", "evt_3"])).await;
    let first = case.deliveries().await.remove(0);
    case.end_delivery(first, Verdict::RetryAt(in_minutes(1))).await;

    for is_killed in [false, true] {
        assert_eq!(event_ids(&case.deliveries().await), ["evt_2"]);
        case = if is_killed { case.killed() } else { case.restart().await };
    }
    let second = case.deliveries().await.remove(0);
    case.clock.set(in_minutes(1));
    assert_eq!(event_ids(&case.deliveries().await), ["evt_1"]);
    case.end_delivery(second, Verdict::Done).await;
    assert_eq!(event_ids(&case.deliveries().await).len(), 2);
}

pub(in crate::store) async fn an_order_counts_for_what_is_stored_from_then_on<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(to_crm(["evt_1", "evt_2"])).await;
    let order = Order::Subject { skip_after: None };
    case.store.allow(&name("crm"), Allowance { order, ..Allowance::of(9) });
    case.bring(to_crm(["evt_3", "evt_4"])).await;
    assert_eq!(event_ids(&case.deliveries().await), ["evt_1", "evt_2", "evt_3"]);

    case.store.allow(&name("crm"), Allowance::of(9));
    case.bring(to_crm(["evt_5"])).await;
    assert_eq!(event_ids(&case.deliveries().await), ["evt_1", "evt_2", "evt_3", "evt_5"]);
}

pub(in crate::store) async fn a_blocked_subject_keeps_its_order_over_a_restart<S: Subject>() {
    let case = Case::<S>::new();
    let events = ["evt_1", "evt_2", "evt_3"].map(|id| event(id, "pi_1").to(&["ledger"], &[]));
    case.bring(events.to_vec()).await;
    let first = case.runs().await.pop().unwrap();
    case.end_run(first, Verdict::RetryAt(in_minutes(1))).await;

    let case = case.restart().await;

    assert!(case.runs().await.is_empty());
    case.clock.set(in_minutes(1));
    let mut seen = Vec::new();
    while let Some(run) = case.runs().await.pop() {
        seen.push(run.event.event.id.clone());
        case.end_run(run, Verdict::Done).await;
    }
    assert_eq!(seen, ["evt_1", "evt_2", "evt_3"]);
}

pub(in crate::store) async fn a_subjects_events_are_replayed_in_their_order<S: Subject>() {
    let case = Case::<S>::new();
    let mut ids = Vec::new();
    let names: Vec<String> = (0..10).map(|number| format!("evt_{number}")).collect();
    for name in &names {
        ids.extend(case.bring(vec![event(name, "pi_1").to(&["ledger"], &[])]).await);
    }
    assert_eq!(run_all(&case).await, names);

    let done = EventFilter { state: Some(State::Done), ..EventFilter::default() };
    assert_eq!(case.replay_matching(done).await, reopened(10));
    assert_eq!(run_all(&case).await, names);
    ids.reverse();
    assert_eq!(case.store.replay(ids).await.unwrap(), reopened(10));
    assert_eq!(run_all(&case).await, names);
}

pub(in crate::store) async fn what_is_replayed_goes_before_what_is_newer_and_waits<S: Subject>() {
    let case = Case::<S>::new();
    let bring = async |id: &str| case.bring(vec![event(id, "pi_1").to(&["ledger"], &[])]).await;
    let old = bring("evt_old").await;
    run_all(&case).await;
    bring("evt_front").await;
    bring("evt_new").await;

    case.store.replay(old).await.unwrap();

    // The one in front has its turn already.
    assert_eq!(run_all(&case).await, ["evt_front", "evt_old", "evt_new"]);
}
