//! What is rendered is read, line by line.

use std::time::Duration;

use super::*;
use crate::metrics::{Answered, Kind, Metrics, PluginUse};
use crate::plugin::{CallUsage, Most, TIMES, Usage};
use crate::retry::Outcome;

/// Metrics of each kind, with and without labels and units.
fn counted() -> Metrics {
    let metrics = Metrics::new();
    let stripe = "stripe".parse().unwrap();
    metrics.request(&stripe, Answered::Accepted, Duration::from_millis(3));
    metrics.request(&stripe, Answered::Refused, Duration::from_secs(90));
    metrics.endpoint_concurrency(&stripe, 1);
    metrics.attempt(&stripe, &Outcome::Success, Duration::ZERO);
    metrics.set_paused(Kind::Run, &stripe, true);
    metrics.set_disk(7, 8, true);
    let time = Duration::from_millis(1_500);
    let (failed, times) = (1, [0; TIMES]);
    let runs =
        CallUsage { fresh: 3, reused: 2, failed, time, longest: time, deadline: time, times };
    let most = Most { used: 1, limit: 4 };
    let usage = Usage {
        claims: None,
        parses: None,
        runs: Some(runs),
        memory: most,
        log_lines: most,
        dropped_log_lines: 7,
        effects: None,
    };
    // Nothing may be called so; the text has to be read all the same.
    let plugin = "a \"quote\", a \\ and\na line = {x} # 1".to_owned();
    metrics.set_plugins(vec![PluginUse { plugin, usage, state: None }]);
    metrics
}

fn labels(labels: &[(String, String)]) -> String {
    let escaped = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    let label = |(name, value): &(String, String)| format!("{name}=\"{}\"", escaped(value));
    let all: Vec<String> = labels.iter().map(label).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// The samples of a metric as lines.
fn lines(metric: &Metric) -> Vec<String> {
    let mut lines = Vec::new();
    for (of, sample) in &metric.series {
        match &sample.value {
            Value::Whole(number) => lines.push(format!("{}{} {number}", metric.name, labels(of))),
            Value::Real(number) => lines.push(format!("{}{} {number:?}", metric.name, labels(of))),
            Value::Spread(spread) => {
                assert_eq!(spread.counts.len(), spread.bounds.len() + 1);
                let name = &metric.name;
                lines.push(format!("{name}_sum{} {:?}", labels(of), spread.sum));
                lines.push(format!("{name}_count{} {}", labels(of), spread.count()));
                let bounds = spread.bounds.iter().map(|bound| format!("{bound:?}"));
                let mut up_to = 0;
                for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&spread.counts) {
                    up_to += count;
                    let of = [&[("le".to_owned(), bound)][..], &of[..]].concat();
                    lines.push(format!("{name}_bucket{} {up_to}", labels(&of)));
                }
            }
        }
    }
    lines
}

/// Take any arm out of `Metric::add`, or an escape out of `quoted`, and lines are missing.
#[test]
fn every_line_is_read_and_nothing_else() {
    let text = counted().render();
    let metrics = read(&text);
    let mut read: Vec<String> = metrics.iter().flat_map(lines).collect();
    let mut rendered: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    read.sort();
    rendered.sort_unstable();
    assert_eq!(read, rendered);
    assert_eq!(metrics.len(), text.matches("# TYPE ").count());
}

#[test]
fn a_metric_says_what_it_is() {
    let metrics = read(&counted().render());
    let of = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    let requests = of("hookgate_requests_total");
    assert_eq!((requests.kind, requests.unit.as_deref()), (MetricKind::Counter, None));
    assert_eq!(requests.help, "Requests to sources, by answer.");
    let free = of("hookgate_disk_free_bytes");
    assert_eq!((free.kind, free.unit.as_deref()), (MetricKind::Gauge, Some("bytes")));
    let ingest = of("hookgate_ingest_seconds");
    assert_eq!((ingest.kind, ingest.unit.as_deref()), (MetricKind::Histogram, Some("seconds")));
    let Value::Spread(spread) = &ingest.series[&Labels::new()].value else { panic!("{ingest:?}") };
    assert_eq!((spread.count(), spread.sum), (2, 90.003));
    assert_eq!(spread.counts.last(), Some(&1), "more than half a minute");
}

#[test]
fn what_has_grown_is_the_difference_and_what_has_begun_anew_has_none() {
    let spread = |counts: [u64; 2], sum| {
        let (bounds, counts) = (vec![1.0], counts.to_vec());
        Value::Spread(Distribution { bounds, counts, sum, exemplars: Vec::new() })
    };
    for (now, before, grown) in [
        (Value::Whole(5), Value::Whole(3), Some(Value::Whole(2))),
        (Value::Whole(2), Value::Whole(3), None),
        (Value::Real(1.5), Value::Real(0.5), Some(Value::Real(1.0))),
        (Value::Real(0.5), Value::Real(1.5), None),
        (spread([3, 2], 4.0), spread([1, 2], 3.0), Some(spread([2, 0], 1.0))),
        (spread([3, 1], 4.0), spread([1, 2], 3.0), None),
        (Value::Whole(5), Value::Real(3.0), None),
    ] {
        assert_eq!(now.grown(&before), grown, "{now:?} behind {before:?}");
        if let Some(grown) = grown {
            let mut sum = before.clone();
            sum.grow(grown);
            assert_eq!(sum, now);
        }
    }
}

#[test]
fn an_info_is_a_gauge() {
    let text = "# HELP build Build.\n# TYPE build info\nbuild_info{version=\"1.0\"} 1\n# EOF\n";
    let metrics = read(text);
    let [metric] = &metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((metric.name.as_str(), metric.kind), ("build_info", MetricKind::Gauge));
    assert_eq!(metric.series.values().next().unwrap().value, Value::Whole(1));
}

#[test]
fn what_is_not_in_the_form_is_not_read() {
    let text = "a 1\n# HELP a A.\n# TYPE a counter\na_total{b=\"c} 1\nb_total 1\na_total x\na 1\n";
    let metrics = read(text);
    let [metric] = &metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((metric.name.as_str(), metric.series.len()), ("a_total", 0));
}
