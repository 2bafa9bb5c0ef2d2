//! Has it written down how endpoints fare, and ends what waits for one, or for those of a tenant,
//! beyond what may.
//!
//! A task of the gateway beside the path of events, every few seconds, and once more at a stop: a
//! crash loses what came since. Never judges an endpoint.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Parts;
use super::holding::{Bound, Held, bounds, share};
use crate::causes::chain;
use crate::delivery::{Delivery, Wait};
use crate::directory::Directory;
use crate::failure::Reason;
use crate::ids::Name;
use crate::store::{self, EndOwed, Ended, OpenWorks, Store};

/// Between two times.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Faring {
    delivery: Arc<Delivery>,
    directory: Directory,
    store: Store,
}

impl Faring {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            delivery: parts.delivery.clone(),
            directory: parts.directory.clone(),
            store: parts.store.clone(),
        }
    }

    /// Goes on until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.go_on() => (),
        }
        self.note().await;
    }

    async fn go_on(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.note().await;
            self.delivery.look_again();
            for bound in self.bounds() {
                if let Err(error) = self.shed(&bound).await {
                    let endpoint = &bound.endpoint;
                    warn!("failed to end deliveries to endpoint {endpoint}: {}", chain(&error));
                    break;
                }
            }
        }
    }

    async fn note(&self) {
        let notes = self.delivery.notes();
        if notes.is_empty() {
            return;
        }
        // Whoever tells of endpoints goes by it, also while the store can't be written.
        self.directory.noted(&notes);
        let names = notes.iter().map(|note| note.key.clone()).collect();
        if let Err(error) = self.store.note_endpoints(notes).await {
            // The next time has them too.
            debug!("failed to note how endpoints fare: {}", chain(&error));
            self.delivery.unnoted(names);
        }
    }

    /// How many deliveries may wait for each endpoint whose deliveries may wait for long.
    fn bounds(&self) -> Vec<Bound> {
        let held = self.delivery.held();
        let OpenWorks { all, marks, .. } = self.store.open_works();
        let mark = marks.per_source.min(marks.all);
        // Then no tenant has more: the usual case costs no look at what waits.
        if all.works <= share(mark) {
            return held.into_iter().map(Bound::of_endpoint).collect();
        }
        let mut of_tenants = Vec::new();
        let of = |(endpoint, wait): (Name, Wait)| {
            let listed = self.directory.get(&endpoint).filter(|_| wait.is_cut_off);
            let tenant = listed.and_then(|listed| listed.endpoint.settings.tenant.clone());
            if tenant.is_some() {
                of_tenants.push(endpoint.clone());
            }
            Held { endpoint, tenant, held: wait.held, waiting: 0 }
        };
        let mut held: Vec<Held> = held.into_iter().map(of).collect();
        let sharing = held.iter_mut().filter(|held| held.tenant.is_some());
        for (held, waiting) in sharing.zip(self.store.deliveries_to(&of_tenants)) {
            held.waiting = waiting;
        }
        bounds(held, mark)
    }

    /// Ends the oldest of what waits for an endpoint beyond its bound, while it may wait for long.
    async fn shed(&self, bound: &Bound) -> Result<(), store::Error> {
        let Bound { endpoint, keep, why } = bound;
        let mut all = 0;
        loop {
            // To end many takes a while, and by now deliveries may go there again. Then all stay,
            // of which the store is told too.
            let most = bound.keeps(self.delivery.wait_of(endpoint));
            let what = EndOwed {
                endpoint: endpoint.clone(),
                keep: most,
                reason: Reason::EndpointUnreachable,
                detail: (*why).to_owned(),
            };
            let Ended { ended, more } = self.store.end_owed(what).await?;
            all += ended;
            if ended == 0 || !more {
                break;
            }
        }
        if all > 0 {
            warn!(endpoint.name = %endpoint, ended = all, keep, "ended deliveries: {why}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::directory::FileEndpoint;
    use crate::egress::{self, Egress};
    use crate::endpoint::{Origin, RawSettings, Standing, Status, check};
    use crate::event::{Event, Request, Timestamp};
    use crate::headers::Headers;
    use crate::json_text::JsonText;
    use crate::retry::{Outcome, Verdict};
    use crate::store::{
        EndpointChange, Marks, NewEvent, NewReceipt, Parsed, Routes, Try, WorkKind,
    };

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// The endpoint `crm` of a tenant, to which deliveries go in this order, and for which two may
    /// wait.
    fn crm(order: &str) -> FileEndpoint {
        let raw = RawSettings {
            name: "crm".to_owned(),
            url: "https://crm.example".to_owned(),
            events: vec!["*".to_owned()],
            order: Some(order.to_owned()),
            held: Some(2),
            tenant: Some("acme".to_owned()),
            ..RawSettings::default()
        };
        let settings = check(raw, Origin::File).unwrap();
        FileEndpoint { settings, keys: Vec::new(), credential: None, client_key: None }
    }

    /// Stores an event for it.
    async fn owe(store: &Store, event_id: &str) {
        let request = Request {
            method: "POST".to_owned(),
            url: "/in/shop".to_owned(),
            headers: Headers::default(),
            body: "{}".into(),
            received_at: NOW,
        };
        let event = Event {
            source: name("shop"),
            id: event_id.to_owned(),
            event_type: "payment.failed".to_owned(),
            subject: None,
            time: NOW,
            money: None,
            labels: Vec::new(),
            data: JsonText::new("{}").unwrap(),
        };
        let routes = Arc::new(Routes { handlers: Vec::new(), endpoints: vec![name("crm")] });
        let event = Arc::new(event);
        let event = NewEvent { event, routes, allowance: None, tenant: None, trace: None };
        let (outcome, verdict, log) = (Outcome::Success, Verdict::Done, Vec::new());
        let duration = Duration::ZERO;
        let report = Try { at: NOW, duration, plugin: None, outcome, verdict, log, reason: None };
        let receipt = NewReceipt {
            source: name("shop"),
            request: Arc::new(request),
            event_ids: vec![event_id.to_owned()],
            proven: None,
            plugin: None,
            trace: None,
        };
        let parsed = Parsed { report, events: vec![event] };
        store.append_parsed(receipt, Some(parsed)).await.unwrap();
    }

    /// One that follows nothing yet, and its store's folder.
    async fn faring() -> (tempfile::TempDir, Faring) {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let opened = Directory::open(store.clone(), Arc::default(), clock.clone()).await;
        let directory = opened.unwrap();
        let egress = Egress::new(egress::Config::default(), clock.clone()).unwrap();
        let owed = (store.clone(), directory.clone());
        let delivery = Arc::new(Delivery::new(owed, clock, Default::default(), egress, 16));
        (folder, Faring { delivery, directory, store })
    }

    fn configure(faring: &Faring, order: &str) {
        faring.directory.configure(vec![crm(order)]);
        faring.delivery.follow(None);
    }

    /// Guards that a bound of before ends nothing that goes out by now. Take the look out of
    /// [`Faring::shed`], and two of three end.
    #[tokio::test]
    async fn what_goes_out_again_is_not_ended_by_a_bound_of_before() {
        let (_folder, faring) = faring().await;
        configure(&faring, "subject");
        for event_id in ["e1", "e2", "e3"] {
            owe(&faring.store, event_id).await;
        }
        let bound = Bound { endpoint: name("crm"), keep: 1, why: "of before" };
        let waiting = || faring.store.lanes_longer_than(0);
        let wait = |count: usize| vec![(WorkKind::Delivery, name("crm"), count)];

        configure(&faring, "none");
        faring.shed(&bound).await.unwrap();
        assert_eq!(waiting(), wait(3), "they go out");
        configure(&faring, "subject");
        faring.shed(&bound).await.unwrap();
        assert_eq!(waiting(), wait(2), "they go out one behind the other");
    }

    /// Guards that what waits for an endpoint that answers is no part of its tenant's share. Take
    /// `is_cut_off` out of [`Faring::bounds`], and the first bound is that share.
    #[tokio::test]
    async fn only_what_gets_nothing_shares_with_others_of_its_tenant() {
        let (_folder, faring) = faring().await;
        configure(&faring, "subject");
        faring.store.set_marks(Marks { all: 8, per_source: 8 });
        for event_id in ["e1", "e2", "e3"] {
            owe(&faring.store, event_id).await;
        }
        let keep = || faring.bounds().pop().unwrap().keep;
        assert_eq!(keep(), 2, "its own");

        let id = faring.directory.get(&name("crm")).unwrap().endpoint.id;
        let paused = Standing { status: Status::Paused, why: None, since: NOW };
        let change = EndpointChange::Standing(paused);
        faring.directory.change(id, None, change).await.unwrap();
        faring.delivery.follow(None);
        assert_eq!(keep(), 1, "an eighth");
    }
}
