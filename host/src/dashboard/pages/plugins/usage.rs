//! What the calls of a plugin used: how many, how long they took, and how near to its limits one
//! came.
//!
//! Pure: from what the API counted to rows and charts. Never adds up what is of different kinds.

use serde::Deserialize;

use crate::dashboard::chart::{self, Tick};
use crate::dashboard::figure;
use crate::dashboard::markup::{Markup, Mood};

/// The fewest bars of a chart, so that none is as wide as the page.
const BARS_MIN: usize = 8;

/// What a plugin used, as the API says it.
#[derive(Deserialize)]
pub(super) struct Usage {
    calls: Vec<Calls>,
    limits: Vec<Limit>,
    dropped_log_lines: u64,
}

#[derive(Deserialize)]
struct Calls {
    kind: String,
    calls: u64,
    failed: u64,
    time_us: u64,
    longest_us: u64,
    deadline_us: u64,
    times: Vec<Time>,
}

#[derive(Deserialize)]
struct Time {
    below_us: Option<u64>,
    calls: u64,
}

#[derive(Deserialize)]
struct Limit {
    name: String,
    used: u64,
    limit: u64,
}

/// The calls of one kind.
pub(super) struct CallRow {
    pub(super) kind: &'static str,
    pub(super) calls: String,
    pub(super) failed: String,
    /// How many of all.
    pub(super) share: String,
    pub(super) mean: String,
    pub(super) longest: String,
    /// How many took how long; none as long as there is no call.
    pub(super) chart: Option<Markup>,
    pub(super) said: String,
}

/// How near one call came to a limit.
pub(super) struct LimitRow {
    pub(super) name: &'static str,
    pub(super) meter: Markup,
    pub(super) share: String,
    pub(super) said: String,
}

/// What a kind of call is called, and the longest of its calls.
fn kind_said(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "claim" => ("Claims", "Longest claim"),
        "parse" => ("Parses", "Longest parse"),
        "handle" => ("Runs", "Longest run"),
        _ => ("Other calls", "Longest other call"),
    }
}

impl Usage {
    /// The calls by their kind.
    pub(super) fn calls(&self) -> Vec<CallRow> {
        self.calls.iter().map(Calls::row).collect()
    }

    /// The limits, those of time first.
    pub(super) fn limits(&self) -> Vec<LimitRow> {
        let time = |calls: &Calls| {
            let Calls { kind, longest_us, deadline_us, .. } = calls;
            limit(kind_said(kind).1, (*longest_us, *deadline_us), figure::micros)
        };
        let times = self.calls.iter().map(time);
        times.chain(self.limits.iter().map(Limit::row)).collect()
    }

    /// How many log lines were not kept, if any.
    pub(super) fn dropped(&self) -> Option<String> {
        let many = self.dropped_log_lines;
        (many > 0).then(|| figure::counted(many, "log line", "log lines"))
    }
}

impl Limit {
    fn row(&self) -> LimitRow {
        let sizes = (self.used, self.limit);
        match self.name.as_str() {
            "memory_bytes" => limit("Memory of an instance", sizes, figure::bytes),
            "log_lines" => limit("Log lines of a call", sizes, figure::number),
            "effects" => limit("Effects of a run", sizes, figure::number),
            "state_bytes" => limit("State", sizes, figure::bytes),
            _ => limit("Another limit", sizes, figure::number),
        }
    }
}

fn limit(name: &'static str, (used, limit): (u64, u64), shown: fn(u64) -> String) -> LimitRow {
    let (part, whole) = (used as f64, limit as f64);
    let mood = match part / whole.max(1.0) {
        share if share >= 0.9 => Mood::Bad,
        share if share >= 0.7 => Mood::Warn,
        _ => Mood::Ok,
    };
    LimitRow {
        name,
        meter: chart::meter(part, whole, mood),
        share: figure::share(used, limit),
        said: format!("{} of {}", shown(used), shown(limit)),
    }
}

impl Calls {
    fn row(&self) -> CallRow {
        let Self { kind, calls, failed, time_us, longest_us, .. } = self;
        let (kind, _) = kind_said(kind);
        let mean = time_us.checked_div(*calls).map_or_else(|| "-".to_owned(), figure::micros);
        let longest = figure::micros(*longest_us);
        let half = match self.half() {
            Some(below) => format!("half took less than {}", time_said(below)),
            None => "half took longer than all bounds".to_owned(),
        };
        let all = figure::counted(*calls, "call", "calls");
        let said = format!("{kind}: {all}; {half}, the longest {longest}");
        let (bars, ticks) = self.bars();
        CallRow {
            kind,
            calls: figure::number(*calls),
            failed: figure::number(*failed),
            share: figure::share(*failed, *calls),
            mean,
            longest,
            chart: (!bars.is_empty()).then(|| chart::bars(&said, &bars, &ticks)),
            said,
        }
    }

    /// What half of the calls took less than, in microseconds; none if that has no bound.
    fn half(&self) -> Option<u64> {
        let mut passed = 0;
        let found = self.times.iter().find(|time| {
            passed += time.calls;
            passed >= self.calls.div_ceil(2)
        });
        found.and_then(|time| time.below_us)
    }

    /// A bar for each time from the shortest to the longest that there was; none without calls.
    fn bars(&self) -> (Vec<(f64, f64)>, Vec<Tick>) {
        let is_some = |time: &Time| time.calls > 0;
        let (Some(first), Some(last)) =
            (self.times.iter().position(is_some), self.times.iter().rposition(is_some))
        else {
            return (Vec::new(), Vec::new());
        };
        let end = (first + BARS_MIN).max(last + 1).min(self.times.len());
        let first = first.min(end.saturating_sub(BARS_MIN));
        let bars = self.times[first..end].iter().map(|time| (time.calls as f64, 0.0)).collect();
        // At the left of a bar: what each of its calls took at least.
        let least = |at: usize| match (first + at).checked_sub(1).map(|at| self.times[at].below_us)
        {
            Some(Some(us)) => time_said(us),
            _ => "0".to_owned(),
        };
        let step = (end - first).div_ceil(BARS_MIN);
        let ticks = (0..end - first).step_by(step).map(|at| (at, least(at))).collect();
        (bars, ticks)
    }
}

/// `64 µs`, `1.0 ms`.
fn time_said(us: u64) -> String {
    if us < 1_000 { format!("{us} µs") } else { figure::micros(us) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(times: &[u64]) -> Calls {
        let last = times.len() - 1;
        let time = |(at, calls): (usize, &u64)| Time {
            below_us: (at < last).then(|| 16 << at),
            calls: *calls,
        };
        Calls {
            kind: "handle".to_owned(),
            calls: times.iter().sum(),
            failed: 0,
            time_us: 0,
            longest_us: 0,
            deadline_us: 1,
            times: times.iter().enumerate().map(time).collect(),
        }
    }

    #[test]
    fn the_bars_reach_from_the_shortest_time_to_the_longest() {
        assert_eq!(calls(&[0; 22]).bars().0.len(), 0);
        let mut times = [0; 22];
        (times[3], times[4]) = (5, 7);
        let (bars, ticks) = calls(&times).bars();
        assert_eq!((bars.len(), bars[0], bars[1]), (BARS_MIN, (5.0, 0.0), (7.0, 0.0)));
        assert_eq!(ticks[0], (0, "64 µs".to_owned()), "128 µs is the bound of the first");
        times[21] = 1;
        assert_eq!(calls(&times).bars().0.len(), 19);
        let mut slow = [0; 22];
        slow[21] = 1;
        let (bars, _) = calls(&slow).bars();
        assert_eq!((bars.len(), bars[BARS_MIN - 1]), (BARS_MIN, (1.0, 0.0)));
    }

    #[test]
    fn half_of_the_calls_are_below_what_is_said() {
        assert_eq!(calls(&[1, 1, 2, 0]).half(), Some(32));
        assert_eq!(calls(&[0, 0, 0, 3]).half(), None);
    }

    #[test]
    fn a_limit_that_is_near_is_marked() {
        let row = limit("Memory of an instance", (95, 100), figure::bytes);
        assert_eq!((row.share.as_str(), row.said.as_str()), ("95 %", "95 bytes of 100 bytes"));
        assert!(row.meter.0.contains("class=\"bad\""), "{}", row.meter.0);
        assert_eq!(limit("State", (0, 0), figure::bytes).share, "-");
    }
}
