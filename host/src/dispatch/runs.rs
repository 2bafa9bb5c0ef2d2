//! Run and commit: one handler plugin's work on one event, and what it asks for.
//!
//! The effects of a run are committed together with its completion or not at all. Nothing here
//! delivers: an emitted event or a parcel is owed to an endpoint once it is committed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use super::breaker::Call;
use super::canaries::Sample;
use super::emitted::{self, Wishes};
use super::traced::Traced;
use super::{Dispatch, Ended, Grants, Rules, fair_limit, plugin_says};
use crate::effect::{Alert, Emission, LogLevel, LogLine};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, Name};
use crate::metrics::{Cause, Timed};
use crate::plugin::{Doors, EndpointFinder, HandleContext, Plugin, StateReader};
use crate::retry::{Outcome, Verdict};
use crate::store::{
    self, Effects, NewEvent, PluginStamp, RunRefused, RunWork, StateFull, Try, WorkKind,
};
use crate::telemetry::Step;
use crate::tenant::Tenant;
use crate::trace_context::{TraceContext, log_fields};
use crate::worker::{Slot, Work, committed, judge, on_disk};

/// Who asks for a run again: the admin API knows no names.
const OPERATOR: &str = "operator";

/// The runs that are due.
#[derive(Debug, Clone)]
pub(crate) struct Runs(pub(crate) Arc<Dispatch>);

impl Work for Runs {
    type Item = RunWork;

    fn take(&self, room: usize) -> impl Future<Output = Result<Vec<RunWork>, store::Error>> + Send {
        let dispatch = &self.0;
        dispatch.store.take_runs_by(room, &|handler| {
            // As they are in here: whoever changes them has all of it asked again behind that.
            let rules = dispatch.rules.load();
            let own = rules.concurrency(handler);
            let most = fair_limit(own.unwrap_or(dispatch.runs_per_handler), room);
            if dispatch.missing_of_handler(&rules, handler).is_some() {
                return if dispatch.has_excess(&rules, handler) { most } else { 0 };
            }
            let digest = || Some(dispatch.registry.get(handler)?.digest().to_owned());
            dispatch.run_breakers.limit(handler, digest, most)
        })
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.0.ready(WorkKind::Run, &self.0.run_breakers)
    }

    fn id(work: &RunWork) -> Id {
        work.id
    }

    fn settled(&self) -> impl Future<Output = ()> + Send {
        self.0.store.settled(WorkKind::Run)
    }

    async fn perform(self, work: RunWork, slot: Slot) -> Result<(), store::Error> {
        self.0.run(work, slot).await
    }

    async fn crash(self, work: RunWork, reason: String, slot: Slot) -> Result<(), store::Error> {
        let began = (self.0.clock.now(), Instant::now());
        let ended = self.0.panicked(reason);
        self.0.commit_run(work, ended, &Rules::default(), began, slot).await
    }
}

impl Dispatch {
    async fn run(&self, work: RunWork, slot: Slot) -> Result<(), store::Error> {
        let began = (self.clock.now(), Instant::now());
        let rules = self.rules.load_full();
        let nothing = Grants::default();
        let grants = rules.handlers.get(&work.handler).unwrap_or(&nothing);
        let ended = match rules.stopped_handlers.contains_key(&work.handler) {
            true => None,
            false => self.handled(&work, &rules, grants, began.0).await,
        };
        let ended = match ended {
            None if self.has_excess(&rules, &work.handler) => self.ended_as_excess(&work.handler),
            ended => ended,
        };
        // Its handler went since it was taken: it goes back untried, and waits there.
        let Some(ended) = ended else { return Ok(()) };
        self.commit_run(work, ended, &rules, began, slot).await
    }

    async fn commit_run(
        &self,
        work: RunWork,
        ended: Ended<'_, Wishes>,
        rules: &Rules,
        (at, started): (Timestamp, Instant),
        mut slot: Slot,
    ) -> Result<(), store::Error> {
        let verdict = judge(&self.clock, ended.policy, work.tries_made, &ended.outcome);
        let step = self.step_of_run(&work, at);
        say(&work, &ended.log, step.map(|step| step.context));
        let Ended { outcome, cause, reason, asked, plugin, log, .. } = ended;
        let effects = self.effects(rules, &work, asked, (at, step));
        let asked_for = effects.events.len() + effects.parcels.len() + effects.alerts.len();
        let sample = self.canaries.sample(&work, plugin.as_ref(), asked_for);
        let traced = Traced::of(step, &work, plugin.as_ref(), &effects);
        let (id, event, handler) = (work.id, work.event.id, work.handler.clone());
        let told = Told { id, event, handler, sample, traced };
        let duration = started.elapsed();
        // There nearly always is room, and then it stays: the metrics count the run before anybody
        // can see that it is committed, and once.
        let room = self.store.promise_room(&work.handler, &effects);
        let fits = room.is_some();
        let alerts = if fits { Vec::new() } else { effects.alerts.clone() };
        if fits {
            self.tell_run(&told, (&outcome, cause), verdict, duration);
            self.tell_alerts(&told, &effects.alerts);
        }
        let run = Try { at, duration, plugin, outcome, verdict, log, reason };
        let committing = match room {
            // Nothing follows here from its commit, unless it keeps its slot until then.
            Some(room) => self.store.leave_run(work, run, effects, room).await?,
            None => Some(self.store.queue_run(work, run, effects).await?),
        };
        let Some(committing) = committing else { return Ok(()) };
        match on_disk(committing, &mut slot).await? {
            Err(RunRefused::StateFull(full)) => self.commit_full(&told, *full).await?,
            held => {
                if !fits && held.is_ok() {
                    self.tell_run(&told, (&Outcome::Success, None), Verdict::Done, duration);
                    self.tell_alerts(&told, &alerts);
                }
                committed(told.id, &held);
            }
        }
        Ok(())
    }

    /// A run that its handler has no room for failed: there may be room later, for what is kept has
    /// a term, or the operator allows more.
    async fn commit_full(&self, told: &Told, full: StateFull) -> Result<(), store::Error> {
        let StateFull { work, report, reason } = full;
        let outcome = Outcome::transient(reason);
        let verdict = judge(&self.clock, &self.failures, work.tries_made, &outcome);
        self.tell_run(told, (&outcome, Some(Cause::Limit)), verdict, report.duration);
        let run = Try { outcome, verdict, reason: Some(Reason::PluginFailed), ..report };
        committed(told.id, &self.store.commit_run(work, run, Effects::default()).await?);
        Ok(())
    }

    fn tell_run(
        &self,
        told: &Told,
        (outcome, cause): (&Outcome, Option<Cause>),
        verdict: Verdict,
        duration: Duration,
    ) {
        let Told { id, event, handler, sample, traced } = told;
        let time = Timed::of(duration, told.trace(), &self.clock);
        self.metrics.run(handler, outcome, cause, time);
        self.run_ended(traced.as_ref(), handler, (outcome, cause), duration);
        if let Some(sample) = *sample {
            let ended = (cause, duration, self.clock.now());
            if let Some((version, failed)) = self.canaries.ended(handler, sample, ended) {
                self.metrics.canary_run(handler, version, failed);
            }
        }
        let Some(reason) = outcome.reason() else { return };
        let what = if verdict == Verdict::Dead { "run is a dead letter" } else { "run failed" };
        let (trace_id, span_id) = log_fields(told.trace());
        warn!(run.id = %id, event.id = %event, plugin.name = %handler, trace_id, span_id,
            "{what}: {reason}");
    }

    fn tell_alerts(&self, told: &Told, alerts: &[Alert]) {
        let Told { id, event, handler, .. } = told;
        let (trace_id, span_id) = log_fields(told.trace());
        for alert in alerts {
            self.metrics.alert(handler, alert.severity);
            warn!(run.id = %id, event.id = %event, plugin.name = %handler,
                severity = ?alert.severity, trace_id, span_id, "alert: {}", alert.message);
        }
    }

    /// The version of its handler that a run gets, and whether that is the next one; `None` if the
    /// handler is not loaded.
    fn version_for(&self, rules: &Rules, work: &RunWork) -> Option<(Arc<Plugin>, bool)> {
        let (live, next) = self.registry.versions(&work.handler)?;
        // Of a live version that handles nothing there is no next one either.
        live.handler()?;
        let takes = |next: &Arc<Plugin>| self.canaries.takes(next, rules, work, &scope(work));
        match next.filter(takes) {
            Some(next) => Some((next, true)),
            None => Some((live, false)),
        }
    }

    /// Nothing if the handler is not there.
    async fn handled(
        &self,
        work: &RunWork,
        rules: &Rules,
        grants: &Grants,
        now: Timestamp,
    ) -> Option<Ended<'_, Wishes>> {
        let (plugin, is_next) = &self.version_for(rules, work)?;
        let info = plugin.handler()?;
        let stamp = PluginStamp::new(plugin.name(), &info.version, plugin.digest());
        let context = HandleContext {
            source: work.event.event.source.to_string(),
            event_id: work.event.id.to_string(),
            run_id: work.id.to_string(),
            attempt: work.tries_made + 1,
            now,
            replay_by: work.is_replay.then(|| OPERATOR.to_owned()),
            tenant: work.event.tenant.clone(),
        };
        let doors = Doors { state: self.state_reader(work), endpoints: self.finder() };
        let event = &work.event.event;
        let Grants { grant, settings, .. } = grants;
        let handled = self.host.handle(plugin, settings, event, context, grant, doors).await;
        // A canary that breaks is dropped, and must not pause the live version.
        if let Some(call) = Call::of(&handled.ended).filter(|_| !is_next) {
            self.run_breakers.ended(&work.handler, plugin.digest(), call);
        }
        Some(self.judged(WorkKind::Run, handled, stamp, |asked| {
            let wishes = Wishes::of(work, asked, self.allowance);
            wishes.map_err(|reason| (Outcome::permanent(reason), Cause::Limit))
        }))
    }

    fn state_reader(&self, work: &RunWork) -> StateReader {
        let store = self.store.clone();
        let handler = work.handler.clone();
        let scope = scope(work);
        Arc::new(move |key: &str| {
            store.state(&handler, &scope, key).map_err(|error| error.to_string())
        })
    }

    /// Finds the endpoints that there are when it is asked.
    fn finder(&self) -> EndpointFinder {
        let directory = self.directory.clone();
        Arc::new(move |tenant: Option<&Tenant>, name: &Name| {
            directory.routes().named(tenant, name).cloned()
        })
    }

    /// What the run asked for, with where each emitted event goes.
    fn effects(
        &self,
        rules: &Rules,
        work: &RunWork,
        wishes: Wishes,
        (now, step): (Timestamp, Option<Step>),
    ) -> Effects {
        let Wishes { emissions, parcels, alerts, state, state_read, left: allowance } = wishes;
        let nothing = Grants::default();
        let grant = &rules.handlers.get(&work.handler).unwrap_or(&nothing).grant;
        let emit = |(number, emission): (_, Emission)| {
            let tenant = emission.tenant.clone();
            let event = emitted::event(work, number, emission, now);
            let routes = self.routes(&event, tenant.as_ref(), Some((&work.handler, grant)));
            let (event, routes) = (Arc::new(event), Arc::new(routes));
            let trace = step.map(|step| step.makes(number as u64).context);
            NewEvent { event, routes, allowance, tenant, trace }
        };
        let events = (1..).zip(emissions).map(emit).collect();
        let trace = step.map(|step| step.context);
        Effects { events, parcels, alerts, state, state_read, scope: scope(work), trace }
    }
}

/// Whose state a run reads and writes: its event's subject, or the event alone.
fn scope(work: &RunWork) -> String {
    work.event.event.subject.clone().unwrap_or_else(|| work.event.id.to_string())
}

/// What is said of a run when its work is given away.
struct Told {
    id: Id,
    event: Id,
    handler: Name,
    /// What it counts as for a canary.
    sample: Option<Sample>,
    /// If it has a span.
    traced: Option<Traced>,
}

impl Told {
    fn trace(&self) -> Option<TraceContext> {
        self.traced.as_ref().map(|traced| traced.step.context)
    }
}

/// Logs what the plugin said.
fn say(work: &RunWork, log: &[LogLine], trace: Option<TraceContext>) {
    let (trace_id, span_id) = log_fields(trace);
    for line in log {
        plugin_says!(line, run.id = %work.id, event.id = %work.event.id,
            plugin.name = %work.handler, trace_id, span_id);
    }
}
