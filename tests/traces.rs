//! Traces: which spans the collector gets of an event, how they belong together, and that nobody
//! waits for it.

mod dropped;
mod logged;
mod strangers;

use crate::harness::{
    Answer, Collector, Harness, Receiver, SECOND_ATTEMPT, STRIPE_SECRET, Setup, Span, SpanKind,
    delivery_to, payment, stripe_signature, text,
};

/// The trace and the span that a sender names.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// What it says of them: also that nobody samples the trace, which does not count.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// The span of a request that is posted.
const POST: &str = "POST /in/{source}";

/// Posts to the source `stripe` as Stripe would, within that trace.
async fn stripe(gateway: &Harness, body: &str) -> Answer {
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), body);
    let headers = [("stripe-signature", &*signature), ("traceparent", TRACEPARENT)];
    gateway.post("stripe", &headers, body).await
}

/// One endpoint, which gets the payments.
fn one(receiver: &Receiver, telemetry: &str) -> Setup {
    Setup::stripe().endpoint("crm", receiver, &["payment.*"]).table(telemetry)
}

/// All spans of this name, in the order in which they came.
fn all<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The one span of this name.
#[track_caller]
fn the<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = all(spans, name);
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

#[track_caller]
fn check_below(span: &Span, parent: &Span) {
    let found = (span.trace.as_str(), span.parent.as_deref(), span.links.len());
    assert_eq!(found, (parent.trace.as_str(), Some(parent.id.as_str()), 0), "{span:#?}");
}

/// It begins a trace, and is linked to this span alone.
#[track_caller]
fn check_linked(span: &Span, to: &Span) {
    assert!(span.trace != to.trace && span.parent.is_none(), "{span:#?}");
    assert_eq!(span.links, [to.link()]);
}

fn traceparent_of(span: &Span) -> String {
    format!("00-{}-{}-01", span.trace, span.id)
}

/// Leave a call of `Telemetry::ended` out, and its span is missing; give `NewEvent` another trace,
/// and the runs and deliveries are not below their parse.
#[tokio::test]
async fn every_step_of_an_event_is_a_span_of_the_trace_that_its_sender_names() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let gateway = Setup::stripe()
        .endpoint("crm", &receiver, &["payment.*", "customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .table(&collector.table())
        .start()
        .await;

    let event = payment("evt_1", "pi_1", "payment_failed");
    let receipt = stripe(&gateway, &event).await.accepted();
    gateway.settle().await;
    // Within a second, and not only when the gateway stops.
    let spans = collector.spans_until(|spans| spans.len() >= 8).await;
    let event = gateway.event("evt_1").await;
    let receipt = gateway.receipt(&receipt).await;
    gateway.stop().await;

    assert_eq!(collector.spans().len(), 8, "{:#?}", collector.spans());
    let request = the(&spans, POST);
    assert_eq!((request.trace.as_str(), request.parent.as_deref()), (TRACE, Some(SPAN)));
    assert_eq!(request.kind, SpanKind::Server);
    assert_eq!(request.attribute("hookgate.receipt.id"), text(&receipt["id"]));
    let [verify, append, parse, run] =
        ["verify", "append", "parse stripe", "run dunning"].map(|name| the(&spans, name));
    for below in [verify, append, parse] {
        check_below(below, request);
    }
    check_below(run, parse);
    let emit = the(&spans, "emit customer.payment_failed_notice");
    check_linked(emit, run);
    assert_eq!(event["trace_id"], TRACE);
    assert_eq!(receipt["trace_id"], TRACE);

    let received = receiver.received();
    assert_eq!(received.len(), 2);
    for delivery in received {
        let id = delivery.header("webhook-id");
        let is_it = |span: &&Span| span.attribute("messaging.message.id") == id;
        let span = spans.iter().find(is_it).expect("each attempt has a span");
        assert_eq!((span.name.as_str(), span.kind), ("deliver", SpanKind::Client));
        assert_eq!(delivery.header("traceparent"), traceparent_of(span));
        check_below(span, if delivery.text("type") == "payment.failed" { parse } else { emit });
    }
    assert!(spans.iter().all(|span| !span.is_failed), "{spans:#?}");
}

/// Leave the trace out of the record of an event, and its next attempt is in none. Let `tried` know
/// of no replay, and the replay is in the trace of what failed.
#[tokio::test]
async fn a_trace_goes_on_after_a_restart_and_a_replay_is_linked_to_it() {
    let (collector, receiver) = (Collector::start().await, Receiver::answering(500).await);
    let gateway = one(&receiver, &collector.table()).start().await;
    stripe(&gateway, &payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;

    let gateway = gateway.restart().await;
    receiver.answer(204);
    gateway.advance(SECOND_ATTEMPT).await;
    let delivery = delivery_to(&gateway.event("evt_1").await, "crm");
    gateway.replay(&text(&delivery["id"])).await;
    gateway.stop().await;

    let spans = collector.spans();
    let parse = the(&spans, "parse stripe");
    assert_eq!(parse.trace, TRACE);
    let attempts = all(&spans, "deliver");
    let [first, second, replayed] = attempts[..] else { panic!("{spans:#?}") };
    check_below(first, parse);
    check_below(second, parse);
    check_linked(replayed, parse);
    assert_ne!(first.id, second.id);
    assert_eq!([first, second, replayed].map(|span| span.is_failed), [true, false, false]);
    assert_eq!(first.attribute("error.type"), "500");
    let tries = [first, second].map(|span| span.attribute("hookgate.attempt"));
    assert_eq!(tries, ["1", "2"]);
    let said: Vec<String> =
        receiver.received().iter().map(|it| it.header("traceparent").to_owned()).collect();
    assert_eq!(said, [first, second, replayed].map(traceparent_of));
}

/// Let nobody look up the receipt of a duplicate, and it is linked to nothing.
#[tokio::test]
async fn a_duplicate_is_linked_to_the_request_that_came_first() {
    let collector = Collector::start().await;
    let gateway = Setup::stripe().table(&collector.table()).start().await;
    let event = payment("evt_1", "pi_1", "payment_failed");
    stripe(&gateway, &event).await.accepted();
    assert!(gateway.stripe(&event).await.is_duplicate());
    gateway.stop().await;

    let spans = collector.spans();
    let requests = all(&spans, POST);
    let [first, again] = requests[..] else { panic!("{spans:#?}") };
    assert_eq!(first.trace, TRACE);
    check_linked(again, first);
    assert_eq!(again.attribute("hookgate.outcome"), "duplicate");
    assert_eq!(again.attribute("hookgate.receipt.id"), "");
}

/// Take the share out of `Tracer::root`, and everything is exported; take `is_failed` out of
/// `Telemetry::ended`, and nothing.
#[tokio::test]
async fn of_a_trace_that_is_not_sampled_the_collector_gets_what_failed() {
    let (collector, receiver) = (Collector::start().await, Receiver::answering(500).await);
    let gateway = one(&receiver, &collector.table_of("0%")).start().await;
    stripe(&gateway, &payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    receiver.answer(204);
    gateway.advance(SECOND_ATTEMPT).await;
    let event = gateway.event("evt_1").await;
    gateway.stop().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert!(spans[0].name == "deliver" && spans[0].is_failed, "{spans:#?}");
    assert_eq!(spans[0].trace, TRACE);
    assert_eq!(event["trace_id"], TRACE);
    let said = format!("00-{TRACE}-{}-00", spans[0].id);
    assert_eq!(receiver.received()[0].header("traceparent"), said);
}
