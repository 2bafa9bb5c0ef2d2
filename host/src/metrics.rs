//! What the gateway counts and times, for Prometheus.
//!
//! One value that everybody who counts holds a clone of; it is read at `/metrics`. Labels are names
//! out of the configuration and cases out of the code, never anything that a sender chose, so that
//! nobody can make it grow. Never decides anything.

mod canaries;
mod endpoints;
mod labels;
mod marks;
mod notices;
mod plugins;
mod read;
mod spans;
mod store;
mod tenants;
mod timed;
mod totals;
mod waiting;

use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::effect::Severity;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::retry::Outcome;

use canaries::Canaries;
use endpoints::Endpoints;
use labels::outcome_label;
pub(crate) use marks::Mark;
use marks::Marks;
use notices::Notices;
pub(crate) use plugins::PluginUse;
use plugins::Plugins;
pub(crate) use read::{Distribution, Exemplar, Labels, Metric, MetricKind, Sample, Value, read};
use spans::Spans;
use store::Stored;
use tenants::Tenants;
pub(crate) use timed::Timed;
use timed::Times;
use totals::Sums;
pub(crate) use totals::{Counted, Spread, Totals};
use waiting::Waiting;

/// Counters, gauges and histograms. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: Counters,
    refusals: Counters,
    admin_refusals: Family<[(&'static str, &'static str); 1], Counter>,
    parses: Tries,
    deferred_parses: Counters,
    runs: Tries,
    alerts: Counters,
    reloads: Counters,
    hangups: Counters,
    connections: Gauges,
    ingest_time: Times,
    run_time: Times,
    pending: Gauges,
    retrying: Gauges,
    dead: Gauges,
    last_sweep: Gauge,
    sweep_failures: Counter,
    stored: Stored,
    paused: Family<[(&'static str, Label); 2], Gauge>,
    endpoints: Endpoints,
    marks: Marks,
    tenants: Tenants,
    notices: Notices,
    plugins: Plugins,
    waiting: Waiting,
    spans: Spans,
    canaries: Canaries,
    totals: Sums,
}

type Tries = Family<[(&'static str, Label); 3], Counter>;
type Counters = Family<[(&'static str, Label); 2], Counter>;
type Gauges = Family<[(&'static str, &'static str); 1], Gauge>;

/// The value of a label: a name of the configuration or a case of the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Label {
    Name(Name),
    Case(&'static str),
}

/// How a request to a source was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answered {
    /// Stored.
    Accepted,
    /// All of its events were known.
    Duplicate,
    /// It was a validation challenge.
    Handshake,
    /// Not genuine.
    Refused,
    /// More than the source takes.
    TooLarge,
    /// The body did not arrive whole.
    Broken,
    /// The gateway has as much to do as it can.
    Busy,
    /// The gateway or the provider's plugin is broken.
    Failed,
}

/// Why the gateway hung up on a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HungUp {
    /// It never sent the head of a request.
    Silent,
    /// It sent no other request for a long time, or stopped in the middle of one's head.
    Idle,
    /// It did not read its answer.
    NotReading,
    /// It kept the gateway waiting while others found no place.
    Displaced,
    /// Its address had all the connections that it may have.
    TooMany,
    /// It is a proxy that did not say whom it speaks for.
    Unannounced,
    /// It did not agree on TLS with the gateway.
    Tls,
    /// It took back one request after the other.
    TakenBack,
}

/// How the reload of a plugin ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reloaded {
    /// The new one runs.
    Swapped,
    /// The new one can't be loaded; the old one, if there was one, runs on.
    Kept,
    Removed,
}

/// Why a parse or a run did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cause {
    /// The plugin says so.
    Failure,
    /// The plugin trapped, which is what a panic of its own becomes.
    Trap,
    /// It did not return in time.
    Deadline,
    /// It wanted too much memory.
    Memory,
    /// It broke the contract.
    Contract,
    /// It asked for more than a run, or what comes of one receipt, may have.
    Limit,
    /// All threads were taken and the queue was full.
    Busy,
    /// The host failed it.
    Host,
    /// The host panicked over it.
    Panic,
    /// No such plugin is loaded, or no such source is configured.
    Missing,
}

/// What there can be a backlog of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Receipts to be parsed.
    Receipt,
    Run,
    Delivery,
}

/// What waits, and what will not go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Backlog {
    /// Not tried yet.
    pub(crate) pending: u64,
    /// Tried, and to be tried again.
    pub(crate) retrying: u64,
    pub(crate) dead: u64,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("hookgate");
        let r = &mut registry;
        let metrics = Self {
            requests: counters(r, "requests", "Requests to sources, by answer"),
            refusals: counters(r, "refusals", "Refused requests, by reason"),
            admin_refusals: admin_refusals(r),
            parses: tries(r, "parses", "Tries to parse a receipt, by outcome and cause"),
            deferred_parses: counters(r, "deferred_parses", "Receipts stored unparsed, by reason"),
            runs: tries(r, "runs", "Tries to run a handler, by outcome and cause"),
            alerts: counters(r, "alerts", "Alerts that handlers raised"),
            reloads: counters(r, "reloads", "Reloads of plugins, by outcome"),
            hangups: counters(r, "hangups", "Connections that the gateway ended, by reason"),
            connections: gauges(r, "connections", "Open connections, by port"),
            ingest_time: Times::new(r, "ingest", "Time from a request to its answer"),
            run_time: Times::new(r, "run", "Time of one try to run a handler"),
            pending: gauges(r, "pending", "Work that waits for its first try, by kind"),
            retrying: gauges(r, "retrying", "Work that waits for another try, by kind"),
            dead: gauges(r, "dead", "Dead letters, by kind"),
            last_sweep: last_sweep(r),
            sweep_failures: Counter::default(),
            stored: Stored::new(r),
            paused: paused(r),
            endpoints: Endpoints::new(r),
            marks: Marks::new(r),
            tenants: Tenants::new(r),
            notices: Notices::new(r),
            plugins: Plugins::new(r),
            waiting: Waiting::new(r),
            spans: Spans::new(r),
            canaries: Canaries::new(r),
            totals: Sums::default(),
            registry: Arc::default(),
        };
        let failures = metrics.sweep_failures.clone();
        registry.register("sweep_failures", "Sweeps of the store that failed", failures);
        registry.register("build_info", "The version of the gateway; always 1", build_info());
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// A request to a source was answered, after this time.
    pub(crate) fn request(&self, source: &Name, answered: Answered, time: impl Into<Timed>) {
        let timed = time.into();
        count(&self.requests, ("source", source), ("outcome", answered.label()));
        self.ingest_time.observe(timed);
        self.totals.answered(answered, timed.time);
    }

    /// A request named no source. Which one it named is not kept.
    pub(crate) fn unknown_source(&self) {
        let labels = [("source", Label::Case("")), ("outcome", Label::Case("unknown_source"))];
        self.requests.get_or_create(&labels).inc();
    }

    /// A request was refused. `reason` is a case, such as [`crate::signature::Error::label`].
    pub(crate) fn refusal(&self, source: &Name, reason: &'static str) {
        count(&self.refusals, ("source", source), ("reason", reason));
    }

    /// A request to the admin port was refused, because of its token or for want of one.
    pub(crate) fn admin_refusal(&self, reason: &'static str) {
        self.admin_refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// A receipt was parsed, or could not be for this cause.
    pub(crate) fn parse(&self, source: &Name, outcome: &Outcome, cause: Option<Cause>) {
        count_try(&self.parses, ("source", source), outcome, cause);
        self.totals.ended(outcome, Counted::Parsed, Counted::ParseFailures);
    }

    /// A request is stored without a parse, which comes behind it, for this reason.
    pub(crate) fn deferred_parse(&self, source: &Name, reason: &'static str) {
        count(&self.deferred_parses, ("source", source), ("reason", reason));
    }

    /// A handler was tried on an event, for this time, and failed for this cause if it did.
    pub(crate) fn run(
        &self,
        handler: &Name,
        outcome: &Outcome,
        cause: Option<Cause>,
        time: impl Into<Timed>,
    ) {
        count_try(&self.runs, ("handler", handler), outcome, cause);
        self.totals.ended(outcome, Counted::Ran, Counted::RunFailures);
        self.run_time.observe(time.into());
    }

    /// A handler raised an alert.
    pub(crate) fn alert(&self, handler: &Name, severity: Severity) {
        let severity = match severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        count(&self.alerts, ("handler", handler), ("severity", severity));
    }

    /// A plugin was loaded again, or not.
    pub(crate) fn reload(&self, plugin: &Name, reloaded: Reloaded) {
        count(&self.reloads, ("plugin", plugin), ("outcome", reloaded.label()));
    }

    /// Whether the parses of a source or the runs of a handler are paused, because they broke again
    /// and again.
    pub(crate) fn set_paused(&self, kind: Kind, name: &Name, paused: bool) {
        let labels = [("kind", Label::Case(kind.label())), ("name", Label::Name(name.clone()))];
        self.paused.get_or_create(&labels).set(paused.into());
    }

    /// The gateway has hung up on so many peers of a port.
    pub(crate) fn hung_up(&self, port: &'static str, reason: HungUp, peers: usize) {
        if peers > 0 {
            let labels = [("port", Label::Case(port)), ("reason", Label::Case(reason.label()))];
            self.hangups.get_or_create(&labels).inc_by(peers as u64);
        }
    }

    /// So many connections of a port are open now.
    pub(crate) fn set_connections(&self, port: &'static str, open: usize) {
        let open = open.try_into().unwrap_or(i64::MAX);
        self.connections.get_or_create(&[("port", port)]).set(open);
    }

    /// What the store holds now; set before [`Metrics::render`].
    pub(crate) fn set_backlog(&self, kind: Kind, backlog: Backlog) {
        let labels = [("kind", kind.label())];
        let gauges = [
            (&self.pending, backlog.pending),
            (&self.retrying, backlog.retrying),
            (&self.dead, backlog.dead),
        ];
        for (gauge, count) in gauges {
            gauge.get_or_create(&labels).set(count.try_into().unwrap_or(i64::MAX));
        }
    }

    /// The store was swept, or had nothing to sweep.
    pub(crate) fn swept(&self, now: Timestamp) {
        self.last_sweep.set(now.seconds().try_into().unwrap_or(i64::MAX));
    }

    /// The store could not be swept.
    pub(crate) fn sweep_failed(&self) {
        self.sweep_failures.inc();
    }

    /// All of it in the text format of OpenMetrics, [`Metrics::CONTENT_TYPE`].
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    /// What [`Metrics::render`] gives.
    pub(crate) const CONTENT_TYPE: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn count(counters: &Counters, name: (&'static str, &Name), case: (&'static str, &'static str)) {
    let labels = [(name.0, Label::Name(name.1.clone())), (case.0, Label::Case(case.1))];
    counters.get_or_create(&labels).inc();
}

fn count_try(tries: &Tries, name: (&'static str, &Name), outcome: &Outcome, cause: Option<Cause>) {
    let labels = [
        (name.0, Label::Name(name.1.clone())),
        ("outcome", Label::Case(outcome_label(outcome))),
        ("cause", Label::Case(cause.map_or("", Cause::label))),
    ];
    tries.get_or_create(&labels).inc();
}

fn tries(registry: &mut Registry, name: &str, help: &str) -> Tries {
    let tries = Tries::default();
    registry.register(name, help, tries.clone());
    tries
}

fn paused(registry: &mut Registry) -> Family<[(&'static str, Label); 2], Gauge> {
    let gauges = Family::<[(&'static str, Label); 2], Gauge>::default();
    let help = "1 while the gateway pauses the parses of a source or the runs of a handler";
    registry.register("paused", help, gauges.clone());
    gauges
}

fn counters(registry: &mut Registry, name: &str, help: &str) -> Counters {
    let counters = Counters::default();
    registry.register(name, help, counters.clone());
    counters
}

fn admin_refusals(registry: &mut Registry) -> Family<[(&'static str, &'static str); 1], Counter> {
    let counters = Family::<[(&'static str, &'static str); 1], Counter>::default();
    let help = "Requests to the admin port that lack the token or the scope, by reason";
    registry.register("admin_refusals", help, counters.clone());
    counters
}

fn build_info() -> Gauges {
    let gauges = Gauges::default();
    gauges.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    gauges
}

fn gauges(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let gauges = Gauges::default();
    registry.register(name, help, gauges.clone());
    gauges
}

fn last_sweep(registry: &mut Registry) -> Gauge {
    let gauge = Gauge::default();
    let help = "Time of the last sweep of the store without a failure; 0 if none since the start";
    registry.register_with_unit("last_sweep_timestamp", help, Unit::Seconds, gauge.clone());
    gauge
}

#[cfg(test)]
mod tests;
