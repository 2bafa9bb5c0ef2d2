//! What delivery knows of endpoints, by what the directory says of them: how fast each is gone to,
//! and whether at all.
//!
//! In memory only. Never sends, and never touches a delivery.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tracing::warn;

use super::Delivery;
use super::notices::Notices;
use super::pace::Pace;
use super::ready::{Ready, Unready};
use crate::directory::Listed;
use crate::endpoint::{Order, Rate, Status, Why};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;
use crate::store::Allowance;

/// What a rate counts attempts in.
const MINUTE: Duration = Duration::from_secs(60);
/// Deliveries at a time that end without an attempt.
const ENDED_AT_A_TIME: usize = 16;

/// What is known of endpoints, in memory only.
#[derive(Debug, Default)]
pub(super) struct State {
    paces: BTreeMap<Name, Paced>,
    pub(super) notices: BTreeMap<Name, Notices>,
    ready: BTreeMap<Name, Arc<Ready>>,
}

/// An endpoint's pace, and the allowance that the store has of it.
#[derive(Debug)]
struct Paced {
    pace: Pace,
    gate: Gate,
    rate: Option<Rate>,
    order: Order,
    allowance: Option<Allowance>,
}

/// Whether deliveries go to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// They wait.
    Held,
    /// They end without an attempt.
    Gone,
}

impl Gate {
    pub(super) fn of(listed: &Listed) -> Self {
        if listed.deleted.is_some() {
            return Self::Gone;
        }
        match listed.endpoint.standing.status {
            Status::Enabled => Self::Open,
            Status::Paused => Self::Held,
            Status::Disabled => Self::Gone,
        }
    }
}

impl Delivery {
    /// Goes by what the directory says now of these endpoints, or of all. One that was not reached
    /// is tried without a pause.
    pub(crate) fn follow(&self, changed: Option<Vec<Name>>) {
        let mut state = self.state();
        if let Some(keys) = changed {
            for key in keys {
                let listed = self.directory.get(&key);
                self.update(&mut state, &key, listed.as_deref());
            }
            return;
        }
        let mut listed = self.directory.all();
        listed.extend(self.directory.draining());
        let known: HashSet<&Name> = listed.iter().map(|listed| &listed.endpoint.key).collect();
        let is_gone = |name: &&Name| !known.contains(*name);
        let gone: Vec<Name> = state.paces.keys().filter(is_gone).cloned().collect();
        for name in gone {
            self.update(&mut state, &name, None);
        }
        for listed in &listed {
            self.update(&mut state, &listed.endpoint.key, Some(listed.as_ref()));
        }
    }

    /// An endpoint is so from now on, or nobody knows it.
    fn update(&self, state: &mut State, name: &Name, listed: Option<&Listed>) {
        state.ready.remove(name);
        let listed = listed.filter(|listed| listed.deleted.is_none());
        let Some(listed) = listed else {
            state.paces.remove(name);
            state.notices.remove(name);
            self.store.allow(name, Allowance { is_trusted: false, ..Allowance::of(1) });
            self.store.forget(name);
            self.metrics.endpoint_removed(name);
            return;
        };
        let settings = &listed.endpoint.settings;
        let concurrency = settings.limits.concurrency;
        let (gate, rate, order) = (Gate::of(listed), settings.limits.rate, settings.order);
        let paced = state.paces.entry(name.clone()).or_insert_with(|| Paced {
            pace: Pace::new(concurrency),
            gate,
            rate,
            order,
            allowance: None,
        });
        (paced.gate, paced.rate, paced.order) = (gate, rate, order);
        paced.pace.configured(concurrency);
        self.allow(name, paced);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lets the store know what an endpoint may have in flight, if that has changed.
    fn allow(&self, name: &Name, paced: &mut Paced) {
        let Paced { pace, gate, rate, order, .. } = &*paced;
        let rate = rate.map(|rate| (MINUTE / rate.per_minute, rate.burst));
        let allowance = match gate {
            Gate::Open => Allowance { rate, order: *order, ..pace.allowance(self.slots) },
            // What comes meanwhile goes in order too, once it goes.
            Gate::Held => Allowance { rate, order: *order, ..Allowance::of(0) },
            Gate::Gone => Allowance { is_trusted: false, ..Allowance::of(ENDED_AT_A_TIME) },
        };
        if paced.allowance != Some(allowance) {
            let goes = *gate == Gate::Open && !pace.rests(self.clock.now());
            paced.allowance = Some(allowance);
            self.metrics.endpoint_concurrency(name, if goes { allowance.at_a_time } else { 0 });
            self.store.allow(name, allowance);
        }
    }

    /// Nothing goes to an endpoint for now, until it or the master keys change.
    pub(super) fn hold(&self, name: &Name, why: &Unready) {
        warn!(endpoint.name = %name, "the gateway holds the deliveries to this endpoint: {why}");
        if let Some(paced) = self.state().paces.get_mut(name) {
            paced.gate = Gate::Held;
            self.allow(name, paced);
        }
    }

    /// An endpoint with its secrets opened.
    pub(super) fn ready(&self, listed: &Listed, now: Timestamp) -> Result<Arc<Ready>, Unready> {
        let key = &listed.endpoint.key;
        let known = self.state().ready.get(key).cloned();
        if let Some(ready) = known.filter(|ready| ready.is_of(listed, now)) {
            return Ok(ready);
        }
        let ready = Arc::new(Ready::of(listed, &self.directory, now)?);
        self.state().ready.insert(key.clone(), Arc::clone(&ready));
        Ok(ready)
    }

    pub(super) fn with_pace<T>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut Pace) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        let paced = state.paces.get_mut(name)?;
        let changed = change(&mut paced.pace);
        self.allow(name, paced);
        Some(changed)
    }
}

/// Why nothing goes to an endpoint any more.
pub(crate) fn why_gone(listed: &Listed) -> &'static str {
    match (listed.deleted, listed.endpoint.standing.why) {
        (Some(_), _) => "the endpoint was deleted",
        (None, Some(Why::Gone410)) => "the endpoint is disabled: it answered 410 Gone",
        (None, Some(Why::Failing)) => "the endpoint is disabled: it failed for days",
        (None, _) => "the endpoint is disabled",
    }
}
