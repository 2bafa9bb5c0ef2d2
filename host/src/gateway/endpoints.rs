//! Follows the endpoints: delivery goes by each change, and what is owed to one that is gone ends.
//!
//! A task of the gateway beside the path of events. What is owed to a deleted or disabled endpoint
//! ends in slices, and a start goes on with that. Never ends what is owed to one that only waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Parts;
use crate::causes::chain;
use crate::clock::Clock;
use crate::delivery::{Delivery, why_gone};
use crate::directory::{Directory, Listed};
use crate::endpoint::Status;
use crate::failure::Reason;
use crate::ids::{Id, Name};
use crate::retry::RetryPolicy;
use crate::store::{self, EndOwed, Retention, Store};

/// An attempt that was under way when an endpoint went has ended by then.
const LAST_LOOK: Duration = Duration::from_secs(90);
/// While what is left is being read, or the store can't be written.
const PAUSE: Duration = Duration::from_millis(200);
/// How often endpoints are forgotten that were deleted long ago.
const BURIAL: Duration = Duration::from_secs(3_600);

pub(super) struct Endpoints {
    directory: Directory,
    delivery: Arc<Delivery>,
    store: Store,
    clock: Clock,
    retention: Arc<ArcSwap<Retention>>,
}

/// What is owed to an endpoint that is gone, and ends.
#[derive(Debug)]
struct Ending {
    /// If it was deleted.
    deleted: Option<Id>,
    why: &'static str,
    /// Not before this.
    at: Instant,
    /// Nothing was left when it was looked for first.
    is_last: bool,
}

impl Endpoints {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            directory: parts.directory.clone(),
            delivery: parts.delivery.clone(),
            store: parts.store.clone(),
            clock: parts.clock.clone(),
            retention: parts.retention.clone(),
        }
    }

    /// Follows until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.follow() => (),
        }
    }

    async fn follow(&self) {
        let mut changes = self.directory.changes();
        let mut ending = BTreeMap::new();
        let mut buried = Instant::now();
        // Whatever changed before this was looked at.
        let mut seen = *changes.borrow_and_update();
        self.note(&mut ending, None);
        loop {
            let next = ending.values().map(|it: &Ending| it.at).min();
            let next = next.unwrap_or(buried + BURIAL).min(buried + BURIAL);
            tokio::select! {
                biased;
                changed = changes.changed() => {
                    // The sender is in the directory.
                    if changed.is_err() {
                        return;
                    }
                    let now = *changes.borrow_and_update();
                    let changed = self.directory.changed_since(seen);
                    seen = now;
                    self.delivery.follow(changed.clone());
                    bound_delays(&self.store, &self.directory);
                    self.note(&mut ending, changed);
                }
                () = tokio::time::sleep_until(next) => self.end_some(&mut ending).await,
            }
            if buried.elapsed() >= BURIAL {
                buried = Instant::now();
                self.bury().await;
            }
        }
    }

    /// Takes in which endpoints are gone, of these or of all.
    fn note(&self, ending: &mut BTreeMap<Name, Ending>, changed: Option<Vec<Name>>) {
        let listed: Vec<Arc<Listed>> = match changed {
            Some(keys) => keys.iter().filter_map(|key| self.directory.get(key)).collect(),
            None => {
                let mut all = self.directory.all();
                all.extend(self.directory.draining());
                all
            }
        };
        for listed in listed {
            let endpoint = &listed.endpoint;
            let deleted = listed.deleted.map(|_| endpoint.id);
            if deleted.is_some() || endpoint.standing.status == Status::Disabled {
                let (why, at) = (why_gone(&listed), Instant::now());
                let is_gone = Ending { deleted, why, at, is_last: false };
                ending.insert(endpoint.key.clone(), is_gone);
            } else {
                ending.remove(&endpoint.key);
            }
        }
    }

    /// Ends a slice of what is owed to one endpoint.
    async fn end_some(&self, ending: &mut BTreeMap<Name, Ending>) {
        let now = Instant::now();
        let due = ending.iter().filter(|(_, it)| it.at <= now).min_by_key(|(_, it)| it.at);
        let Some(key) = due.map(|(key, _)| key.clone()) else { return };
        let Some(it) = ending.get_mut(&key) else { return };
        let (reason, detail) = (Reason::EndpointGone, it.why.to_owned());
        let what = EndOwed { endpoint: key.clone(), keep: 0, reason, detail };
        match self.store.end_owed(what).await {
            Ok(store::Ended { ended, more }) if ended > 0 || more => {
                // The others have their turn before.
                it.at = now + if ended > 0 { Duration::ZERO } else { PAUSE };
                it.is_last = false;
            }
            Ok(_) if !it.is_last => (it.at, it.is_last) = (now + LAST_LOOK, true),
            Ok(_) => {
                let deleted = it.deleted;
                ending.remove(&key);
                if let Some(id) = deleted
                    && let Err(error) = self.directory.drained(id).await
                {
                    warn!(
                        "failed to note that endpoint {id} has no open deliveries: {}",
                        chain(&error)
                    );
                }
            }
            Err(error) => {
                it.at = now + LAST_LOOK;
                warn!("failed to end the open deliveries to endpoint {key}: {}", chain(&error));
            }
        }
    }

    /// Forgets endpoints that were deleted so long ago that no delivery names them.
    async fn bury(&self) {
        let retention = self.retention.load_full();
        let kept = [retention.events, retention.attempts, retention.dead].into_iter().max();
        let kept = kept.unwrap_or_default();
        let now = self.clock.now();
        let draining: Vec<Id> =
            self.directory.draining().iter().map(|listed| listed.endpoint.id).collect();
        let is_old = |listed: &&Arc<Listed>| {
            let deleted = listed.deleted.is_some_and(|at| now.since(at) > kept);
            deleted && !draining.contains(&listed.endpoint.id)
        };
        let deleted = self.directory.deleted();
        let old: Vec<Id> = deleted.iter().filter(is_old).map(|it| it.endpoint.id).collect();
        if old.is_empty() {
            return;
        }
        if let Err(error) = self.directory.bury(old).await {
            warn!("failed to forget endpoints that were deleted: {}", chain(&error));
        }
    }
}

/// No try waits longer than the schedules of all endpoints say, and those of plugins.
pub(super) fn bound_delays(store: &Store, directory: &Directory) {
    let endpoints = directory.all();
    let delays = endpoints.iter().map(|it| it.endpoint.settings.retries.longest_delay());
    let others = [RetryPolicy::plugins(), RetryPolicy::deliveries()];
    let delays = delays.chain(others.iter().map(RetryPolicy::longest_delay));
    store.bound_delays(delays.max().unwrap_or_default());
}
