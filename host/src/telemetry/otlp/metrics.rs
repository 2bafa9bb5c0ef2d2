//! Metrics as the protocol of OpenTelemetry has them, under the names and labels of `/metrics`.
//!
//! Never sends anything.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    exemplar, metric, number_data_point,
};
use prost::Message;

use super::{Value as Text, key_value, resource_of, scope};
use crate::metrics::{Distribution, Exemplar, Labels, Metric, MetricKind, Sample, Value};
use crate::telemetry::Temporality;

/// What an export is about, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Period {
    /// The last export that the collector accepted, or the start.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// An export of metrics, with what all of them are about.
pub(crate) fn metrics(
    resource: &[(String, String)],
    metrics: &[Metric],
    temporality: Temporality,
    period: Period,
) -> Vec<u8> {
    let shown = metrics.iter().filter(|metric| !metric.series.is_empty());
    let metrics = shown.map(|metric| metric_of(metric, temporality, period)).collect();
    let scope_metrics = ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource_of(resource)),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }.encode_to_vec()
}

fn metric_of(it: &Metric, temporality: Temporality, period: Period) -> proto::Metric {
    let aggregation_temporality = match temporality {
        Temporality::Cumulative => AggregationTemporality::Cumulative.into(),
        Temporality::Delta => AggregationTemporality::Delta.into(),
    };
    let numbers = || -> Vec<NumberDataPoint> {
        it.series.iter().filter_map(|series| number_of(series, period)).collect()
    };
    let data = match it.kind {
        MetricKind::Counter => metric::Data::Sum(proto::Sum {
            data_points: numbers(),
            aggregation_temporality,
            is_monotonic: true,
        }),
        MetricKind::Gauge => metric::Data::Gauge(proto::Gauge { data_points: numbers() }),
        MetricKind::Histogram => {
            let spreads = it.series.iter().filter_map(|series| spread_of(series, period));
            let data_points = spreads.collect();
            metric::Data::Histogram(proto::Histogram { data_points, aggregation_temporality })
        }
    };
    let unit = match it.unit.as_deref() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        Some(unit) => unit,
        None => "",
    };
    proto::Metric {
        name: it.name.clone(),
        description: it.help.clone(),
        unit: unit.to_owned(),
        data: Some(data),
        ..proto::Metric::default()
    }
}

fn number_of((labels, sample): (&Labels, &Sample), period: Period) -> Option<NumberDataPoint> {
    let value = match sample.value {
        Value::Whole(number) => number_data_point::Value::AsInt(number),
        Value::Real(number) => number_data_point::Value::AsDouble(number),
        Value::Spread(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes_of(labels),
        start_time_unix_nano: sample.since,
        time_unix_nano: period.to,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn spread_of((labels, sample): (&Labels, &Sample), period: Period) -> Option<HistogramDataPoint> {
    let Value::Spread(spread) = &sample.value else { return None };
    let Distribution { bounds, counts, sum, exemplars } = spread;
    let new = exemplars.iter().filter(|exemplar| exemplar.at >= period.from);
    Some(HistogramDataPoint {
        attributes: attributes_of(labels),
        start_time_unix_nano: sample.since,
        time_unix_nano: period.to,
        count: spread.count(),
        sum: Some(*sum),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.clone(),
        exemplars: new.map(exemplar_of).collect(),
        ..HistogramDataPoint::default()
    })
}

fn exemplar_of(it: &Exemplar) -> proto::Exemplar {
    proto::Exemplar {
        time_unix_nano: it.at,
        trace_id: it.trace.bytes().to_vec(),
        span_id: it.span.bytes().to_vec(),
        value: Some(exemplar::Value::AsDouble(it.value)),
        ..proto::Exemplar::default()
    }
}

fn attributes_of(labels: &Labels) -> Vec<super::KeyValue> {
    labels.iter().map(|(label, value)| key_value(label, &Text::from(value.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::read;

    const TEXT: &str = "\
# HELP runs Runs.
# TYPE runs counter
runs_total{handler=\"dunning\"} 3
# HELP free_bytes Free.
# TYPE free_bytes gauge
# UNIT free_bytes bytes
free_bytes 0.5
# HELP run_seconds Time.
# TYPE run_seconds histogram
# UNIT run_seconds seconds
run_seconds_sum 4.5
run_seconds_count 3
run_seconds_bucket{le=\"1.0\"} 1 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",\
span_id=\"00f067aa0ba902b7\"} 0.5 1.5
run_seconds_bucket{le=\"2.0\"} 3 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",\
span_id=\"00f067aa0ba902b8\"} 2.0 0.9
run_seconds_bucket{le=\"+Inf\"} 3
# EOF
";

    /// Leave a field out of `metric_of` or what it calls, and it is missing here.
    #[test]
    fn a_metric_says_in_the_protocol_what_the_text_says() {
        let resource = [("service.name".to_owned(), "hookgate".to_owned())];
        let mut all = read(TEXT);
        for sample in all.iter_mut().flat_map(|metric| metric.series.values_mut()) {
            sample.since = 7;
        }
        let period = Period { from: 1_000_000_000, to: 9_000_000_000 };
        let body = metrics(&resource, &all, Temporality::Delta, period);

        let read = ExportMetricsServiceRequest::decode(&body[..]).unwrap();
        let [of_resource] = &read.resource_metrics[..] else { panic!("{read:?}") };
        assert_eq!(of_resource.resource.as_ref().unwrap().attributes.len(), 1);
        let [runs, free, times] = &of_resource.scope_metrics[0].metrics[..] else {
            panic!("{read:?}")
        };
        let names = [runs, free, times].map(|it| (it.name.as_str(), it.unit.as_str()));
        assert_eq!(names, [("runs_total", ""), ("free_bytes", "By"), ("run_seconds", "s")]);
        assert_eq!(runs.description, "Runs.");

        let Some(metric::Data::Sum(sum)) = &runs.data else { panic!("{runs:?}") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Delta);
        let [point] = &sum.data_points[..] else { panic!("{sum:?}") };
        assert_eq!(point.attributes[..], [key_value("handler", &Text::from("dunning"))]);
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (7, 9_000_000_000));
        assert_eq!(point.value, Some(number_data_point::Value::AsInt(3)));

        let Some(metric::Data::Gauge(gauge)) = &free.data else { panic!("{free:?}") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.5)));

        let Some(metric::Data::Histogram(times)) = &times.data else { panic!("{times:?}") };
        let [point] = &times.data_points[..] else { panic!("{times:?}") };
        assert_eq!((point.count, point.sum), (3, Some(4.5)));
        assert_eq!(point.bucket_counts, [1, 2, 0]);
        assert_eq!(point.explicit_bounds, [1.0, 2.0]);
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (7, 9_000_000_000));
        let [new] = &point.exemplars[..] else { panic!("one is older: {point:?}") };
        assert_eq!(new.time_unix_nano, 1_500_000_000);
        assert_eq!(hex::encode(&new.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(hex::encode(&new.span_id), "00f067aa0ba902b7");
        assert_eq!(new.value, Some(exemplar::Value::AsDouble(0.5)));
    }
}
