//! Has it written down how endpoints fare, and ends what waits for one, or for those of a tenant,
//! beyond what may.
//!
//! A task of the gateway beside the path of events, every few seconds, and once more at a stop: a
//! crash loses what came since. Never judges an endpoint.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Parts;
use super::holding::{Bound, Held, bounds, share};
use crate::causes::chain;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::failure::Reason;
use crate::ids::Name;
use crate::store::{self, EndOwed, Ended, OpenWorks, Store, WorkKind};

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
        // Then no tenant has more: the usual case costs no look at all lanes.
        if all.works <= share(mark) {
            return held.into_iter().map(Bound::of_endpoint).collect();
        }
        let lanes = self.store.lanes_longer_than(0).into_iter();
        let deliveries = lanes.filter(|(kind, ..)| *kind == WorkKind::Delivery);
        let waiting: HashMap<Name, usize> =
            deliveries.map(|(_, endpoint, waiting)| (endpoint, waiting)).collect();
        let of = |(endpoint, held): (Name, u64)| {
            let listed = self.directory.get(&endpoint);
            let tenant = listed.and_then(|listed| listed.endpoint.settings.tenant.clone());
            let waiting = waiting.get(&endpoint).copied().unwrap_or_default();
            Held { endpoint, tenant, held, waiting }
        };
        bounds(held.into_iter().map(of).collect(), mark)
    }

    /// Ends the oldest of what waits for an endpoint beyond its bound.
    async fn shed(&self, Bound { endpoint, keep, why }: &Bound) -> Result<(), store::Error> {
        let mut all = 0;
        loop {
            let what = EndOwed {
                endpoint: endpoint.clone(),
                keep: *keep,
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
