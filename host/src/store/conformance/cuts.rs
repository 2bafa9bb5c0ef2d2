//! A kill in every commit: what was answered is there, and nothing happens twice [I1, I3, I6, I8].
//!
//! A small history is driven from appends to deliveries, and what each kill would leave is kept.
//! Every such store is opened again and driven to the end, the provider sending everything once
//! more; the end must be the one that no kill at all leads to.

use bytes::Bytes;

use super::*;
use crate::effect::Parcel;

pub(in crate::store) const REQUESTS: [&[&str]; 4] =
    [&["a1", "a2"], &["b1"], &["a2", "c1"], &["d1"]];
/// Unique ids in them.
const EVENTS: usize = 5;

pub(in crate::store) fn counter(store: &Store) -> usize {
    let value = store.state(&name("ledger"), "pi_1", "count").unwrap();
    value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap())
}

/// The first try of everything fails, the second succeeds.
pub(in crate::store) fn verdict(tries_made: u32) -> Verdict {
    if tries_made == 0 { Verdict::RetryAt(NOW) } else { Verdict::Done }
}

/// Counts the runs in the subject's state, and tells the crm.
pub(in crate::store) fn effects(store: &Store) -> Effects {
    let count = (counter(store) + 1).to_string();
    let (endpoint, content_type) = (name("crm"), "text/plain".to_owned());
    Effects {
        parcels: vec![Parcel { endpoint, content_type, body: count.clone().into() }],
        state: vec![("count".into(), Some(Bytes::from(count)))],
        scope: "pi_1".into(),
        ..Effects::default()
    }
}

async fn drive(store: &Store) {
    loop {
        let parses = store.take_parses(9, usize::MAX).await.unwrap();
        let runs = store.take_runs(9, 9).await.unwrap();
        let deliveries = store.take_deliveries(9, usize::MAX).await.unwrap();
        if parses.is_empty() && runs.is_empty() && deliveries.is_empty() {
            break;
        }
        for work in parses {
            let routed = |id: &String| event(id, "pi_1").to(&["ledger"], &["crm"]);
            let events = work.receipt.event_ids.iter().map(routed).collect();
            let tried = tried(verdict(work.tries_made));
            store.commit_parse(work, tried, events).await.unwrap().unwrap();
        }
        for work in runs {
            let tried = tried(verdict(work.tries_made));
            store.commit_run(work, tried, effects(store)).await.unwrap().unwrap();
        }
        for work in deliveries {
            let attempt = attempt(verdict(work.tries_made));
            store.record_attempt(work, attempt).await.unwrap().unwrap();
        }
    }
}

async fn append_all(store: &Store) -> Vec<(usize, Id)> {
    let mut stored = Vec::new();
    for (number, ids) in REQUESTS.iter().enumerate() {
        if let Appended::Stored(id) = store.append(receipt(ids)).await.unwrap() {
            stored.push((number, id));
        }
    }
    stored
}

/// Whether all has happened, once.
pub(in crate::store) async fn check_end(store: &Store, context: &str) {
    let all = EventFilter { state: Some(State::Done), ..EventFilter::default() };
    let listing = store.events(&all, Page { cursor: None, limit: 99 }).await.unwrap();
    let mut ids: Vec<&str> = listing.items.iter().map(|event| event.event_id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a1", "a2", "b1", "c1", "d1"], "events {context}");

    for event in &listing.items {
        let view = store.event(event.id).await.unwrap().unwrap();
        assert_eq!(view.state, State::Done, "works {context}");
        assert_eq!(view.deliveries.len(), 2, "parcels {context}");
    }
    assert_eq!(counter(store), EVENTS, "state {context}");
    let pending = |kind| store.stats().works[&kind].pending();
    assert!(WorkKind::ALL.into_iter().all(|kind| pending(kind) == 0), "backlog {context}");
}

/// [I1, I3, I6, I8]
pub(in crate::store) async fn a_kill_in_any_commit_loses_nothing_and_doubles_nothing<S: Subject>() {
    let Case { subject, store, .. } = Case::<S>::new();
    subject.keep_cuts();
    let mut answered = Vec::new();
    for (number, ids) in REQUESTS.iter().enumerate() {
        let Appended::Stored(id) = store.append(receipt(ids)).await.unwrap() else { panic!() };
        answered.push((subject.cuts_kept(), number, id));
    }
    drive(&store).await;
    check_end(&store, "without a cut").await;
    let cuts = subject.take_cuts(1, &mut fastrand::Rng::with_seed(7));
    assert!(cuts.len() > 30, "{} commits", cuts.len());

    for (number, Cut { before, torn }) in cuts.into_iter().enumerate() {
        // What was answered before this commit was under way.
        let answered = answered.iter().filter(|(kept, ..)| *kept <= number);
        let answered: Vec<(usize, Id)> = answered.map(|(_, number, id)| (*number, *id)).collect();
        check_cut(&before, &answered, &format!("before commit {number}")).await;
        for torn in torn {
            check_cut(&torn, &answered, &format!("in commit {number}")).await;
        }
    }
}

async fn check_cut<S: Subject>(subject: &S, answered: &[(usize, Id)], context: &str) {
    let store = subject.open(&Config::at("nowhere"), Clock::manual(NOW));
    for (number, id) in answered {
        let view = store.receipt(*id).await.unwrap().unwrap_or_else(|| panic!("{id} {context}"));
        assert_eq!(view.body, Some(format!("{:?}", REQUESTS[*number])), "{context}");
    }
    let stored_again = append_all(&store).await;
    assert!(
        stored_again.iter().all(|(number, _)| answered.iter().all(|(known, _)| known != number)),
        "stored twice {context}"
    );
    drive(&store).await;
    check_end(&store, context).await;
}
