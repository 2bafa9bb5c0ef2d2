//! `make bench-plugins`: what plugins that come and go cost those who use others.
//!
//! `starting` starts a gateway with thirty plugins, with and without their compiled code;
//! `swapping` replaces a handler again and again while events go through it. All limits of the
//! gateway are the defaults, unless somebody asks what others would do. Never measures one beside
//! the other.

mod batches;
mod starting;
mod swapping;

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};

use self::swapping::Swapping;
pub(crate) use self::swapping::edition;
use crate::bar::Bars;
use crate::gateway::Workplace;

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Plugins {
    /// Only these
    #[arg(long, value_name = "NAME", value_enum)]
    only: Vec<Experiment>,
    /// How often the gateway starts with compiled code
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// How many pairs, one half with a handler that stays and one with one that is replaced
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// How many events each request brings where a handler is replaced; with 1 each is posted by
    /// itself
    #[arg(long, value_name = "EVENTS", default_value_t = 10)]
    together: usize,
    /// Other limits where a handler is replaced, such as `runs_per_handler = 32`, to see what they
    /// do: the bar is about the defaults
    #[arg(long, value_name = "TOML", default_value = "", hide_default_value = true)]
    limits: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Experiment {
    Starting,
    Swapping,
}

impl Plugins {
    /// Measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.starts > 0 && self.pairs > 0, "there must be at least one start and one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        let workplace = Workplace::new()?;
        let time = Duration::from_secs(self.seconds);
        let wanted = |it| self.only.is_empty() || self.only.contains(&it);
        let mut bars = Bars::default();
        if wanted(Experiment::Starting) {
            starting::measure(&workplace, self.starts, &mut bars)?;
        }
        if wanted(Experiment::Swapping) {
            let (pairs, together, limits) = (self.pairs, self.together, self.limits.as_str());
            Swapping { pairs, time, together, limits }.measure(&workplace, &mut bars)?;
        }
        bars.all_hold()
    }
}

/// A time in milliseconds.
fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        plugins: Plugins,
    }

    #[test]
    fn everything_is_measured_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.plugins);
        let plugins = parse(&["bench"]).unwrap();
        assert!(plugins.only.is_empty() && plugins.starts > 1 && plugins.pairs > 1);
        assert!(plugins.limits.is_empty(), "the bar is about the defaults");
        let plugins = parse(&["bench", "--only", "swapping", "--pairs", "1"]).unwrap();
        assert_eq!((&plugins.only[..], plugins.pairs), (&[Experiment::Swapping][..], 1));
        assert!(parse(&["bench", "--only", "stopping"]).is_err());
    }
}
