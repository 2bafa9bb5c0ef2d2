//! `make bench-compare`: revisions of the gateway, measured in turn, and how their figures differ.
//!
//! Each side is a folder with a revision's own programs and plugins, its benchmark among them, so
//! that a change of the store's format or of the contract stands in nobody's way. Where an older
//! benchmark lacks a scenario, the head's can measure all sides, unless it fills a store first.
//!
//! The sides take turns, scenario by scenario, because a noisy neighbour rarely stays for both
//! halves of a pair only to favour one. Never compares figures of different scenarios, and never a
//! figure that one side lacks.

mod side;
mod verdict;

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;

use self::side::Side;
use self::verdict::Comparison;
use crate::scenario::{ALL, Scenario};

/// What to compare, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The folder of the revision to compare with; give it again to compare with several, each of
    /// which takes its turn
    #[arg(long, required = true)]
    base: Vec<PathBuf>,
    /// The folder of the revision that is compared
    #[arg(long)]
    head: PathBuf,
    /// Only these scenarios; all that are measured in each round if left out
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measure all of them with the head's benchmark: for scenarios that the others lack. What
    /// runs in the benchmark itself (claiming, handling, fanout, kept) or fills a store is then
    /// the head's
    #[arg(long)]
    one_benchmark: bool,
    /// How many pairs of each scenario
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half of a pair measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

impl Compare {
    /// Measures, prints the table, and fails if a figure is worse by more than its spread.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        let side =
            |base: &PathBuf| Side::of(base, if self.one_benchmark { &self.head } else { base });
        let bases = self.base.iter().map(side).collect::<anyhow::Result<Vec<_>>>()?;
        let head = side(&self.head)?;
        let mut worse = 0;
        for scenario in self.scenarios()? {
            if let Some(base) = unknown(scenario.name, &bases)? {
                println!(
                    "\n{}: not compared, for there is no such scenario in {base}",
                    scenario.name
                );
                continue;
            }
            let comparisons = self.measure(scenario, &bases, &head)?;
            for (comparison, base) in comparisons.iter().zip(&self.base) {
                let against = base.file_name().unwrap_or_default().to_string_lossy();
                print!("{}", comparison.table(&format!("{} (against {against})", scenario.title)));
                worse += comparison.worse();
            }
        }
        match worse {
            0 => println!("\nno figure is worse by more than its spread"),
            1 => bail!("1 figure is worse by more than its spread"),
            more => bail!("{more} figures are worse by more than their spread"),
        }
        Ok(())
    }

    /// All pairs of one scenario: a comparison for each base.
    fn measure(
        &self,
        scenario: &Scenario,
        bases: &[Side],
        head: &Side,
    ) -> anyhow::Result<Vec<Comparison>> {
        let seconds = (self.seconds / scenario.parts).max(1);
        let mut comparisons: Vec<_> = bases.iter().map(|_| Comparison::default()).collect();
        for pair in 0..self.pairs {
            eprintln!("{}: pair {} of {}", scenario.name, pair + 1, self.pairs);
            // Whoever comes first may find the machine warmer or colder: each does in turn.
            let sides: Vec<&Side> = if pair % 2 == 0 {
                bases.iter().chain([head]).collect()
            } else {
                [head].into_iter().chain(bases).collect()
            };
            let measured = sides
                .into_iter()
                .map(|side| side.measure(scenario.name, seconds))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let (of_head, of_bases) = if pair % 2 == 0 {
                measured.split_last().expect("there is the head")
            } else {
                measured.split_first().expect("there is the head")
            };
            for (comparison, of_base) in comparisons.iter_mut().zip(of_bases) {
                comparison.add(of_base, of_head.clone());
            }
        }
        Ok(comparisons)
    }

    fn scenarios(&self) -> anyhow::Result<Vec<&'static Scenario>> {
        if self.only.is_empty() {
            return Ok(ALL.iter().filter(|it| it.is_in_each_round()).collect());
        }
        let named = |name: &String| {
            let found = ALL.iter().find(|it| it.name == name);
            found.ok_or_else(|| anyhow::anyhow!("there is no scenario `{name}`"))
        };
        self.only.iter().map(named).collect()
    }
}

/// A side whose benchmark lacks the scenario, if there is one.
fn unknown<'a>(scenario: &str, sides: &'a [Side]) -> anyhow::Result<Option<&'a Side>> {
    for side in sides {
        if !side.knows(scenario)? {
            return Ok(Some(side));
        }
    }
    Ok(None)
}
