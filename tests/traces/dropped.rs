//! A collector that refuses, hangs or is not there: what is dropped is counted, and nobody else
//! notices.

use std::time::Duration;

use crate::harness::{Collector, Harness, Receiver, Span, payment};

use super::one;

/// A stop that waits for every export waits for four of them, 10 s each.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

async fn pay(gateway: &Harness, number: usize) {
    let event = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
    gateway.stripe(&event).await.accepted();
    gateway.settle().await;
}

/// The spans that the collector did not accept, as the metrics have it.
async fn dropped(gateway: &Harness) -> usize {
    let metrics = gateway.ask("/metrics").await.body;
    let line = metrics.lines().find_map(|line| {
        line.strip_prefix("hookgate_spans_dropped_total{by=\"collector\"} ").map(str::to_owned)
    });
    line.expect("some were dropped").parse().expect("a number")
}

/// Take the counting out of `Spans::export`, and nobody knows what is missing.
#[tokio::test]
async fn what_a_collector_refuses_is_counted_and_what_comes_later_arrives() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    collector.answer(503);
    let gateway = one(&receiver, &collector.table()).start().await;

    pay(&gateway, 1).await;
    let refused = collector.exports_until(1).await[0].spans.len();
    pay(&gateway, 2).await;
    // It comes when the first has been counted.
    collector.exports_until(2).await;
    assert!(dropped(&gateway).await >= refused && refused > 0);

    collector.answer(200);
    pay(&gateway, 3).await;
    let is_there = |span: &Span| span.name == "deliver" && !span.is_failed;
    collector.spans_until(|spans| spans.iter().any(is_there)).await;
    assert_eq!(receiver.received().len(), 3);
    gateway.stop().await;
}

/// Take the counting out of `Collector::send_traces` or `send_metrics`, and nobody knows that a
/// collector rejects a part of what it accepts. Two bytes of the number are no text.
#[tokio::test]
async fn what_a_collector_rejects_of_an_export_is_counted() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    collector.reject(200);
    let gateway = one(&receiver, &collector.table()).start().await;
    pay(&gateway, 1).await;
    collector.exports_until(1).await;
    pay(&gateway, 2).await;
    // It comes when the first has been counted.
    collector.exports_until(2).await;
    assert!(dropped(&gateway).await >= 200);

    gateway.advance(Duration::from_secs(60)).await;
    collector.metrics_until(1).await;
    gateway.advance(Duration::from_secs(60)).await;
    collector.metrics_until(2).await;
    let metrics = gateway.ask("/metrics").await.body;
    assert!(metrics.contains("hookgate_points_dropped_total{by=\"collector\"} "), "{metrics}");
    gateway.stop().await;
}

/// Take the time out of `Exports::stop`, and a stop takes as long as the collector likes.
#[tokio::test]
async fn a_collector_that_hangs_holds_up_no_request_and_no_stop() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    collector.hang();
    let gateway = one(&receiver, &collector.table()).start().await;
    pay(&gateway, 0).await;
    collector.exports_until(1).await;

    // More spans than there are in three exports.
    for number in 1..=350 {
        pay(&gateway, number).await;
    }
    assert_eq!(receiver.received().len(), 351);
    let stopped = tokio::time::timeout(STOPPED_WITHIN, gateway.stop()).await;
    assert!(stopped.is_ok(), "it waits for a collector that never answers");
    assert!(collector.spans().is_empty());
}

/// Let a start or a stop fail with an export, and nothing works while the collector is away.
#[tokio::test]
async fn a_collector_that_is_not_there_holds_up_nobody() {
    let receiver = Receiver::start().await;
    let gateway = one(&receiver, "[telemetry]\nendpoint = \"http://127.0.0.1:1\"").start().await;
    pay(&gateway, 1).await;
    let gateway = gateway.restart().await;
    pay(&gateway, 2).await;
    assert_eq!(receiver.received().len(), 2);
    gateway.stop().await;
}
