//! What comes out: a table for people and a file for programs, medians over the rounds.
//!
//! A ratio to the ceiling is the median of each round's own, because a noisy neighbour slows both.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::figure::{Figure, Unit};
use crate::scenario::CEILING;

/// Figures of all rounds, in the order of the table.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// One line of the table: the figure of every round that measured it.
#[derive(Debug)]
struct Row {
    scenario: &'static str,
    rounds: BTreeMap<usize, Figure>,
}

impl Report {
    /// Adds what a scenario measured in a round.
    pub(crate) fn add(&mut self, scenario: &'static str, round: usize, figures: Vec<Figure>) {
        for figure in figures {
            let same = |row: &&mut Row| row.scenario == scenario && row.what() == figure.what;
            match self.rows.iter_mut().find(same) {
                Some(row) => drop(row.rounds.insert(round, figure)),
                None => {
                    let rounds = BTreeMap::from([(round, figure)]);
                    self.rows.push(Row { scenario, rounds });
                }
            }
        }
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut scenario = "";
        for row in &self.rows {
            if row.scenario != scenario {
                scenario = row.scenario;
                text += &format!("\n{scenario}\n");
            }
            let values = row.values().map(|(name, unit, rounds)| {
                let shown = unit.show(median(rounds));
                if name.is_empty() { shown } else { format!("{name} {shown}") }
            });
            let values: Vec<String> = values.collect();
            text += &format!("  {:<46}{}", row.what(), values.join("   "));
            if let Some(ratio) = self.ratio(row) {
                text += &format!("   {ratio:.2} of the ceiling");
            }
            if row.rounds.len() > 1
                && let Some((_, unit, rounds)) = row.values().next()
            {
                let (low, high) = (
                    rounds.iter().copied().reduce(f64::min),
                    rounds.iter().copied().reduce(f64::max),
                );
                let show = |value: Option<f64>| unit.show(value.unwrap_or_default());
                text += &format!("   ({} to {})", show(low), show(high));
            }
            text.push('\n');
        }
        text
    }

    /// Writes the same for programs.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let figures: Vec<Value> = self.rows.iter().map(|row| self.json(row)).collect();
        let cores = std::thread::available_parallelism()?;
        let report = json!({ "cores": cores, "figures": figures });
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
        Ok(())
    }

    fn json(&self, row: &Row) -> Value {
        let values = row.values().map(|(name, unit, rounds)| {
            json!({ "name": name, "unit": unit.name(), "median": median(rounds.clone()), "rounds": rounds })
        });
        json!({
            "scenario": row.scenario,
            "what": row.what(),
            "of_ceiling": self.ratio(row),
            "values": values.collect::<Vec<_>>(),
        })
    }

    /// The median of the ratios of the first value to the ceiling of the same round.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let ratio = |(round, figure): (&usize, &Figure)| {
            let ceiling = self.rows.iter().filter(|row| row.scenario == CEILING);
            let mut ceiling = ceiling.filter_map(|row| row.rounds.get(round));
            let ceiling = ceiling.find(|ceiling| ceiling.ceiling == figure.ceiling)?;
            Some(figure.values.first()?.2 / ceiling.values.first()?.2)
        };
        if row.scenario == CEILING || row.rounds.values().any(|figure| figure.ceiling.is_none()) {
            return None;
        }
        let ratios: Vec<f64> = row.rounds.iter().filter_map(ratio).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

impl Row {
    fn first(&self) -> &Figure {
        self.rounds.values().next().expect("a row begins with a figure")
    }

    fn what(&self) -> &str {
        &self.first().what
    }

    /// Each value's name and unit, and the value in every round.
    fn values(&self) -> impl Iterator<Item = (&'static str, Unit, Vec<f64>)> {
        self.first().values.iter().enumerate().map(|(index, (name, unit, _))| {
            let rounds = self.rounds.values().filter_map(|figure| figure.values.get(index));
            (*name, *unit, rounds.map(|(_, _, value)| *value).collect())
        })
    }
}

/// What lies in the middle; zero of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64) -> Figure {
        Figure::new("16 connections").value("", Unit::PerSecond, value).of_ceiling(16)
    }

    #[test]
    fn a_ratio_is_to_the_ceiling_of_the_same_round() {
        let mut report = Report::default();
        for (round, ceiling, measured) in [(0, 100.0, 50.0), (1, 10.0, 1.0), (2, 200.0, 100.0)] {
            report.add(CEILING, round, vec![figure(ceiling)]);
            report.add("accepting", round, vec![figure(measured)]);
        }
        assert_eq!(report.rows.len(), 2);
        assert_eq!(report.ratio(&report.rows[1]), Some(0.5));
        assert_eq!(report.ratio(&report.rows[0]), None);
        assert!(report.table().contains("50/s   0.50 of the ceiling   (1/s to 100/s)"));
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
