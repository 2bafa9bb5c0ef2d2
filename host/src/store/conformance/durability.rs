//! Accepted is durable: no answer before a kill can't undo it [I1].

use super::*;

/// [I1]
pub(in crate::store) async fn nothing_is_answered_before_a_kill_leaves_it<S: Subject>() {
    let case = Case::<S>::new();
    case.subject.hold_commits();
    let mut append = start(&case.store, receipt(&["evt_1"]));
    case.subject.wait_for_commit();

    assert!(is_pending(&mut append), "it was answered in the middle of its commit");
    assert!(case.killed().store.take_parses(9, 9).await.unwrap().is_empty());
    case.subject.let_commits_go();

    let Appended::Stored(id) = append.await.unwrap() else { panic!("a duplicate") };
    let killed = case.killed();
    assert_eq!(killed.parse().await.id, id);
    assert_eq!(killed.store.append(receipt(&["evt_1"])).await.unwrap(), Appended::Duplicate(id));
}

/// Every answer there is, and a kill right behind it [I1].
pub(in crate::store) async fn whatever_was_answered_is_there_after_a_kill<S: Subject>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    let shown = async |case: &Case<S>| {
        let view = case.store.event(ids[0]).await.unwrap().unwrap();
        serde_json::to_string(&view).unwrap()
    };
    assert_eq!(shown(&case.killed()).await, shown(&case).await, "the event");

    let state = vec![("count".to_owned(), Some("1".into()))];
    let effects = Effects { state, scope: "pi_1".into(), ..Effects::default() };
    let run = case.runs().await.pop().unwrap();
    case.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    let killed = case.killed();
    assert_eq!(shown(&killed).await, shown(&case).await, "the run");
    let count = killed.store.state(&name("ledger"), "pi_1", "count").unwrap();
    assert_eq!(count.as_deref(), Some(&b"1"[..]));

    case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    assert_eq!(shown(&case.killed()).await, shown(&case).await, "the attempt");
    case.store.replay(ids.clone()).await.unwrap();
    let killed = case.killed();
    assert_eq!(shown(&killed).await, shown(&case).await, "the replay");
    assert_eq!((killed.runs().await.len(), killed.deliveries().await.len()), (1, 1));
}

/// By it events wait for a handler that is missing. Each note takes the place of all before it
/// [I1, I8].
pub(in crate::store) async fn what_handlers_run_on_is_there_when_it_is_answered<S: Subject>() {
    let case = Case::<S>::new();
    let handler = |text: &str, types: &[&str]| HandlerRow {
        name: name(text),
        types: types.iter().map(|it| it.parse().unwrap()).collect(),
        version: "1".to_owned(),
        digest: "d1".to_owned(),
    };
    let left = async || case.killed().store.handlers().await.unwrap();
    assert_eq!(left().await, [], "nothing was noted");

    let (dunning, ledger) = (handler("dunning", &["payment.*"]), handler("ledger", &["*"]));
    case.store.note_handlers(vec![dunning.clone(), ledger.clone()]).await.unwrap();
    assert_eq!(left().await, [dunning, ledger]);

    // Another version runs on more, and the other handler is none any more.
    let dunning = handler("dunning", &["payment.*", "refund.*"]);
    case.store.note_handlers(vec![dunning.clone()]).await.unwrap();
    assert_eq!(left().await, [dunning]);
}
