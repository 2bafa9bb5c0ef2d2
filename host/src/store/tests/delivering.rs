//! Lists of deliveries have all that match, newest first, however they are found.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::*;
use crate::effect::{Allowance as Emitting, Parcel};
use crate::failure::{AttemptDetail, Reason};
use crate::ids::IdKind;
use crate::tenant::Tenant;

fn tenant(text: &str) -> Tenant {
    text.parse().unwrap()
}

fn of(new: NewEvent, whose: &str) -> NewEvent {
    let allowance = Some(Emitting { events: 1, bytes: 1 << 10 });
    NewEvent { tenant: Some(tenant(whose)), allowance, ..new }
}

/// Two deliveries of each of eight events, of two tenants and of nobody, and one of a parcel: of
/// each endpoint some are done, dead of two reasons, and pending.
async fn bench() -> Bench {
    filled(Bench::new()).await
}

async fn filled(bench: Bench) -> Bench {
    let mut turn = 0;
    for number in 0..8 {
        let new = event(&format!("evt_{number}"), ["pi_1", "pi_2"][number % 2]);
        let new = new.to(&["ledger"], &["crm", "erp"]);
        let new = match number % 3 {
            0 => new,
            1 => of(new, "acme"),
            _ => of(new, "globex"),
        };
        bench.bring(vec![new]).await;
        let run = bench.runs().await.pop().unwrap();
        let (endpoint, body) = (name("crm"), "hello".into());
        let parcel = Parcel { endpoint, content_type: "text/plain".into(), body };
        let effects = Effects { parcels: vec![parcel], ..Effects::default() };
        bench.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
        let mut works = bench.deliveries().await;
        works.sort_by_key(|work| work.id.position);
        for work in works {
            match turn % 4 {
                0 => bench.end_delivery(work, Verdict::Done).await,
                1 => bench.end_delivery(work, Verdict::RetryAt(in_minutes(60))).await,
                other => {
                    let reason = [Reason::EndpointTls, Reason::EndpointGone][other - 2];
                    let detail = AttemptDetail { reason: Some(reason), ..AttemptDetail::default() };
                    let failed = Attempt { detail, ..attempt(Verdict::Dead) };
                    bench.store.record_attempt(work, failed).await.unwrap().unwrap();
                }
            }
            turn += 1;
        }
        bench.clock.set(in_minutes(number as u64 + 1));
    }
    // One more, that nobody has tried.
    bench.bring(vec![event("evt_8", "pi_1").to(&[], &["erp"])]).await;
    bench
}

fn filters() -> Vec<DeliveryFilter> {
    let any = DeliveryFilter::default;
    let mut filters = vec![any()];
    for state in [State::Pending, State::Done, State::Dead] {
        filters.push(DeliveryFilter { state: Some(state), ..any() });
        let (endpoint, subject) = (Some(name("crm")), Some("pi_1".to_owned()));
        filters.push(DeliveryFilter { state: Some(state), endpoint, subject, ..any() });
        let (among, whose) = (BTreeSet::from([name("erp")]), Some(tenant("acme")));
        let among = Some(Arc::new(among));
        filters.push(DeliveryFilter { state: Some(state), among, tenant: whose, ..any() });
        let (after, before) = (Some(in_minutes(2)), Some(in_minutes(5)));
        filters.push(DeliveryFilter { state: Some(state), after, before, ..any() });
    }
    for reason in [Reason::EndpointTls, Reason::EndpointGone, Reason::Discarded] {
        filters.push(DeliveryFilter { reason: Some(reason), ..any() });
        let state = Some(State::Pending);
        filters.push(DeliveryFilter { reason: Some(reason), state, ..any() });
    }
    for types in ["payment.*", "payment.failed", "order.*"] {
        filters.push(DeliveryFilter { event_type: Some(types.parse().unwrap()), ..any() });
    }
    filters.push(DeliveryFilter { tenant: Some(tenant("globex")), ..any() });
    filters
}

/// Whether a delivery is one of those, by what is shown of it.
fn fits(filter: &DeliveryFilter, it: &DeliverySummary) -> bool {
    filter.endpoint.as_ref().is_none_or(|endpoint| *endpoint == it.endpoint)
        && filter.among.as_ref().is_none_or(|among| among.contains(&it.endpoint))
        && filter.state.is_none_or(|state| state == it.state)
        && filter.reason.is_none_or(|reason| Some(reason) == it.reason)
        && has(filter.subject.as_ref(), it.subject.as_ref())
        && has(filter.tenant.as_ref(), it.tenant.as_ref())
        && filter.after.is_none_or(|after| it.recorded_at >= after)
        && filter.before.is_none_or(|before| it.recorded_at < before)
        && filter
            .event_type
            .as_ref()
            .is_none_or(|types| it.event_type.as_ref().is_some_and(|it| types.matches(it)))
}

/// Without a wish it has all.
fn has<T: PartialEq>(wish: Option<&T>, of_it: Option<&T>) -> bool {
    wish.is_none() || wish == of_it
}

async fn listed(bench: &Bench, filter: &DeliveryFilter, limit: usize) -> Vec<DeliverySummary> {
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let listing = bench.store.deliveries(filter, Page { cursor, limit }).await.unwrap();
        assert!(listing.items.len() <= limit && listing.damaged.is_empty());
        seen.extend(listing.items);
        cursor = listing.next;
        if cursor.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn each_list_has_what_matches_newest_first_also_after_a_restart() {
    let mut bench = bench().await;
    for is_restarted in [false, true] {
        let all = listed(&bench, &DeliveryFilter::default(), 7).await;
        assert_eq!(all.len(), 25);
        let ids: Vec<u64> = all.iter().map(|it| it.id.position).collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
        for filter in filters() {
            for limit in [2, 100] {
                let expected: Vec<Id> =
                    all.iter().filter(|it| fits(&filter, it)).map(|it| it.id).collect();
                let seen = listed(&bench, &filter, limit).await;
                let seen: Vec<Id> = seen.iter().map(|it| it.id).collect();
                assert_eq!(seen, expected, "{is_restarted} {limit} {filter:?}");
            }
        }
        bench = bench.restart().await;
    }
}

/// With blocks of few items, of which some have merged, and as an older Hookgate left it.
#[tokio::test]
async fn each_list_has_the_same_however_the_index_lies() {
    for index_items in [1, 3, 20] {
        let config = Config { index_items, ..Config::at("nowhere") };
        let bench = filled(Bench::with(Disk::default(), Clock::manual(NOW), &config)).await;
        let all = listed(&bench, &DeliveryFilter::default(), 100).await;
        let check = async || {
            for endpoint in ["crm", "erp", "shop"] {
                let filter =
                    DeliveryFilter { endpoint: Some(name(endpoint)), ..DeliveryFilter::default() };
                let own = all.iter().filter(|it| it.endpoint == name(endpoint));
                let expected: Vec<Id> = own.map(|it| it.id).collect();
                let seen = listed(&bench, &filter, 2).await;
                let seen: Vec<Id> = seen.iter().map(|it| it.id).collect();
                assert_eq!(seen, expected, "{index_items} {endpoint}");
            }
        };
        check().await;
        let shared = &bench.store.handle.shared;
        shared.index.forget(shared.end.load(Ordering::Acquire));
        check().await;
    }
}

#[tokio::test]
async fn each_says_what_it_is_about_and_how_it_went_last() {
    let bench = bench().await;
    let all = listed(&bench, &DeliveryFilter::default(), 100).await;
    for it in &all {
        let view = bench.store.delivery(it.id).await.unwrap().unwrap();
        let progress = &view.work.progress;
        assert_eq!((it.id.kind, &it.endpoint), (IdKind::Delivery, &view.work.endpoint));
        assert_eq!((it.event_id, &it.tenant), (view.event_id, &view.tenant));
        assert_eq!((it.state, it.retry_at), (progress.state, progress.retry_at));
        let last = view.work.attempts.last();
        let tried = it.last_attempt.as_ref();
        assert_eq!(tried.map(|tried| tried.at), last.map(|last| last.at));
        assert_eq!(it.reason.is_some(), it.state == State::Dead);
    }
    let discarded = all.iter().find(|it| it.state == State::Pending).unwrap().id;
    bench.store.discard(discarded).await.unwrap();
    let why = DeliveryFilter { reason: Some(Reason::Discarded), ..DeliveryFilter::default() };
    let found: Vec<Id> = listed(&bench, &why, 2).await.iter().map(|it| it.id).collect();
    assert_eq!(found, [discarded]);
}

#[tokio::test]
async fn a_cursor_belongs_to_one_list_of_deliveries() {
    let bench = bench().await;
    let first = DeliveryFilter::default();
    let page = bench.store.deliveries(&first, Page { cursor: None, limit: 2 }).await.unwrap();
    let other = DeliveryFilter { state: Some(State::Dead), ..first };
    let page = Page { cursor: page.next, limit: 2 };
    let refused = bench.store.deliveries(&other, page).await.unwrap_err();
    assert!(matches!(refused, Error::ForeignCursor), "{refused}");
}

#[tokio::test]
async fn letters_of_one_tenant_are_about_its_events_to_the_endpoints_that_are_named() {
    let bench = bench().await;
    let all = bench.store.dead(Page { cursor: None, limit: 100 }).await.unwrap().items;
    let acme = DeliveryFilter { tenant: Some(tenant("acme")), ..DeliveryFilter::default() };
    let own: BTreeSet<Id> = listed(&bench, &acme, 100).await.iter().map(|it| it.id).collect();
    let filter = DeadFilter {
        tenant: acme.tenant,
        among: Some(Arc::new(BTreeSet::from([name("crm")]))),
        ..DeadFilter::default()
    };
    let page = Page { cursor: None, limit: 100 };
    let found = bench.store.dead_matching(&filter, page).await.unwrap().items;
    let is_own = |it: &&DeadLetter| own.contains(&it.id) && it.name == name("crm");
    let expected: Vec<Id> = all.iter().filter(is_own).map(|it| it.id).collect();
    assert!(!expected.is_empty());
    assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), expected);
}
