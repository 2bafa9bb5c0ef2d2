//! Leases: a work is in one hand at a time, comes back if nothing is committed, and whoever waits
//! for one is woken [I8].

use std::pin::pin;

use super::*;

/// [I8]
pub(in crate::store) async fn a_dropped_lease_returns_the_work<S: Subject>() {
    let case = Case::<S>::new();
    let id = case.append(&["evt_1"]).await;

    drop(case.parse().await);
    assert!(case.store.stats().works[&WorkKind::Parse].ready == 1);
    let again = case.parse().await;

    assert_eq!((again.id, again.tries_made), (id, 0));
    assert!(case.store.take_parses(9, usize::MAX).await.unwrap().is_empty());
}

/// Nothing of it is lost [I8], and what was brought first still goes first.
pub(in crate::store) async fn a_take_that_is_dropped_gives_its_works_back_in_their_order<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(case.append(&[]).await);
    }

    // All of them, and then the first two.
    drop(case.store.take_parses(9, usize::MAX));
    drop(case.store.take_parses(2, usize::MAX));

    for _ in 0..2 {
        let again = case.store.take_parses(9, usize::MAX).await.unwrap();
        assert_eq!(again.iter().map(|work| work.id).collect::<Vec<_>>(), ids);
    }
}

/// Twice in two hands it would happen twice [I3].
pub(in crate::store) async fn a_work_is_in_one_hand_at_a_time<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "").to(&["ledger"], &["crm"])]).await;
    case.append(&["evt_2"]).await;
    let taken =
        (case.store.take_parses(9, 9).await.unwrap(), case.runs().await, case.deliveries().await);
    assert_eq!((taken.0.len(), taken.1.len(), taken.2.len()), (1, 1, 1));

    let again =
        (case.store.take_parses(9, 9).await.unwrap(), case.runs().await, case.deliveries().await);

    assert!(again.0.is_empty() && again.1.is_empty() && again.2.is_empty());
}

/// A kill undoes a lease: what it was for is owed as before [I8].
pub(in crate::store) async fn what_was_taken_before_a_kill_is_owed_after_it<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let receipt_id = case.append(&["evt_2"]).await;
    let (parse, run, delivery) = (
        case.parse().await,
        case.runs().await.pop().unwrap(),
        case.deliveries().await.pop().unwrap(),
    );

    let killed = case.killed();

    assert_eq!((killed.parse().await.id, parse.id), (receipt_id, receipt_id));
    let (runs, deliveries) = (killed.runs().await, killed.deliveries().await);
    assert_eq!((runs.len(), runs[0].id, runs[0].tries_made), (1, run.id, 0));
    assert_eq!((deliveries.len(), deliveries[0].id), (1, delivery.id));
}

/// The work is done again, so a try from before must not be committed beside that [I3].
pub(in crate::store) async fn what_was_taken_before_a_start_is_refused_after_it<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&["evt_1"]).await;
    let taken = case.parse().await;
    let case = case.restart().await;
    let (done, events) = (tried(Verdict::Done), vec![event("evt_1", "")]);

    let refused = case.store.commit_parse(taken, done.clone(), events.clone()).await.unwrap();

    assert_eq!(refused, Err(Refused::OtherLife));
    let added = case.store.commit_parse(case.parse().await, done, events).await.unwrap().unwrap();
    assert_eq!(added.len(), 1);
    case.store.idle().await;
}

/// [I8]
pub(in crate::store) async fn ready_misses_nothing_that_happens_after_the_call<S: Subject>() {
    let case = Case::<S>::new();
    let ready = case.store.ready(WorkKind::Parse);
    case.append(&[]).await;
    ready.await;

    let work = case.parse().await;
    let mut ready = pin!(case.store.ready(WorkKind::Parse));
    tokio::select! {
        biased;
        () = &mut ready => panic!("nothing is ready"),
        () = std::future::ready(()) => (),
    }
    let retry = tried(Verdict::RetryAt(in_minutes(1)));
    case.store.commit_parse(work, retry, Vec::new()).await.unwrap().unwrap();
    ready.await;

    let later = case.store.ready(WorkKind::Parse);
    case.clock.set(in_minutes(1));
    later.await;
    assert_eq!(case.parse().await.tries_made, 1);
}

/// [I10]
pub(in crate::store) async fn it_is_idle_when_only_the_future_is_left<S: Subject>() {
    let case = Case::<S>::new();
    case.store.idle().await;
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let run = case.runs().await.pop().unwrap();
    let delivery = case.deliveries().await.pop().unwrap();

    let idle = case.store.idle();
    let work = async {
        case.end_run(run, Verdict::Done).await;
        case.end_delivery(delivery, Verdict::RetryAt(in_minutes(5))).await;
    };
    tokio::join!(idle, work);

    let stats = case.store.stats();
    assert_eq!(stats.works[&WorkKind::Delivery].retrying, 1);
    assert_eq!(stats.works[&WorkKind::Run].pending(), 0);
}

/// [I10]
pub(in crate::store) async fn it_is_not_idle_while_a_work_is_in_flight<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&[]).await;
    let work = case.parse().await;

    let mut idle = pin!(case.store.idle());
    assert!(is_pending(&mut idle), "it is in flight");
    drop(work);
    assert!(is_pending(&mut idle), "it was given back");
    let work = case.parse().await;
    assert!(is_pending(&mut idle), "it is in flight again");
    case.store.commit_parse(work, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    idle.await;
}

/// [I10]
pub(in crate::store) async fn it_is_not_idle_while_something_is_queued<S: Subject>() {
    let case = Case::<S>::new();
    case.subject.hold_commits();
    let append = start(&case.store, receipt(&[]));
    case.subject.wait_for_commit();

    let mut idle = pin!(case.store.idle());
    let waits = is_pending(&mut idle);
    case.subject.let_commits_go();

    assert!(waits, "it is not stored yet");
    append.await.unwrap();
    assert!(is_pending(&mut idle), "it is to be parsed");
    let work = case.parse().await;
    case.store.commit_parse(work, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    idle.await;
}

/// [I8]
pub(in crate::store) async fn a_retry_that_was_put_off_by_a_clock_that_was_ahead_is_pulled_forward<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "").to(&[], &["crm"]));
    let ids = case.bring(events.to_vec()).await;
    for delivery in case.deliveries().await {
        case.end_delivery(delivery, Verdict::RetryAt(in_minutes(1_000_000))).await;
    }
    let case = case.restart().await;
    case.store.bound_delays(Duration::from_secs(60 * 60));
    assert!(case.deliveries().await.is_empty());

    // It is found where it is now.
    assert_eq!(case.store.replay(vec![ids[1]]).await.unwrap().hastened, 1);
    let hastened = case.deliveries().await.pop().unwrap();
    case.end_delivery(hastened, Verdict::Done).await;
    assert!(case.deliveries().await.is_empty());
    case.clock.set(in_minutes(60));
    assert_eq!(case.deliveries().await.pop().unwrap().tries_made, 1);
}
