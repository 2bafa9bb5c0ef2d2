//! A figure: what was measured, its values, and what they are compared with.

use std::time::Duration;

use crate::processor::Usage;
use crate::times::Times;

/// One line of the table, measured once.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Such as `accepting, 16 connections`.
    pub(crate) what: String,
    /// Their names and the values.
    pub(crate) values: Vec<(&'static str, Unit, f64)>,
    /// What its first value is for figures of so many connections.
    pub(crate) is: Option<(Yardstick, usize)>,
    /// What its values are compared with.
    pub(crate) against: Vec<Against>,
}

/// What a rate can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yardstick {
    /// A server that does nothing but answer.
    Ceiling,
    /// One that does nothing but post on what it gets.
    Relay,
}

/// A value, and what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Against {
    pub(crate) value: &'static str,
    pub(crate) yardstick: Yardstick,
    pub(crate) connections: usize,
}

impl Yardstick {
    pub(crate) const ALL: [Self; 2] = [Self::Ceiling, Self::Relay];

    /// Behind a ratio in the table.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Ceiling => "of the ceiling",
            Self::Relay => "of the relay",
        }
    }

    /// The same in the report's keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ceiling => "of_ceiling",
            Self::Relay => "of_relay",
        }
    }
}

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Microseconds,
    Bytes,
    Mebibytes,
    Megabytes,
    Ratio,
    Percent,
    Count,
}

impl Unit {
    /// As it stands in the report's keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per_s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Bytes => "bytes",
            Self::Mebibytes => "mib",
            Self::Megabytes => "mb",
            Self::Ratio => "ratio",
            Self::Percent => "percent",
            Self::Count => "count",
        }
    }

    /// A value for people.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Microseconds if value < 100.0 => format!("{value:.1} us"),
            Self::Microseconds => format!("{value:.0} us"),
            Self::Bytes => format!("{} B", thousands(value)),
            Self::Mebibytes => format!("{} MiB", thousands(value)),
            Self::Megabytes => format!("{} MB", thousands(value)),
            Self::Ratio => format!("{value:.2}"),
            Self::Percent => format!("{value:.0} %"),
            Self::Count => thousands(value),
        }
    }
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), values: Vec::new(), is: None, against: Vec::new() }
    }

    pub(crate) fn value(mut self, name: &'static str, unit: Unit, value: f64) -> Self {
        self.values.push((name, unit, value));
        self
    }

    /// With the percentiles of these.
    pub(crate) fn times(mut self, times: Times) -> Self {
        let values = times.percentiles().map(|(name, value)| (name, Unit::Milliseconds, value));
        self.values.extend(values);
        self
    }

    /// With the percentiles of these, which are well below a millisecond.
    pub(crate) fn short_times(mut self, times: Times) -> Self {
        let micros = |(name, value)| (name, Unit::Microseconds, value * 1000.0);
        self.values.extend(times.percentiles().map(micros));
        self
    }

    /// With what so many events took of the processors.
    pub(crate) fn usage(self, usage: Usage, events: usize) -> Self {
        let each = |used: Duration| used.as_secs_f64() * 1e6 / events.max(1) as f64;
        let figure = match usage.gateway {
            Some(used) => self.value("processor an event", Unit::Microseconds, each(used)),
            None => self,
        };
        figure.value("idle", Unit::Percent, usage.idle)
    }

    /// With the most memory that a gateway has had, in bytes.
    pub(crate) fn memory(self, peak: u64) -> Self {
        self.value("peak memory", Unit::Mebibytes, peak as f64 / f64::from(1 << 20))
    }

    /// One whose first value is this yardstick for figures of so many connections.
    pub(crate) fn for_yardstick(self, yardstick: Yardstick, connections: usize) -> Self {
        Self { is: Some((yardstick, connections)), ..self }
    }

    /// With the value of this name compared with the server that answers so many connections.
    pub(crate) fn of_ceiling(self, value: &'static str, connections: usize) -> Self {
        self.against(Against { value, yardstick: Yardstick::Ceiling, connections })
    }

    /// With the value of this name compared with the relay for so many connections.
    pub(crate) fn of_relay(self, value: &'static str, connections: usize) -> Self {
        self.against(Against { value, yardstick: Yardstick::Relay, connections })
    }

    fn against(mut self, against: Against) -> Self {
        self.against.push(against);
        self
    }

    /// The value of this name, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(of, ..)| *of == name).map(|(.., value)| *value)
    }
}

/// A whole number with commas.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_took_is_for_each_event() {
        let usage = Usage { idle: 7.4, gateway: Some(Duration::from_millis(500)) };
        let figure = Figure::new("64 connections").usage(usage, 5000);
        assert_eq!(figure.get("processor an event"), Some(100.0));
        assert_eq!(figure.get("idle").map(|idle| Unit::Percent.show(idle)), Some("7 %".to_owned()));
        // Nothing was measured but the machine.
        let figure = Figure::new("").usage(Usage { gateway: None, ..usage }, 5000);
        assert_eq!(figure.get("processor an event"), None);
    }

    #[test]
    fn numbers_are_written_for_people() {
        let written = [0.0, 999.4, 1000.0, 1_234_567.0].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
    }
}
