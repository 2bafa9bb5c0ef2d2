//! Raises events of what happens to the gateway itself: an endpoint fails, a plugin is refused, a
//! source is silent, work piles up, the disk is nearly full, a secret expires.
//!
//! A task of the gateway beside the path of events. They are ordinary events of the source
//! `hookgate`, and each is stored only if an endpoint subscribes to it: no handler runs on one, and
//! none is caused by what becomes of another, but for a change of where an endpoint stands. Never
//! acts on what it tells.

mod fact;
mod growth;
mod health;
mod silence;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::fact::Fact;
use self::growth::{Growth, LONG};
use self::health::{Unwell, expiring};
use self::silence::{Silence, Silent};
use super::Parts;
use crate::causes::chain;
use crate::clock::{Clock, Moment};
use crate::directory::Directory;
use crate::disk::{Disk, Space};
use crate::effect::Allowance;
use crate::ids::Name;
use crate::ingest::{Expected, Sources};
use crate::metrics::{Kind, Metrics};
use crate::notices::{Notice, Notices};
use crate::plugin::Registry;
use crate::secrets::Redaction;
use crate::store::{self, NewEvent, Routes, Store, WorkKind};

/// Between two looks at what tells nobody that it changes.
const PAUSE: Duration = Duration::from_secs(60);
/// Between two looks at all secrets.
const SECRETS_PAUSE: Duration = Duration::from_secs(3_600);
/// A disk that is low is told once in such a time, also if the gateway starts again and again.
const DISK_PAUSE_MS: u64 = 3_600_000;

pub(super) struct Operations {
    store: Store,
    directory: Directory,
    disk: Arc<Disk>,
    clock: Clock,
    metrics: Metrics,
    registry: Arc<Registry>,
    sources: Arc<Sources>,
    notices: Notices,
    redaction: Redaction,
    /// A lane with more works is long.
    long: usize,
}

/// What was seen so far.
struct Seen {
    unwell: Unwell,
    silence: Silence,
    growth: Growth,
    was_low: bool,
    /// When to look at the secrets again.
    secrets: Moment,
}

impl Operations {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            store: parts.store.clone(),
            directory: parts.directory.clone(),
            disk: parts.disk.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            registry: parts.registry.clone(),
            sources: parts.sources.clone(),
            notices: parts.notices.clone(),
            redaction: parts.redaction.clone(),
            long: LONG,
        }
    }

    /// Raises events until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.follow() => (),
        }
    }

    async fn follow(&self) {
        let mut changes = self.directory.changes();
        // Whatever changed before this is looked at now.
        let mut number = *changes.borrow_and_update();
        let mut seen = self.nothing_seen();
        let mut due = self.clock.moment(PAUSE);
        let mut facts = self.changed(&mut seen, None);
        facts.extend(self.look(&mut seen));
        loop {
            self.raise(facts).await;
            facts = tokio::select! {
                changed = changes.changed() => {
                    // The sender is in the directory.
                    if changed.is_err() {
                        return;
                    }
                    let now = *changes.borrow_and_update();
                    let changed = self.directory.changed_since(number);
                    number = now;
                    self.changed(&mut seen, changed)
                }
                notice = self.notices.next() => vec![self.noticed(notice)],
                () = self.clock.comes(Some(due)) => {
                    due = self.clock.moment(PAUSE);
                    self.look(&mut seen)
                }
            };
        }
    }

    fn nothing_seen(&self) -> Seen {
        Seen {
            unwell: Unwell::default(),
            silence: Silence::default(),
            growth: Growth::default(),
            was_low: false,
            secrets: self.clock.moment(Duration::ZERO),
        }
    }

    /// What happened to these endpoints, or to all.
    fn changed(&self, seen: &mut Seen, keys: Option<Vec<Name>>) -> Vec<Fact> {
        let keys = keys.unwrap_or_else(|| {
            let mut keys = seen.unwell.keys();
            keys.extend(self.directory.all().iter().map(|listed| listed.endpoint.key.clone()));
            keys
        });
        let now = self.clock.now();
        let mut facts = Vec::new();
        for key in keys {
            let listed = self.directory.get(&key);
            let health = self.directory.health(&key);
            let is = listed.as_deref().map(|listed| (listed, &health));
            facts.extend(seen.unwell.look(&key, is, now));
        }
        facts
    }

    /// What tells nobody that it happened.
    fn look(&self, seen: &mut Seen) -> Vec<Fact> {
        let now = self.clock.now();
        // How endpoints fare is noted without a word.
        let mut keys = seen.unwell.keys();
        keys.extend(self.directory.warned());
        let mut facts = self.changed(seen, Some(keys));
        let accepted = |source: &Name| self.metrics.accepted(source);
        let silent = seen.silence.look(&self.sources.load(), self.clock.passed(), accepted);
        facts.extend(silent.into_iter().map(|silent| self.silent(silent)));
        let grown = seen.growth.look(self.store.lanes_longer_than(self.long));
        facts.extend(grown.into_iter().map(|lane| self.grown(lane)));
        let space = self.disk.space().filter(|space| space.is_low);
        if let Some(space) = space.filter(|_| !seen.was_low) {
            facts.push(self.low(space));
        }
        seen.was_low = space.is_some();
        if self.clock.has_come(seen.secrets) {
            seen.secrets = self.clock.moment(SECRETS_PAUSE);
            let listed = self.directory.all();
            facts.extend(listed.iter().flat_map(|listed| expiring(listed, now)));
        }
        facts
    }

    fn silent(&self, silent: Silent) -> Fact {
        let Silent { source, expected: Expected { requests, within }, came } = silent;
        let data = json!({
            "source": source,
            "expected": requests,
            "within_s": within.as_secs(),
            "accepted": came,
        });
        Fact::new("source.silent", source.as_str(), self.clock.now(), data)
    }

    fn grown(&self, (kind, group, works): (WorkKind, Name, usize)) -> Fact {
        let (kind, of) = match kind {
            WorkKind::Parse => ("parses", "source"),
            WorkKind::Run => ("runs", "handler"),
            WorkKind::Delivery => ("deliveries", "endpoint"),
        };
        let subject = format!("{kind}/{group}");
        let mut data = json!({ "waiting": works, "of": kind });
        data[of] = match self.directory.get(&group).filter(|_| of == "endpoint") {
            Some(listed) => json!(listed.endpoint.id),
            None => json!(group),
        };
        Fact::new("backlog.growing", &subject, self.clock.now(), data)
    }

    fn low(&self, space: Space) -> Fact {
        let now = self.clock.now();
        let data = json!({ "free_bytes": space.free, "mark_bytes": space.mark });
        let key = (now.0 / DISK_PAUSE_MS).to_string();
        Fact { key, ..Fact::new("disk.low", "disk", now, data) }
    }

    fn noticed(&self, notice: Notice) -> Fact {
        let now = self.clock.now();
        match notice {
            Notice::Failed { kind, name, digest, pause } => {
                let of = if kind == Kind::Receipt { "source" } else { "handler" };
                let plugins = self.registry.list();
                let plugin = plugins.iter().find(|plugin| plugin.digest() == digest);
                let mut data = json!({
                    "plugin": plugin.map(|plugin| plugin.name()),
                    "digest": digest,
                    "pause_s": pause.as_secs(),
                });
                data[of] = json!(name);
                Fact::new("plugin.failed", &format!("{of}/{name}"), now, data)
            }
            Notice::Reloaded { plugin, digest, before } => {
                let data = json!({ "plugin": plugin, "digest": digest, "digest_before": before });
                Fact::new("plugin.reloaded", &plugin, now, data)
            }
            Notice::Refused { plugin, running, reason } => {
                let reason = self.redaction.of_text(&reason).unwrap_or(reason);
                let data = json!({ "plugin": plugin, "running": running, "reason": reason });
                Fact::new("plugin.refused", &plugin, now, data)
            }
            Notice::Canary { plugin, digest, verdict, why } => {
                let data = json!({
                    "plugin": plugin, "digest": digest, "verdict": verdict, "reason": why,
                });
                Fact::new("plugin.canary", &plugin, now, data)
            }
        }
    }

    /// Stores the events of these for those who subscribe to them; while that can't be done, they
    /// wait.
    async fn raise(&self, facts: Vec<Fact>) {
        let events: Vec<NewEvent> = facts.iter().filter_map(|fact| self.routed(fact)).collect();
        while !events.is_empty() {
            match self.store.raise(events.clone()).await {
                Ok(_) => return,
                Err(store::Error::Unavailable(_)) => self.store.available().await,
                Err(error) => {
                    let why = chain(&error);
                    warn!("failed to store what happened to the gateway as events: {why}");
                    return;
                }
            }
        }
    }

    /// The event of a fact, if it goes anywhere.
    fn routed(&self, fact: &Fact) -> Option<NewEvent> {
        let event = fact.event()?;
        let tenant = fact.tenant.clone();
        let endpoints = self.directory.routes().routes_if(&event, tenant.as_ref(), |subscriber| {
            fact.not_to.as_ref() != Some(&subscriber.key)
        });
        if endpoints.is_empty() {
            return None;
        }
        let routes = Routes { handlers: Vec::new(), endpoints };
        // The store keeps a tenant only beside what may be emitted below it.
        let allowance = tenant.is_some().then_some(Allowance { events: 0, bytes: 0 });
        let (event, routes) = (event.into(), routes.into());
        Some(NewEvent { event, routes, allowance, tenant, trace: None })
    }
}
