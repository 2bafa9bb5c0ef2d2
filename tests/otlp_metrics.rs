//! Metrics by OTLP: the same numbers as those of `/metrics`, whatever the collector does.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, number_data_point,
};

use crate::harness::{Collector, Harness, NOW, Receiver, STRIPE_SECRET, Setup};
use crate::harness::{payment, stripe_signature};

const MINUTE: Duration = Duration::from_secs(60);

/// What changes between an export and a look at `/metrics` though nobody sends anything.
const RESTLESS: [&str; 4] = [
    "hookgate_connections",
    "hookgate_disk_free_bytes",
    "hookgate_last_sweep_timestamp_seconds",
    "hookgate_sync_seconds",
];

/// Numbers by their series, written as `/metrics` writes it.
type Numbers = BTreeMap<String, f64>;

/// A gateway that has something to count, with this table of telemetry.
async fn gateway(table: &str, receiver: &Receiver) -> Harness {
    Setup::stripe()
        .endpoint("crm", receiver, &["payment.*"])
        .handler("dunning", "config = { alert_after = 1 }")
        .table(table)
        .start()
        .await
}

/// The table of a gateway that exports deltas, and no spans that the collector could refuse.
fn in_deltas(collector: &Collector) -> String {
    format!("{}\ntemporality = \"delta\"", collector.table_of("0%"))
}

/// Has one payment accepted, and one request refused.
async fn pay(gateway: &Harness, id: &str) {
    gateway.stripe(&payment(id, "pi_1", "payment_failed")).await.accepted();
    gateway.stripe_with("whsec_wrong", &payment(id, "pi_1", "payment_failed")).await;
    gateway.settle().await;
}

/// Lets a minute pass and waits for the export behind it.
async fn export(gateway: &Harness, collector: &Collector) -> ExportMetricsServiceRequest {
    let came = collector.metrics().len();
    gateway.advance(MINUTE).await;
    let all = collector.metrics_until(came + 1).await;
    all[came].clone()
}

fn is_calm(series: &str) -> bool {
    !RESTLESS.iter().any(|name| series.starts_with(name))
}

/// What `/metrics` shows.
async fn scraped(gateway: &Harness) -> Numbers {
    let text = gateway.ask("/metrics").await.body;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let number = |line: &str| {
        let sample = line.split(" # ").next().unwrap();
        let (series, number) = sample.rsplit_once(' ').unwrap();
        (series.to_owned(), number.parse::<f64>().unwrap())
    };
    samples.map(number).filter(|(series, _)| is_calm(series)).collect()
}

fn metrics(export: &ExportMetricsServiceRequest) -> impl Iterator<Item = &Metric> {
    let scopes = export.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics)
}

fn series(name: &str, bound: Option<String>, attributes: &[KeyValue]) -> String {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref() {
        Some(any_value::Value::StringValue(text)) => format!("{}=\"{text}\"", attribute.key),
        value => panic!("no text: {value:?}"),
    };
    let bound = bound.map(|bound| format!("le=\"{bound}\""));
    let labels: Vec<String> = bound.into_iter().chain(attributes.iter().map(text)).collect();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

/// The lines of a histogram.
fn lines(name: &str, point: &HistogramDataPoint) -> Numbers {
    let of = |part: &str, bound| series(&format!("{name}{part}"), bound, &point.attributes);
    let bounds = point.explicit_bounds.iter().map(|bound| format!("{bound:?}"));
    let mut lines = Numbers::from([
        (of("_sum", None), point.sum.unwrap()),
        (of("_count", None), point.count as f64),
    ]);
    let mut up_to = 0;
    for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&point.bucket_counts) {
        up_to += count;
        lines.insert(of("_bucket", Some(bound)), up_to as f64);
    }
    lines
}

/// Adds an export to what came before: gauges replace what they said, all else adds up.
fn add(sums: &mut Numbers, export: &ExportMetricsServiceRequest) {
    for metric in metrics(export).filter(|metric| is_calm(&metric.name)) {
        let (points, is_gauge) = match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => (&sum.data_points, false),
            Data::Gauge(gauge) => (&gauge.data_points, true),
            Data::Histogram(histogram) => {
                for (series, number) in
                    histogram.data_points.iter().flat_map(|point| lines(&metric.name, point))
                {
                    *sums.entry(series).or_default() += number;
                }
                continue;
            }
            other => panic!("no such metric: {other:?}"),
        };
        for point in points {
            let number = match point.value.unwrap() {
                number_data_point::Value::AsInt(number) => number as f64,
                number_data_point::Value::AsDouble(number) => number,
            };
            let sum = sums.entry(series(&metric.name, None, &point.attributes)).or_default();
            *sum = if is_gauge { number } else { *sum + number };
        }
    }
}

/// An export must have what scrapes right before and after it show: these differ where the gateway
/// tries samples of a provider meanwhile. Times do not add up to the last digit.
#[track_caller]
fn check_between(before: &Numbers, exported: &Numbers, after: &Numbers) {
    let names = |numbers: &Numbers| numbers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(exported), names(after));
    for (series, number) in exported {
        let (one, other) = (before.get(series).copied().unwrap_or_default(), after[series]);
        let off = (one.min(other) - number).max(number - one.max(other));
        assert!(off < 1e-6, "{series}: {number}, and {one} before and {other} after");
    }
}

/// The temporality of an export, and from when until when its requests count.
fn counted(export: &ExportMetricsServiceRequest) -> (AggregationTemporality, u64, u64) {
    let requests = metrics(export).find(|it| it.name == "hookgate_requests_total").unwrap();
    let Some(Data::Sum(sum)) = &requests.data else { panic!("{requests:?}") };
    assert!(sum.is_monotonic);
    let point = &sum.data_points[0];
    (sum.aggregation_temporality(), point.start_time_unix_nano, point.time_unix_nano)
}

/// The number of milliseconds as exports have it.
fn nanoseconds(after: Duration) -> u64 {
    NOW.after(after).0 * 1_000_000
}

/// Leave a kind of line out of `metrics/read.rs`, and its series are missing in the export.
#[tokio::test]
async fn an_export_has_what_a_scrape_shows() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let gateway = gateway(&collector.table_of("0%"), &receiver).await;
    pay(&gateway, "evt_1").await;
    gateway.post("nobody", &[], "{}").await;

    for minute in 1..=2_u32 {
        let before = scraped(&gateway).await;
        let export = export(&gateway, &collector).await;
        let mut exported = Numbers::new();
        add(&mut exported, &export);
        check_between(&before, &exported, &scraped(&gateway).await);
        let expected = (nanoseconds(Duration::ZERO), nanoseconds(minute * MINUTE));
        let cumulative = AggregationTemporality::Cumulative;
        assert_eq!(counted(&export), (cumulative, expected.0, expected.1));
        pay(&gateway, &format!("evt_next_{minute}")).await;
    }
}

/// Clear what is owed whether or not it is accepted, and what the collector refused is lost.
#[tokio::test]
async fn deltas_add_up_to_the_totals_though_the_collector_refuses_some() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let gateway = gateway(&in_deltas(&collector), &receiver).await;
    pay(&gateway, "evt_1").await;
    let first = export(&gateway, &collector).await;
    collector.answer(503);
    for event in ["evt_2", "evt_3"] {
        pay(&gateway, event).await;
        export(&gateway, &collector).await;
    }
    collector.answer(200);
    pay(&gateway, "evt_4").await;
    let before = scraped(&gateway).await;
    let last = export(&gateway, &collector).await;

    let mut sums = Numbers::new();
    add(&mut sums, &first);
    let accepted = r#"hookgate_requests_total{source="stripe",outcome="accepted"}"#;
    assert_eq!(sums[accepted], 1.0);
    add(&mut sums, &last);
    assert_eq!(sums[accepted], 4.0);
    check_between(&before, &sums, &scraped(&gateway).await);
    let delta = AggregationTemporality::Delta;
    assert_eq!(counted(&first), (delta, nanoseconds(Duration::ZERO), nanoseconds(MINUTE)));
    assert_eq!(counted(&last), (delta, nanoseconds(MINUTE), nanoseconds(4 * MINUTE)));
}

/// Return before the export when the gateway stops, and the last minute is lost.
#[tokio::test]
async fn a_stop_exports_what_was_counted_since_the_last_export() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let gateway = gateway(&in_deltas(&collector), &receiver).await;
    pay(&gateway, "evt_1").await;
    export(&gateway, &collector).await;
    pay(&gateway, "evt_2").await;
    let came = collector.metrics().len();

    gateway.stop().await;

    let all = collector.metrics();
    assert_eq!(all.len(), came + 1);
    let mut left = Numbers::new();
    add(&mut left, &all[came]);
    assert_eq!(left[r#"hookgate_requests_total{source="stripe",outcome="accepted"}"#], 1.0);
}

/// Count the request without its span, and nobody finds the trace of a slow one.
#[tokio::test]
async fn a_bucket_shows_the_trace_of_the_last_request_that_it_counted() {
    let (collector, receiver) = (Collector::start().await, Receiver::start().await);
    let gateway = gateway(&collector.table(), &receiver).await;
    let body = payment("evt_1", "pi_1", "payment_failed");
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), &body);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("stripe-signature", &*signature), ("traceparent", &*traceparent)];
    gateway.post("stripe", &headers, body).await.accepted();
    gateway.settle().await;

    let export = export(&gateway, &collector).await;

    let scraped = gateway.ask("/metrics").await.body;
    for name in ["hookgate_ingest_seconds", "hookgate_run_seconds", "hookgate_attempt_seconds"] {
        let metric = metrics(&export).find(|metric| metric.name == name).unwrap();
        let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
        let exemplars = &histogram.data_points[0].exemplars;
        let ours = exemplars.iter().filter(|it| hex::encode(&it.trace_id) == trace).count();
        assert!(ours > 0, "{name}: {exemplars:?}");
        let of_name = scraped.lines().filter(|line| line.starts_with(name));
        let shown = of_name.filter(|line| line.contains(&format!("# {{trace_id=\"{trace}\"")));
        assert_eq!(shown.count(), ours, "{name}");
    }
}
