//! What was accepted and delivered over time, as a chart.
//!
//! The last hour is drawn out of what the gateway counted since it started; a day or a week out of
//! the hours that the store counted, which outlive a restart. Never shows more than 169 points of
//! a day or a week.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::counted::{Overview, Point};
use crate::dashboard::chart::{self, Series, Tick};
use crate::dashboard::markup::Markup;
use crate::dashboard::{figure, link};
use crate::event::Timestamp;

const HOUR_MS: u64 = 3_600_000;

/// Labels under the chart, about.
const TICKS: usize = 6;

/// `/v1/hours`: those that have something.
#[derive(Deserialize)]
pub(super) struct Hours {
    hours: Vec<Hour>,
}

#[derive(Deserialize)]
struct Hour {
    hour: Timestamp,
    receipts: BTreeMap<String, u64>,
    tries: Vec<Tries>,
}

#[derive(Deserialize)]
struct Tries {
    kind: String,
    verdict: String,
    count: u64,
}

impl Hour {
    fn accepted(&self) -> u64 {
        self.receipts.values().sum()
    }

    fn delivered(&self) -> u64 {
        let done = self.tries.iter().filter(|it| it.kind == "delivery" && it.verdict == "done");
        done.map(|it| it.count).sum()
    }
}

/// What there was in all hours that are drawn.
pub(super) struct Sums {
    accepted: u64,
    pub(super) delivered: u64,
    hours: u64,
}

impl Sums {
    /// What was accepted: the number, its unit, and how many that is in an hour.
    pub(super) fn accepted_shown(&self) -> (String, &'static str, String) {
        let note = match self.accepted / self.hours.max(1) {
            _ if self.accepted == 0 => "none yet".to_owned(),
            0 => "less than one an hour".to_owned(),
            hourly => format!("about {} an hour", figure::number(hourly)),
        };
        (figure::number(self.accepted), "", note)
    }
}

/// The chart, and what was added up for it.
pub(super) struct Drawn {
    pub(super) title: &'static str,
    pub(super) chart: Markup,
    pub(super) legend: Markup,
    /// `None` where the gateway's own count is drawn.
    pub(super) sums: Option<Sums>,
}

/// Where the hours of a day or a week are; `None` for an hour.
pub(super) fn hours_of(overview: &Overview) -> Option<String> {
    let (first, _) = hours_drawn(overview)?;
    let after = Timestamp(first * HOUR_MS).to_string();
    Some(link::with_query("/v1/hours", [("after", &*after)]))
}

/// The first hour that is drawn, and how many there are; `None` if hours are not.
fn hours_drawn(overview: &Overview) -> Option<(u64, usize)> {
    let back = match &*overview.span {
        "day" => 24,
        "week" => 168,
        _ => return None,
    };
    let current = overview.now.0 / HOUR_MS;
    Some((current.saturating_sub(back), back as usize + 1))
}

/// Draws the hours, or the points of the overview where there are none.
pub(super) fn drawn(overview: &Overview, hours: Option<&Hours>) -> Drawn {
    match (hours, hours_drawn(overview)) {
        (Some(hours), Some(span)) => of_hours(hours, span, overview.span == "week"),
        _ => of_points(&overview.points),
    }
}

fn of_hours(hours: &Hours, (first, count): (u64, usize), is_week: bool) -> Drawn {
    let (mut accepted, mut delivered) = (vec![0; count], vec![0; count]);
    for hour in &hours.hours {
        let at = (hour.hour.0 / HOUR_MS).checked_sub(first);
        // One may have begun since the time was looked at.
        let at = at.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < count);
        if let Some(at) = at {
            accepted[at] += hour.accepted();
            delivered[at] += hour.delivered();
        }
    }
    let label = |at: usize| {
        let at = Timestamp((first + at as u64) * HOUR_MS);
        if is_week { day(at) } else { clock(at) }
    };
    let sums = Sums {
        accepted: accepted.iter().sum(),
        delivered: delivered.iter().sum(),
        hours: count as u64,
    };
    let title = "Accepted and delivered by the hour";
    Drawn { sums: Some(sums), ..chart_of(title, (accepted, delivered), label) }
}

fn of_points(points: &[Point]) -> Drawn {
    let accepted = points.iter().map(|point| point.figures.accepted).collect();
    let delivered = points.iter().map(|point| point.figures.delivered).collect();
    let label = |at: usize| points.get(at).map_or_else(String::new, |point| clock(point.at));
    chart_of("Accepted and delivered by the minute", (accepted, delivered), label)
}

fn chart_of(
    title: &'static str,
    (accepted, delivered): (Vec<u64>, Vec<u64>),
    label: impl Fn(usize) -> String,
) -> Drawn {
    let ticks = ticks(accepted.len(), label);
    let said = format!(
        "{title}: {} accepted, {} delivered",
        figure::counted(accepted.iter().sum(), "request", "requests"),
        figure::counted(delivered.iter().sum(), "delivery", "deliveries"),
    );
    let values = |counts: Vec<u64>| counts.into_iter().map(|count| count as f64).collect();
    let series = [
        Series { label: "accepted", class: "accent", values: values(accepted) },
        Series { label: "delivered", class: "info", values: values(delivered) },
    ];
    let chart = chart::lines(&said, &series, &ticks);
    Drawn { title, chart, legend: chart::legend(&series), sums: None }
}

/// About [`TICKS`] labels, the same number of values apart.
fn ticks(count: usize, label: impl Fn(usize) -> String) -> Vec<Tick> {
    let step = count.div_ceil(TICKS).max(1);
    (0..count).step_by(step).map(|at| (at, label(at))).collect()
}

/// `18:05`, in UTC.
fn clock(at: Timestamp) -> String {
    at.to_string().get(11..16).unwrap_or_default().to_owned()
}

/// `11-22`, in UTC.
fn day(at: Timestamp) -> String {
    at.to_string().get(5..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(number: u64, accepted: u64, delivered: u64) -> Hour {
        let tries = |kind: &str, verdict: &str, count| Tries {
            kind: kind.to_owned(),
            verdict: verdict.to_owned(),
            count,
        };
        Hour {
            hour: Timestamp(number * HOUR_MS),
            receipts: [("a".to_owned(), accepted), ("b".to_owned(), 1)].into(),
            tries: vec![
                tries("delivery", "done", delivered),
                tries("delivery", "retry", 70),
                tries("run", "done", 90),
            ],
        }
    }

    /// Guards both conditions on tries, and that an hour outside of the chart is left out.
    #[test]
    fn hours_are_added_up_where_they_belong() {
        let hours = Hours { hours: vec![hour(99, 9, 9), hour(100, 3, 2), hour(125, 5, 5)] };
        let sums = of_hours(&hours, (100, 25), false).sums.unwrap();
        assert_eq!((sums.accepted, sums.delivered, sums.hours), (4, 2, 25));
    }

    #[test]
    fn labels_stand_apart_and_say_the_time() {
        let at = Timestamp(1_700_000_000_000);
        assert_eq!((clock(at), day(at)), ("22:13".to_owned(), "11-14".to_owned()));
        let label = |at: usize| at.to_string();
        let places = |count| ticks(count, label).iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(places(60), [0, 10, 20, 30, 40, 50]);
        assert_eq!((places(0), places(2)), (vec![], vec![0, 1]));
    }
}
