//! What delivery knows of endpoints, by what the directory says of them: how fast each is gone to,
//! and whether at all.
//!
//! In memory only. Never sends, and never touches a delivery.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, MutexGuard};

use tracing::warn;

use super::Delivery;
use super::https::Https;
use super::notices::Notices;
use super::paced::{Paced, Wait};
use super::ready::{Ready, Unready};
use super::transport::Transport;
use crate::directory::Listed;
use crate::endpoint::Why;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;
use crate::store::{Allowance, EndpointNote, Health};

/// What is known of endpoints, in memory only.
#[derive(Debug)]
pub(super) struct State {
    paces: BTreeMap<Name, Paced>,
    pub(super) notices: BTreeMap<Name, Notices>,
    ready: BTreeMap<Name, Arc<Ready>>,
    /// Those of which there is something to note.
    changed: Vec<Name>,
    /// Whether the endpoints were looked at that there were at the start.
    is_started: bool,
    /// Whether those have a breaker that do not say it themselves.
    use_breakers: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            paces: BTreeMap::new(),
            notices: BTreeMap::new(),
            ready: BTreeMap::new(),
            changed: Vec::new(),
            is_started: false,
            use_breakers: true,
        }
    }
}

impl Delivery {
    /// Whether endpoints that do not say it themselves have a breaker, once they are followed next.
    pub(crate) fn use_breakers(&self, by_default: bool) {
        self.state().use_breakers = by_default;
    }

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
        state.is_started = true;
    }

    /// An endpoint is so from now on, or nobody knows it.
    fn update(&self, state: &mut State, name: &Name, listed: Option<&Listed>) {
        let listed = listed.filter(|listed| listed.deleted.is_none());
        let Some(listed) = listed else {
            state.ready.remove(name);
            if state.paces.remove(name).is_some_and(|paced| paced.counts_as_open) {
                self.metrics.breaker(false);
            }
            state.notices.remove(name);
            self.store.allow(name, Allowance::of(1));
            self.store.forget(name);
            self.metrics.endpoint_removed(name);
            return;
        };
        let use_breaker = listed.endpoint.settings.limits.use_breaker;
        let use_breaker = use_breaker.unwrap_or(state.use_breakers);
        match state.paces.get_mut(name) {
            Some(paced) => {
                if paced.configured(listed, use_breaker) {
                    state.changed.push(name.clone());
                }
                self.allow(name, paced);
            }
            None => {
                // What was noted before the start says nothing of one that is new since.
                let health = match state.is_started {
                    true => Health::default(),
                    false => self.directory.health(name),
                };
                let paced = state.paces.entry(name.clone());
                self.allow(name, paced.or_insert_with(|| Paced::of(listed, &health, use_breaker)));
            }
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Lets the store know what an endpoint may have in flight, if that has changed.
    fn allow(&self, name: &Name, paced: &mut Paced) {
        let is_open = paced.is_open();
        if std::mem::replace(&mut paced.counts_as_open, is_open) != is_open {
            self.metrics.breaker(is_open);
        }
        let allowance = paced.allowance(self.slots);
        if paced.allowance != Some(allowance) {
            let goes = paced.goes(allowance, self.clock.now());
            paced.allowance = Some(allowance);
            self.metrics.endpoint_concurrency(name, if goes { allowance.at_a_time } else { 0 });
            self.store.allow(name, allowance);
        }
    }

    /// Nothing goes to an endpoint for now, until it or the master keys change, or a secret of it
    /// is over. Unless it has changed since whoever found it so looked: then nobody would look at
    /// it again.
    pub(super) fn hold(&self, listed: &Listed, why: &Unready) {
        let name = &listed.endpoint.key;
        let mut state = self.state();
        // Under the lock: a change that comes behind this look is followed behind the hold.
        let now = self.directory.get(name);
        if now.is_none_or(|now| now.endpoint.revision != listed.endpoint.revision) {
            return;
        }
        // Nor does a master key that has come since change the endpoint.
        let opens = || listed.active(self.directory.vault(), self.clock.now()).is_ok();
        if matches!(why, Unready::Locked(_)) && opens() {
            return;
        }
        warn!(endpoint.name = %name, "the gateway holds the deliveries to this endpoint: {why}");
        if !state.paces.contains_key(name) {
            self.update(&mut state, name, Some(listed));
        }
        if let Some(paced) = state.paces.get_mut(name) {
            paced.hold(listed, self.clock.now());
            self.allow(name, paced);
        }
    }

    /// Looks again at endpoints of which a secret that did not open is over.
    pub(crate) fn look_again(&self) {
        let now = self.clock.now();
        let due = |(name, paced): (&Name, &Paced)| paced.is_due_again(now).then(|| name.clone());
        let due: Vec<Name> = self.state().paces.iter().filter_map(due).collect();
        if !due.is_empty() {
            self.follow(Some(due));
        }
    }

    /// The endpoints whose deliveries may wait for long, and how those of each may.
    pub(crate) fn held(&self) -> Vec<(Name, Wait)> {
        let held = |(name, paced): (&Name, &Paced)| Some((name.clone(), paced.waits()?));
        self.state().paces.iter().filter_map(held).collect()
    }

    /// The same of this endpoint.
    pub(crate) fn wait_of(&self, endpoint: &Name) -> Option<Wait> {
        self.state().paces.get(endpoint).and_then(Paced::waits)
    }

    /// How an endpoint fares now, if it is known.
    pub(crate) fn health(&self, name: &Name) -> Option<Health> {
        let now = self.clock.now();
        self.state().paces.get(name).map(|paced| paced.health(now))
    }

    /// What there is to note of endpoints, each once.
    pub(crate) fn notes(&self) -> Vec<EndpointNote> {
        let mut state = self.state();
        let changed = std::mem::take(&mut state.changed);
        let note = |name: Name| Some(state.paces.get_mut(&name)?.note(name));
        changed.into_iter().filter_map(note).collect()
    }

    /// These could not be noted.
    pub(crate) fn unnoted(&self, names: Vec<Name>) {
        let mut state = self.state();
        for name in names {
            if state.paces.get_mut(&name).is_some_and(Paced::unnoted) {
                state.changed.push(name);
            }
        }
    }

    /// An endpoint with its secrets opened.
    pub(super) fn ready(&self, listed: &Listed, now: Timestamp) -> Result<Arc<Ready>, Unready> {
        let key = &listed.endpoint.key;
        let known = self.state().ready.get(key).cloned();
        let known = match known {
            Some(ready) if ready.is_of(listed, now) => return Ok(ready),
            known => known,
        };
        if !Https::SCHEMES.contains(&listed.endpoint.settings.url.scheme()) {
            return Err(Unready::Scheme);
        }
        let ready = Arc::new(Ready::of(listed, &self.directory, now, known.as_deref())?);
        let mut state = self.state();
        // Another attempt may have been as fast: then both use the same connections.
        if let Some(other) = state.ready.get(key).filter(|it| it.is_of(listed, now)) {
            return Ok(Arc::clone(other));
        }
        state.ready.insert(key.clone(), Arc::clone(&ready));
        Ok(ready)
    }

    /// Changes what is known of an endpoint, if it is; whether there is something new to note.
    pub(super) fn with_paced<T>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut Paced) -> (T, bool),
    ) -> Option<T> {
        let mut state = self.state();
        let paced = state.paces.get_mut(name)?;
        let (changed, is_news) = change(paced);
        self.allow(name, paced);
        if is_news {
            state.changed.push(name.clone());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::directory::vault::Locked;
    use crate::directory::{Directory, FileEndpoint};
    use crate::egress::{self, Egress};
    use crate::endpoint::{Origin, RawSettings, check};
    use crate::store::{self, Store};

    /// Guards that an endpoint goes on whose secret was made good while an attempt met the old one.
    #[tokio::test]
    async fn an_endpoint_that_has_changed_since_somebody_looked_is_not_held() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(Timestamp(1)));
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let vault = Arc::default();
        let directory = Directory::open(store.clone(), vault, clock.clone()).await.unwrap();
        let egress = Egress::new(egress::Config::default(), clock.clone()).unwrap();
        let owed = (store, directory.clone());
        let delivery = Delivery::new(owed, clock, Default::default(), egress, 16);
        let raw = RawSettings {
            name: "crm".to_owned(),
            url: "https://crm.example".to_owned(),
            events: vec!["*".to_owned()],
            ..RawSettings::default()
        };
        let settings = check(raw, Origin::File).unwrap();
        let key = settings.name.clone();
        let file = FileEndpoint { settings, keys: Vec::new(), credential: None, client_key: None };
        directory.configure(vec![file.clone()]);
        delivery.follow(None);
        let before = directory.get(&key).unwrap();
        directory.configure(vec![file]);
        delivery.follow(None);

        delivery.hold(&before, &Unready::Scheme);
        assert!(delivery.held().is_empty());
        let now = directory.get(&key).unwrap();
        delivery.hold(&now, &Unready::Locked(Locked::NoKey));
        assert!(delivery.held().is_empty(), "it opens by now");
        delivery.hold(&directory.get(&key).unwrap(), &Unready::Scheme);
        assert_eq!(delivery.held().len(), 1);
    }
}
