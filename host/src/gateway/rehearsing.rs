//! The desk at which operators have stored work run again by another version of a plugin: one
//! rehearsal at a time, on a thread of its own.
//!
//! A rehearsal goes by the configuration as it is when it begins. The reports of the last few stay
//! in memory. A stop ends it with its calls, and waits only until it no longer reads the store.
//! Never puts a plugin in place, and keeps no file.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Parts;
use super::staging::{load_version, memory_limit, roles, stage};
use crate::admin::{Begun, NewRehearsal, Place, RehearsalRow, Rehearses, Taken};
use crate::causes::chain;
use crate::clock::Clock;
use crate::config::Config;
use crate::directory::Directory;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::{Host, Role};
use crate::priority::yield_to_others;
use crate::rehearsal::{self, Ask, Progress, Report, rehearse};
use crate::secrets::Redaction;
use crate::store::Store;

/// Most rehearsals that are kept.
const KEPT_MAX: usize = 8;

/// Why one failed that did not come to an end of its own.
const BROKE_OFF: &str = "the gateway failed over the rehearsal; its log says more";

/// How far a rehearsal is in each of a plugin's roles.
type Progresses = Arc<[Progress; 2]>;

/// Where rehearsals are made. Clones are the same desk.
#[derive(Debug, Clone)]
pub(super) struct Desk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    host: Host,
    store: Store,
    directory: Directory,
    redaction: Redaction,
    config: Arc<ArcSwap<Config>>,
    clock: Clock,
    slot: Mutex<Slot>,
    /// Whether one reads the store.
    reading: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Whether somebody has the place: a rehearsal, or a file that is on its way.
    is_taken: bool,
    /// Whether the gateway stops.
    is_closed: bool,
    /// Newest first. Only the newest may go on.
    kept: VecDeque<Kept>,
}

impl Slot {
    /// The rehearsal that goes on.
    fn running(&mut self) -> Option<&mut Kept> {
        self.kept.front_mut().filter(|kept| kept.end.is_none())
    }

    fn find(&self, id: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.id == id)
    }

    /// Keeps one that begins, and the last before it.
    fn keep(&mut self, kept: Kept) {
        self.kept.push_front(kept);
        self.kept.truncate(KEPT_MAX);
    }

    /// Forgets those that have ended.
    fn forget(&mut self) {
        self.kept.retain(|kept| kept.end.is_none());
    }
}

/// One of the last rehearsals.
#[derive(Debug)]
struct Kept {
    id: String,
    plugin: Name,
    began: Timestamp,
    memory_limit_bytes: u64,
    progress: Progresses,
    /// How it ended, once it has.
    end: Option<End>,
}

/// How a rehearsal ended.
#[derive(Debug)]
enum End {
    Done(Vec<Report>),
    Canceled,
    Failed(String),
}

impl Kept {
    /// All of it but the reports.
    fn outline(&self) -> RehearsalRow {
        let state = match &self.end {
            None => "running",
            Some(End::Done(_)) => "done",
            Some(End::Canceled) => "canceled",
            Some(End::Failed(_)) => "failed",
        };
        let sum = |of: fn(&Progress) -> u64| -> u64 { self.progress.iter().map(of).sum() };
        RehearsalRow {
            id: self.id.clone(),
            plugin: self.plugin.clone(),
            began: self.began,
            state,
            done: sum(Progress::done),
            of: sum(Progress::of),
            memory_limit_bytes: self.memory_limit_bytes,
            reason: match &self.end {
                Some(End::Failed(reason)) => Some(reason.clone()),
                _ => None,
            },
            reports: Vec::new(),
        }
    }

    fn row(&self) -> RehearsalRow {
        let reports = match &self.end {
            Some(End::Done(reports)) => reports.clone(),
            _ => Vec::new(),
        };
        RehearsalRow { reports, ..self.outline() }
    }

    fn cancel(&self) {
        self.progress.iter().for_each(Progress::cancel);
    }
}

impl Desk {
    /// Of a gateway with this configuration.
    pub(super) fn of(parts: &Parts, config: Arc<ArcSwap<Config>>) -> Self {
        Self(Arc::new(Shared {
            host: parts.host.clone(),
            store: parts.store.clone(),
            directory: parts.directory.clone(),
            redaction: parts.redaction.clone(),
            config,
            clock: parts.clock.clone(),
            slot: Mutex::default(),
            reading: watch::Sender::new(false),
        }))
    }

    /// Ends what goes on when the gateway stops, and waits until it no longer reads the store.
    pub(super) async fn closed(self, cancel: CancellationToken) {
        cancel.cancelled().await;
        self.close();
        let mut reading = self.0.reading.subscribe();
        // The sender is here.
        drop(reading.wait_for(|reads| !reads).await);
    }

    /// Forgets the rehearsals that have ended: their reports quote events.
    pub(super) fn forget(&self) {
        lock(&self.0.slot).forget();
    }

    fn close(&self) {
        let mut slot = lock(&self.0.slot);
        slot.is_closed = true;
        slot.kept.iter().for_each(Kept::cancel);
    }
}

impl Rehearses for Desk {
    fn place(&self) -> Result<Place, Taken> {
        let mut slot = lock(&self.0.slot);
        if slot.is_taken {
            return Err(Taken { by: slot.running().map(|kept| kept.id.clone()) });
        }
        slot.is_taken = true;
        let held = Held { desk: Arc::clone(&self.0), end: None };
        Ok(Box::new(move |new: NewRehearsal| held.begin(new)))
    }

    fn list(&self) -> Vec<RehearsalRow> {
        lock(&self.0.slot).kept.iter().map(Kept::outline).collect()
    }

    fn shown(&self, id: &str) -> Option<RehearsalRow> {
        lock(&self.0.slot).find(id).map(Kept::row)
    }

    fn end(&self, id: &str) -> Option<RehearsalRow> {
        let slot = lock(&self.0.slot);
        let kept = slot.find(id)?;
        kept.cancel();
        Some(kept.row())
    }
}

/// The place of the one rehearsal, which is free again once this is dropped.
struct Held {
    desk: Arc<Shared>,
    end: Option<End>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut slot = lock(&self.desk.slot);
        slot.is_taken = false;
        if let Some(kept) = slot.running() {
            let end = self.end.take();
            kept.end = Some(end.unwrap_or_else(|| End::Failed(BROKE_OFF.to_owned())));
        }
    }
}

impl Held {
    /// Begins, on a thread of its own.
    fn begin(self, new: NewRehearsal) -> Begun {
        let id = format!("rhs_{:016x}", fastrand::u64(..));
        let config = self.desk.config.load_full();
        let progress = Progresses::default();
        lock(&self.desk.slot).keep(Kept {
            id: id.clone(),
            plugin: new.plugin.clone(),
            began: self.desk.clock.now(),
            memory_limit_bytes: memory_limit(&config, &new.plugin),
            progress: Arc::clone(&progress),
            end: None,
        });
        let (tell, loaded) = oneshot::channel();
        let runtime = Handle::current();
        let make = move || self.make(new, (&config, &progress), tell, &runtime);
        if let Err(error) = thread::Builder::new().name("rehearsing".to_owned()).spawn(make) {
            error!("failed to start a thread for a rehearsal: {error}");
        }
        Begun { id, loaded }
    }

    /// Loads the file, tells whoever sent it what became of that, and rehearses.
    fn make(
        mut self,
        new: NewRehearsal,
        (config, progress): (&Config, &Progresses),
        tell: oneshot::Sender<Result<String, String>>,
        runtime: &Handle,
    ) {
        yield_to_others();
        let NewRehearsal { plugin, file, signature, source, event_type, since, until, limit } = new;
        let version = (&plugin, &*file);
        let plugin = match load_version(&self.desk.host, config, version, signature.as_deref()) {
            Ok(plugin) => plugin,
            Err(error) => {
                let why = chain(&error);
                self.end = Some(End::Failed(why.clone()));
                // Who learns of it may send another file at once.
                drop(self);
                drop(tell.send(Err(why)));
                return;
            }
        };
        drop(file);
        // Who sent it may be gone.
        drop(tell.send(Ok(plugin.digest().to_owned())));
        let role = Role::Handler;
        let ask = Ask { plugin, role, source, event_type, since, until, limit };
        self.end = Some(self.rehearsed(&ask, (config, progress), runtime));
    }

    fn rehearsed(
        &self,
        ask: &Ask,
        (config, progress): (&Config, &Progresses),
        runtime: &Handle,
    ) -> End {
        let Some(_reading) = self.desk.read() else { return End::Canceled };
        let Shared { host, store, directory, redaction, .. } = &*self.desk;
        let stage = stage(host, config, ask.plugin.name(), (directory, redaction));
        let mut reports = Vec::new();
        for (role, progress) in roles(&ask.plugin).into_iter().zip(&**progress) {
            let ask = Ask { role, ..ask.clone() };
            let past = runtime.block_on(store.past()).map_err(rehearsal::Error::from);
            match past.and_then(|past| rehearse(past, &stage, &ask, progress)) {
                Ok(report) => reports.push(report),
                Err(rehearsal::Error::Cancelled) => return End::Canceled,
                Err(error) => return End::Failed(chain(&error)),
            }
        }
        End::Done(reports)
    }
}

impl Shared {
    /// Notes that somebody reads the store, if the gateway does not stop.
    fn read(&self) -> Option<Reading<'_>> {
        let slot = lock(&self.slot);
        if slot.is_closed {
            return None;
        }
        self.reading.send_replace(true);
        Some(Reading(&self.reading))
    }
}

/// Somebody reads the store, until this is dropped.
struct Reading<'d>(&'d watch::Sender<bool>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the bound of `Slot::keep`: a report may have a megabyte.
    #[test]
    fn the_last_few_are_kept_newest_first_and_one_of_them_may_go_on() {
        let mut slot = Slot::default();
        let mut ids = Vec::new();
        for number in 0..KEPT_MAX + 3 {
            if let Some(before) = slot.running() {
                before.end = Some(End::Canceled);
            }
            let id = format!("rhs_{number}");
            ids.insert(0, id.clone());
            slot.keep(Kept {
                id,
                plugin: "dunning".parse().unwrap(),
                began: Timestamp(0),
                memory_limit_bytes: 0,
                progress: Progresses::default(),
                end: None,
            });
        }
        let kept: Vec<_> = slot.kept.iter().map(|kept| kept.id.as_str()).collect();
        assert_eq!(kept, ids[..KEPT_MAX]);
        assert_eq!(slot.running().map(|kept| kept.id.clone()), Some(ids[0].clone()));
        assert!(slot.find("rhs_0").is_none() && slot.find(&ids[1]).is_some());
        slot.forget();
        let kept: Vec<_> = slot.kept.iter().map(|kept| kept.id.as_str()).collect();
        assert_eq!(kept, ids[..1], "the one that goes on");
    }
}
