//! `make bench-isolation`: what those who behave keep, beside those who do not.
//!
//! Each experiment measures the same traffic with and without trouble, in turn, and holds the
//! median of the ratios to a bound. All limits of the gateway are the defaults. Never measures the
//! trouble itself, except how long it stays.

mod endpoints;
mod forged;
mod hostile;
mod peers;
mod spinning;
mod trouble;

use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bar::Bound;
use crate::gateway::Workplace;

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Isolation {
    /// Only these: endpoints, peers, forged, spinning, hostile
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
    Experiment {
        name: "hostile",
        title: "plugins that do all that one can do wrong, at once: delivered by others",
        bound: Bound::Rate(0.9),
        run: hostile::measure,
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
