//! What `make bench` is to come to on two cores, with all limits at their defaults.
//!
//! A rate is for a machine on which a server that only answers does 85,000/s, and less where that
//! does less: the goal shrinks with it. Nothing else does. Never judges what was not measured.

use crate::bar::{Bars, Limit};
use crate::figure::{Unit, Yardstick};
use crate::report::Report;
use crate::scenario::ALL;

/// What the ceiling must come to for rates to be judged as they stand.
const CEILING: f64 = 85_000.0;

/// One of them.
struct Goal {
    /// The scenario's name, the line in the table, and what of it.
    scenario: &'static str,
    what: &'static str,
    of: Of,
    limit: Limit,
    /// What is hoped for.
    stretch: Option<f64>,
}

/// What of a line is judged.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// A value, by its name.
    Value(&'static str, Unit),
    /// Its part of a yardstick.
    Part(Yardstick),
}

const DRAINED: &str = "afterwards, with nothing coming in";
const ALONE: &str = "without a handler";
const HANDLED: &str = "with a handler in between";
const RECEIVED: &str = "1000/s, received";
const FRESH: &str = "in the sandbox, a fresh instance each";

const GOALS: &[Goal] = &[
    Goal::rate("holding", ALONE, "", 10_000.0).stretched(14_000.0),
    Goal::rate("holding", HANDLED, "", 7_000.0).stretched(9_000.0),
    Goal::part("holding", ALONE, Yardstick::Relay, 0.25).stretched(0.35),
    Goal::at_most("holding", ALONE, Of::Value("idle", Unit::Percent), 10.0),
    Goal::at_most("holding", HANDLED, Of::Value("idle", Unit::Percent), 10.0),
    Goal::rate("flooded", DRAINED, "delivered", 10_000.0).stretched(14_000.0),
    Goal::rate("flooded-handler", DRAINED, "delivered", 7_000.0).stretched(9_000.0),
    Goal::rate("flooded", "64 connections", "delivered", 4_000.0),
    Goal::rate("flooded-handler", "64 connections", "delivered", 2_500.0),
    Goal::part("accepting", "256 connections", Yardstick::Ceiling, 0.35).stretched(0.40),
    Goal::part("accepting", "16 connections", Yardstick::Ceiling, 0.15),
    Goal::remembered("10,000,000"),
    Goal::remembered("10,000,000, from receipts of ten"),
    Goal::at_most("claiming", FRESH, Of::Value("p50", Unit::Microseconds), 8.5).stretched(8.0),
    Goal::at_most("handling", FRESH, Of::Value("p50", Unit::Microseconds), 12.0).stretched(8.0),
    Goal::at_most("handling", FRESH, Of::Value("p99", Unit::Microseconds), 100.0),
    Goal::at_most("delivered", RECEIVED, Of::Value("p50", Unit::Milliseconds), 1.5),
    Goal::at_most("delivered", RECEIVED, Of::Value("p99", Unit::Milliseconds), 7.0),
    Goal::at_most("handled", RECEIVED, Of::Value("p50", Unit::Milliseconds), 2.2),
    Goal::at_most("handled", RECEIVED, Of::Value("p99", Unit::Milliseconds), 9.0),
];

/// Prints each that can be judged with PASS or FAIL.
pub(crate) fn judge(report: &Report) -> Bars {
    let mut bars = Bars::default();
    let found: Vec<(&Goal, f64)> =
        GOALS.iter().filter_map(|goal| Some((goal, goal.figure(report)?))).collect();
    if found.is_empty() {
        return bars;
    }
    let scale = scale(report.most(Yardstick::Ceiling));
    println!("\ngoals, rates times {scale:.2} by the ceiling");
    for (goal, figure) in found {
        bars.judge(&goal.shown(), goal.unit(), figure, goal.limits(scale));
    }
    bars
}

/// What rates are multiplied with where the ceiling comes to this.
fn scale(ceiling: Option<f64>) -> f64 {
    ceiling.map_or(1.0, |ceiling| (ceiling / CEILING).min(1.0))
}

impl Goal {
    const fn at_most(scenario: &'static str, what: &'static str, of: Of, most: f64) -> Self {
        Self { scenario, what, of, limit: Limit::AtMost(most), stretch: None }
    }

    const fn at_least(scenario: &'static str, what: &'static str, of: Of, least: f64) -> Self {
        Self { scenario, what, of, limit: Limit::AtLeast(least), stretch: None }
    }

    const fn rate(
        scenario: &'static str,
        what: &'static str,
        name: &'static str,
        least: f64,
    ) -> Self {
        Self::at_least(scenario, what, Of::Value(name, Unit::PerSecond), least)
    }

    const fn part(scenario: &'static str, what: &'static str, of: Yardstick, least: f64) -> Self {
        Self::at_least(scenario, what, Of::Part(of), least)
    }

    /// Of the rate with no ids, with so many.
    const fn remembered(ids: &'static str) -> Self {
        let of = Of::Value("of the rate with none", Unit::Ratio);
        Self::at_least("remembering", ids, of, 0.9)
    }

    const fn stretched(self, stretch: f64) -> Self {
        Self { stretch: Some(stretch), ..self }
    }

    fn figure(&self, report: &Report) -> Option<f64> {
        let scenario = ALL.iter().find(|it| it.name == self.scenario)?;
        match self.of {
            Of::Value(name, _) => report.value(scenario.title, self.what, name),
            Of::Part(yardstick) => report.part(scenario.title, self.what, yardstick),
        }
    }

    fn unit(&self) -> Unit {
        match self.of {
            Of::Value(_, unit) => unit,
            Of::Part(_) => Unit::Ratio,
        }
    }

    /// The limit and the stretch, at this scale of the ceiling.
    fn limits(&self, scale: f64) -> (Limit, Option<Limit>) {
        let scale = if self.unit() == Unit::PerSecond { scale } else { 1.0 };
        match self.limit {
            Limit::AtMost(most) => (Limit::AtMost(most), self.stretch.map(Limit::AtMost)),
            Limit::AtLeast(least) => {
                let stretch = self.stretch.map(|stretch| Limit::AtLeast(stretch * scale));
                (Limit::AtLeast(least * scale), stretch)
            }
        }
    }

    fn shown(&self) -> String {
        let of = match self.of {
            Of::Value(name, _) => name,
            Of::Part(yardstick) => yardstick.shown(),
        };
        format!("{}, {}, {of}", self.scenario, self.what).trim_end_matches(", ").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figure;

    fn title(name: &str) -> &'static str {
        ALL.iter().find(|it| it.name == name).unwrap().title
    }

    #[test]
    fn every_goal_is_of_a_scenario() {
        assert!(GOALS.iter().all(|goal| ALL.iter().any(|it| it.name == goal.scenario)));
    }

    #[test]
    fn a_rate_shrinks_with_the_ceiling_and_does_not_grow_with_it() {
        assert_eq!(scale(None), 1.0);
        assert_eq!(scale(Some(170_000.0)), 1.0);
        assert_eq!(scale(Some(42_500.0)), 0.5);
        let rate = Goal::rate("holding", ALONE, "", 10_000.0).stretched(14_000.0);
        let limits = (Limit::AtLeast(5_000.0), Some(Limit::AtLeast(7_000.0)));
        assert_eq!(rate.limits(0.5), limits);
        let part = Goal::part("holding", ALONE, Yardstick::Relay, 0.25);
        assert_eq!(part.limits(0.5), (Limit::AtLeast(0.25), None));
        let time = Goal::at_most("x", "y", Of::Value("p50", Unit::Milliseconds), 1.5);
        assert_eq!(time.stretched(1.0).limits(0.5), (Limit::AtMost(1.5), Some(Limit::AtMost(1.0))));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert!(judge(&Report::default()).all_hold().is_ok());
        let mut report = Report::default();
        let slow = Figure::new(ALONE).value("", Unit::PerSecond, 4_950.0);
        report.add(title("holding"), 0, vec![slow.of_relay("", 64)]);
        let missed = judge(&report).all_hold().unwrap_err().to_string();
        assert_eq!(missed, "not within the bar: holding, without a handler");

        // Half of the ceiling that the rate is for, so half of the rate.
        let half = Figure::new("64 connections").value("", Unit::PerSecond, 41_650.0);
        report.add(title("ceiling"), 0, vec![half.for_yardstick(Yardstick::Ceiling, 64)]);
        assert!(judge(&report).all_hold().is_ok());
    }
}
