//! What pairs of figures come to: the median of their ratios, the spread, and whether that is
//! worse.
//!
//! A ratio above 1 is always the better one, for rates and for times alike. A figure is worse if
//! its median falls short of 1 by more than its ratios are spread. Never judges the longest of many
//! times, which is one sample, nor a latency that differs by less than anybody would notice.

use super::side::Value;
use crate::report::median;

/// Latencies that differ by less count as equal.
const EQUAL_BELOW_MS: f64 = 2.0;

/// The pairs of one scenario.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    rows: Vec<Row>,
}

/// One value, as often as both sides have measured it.
#[derive(Debug)]
struct Row {
    of: Value,
    base: Vec<f64>,
    head: Vec<f64>,
}

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The median is not below 1, or by less than the spread.
    Holds,
    /// Both are so fast that the difference does not matter.
    Equal,
    /// Below 1 in every pair, but by less than the spread.
    Lower,
    /// Below 1 by more than the spread.
    Worse,
    /// Nothing that is better high or low.
    NotJudged,
}

impl Comparison {
    /// Adds a pair; what only one side has measured is left out.
    pub(super) fn add(&mut self, base: &[Value], head: Vec<Value>) {
        for of in head {
            let same = |it: &&Value| it.what == of.what && it.name == of.name;
            let Some(found) = base.iter().find(same) else { continue };
            let value = of.value;
            let known = self.rows.iter_mut().find(|row| same(&&row.of));
            match known {
                Some(row) => {
                    row.base.push(found.value);
                    row.head.push(value);
                }
                None => self.rows.push(Row { of, base: vec![found.value], head: vec![value] }),
            }
        }
    }

    /// How many figures are worse.
    pub(super) fn worse(&self) -> usize {
        self.rows.iter().filter(|row| row.verdict() == Verdict::Worse).count()
    }

    /// The table.
    pub(super) fn table(&self, title: &str) -> String {
        let mut text = format!("\n{title}\n");
        for row in &self.rows {
            let what = format!("{} {}", row.of.what, row.of.name);
            let (base, head) = (median(row.base.clone()), median(row.head.clone()));
            let unit = &row.of.unit;
            text += &format!("  {:<52}{base:>12.2} {head:>12.2} {unit:<6}", what.trim_end());
            let verdict = row.verdict();
            if verdict != Verdict::NotJudged {
                let (low, middle, high) = row.ratios();
                text += &format!("  {middle:.3} ({low:.3} to {high:.3}){}", verdict.remark());
            }
            text.push('\n');
        }
        text
    }
}

impl Row {
    /// The lowest, the median and the highest ratio of the pairs; above 1 is better.
    fn ratios(&self) -> (f64, f64, f64) {
        let more_is_better = self.of.unit == "per_s";
        let ratio = |(base, head): (&f64, &f64)| match (more_is_better, base == head) {
            (_, true) => 1.0,
            (true, false) => head / base,
            (false, false) => base / head,
        };
        let ratios: Vec<f64> = self.base.iter().zip(&self.head).map(ratio).collect();
        let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low, median(ratios), high)
    }

    fn verdict(&self) -> Verdict {
        let unit = self.of.unit.as_str();
        if matches!(unit, "ratio" | "percent" | "count") || self.of.name == "max" {
            return Verdict::NotJudged;
        }
        let apart = median(self.head.clone()) - median(self.base.clone());
        if unit == "ms" && apart.abs() < EQUAL_BELOW_MS {
            return Verdict::Equal;
        }
        match self.ratios() {
            (low, middle, high) if 1.0 - middle > high - low => Verdict::Worse,
            (_, _, high) if high < 1.0 => Verdict::Lower,
            _ => Verdict::Holds,
        }
    }
}

impl Verdict {
    fn remark(self) -> &'static str {
        match self {
            Self::Holds | Self::NotJudged => "",
            Self::Equal => "  equal: less than 2 ms apart",
            Self::Lower => "  lower in every pair, within the spread",
            Self::Worse => "  WORSE by more than the spread",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(unit: &str, pairs: &[(f64, f64)]) -> Verdict {
        let of = |value| Value {
            what: "64 connections".into(),
            name: "p99".into(),
            unit: unit.into(),
            value,
        };
        let mut comparison = Comparison::default();
        for &(base, head) in pairs {
            comparison.add(&[of(base)], vec![of(head)]);
        }
        comparison.rows[0].verdict()
    }

    #[test]
    fn a_rate_that_falls_by_more_than_its_spread_is_worse() {
        let pairs = [(100.0, 80.0), (100.0, 81.0), (100.0, 79.0)];
        assert_eq!(compared("per_s", &pairs), Verdict::Worse);
    }

    #[test]
    fn a_rate_that_falls_by_less_than_its_spread_holds() {
        let pairs = [(100.0, 80.0), (100.0, 95.0), (100.0, 120.0)];
        assert_eq!(compared("per_s", &pairs), Verdict::Holds);
        let pairs = [(100.0, 80.0), (100.0, 90.0), (100.0, 99.0)];
        assert_eq!(compared("per_s", &pairs), Verdict::Lower);
    }

    #[test]
    fn a_time_that_grows_is_worse_unless_nobody_would_notice() {
        assert_eq!(compared("ms", &[(10.0, 20.0), (10.0, 21.0)]), Verdict::Worse);
        assert_eq!(compared("ms", &[(0.5, 1.5), (0.5, 1.6)]), Verdict::Equal);
        assert_eq!(compared("us", &[(20.0, 10.0), (20.0, 11.0)]), Verdict::Holds);
    }

    #[test]
    fn what_only_one_side_measures_is_left_out() {
        let mut comparison = Comparison::default();
        let value =
            Value { what: "new".into(), name: String::new(), unit: "ms".into(), value: 1.0 };
        comparison.add(&[], vec![value]);
        assert!(comparison.rows.is_empty());
        assert_eq!(comparison.worse(), 0);
    }
}
