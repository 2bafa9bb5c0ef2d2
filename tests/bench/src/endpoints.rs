//! `make bench-endpoints`: many endpoints, and many of them bad.
//!
//! `hung-endpoints` has 500, of which 50 hang and 50 fail, and measures those that do not; then the
//! bad ones recover. `tenants` has ten thousand of a thousand tenants, and measures what ten of one
//! tenant have too. All limits of the gateway are the defaults. Each measures with and without in
//! turn, and never beside anything else.

mod hung;
mod recovering;
mod tenants;

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bar::Bars;
use crate::gateway::Workplace;

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Endpoints {
    /// Only these
    #[arg(long, value_name = "NAME", value_enum)]
    only: Vec<Experiment>,
    /// How many pairs of each
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many tenants there are, each with ten endpoints
    #[arg(long, default_value_t = 1000)]
    tenants: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Experiment {
    HungEndpoints,
    Tenants,
}

impl Endpoints {
    /// Measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        ensure!((1..=9999).contains(&self.tenants), "there must be 1 to 9999 tenants");
        let descriptors = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors })?;
        let workplace = Workplace::new()?;
        let time = Duration::from_secs(self.seconds);
        let wanted = |it| self.only.is_empty() || self.only.contains(&it);
        let mut bars = Bars::default();
        if wanted(Experiment::HungEndpoints) {
            hung::measure(&workplace, self.pairs, time, &mut bars)?;
        }
        if wanted(Experiment::Tenants) {
            tenants::measure(&workplace, self.tenants, self.pairs, time, &mut bars)?;
        }
        bars.all_hold()
    }
}

/// Measures two in turn, so often: whoever comes first may find the machine warmer or colder.
fn in_turn<M>(
    pairs: usize,
    mut measure: impl FnMut(Half, usize) -> anyhow::Result<M>,
) -> anyhow::Result<Vec<(M, M)>> {
    let mut measured = Vec::new();
    for pair in 0..pairs {
        eprintln!("pair {} of {pairs}", pair + 1);
        measured.push(if pair.is_multiple_of(2) {
            let plain = measure(Half::Plain, pair)?;
            (plain, measure(Half::Burdened, pair)?)
        } else {
            let burdened = measure(Half::Burdened, pair)?;
            (measure(Half::Plain, pair)?, burdened)
        });
    }
    Ok(measured)
}

/// Which half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Plain,
    Burdened,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_comes_first_in_turn_and_stands_in_its_place() {
        let mut order = Vec::new();
        let measured = in_turn(2, |half, _| {
            order.push(half);
            Ok(half)
        });
        assert_eq!(measured.unwrap(), [(Half::Plain, Half::Burdened); 2]);
        assert_eq!(order, [Half::Plain, Half::Burdened, Half::Burdened, Half::Plain]);
    }
}
