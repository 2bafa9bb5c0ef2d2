//! Bars: what a figure must stay within, and whether it does.
//!
//! Prints each figure with its bar and PASS or FAIL. Never measures anything.

use anyhow::bail;

use crate::figure::Unit;
use crate::report::median;
use crate::times::Times;

/// Latencies that differ by less count as equal.
const EQUAL_BELOW_MS: f64 = 2.0;

/// What pairs measure, and how it may change beside trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// The 99th percentile in milliseconds, at most so many times as long.
    P99(f64),
    /// A rate, at least so much of it.
    Rate(f64),
}

impl Bound {
    /// Prints what the pairs come to, each measured alone and beside trouble, and says whether that
    /// is within the bound.
    pub(crate) fn judge(self, pairs: &[(f64, f64)]) -> bool {
        let ratios: Vec<f64> = pairs.iter().map(|(alone, beside)| beside / alone).collect();
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ratio = median(ratios);
        let (alone, beside): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let (alone, beside) = (median(alone), median(beside));
        let (unit, bound, holds) = match self {
            Self::P99(most) => {
                let equal = beside - alone < EQUAL_BELOW_MS;
                let bound = format!("at most {most}, or less than {EQUAL_BELOW_MS} ms more");
                ("ms", bound, ratio <= most || equal)
            }
            Self::Rate(least) => ("/s", format!("at least {least}"), ratio >= least),
        };
        // Of nothing no figure is within a bound.
        let holds = holds && alone > 0.0;
        println!(
            "  alone {alone:.2} {unit}   beside {beside:.2} {unit}   ratio {ratio:.2} \
             ({low:.2} to {high:.2}), {bound}: {}",
            verdict(holds)
        );
        holds
    }
}

/// The side of a bar that a figure must stay on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Limit {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    fn show(self, unit: Unit) -> String {
        match self {
            Self::AtMost(most) => format!("at most {}", unit.show(most)),
            Self::AtLeast(least) => format!("at least {}", unit.show(least)),
        }
    }
}

/// Several bars, and which of them do not hold.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    broken: Vec<String>,
}

impl Bars {
    /// Prints a figure that must be no greater than `most`.
    pub(crate) fn at_most(&mut self, what: &str, unit: Unit, figure: f64, most: f64) {
        self.judge(what, unit, figure, (Limit::AtMost(most), None));
    }

    /// Prints a figure that must be within a limit, and whether it is within another one as well
    /// that it may miss.
    pub(crate) fn judge(
        &mut self,
        what: &str,
        unit: Unit,
        figure: f64,
        (limit, stretch): (Limit, Option<Limit>),
    ) {
        let holds = limit.holds(figure);
        let stretched = stretch.map_or(String::new(), |stretch| {
            let reached = if stretch.holds(figure) { "reached" } else { "not reached" };
            format!(" (stretch: {}, {reached})", stretch.show(unit))
        });
        let (shown, bar) = (unit.show(figure), limit.show(unit));
        println!("  {what:<46}{shown:>14}, {bar}: {}{stretched}", verdict(holds));
        self.note(what, holds);
    }

    /// Prints how pairs of 99th percentiles compare: beside trouble at most so many times as long.
    pub(crate) fn p99(&mut self, what: &str, pairs: &[(f64, f64)], most: f64) {
        println!("  {what}");
        let holds = Bound::P99(most).judge(pairs);
        self.note(what, holds);
    }

    /// Prints how pairs of rates compare: beside trouble at least so much of it.
    pub(crate) fn rate(&mut self, what: &str, pairs: &[(f64, f64)], least: f64) {
        println!("  {what}");
        let holds = Bound::Rate(least).judge(pairs);
        self.note(what, holds);
    }

    fn note(&mut self, what: &str, holds: bool) {
        if !holds {
            self.broken.push(what.to_owned());
        }
    }

    /// An error that names those which do not hold, if there are any.
    pub(crate) fn all_hold(self) -> anyhow::Result<()> {
        match self.broken[..] {
            [] => Ok(()),
            _ => bail!("not within the bar: {}", self.broken.join(", ")),
        }
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "PASS" } else { "FAIL" }
}

/// The 99th percentile in milliseconds.
pub(crate) fn p99(times: Times) -> f64 {
    let found = times.percentiles().into_iter().find(|(name, _)| *name == "p99");
    found.map_or(0.0, |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn what_was_not_measured_is_within_no_bound() {
        for bound in [Bound::P99(1.3), Bound::Rate(0.9)] {
            assert!(!bound.judge(&[(0.0, 0.0)]), "{bound:?}");
            assert!(!bound.judge(&[(0.0, 1.0)]), "{bound:?}");
        }
    }

    #[test]
    fn bars_that_do_not_hold_are_named() {
        let mut bars = Bars::default();
        bars.at_most("memory", Unit::Megabytes, 300.0, 300.0);
        bars.p99("ingest", &[(10.0, 13.0)], 1.3);
        assert!(bars.all_hold().is_ok());

        let mut bars = Bars::default();
        bars.at_most("memory", Unit::Megabytes, 300.1, 300.0);
        bars.at_most("ready", Unit::Milliseconds, 12.0, 2000.0);
        bars.p99("ingest", &[(10.0, 14.0)], 1.3);
        bars.rate("accepted", &[(1000.0, 940.0)], 0.95);
        bars.rate("delivered", &[(1000.0, 960.0)], 0.95);
        let error = bars.all_hold().unwrap_err().to_string();
        assert_eq!(error, "not within the bar: memory, ingest, accepted");
    }

    #[test]
    fn a_stretch_may_be_missed_and_a_bar_may_not() {
        let mut bars = Bars::default();
        let limits = (Limit::AtLeast(10_000.0), Some(Limit::AtLeast(14_000.0)));
        bars.judge("holding", Unit::PerSecond, 10_000.0, limits);
        bars.judge("draining", Unit::PerSecond, 9_999.0, limits);
        bars.judge("idle", Unit::Percent, 10.1, (Limit::AtMost(10.0), None));
        assert_eq!(bars.all_hold().unwrap_err().to_string(), "not within the bar: draining, idle");
    }

    #[test]
    fn a_99th_percentile_is_in_milliseconds() {
        let mut times = Times::default();
        (1..=100).for_each(|ms| times.add(Duration::from_millis(ms)));
        assert_eq!(p99(times), 100.0);
    }
}
