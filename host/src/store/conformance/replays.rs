//! Replays: what is done or dead comes back, what waits is hastened, what is under way is left
//! alone [I8].

use super::*;
use crate::failure::Reason;

pub(super) fn reopened(reopened: usize) -> Replayed {
    Replayed { reopened, ..Replayed::default() }
}

/// An event whose run is done and whose delivery is dead.
async fn one_of_each(case: &Case<impl Subject>) -> Id {
    case.finished("evt_1", Verdict::Dead).await.1
}

/// A commit is held up: what is asked for until it goes on is committed together.
fn held_up(case: &Case<impl Subject>) -> Started {
    case.subject.hold_commits();
    let append = start(&case.store, receipt(&[]));
    case.subject.wait_for_commit();
    append
}

/// [I8]
pub(in crate::store) async fn an_event_is_replayed_with_the_same_ids_and_its_history<S: Subject>() {
    let case = Case::<S>::new();
    let id = one_of_each(&case).await;
    let before = case.store.event(id).await.unwrap().unwrap();

    let replayed = case.store.replay(vec![id]).await.unwrap();

    assert_eq!(replayed, reopened(2));
    let (run, delivery) =
        (case.runs().await.pop().unwrap(), case.deliveries().await.pop().unwrap());
    assert_eq!((run.id, run.tries_made), (before.runs[0].id, 0));
    assert_eq!((delivery.id, delivery.tries_made), (before.deliveries[0].id, 0));
    case.end_delivery(delivery, Verdict::Done).await;
    let after = case.store.event(id).await.unwrap().unwrap();
    assert_eq!(after.deliveries[0].attempts.len(), 2);
    assert_eq!(after.deliveries[0].progress.reopened_at, [NOW]);
    assert_eq!(after.deliveries[0].progress.tries_made, 1);
}

/// [I8]
pub(in crate::store) async fn what_waits_is_hastened_and_what_is_ready_or_in_flight_is_left_alone<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let routed = event("evt_1", "pi_1").to(&["ledger"], &["crm", "erp"]);
    let ids = case.bring(vec![routed]).await;
    let in_flight = case.runs().await.pop().unwrap();
    let crm = case.store.take_deliveries(1, usize::MAX).await.unwrap().remove(0);
    let waiting = crm.id;
    case.end_delivery(crm, Verdict::RetryAt(in_minutes(60))).await;

    let replayed = case.store.replay(ids.clone()).await.unwrap();

    assert_eq!(replayed, Replayed { hastened: 1, unchanged: 2, ..Replayed::default() });
    assert!(case.runs().await.is_empty());
    drop(in_flight);
    let again = case.store.replay(ids).await.unwrap();
    assert_eq!(again, Replayed { unchanged: 3, ..Replayed::default() });
    // Also after a restart, with the tries that it had.
    let case = case.restart().await;
    let deliveries = case.deliveries().await;
    let hastened = deliveries.iter().find(|work| work.id == waiting).unwrap();
    assert_eq!((deliveries.len(), hastened.tries_made), (2, 1));
}

/// [I8]
pub(in crate::store) async fn an_unknown_id_is_named_and_nothing_is_replayed<S: Subject>() {
    let case = Case::<S>::new();
    let id = one_of_each(&case).await;
    let elsewhere = Id { tag: id.tag ^ 1, ..id };
    let wrong_kind = Id { kind: crate::ids::IdKind::Run, ..id };

    let error = case.store.replay(vec![id, elsewhere, wrong_kind]).await.unwrap_err();

    assert!(matches!(&error, Error::Unknown(ids) if *ids == [elsewhere, wrong_kind]), "{error}");
    assert!(error.to_string().contains(&elsewhere.to_string()));
    assert!(case.runs().await.is_empty());
}

/// [I8]
pub(in crate::store) async fn a_receipt_is_replayed_only_if_it_is_dead<S: Subject>() {
    let case = Case::<S>::new();
    let dead = case.append(&["evt_1"]).await;
    case.store
        .commit_parse(case.parse().await, tried(Verdict::Dead), Vec::new())
        .await
        .unwrap()
        .unwrap();
    let done = case.append(&["evt_2"]).await;
    case.store
        .commit_parse(case.parse().await, tried(Verdict::Done), Vec::new())
        .await
        .unwrap()
        .unwrap();

    let replayed = case.store.replay(vec![dead, done]).await.unwrap();

    assert_eq!(replayed, Replayed { unchanged: 1, ..reopened(1) });
    let events = vec![event("evt_1", "pi_1")];
    let work = case.parse().await;
    assert_eq!(work.id, dead);
    let added = case.store.commit_parse(work, tried(Verdict::Done), events).await.unwrap().unwrap();
    assert_eq!(added.len(), 1);
    assert_eq!(case.store.stats().works[&WorkKind::Parse].dead, 0);
}

/// [I8]
pub(in crate::store) async fn only_the_dead_of_matching_events_are_replayed<S: Subject>() {
    let case = Case::<S>::new();
    let id = one_of_each(&case).await;
    let dead = |subject: &str| EventFilter {
        subject: Some(subject.into()),
        state: Some(State::Dead),
        ..EventFilter::default()
    };

    let missed = case.replay_matching(dead("pi_2")).await;
    assert_eq!(missed, Replayed::default());
    let replayed = case.replay_matching(dead("pi_1")).await;

    assert_eq!(replayed, reopened(1));
    assert!(case.runs().await.is_empty());
    assert_eq!(case.deliveries().await.len(), 1);
    let letters = case.store.dead(Page { cursor: None, limit: 9 }).await.unwrap();
    assert!(letters.items.is_empty() && letters.damaged.is_empty(), "{letters:?}");
    assert_eq!(case.store.event(id).await.unwrap().unwrap().state, State::Pending);
}

/// [I8]
pub(in crate::store) async fn a_reopened_work_before_the_mark_survives_a_restart<S: Subject>() {
    let case = Case::<S>::new();
    let id = one_of_each(&case).await;
    // An orderly end moves the mark over everything.
    let case = case.restart().await;
    case.store.replay(vec![id]).await.unwrap();
    let case = case.restart().await;
    case.end_run(case.runs().await.pop().unwrap(), Verdict::Done).await;
    let case = case.restart().await;

    assert!(case.runs().await.is_empty());
    assert_eq!(case.deliveries().await.len(), 1);
}

/// [I8]
pub(in crate::store) async fn a_run_that_is_replayed_in_the_commit_that_ended_it_survives_a_restart<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = case.runs().await.pop().unwrap();
    let append = held_up(&case);

    let done = case.store.commit_run(run, tried(Verdict::Done), Effects::default());
    let replayed = case.store.replay(ids);
    // Both are queued before the commit goes on.
    let go_on = async { case.subject.let_commits_go() };
    let (done, replayed, ()) = tokio::join!(done, replayed, go_on);
    done.unwrap().unwrap();
    assert_eq!(replayed.unwrap().reopened, 1);
    append.await.unwrap();

    let case = case.restart().await;
    assert_eq!(case.runs().await.len(), 1);
}

/// [I8]
pub(in crate::store) async fn another_version_of_a_plugin_reopens_what_it_could_not_parse<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let id = case.append(&["evt_1"]).await;
    case.store
        .commit_parse(case.parse().await, tried(Verdict::Dead), Vec::new())
        .await
        .unwrap()
        .unwrap();
    let reopen = async |sources: &[Name], digest: &str| {
        case.store.reopen_parses(sources, digest).await.unwrap().reopened
    };

    assert_eq!(reopen(&[name("stripe")], "d1").await, 0);
    assert_eq!(reopen(&[name("adyen")], "d2").await, 0);
    assert_eq!(reopen(&[name("adyen"), name("stripe")], "d2").await, 1);
    assert_eq!(case.parse().await.id, id);
}

/// [I8] Without the reason or the digest in `Outdated::has` the gateway runs again what no other
/// version makes good.
pub(in crate::store) async fn another_version_of_a_handler_reopens_what_died_of_its_own_fault<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let about = |number| event(&format!("evt_{number}"), "pi_1").to(&["logic"], &[]);
    case.bring((1..=4).map(about).collect()).await;
    let own = [None, Some(Reason::PluginFailed)];
    let mut ids = Vec::new();
    for reason in own.into_iter().chain([Reason::NotGranted, Reason::PluginMissing].map(Some)) {
        let run = case.runs().await.pop().unwrap();
        ids.push(run.id);
        let dead = Try { reason, ..tried(Verdict::Dead) };
        case.store.commit_run(run, dead, Effects::default()).await.unwrap().unwrap();
    }
    let reopen = async |handler: &str, digest: &str| {
        case.store.reopen_runs(&name(handler), digest).await.unwrap().reopened
    };

    assert_eq!(reopen("logic", "d1").await, 0, "they died of this version");
    assert_eq!(reopen("ledger", "d2").await, 0);
    assert_eq!(reopen("logic", "d2").await, own.len());
    for id in &ids[..own.len()] {
        let run = case.runs().await.pop().unwrap();
        assert_eq!((run.id, run.is_replay), (*id, true), "in the order of their subject");
        case.end_run(run, Verdict::Done).await;
    }
    assert!(case.runs().await.is_empty());
}

/// [I8]
pub(in crate::store) async fn only_what_is_pending_is_hastened_if_that_is_asked_for<S: Subject>() {
    let case = Case::<S>::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "").to(&[], &["crm", "erp"]));
    case.bring(events.to_vec()).await;
    let later = Verdict::RetryAt(in_minutes(60));
    let verdicts = [Verdict::Done, later, Verdict::Dead, Verdict::Done];
    for (work, verdict) in case.deliveries().await.into_iter().zip(verdicts) {
        case.end_delivery(work, verdict).await;
    }
    let pending = EventFilter { state: Some(State::Pending), ..EventFilter::default() };

    let replayed = case.replay_matching(pending.clone()).await;

    assert_eq!(replayed, Replayed { hastened: 1, ..Replayed::default() });
    let deliveries = case.deliveries().await;
    assert_eq!((deliveries.len(), deliveries[0].tries_made), (1, 1));
    // A second has nothing to hasten: it is in flight.
    assert_eq!(case.replay_matching(pending).await.hastened, 0);
}

/// [I8]
pub(in crate::store) async fn the_dead_of_an_event_that_is_pending_are_reached_too<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "").to(&[], &["crm", "erp"])]).await;
    let mut works = case.deliveries().await;
    case.end_delivery(works.remove(0), Verdict::Dead).await;

    let dead = EventFilter { state: Some(State::Dead), ..EventFilter::default() };
    let replayed = case.replay_matching(dead).await;

    assert_eq!(replayed, reopened(1));
}

/// [I8]
pub(in crate::store) async fn a_retry_that_is_hastened_in_the_commit_that_put_it_off_is_due_at_once<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    let delivery = case.deliveries().await.pop().unwrap();
    let append = held_up(&case);

    let put_off = attempt(Verdict::RetryAt(in_minutes(60)));
    let recorded = case.store.record_attempt(delivery, put_off);
    let replayed = case.store.replay(ids);
    let go_on = async { case.subject.let_commits_go() };
    let (recorded, replayed, ()) = tokio::join!(recorded, replayed, go_on);

    append.await.unwrap();
    recorded.unwrap().unwrap();
    assert_eq!(replayed.unwrap().hastened, 1);
    assert_eq!(case.deliveries().await.pop().unwrap().tries_made, 1);
}
