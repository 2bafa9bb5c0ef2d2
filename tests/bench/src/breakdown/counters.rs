//! What the gateway has counted, from `/metrics`.
//!
//! Never reads a gauge: only what grows can be told for a time.

use std::collections::BTreeMap;

/// Each counter and the count of each histogram, over all labels.
pub(super) fn read(metrics: &str) -> BTreeMap<String, f64> {
    let mut counters = BTreeMap::new();
    for line in metrics.lines() {
        let Some((named, value)) = line.rsplit_once(' ') else { continue };
        let name = named.split('{').next().unwrap_or(named);
        let counts = name.ends_with("_total") || name.ends_with("_count");
        if let Ok(value) = value.parse::<f64>()
            && counts
        {
            *counters.entry(name.to_owned()).or_default() += value;
        }
    }
    counters
}

/// What has grown since `before`, and by how much.
pub(super) fn grown(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
) -> Vec<(String, f64)> {
    let by = |(name, value): (&String, &f64)| {
        let by = value - before.get(name).copied().unwrap_or_default();
        (by > 0.0).then(|| (name.clone(), by))
    };
    after.iter().filter_map(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_over_their_labels() {
        let text = "# TYPE hookgate_requests counter\n\
                    hookgate_requests_total{source=\"a b\",outcome=\"accepted\"} 5\n\
                    hookgate_requests_total{source=\"c\",outcome=\"accepted\"} 7\n\
                    hookgate_run_seconds_count 3\nhookgate_run_seconds_sum 0.5\n\
                    hookgate_backlog{source=\"c\"} 9\n# EOF\n";
        let counters = read(text);
        let expected = [("hookgate_requests_total", 12.0), ("hookgate_run_seconds_count", 3.0)];
        assert!(counters.iter().map(|(name, value)| (&**name, *value)).eq(expected));
    }

    #[test]
    fn only_what_has_grown_is_told() {
        let before = BTreeMap::from([("a".to_owned(), 5.0), ("b".to_owned(), 5.0)]);
        let mut after = before.clone();
        after.insert("b".into(), 7.5);
        after.insert("c".into(), 1.0);
        assert_eq!(grown(&before, &after), [("b".to_owned(), 2.5), ("c".to_owned(), 1.0)]);
    }
}
