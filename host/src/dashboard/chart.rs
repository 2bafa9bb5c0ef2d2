//! Charts, drawn here and sent as SVG: lines, bars, and small ones beside a figure.
//!
//! Positions are attributes and colours are classes, so that no style stands in a page; each chart
//! has a sentence for those who do not see it. Never scales anything but to its own values.

use std::fmt::Write as _;

use askama::filters::Safe;

use super::figure;
use super::markup::{Markup, Mood};
use super::visible::escaped;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 22.0;
/// Labels below that a chart has room for on a telephone.
const TICKS_NARROW: usize = 6;

/// What is drawn of one thing, from the oldest to the newest.
pub(super) struct Series<'s> {
    /// What it is called, for the legend.
    pub(super) label: &'s str,
    /// Its colour in the style sheet: `accent`, `info`, `ok`, `warn` or `bad`.
    pub(super) class: &'static str,
    pub(super) values: Vec<f64>,
}

/// A label under a chart: beside which value it stands, and what it says.
pub(super) type Tick = (usize, String);

/// A chart of lines over each other, the first of them filled.
pub(super) fn lines(said: &str, series: &[Series<'_>], ticks: &[Tick]) -> Markup {
    let height = 230.0;
    let most = series.iter().flat_map(|it| it.values.iter().copied()).fold(0.0, f64::max);
    let count = series.iter().map(|it| it.values.len()).max().unwrap_or_default();
    let plot = Plot::new(height, most, count);
    let mut svg = plot.begin(said);
    for (number, Series { class, values, .. }) in series.iter().enumerate() {
        let points = values.iter().enumerate().map(|(at, value)| plot.point(at, *value));
        let points = points.collect::<Vec<_>>().join(" ");
        if number == 0 && !values.is_empty() {
            let (first, last, zero) = (plot.x(0), plot.x(values.len() - 1), plot.y(0.0));
            let area = format!("{first:.1},{zero:.1} {points} {last:.1},{zero:.1}");
            put(&mut svg, format_args!("<polygon class=\"area {class}\" points=\"{area}\"/>"));
        }
        put(&mut svg, format_args!("<polyline class=\"line {class}\" points=\"{points}\"/>"));
        // A line of one point is not drawn.
        if let [value] = values[..] {
            let (x, y) = (plot.x(0), plot.y(value));
            put(
                &mut svg,
                format_args!("<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"),
            );
        }
    }
    plot.end(svg, ticks)
}

/// What the colours of a chart stand for.
pub(super) fn legend(series: &[Series<'_>]) -> Markup {
    let mut list = "<ul class=\"legend\">".to_owned();
    for Series { label, class, .. } in series {
        let label = escaped(label);
        put(&mut list, format_args!("<li class=\"key {class}\">{label}</li>"));
    }
    list.push_str("</ul>");
    Safe(list)
}

/// A chart of bars, each with a good part and a bad one on top of it.
pub(super) fn bars(said: &str, bars: &[(f64, f64)], ticks: &[Tick]) -> Markup {
    let height = 160.0;
    let most = bars.iter().map(|(good, bad)| good + bad).fold(0.0, f64::max);
    let plot = Plot::new(height, most, bars.len() + 1);
    let mut svg = plot.begin(said);
    let wide = ((WIDTH - LEFT - RIGHT) / bars.len().max(1) as f64 - 2.0).max(1.0);
    for (at, (good, bad)) in bars.iter().enumerate() {
        let x = plot.x(at);
        for (class, from, to) in [("accent", 0.0, *good), ("bad", *good, good + bad)] {
            let (top, bottom) = (plot.y(to), plot.y(from));
            if to > from {
                let tall = bottom - top;
                put(
                    &mut svg,
                    format_args!(
                        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" \
                         height=\"{tall:.1}\"/>"
                    ),
                );
            }
        }
    }
    plot.end(svg, ticks)
}

/// A small chart beside a figure, which says what it shows.
pub(super) fn spark(values: &[f64], mood: Mood) -> Markup {
    let most = values.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let step = 100.0 / values.len().saturating_sub(1).max(1) as f64;
    let point = |(at, value): (usize, &f64)| {
        format!("{:.1},{:.1}", at as f64 * step, 26.0 - value * 24.0 / most)
    };
    let points = values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ");
    Safe(format!(
        "<svg class=\"spark {}\" viewBox=\"0 0 100 28\" preserveAspectRatio=\"none\" \
         aria-hidden=\"true\"><polyline class=\"line\" points=\"{points}\"/></svg>",
        mood.class()
    ))
}

/// How much a part is of a whole, beside the figure that says it.
pub(super) fn meter(part: f64, whole: f64, mood: Mood) -> Markup {
    let share = if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    parts_of(&[(mood.class(), share)], 100.0)
}

/// The parts of a whole one behind the other, such as the phases of an attempt: of each its class
/// and its size.
pub(super) fn phases(parts: &[(&str, f64)]) -> Markup {
    parts_of(parts, parts.iter().map(|(_, size)| size).sum())
}

fn parts_of(parts: &[(&str, f64)], whole: f64) -> Markup {
    let mut svg = "<svg class=\"track\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" \
                   aria-hidden=\"true\">"
        .to_owned();
    let mut x = 0.0;
    for (class, size) in parts {
        let wide = if whole > 0.0 { size / whole * 100.0 } else { 0.0 };
        put(
            &mut svg,
            format_args!("<rect class=\"{class}\" x=\"{x:.1}\" width=\"{wide:.1}\" height=\"8\"/>"),
        );
        x += wide;
    }
    svg.push_str("</svg>");
    Safe(svg)
}

/// Where values are drawn.
struct Plot {
    height: f64,
    /// The values with a line across, from zero to the greatest.
    steps: Vec<f64>,
    count: usize,
}

impl Plot {
    /// For so many values up to this one.
    fn new(height: f64, most: f64, count: usize) -> Self {
        Self { height, steps: steps(most), count }
    }

    fn x(&self, at: usize) -> f64 {
        let span = WIDTH - LEFT - RIGHT;
        LEFT + span * at as f64 / self.count.saturating_sub(1).max(1) as f64
    }

    fn y(&self, value: f64) -> f64 {
        let most = self.steps.last().copied().unwrap_or(1.0);
        TOP + (self.height - TOP - BOTTOM) * (1.0 - value / most)
    }

    fn point(&self, at: usize, value: f64) -> String {
        format!("{:.1},{:.1}", self.x(at), self.y(value))
    }

    /// The frame, with a line across at each step.
    fn begin(&self, said: &str) -> String {
        let (said, height) = (escaped(said), self.height);
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{said}\">"
        );
        for value in &self.steps {
            let (y, right, beside) = (self.y(*value), WIDTH - RIGHT, LEFT - 8.0);
            let shown = step_shown(*value);
            put(
                &mut svg,
                format_args!(
                    "<line class=\"grid-line\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" \
                     y2=\"{y:.1}\"/><text class=\"end beside\" x=\"{beside}\" \
                     y=\"{:.1}\">{shown}</text>",
                    y + 4.0
                ),
            );
        }
        svg
    }

    /// The labels below, and the end.
    fn end(&self, mut svg: String, ticks: &[Tick]) -> Markup {
        let y = self.height - 4.0;
        // Where a chart is narrow there is room for every other one.
        let are_many = ticks.len() > TICKS_NARROW;
        for (number, (at, label)) in ticks.iter().enumerate() {
            let (x, label) = (self.x(*at), escaped(label));
            let class = match *at {
                0 => "start",
                at if at + 1 == self.count => "end",
                _ if are_many && number % 2 == 1 => "middle between",
                _ => "middle",
            };
            put(
                &mut svg,
                format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{label}</text>"),
            );
        }
        svg.push_str("</svg>");
        Safe(svg)
    }
}

/// From three to seven round values from zero to one that is no less than this.
fn steps(most: f64) -> Vec<f64> {
    if most <= 0.0 || !most.is_finite() {
        return vec![0.0, 1.0];
    }
    let power = 10.0_f64.powf(most.log10().floor());
    let step = match most / power {
        ratio if ratio > 5.0 => power * 2.0,
        ratio if ratio > 2.0 => power,
        _ => power * 0.5,
    };
    let count = (most / step).ceil() as usize;
    (0..=count).map(|number| number as f64 * step).collect()
}

fn step_shown(value: f64) -> String {
    match value {
        value if value.fract() == 0.0 => figure::number(value as u64),
        value => format!("{value:.2}").trim_end_matches('0').to_owned(),
    }
}

/// Writing to a string does not fail.
fn put(svg: &mut String, piece: std::fmt::Arguments<'_>) {
    let _written = svg.write_fmt(piece);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_the_greatest_value() {
        for most in [0.3, 1.0, 2.0, 3.7, 7.0, 99.0, 412.0, 1_000.0, 123_456.0] {
            let steps = steps(most);
            assert!((3..=7).contains(&steps.len()), "{most}: {steps:?}");
            assert!(steps.last().unwrap() >= &most, "{most}: {steps:?}");
        }
        assert_eq!(steps(412.0), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0]);
        assert_eq!(steps(0.0), [0.0, 1.0]);
    }

    /// Guards that nothing is not a number, which a browser would not draw.
    #[test]
    fn a_chart_of_nothing_is_a_chart() {
        let series = |values| Series { label: "accepted", class: "accent", values };
        let charts = [
            lines("nothing", &[series(Vec::new())], &[]),
            lines("zero", &[series(vec![0.0])], &[(0, "now".to_owned())]),
            bars("nothing", &[], &[]),
            bars("zero", &[(0.0, 0.0)], &[]),
            spark(&[], Mood::Plain),
            spark(&[0.0, 0.0], Mood::Bad),
            meter(1.0, 0.0, Mood::Warn),
            phases(&[]),
        ];
        for Safe(svg) in charts {
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(!svg.contains("style="), "{svg}");
        }
    }

    /// Guards the dot of the first minute: a line of one point can't be seen.
    #[test]
    fn a_series_of_one_value_is_a_dot() {
        for (values, dots) in [(vec![], 0), (vec![3.0], 1), (vec![3.0, 4.0], 0)] {
            let series = Series { label: "accepted", class: "accent", values };
            let Safe(svg) = lines("accepted", &[series], &[]);
            let drawn = svg.matches("<circle class=\"dot accent\" cx=\"48.0\"").count();
            assert_eq!(drawn, dots, "{svg}");
        }
    }

    /// Guards what the style sheet leaves out where a chart is narrow: never the first label.
    #[test]
    fn of_many_labels_every_other_one_can_be_left_out() {
        let left_out = |count: usize| {
            let ticks: Vec<Tick> = (0..count).map(|at| (at, at.to_string())).collect();
            let Safe(svg) = bars("calls", &vec![(1.0, 0.0); count], &ticks);
            svg.matches("between").count()
        };
        assert_eq!((left_out(TICKS_NARROW), left_out(12)), (0, 6));
    }

    #[test]
    fn a_label_is_text() {
        let Safe(svg) = lines("\"><script>", &[], &[(0, "<b>".to_owned())]);
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
    }
}
