//! Parse and route: a receipt becomes events, each with where it goes.
//!
//! A receipt that cannot be parsed is kept whole as a dead letter; it is opened again when another
//! version of its plugin is loaded. Never looks at what an event means beyond its type.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tracing::warn;

use super::breaker::Call;
use super::emitted;
use super::order::{Order, Place};
use super::{Dispatch, Ended, Rules, fair_limit, plugin_says};
use crate::effect::LogLevel;
use crate::event::{Event, Timestamp};
use crate::ids::{Id, Name};
use crate::plugin::Plugin;
use crate::retry::Verdict;
use crate::store::{self, NewEvent, ParseWork, PluginStamp, Receipt, Routes, Try, WorkKind};
use crate::tenant::Tenant;
use crate::trace_context::{TraceContext, log_fields};
use crate::worker::{Slot, Work, committed, judge, on_disk};

/// Of the parses at a time, how many one source may have, where there are few threads.
const PARSES_PER_SOURCE: usize = 48;
/// And how many for each thread, where there are many.
const PARSES_PER_THREAD: usize = 2;

/// The parses that are due.
#[derive(Debug, Clone)]
pub(crate) struct Parses {
    dispatch: Arc<Dispatch>,
    order: Arc<Order>,
}

impl Parses {
    pub(crate) fn new(dispatch: Arc<Dispatch>) -> Self {
        // As many as there are threads: one of them waits, so that none is ever idle for want of
        // it.
        let order = Arc::new(Order::new(dispatch.host.threads().parse));
        Self { dispatch, order }
    }
}

impl Work for Parses {
    type Item = (ParseWork, Place);

    fn take(
        &self,
        room: usize,
    ) -> impl Future<Output = Result<Vec<Self::Item>, store::Error>> + Send {
        let dispatch = &self.dispatch;
        let threads = dispatch.host.threads().parse;
        let usual = PARSES_PER_SOURCE.max(PARSES_PER_THREAD * threads);
        let taken = dispatch.store.take_parses_by(room, &|source| {
            // As they are in here: whoever changes them has all of it asked again behind that.
            let rules = dispatch.rules.load();
            // Or too much is open already. Runs and deliveries go on without a parse, so that ends.
            if dispatch.missing_of_source(&rules, source).is_some()
                || dispatch.store.holds_parses(source)
            {
                return 0;
            }
            let own = rules.sources.get(source).and_then(|it| rules.concurrency(&it.plugin));
            let most = fair_limit(own.unwrap_or(usual), room);
            let digest = || Some(dispatch.plugin_of(&rules, source)?.digest().to_owned());
            dispatch.parse_breakers.limit(source, digest, most)
        });
        let in_turn = |work: ParseWork| {
            let place = self.order.next(&work.receipt.source);
            (work, place)
        };
        async move { Ok(taken.await?.into_iter().map(in_turn).collect()) }
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.dispatch.ready(WorkKind::Parse, &self.dispatch.parse_breakers)
    }

    fn id((work, _): &Self::Item) -> Id {
        work.id
    }

    async fn perform(self, item: Self::Item, slot: Slot) -> Result<(), store::Error> {
        self.dispatch.parse(item, slot).await
    }

    async fn crash(self, item: Self::Item, reason: String, slot: Slot) -> Result<(), store::Error> {
        let began = (self.dispatch.clock.now(), Instant::now());
        let ended = self.dispatch.panicked(reason);
        self.dispatch.commit_parse(item, ended, &Rules::default(), began, slot).await
    }
}

impl Dispatch {
    async fn parse(
        &self,
        (work, place): (ParseWork, Place),
        slot: Slot,
    ) -> Result<(), store::Error> {
        // Before looking for the plugin: when there is room, another one may be loaded.
        let room = place.room().await;
        let began = (self.clock.now(), Instant::now());
        let rules = self.rules.load_full();
        let ended = self.parsed(&rules, &work.receipt).await;
        drop(room);
        // Its plugin went since it was taken: it goes back untried, and waits there.
        let Some(ended) = ended else { return Ok(()) };
        self.commit_parse((work, place), ended, &rules, began, slot).await
    }

    async fn commit_parse(
        &self,
        (work, mut place): (ParseWork, Place),
        ended: Ended<'_, Vec<Event>>,
        rules: &Rules,
        (at, started): (Timestamp, Instant),
        mut slot: Slot,
    ) -> Result<(), store::Error> {
        let verdict = judge(&self.clock, ended.policy, work.tries_made, &ended.outcome);
        self.metrics.parse(&work.receipt.source, &ended.outcome, ended.cause);
        let step = self.step_of_parse(&work, at);
        let trace = step.map(|step| step.context);
        note(&work.receipt, &ended, verdict, trace);
        let duration = started.elapsed();
        self.parse_ended(step, &work, &ended, duration);
        let Ended { outcome, reason, asked: events, plugin, log, .. } = ended;
        let events = self.routed(rules, &work.receipt.source, events, trace);
        let parse = Try { at, duration, plugin, outcome, verdict, log, reason };
        place.comes().await;
        let id = work.id;
        let committing = self.store.queue_parse(work, parse, events).await?;
        drop(place);
        committed(id, &on_disk(committing, &mut slot).await?);
        Ok(())
    }

    /// The events of a receipt, with where each goes. Those of one type and tenant share their
    /// routes, unless an endpoint asks for more than a type: there may be a thousand, and ten
    /// thousand endpoints that want them. `trace` is the span that brings them, if there is one.
    pub(super) fn routed(
        &self,
        rules: &Rules,
        source: &Name,
        events: Vec<Event>,
        trace: Option<TraceContext>,
    ) -> Vec<NewEvent> {
        let count = events.len();
        let mut known = BTreeMap::<(Option<Tenant>, String), Arc<Routes>>::new();
        let route = |event: Event| {
            let tenant = self.tenant(rules, source, &event);
            let new = || Arc::new(self.routes(&event, tenant.as_ref(), None));
            let routes = if count > 1 && self.directory.routes().is_by_type(tenant.as_ref()) {
                let of = (tenant.clone(), event.event_type.clone());
                Arc::clone(known.entry(of).or_insert_with(new))
            } else {
                new()
            };
            let is_more = tenant.is_some() || trace.is_some();
            let allowance = emitted::allowance(self.allowance, count, is_more);
            NewEvent { event: Arc::new(event), routes, allowance, tenant, trace }
        };
        events.into_iter().map(route).collect()
    }

    /// Whose an event of a source is. What can't be a tenant is nobody's, so that at most the
    /// operator gets what another should have got.
    fn tenant(&self, rules: &Rules, source: &Name, event: &Event) -> Option<Tenant> {
        let tenant = rules.sources.get(source)?.tenant.tenant(&event.labels);
        tenant.unwrap_or_else(|_| {
            self.metrics.invalid_tenant(source);
            None
        })
    }

    /// Nothing if the source has a plugin that is not there, or is stopped.
    async fn parsed(&self, rules: &Rules, receipt: &Receipt) -> Option<Ended<'_, Vec<Event>>> {
        let Some(reading) = rules.sources.get(&receipt.source) else {
            let reason = format!("the configuration no longer has source {}", receipt.source);
            return Some(self.missing(reason));
        };
        if rules.stopped_sources.contains_key(&receipt.source) {
            return None;
        }
        let plugin = &self.registry.get(&reading.plugin)?;
        let info = plugin.provider()?;
        let stamp = PluginStamp::new(plugin.name(), &info.version, plugin.digest());
        let parsed = self.parse_opened(plugin, info, reading, receipt).await;
        if let Some(call) = Call::of(&parsed.ended) {
            self.parse_breakers.ended(&receipt.source, plugin.digest(), call);
        }
        Some(self.judged(WorkKind::Parse, parsed, stamp, Ok))
    }

    /// The plugin that parses the receipts of this source now.
    fn plugin_of(&self, rules: &Rules, source: &Name) -> Option<Arc<Plugin>> {
        self.registry.get(&rules.sources.get(source)?.plugin)
    }
}

fn note(
    receipt: &Receipt,
    ended: &Ended<'_, Vec<Event>>,
    verdict: Verdict,
    trace: Option<TraceContext>,
) {
    let (trace_id, span_id) = log_fields(trace);
    let source = &receipt.source;
    let id = receipt.id;
    let plugin = ended.plugin.as_ref().map_or("", |stamp| stamp.name.as_str());
    for line in &ended.log {
        plugin_says!(line, receipt.id = %id, source.name = %source, plugin.name = plugin,
            trace_id, span_id);
    }
    let Some(reason) = ended.outcome.reason() else { return };
    let dead = verdict == Verdict::Dead;
    let what = if dead { "receipt is a dead letter" } else { "failed to parse a receipt" };
    warn!(receipt.id = %id, source.name = %source, plugin.name = plugin, trace_id, span_id,
        "{what}: {reason}");
}
