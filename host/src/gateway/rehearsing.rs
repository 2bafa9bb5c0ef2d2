//! The desk at which operators have stored work run again by another version of a plugin: one
//! rehearsal at a time, on a thread of its own.
//!
//! A rehearsal goes by the configuration as it is when it begins. The report of the last one stays
//! in memory until the next begins. A stop ends it with its calls, and waits only until it no
//! longer reads the store. Never puts a plugin in place, and keeps no file.

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
use crate::config::Config;
use crate::directory::Directory;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::{Host, Role};
use crate::priority::yield_to_others;
use crate::rehearsal::{self, Ask, Progress, Report, rehearse};
use crate::secrets::Redaction;
use crate::store::Store;

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
    last: Option<Last>,
}

/// The last rehearsal.
#[derive(Debug)]
struct Last {
    id: String,
    plugin: Name,
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

impl Last {
    fn row(&self) -> RehearsalRow {
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
            state,
            done: sum(Progress::done),
            of: sum(Progress::of),
            memory_limit_bytes: self.memory_limit_bytes,
            reason: match &self.end {
                Some(End::Failed(reason)) => Some(reason.clone()),
                _ => None,
            },
            reports: match &self.end {
                Some(End::Done(reports)) => reports.clone(),
                _ => Vec::new(),
            },
        }
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

    fn close(&self) {
        let mut slot = lock(&self.0.slot);
        slot.is_closed = true;
        slot.last.iter().for_each(Last::cancel);
    }
}

impl Rehearses for Desk {
    fn place(&self) -> Result<Place, Taken> {
        let mut slot = lock(&self.0.slot);
        if slot.is_taken {
            let running = slot.last.as_ref().filter(|last| last.end.is_none());
            return Err(Taken { by: running.map(|last| last.id.clone()) });
        }
        slot.is_taken = true;
        let held = Held { desk: Arc::clone(&self.0), end: None };
        Ok(Box::new(move |new: NewRehearsal| held.begin(new)))
    }

    fn shown(&self, id: &str) -> Option<RehearsalRow> {
        let slot = lock(&self.0.slot);
        slot.last.as_ref().filter(|last| last.id == id).map(Last::row)
    }

    fn end(&self, id: &str) -> Option<RehearsalRow> {
        let slot = lock(&self.0.slot);
        let last = slot.last.as_ref().filter(|last| last.id == id)?;
        last.cancel();
        Some(last.row())
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
        if let Some(last) = slot.last.as_mut().filter(|last| last.end.is_none()) {
            let end = self.end.take();
            last.end = Some(end.unwrap_or_else(|| End::Failed(BROKE_OFF.to_owned())));
        }
    }
}

impl Held {
    /// Begins, on a thread of its own.
    fn begin(self, new: NewRehearsal) -> Begun {
        let id = format!("rhs_{:016x}", fastrand::u64(..));
        let config = self.desk.config.load_full();
        let progress = Progresses::default();
        lock(&self.desk.slot).last = Some(Last {
            id: id.clone(),
            plugin: new.plugin.clone(),
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
        let NewRehearsal { plugin: name, file, signature, source, event_type, since, until, limit } =
            new;
        let version = (&name, &*file);
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
