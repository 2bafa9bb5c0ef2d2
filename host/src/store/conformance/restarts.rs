//! A start redoes nothing that was committed and forgets nothing that was not [I8, I10].

use super::*;

/// [I1, I10]
pub(in crate::store) async fn a_receipt_is_parsed_after_a_restart<S: Subject>() {
    let case = Case::<S>::new();
    let id = case.append(&["evt_1"]).await;
    let taken = case.parse().await;

    let case = case.restart().await;
    drop(taken);

    let work = case.parse().await;
    assert_eq!((work.id, work.receipt.request.body.as_ref()), (id, &br#"["evt_1"]"#[..]));
    let again = case.store.append(receipt(&["evt_1"])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(id));
}

/// [I1, I10]
pub(in crate::store) async fn a_close_finishes_what_is_queued<S: Subject>() {
    // More than one transaction takes.
    let large = |number: usize| {
        let mut large = receipt(&[&format!("evt_{number}")]);
        Arc::make_mut(&mut large.request).body = vec![b'x'; 64 << 10].into();
        large
    };
    let mut case = Case::<S>::new();
    case.subject.hold_commits();
    let mut queued = vec![start(&case.store, receipt(&[]))];
    case.subject.wait_for_commit();
    queued.extend((0..40).map(|number| start(&case.store, large(number))));
    let mut closed = Box::pin(case.store.clone().close());
    assert!(is_pending(&mut closed));
    queued.extend((40..80).map(|number| start(&case.store, large(number))));

    case.subject.let_commits_go();

    for append in queued {
        let appended = append.await;
        assert!(matches!(appended, Ok(Appended::Stored(_))), "{appended:?}");
    }
    closed.await.unwrap();
    case.store = case.subject.open(&case.config, case.clock.clone());
    assert_eq!(case.store.take_parses(99, usize::MAX).await.unwrap().len(), 81);
}

/// [I8, I10]
pub(in crate::store) async fn what_was_parsed_is_owed_once_after_a_restart<S: Subject>() {
    let case = Case::<S>::new();
    let routed = event("evt_1", "pi_1").to(&["ledger", "mailer"], &["crm", "erp"]);
    case.bring(vec![routed]).await;

    let case = case.restart().await.restart().await;

    assert!(case.store.take_parses(9, usize::MAX).await.unwrap().is_empty());
    let runs = case.runs().await;
    let handlers: Vec<&str> = runs.iter().map(|work| work.handler.as_str()).collect();
    assert_eq!(handlers, ["ledger", "mailer"]);
    let deliveries = case.deliveries().await;
    let endpoints: Vec<&str> = deliveries.iter().map(|work| work.endpoint.as_str()).collect();
    assert_eq!(endpoints, ["crm", "erp"]);
    assert_eq!(runs[0].event.event, event("evt_1", "pi_1").event);
}

/// [I6, I10]
pub(in crate::store) async fn what_was_done_is_not_redone_and_its_effects_are_owed<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = case.runs().await.pop().unwrap();
    let run_id = run.id;
    let emitted = event("n1", "cus_1").to(&[], &["crm"]);
    let effects = Effects { events: vec![emitted], ..Effects::default() };
    case.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();

    let case = case.restart().await;

    assert!(case.runs().await.is_empty());
    let delivery = case.deliveries().await.pop().unwrap();
    let Payload::Event(emitted) = &delivery.payload else { panic!("an event") };
    assert_eq!(emitted.cause, Some(run_id));
    case.end_delivery(delivery, Verdict::Done).await;
    let case = case.restart().await;
    assert!(case.deliveries().await.is_empty());
}

/// [I10]
pub(in crate::store) async fn a_retry_waits_for_its_time_over_a_restart<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "pi_1").to(&[], &["crm"])]).await;
    let delivery = case.deliveries().await.pop().unwrap();
    let id = delivery.id;
    case.end_delivery(delivery, Verdict::RetryAt(in_minutes(5))).await;

    let case = case.restart().await;

    assert!(case.deliveries().await.is_empty());
    case.clock.set(in_minutes(5));
    let delivery = case.deliveries().await.pop().unwrap();
    assert_eq!((delivery.id, delivery.tries_made), (id, 1));
}

/// Behind a kill what was put off last is found elsewhere than what was put off long ago [I8].
pub(in crate::store) async fn a_retry_waits_for_its_time_over_a_kill<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let later = Verdict::RetryAt(in_minutes(5));
    case.end_run(case.runs().await.pop().unwrap(), later).await;
    case.end_delivery(case.deliveries().await.pop().unwrap(), later).await;

    let case = case.killed();

    assert!(case.runs().await.is_empty() && case.deliveries().await.is_empty());
    case.clock.set(in_minutes(5));
    let (run, delivery) = (case.runs().await.remove(0), case.deliveries().await.remove(0));
    assert_eq!((run.tries_made, delivery.tries_made), (1, 1));
}

/// [I8]
pub(in crate::store) async fn what_is_left_over_from_long_ago_is_not_forgotten<S: Subject>() {
    let case = Case::<S>::new();
    let routed = ["evt_a", "evt_b"].map(|id| event(id, "pi_1").to(&["ledger"], &["crm"]));
    case.bring(routed.to_vec()).await;
    let finished = case.runs().await.pop().unwrap();
    let mut deliveries = case.deliveries().await;
    let late = deliveries.pop().unwrap();
    case.end_delivery(deliveries.pop().unwrap(), Verdict::RetryAt(in_minutes(9))).await;

    // So many that a store has gone on from them, all else being finished.
    for _ in 0..600 {
        case.append(&[]).await;
        let parse = case.parse().await;
        case.store.commit_parse(parse, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    }
    case.end_run(finished, Verdict::Done).await;
    case.end_delivery(late, Verdict::Done).await;

    // No orderly end: the store has gone on from where it moved to by itself.
    let case = case.killed();
    let stats = case.store.stats();
    assert_eq!(stats.works[&WorkKind::Parse].pending(), 0);
    assert_eq!(stats.works[&WorkKind::Run].pending(), 1);
    assert_eq!(stats.works[&WorkKind::Delivery].retrying, 1);
    assert_eq!(stats.works[&WorkKind::Delivery].pending(), 1);
    let run = case.runs().await.pop().unwrap();
    assert_eq!(run.event.event.id, "evt_b");
}

/// [I8]
pub(in crate::store) async fn dead_letters_stay_dead_and_are_counted<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&["evt_1"]).await;
    let dead = tried(Verdict::Dead);
    case.store.commit_parse(case.parse().await, dead, Vec::new()).await.unwrap().unwrap();

    let case = case.restart().await;

    assert!(case.store.take_parses(9, usize::MAX).await.unwrap().is_empty());
    assert_eq!(case.store.stats().works[&WorkKind::Parse].dead, 1);
}
