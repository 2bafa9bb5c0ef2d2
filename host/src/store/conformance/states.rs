//! State: a handler remembers no more than it may, and no longer than it should [I6, I7].

use bytes::Bytes;

use super::*;

/// What a run sets, by key.
type Set<'a> = &'a [(&'a str, Option<&'a str>)];

fn quotas(quota: Quota) -> Quotas {
    Quotas::of([(name("ledger"), quota)])
}

fn few(keys: u64, bytes: u64) -> Config {
    let quotas = quotas(Quota { keys, bytes, term: None });
    Config { quotas, ..Config::at("nowhere") }
}

impl<S: Subject> Case<S> {
    /// A run on an event of this subject.
    async fn run_on(&self, id: &str, subject: &str) -> RunWork {
        self.bring(vec![event(id, subject).to(&["ledger"], &[])]).await;
        self.runs().await.pop().expect("its run is due")
    }

    /// Commits the run with what it sets.
    async fn commit(&self, run: RunWork, set: Set<'_>) -> Result<(), RunRefused> {
        let effects = setting(&run, set);
        self.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap()
    }

    /// The same, on an event of its own.
    async fn set(&self, id: &str, subject: &str, set: Set<'_>) -> Result<(), RunRefused> {
        self.commit(self.run_on(id, subject).await, set).await
    }

    fn get(&self, subject: &str, key: &str) -> Option<Bytes> {
        self.store.state(&name("ledger"), subject, key).unwrap()
    }
}

/// The effects of a run that sets this, and emits an event.
fn setting(run: &RunWork, set: Set<'_>) -> Effects {
    let owned = |value: &str| Bytes::copy_from_slice(value.as_bytes());
    let state = set.iter().map(|(key, value)| ((*key).to_owned(), value.map(owned)));
    Effects {
        state: state.collect(),
        scope: run.event.event.subject.clone().unwrap_or_default(),
        events: vec![event(&format!("of {}", run.id), "")],
        ..Effects::default()
    }
}

fn full(refused: Result<(), RunRefused>) -> StateFull {
    match refused {
        Err(RunRefused::StateFull(full)) => *full,
        other => panic!("{other:?}"),
    }
}

/// [I6, I7]
pub(in crate::store) async fn a_run_that_sets_more_than_its_handler_may_does_nothing<S: Subject>() {
    let case = Case::<S>::with(few(2, 1000));
    case.set("evt_1", "pi_1", &[("a", Some("1")), ("b", Some("2"))]).await.unwrap();

    let refused = full(case.set("evt_2", "pi_2", &[("c", Some("3"))]).await);

    let expected = "the state of handler ledger is full: with this run it would have 3 keys";
    assert!(refused.reason.starts_with(expected), "{}", refused.reason);
    assert_eq!(case.get("pi_2", "c"), None);
    let filter = EventFilter::default();
    let events = case.store.events(&filter, Page { cursor: None, limit: 9 });
    assert_eq!(events.await.unwrap().items.len(), 3, "two, and what the first run emitted");
    // It is in the same hand, to be committed as one that failed.
    assert!(case.runs().await.is_empty());
    let later = tried(Verdict::RetryAt(in_minutes(1)));
    case.store.commit_run(refused.work, later, Effects::default()).await.unwrap().unwrap();
    case.clock.set(in_minutes(1));
    let again = case.runs().await.pop().unwrap();
    assert_eq!(again.tries_made, 1);

    // There is room once another key is gone, and for less always.
    case.set("evt_3", "pi_1", &[("a", None)]).await.unwrap();
    case.commit(again, &[("c", Some("3"))]).await.unwrap();
    assert_eq!(case.get("pi_2", "c").as_deref(), Some(&b"3"[..]));
    let large = "x".repeat(1000);
    full(case.set("evt_4", "pi_1", &[("b", Some(&large))]).await);
    assert_eq!(case.get("pi_1", "b").as_deref(), Some(&b"2"[..]));
    case.store.bound_state(quotas(Quota { keys: 1, bytes: 1, term: None }));
    case.set("evt_5", "pi_1", &[("b", Some(""))]).await.unwrap();
    full(case.set("evt_6", "pi_1", &[("b", Some("2"))]).await);
}

/// [I7]
pub(in crate::store) async fn of_two_runs_that_both_want_the_last_room_one_gets_it<S: Subject>() {
    let case = Case::<S>::with(few(1, 1000));
    let (one, other) = (case.run_on("evt_1", "pi_1").await, case.run_on("evt_2", "pi_2").await);

    let set: Set<'_> = &[("a", Some("1"))];
    let (one, other) = tokio::join!(case.commit(one, set), case.commit(other, set));

    assert!(one.is_ok() != other.is_ok(), "{one:?} and {other:?}");
    let kept = ["pi_1", "pi_2"].map(|subject| case.get(subject, "a").is_some());
    assert_eq!(kept, [one.is_ok(), other.is_ok()]);
}

/// For what was promised nobody waits, and others have been told of it. Leave out what is promised
/// already in `Store::promise_room`, and both runs are promised the same room. [I6, I7]
pub(in crate::store) async fn of_two_runs_that_fit_alone_one_is_promised_room_and_has_it<
    S: Subject,
>() {
    let case = Case::<S>::with(few(1, 1000));
    let (one, other) = (case.run_on("evt_1", "pi_1").await, case.run_on("evt_2", "pi_2").await);
    let set: Set<'_> = &[("a", Some("1"))];
    let promise = |run: &RunWork| case.store.promise_room(&name("ledger"), &setting(run, set));
    drop(promise(&one).expect("there is room"));
    let promised = promise(&one).expect("there is again");
    assert!(promise(&other).is_none(), "it is the other's");
    assert!(case.store.promise_room(&name("ledger"), &setting(&other, &[])).is_some());

    case.store.bound_state(quotas(Quota { keys: 0, bytes: 0, term: None }));
    let effects = setting(&one, set);
    let left = case.store.leave_run(one, tried(Verdict::Done), effects, promised).await.unwrap();
    assert!(left.is_none(), "it has freed its slot");
    case.store.settled(WorkKind::Run).await;
    assert!(case.runs().await.is_empty() && case.get("pi_1", "a").is_some(), "it is done");
    // Behind this commit everybody has heard of that one.
    case.bring(vec![event("evt_3", "")]).await;
    case.store.bound_state(quotas(Quota { keys: 2, bytes: 1000, term: None }));
    assert!(promise(&other).is_some(), "what is taken counts once");
}

/// [I7]
pub(in crate::store) async fn what_state_takes_is_known_right_after_a_start<S: Subject>() {
    let mut case = Case::<S>::with(few(2, 1000));
    case.set("evt_1", "pi_1", &[("a", Some("1")), ("b", Some("2"))]).await.unwrap();
    case.set("evt_2", "pi_1", &[("a", Some("3")), ("b", None), ("c", Some("4"))]).await.unwrap();

    full(case.killed().set("evt_3", "pi_2", &[("a", Some("1"))]).await);
    case.reopen().await;
    full(case.set("evt_3", "pi_2", &[("a", Some("1"))]).await);
    case.set("evt_4", "pi_1", &[("a", None)]).await.unwrap();

    let case = case.killed();
    case.set("evt_5", "pi_2", &[("a", Some("1"))]).await.unwrap();
    full(case.set("evt_6", "pi_2", &[("b", Some("1"))]).await);
}

/// [I7]
pub(in crate::store) async fn a_key_that_nobody_sets_for_its_term_goes<S: Subject>() {
    let quotas = quotas(Quota { keys: 3, bytes: 1000, term: Some(days(10)) });
    let case = Case::<S>::with(Config { quotas, ..Config::at("nowhere") });
    let set: Set<'_> = &[("old", Some("1")), ("renewed", Some("2"))];
    case.set("evt_1", "pi_1", set).await.unwrap();
    case.clock.advance(days(5));
    case.set("evt_2", "pi_1", &[("renewed", Some("3")), ("new", Some("4"))]).await.unwrap();

    case.clock.advance(days(4));
    let early = case.store.sweep(&Retention::default()).await.unwrap();
    case.clock.advance(days(2));
    let swept = case.store.sweep(&Retention::default()).await.unwrap();

    assert_eq!((early.states, swept.states), (0, 1));
    for case in [&case, &case.killed()] {
        let there = ["old", "renewed", "new"].map(|key| case.get("pi_1", key).is_some());
        assert_eq!(there, [false, true, true]);
        case.set("evt_3", "pi_2", &[("a", Some("1"))]).await.unwrap();
        full(case.set("evt_4", "pi_2", &[("b", Some("1"))]).await);
    }
}

/// [I6]
pub(in crate::store) async fn a_run_shows_which_keys_it_set_or_deleted_and_no_value<S: Subject>() {
    let case = Case::<S>::new();
    let run = case.run_on("evt_1", "pi_1").await;
    let id = run.event.id;
    let set: Set<'_> = &[("b", Some("sesame")), ("a", Some("1")), ("a", None)];
    case.commit(run, set).await.unwrap();

    let case = case.restart().await;

    let view = case.store.event(id).await.unwrap().unwrap();
    assert_eq!(view.runs[0].tries[0].state_keys, ["a", "b"]);
    assert_eq!(case.get("pi_1", "a"), None, "the last word on a key counts");
    let shown = serde_json::to_string(&view).unwrap();
    assert!(!shown.contains("sesame"), "{shown}");
}
