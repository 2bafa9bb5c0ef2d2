//! Parsed before it is stored: a receipt, its parse and its events are one commit, in the order in
//! which their source sent them [I1, I3, I6, I8].

use super::*;

type Appending = std::pin::Pin<Box<dyn Future<Output = Result<(Appended, bool), Error>>>>;

/// A payment that goes to a handler and an endpoint.
fn payment(id: &str) -> NewEvent {
    event(id, "pi_1").to(&["ledger"], &["crm"])
}

/// An append of a receipt with these events.
fn append(store: &Store, ids: &[&str]) -> Appending {
    let events = ids.iter().map(|id| payment(id)).collect();
    let parsed = Parsed { report: tried(Verdict::Done), events };
    let (store, receipt) = (store.clone(), receipt(ids));
    Box::pin(async move { store.append_parsed(receipt, Some(parsed)).await })
}

/// Asks for one, and does not wait for it.
fn begin(store: &Store, ids: &[&str]) -> Appending {
    let mut append = append(store, ids);
    assert!(is_pending(&mut append), "it was answered before anything was written");
    append
}

/// Appends a receipt with these events, and tells whether its parse holds.
async fn bring(store: &Store, ids: &[&str]) -> bool {
    let (appended, holds) = append(store, ids).await.unwrap();
    assert!(matches!(appended, Appended::Stored(_)), "{ids:?} is known");
    holds
}

/// The ids of all events, oldest first.
async fn brought(store: &Store) -> Vec<String> {
    let page = Page { cursor: None, limit: 99 };
    let events = store.events(&EventFilter::default(), page).await.unwrap().items;
    events.into_iter().rev().map(|event| event.event_id).collect()
}

async fn end_parse(store: &Store, work: ParseWork, verdict: Verdict) {
    let events = work.receipt.event_ids.iter().map(|id| payment(id)).collect();
    store.commit_parse(work, tried(verdict), events).await.unwrap().unwrap();
}

/// [I1, I6, I8]
pub(in crate::store) async fn a_receipt_and_what_was_parsed_of_it_hold_together<S: Subject>() {
    let case = Case::<S>::new();
    case.subject.hold_commits();
    let mut append = begin(&case.store, &["evt_1", "evt_2"]);
    case.subject.wait_for_commit();

    assert!(is_pending(&mut append), "it was answered in the middle of its commit");
    let killed = case.killed();
    assert!(killed.store.take_parses(9, 9).await.unwrap().is_empty());
    assert!(brought(&killed.store).await.is_empty());
    case.subject.let_commits_go();

    let (Appended::Stored(id), true) = append.await.unwrap() else { panic!("it stands alone") };
    assert_eq!(case.store.stats().commits, 1);
    for case in [&case, &case.killed()] {
        assert!(case.store.take_parses(9, 9).await.unwrap().is_empty(), "nothing is left to parse");
        let view = case.store.receipt(id).await.unwrap().unwrap();
        assert_eq!((view.progress.state, view.tries.len()), (State::Done, 1));
        assert_eq!((view.events.len(), &view.events), (2, &view.tries[0].events));
        assert_eq!(brought(&case.store).await, ["evt_1", "evt_2"]);
        assert_eq!((case.runs().await.len(), case.deliveries().await.len()), (1, 2));
    }
}

/// [I3]
pub(in crate::store) async fn what_is_known_is_brought_no_second_time_by_a_parse_before<
    S: Subject,
>() {
    let case = Case::<S>::new();
    assert!(bring(&case.store, &["evt_1", "evt_2"]).await);
    let (again, holds) = append(&case.store, &["evt_2", "evt_1"]).await.unwrap();
    assert!(matches!(again, Appended::Duplicate(_)) && !holds);
    assert!(bring(&case.store, &["evt_2", "evt_3"]).await);

    // Of two at once, one is the first.
    case.subject.hold_commits();
    let other = start(&case.store, receipt(&[]));
    case.subject.wait_for_commit();
    let both = [begin(&case.store, &["evt_4"]), begin(&case.store, &["evt_4"])];
    case.subject.let_commits_go();
    other.await.unwrap();
    let mut stored = 0;
    for append in both {
        let (appended, _) = append.await.unwrap();
        stored += usize::from(matches!(appended, Appended::Stored(_)));
    }
    assert_eq!(stored, 1);
    for work in case.store.take_parses(9, 9).await.unwrap() {
        end_parse(&case.store, work, Verdict::Done).await;
    }
    assert_eq!(brought(&case.store).await, ["evt_1", "evt_2", "evt_3", "evt_4"]);
}

pub(in crate::store) async fn what_was_parsed_is_dropped_behind_what_waits_for_it<S: Subject>() {
    let mut case = Case::<S>::new();
    case.append(&["evt_1"]).await;
    assert!(!case.store.takes_parsed(&name("stripe")) && case.store.takes_parsed(&name("adyen")));
    assert!(!bring(&case.store, &["evt_2"]).await, "one waits");
    case.reopen().await;
    let mut works = case.store.take_parses(9, 9).await.unwrap();
    let waiting: Vec<&String> = works.iter().flat_map(|work| &work.receipt.event_ids).collect();
    assert_eq!(waiting, ["evt_1", "evt_2"]);
    assert!(!bring(&case.store, &["evt_3"]).await, "two are in flight");

    // A try that fails holds nobody back any longer.
    end_parse(&case.store, works.remove(0), Verdict::RetryAt(in_minutes(1))).await;
    end_parse(&case.store, works.remove(0), Verdict::Done).await;
    assert!(!bring(&case.store, &["evt_4"]).await, "the third waits");
    for work in case.store.take_parses(9, 9).await.unwrap() {
        end_parse(&case.store, work, Verdict::Done).await;
    }
    assert!(bring(&case.store, &["evt_5"]).await);
    let order = ["evt_2", "evt_3", "evt_4", "evt_5"];
    assert_eq!(brought(&case.store).await, order);

    // No source waits for another.
    case.append(&["evt_6"]).await;
    let other = NewReceipt { source: name("adyen"), ..receipt(&["evt_6"]) };
    let parsed = Parsed { report: tried(Verdict::Done), events: Vec::new() };
    let (_, holds) = case.store.append_parsed(other, Some(parsed)).await.unwrap();
    assert!(holds);
}

pub(in crate::store) async fn what_goes_together_keeps_its_order_too<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&["evt_1"]).await;
    let work = case.parse().await;
    case.subject.hold_commits();
    let other = NewReceipt { source: name("adyen"), ..receipt(&[]) };
    let first = start(&case.store, other);
    case.subject.wait_for_commit();

    // All of these are one commit: a parse that ends lets the next go with it.
    let events = vec![payment("evt_1")];
    let parse = case.store.queue_parse(work, tried(Verdict::Done), events).await.unwrap();
    let second = begin(&case.store, &["evt_2"]);
    let third = start(&case.store, receipt(&["evt_3"]));
    let fourth = begin(&case.store, &["evt_4"]);
    case.subject.let_commits_go();

    first.await.unwrap();
    parse.await.unwrap().unwrap();
    let holds = (second.await.unwrap().1, fourth.await.unwrap().1);
    third.await.unwrap();
    assert_eq!(holds, (true, false), "the fourth comes behind the third, which waits");
    for work in case.store.take_parses(9, 9).await.unwrap() {
        if work.receipt.source == name("stripe") {
            end_parse(&case.store, work, Verdict::Done).await;
        }
    }
    assert_eq!(brought(&case.store).await, ["evt_1", "evt_2", "evt_3", "evt_4"]);
}

/// However far an id has gone into the store, it is known at once, with the receipt that an append
/// would tell. [I3]
pub(in crate::store) async fn what_is_known_is_told_before_an_append<S: Subject>() {
    let mut case = Case::<S>::with(Config { fresh_ids: 5, ..Config::at("nowhere") });
    let ids: Vec<String> = (0..60).map(|number| format!("evt_{number}")).collect();
    let recall = |case: &Case<S>, ids: &[&String]| {
        let ids: Vec<String> = ids.iter().copied().cloned().collect();
        case.store.recall(&name("stripe"), &ids)
    };
    let unknown = "evt_new".to_owned();
    for id in &ids {
        assert_eq!(recall(&case, &[id]), Recalled::New, "{id}");
        assert!(bring(&case.store, &[id.as_str()]).await);
    }
    for _ in 0..2 {
        for id in &ids {
            let Recalled::Known(first) = recall(&case, &[id, &ids[0]]) else {
                panic!("{id} is not known")
            };
            let again = case.store.append(receipt(&[id.as_str()])).await.unwrap();
            assert_eq!(again, Appended::Duplicate(first));
        }
        assert_eq!(recall(&case, &[&ids[0], &unknown]), Recalled::New);
        case.reopen().await;
    }
    assert_eq!(recall(&case, &[]), Recalled::New, "who names no id is no duplicate");
    assert_eq!(case.store.recall(&name("adyen"), &ids[..1]), Recalled::New);
}

/// Nobody is told that an event is known before a kill would leave it. [I1]
pub(in crate::store) async fn what_is_not_durable_is_not_known<S: Subject>() {
    let case = Case::<S>::new();
    case.append(&["evt_1"]).await;
    let recall = |id: &str| case.store.recall(&name("stripe"), &[id.to_owned()]);
    case.subject.hold_commits();
    let second = start(&case.store, receipt(&["evt_2"]));
    case.subject.wait_for_commit();

    assert!(matches!(recall("evt_1"), Recalled::Known(_)), "it waits for no commit");
    assert_eq!(recall("evt_2"), Recalled::New);
    case.subject.let_commits_go();

    second.await.unwrap();
    assert!(matches!(recall("evt_2"), Recalled::Known(_)));
    case.store.clone().close().await.unwrap();
    assert_eq!(recall("evt_1"), Recalled::Untold, "nobody knows what becomes of the files");
}
