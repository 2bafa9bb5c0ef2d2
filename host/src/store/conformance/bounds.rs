//! Bounds: what waits is bounded, and what has no room is refused and not stored [I7].

use super::*;

/// A store in the middle of a commit that lasts until it is let go.
fn held_up<S: Subject>(config: Config) -> (Case<S>, Started) {
    let case = Case::<S>::with(config);
    case.subject.hold_commits();
    let first = start(&case.store, receipt(&["evt_0"]));
    case.subject.wait_for_commit();
    (case, first)
}

/// A commit costs a sync: a burst must not cost one each [I7].
pub(in crate::store) async fn what_waits_together_is_committed_together<S: Subject>() {
    let (case, first) = held_up::<S>(Config::at("nowhere"));
    let rest: Vec<Started> = (0..100).map(|_| start(&case.store, receipt(&[]))).collect();
    assert_eq!(case.store.stats().queued, 101);

    case.subject.let_commits_go();

    first.await.unwrap();
    for append in rest {
        assert!(matches!(append.await, Ok(Appended::Stored(_))));
    }
    assert_eq!(case.store.stats().commits, 2);
}

/// [I7]
pub(in crate::store) async fn a_full_queue_refuses_and_stores_nothing<S: Subject>() {
    let (case, first) = held_up::<S>(Config { queue: 1, ..Config::at("nowhere") });
    let second = start(&case.store, receipt(&["evt_1"]));

    let refused = case.store.append(receipt(&["evt_2"])).await;
    case.subject.let_commits_go();

    assert!(matches!(refused, Err(Error::Full)));
    assert!(first.await.is_ok() && second.await.is_ok());
    assert_eq!(case.store.take_parses(9, usize::MAX).await.unwrap().len(), 2);
    assert!(matches!(case.store.append(receipt(&["evt_2"])).await, Ok(Appended::Stored(_))));
}
