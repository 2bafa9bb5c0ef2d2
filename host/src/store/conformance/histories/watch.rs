//! Looks at a whole store through its queries, and works it off to the end.

use std::collections::BTreeMap;

use super::super::*;
use super::model::{Act, Key, Model, Seen, Stands};
use super::{HANDLERS, SUBJECTS};

/// The ids that a store gave, by what they were given for.
pub(super) type Receipts = BTreeMap<u64, Id>;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

fn stands(progress: &Progressed, tries: usize) -> Stands {
    let Progressed { state, tries_made, retry_at, ref reopened_at, .. } = *progress;
    Stands { state, tries_made, retry_at, tries, reopened: reopened_at.len() }
}

/// All that the store shows. Fails where two of its answers differ.
pub(super) async fn look(store: &Store, receipts: &Receipts) -> Seen {
    let mut seen = Seen::default();
    let mut names: BTreeMap<Id, Key> = BTreeMap::new();
    let events = store.events(&EventFilter::default(), ALL).await.unwrap();
    assert!(events.next.is_none(), "the history is too long");
    let event_ids: BTreeMap<Id, String> =
        events.items.iter().map(|event| (event.id, event.event_id.clone())).collect();

    for (number, id) in receipts {
        let Some(view) = store.receipt(*id).await.unwrap() else { continue };
        assert_eq!(view.body.as_deref(), Some(format!("r{number}").as_str()), "verbatim");
        let brought = view.events.iter().map(|id| event_ids[id].clone()).collect();
        seen.receipts.insert(*number, brought);
        names.insert(*id, Key::Parse(*number));
        seen.works.insert(Key::Parse(*number), stands(&view.progress, view.tries.len()));
    }
    for summary in events.items.iter().rev() {
        let view = store.event(summary.id).await.unwrap().unwrap();
        let event = summary.event_id.clone();
        seen.events.push((event.clone(), view.depth));
        let mut senders = BTreeMap::new();
        for run in view.runs {
            let handler = run.handler.to_string();
            senders.insert(run.id, (handler.clone(), 0));
            let key = Key::Run(event.clone(), handler);
            names.insert(run.id, key.clone());
            seen.works.insert(key, stands(&run.progress, run.tries.len()));
        }
        for delivery in view.deliveries {
            let key = match delivery.run {
                None => Key::Delivery(event.clone(), delivery.endpoint.to_string()),
                Some(run) => {
                    let (handler, sent) = senders.get_mut(&run).unwrap();
                    *sent += 1;
                    Key::Parcel(event.clone(), handler.clone(), *sent - 1)
                }
            };
            names.insert(delivery.id, key.clone());
            seen.works.insert(key, stands(&delivery.progress, delivery.attempts.len()));
        }
    }
    check_lists(store, &events.items, &seen, &names).await;
    let dead = store.dead(ALL).await.unwrap().items;
    seen.dead = dead.iter().map(|letter| names[&letter.id].clone()).collect();
    for (handler, subject) in HANDLERS.iter().flat_map(|by| SUBJECTS.map(|of| (by, of))) {
        if let Some(value) = store.state(&name(handler), subject, "last").unwrap() {
            let value = String::from_utf8(value.to_vec()).unwrap();
            seen.state.insert(((*handler).to_owned(), subject.to_owned()), value);
        }
    }
    check_counts(store, &seen);
    seen
}

/// Holds each list by a filter against that of all events, and those of receipts against what is
/// seen of them.
async fn check_lists(store: &Store, all: &[EventSummary], seen: &Seen, names: &BTreeMap<Id, Key>) {
    let any = EventFilter::default;
    let states = [State::Pending, State::Done, State::Dead].map(Some);
    let mut filters: Vec<_> = states.map(|state| EventFilter { state, ..any() }).into();
    filters.extend(SUBJECTS.map(|it| EventFilter { subject: Some(it.into()), ..any() }));
    let types = ["payment.failed", "payment.*", "refund.*"].map(|text| text.parse().ok());
    filters.extend(types.map(|event_type| EventFilter { event_type, ..any() }));
    for filter in filters {
        let fits = |event: &&EventSummary| {
            let EventFilter { event_type, subject, state, .. } = &filter;
            event_type.as_ref().is_none_or(|types| types.matches(&event.event_type))
                && subject.as_ref().is_none_or(|it| Some(it) == event.subject.as_ref())
                && state.is_none_or(|state| state == event.state)
        };
        let expected: Vec<Id> = all.iter().filter(fits).map(|event| event.id).collect();
        let listed = store.events(&filter, ALL).await.unwrap();
        let ids: Vec<Id> = listed.items.iter().map(|event| event.id).collect();
        assert_eq!((ids, listed.next), (expected, None), "{filter:?}");
    }
    for state in [None].into_iter().chain(states) {
        let is_it = |key: &&Key| {
            matches!(key, Key::Parse(_))
                && state.is_none_or(|state| seen.works[*key].state == state)
        };
        let expected: Vec<&Key> = names.values().filter(is_it).collect();
        let filter = ReceiptFilter { state, ..ReceiptFilter::default() };
        let listed = store.receipts(&filter, ALL).await.unwrap().items;
        // Ids are in the order of their positions.
        let listed: Vec<&Key> = listed.iter().rev().map(|receipt| &names[&receipt.id]).collect();
        assert_eq!(listed, expected, "{filter:?}");
    }
}

fn check_counts(store: &Store, seen: &Seen) {
    let stats = store.stats();
    for kind in WorkKind::ALL {
        let count = |state: State| {
            let of_kind = seen.works.iter().filter(|(key, _)| key.kind() == kind);
            of_kind.filter(|(_, work)| work.state == state).count()
        };
        let KindStats { dead, .. } = stats.works[&kind];
        assert_eq!(stats.works[&kind].pending(), count(State::Pending), "pending {kind:?}");
        assert_eq!(usize::try_from(dead).unwrap(), count(State::Dead), "dead {kind:?}");
    }
}

/// A leased work.
#[derive(Debug)]
pub(super) enum Leased {
    Parse(ParseWork),
    Run(RunWork),
    Delivery(DeliveryWork),
}

impl Leased {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Parse(work) => {
                let body = std::str::from_utf8(&work.receipt.request.body).unwrap();
                Key::Parse(body[1..].parse().unwrap())
            }
            Self::Run(work) => Key::Run(work.event.event.id.clone(), work.handler.to_string()),
            Self::Delivery(work) => match &work.payload {
                Payload::Event(stored) => {
                    Key::Delivery(stored.event.id.clone(), work.endpoint.to_string())
                }
                Payload::Parcel(stored) => {
                    let body = std::str::from_utf8(&stored.parcel.body).unwrap();
                    let mut parts = body.split('|').map(str::to_owned);
                    let mut next = || parts.next().unwrap();
                    Key::Parcel(next(), next(), next().parse().unwrap())
                }
            },
        }
    }

    pub(super) fn tries_made(&self) -> u32 {
        match self {
            Self::Parse(work) => work.tries_made,
            Self::Run(work) => work.tries_made,
            Self::Delivery(work) => work.tries_made,
        }
    }
}

/// Takes what may be taken of this kind.
pub(super) async fn take(store: &Store, kind: WorkKind, max: usize) -> Vec<Leased> {
    match kind {
        WorkKind::Parse => store
            .take_parses(max, usize::MAX)
            .await
            .unwrap()
            .into_iter()
            .map(Leased::Parse)
            .collect(),
        WorkKind::Run => {
            store.take_runs(max, 99).await.unwrap().into_iter().map(Leased::Run).collect()
        }
        WorkKind::Delivery => {
            let works = store.take_deliveries(max, usize::MAX).await.unwrap();
            works.into_iter().map(Leased::Delivery).collect()
        }
    }
}

/// Commits what the act says of the work; gives how many events it added.
pub(super) async fn commit(store: &Store, leased: Leased, act: &Act, parcel: usize) -> usize {
    match (leased, act) {
        (Leased::Parse(work), Act::Parse { events, verdict, .. }) => {
            store.commit_parse(work, tried(*verdict), events.clone()).await.unwrap().unwrap().len()
        }
        (Leased::Run(work), Act::Run { event, handler, verdict, emitted }) => {
            let parcel = crate::effect::Parcel {
                endpoint: name("crm"),
                content_type: "text/plain".into(),
                body: format!("{event}|{handler}|{parcel}").into(),
            };
            let effects = Effects {
                events: emitted.iter().map(|new| NewEvent::clone(new)).collect(),
                parcels: vec![parcel],
                alerts: Vec::new(),
                state: vec![("last".into(), Some(event.clone().into()))],
                scope: work.event.event.subject.clone().unwrap_or_default(),
                ..Effects::default()
            };
            store.commit_run(work, tried(*verdict), effects).await.unwrap().unwrap();
            0
        }
        (Leased::Delivery(work), Act::Attempt { verdict, .. }) => {
            store.record_attempt(work, attempt(*verdict)).await.unwrap().unwrap();
            0
        }
        (leased, act) => panic!("{act:?} is no commit of {leased:?}"),
    }
}

/// Nothing is lost [I8]: all that is owed can be done, in order; then the store shows what the
/// model says, and knows every id that it has taken [I3].
pub(super) async fn work_off(store: &Store, clock: &Clock, mut model: Model, receipts: &Receipts) {
    clock.advance(Duration::from_secs(86_400));
    while model.pending() > 0 {
        let kinds = WorkKind::ALL.into_iter();
        let mut works: Vec<Leased> = Vec::new();
        for kind in kinds {
            works.extend(take(store, kind, 99).await);
        }
        assert!(!works.is_empty(), "{} works are lost", model.pending());
        let mut held: Vec<Key> = Vec::new();
        for leased in &works {
            model.check_lease(&leased.key(), leased.tries_made(), clock.now(), &held);
            held.push(leased.key());
        }
        for leased in works {
            let act = finishing(&model, leased.key());
            let parcel = match &act {
                Act::Run { event, handler, .. } => model.parcels(event, handler),
                _ => 0,
            };
            commit(store, leased, &act, parcel).await;
            model.apply(&act, clock.now());
        }
    }
    assert_eq!(look(store, receipts).await, model.seen, "after all is done");
    for (id, owner) in &model.owners {
        let answer = store.append(receipt(&[id])).await.unwrap();
        assert_eq!(answer, Appended::Duplicate(receipts[owner]), "{id}");
    }
    assert!(matches!(store.append(receipt(&["unseen"])).await.unwrap(), Appended::Stored(_)));
}

fn finishing(model: &Model, key: Key) -> Act {
    let verdict = Verdict::Done;
    match key {
        Key::Parse(number) => {
            let ids = model.ids_in(number).iter();
            let events = ids.map(|id| event(id, SUBJECTS[0]).to(&["ledger"], &["crm"])).collect();
            Act::Parse { number, events, verdict }
        }
        Key::Run(event, handler) => Act::Run { event, handler, verdict, emitted: None },
        key => Act::Attempt { key, verdict },
    }
}
