//! What a token with a tenant is shown of what is stored: its own events, and their deliveries to
//! its own endpoints.
//!
//! Without what is the operator's: receipts, traces, runs with their log lines, and deliveries to
//! all other endpoints. Asks the store no more than it needs to know whose something is. Never
//! refuses what is asked for without a tenant.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::reach::Reach;
use super::{Admin, Problem};
use crate::directory::EndpointFilter;
use crate::ids::{Id, IdKind, Name};
use crate::store::{
    self, DeadFilter, DeadLetter, DeadReasons, DeliveryFilter, DeliverySummary, DeliveryView,
    EventSummary, EventView, Listing, News, Of, Page, State, WorkKind,
};

/// A page without anything on it.
pub(super) fn nothing<T>() -> Listing<T> {
    Listing { items: Vec::new(), damaged: Vec::new(), next: None }
}

/// An event in a list of those within reach.
fn summary(reach: &Reach, event: &mut EventSummary) {
    if !reach.is_all() {
        event.receipt = None;
    }
}

/// What came on a stream within reach.
pub(super) fn news(admin: &Admin, reach: &Reach, news: &mut News) {
    news.events.iter_mut().for_each(|(event, _)| summary(reach, &mut event.summary));
    let is_own = |it: &DeliverySummary| {
        reach.sees_delivery(&admin.directory, &it.endpoint, it.tenant.as_ref())
    };
    news.deliveries.retain(|(delivery, _)| is_own(delivery));
}

/// A page of events within reach.
pub(super) fn summaries(reach: &Reach, mut page: Listing<EventSummary>) -> Listing<EventSummary> {
    page.items.iter_mut().for_each(|event| summary(reach, event));
    without_damaged(reach, page)
}

/// Nobody knows whose it was.
fn without_damaged<T>(reach: &Reach, mut page: Listing<T>) -> Listing<T> {
    if !reach.is_all() {
        page.damaged.clear();
    }
    page
}

/// The event as far as it is within reach; `None` if it is not.
pub(super) fn event(admin: &Admin, reach: &Reach, mut event: EventView) -> Option<EventView> {
    if reach.is_all() {
        return Some(event);
    }
    let of = event.tenant.clone();
    if !reach.sees(of.as_ref()) {
        return None;
    }
    let is_own =
        |it: &DeliveryView| reach.sees_delivery(&admin.directory, &it.endpoint, of.as_ref());
    event.deliveries.retain(is_own);
    event.deliveries.iter_mut().for_each(|delivery| delivery.run = None);
    (event.receipt, event.cause, event.trace_id) = (None, None, None);
    event.runs.clear();
    event.damaged.clear();
    event.state = State::of_all(event.deliveries.iter().map(|it| it.progress.state));
    Some(event)
}

/// The delivery as far as it is within reach; `None` if it is not.
pub(super) fn delivery(
    admin: &Admin,
    reach: &Reach,
    mut delivery: Of<DeliveryView>,
) -> Option<Of<DeliveryView>> {
    if reach.is_all() {
        return Some(delivery);
    }
    let endpoint = &delivery.work.endpoint;
    let is_own = reach.sees_delivery(&admin.directory, endpoint, delivery.tenant.as_ref());
    (delivery.work.run, delivery.receipt_id) = (None, None);
    is_own.then_some(delivery)
}

/// A page of the dead letters within reach: of deliveries alone, unless that is everything.
pub(super) async fn letters(
    admin: &Admin,
    reach: &Reach,
    filter: DeadFilter,
    page: Page,
) -> Result<Listing<DeadLetter>, Problem> {
    let Some(filter) = dead(admin, reach, filter) else { return Ok(nothing()) };
    let mut page = admin.store.dead_matching(&filter, page).await?;
    page.items.iter_mut().for_each(|it| letter(reach, it));
    Ok(without_damaged(reach, page))
}

/// The dead letters within reach, by why they died.
pub(super) async fn reasons(
    admin: &Admin,
    reach: &Reach,
    filter: DeadFilter,
) -> Result<DeadReasons, Problem> {
    let Some(filter) = dead(admin, reach, filter) else {
        return Ok(DeadReasons { at_least: false, groups: Vec::new() });
    };
    let mut reasons = admin.store.dead_reasons(&filter).await?;
    reasons.groups.iter_mut().for_each(|group| letter(reach, &mut group.newest));
    Ok(reasons)
}

/// A dead letter of those within reach.
fn letter(reach: &Reach, letter: &mut DeadLetter) {
    if !reach.is_all() {
        letter.receipt = None;
    }
}

/// The filter of those that match and are within reach; `None` if none can be.
fn dead(admin: &Admin, reach: &Reach, mut filter: DeadFilter) -> Option<DeadFilter> {
    filter.tenant = reach.narrowed(filter.tenant.take()).ok()?;
    if reach.is_all() {
        return Some(filter);
    }
    if filter.kind.is_some_and(|kind| kind != WorkKind::Delivery) {
        return None;
    }
    let (kind, among) = (Some(WorkKind::Delivery), endpoints(admin, reach));
    Some(DeadFilter { kind, among, ..filter })
}

/// What deliveries call the endpoints within reach, also those that were deleted; `None` if that is
/// all.
pub(super) fn endpoints(admin: &Admin, reach: &Reach) -> Option<Arc<BTreeSet<Name>>> {
    let tenant = reach.narrowed(None).ok().flatten()?;
    let filter = EndpointFilter { tenant: Some(tenant.clone()), ..EndpointFilter::default() };
    let open = admin.directory.page(&filter, None, usize::MAX);
    let deleted = admin.directory.deleted_of(tenant);
    let own = open.iter().chain(&deleted);
    Some(Arc::new(own.map(|listed| listed.endpoint.key.clone()).collect()))
}

/// A page of the deliveries within reach.
pub(super) async fn deliveries(
    admin: &Admin,
    reach: &Reach,
    mut filter: DeliveryFilter,
    page: Page,
) -> Result<Listing<DeliverySummary>, Problem> {
    let Ok(tenant) = reach.narrowed(filter.tenant.take()) else { return Ok(nothing()) };
    let filter = DeliveryFilter { tenant, among: endpoints(admin, reach), ..filter };
    Ok(without_damaged(reach, admin.store.deliveries(&filter, page).await?))
}

/// The works that these ids stand for to whoever asks: of an event, the deliveries within reach.
/// One that is not within reach is as unknown as one that there is not.
pub(super) async fn works(admin: &Admin, reach: &Reach, ids: Vec<Id>) -> Result<Vec<Id>, Problem> {
    if reach.is_all() {
        return Ok(ids);
    }
    let (mut works, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        let found = match id.kind {
            IdKind::Event | IdKind::Delivery => admin.store.event(id).await?,
            _ => None,
        };
        let Some(own) = found.and_then(|found| event(admin, reach, found)) else {
            unknown.push(id);
            continue;
        };
        let is_meant = |it: &DeliveryView| id.kind == IdKind::Event || it.id == id;
        let meant: Vec<Id> =
            own.deliveries.iter().filter(|it| is_meant(it)).map(|it| it.id).collect();
        if meant.is_empty() && id.kind == IdKind::Delivery {
            unknown.push(id);
        }
        works.extend(meant);
    }
    match unknown.is_empty() {
        true => Ok(works),
        false => Err(store::Error::Unknown(unknown).into()),
    }
}
