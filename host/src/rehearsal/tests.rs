//! Rehearsals of the guest of `tests/guest`, over what it did in a real store.

mod handling;
mod providing;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::effect::{Allowance, Asked, Effect, LogLine};
use crate::event::{Event, Request, Timestamp};
use crate::ids::Name;
use crate::plugin::{
    Called, Compiler, Config, Doors, Grant, HandleContext, Host, Plugin, StateReader,
};
use crate::provider::Proven;
use crate::retry::{Outcome, Verdict};
use crate::secrets::{Redaction, Secret};
use crate::store::{
    Appended, Effects, NewEvent, NewReceipt, PluginStamp, Routes, RunWork, Store, Try,
};
use crate::tenant::Tenant;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// A store and the guest, which does what the data of an event or the body of a request say.
struct Bench {
    folder: TempDir,
    clock: Clock,
    store: Store,
    host: Host,
    plugin: Arc<Plugin>,
}

impl Bench {
    fn new() -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        // Shared by all tests, so that each file is compiled once.
        let cache = repository.join("target/test-compiled");
        let host = Host::new(Config::new(Compiler::InProcess, Some(cache))).unwrap();
        let file = repository.join("target/test-plugins/guest.wasm");
        let file = fs::read(file).expect("`make test` builds it");
        let plugin = host.load(name("guest"), &file).unwrap();
        let (folder, clock) = (TempDir::new().unwrap(), Clock::manual(NOW));
        let store = opened(&folder, &clock);
        Self { folder, clock, store, host, plugin }
    }

    /// Closes the store and opens it again.
    async fn restart(self) -> Self {
        let Self { folder, clock, store, host, plugin } = self;
        store.close().await.unwrap();
        let store = opened(&folder, &clock);
        Self { folder, clock, store, host, plugin }
    }

    fn stamp(&self) -> PluginStamp {
        PluginStamp::new(self.plugin.name(), "1", self.plugin.digest())
    }

    fn tried(&self, outcome: Outcome, log: Vec<LogLine>) -> Try {
        let verdict = if outcome == Outcome::Success { Verdict::Done } else { Verdict::Dead };
        let (at, duration, plugin) =
            (self.clock.now(), Duration::from_micros(7), Some(self.stamp()));
        Try { at, duration, plugin, outcome, verdict, log, reason: None }
    }

    /// Stores a request with this body, and this token in it.
    async fn append(&self, body: &Value, token: &str, event_ids: Vec<String>) -> Id {
        let request = Request {
            method: "POST".to_owned(),
            url: "/in/shop".to_owned(),
            headers: [("x-token", token)].into_iter().collect(),
            body: body.to_string().into(),
            received_at: self.clock.now(),
        };
        let receipt = NewReceipt {
            source: name("shop"),
            request: Arc::new(request),
            event_ids,
            proven: Some(Proven::Weak),
            plugin: None,
            trace: None,
        };
        match self.store.append(receipt).await.unwrap() {
            Appended::Stored(id) => id,
            Appended::Duplicate(id) => panic!("{id} is a duplicate"),
        }
    }

    /// Brings events about these subjects to the guest, each with what it is to do.
    async fn bring(&self, commands: &[(String, Value)]) {
        let base = self.store.stats().end;
        let event = |(number, (subject, command)): (usize, &(String, Value))| Event {
            source: name("shop"),
            id: format!("{base}-{number}"),
            event_type: "guest.asked".to_owned(),
            subject: Some(subject.clone()),
            time: self.clock.now(),
            money: None,
            labels: Vec::new(),
            data: command.clone().into(),
        };
        let routes = Arc::new(Routes { handlers: vec![name("guest")], endpoints: Vec::new() });
        let new = |event: Event| NewEvent {
            event: Arc::new(event),
            routes: Arc::clone(&routes),
            allowance: None,
            tenant: None,
            trace: None,
        };
        let events: Vec<_> = commands.iter().enumerate().map(event).map(new).collect();
        let ids = events.iter().map(|new| new.event.id.clone()).collect();
        self.append(&json!({}), "sesame", ids).await;
        let parse = self.store.take_parses(1, usize::MAX).await.unwrap().pop().unwrap();
        let tried = self.tried(Outcome::Success, Vec::new());
        self.store.commit_parse(parse, tried, events).await.unwrap().unwrap();
    }

    /// Has the guest make all runs that are due, and records what it asks for, as `spoil` leaves
    /// that by the number of the run.
    async fn run_all(&self, mut spoil: impl FnMut(usize, &mut Effects)) {
        let mut number = 0;
        loop {
            let runs = self.store.take_runs(usize::MAX, usize::MAX).await.unwrap();
            if runs.is_empty() {
                return;
            }
            for run in runs {
                let Called { ended, log, .. } = self.handled(&run).await;
                let (outcome, asked) = match ended {
                    Ok(Ok(asked)) => (Outcome::Success, asked),
                    Ok(Err(failure)) => (failure, Asked::default()),
                    Err(error) => (Outcome::transient(error.to_string()), Asked::default()),
                };
                let mut effects = effects(&run, asked);
                spoil(number, &mut effects);
                let tried = self.tried(outcome, log);
                self.store.commit_run(run, tried, effects).await.unwrap().unwrap();
                number += 1;
            }
        }
    }

    async fn handled(&self, run: &RunWork) -> Called<Result<Asked, Outcome>> {
        let context = HandleContext {
            source: run.event.event.source.to_string(),
            event_id: run.event.id.to_string(),
            run_id: run.id.to_string(),
            attempt: run.tries_made + 1,
            now: self.clock.now(),
            replay_by: run.is_replay.then(|| "operator".to_owned()),
            tenant: None,
        };
        let Stage { settings, grant, endpoints, .. } = self.stage();
        let state: StateReader = {
            let (store, scope) = (self.store.clone(), scope(run));
            Arc::new(move |key: &str| {
                let value = store.state(&name("guest"), &scope, key);
                value.map_err(|error| error.to_string())
            })
        };
        let doors = Doors { state, endpoints };
        self.host.handle(&self.plugin, &settings, &run.event.event, context, &grant, doors).await
    }

    /// Where the operator has every endpoint, and the guest may send to one; `shop` is its source.
    fn stage(&self) -> Stage {
        let endpoints =
            |tenant: Option<&Tenant>, name: &Name| tenant.is_none().then(|| name.clone());
        let secrets: Arc<[Secret]> = [Secret::new("sesame").unwrap()].into();
        let redaction = Redaction::default();
        redaction.learn(&*secrets);
        let shop = SourceSetup {
            settings: "{}".into(),
            secrets,
            tolerance: None,
            is_unverified: false,
            is_redacted: false,
        };
        Stage {
            host: self.host.clone(),
            settings: "{}".into(),
            grant: Arc::new(Grant { endpoints: [name("crm")].into(), ..Grant::default() }),
            endpoints: Arc::new(endpoints),
            state_term: None,
            redaction,
            sources: [(name("shop"), shop)].into(),
        }
    }

    fn ask(&self, role: Role) -> Ask {
        Ask {
            plugin: Arc::clone(&self.plugin),
            role,
            source: None,
            event_type: None,
            since: None,
            until: None,
            limit: u64::MAX,
        }
    }

    /// What a rehearsal of this role over the running store says, but for the times.
    async fn report(&self, role: Role) -> Report {
        self.report_of(&self.ask(role)).await
    }

    async fn report_of(&self, ask: &Ask) -> Report {
        let past = self.store.past().await.unwrap();
        timeless(rehearse(past, &self.stage(), ask, &Progress::default()).unwrap())
    }
}

fn opened(folder: &TempDir, clock: &Clock) -> Store {
    let config = store::Config { company: Duration::ZERO, ..store::Config::at(folder.path()) };
    Store::open(&config, clock.clone()).unwrap()
}

/// The same without what differs from one rehearsal to the next.
fn timeless(report: Report) -> Report {
    assert!(report.measured.is_some() || report.compared == 0);
    Report { measured: None, ..report }
}

/// The groups in short: their kinds, their fields and how often.
fn groups(report: &Report) -> Vec<(&str, &str, u64)> {
    report.groups.iter().map(|it| (it.kind.as_str(), it.field.as_str(), it.count)).collect()
}

fn scope(run: &RunWork) -> String {
    run.event.event.subject.clone().unwrap_or_else(|| run.event.id.to_string())
}

/// What a run asks for, as the gateway commits it.
fn effects(run: &RunWork, asked: Asked) -> Effects {
    let scope = scope(run);
    let mut effects = Effects { scope, state_read: asked.state_read, ..Effects::default() };
    for effect in asked.effects {
        match effect {
            Effect::Emit(emission) => {
                let event = Event {
                    source: run.handler.clone(),
                    id: format!("{}.{}", run.id, effects.events.len() + 1),
                    event_type: emission.event_type,
                    subject: emission.subject,
                    time: NOW,
                    money: emission.money,
                    labels: emission.labels,
                    data: emission.data,
                };
                effects.events.push(NewEvent {
                    event: Arc::new(event),
                    routes: Arc::default(),
                    allowance: Some(Allowance { events: 1, bytes: 1 }),
                    tenant: emission.tenant,
                    trace: None,
                });
            }
            Effect::Send(parcel) => effects.parcels.push(parcel),
            Effect::Alert(alert) => effects.alerts.push(alert),
            Effect::SetState { key, value } => effects.state.push((key, value)),
        }
    }
    effects
}
