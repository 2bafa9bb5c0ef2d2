//! What has grown from one reading of the metrics to the next, and since when each series counts.
//!
//! A counter begins anew where what it counts does: a plugin that is replaced. Values. Never reads
//! a metric by itself, and never a clock.

use std::collections::BTreeMap;

use crate::metrics::{Labels, Metric, MetricKind, Sample};

/// Most series that are owed and gone. Endpoints come and go for as long as the collector is away.
const GONE_MAX: usize = 10_000;

/// All metrics at one time.
#[derive(Debug)]
pub(super) struct Reading {
    /// In nanoseconds since 1970.
    pub(super) at: u64,
    pub(super) metrics: Vec<Metric>,
}

impl Reading {
    fn series(&self, name: &str) -> Option<&BTreeMap<Labels, Sample>> {
        self.metrics.iter().find(|metric| metric.name == name).map(|metric| &metric.series)
    }

    /// Says of each series since when it counts: since the reading before, if it was not there then
    /// or has begun anew.
    pub(super) fn date(&mut self, before: &Self) {
        for metric in self.metrics.iter_mut().filter(|metric| metric.kind != MetricKind::Gauge) {
            let all = before.series(&metric.name);
            for (labels, sample) in &mut metric.series {
                let last = all.and_then(|all| all.get(labels));
                let same = last.filter(|last| sample.value.grown(&last.value).is_some());
                sample.since = same.map_or(before.at, |same| same.since);
            }
        }
    }

    /// Adds to `owed` what has grown since the reading before. Of gauges it has what they say now.
    /// Of series that are gone it has none where there are too many.
    pub(super) fn owe(&self, before: &Self, owed: &mut Vec<Metric>) {
        owed.retain(|metric| metric.kind != MetricKind::Gauge);
        for metric in &self.metrics {
            if metric.kind == MetricKind::Gauge {
                owed.push(metric.clone());
                continue;
            }
            let known = owed.iter().position(|known| known.name == metric.name);
            let at = known.unwrap_or(owed.len());
            if known.is_none() {
                owed.push(Metric { series: BTreeMap::new(), ..metric.clone() });
            }
            let (all, kept) = (before.series(&metric.name), &mut owed[at].series);
            for (labels, sample) in &metric.series {
                let last = all.and_then(|all| all.get(labels));
                let grown = last.and_then(|last| sample.value.grown(&last.value));
                let grown = grown.unwrap_or_else(|| sample.value.clone());
                match kept.get_mut(labels) {
                    Some(kept) => kept.value.grow(grown),
                    None => {
                        let sample = Sample { since: before.at, value: grown };
                        kept.insert(labels.clone(), sample);
                    }
                }
            }
        }
        self.bound(owed);
    }

    /// Lets go of what is owed of series that are gone, if there are too many.
    fn bound(&self, owed: &mut [Metric]) {
        let is_there = |name: &str, labels: &Labels| {
            self.series(name).is_some_and(|series| series.contains_key(labels))
        };
        let gone = |metric: &Metric| {
            metric.series.keys().filter(|labels| !is_there(&metric.name, labels)).count()
        };
        if owed.iter().map(gone).sum::<usize>() > GONE_MAX {
            for Metric { name, series, .. } in owed {
                series.retain(|labels, _| is_there(name, labels));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Value, read};

    fn reading(at: u64, text: &str) -> Reading {
        let text = format!("# HELP runs Runs.\n# TYPE runs counter\n{text}\n");
        Reading { at, metrics: read(&text) }
    }

    fn told(metrics: &[Metric]) -> Vec<(u64, Value)> {
        let samples = metrics.iter().flat_map(|metric| metric.series.values());
        samples.map(|sample| (sample.since, sample.value.clone())).collect()
    }

    /// Take the `filter` out of `date`, and a counter that begins anew seems to have gone back.
    #[test]
    fn a_series_counts_since_it_was_not_there_or_began_anew() {
        let nothing = Reading { at: 10, metrics: Vec::new() };
        let mut first = reading(20, "runs_total{plugin=\"a\"} 5");
        first.date(&nothing);
        assert_eq!(told(&first.metrics), [(10, Value::Whole(5))]);
        let mut second = reading(30, "runs_total{plugin=\"a\"} 7\nruns_total{plugin=\"b\"} 1");
        second.date(&first);
        assert_eq!(told(&second.metrics), [(10, Value::Whole(7)), (20, Value::Whole(1))]);
        let mut third = reading(40, "runs_total{plugin=\"a\"} 2\nruns_total{plugin=\"b\"} 1");
        third.date(&second);
        assert_eq!(told(&third.metrics), [(30, Value::Whole(2)), (20, Value::Whole(1))]);
    }

    /// Measure from what the collector took last instead, and the 7 of `a` are lost.
    #[test]
    fn what_is_owed_outlives_a_counter_that_begins_anew_and_one_that_is_gone() {
        let mut owed = Vec::new();
        let readings = [
            Reading { at: 10, metrics: Vec::new() },
            reading(20, "runs_total{plugin=\"a\"} 5\nruns_total{plugin=\"b\"} 1"),
            reading(30, "runs_total{plugin=\"a\"} 7\nruns_total{plugin=\"b\"} 3"),
            reading(40, "runs_total{plugin=\"a\"} 2"),
        ];
        for pair in readings.windows(2) {
            pair[1].owe(&pair[0], &mut owed);
        }
        assert_eq!(told(&owed), [(10, Value::Whole(9)), (10, Value::Whole(3))]);

        owed.clear();
        reading(50, "runs_total{plugin=\"a\"} 6").owe(&readings[3], &mut owed);
        assert_eq!(told(&owed), [(40, Value::Whole(4))]);
    }

    /// Take `bound` out of `owe`, and whoever makes endpoints and deletes them fills the memory
    /// while the collector is away.
    #[test]
    fn what_is_owed_of_series_that_are_gone_has_a_bound() {
        let (mut owed, mut before) = (Vec::new(), Reading { at: 0, metrics: Vec::new() });
        let mut most = 0;
        for round in 1..=3 {
            let of = |it: usize| format!("runs_total{{plugin=\"p{round}-{it}\"}} 1\n");
            let series: String = (0..GONE_MAX * 2 / 3).map(of).collect();
            let now = reading(round, &format!("{series}runs_total{{plugin=\"a\"}} {round}"));
            now.owe(&before, &mut owed);
            most = most.max(owed[0].series.len());
            before = now;
        }
        assert!(most <= GONE_MAX * 5 / 3, "{most}");
        let a = &owed[0].series[&vec![("plugin".to_owned(), "a".to_owned())]];
        assert_eq!(a.value, Value::Whole(3), "what is there is owed whole");
    }

    #[test]
    fn of_a_gauge_the_last_value_counts() {
        let gauge = |at, text: &str| {
            let text = format!("# HELP open Open.\n# TYPE open gauge\n{text}\n");
            Reading { at, metrics: read(&text) }
        };
        let (one, other) = (gauge(10, "open 5"), gauge(20, "open 3"));
        let mut owed = Vec::new();
        one.owe(&Reading { at: 0, metrics: Vec::new() }, &mut owed);
        other.owe(&one, &mut owed);
        assert_eq!(told(&owed), [(0, Value::Whole(3))]);
        Reading { at: 30, metrics: Vec::new() }.owe(&other, &mut owed);
        assert!(told(&owed).is_empty());
    }
}
