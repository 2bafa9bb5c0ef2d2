//! What the calls of one plugin used, as operators see it: beside each limit, the most so far.
//!
//! Plain rows for JSON, counted elsewhere. Never asks a plugin anything.

use std::time::Duration;

use serde::Serialize;

use crate::ids::Name;
use crate::plugin::{CallUsage, Most, Usage};
use crate::store::Store;

/// What a plugin used since its file was loaded.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PluginUsage {
    calls: Vec<CallsUsed>,
    limits: Vec<LimitUsed>,
    dropped_log_lines: u64,
}

object! {
    /// What the calls of a plugin used since its file was loaded.
    PluginUsage {
        /// For each kind of call that it has.
        calls: Vec<CallsUsed>,
        /// For each limit that it has.
        limits: Vec<LimitUsed>,
        /// Log lines of all calls that the gateway did not keep.
        dropped_log_lines: u64,
    }
}

/// The calls of one kind.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct CallsUsed {
    kind: &'static str,
    calls: u64,
    fresh: u64,
    failed: u64,
    time_us: u64,
    longest_us: u64,
    deadline_us: u64,
    times: Vec<CallTime>,
}

object! {
    /// The calls of one kind.
    CallsUsed {
        /// `claim`, `parse` or `handle`.
        kind: &'static str,
        /// Their number.
        calls: u64,
        /// Those that were the first in their instance.
        fresh: u64,
        /// Those that trapped, that the gateway cut off, or that returned a failure.
        failed: u64,
        /// The time of all of them together, in microseconds.
        time_us: u64,
        /// The time of the longest.
        longest_us: u64,
        /// The time that each may use now.
        deadline_us: u64,
        /// How many took how long, from the shortest to the longest.
        times: Vec<CallTime>,
    }
}

/// The calls that took about as long.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct CallTime {
    below_us: Option<u64>,
    calls: u64,
}

object! {
    /// The calls that took less than a time, and no less than the one before it.
    CallTime {
        /// That time, in microseconds; null for all that took longer.
        below_us: Option<u64>,
        /// Their number.
        calls: u64,
    }
}

/// What was used of a limit.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct LimitUsed {
    name: &'static str,
    used: u64,
    limit: u64,
}

object! {
    /// What a plugin used of a limit.
    LimitUsed {
        /// `memory_bytes` of one instance, `log_lines` of one call, `effects` of one run, or
        /// `state_bytes` that its handler remembers now.
        name: &'static str,
        /// The most so far, also if it may use less now.
        used: u64,
        /// The most that it may use now.
        limit: u64,
    }
}

impl PluginUsage {
    /// Of the plugin that operators see under this name; a handler remembers under its own.
    pub(super) fn of(plugin: &str, usage: &Usage, store: &Store) -> Self {
        let handler = usage.runs.and_then(|_| plugin.parse::<Name>().ok());
        let state = handler.map(|handler| {
            let (used, limit) = store.remembered(&handler);
            Most { used, limit }
        });
        Self::new(usage, state)
    }

    fn new(usage: &Usage, state: Option<Most>) -> Self {
        let Usage { claims, parses, runs, memory, log_lines, dropped_log_lines, effects } = *usage;
        let kinds = [("claim", claims), ("parse", parses), ("handle", runs)];
        let limits = [
            ("memory_bytes", Some(memory)),
            ("log_lines", Some(log_lines)),
            ("effects", effects),
            ("state_bytes", state),
        ];
        let calls = |(kind, calls): (_, Option<CallUsage>)| Some(CallsUsed::new(kind, calls?));
        let limit = |(name, most): (_, Option<Most>)| {
            let Most { used, limit } = most?;
            Some(LimitUsed { name, used, limit })
        };
        Self {
            calls: kinds.into_iter().filter_map(calls).collect(),
            limits: limits.into_iter().filter_map(limit).collect(),
            dropped_log_lines,
        }
    }
}

impl CallsUsed {
    fn new(kind: &'static str, used: CallUsage) -> Self {
        let CallUsage { fresh, reused, failed, time, longest, deadline, times } = used;
        let time_of = |(place, calls): (usize, u64)| CallTime {
            below_us: CallUsage::below(place).map(micros),
            calls,
        };
        Self {
            kind,
            calls: fresh + reused,
            fresh,
            failed,
            time_us: micros(time),
            longest_us: micros(longest),
            deadline_us: micros(deadline),
            times: times.into_iter().enumerate().map(time_of).collect(),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::TIMES;

    #[test]
    fn what_a_plugin_does_not_have_is_not_shown() {
        let ms = Duration::from_millis;
        let mut times = [0; TIMES];
        (times[0], times[TIMES - 1]) = (4, 1);
        let (time, longest, deadline) = (ms(7), ms(5), ms(1_000));
        let runs = CallUsage { fresh: 2, reused: 3, failed: 1, time, longest, deadline, times };
        let most = Most { used: 1, limit: 4 };
        let usage = Usage {
            claims: None,
            parses: None,
            runs: Some(runs),
            memory: most,
            log_lines: most,
            dropped_log_lines: 6,
            effects: None,
        };
        let shown = PluginUsage::new(&usage, Some(most));
        let names: Vec<_> = shown.limits.iter().map(|limit| limit.name).collect();
        assert_eq!(names, ["memory_bytes", "log_lines", "state_bytes"]);
        let [calls] = &shown.calls[..] else { panic!("{shown:?}") };
        assert_eq!((calls.kind, calls.calls, calls.fresh, calls.failed), ("handle", 5, 2, 1));
        assert_eq!((calls.time_us, calls.longest_us, calls.deadline_us), (7_000, 5_000, 1_000_000));
        assert_eq!(calls.times.first(), Some(&CallTime { below_us: Some(16), calls: 4 }));
        assert_eq!(calls.times.last(), Some(&CallTime { below_us: None, calls: 1 }));
    }
}
