//! What comes out: a table for people and a file for programs, medians over the rounds.
//!
//! A ratio to a yardstick is the median of each round's own, because a noisy neighbour slows both.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::figure::{Against, Figure, Unit, Yardstick};

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
            for yardstick in Yardstick::ALL {
                if let Some(ratio) = self.ratio(row, yardstick) {
                    text += &format!("   {ratio:.2} {}", yardstick.shown());
                }
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
        let mut line = json!({
            "scenario": row.scenario,
            "what": row.what(),
            "values": values.collect::<Vec<_>>(),
        });
        for yardstick in Yardstick::ALL {
            line[yardstick.name()] = self.ratio(row, yardstick).into();
        }
        line
    }

    /// The median of a value, if its scenario was measured.
    pub(crate) fn value(&self, scenario: &str, what: &str, name: &str) -> Option<f64> {
        let row = self.row(scenario, what)?;
        let rounds: Vec<f64> = row.rounds.values().filter_map(|figure| figure.get(name)).collect();
        (!rounds.is_empty()).then(|| median(rounds))
    }

    /// What part of a yardstick a row comes to, if both were measured.
    pub(crate) fn part(&self, scenario: &str, what: &str, yardstick: Yardstick) -> Option<f64> {
        self.ratio(self.row(scenario, what)?, yardstick)
    }

    /// The most that a yardstick comes to with any number of connections.
    pub(crate) fn most(&self, yardstick: Yardstick) -> Option<f64> {
        let is = |row: &&Row| row.first().is.is_some_and(|(of, _)| of == yardstick);
        let first = |row: &Row| row.values().next().map(|(_, _, rounds)| median(rounds));
        self.rows.iter().filter(is).filter_map(first).reduce(f64::max)
    }

    fn row(&self, scenario: &str, what: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.scenario == scenario && row.what() == what)
    }

    /// The median of the ratios of a value to the yardstick of the same round.
    fn ratio(&self, row: &Row, yardstick: Yardstick) -> Option<f64> {
        let against = row.first().against.iter().find(|it| it.yardstick == yardstick)?;
        let ratio = |(round, figure): (&usize, &Figure)| {
            Some(figure.get(against.value)? / self.yardstick(*against, *round)?)
        };
        let ratios: Vec<f64> = row.rounds.iter().filter_map(ratio).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }

    /// What the yardstick came to in a round.
    fn yardstick(&self, against: Against, round: usize) -> Option<f64> {
        let mut figures = self.rows.iter().filter_map(|row| row.rounds.get(&round));
        let is = Some((against.yardstick, against.connections));
        Some(figures.find(|figure| figure.is == is)?.values.first()?.2)
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
        Figure::new("16 connections").value("", Unit::PerSecond, value)
    }

    #[test]
    fn a_ratio_is_to_the_ceiling_of_the_same_round() {
        let mut report = Report::default();
        for (round, ceiling, measured) in [(0, 100.0, 50.0), (1, 10.0, 1.0), (2, 200.0, 100.0)] {
            let ceiling = figure(ceiling).for_yardstick(Yardstick::Ceiling, 16);
            report.add("ceiling", round, vec![ceiling]);
            report.add("accepting", round, vec![figure(measured).of_ceiling("", 16)]);
        }
        assert_eq!(report.rows.len(), 2);
        assert_eq!(report.ratio(&report.rows[1], Yardstick::Ceiling), Some(0.5));
        assert_eq!(report.ratio(&report.rows[0], Yardstick::Ceiling), None);
        assert_eq!(report.ratio(&report.rows[1], Yardstick::Relay), None);
        assert!(report.table().contains("50/s   0.50 of the ceiling   (1/s to 100/s)"));
    }

    #[test]
    fn each_value_is_compared_with_its_own_ceiling() {
        let mut report = Report::default();
        let answering = figure(100.0).for_yardstick(Yardstick::Ceiling, 64);
        let relaying = figure(50.0).for_yardstick(Yardstick::Relay, 64);
        report.add("ceilings", 0, vec![answering]);
        report.add("relay", 0, vec![relaying]);
        let flooded = figure(40.0).value("delivered", Unit::PerSecond, 10.0);
        report.add("flooded", 0, vec![flooded.of_ceiling("", 64).of_relay("delivered", 64)]);
        let table = report.table();
        assert!(table.contains("0.40 of the ceiling   0.20 of the relay"), "{table}");
        let json = report.json(&report.rows[2]);
        assert_eq!((&json["of_ceiling"], &json["of_relay"]), (&json!(0.4), &json!(0.2)));
    }

    #[test]
    fn a_value_is_found_by_its_names() {
        let mut report = Report::default();
        for (round, value) in [(0, 3.0), (1, 1.0), (2, 2.0)] {
            report.add("flooded", round, vec![figure(value).value("p99", Unit::Milliseconds, 7.0)]);
        }
        assert_eq!(report.value("flooded", "16 connections", ""), Some(2.0));
        assert_eq!(report.value("flooded", "16 connections", "p99"), Some(7.0));
        assert_eq!(report.value("flooded", "16 connections", "p50"), None);
        assert_eq!(report.value("flooded", "64 connections", ""), None);
        assert_eq!(report.value("holding", "16 connections", ""), None);
        assert_eq!(report.most(Yardstick::Ceiling), None);

        for (connections, value) in [(16, 90.0), (64, 110.0), (256, 100.0)] {
            let ceiling = Figure::new(format!("{connections}")).value("", Unit::PerSecond, value);
            let ceiling = ceiling.for_yardstick(Yardstick::Ceiling, connections);
            report.add("ceiling", 0, vec![ceiling]);
        }
        assert_eq!(report.most(Yardstick::Ceiling), Some(110.0));
        assert_eq!(report.most(Yardstick::Relay), None);
    }

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
