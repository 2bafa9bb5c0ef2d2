//! Spans as the protocol of OpenTelemetry has them, and beside them metrics.
//!
//! The one door to that protocol. Never sends anything.

mod metrics;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as trace, ResourceSpans, ScopeSpans, Status};
use opentelemetry_proto::tonic::trace::v1::{span, status};
use prost::Message;
use rustc_hash::FxHashMap;

pub(super) use self::metrics::{Period, metrics};
use super::span::{Span, SpanKind, Value};
use crate::ids::Id;
use crate::trace_context::TraceContext;

/// The flag of a sampled trace, and those that say whether a parent is another process's.
const SAMPLED: u32 = 1;
const SAYS_IF_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// An export of spans, with what all of them are about, and the spans of the receipts that some are
/// duplicates of.
pub(super) fn spans(
    resource: &[(String, String)],
    spans: &[Span],
    duplicates: &FxHashMap<Id, TraceContext>,
) -> Vec<u8> {
    let spans = spans.iter().map(|it| span_of(it, duplicates)).collect();
    let scope_spans = ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() };
    let resource_spans = ResourceSpans {
        resource: Some(resource_of(resource)),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// What a collector rejects of an export that it accepts otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partial {
    /// How many spans, or data points.
    pub(super) rejected: usize,
    /// What it says of that, or of the export if it rejects nothing; of any length.
    pub(super) message: String,
}

impl Partial {
    /// `None` if a collector says neither.
    fn of(rejected: i64, message: String) -> Option<Self> {
        let rejected = usize::try_from(rejected).unwrap_or(0);
        (rejected > 0 || !message.is_empty()).then_some(Self { rejected, message })
    }
}

/// The same of an answer to an export of spans. One that can't be read says nothing.
pub(super) fn rejected_spans(answer: &[u8]) -> Option<Partial> {
    let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    Partial::of(partial.rejected_spans, partial.error_message)
}

/// The same of an answer to an export of metrics.
pub(super) fn rejected_points(answer: &[u8]) -> Option<Partial> {
    let partial = ExportMetricsServiceResponse::decode(answer).ok()?.partial_success?;
    Partial::of(partial.rejected_data_points, partial.error_message)
}

fn resource_of(attributes: &[(String, String)]) -> Resource {
    let text = |(key, text): &(String, String)| key_value(key, &Value::from(text.clone()));
    Resource { attributes: attributes.iter().map(text).collect(), ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "hookgate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn span_of(it: &Span, duplicates: &FxHashMap<Id, TraceContext>) -> trace::Span {
    let Span { step, ended, took, is_failed, description, .. } = it;
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let kind = match description.kind {
        SpanKind::Internal => span::SpanKind::Internal,
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
        SpanKind::Producer => span::SpanKind::Producer,
        SpanKind::Consumer => span::SpanKind::Consumer,
    };
    let first = description.duplicate_of.and_then(|id| duplicates.get(&id));
    let failed = Status { code: status::StatusCode::Error.into(), ..Status::default() };
    trace::Span {
        trace_id: step.context.trace.bytes().to_vec(),
        span_id: step.context.span.bytes().to_vec(),
        parent_span_id: step.parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
        flags: flags(&step.context, step.is_remote),
        name: description.name.clone().into_owned(),
        kind: kind.into(),
        start_time_unix_nano: ended.saturating_sub(took),
        end_time_unix_nano: *ended,
        attributes: description.attributes.iter().map(|(key, it)| key_value(key, it)).collect(),
        links: step.link.as_ref().into_iter().chain(first).map(link).collect(),
        status: is_failed.then_some(failed),
        ..trace::Span::default()
    }
}

fn link(to: &TraceContext) -> span::Link {
    span::Link {
        trace_id: to.trace.bytes().to_vec(),
        span_id: to.span.bytes().to_vec(),
        flags: flags(to, false),
        ..span::Link::default()
    }
}

fn flags(context: &TraceContext, is_remote: bool) -> u32 {
    let sampled = if context.is_sampled { SAMPLED } else { 0 };
    sampled | SAYS_IF_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

fn key_value(key: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone().into_owned()),
        Value::Number(number) => any_value::Value::IntValue(*number),
    };
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;
    use crate::ids::IdKind;
    use crate::telemetry::room::Room;
    use crate::telemetry::span::{Description, Step};

    /// Guards [`Partial::of`], and that an answer which is none counts as nothing.
    #[test]
    fn what_a_collector_rejects_is_read_out_of_its_answer() {
        let answer = |rejected_spans, message: &str| {
            let error_message = message.to_owned();
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        };
        let partial =
            |rejected, message: &str| Some(Partial { rejected, message: message.to_owned() });
        assert_eq!(rejected_spans(&answer(300, "")), partial(300, ""));
        assert_eq!(rejected_spans(&answer(0, "soon")), partial(0, "soon"));
        assert_eq!(rejected_spans(&answer(-1, "")), None);
        assert_eq!((rejected_spans(b""), rejected_spans(b"{}")), (None, None));
        assert_eq!(rejected_points(&answer(7, "late")), partial(7, "late"));
    }

    /// Leave a field out of `span_of`, and it is missing here.
    #[test]
    fn a_span_says_in_the_protocol_what_is_known_of_it() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let of = TraceContext::parse(text).unwrap();
        let id = Id { kind: IdKind::Receipt, position: 7, tag: 1 };
        let description = Description::new(SpanKind::Server, "POST /in/{source}")
            .with("http.response.status_code", 200_u16)
            .with("hookgate.source", "shop");
        let description = Description { duplicate_of: Some(id), ..description };
        let step = Step::below(of, [1, 2, 3, 4]);
        let (ended, took) = (2_000_000_000, Duration::from_nanos(500));
        let _held = Room::default().take(None, 0).unwrap();
        let span = Span { step, ended, took, is_failed: true, description, _held };
        let first = of.next_trace([0; 4]);
        let resource = [("service.name".to_owned(), "hookgate".to_owned())];
        let body = spans(&resource, &[span], &FxHashMap::from_iter([(id, first)]));

        let read = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let [of_resource] = &read.resource_spans[..] else { panic!("{read:?}") };
        let about = &of_resource.resource.as_ref().unwrap().attributes;
        assert_eq!(about[..], [key_value("service.name", &Value::from("hookgate"))]);
        let [span] = &of_resource.scope_spans[0].spans[..] else { panic!("{read:?}") };
        assert_eq!(span.trace_id, of.trace.bytes());
        assert_eq!(span.span_id, step.context.span.bytes());
        assert_eq!(span.parent_span_id, of.span.bytes());
        assert_eq!((span.flags, span.name.as_str()), (0x101, "POST /in/{source}"));
        assert_eq!(span.kind(), span::SpanKind::Server);
        assert_eq!(span.start_time_unix_nano, 1_999_999_500);
        assert_eq!(span.end_time_unix_nano, 2_000_000_000);
        assert_eq!(span.attributes[0], key_value("http.response.status_code", &Value::Number(200)));
        assert_eq!(span.attributes[1], key_value("hookgate.source", &Value::from("shop")));
        assert_eq!(span.links[..], [link(&first)]);
        assert_eq!(span.status.as_ref().unwrap().code(), status::StatusCode::Error);
    }
}
