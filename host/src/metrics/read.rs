//! Metrics as values: what the text of [`Metrics::render`](super::Metrics::render) says.
//!
//! Read from the text itself, so that whoever exports metrics exports what `/metrics` shows, and
//! nothing is counted twice. Never changes a number.

use std::collections::BTreeMap;

use crate::trace_context::{SpanId, TraceId};

/// The labels of a series and their values, as the text has them.
pub(crate) type Labels = Vec<(String, String)>;

/// A metric with all of its series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric {
    /// As its samples have it: that of a counter ends in `_total`, that of an info in `_info`.
    pub(crate) name: String,
    pub(crate) help: String,
    /// `seconds` or `bytes`, if it has one.
    pub(crate) unit: Option<String>,
    pub(crate) kind: MetricKind,
    pub(crate) series: BTreeMap<Labels, Sample>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricKind {
    /// Only grows, until what it counts begins anew.
    Counter,
    Gauge,
    Histogram,
}

/// What one series says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// From when it counts, in nanoseconds since 1970; 0 as long as nobody has said it.
    pub(crate) since: u64,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Real(f64),
    Spread(Distribution),
}

/// What a histogram says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Distribution {
    /// The upper bounds of all buckets but the last, which has none.
    pub(crate) bounds: Vec<f64>,
    /// What each bucket alone has counted, so one more than there are bounds.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    /// At most one of each bucket.
    pub(crate) exemplars: Vec<Exemplar>,
}

/// A value that was counted, and the span where it arose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) value: f64,
    /// In nanoseconds since 1970.
    pub(crate) at: u64,
}

/// Reads all that [`Metrics::render`](super::Metrics::render) gives. What is not in its form is not
/// read.
pub(crate) fn read(text: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines() {
        // Nothing follows from a line that says nothing, such as the end.
        match line.strip_prefix("# ") {
            Some(said) => describe(&mut metrics, said),
            None => metrics.last_mut().and_then(|metric| metric.add(line)),
        };
    }
    metrics
}

/// Reads a line that says what a metric is.
fn describe(metrics: &mut Vec<Metric>, said: &str) -> Option<()> {
    let (what, said) = said.split_once(' ')?;
    let (name, text) = said.split_once(' ')?;
    if what == "HELP" {
        let (name, help) = (name.to_owned(), text.to_owned());
        let (kind, series) = (MetricKind::Gauge, BTreeMap::new());
        metrics.push(Metric { name, help, unit: None, kind, series });
        return Some(());
    }
    let metric = metrics.last_mut()?;
    match (what, text) {
        ("TYPE", "counter") => {
            metric.kind = MetricKind::Counter;
            metric.name.push_str("_total");
        }
        ("TYPE", "info") => metric.name.push_str("_info"),
        ("TYPE", "histogram") => metric.kind = MetricKind::Histogram,
        ("UNIT", unit) => metric.unit = Some(unit.to_owned()),
        _ => (),
    }
    Some(())
}

impl Metric {
    /// Reads a line of one of its series.
    fn add(&mut self, line: &str) -> Option<()> {
        let (name, rest) = line.split_at(line.find(['{', ' '])?);
        let part = name.strip_prefix(self.name.as_str())?;
        let (mut labels, rest) = labels_of(rest)?;
        let (number, exemplar) = match rest.split_once(" # ") {
            Some((number, exemplar)) => (number.trim(), Exemplar::read(exemplar)),
            None => (rest.trim(), None),
        };
        if self.kind != MetricKind::Histogram {
            let value = number_of(number).filter(|_| part.is_empty())?;
            self.series.insert(labels, Sample { since: 0, value });
            return Some(());
        }
        let bound = labels.iter().position(|(label, _)| label == "le");
        let bound = bound.map(|at| labels.remove(at).1);
        let nothing = || Sample { since: 0, value: Value::Spread(Distribution::default()) };
        let sample = self.series.entry(labels).or_insert_with(nothing);
        let Value::Spread(spread) = &mut sample.value else { return None };
        match part {
            "_sum" => spread.sum = number.parse().ok()?,
            "_bucket" => {
                spread.add_bucket(bound?.parse().ok()?, number.parse().ok()?);
                spread.exemplars.extend(exemplar);
            }
            // The last bucket says it too.
            "_count" => (),
            _ => return None,
        }
        Some(())
    }
}

impl Value {
    /// What it has grown by since it was `before`; `None` if it has begun anew since.
    pub(crate) fn grown(&self, before: &Self) -> Option<Self> {
        match (self, before) {
            (Self::Whole(now), Self::Whole(before)) => {
                (now >= before).then(|| Self::Whole(now.saturating_sub(*before)))
            }
            (Self::Real(now), Self::Real(before)) => {
                (now >= before).then(|| Self::Real(now - before))
            }
            (Self::Spread(now), Self::Spread(before)) => now.grown(before).map(Self::Spread),
            _ => None,
        }
    }

    /// Grows by as much.
    pub(crate) fn grow(&mut self, more: Self) {
        match (self, more) {
            (Self::Whole(sum), Self::Whole(more)) => *sum = sum.saturating_add(more),
            (Self::Real(sum), Self::Real(more)) => *sum += more,
            (Self::Spread(sum), Self::Spread(more)) if sum.bounds == more.bounds => sum.grow(more),
            // They count something else now.
            (all, more) => *all = more,
        }
    }
}

impl Distribution {
    /// How many values it has counted.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds the next bucket, as the text has it: with all that the buckets below have counted.
    fn add_bucket(&mut self, bound: f64, up_to: u64) {
        self.counts.push(up_to.saturating_sub(self.count()));
        if bound.is_finite() {
            self.bounds.push(bound);
        }
    }

    fn grown(&self, before: &Self) -> Option<Self> {
        let both = || self.counts.iter().zip(&before.counts);
        let goes_on = self.bounds == before.bounds && both().all(|(now, before)| now >= before);
        goes_on.then(|| Self {
            bounds: self.bounds.clone(),
            counts: both().map(|(now, before)| now - before).collect(),
            sum: self.sum - before.sum,
            exemplars: self.exemplars.clone(),
        })
    }

    fn grow(&mut self, more: Self) {
        for (sum, more) in self.counts.iter_mut().zip(more.counts) {
            *sum += more;
        }
        self.sum += more.sum;
        self.exemplars = more.exemplars;
    }
}

impl Exemplar {
    /// Reads what stands behind the number of a bucket.
    fn read(text: &str) -> Option<Self> {
        let (labels, rest) = labels_of(text)?;
        let label = |name: &str| Some(&labels.iter().find(|(label, _)| label == name)?.1);
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        hex::decode_to_slice(label("trace_id")?, &mut trace).ok()?;
        hex::decode_to_slice(label("span_id")?, &mut span).ok()?;
        let mut numbers = rest.split_whitespace().map(|number| number.parse::<f64>().ok());
        let (value, seconds) = (numbers.next()??, numbers.next()??);
        // To the millisecond, as the clock of the gateway has it.
        let at = (seconds * 1_000.0).round() as u64 * 1_000_000;
        Some(Self { trace: TraceId::new(trace)?, span: SpanId::new(span)?, value, at })
    }
}

fn number_of(text: &str) -> Option<Value> {
    match text.parse() {
        Ok(whole) => Some(Value::Whole(whole)),
        Err(_) => text.parse().ok().map(Value::Real),
    }
}

/// The labels at the beginning of a text, and what is behind them.
fn labels_of(text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Some((labels, text)) };
    loop {
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.trim_start_matches(',').split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name.to_owned(), value));
        rest = behind;
    }
}

/// The value up to the next quote that is not escaped, and what is behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            _ => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests;
