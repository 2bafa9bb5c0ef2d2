//! Once: an id belongs to the first that brings it, and is known from then on [I3].

use tokio::task::JoinSet;

use super::*;
use crate::event::{Event, OWN_SOURCE};

/// So many events that a store has gone on from most of them.
const MANY: usize = 700;

/// Commits without an id: enough for all that there is to tidy among those that came.
const IDLE: usize = 100;

/// Ids that come together.
const HUNDREDS: usize = 300;

/// Enough for every retention in these checks.
pub(in crate::store) const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Keeps nothing for longer than this.
pub(in crate::store) fn keeping(time: Duration) -> Retention {
    Retention { bodies: time, events: time, attempts: time, dead: time, size_bytes: None }
}

fn id(number: usize) -> String {
    format!("evt_{number}")
}

/// Brings many events that go nowhere.
pub(in crate::store) async fn bring_many(case: &impl Drive) {
    for number in 0..MANY {
        case.bring(vec![event(&id(number), "")]).await;
    }
}

/// Makes many commits that bring no id: what is over goes meanwhile.
pub(in crate::store) async fn idle(case: &impl Drive) {
    for _ in 0..IDLE {
        case.append(&[]).await;
    }
}

/// Whether the ids of all these are known.
pub(in crate::store) async fn check_all_are_known(case: &impl Drive) {
    for number in 0..MANY {
        let again = case.store().append(receipt(&[&id(number)])).await.unwrap();
        assert!(matches!(again, Appended::Duplicate(_)), "{}", id(number));
    }
}

/// Appends these at once.
pub(in crate::store) async fn append_all(
    store: &Store,
    receipts: Vec<NewReceipt>,
) -> Vec<Result<Appended, Error>> {
    let mut appends = JoinSet::new();
    for receipt in receipts {
        let store = store.clone();
        appends.spawn(async move { store.append(receipt).await });
    }
    appends.join_all().await
}

/// [I3]
pub(in crate::store) async fn an_event_on_many_connections_at_once_is_stored_once<S: Subject>() {
    let case = Case::<S>::new();

    let appended = append_all(&case.store, vec![receipt(&["evt_1"]); 300]).await;

    let appended: Vec<Appended> = appended.into_iter().map(Result::unwrap).collect();
    let stored = appended.iter().find(|it| matches!(it, Appended::Stored(_))).unwrap();
    let Appended::Stored(id) = *stored else { panic!() };
    assert_eq!(appended.iter().filter(|it| **it == Appended::Stored(id)).count(), 1);
    assert_eq!(appended.iter().filter(|it| **it == Appended::Duplicate(id)).count(), 299);
    assert_eq!(case.store.take_parses(10, usize::MAX).await.unwrap().len(), 1);
}

/// [I8]
pub(in crate::store) async fn a_request_without_event_ids_is_never_a_duplicate<S: Subject>() {
    let case = Case::<S>::new();
    let first = case.append(&[]).await;
    let second = case.append(&[]).await;
    assert_ne!(first, second);
}

/// [I3]
pub(in crate::store) async fn a_request_with_some_known_ids_brings_only_the_others<S: Subject>() {
    let case = Case::<S>::new();
    let first = case.append(&["evt_1", "evt_2"]).await;
    let second = case.append(&["evt_2", "evt_3"]).await;
    let again = case.store.append(receipt(&["evt_3", "evt_1"])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(second));

    let works = case.store.take_parses(2, usize::MAX).await.unwrap();
    let taken: Vec<&[String]> = works.iter().map(|work| work.receipt.taken.as_slice()).collect();
    assert_eq!(taken, [&[][..], &["evt_2".to_owned()]]);
    let mut brought = Vec::new();
    for work in works.into_iter().rev() {
        let id = work.id;
        let events = ["evt_1", "evt_2", "evt_3"].map(|id| event(id, "pi_1")).to_vec();
        let added =
            case.store.commit_parse(work, tried(Verdict::Done), events).await.unwrap().unwrap();
        brought.push((id, added.len()));
    }

    assert_eq!(brought, [(second, 1), (first, 2)]);
}

/// [I3]
pub(in crate::store) async fn a_parse_brings_each_event_once<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&[]).await;
    let events = ["evt_1", "evt_1", "evt_2"].map(|id| event(id, "pi_1")).to_vec();
    let first = case.parse().await;
    case.append(&[]).await;
    let second = case.parse().await;

    let done = tried(Verdict::Done);
    let added =
        case.store.commit_parse(first, done.clone(), events.clone()).await.unwrap().unwrap();
    let added_again = case.store.commit_parse(second, done, events).await.unwrap().unwrap();

    assert_eq!((added.len(), added_again.len()), (2, 0));
    let duplicate = case.store.append(receipt(&["evt_2"])).await.unwrap();
    assert!(matches!(duplicate, Appended::Duplicate(_)));
}

/// Who does not know whether an event was stored may raise it again [I3].
pub(in crate::store) async fn what_the_gateway_raises_again_is_the_event_from_before<S: Subject>() {
    let case = Case::<S>::new();
    let own = |id: &&str| {
        let new = event(id, "").to(&[], &["crm"]);
        let source = name(OWN_SOURCE);
        NewEvent { event: Arc::new(Event { source, ..Event::clone(&new.event) }), ..new }
    };
    let raise = async |case: &Case<S>, ids: &[&str]| {
        case.store.raise(ids.iter().map(own).collect()).await.unwrap()
    };

    let first = raise(&case, &["full/1", "full/2", "full/1"]).await;

    assert!(first[0] == first[2] && first[0] != first[1]);
    for case in [&case, &case.killed(), &case.killed().restart().await] {
        assert_eq!(raise(case, &["full/2", "full/1"]).await, [first[1], first[0]]);
        assert_eq!(case.deliveries().await.len(), 2);
    }
}

/// [I3]
pub(in crate::store) async fn an_id_is_known_after_a_kill_however_far_the_log_has_gone<
    S: Subject,
>() {
    let case = Case::<S>::new();
    for number in 0..600 {
        case.append(&[&format!("evt_{number}")]).await;
    }
    let case = case.killed();
    for number in 0..600 {
        let id = format!("evt_{number}");
        let again = case.store.append(receipt(&[&id])).await.unwrap();
        assert!(matches!(again, Appended::Duplicate(_)), "{id}");
    }
}

/// [I3]
pub(in crate::store) async fn an_id_is_known_after_an_orderly_end_and_after_a_kill<S: Subject>() {
    let mut case = Case::<S>::with(Config { fresh_ids: 5, ..Config::at("nowhere") });
    let mut owners = Vec::new();
    for round in 0..40 {
        let claimed = format!("claimed {round}");
        let owner = case.append(&[&claimed]).await;
        let parsed = format!("parsed {round}");
        let events = vec![event(&claimed, "").to(&[], &[]), event(&parsed, "")];
        case.store
            .commit_parse(case.parse().await, tried(Verdict::Done), events)
            .await
            .unwrap()
            .unwrap();
        owners.extend([(claimed, owner), (parsed, owner)]);

        match round % 8 {
            3 => case = case.restart().await,
            7 => {
                let killed = case.killed();
                for (id, owner) in &owners {
                    let known = killed.store.append(receipt(&[id])).await.unwrap();
                    assert_eq!(known, Appended::Duplicate(*owner), "{id}");
                }
            }
            _ => (),
        }
    }
}

/// [I3]
pub(in crate::store) async fn ids_that_come_by_hundreds_are_known_however_often_they_are_tidied<
    S: Subject,
>() {
    let case = Case::<S>::with(Config { fresh_ids: HUNDREDS, ..Config::at("nowhere") });
    let ids: Vec<String> = (0..40 * HUNDREDS).map(id).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut owners = Vec::new();
    for together in ids.chunks(HUNDREDS) {
        owners.push(case.append(together).await);
        // Enough to tidy also what takes several commits.
        for _ in 0..IDLE / 2 {
            case.append(&[]).await;
        }
    }

    let killed = case.killed();
    for case in [&case, &killed, &killed.killed().restart().await] {
        for (together, owner) in ids.chunks(HUNDREDS).zip(&owners) {
            let again = case.store.append(receipt(together)).await.unwrap();
            assert_eq!(again, Appended::Duplicate(*owner), "one of {} and more", together[0]);
        }
    }
}

/// Whatever else is forgotten meanwhile [I3].
pub(in crate::store) async fn an_id_is_known_for_the_term_of_its_source<S: Subject>() {
    let terms = Terms::of([(name("slow"), days(90))]);
    let mut case = Case::<S>::with(Config { fresh_ids: 5, terms, ..Config::at("nowhere") });
    let once = || ["stripe", "slow"].map(|of| NewReceipt { source: name(of), ..receipt(&["1"]) });
    for new in once() {
        assert!(matches!(case.store.append(new).await.unwrap(), Appended::Stored(_)));
    }

    for (age, known) in [(0, 2), (39, 2), (60, 1), (89, 1)] {
        case.clock.advance(NOW.after(days(age)).since(case.clock.now()));
        // More than are in memory, and many commits to tidy them in.
        for number in 0..80 {
            case.append(&[&format!("{age} {number}")]).await;
        }
        idle(&case).await;
        case = case.restart().await;
        for new in once().into_iter().rev().take(known) {
            for store in [&case.store, &case.killed().store] {
                let again = store.append(new.clone()).await.unwrap();
                let source = &new.source;
                assert!(matches!(again, Appended::Duplicate(_)), "{source} after {age} days");
            }
        }
    }
}

/// A sweep removes all that is older than seconds; the ids outlive it [I3].
pub(in crate::store) async fn an_event_whose_records_were_swept_before_a_kill_is_known_after_it<
    S: Subject,
>() {
    let case = Case::<S>::new();
    bring_many(&case).await;
    case.clock.advance(TWO_HOURS);

    let swept = case.store.sweep(&keeping(Duration::from_secs(2))).await.unwrap();

    assert!(swept.records > MANY, "most of them are gone: {swept:?}");
    check_all_are_known(&case.killed()).await;
}

/// To pack is to keep what nothing else tells of [I3].
pub(in crate::store) async fn what_is_packed_before_a_kill_is_known_after_it<S: Subject>() {
    let case = Case::<S>::new();
    bring_many(&case).await;
    case.clock.advance(TWO_HOURS);

    case.store.pack(&keeping(Duration::from_secs(2))).await.unwrap();

    check_all_are_known(&case.killed()).await;
}

/// A kill in any commit of that sweep: what is still in the log and what is not is told apart [I3].
pub(in crate::store) async fn a_kill_in_any_commit_of_a_sweep_forgets_no_id<S: Subject>() {
    let case = Case::<S>::new();
    bring_many(&case).await;
    case.clock.advance(TWO_HOURS);
    case.subject.keep_cuts();

    case.store.sweep(&keeping(Duration::from_secs(2))).await.unwrap();

    let cuts = case.subject.take_cuts(1, &mut fastrand::Rng::with_seed(5));
    assert!(!cuts.is_empty(), "a sweep commits something");
    for Cut { before, torn } in cuts {
        for left in [before].into_iter().chain(torn) {
            let now = case.clock.now();
            check_all_are_known(&Case::of(left, Config::at("nowhere"), now)).await;
        }
    }
}
