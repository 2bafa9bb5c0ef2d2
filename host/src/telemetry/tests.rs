//! What is queued to be exported, and what is dropped; a collector that takes nothing.

use http::HeaderValue;

use super::*;
use crate::ids::IdKind;

const TRACEPARENT_TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One that samples this share, and what it queues; there is room for two.
fn telemetry(share: f64) -> (Telemetry, mpsc::Receiver<Span>, Metrics) {
    let (queue, queued) = mpsc::channel(2);
    let (clock, metrics) = (Clock::manual(Timestamp(1_700_000_000_000)), Metrics::new());
    let room = Room::default();
    let tracer = Tracer { share, room, queue, clock, metrics: metrics.clone() };
    (Telemetry(Some(Arc::new(tracer))), queued, metrics)
}

fn headers(traceparents: &[&'static str]) -> HeaderMap {
    let header = |&text: &&'static str| (TRACEPARENT, HeaderValue::from_static(text));
    let mut headers = HeaderMap::new();
    // Appends, also under a name that is there.
    headers.extend(traceparents.iter().map(header));
    headers
}

fn tried(is_replay: bool) -> Tried {
    let id = Id { kind: IdKind::Run, position: 7, tag: 1 };
    Tried { id, tries_made: 0, at: Timestamp(5), is_replay }
}

fn described() -> Description {
    Description::new(SpanKind::Internal, "verify")
}

#[test]
fn where_it_is_off_there_are_no_steps() {
    let off = Telemetry::default();
    let trace = TraceContext::parse(TRACEPARENT_TEXT);
    assert_eq!(off.request(&headers(&[TRACEPARENT_TEXT])), None);
    assert_eq!(off.tried(trace, tried(false)), None);
    assert_eq!(off.part(trace, Part::Verify), None);
}

#[test]
fn a_request_is_in_the_trace_that_it_names_and_the_share_decides_about_it() {
    let parent = TraceContext::parse(TRACEPARENT_TEXT).unwrap();
    for (share, is_sampled) in [(1.0, true), (0.0, false)] {
        let (telemetry, ..) = telemetry(share);
        let step = telemetry.request(&headers(&[TRACEPARENT_TEXT])).unwrap();
        assert_eq!((step.context.trace, step.parent), (parent.trace, Some(parent.span)));
        assert_eq!((step.context.is_sampled, step.is_remote), (is_sampled, true));
        assert_ne!(step.context.span, parent.span);

        // Two say nothing, nor does what is none.
        for said in [&[TRACEPARENT_TEXT, TRACEPARENT_TEXT][..], &["00-hello"], &[]] {
            let step = telemetry.request(&headers(said)).unwrap();
            assert!(step.context.trace != parent.trace && step.parent.is_none());
        }
    }
}

#[test]
fn who_is_refused_is_linked_to_the_trace_that_it_named_and_not_in_it() {
    let (telemetry, ..) = telemetry(1.0);
    let parent = TraceContext::parse(TRACEPARENT_TEXT).unwrap();
    let step = telemetry.apart(telemetry.request(&headers(&[TRACEPARENT_TEXT])).unwrap());
    assert!(step.context.trace != parent.trace && step.parent.is_none());
    assert_eq!(step.link, Some(parent));
    let own = telemetry.request(&headers(&[])).unwrap();
    assert_eq!(telemetry.apart(own), own);
}

/// Leave the sampling out of `Telemetry::apart`, and whoever sends forged requests under an id that
/// is among every share fills the queue with them.
#[test]
fn who_is_refused_does_not_choose_whether_that_is_exported() {
    let (telemetry, ..) = telemetry(0.5);
    let chosen = "00-4bf92f3577b34da6ffffffffffffffff-00f067aa0ba902b7-01";
    let step = || telemetry.request(&headers(&[chosen])).unwrap();
    assert!((0..64).all(|_| step().context.is_sampled));
    assert!((0..64).any(|_| !telemetry.apart(step()).context.is_sampled));
}

#[test]
fn a_try_is_below_the_span_of_its_work_and_a_replay_is_linked_to_it() {
    let (telemetry, ..) = telemetry(1.0);
    let of = TraceContext::parse(TRACEPARENT_TEXT).unwrap();
    let step = telemetry.tried(Some(of), tried(false)).unwrap();
    assert_eq!((step.context.trace, step.parent, step.link), (of.trace, Some(of.span), None));
    assert_eq!(telemetry.tried(Some(of), tried(false)), Some(step), "the same each time");
    let next = telemetry.tried(Some(of), Tried { tries_made: 1, ..tried(false) }).unwrap();
    assert_ne!(next.context.span, step.context.span);

    let replay = telemetry.tried(Some(of), tried(true)).unwrap();
    assert_ne!(replay.context.trace, of.trace);
    assert_eq!((replay.parent, replay.link), (None, Some(of)));
    assert_eq!(telemetry.tried(None, tried(false)), None, "its work has no span");
}

/// Take the branch out of `ended`, and the first is exported too.
#[test]
fn of_a_trace_that_is_not_sampled_what_failed_is_exported_and_nothing_else() {
    let (telemetry, mut queued, metrics) = telemetry(0.0);
    let step = telemetry.request(&headers(&[])).unwrap();
    telemetry.ended(&step, false, Duration::ZERO, || panic!("nobody describes it"));
    telemetry.ended(&step, true, Duration::from_millis(3), described);
    let span = queued.try_recv().unwrap();
    assert!(span.is_failed && span.step == step && span.took == Duration::from_millis(3));
    assert_eq!(span.ended, 1_700_000_000_000_000_000);
    assert!(queued.try_recv().is_err());
    assert!(!metrics.render().contains("hookgate_spans_dropped_total{"));
}

#[test]
fn what_has_no_room_in_the_queue_is_dropped_and_counted() {
    let (telemetry, queued, metrics) = telemetry(1.0);
    let step = telemetry.request(&headers(&[])).unwrap();
    for _ in 0..5 {
        telemetry.ended(&step, false, Duration::ZERO, described);
    }
    assert_eq!(queued.len(), 2);
    assert!(metrics.render().contains("hookgate_spans_dropped_total{by=\"queue\"} 3"));
}

/// Take the counting out of `Spans::export`, and nobody knows of what the collector did not take.
#[tokio::test]
async fn what_a_collector_that_is_gone_did_not_take_is_counted_and_a_stop_does_not_wait_for_it() {
    // Nobody listens on it once it is dropped.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (clock, metrics) = (Clock::System, Metrics::new());
    let config = crate::store::Config::at(folder.path());
    let store = Store::open(&config, clock.clone()).unwrap();
    let settings = Settings {
        endpoint: format!("http://{free}").parse().unwrap(),
        headers: Vec::new(),
        ca: Authorities::default(),
        resource: Vec::new(),
        traces: Some(1.0),
        metrics: None,
        temporality: Temporality::Cumulative,
    };
    let (telemetry, exports) = Telemetry::start(Some(&settings), &store, &clock, &metrics).unwrap();
    let step = telemetry.request(&headers(&[])).unwrap();
    telemetry.ended(&step, false, Duration::ZERO, described);
    telemetry.ended(&step, false, Duration::ZERO, described);
    exports.stop().await;
    assert!(metrics.render().contains("hookgate_spans_dropped_total{by=\"collector\"} 2"));
    // Behind the end it costs no more.
    telemetry.ended(&step, false, Duration::ZERO, described);
    assert!(metrics.render().contains("hookgate_spans_dropped_total{by=\"queue\"} 1"));
}
