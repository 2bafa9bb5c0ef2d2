//! A collector of OpenTelemetry whose behaviour a test chooses, and which keeps what it got.
//!
//! It reads every export, also one that it refuses. Never says what should have come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// What it says of what it rejects.
const REJECTED: &str = "too old";

/// Longer than any export takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span as it came.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// None of the first one of a trace.
    pub(crate) parent: Option<String>,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) took: Duration,
    pub(crate) is_failed: bool,
    /// The traces and spans that it is linked to.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Span {
    /// The text of an attribute; empty if there is none.
    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    /// The trace and the span, as a link has them.
    pub(crate) fn link(&self) -> (String, String) {
        (self.trace.clone(), self.id.clone())
    }
}

/// An export of spans as it came.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) spans: Vec<Span>,
    /// Whether it was accepted.
    is_accepted: bool,
}

/// What the collector does.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Answer(StatusCode),
    /// Accepts an export, but for so many of what is in it.
    Reject(u16),
    Hang,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    exports: watch::Sender<Vec<Export>>,
    metrics: watch::Sender<Vec<ExportMetricsServiceRequest>>,
}

/// A running collector.
pub(crate) struct Collector {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Collector {
    /// One that accepts everything.
    pub(crate) async fn start() -> Self {
        let behaviour = Mutex::new(Behaviour::Answer(StatusCode::OK));
        let (exports, metrics) = (watch::Sender::default(), watch::Sender::default());
        let shared = Arc::new(Shared { behaviour, exports, metrics });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let app = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(read_metrics))
            .with_state(shared.clone())
            .layer(DefaultBodyLimit::disable());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { url, shared, _tasks: tasks }
    }

    /// The table of a configuration that has every trace exported here.
    pub(crate) fn table(&self) -> String {
        self.table_of("100%")
    }

    /// The same for this share of traces.
    pub(crate) fn table_of(&self, share: &str) -> String {
        format!("[telemetry]\nendpoint = \"{}\"\ntraces = \"{share}\"", self.url)
    }

    /// Answers this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        let status = StatusCode::from_u16(status).expect("a test gives a status");
        self.behave(Behaviour::Answer(status));
    }

    /// Accepts exports from now on, but for so many of what is in each.
    pub(crate) fn reject(&self, count: u16) {
        self.behave(Behaviour::Reject(count));
    }

    /// Reads exports and never answers from now on.
    pub(crate) fn hang(&self) {
        self.behave(Behaviour::Hang);
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().expect("no holder panics") = behaviour;
    }

    /// What has come, accepted or not.
    pub(crate) fn exports(&self) -> Vec<Export> {
        self.shared.exports.borrow().clone()
    }

    /// Waits until so many exports have come, accepted or not.
    pub(crate) async fn exports_until(&self, count: usize) -> Vec<Export> {
        self.until(|exports| exports.len() >= count).await
    }

    /// The spans that it has accepted.
    pub(crate) fn spans(&self) -> Vec<Span> {
        accepted(&self.exports())
    }

    /// Waits until it has accepted what is enough.
    pub(crate) async fn spans_until(&self, is_enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        accepted(&self.until(|exports| is_enough(&accepted(exports))).await)
    }

    /// The exports of metrics that have come, accepted or not.
    pub(crate) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.shared.metrics.borrow().clone()
    }

    /// Waits until so many exports of metrics have come, accepted or not.
    pub(crate) async fn metrics_until(&self, count: usize) -> Vec<ExportMetricsServiceRequest> {
        let mut seen = self.shared.metrics.subscribe();
        let enough = seen.wait_for(|exports| exports.len() >= count);
        match tokio::time::timeout(PATIENCE, enough).await {
            Ok(enough) => enough.expect("the collector runs").clone(),
            Err(_) => panic!("no more exports of metrics have come than {}", self.metrics().len()),
        }
    }

    async fn until(&self, is_enough: impl Fn(&[Export]) -> bool) -> Vec<Export> {
        let mut seen = self.shared.exports.subscribe();
        let enough = seen.wait_for(|exports| is_enough(exports));
        match tokio::time::timeout(PATIENCE, enough).await {
            Ok(enough) => enough.expect("the collector runs").clone(),
            Err(_) => panic!("no more has come than {:#?}", self.exports()),
        }
    }
}

fn accepted(exports: &[Export]) -> Vec<Span> {
    let accepted = exports.iter().filter(|export| export.is_accepted);
    accepted.flat_map(|export| export.spans.iter().cloned()).collect()
}

async fn traces(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let behaviour = *shared.behaviour.lock().expect("no holder panics");
    let is_accepted = matches!(behaviour, Behaviour::Answer(StatusCode::OK));
    let spans = read(&body);
    let export = Export { headers, body, spans, is_accepted };
    shared.exports.send_modify(|exports| exports.push(export));
    behave(behaviour, |count| {
        let (rejected_spans, error_message) = (count, REJECTED.to_owned());
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    })
    .await
}

async fn read_metrics(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let behaviour = *shared.behaviour.lock().expect("no holder panics");
    let export = ExportMetricsServiceRequest::decode(body).expect("it is an export of metrics");
    shared.metrics.send_modify(|exports| exports.push(export));
    behave(behaviour, |count| {
        let (rejected_data_points, error_message) = (count, REJECTED.to_owned());
        let partial = ExportMetricsPartialSuccess { rejected_data_points, error_message };
        ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    })
    .await
}

async fn behave(behaviour: Behaviour, rejecting: impl FnOnce(i64) -> Vec<u8>) -> Response {
    match behaviour {
        Behaviour::Answer(status) => status.into_response(),
        Behaviour::Reject(count) => rejecting(count.into()).into_response(),
        Behaviour::Hang => std::future::pending().await,
    }
}

fn read(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("it is an export of spans");
    let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
    scopes.flat_map(|scope| scope.spans).map(|span| span_of(&span)).collect()
}

fn span_of(span: &otlp::Span) -> Span {
    let is_failed = |status: &otlp::Status| status.code() == otlp::status::StatusCode::Error;
    let link = |it: &otlp::span::Link| (hex::encode(&it.trace_id), hex::encode(&it.span_id));
    let parent = &span.parent_span_id;
    let took = span.end_time_unix_nano - span.start_time_unix_nano;
    Span {
        trace: hex::encode(&span.trace_id),
        id: hex::encode(&span.span_id),
        parent: (!parent.is_empty()).then(|| hex::encode(parent)),
        name: span.name.clone(),
        kind: span.kind(),
        took: Duration::from_nanos(took),
        is_failed: span.status.as_ref().is_some_and(is_failed),
        links: span.links.iter().map(link).collect(),
        attributes: span.attributes.iter().map(attribute).collect(),
    }
}

fn attribute(it: &KeyValue) -> (String, String) {
    let text = match it.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{} is neither a text nor a number: {other:?}", it.key),
    };
    (it.key.clone(), text)
}
