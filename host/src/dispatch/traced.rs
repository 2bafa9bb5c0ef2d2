//! What the spans of parses and runs say.
//!
//! A run that makes events begins a trace for each, linked to its own span. What a plugin says of a
//! failure stays in the store: it may repeat what it was given. Never decides whether a span is
//! exported.

use std::time::Duration;

use super::{Dispatch, Ended};
use crate::event::{Event, Timestamp};
use crate::ids::{Id, Name};
use crate::metrics::Cause;
use crate::retry::Outcome;
use crate::store::{Effects, ParseWork, Parsed, PluginStamp, RunWork};
use crate::telemetry::{Description, SpanKind, Step, Tried};

/// What the span of a run says, when its work is given away.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) step: Step,
    event: Id,
    tries_made: u32,
    version: Option<String>,
    /// The events that it makes, and the types of these.
    made: Vec<(Step, String)>,
}

impl Traced {
    /// A try of this run by this plugin, if it has a span.
    pub(super) fn of(
        step: Option<Step>,
        work: &RunWork,
        plugin: Option<&PluginStamp>,
        effects: &Effects,
    ) -> Option<Self> {
        let step = step?;
        let version = plugin.map(|plugin| plugin.version.clone());
        let of_sampled = step.context.is_sampled.then_some(&effects.events).into_iter().flatten();
        let made = (1..).zip(of_sampled);
        let made = made.map(|(number, new)| (step.makes(number), new.event.event_type.clone()));
        let (event, tries_made) = (work.event.id, work.tries_made);
        Some(Self { step, event, tries_made, version, made: made.collect() })
    }
}

impl Dispatch {
    /// The step that a try of a parse is, which began then.
    pub(super) fn step_of_parse(&self, work: &ParseWork, at: Timestamp) -> Option<Step> {
        let ParseWork { id, tries_made, is_replay, .. } = *work;
        self.telemetry.tried(work.receipt.trace, Tried { id, tries_made, at, is_replay })
    }

    /// The step that a try of a run is, which began then.
    pub(super) fn step_of_run(&self, work: &RunWork, at: Timestamp) -> Option<Step> {
        let RunWork { id, tries_made, is_replay, .. } = *work;
        self.telemetry.tried(work.event.trace, Tried { id, tries_made, at, is_replay })
    }

    /// A request was parsed before it is stored.
    pub(super) fn parsed_before(&self, step: Option<Step>, source: &Name, parsed: &Parsed) {
        let Some(step) = step else { return };
        self.telemetry.ended(&step, false, parsed.report.duration, || {
            let version = parsed.report.plugin.as_ref().map(|plugin| plugin.version.clone());
            Description::new(SpanKind::Internal, format!("parse {source}"))
                .done_for(source)
                .with("hookgate.source", source.to_string())
                .with("hookgate.events", parsed.events.len())
                .with_some("hookgate.plugin.version", version)
        });
    }

    /// A receipt was parsed, or could not be.
    pub(super) fn parse_ended(
        &self,
        step: Option<Step>,
        work: &ParseWork,
        ended: &Ended<'_, Vec<Event>>,
        took: Duration,
    ) {
        let Some(step) = step else { return };
        let is_failed = !matches!(ended.outcome, Outcome::Success);
        self.telemetry.ended(&step, is_failed, took, || {
            let source = &work.receipt.source;
            let version = ended.plugin.as_ref().map(|plugin| plugin.version.clone());
            Description::new(SpanKind::Consumer, format!("parse {source}"))
                .done_for(source)
                .messaging("parse", "process", source.to_string(), work.id.to_string())
                .with("hookgate.source", source.to_string())
                .with("hookgate.attempt", work.tries_made + 1)
                .with("hookgate.events", ended.asked.len())
                .with_some("hookgate.plugin.version", version)
                .with_some("error.type", ended.cause.map(Cause::label))
        });
    }

    /// A handler was run, or could not be. What it made begins with it, if it is done.
    pub(super) fn run_ended(
        &self,
        traced: Option<&Traced>,
        handler: &Name,
        (outcome, cause): (&Outcome, Option<Cause>),
        took: Duration,
    ) {
        let Some(Traced { step, event, tries_made, version, made }) = traced else { return };
        let is_failed = !matches!(outcome, Outcome::Success);
        self.telemetry.ended(step, is_failed, took, || {
            Description::new(SpanKind::Consumer, format!("run {handler}"))
                .done_for(handler)
                .messaging("run", "process", handler.to_string(), event.to_string())
                .with("hookgate.handler", handler.to_string())
                .with("hookgate.attempt", tries_made + 1)
                .with_some("hookgate.plugin.version", version.clone())
                .with_some("error.type", cause.map(Cause::label))
        });
        for (step, event_type) in made.iter().filter(|_| !is_failed) {
            self.telemetry.ended(step, false, Duration::ZERO, || {
                Description::new(SpanKind::Producer, format!("emit {event_type}"))
                    .done_for(handler)
                    .with("messaging.system", "hookgate")
                    .with("messaging.operation.name", "emit")
                    .with("messaging.operation.type", "create")
                    .with("messaging.destination.name", event_type.clone())
                    .with("hookgate.handler", handler.to_string())
            });
        }
    }
}
