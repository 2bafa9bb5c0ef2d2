//! All or nothing: what a run asks for takes place with it, or nothing does [I6].

use bytes::Bytes;

use super::*;
use crate::effect::{Alert, Parcel, Severity, StateHash};

fn effects() -> Effects {
    let parcel = Parcel {
        endpoint: name("crm"),
        content_type: "text/plain".into(),
        body: Bytes::from_static(b"hello"),
    };
    let mut emitted = event("n1", "cus_1").to(&[], &["crm"]);
    Arc::make_mut(&mut emitted.event).source = name("ledger");
    Effects {
        events: vec![emitted],
        parcels: vec![parcel],
        alerts: vec![Alert { severity: Severity::Warning, message: "look".into() }],
        state: vec![("count".into(), Some(Bytes::from_static(b"1"))), ("gone".into(), None)],
        state_read: Some(StateHash([7; 16])),
        scope: "pi_1".into(),
        trace: None,
    }
}

fn count(case: &Case<impl Subject>) -> Option<Bytes> {
    case.store.state(&name("ledger"), "pi_1", "count").unwrap()
}

/// [I6]
pub(in crate::store) async fn the_effects_of_a_run_take_place_with_it<S: Subject>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = case.runs().await.pop().unwrap();
    let run_id = run.id;

    case.store.commit_run(run, tried(Verdict::Done), effects()).await.unwrap().unwrap();

    assert_eq!(count(&case).as_deref(), Some(&b"1"[..]));
    let view = case.store.event(ids[0]).await.unwrap().unwrap();
    assert_eq!(view.runs[0].tries[0].alerts.len(), 1);
    let emitted = view.runs[0].tries[0].events[0];
    let emitted = case.store.event(emitted).await.unwrap().unwrap();
    assert_eq!((emitted.cause, emitted.depth, emitted.receipt), (Some(run_id), 1, view.receipt));
    let deliveries = case.deliveries().await;
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().any(|work| matches!(work.payload, Payload::Parcel(_))));
}

/// [I6]
pub(in crate::store) async fn a_run_that_is_not_done_changes_nothing_but_its_history<S: Subject>() {
    for verdict in [Verdict::RetryAt(in_minutes(1)), Verdict::Dead] {
        let case = Case::<S>::new();
        let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
        let run = case.runs().await.pop().unwrap();

        case.store.commit_run(run, tried(verdict), effects()).await.unwrap().unwrap();

        assert_eq!(count(&case), None);
        assert!(case.deliveries().await.is_empty());
        let view = case.store.event(ids[0]).await.unwrap().unwrap();
        let tried = &view.runs[0].tries[0];
        assert!(tried.alerts.is_empty() && tried.events.is_empty() && tried.state_keys.is_empty());
    }
}

/// [I6]
pub(in crate::store) async fn state_is_overwritten_and_deleted<S: Subject>() {
    let case = Case::<S>::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "pi_1").to(&["ledger"], &[]));
    case.bring(events.to_vec()).await;
    let run = case.runs().await.pop().unwrap();
    case.store.commit_run(run, tried(Verdict::Done), effects()).await.unwrap().unwrap();

    let run = case.runs().await.pop().unwrap();
    let state = vec![("count".into(), None), ("other".into(), Some(Bytes::new()))];
    let effects = Effects { state, scope: "pi_1".into(), ..Effects::default() };
    case.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();

    assert_eq!(count(&case), None);
    let other = case.store.state(&name("ledger"), "pi_1", "other").unwrap();
    assert_eq!(other, Some(Bytes::new()));
}

/// Ends the run that is due, and what it emits: whether it is a replay, and its tries before.
async fn emit(case: &Case<impl Subject>, verdict: Verdict) -> (bool, u32) {
    let run = case.runs().await.pop().expect("it is due");
    let told = (run.is_replay, run.tries_made);
    let effects = Effects { events: vec![event("n1", "pi_1")], ..Effects::default() };
    case.store.commit_run(run, tried(verdict), effects).await.unwrap().unwrap();
    told
}

/// A receiver that remembers ids must not take what a replay emits for what it knows.
pub(in crate::store) async fn a_replayed_run_is_one_on_every_try_and_emits_under_ids_of_its_own<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;

    let mut told = vec![emit(&case, Verdict::RetryAt(in_minutes(1))).await];
    case.clock.set(in_minutes(1));
    told.push(emit(&case, Verdict::Done).await);
    case.store.replay(ids.clone()).await.unwrap();
    let case = case.restart().await;
    told.push(emit(&case, Verdict::RetryAt(in_minutes(2))).await);
    let case = case.restart().await;
    case.clock.set(in_minutes(2));
    told.push(emit(&case, Verdict::Done).await);
    case.store.replay(ids).await.unwrap();
    told.push(emit(&case, Verdict::Done).await);

    assert_eq!(told, [(false, 0), (false, 1), (true, 0), (true, 1), (true, 0)]);
    let page = Page { cursor: None, limit: 9 };
    let listed = case.store.events(&EventFilter::default(), page).await.unwrap().items;
    let listed = listed.iter().rev().map(|event| event.event_id.as_str());
    assert_eq!(listed.collect::<Vec<_>>(), ["evt_1", "n1", "n1.r1", "n1.r2"]);
}
