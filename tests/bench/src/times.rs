//! How long things took: exact percentiles of all samples.
//!
//! Keeps every sample; a run of seconds has few enough of them. Never rounds into buckets.

use std::time::Duration;

/// Durations, in any order.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What half stay below; zero without samples.
    pub(crate) fn median(&self) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// In milliseconds: what half, 90 and 99 % stay below, and the longest. Zeros without samples.
    pub(crate) fn percentiles(mut self) -> [(&'static str, f64); 4] {
        self.0.sort_unstable();
        let at = |share: f64| {
            let index = (self.0.len() as f64 * share) as usize;
            let time = self.0.get(index.min(self.0.len().saturating_sub(1)));
            time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("max", at(1.0))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact() {
        let mut times = Times::default();
        (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        let expected = [("p50", 101.0), ("p90", 181.0), ("p99", 199.0), ("max", 200.0)];
        assert_eq!(times.median(), Duration::from_millis(101));
        assert_eq!(times.percentiles(), expected);
    }
}
