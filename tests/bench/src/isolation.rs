//! `make bench-isolation`: what those who behave keep, beside those who do not.
//!
//! Each experiment measures the same traffic with and without trouble, in turn, and holds the
//! median of the ratios to a bound. All limits of the gateway are the defaults. Never measures the
//! trouble itself, except how long it stays.

mod endpoints;
mod forged;
mod peers;
mod spinning;
mod trouble;

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::gateway::Workplace;
use crate::report::median;
use crate::times::Times;

/// Latencies that differ by less count as equal.
const EQUAL_BELOW_MS: f64 = 2.0;

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Isolation {
    /// Only these: endpoints, peers, forged, spinning
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How many pairs of each, one half with trouble and one without
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// Something that must not cost others much.
struct Experiment {
    name: &'static str,
    title: &'static str,
    bound: Bound,
    run: fn(&Workplace, Trouble, Duration) -> anyhow::Result<f64>,
}

/// Whether the trouble is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Absent,
    Present,
}

/// What is measured, and how it may change with trouble.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// The 99th percentile in milliseconds, at most so many times as long.
    P99(f64),
    /// A rate, at least so much of it.
    Rate(f64),
}

const ALL: &[Experiment] = &[
    Experiment {
        name: "endpoints",
        title: "20 endpoints that never answer beside 20 that do, 300 events/s: delivered, p99",
        bound: Bound::P99(1.3),
        run: endpoints::measure,
    },
    Experiment {
        name: "peers",
        title: "2,000 idle connections, 200 slow and 200 that never read: another source, p99",
        bound: Bound::P99(1.5),
        run: peers::measure,
    },
    Experiment {
        name: "forged",
        title: "32 connections of forged megabytes to one source: another source, p99",
        bound: Bound::P99(2.0),
        run: forged::measure,
    },
    Experiment {
        name: "spinning",
        title: "two handlers and a provider that never return: delivered by others",
        bound: Bound::Rate(0.9),
        run: spinning::measure,
    },
];

impl Isolation {
    /// Measures, prints, and fails if a bound does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        let descriptors = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors })?;
        let workplace = Workplace::new()?;
        let mut broken = Vec::new();
        for experiment in self.experiments()? {
            let mut pairs = Vec::new();
            for pair in 0..self.pairs {
                eprintln!("{}: pair {} of {}", experiment.name, pair + 1, self.pairs);
                pairs.push(self.pair(experiment, &workplace, pair)?);
            }
            println!("{}", experiment.title);
            if !experiment.bound.judge(&pairs) {
                broken.push(experiment.name);
            }
        }
        match broken[..] {
            [] => Ok(()),
            _ => bail!("not within the bound: {}", broken.join(", ")),
        }
    }

    fn pair(
        &self,
        experiment: &Experiment,
        workplace: &Workplace,
        pair: usize,
    ) -> anyhow::Result<(f64, f64)> {
        let measure =
            |trouble| (experiment.run)(workplace, trouble, Duration::from_secs(self.seconds));
        // Whoever comes first may find the machine warmer or colder: each does in turn.
        if pair.is_multiple_of(2) {
            let alone = measure(Trouble::Absent)?;
            return Ok((alone, measure(Trouble::Present)?));
        }
        let beside = measure(Trouble::Present)?;
        Ok((measure(Trouble::Absent)?, beside))
    }

    fn experiments(&self) -> anyhow::Result<Vec<&'static Experiment>> {
        if self.only.is_empty() {
            return Ok(ALL.iter().collect());
        }
        let named = |name: &String| {
            let found = ALL.iter().find(|it| it.name == name);
            found.ok_or_else(|| anyhow!("there is no experiment `{name}`"))
        };
        self.only.iter().map(named).collect()
    }
}

impl Bound {
    /// Prints what the pairs come to, and says whether that is within the bound.
    fn judge(self, pairs: &[(f64, f64)]) -> bool {
        let ratios: Vec<f64> = pairs.iter().map(|(alone, beside)| beside / alone).collect();
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = median(ratios);
        let (alone, beside): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (alone, beside) = (median(alone), median(beside));
        let (unit, bound, holds) = match self {
            Self::P99(most) => {
                let equal = beside - alone < EQUAL_BELOW_MS;
                ("ms", format!("at most {most}"), ratio <= most || equal)
            }
            Self::Rate(least) => ("/s", format!("at least {least}"), ratio >= least),
        };
        let verdict = if holds { "holds" } else { "DOES NOT HOLD" };
        println!(
            "  alone {alone:.2} {unit}   beside {beside:.2} {unit}   ratio {ratio:.2} \
             ({low:.2} to {high:.2}), {bound}: {verdict}"
        );
        holds
    }
}

/// The 99th percentile in milliseconds.
fn p99(times: Times) -> f64 {
    let found = times.percentiles().into_iter().find(|(name, _)| *name == "p99");
    found.map_or(0.0, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_by_the_median_of_the_ratios() {
        let pairs = [(10.0, 12.0), (10.0, 50.0), (10.0, 12.5)];
        assert!(Bound::P99(1.3).judge(&pairs));
        assert!(!Bound::P99(1.2).judge(&pairs));
        assert!(Bound::Rate(0.9).judge(&[(100.0, 95.0)]));
        assert!(!Bound::Rate(0.9).judge(&[(100.0, 85.0)]));
    }

    #[test]
    fn latencies_that_hardly_differ_count_as_equal() {
        assert!(Bound::P99(1.3).judge(&[(1.0, 2.5)]));
        assert!(!Bound::P99(1.3).judge(&[(1.0, 3.5)]));
    }
}
