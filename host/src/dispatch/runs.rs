//! Run and commit: one handler plugin's work on one event, and what it asks for.
//!
//! The effects of a run are committed together with its completion or not at all. Nothing here
//! delivers: an emitted event or a parcel is owed to an endpoint once it is committed.

use std::sync::Arc;
use std::time::Instant;

use tracing::{info, warn};

use super::{Dispatch, Grants, Rules};
use crate::effect::{Alert, Effect, Emission, LogLine, Severity};
use crate::event::{Event, Timestamp};
use crate::plugin::{CallFailed, HandleContext, StateReader};
use crate::retry::{Outcome, RetryPolicy, Verdict};
use crate::store::{self, Committed, NewEvent, PluginStamp, RunWork, Try, WorkKind};
use crate::worker::Work;

/// The type of the event that an alert becomes.
const ALERT_TYPE: &str = "hookgate.alert";

/// An event that came of an event that came of an event, and so on: no longer than this.
const DEPTH_MAX: u8 = 8;

/// The runs that are due.
#[derive(Debug, Clone)]
pub(crate) struct Runs(pub(crate) Arc<Dispatch>);

impl Work for Runs {
    type Item = RunWork;

    fn claim(&self, room: usize) -> Result<Vec<RunWork>, store::Error> {
        self.0.store.claim_runs(room, self.0.runs_per_handler)
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.0.store.ready(WorkKind::Run)
    }

    async fn perform(self, work: RunWork) -> Result<(), store::Error> {
        self.0.run(work).await
    }
}

/// How a run ended.
struct Ended<'a> {
    outcome: Outcome,
    policy: &'a RetryPolicy,
    effects: Vec<Effect>,
    plugin: Option<PluginStamp>,
    log: Vec<LogLine>,
}

impl Dispatch {
    async fn run(&self, work: RunWork) -> Result<(), store::Error> {
        let started = Instant::now();
        let at = self.clock.now();
        let rules = self.rules.load_full();
        let nothing = Grants::default();
        let grants = rules.handlers.get(&work.handler).unwrap_or(&nothing);
        let scope = work.event.event.subject.clone().unwrap_or_else(|| work.event.id.to_string());
        let ended = self.handled(&work, grants, &scope, at).await;
        let Ended { outcome, policy, effects, plugin, log } = ended;

        let tries_made = work.tries_made + 1;
        let verdict = policy.verdict(tries_made, &outcome, self.clock.now(), fastrand::f64());
        self.metrics.run(&work.handler, &outcome, started.elapsed());
        note_run(&work, &outcome, verdict, &log);
        let committed = self.committed(&rules, grants, &work, effects, scope, at);
        for alert in &committed.alerts {
            self.metrics.alert(&work.handler, alert.severity);
            warn!(run.id = %work.id, handler = %work.handler, severity = ?alert.severity,
                "alert: {}", alert.message);
        }
        let run = Try { at, duration: started.elapsed(), plugin, outcome, verdict, log };
        self.store.commit_run(work, run, committed).await
    }

    async fn handled(
        &self,
        work: &RunWork,
        grants: &Grants,
        scope: &str,
        now: Timestamp,
    ) -> Ended<'_> {
        let plugin = self.registry.get(&work.handler);
        let handler = plugin.as_ref().and_then(|plugin| Some((plugin, plugin.handler()?)));
        let Some((plugin, info)) = handler else {
            return Ended {
                outcome: Outcome::transient(format!("handler {} is not loaded", work.handler)),
                policy: &self.failures,
                effects: Vec::new(),
                plugin: None,
                log: Vec::new(),
            };
        };
        let stamp = Some(Self::stamp(plugin, &info.version));
        let context = HandleContext {
            source: work.event.event.source.to_string(),
            event_id: work.event.id.to_string(),
            run_id: work.id.to_string(),
            attempt: work.tries_made + 1,
            now,
        };
        let state = self.state_reader(work, scope);
        let event = &work.event.event;
        let handled =
            self.host.handle(plugin, &grants.settings, event, context, &grants.grant, state);
        match handled.await {
            Ok(handled) => {
                let (outcome, effects) = match handled.result {
                    Ok(effects) => too_deep(work, effects),
                    Err(failure) => (failure.into(), Vec::new()),
                };
                Ended { outcome, policy: &self.failures, effects, plugin: stamp, log: handled.log }
            }
            Err(CallFailed { error, log }) => {
                let (outcome, policy) = self.judge(&error);
                Ended { outcome, policy, effects: Vec::new(), plugin: stamp, log }
            }
        }
    }

    fn state_reader(&self, work: &RunWork, scope: &str) -> StateReader {
        let (store, handler, scope) = (self.store.clone(), work.handler.clone(), scope.to_owned());
        Arc::new(move |key: &str| {
            store.state(&handler, &scope, key).map_err(|error| error.to_string())
        })
    }

    /// What the run asked for, with where each emitted event goes.
    fn committed(
        &self,
        rules: &Rules,
        grants: &Grants,
        work: &RunWork,
        effects: Vec<Effect>,
        scope: String,
        now: Timestamp,
    ) -> Committed {
        let mut committed = Committed { scope, ..Committed::default() };
        let emit = |events: &mut Vec<NewEvent>, emission: Emission| {
            let routes = self.routes(rules, &emission.event_type, Some(&grants.grant));
            let event = emitted(work, events.len() + 1, emission, now);
            events.push(NewEvent { event, routes });
        };
        for effect in effects {
            match effect {
                Effect::Emit(emission) => emit(&mut committed.events, emission),
                Effect::Send(parcel) => committed.parcels.push(parcel),
                Effect::SetState { key, value } => committed.state.push((key, value)),
                Effect::Alert(alert) => {
                    emit(&mut committed.events, alert_emission(work, &alert));
                    committed.alerts.push(alert);
                }
            }
        }
        committed
    }
}

/// An event that a run adds: its id is the same on every try.
fn emitted(work: &RunWork, number: usize, emission: Emission, now: Timestamp) -> Event {
    Event {
        source: work.handler.clone(),
        id: format!("{}.{number}", work.id),
        event_type: emission.event_type,
        subject: emission.subject,
        time: now,
        money: emission.money,
        labels: emission.labels,
        data: emission.data,
    }
}

fn alert_emission(work: &RunWork, alert: &Alert) -> Emission {
    let severity = match alert.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let data = serde_json::json!({
        "severity": severity,
        "message": alert.message,
        "event": work.event.id,
        "run": work.id,
    });
    Emission {
        event_type: ALERT_TYPE.to_owned(),
        subject: work.event.event.subject.clone(),
        money: None,
        labels: vec![("severity".to_owned(), severity.to_owned())],
        data: data.to_string(),
    }
}

/// Handlers that answer each other's events would never end.
fn too_deep(work: &RunWork, effects: Vec<Effect>) -> (Outcome, Vec<Effect>) {
    let adds = |effect: &Effect| matches!(effect, Effect::Emit(_) | Effect::Alert(_));
    if work.event.depth >= DEPTH_MAX && effects.iter().any(adds) {
        let reason = format!("the chain of emitted events is longer than {DEPTH_MAX}");
        return (Outcome::permanent(reason), Vec::new());
    }
    (Outcome::Success, effects)
}

fn note_run(work: &RunWork, outcome: &Outcome, verdict: Verdict, log: &[LogLine]) {
    let (run, event, handler) = (work.id, work.event.id, &work.handler);
    for line in log {
        info!(run.id = %run, event.id = %event, %handler, level = ?line.level, "{}", line.message);
    }
    let Some(reason) = outcome.reason() else { return };
    if verdict == Verdict::Dead {
        warn!(run.id = %run, event.id = %event, %handler, "run is a dead letter: {reason}");
    } else {
        info!(run.id = %run, event.id = %event, %handler, "run failed: {reason}");
    }
}
