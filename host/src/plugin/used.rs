//! What the calls of one plugin used of what they may use: counted when each ends.
//!
//! Since the file was loaded: another version begins at nothing. Calls that nobody waits for, such
//! as `describe` and `check`, do not count. Never bounds anything, and what it costs a call is a
//! few additions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Host, Plugin};

/// How many [times](CallUsage::times) are told apart.
pub const TIMES: usize = 22;
/// The shortest of them, in microseconds, as a power of two.
const SHORTEST: usize = 4;

/// A kind of call that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin) enum Call {
    /// For claims.
    Claim,
    /// For events, early or later.
    Parse,
    /// Of a handler.
    Handle,
}

/// What one call took.
#[derive(Debug, Clone, Copy)]
pub(in crate::plugin) struct Took {
    /// Whether another call was made in its instance before.
    pub(in crate::plugin) reused: bool,
    /// Whether it trapped, was cut off, or said that it failed.
    pub(in crate::plugin) failed: bool,
    /// From before its instance was made until it ended.
    pub(in crate::plugin) time: Duration,
    /// The bytes of memory of its instance.
    pub(in crate::plugin) memory: usize,
    /// The lines that are kept of what it wrote.
    pub(in crate::plugin) log_lines: usize,
    /// The lines that are not.
    pub(in crate::plugin) dropped_log_lines: u64,
    /// The effects that it asked for.
    pub(in crate::plugin) effects: usize,
}

/// What all calls of a plugin took so far.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Used {
    claims: Calls,
    parses: Calls,
    runs: Calls,
    memory: AtomicU64,
    log_lines: AtomicU64,
    dropped_log_lines: AtomicU64,
    effects: AtomicU64,
}

/// The calls of one kind.
#[derive(Debug, Default)]
struct Calls {
    fresh: AtomicU64,
    reused: AtomicU64,
    failed: AtomicU64,
    nanoseconds: AtomicU64,
    longest: AtomicU64,
    times: [AtomicU64; TIMES],
}

/// What the calls of a plugin used since its file was loaded, and what each may use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// For claims; none if it is not a provider.
    pub claims: Option<CallUsage>,
    /// For events, early or later; none if it is not a provider.
    pub parses: Option<CallUsage>,
    /// On events; none if it is not a handler.
    pub runs: Option<CallUsage>,
    /// Bytes of memory of one instance.
    pub memory: Most,
    /// Lines that one call wrote and that are kept.
    pub log_lines: Most,
    /// Lines of all calls that are not kept, because the call had written as many as it may.
    pub dropped_log_lines: u64,
    /// Effects that one run asked for; none if it is not a handler.
    pub effects: Option<Most>,
}

/// What the calls of one kind used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallUsage {
    /// How many were the first in their instance.
    pub fresh: u64,
    /// How many were made in an instance that had been called before.
    pub reused: u64,
    /// How many trapped, were cut off, or said that they failed.
    pub failed: u64,
    /// The time of all of them.
    pub time: Duration,
    /// The time of the longest.
    pub longest: Duration,
    /// The time that each may take now. An early parse may take less.
    pub deadline: Duration,
    /// How many took less than 16 microseconds, less than twice as long, and so on; the last are
    /// all that took longer.
    pub times: [u64; TIMES],
}

impl CallUsage {
    /// The time that all calls in a place of [`times`](Self::times) took less than; none for the
    /// last place.
    pub fn below(place: usize) -> Option<Duration> {
        (place + 1 < TIMES).then(|| Duration::from_micros(1 << (SHORTEST + place)))
    }
}

/// The most that one call or instance used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// The most so far, also if it may use less now.
    pub used: u64,
    /// The most that each may use now.
    pub limit: u64,
}

impl Used {
    /// A call has ended, however it did.
    pub(in crate::plugin) fn add(&self, call: Call, took: &Took) {
        let calls = match call {
            Call::Claim => &self.claims,
            Call::Parse => &self.parses,
            Call::Handle => &self.runs,
        };
        calls.add(took);
        raise(&self.memory, took.memory as u64);
        raise(&self.log_lines, took.log_lines as u64);
        raise(&self.effects, took.effects as u64);
        if took.dropped_log_lines > 0 {
            self.dropped_log_lines.fetch_add(took.dropped_log_lines, Ordering::Relaxed);
        }
    }
}

impl Calls {
    fn add(&self, took: &Took) {
        let of_its_instance = if took.reused { &self.reused } else { &self.fresh };
        of_its_instance.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        raise(&self.longest, nanoseconds);
        self.times[place(nanoseconds / 1_000)].fetch_add(1, Ordering::Relaxed);
        if took.failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn usage(&self, deadline: Duration) -> CallUsage {
        let duration = |nanoseconds| Duration::from_nanos(read(nanoseconds));
        CallUsage {
            fresh: read(&self.fresh),
            reused: read(&self.reused),
            failed: read(&self.failed),
            time: duration(&self.nanoseconds),
            longest: duration(&self.longest),
            deadline,
            times: self.times.each_ref().map(read),
        }
    }
}

impl Host {
    /// What the calls of a plugin used so far, and what each may use now.
    pub fn usage(&self, plugin: &Plugin) -> Usage {
        let (bounds, used) = (self.bounds(plugin.name()), &plugin.used);
        let deadlines = bounds.deadlines;
        let most = |used, limit: usize| Most { used: read(used), limit: limit as u64 };
        let (is_provider, is_handler) = (plugin.provider().is_some(), plugin.handler().is_some());
        Usage {
            claims: is_provider.then(|| used.claims.usage(deadlines.claims)),
            parses: is_provider.then(|| used.parses.usage(deadlines.parse)),
            runs: is_handler.then(|| used.runs.usage(deadlines.handle)),
            memory: most(&used.memory, bounds.memory),
            log_lines: most(&used.log_lines, bounds.log_lines),
            dropped_log_lines: read(&used.dropped_log_lines),
            effects: is_handler.then(|| most(&used.effects, bounds.effects)),
        }
    }
}

/// The place of a time in [`CallUsage::times`].
fn place(microseconds: u64) -> usize {
    let power = microseconds.checked_ilog2().map_or(0, |power| power as usize + 1);
    power.saturating_sub(SHORTEST).min(TIMES - 1)
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

/// Most calls are not the largest so far: they only read, and threads share what they read.
fn raise(most: &AtomicU64, to: u64) {
    if read(most) < to {
        most.fetch_max(to, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_added_up_by_their_kind_and_of_the_rest_the_most_counts() {
        let used = Used::default();
        let took = |milliseconds, reused, memory, effects: usize| Took {
            reused,
            failed: reused,
            time: Duration::from_millis(milliseconds),
            memory,
            log_lines: effects + 1,
            dropped_log_lines: 2,
            effects,
        };
        used.add(Call::Handle, &took(5, false, 100, 3));
        used.add(Call::Handle, &took(7, true, 90, 2));
        used.add(Call::Parse, &took(1, false, 10, 0));

        let deadline = Duration::from_secs(1);
        let usage = |fresh, reused, time, longest| {
            let (time, longest) = (Duration::from_millis(time), Duration::from_millis(longest));
            let times = [0; TIMES];
            CallUsage { fresh, reused, failed: reused, time, longest, deadline, times }
        };
        let without_times =
            |calls: &Calls| CallUsage { times: [0; TIMES], ..calls.usage(deadline) };
        assert_eq!(without_times(&used.runs), usage(1, 1, 12, 7));
        assert_eq!(without_times(&used.parses), usage(1, 0, 1, 1));
        assert_eq!(used.claims.usage(deadline), usage(0, 0, 0, 0));
        assert_eq!(used.runs.usage(deadline).times.iter().sum::<u64>(), 2);
        let most = [&used.memory, &used.log_lines, &used.effects, &used.dropped_log_lines];
        assert_eq!(most.map(read), [100, 4, 3, 6]);
    }

    /// Guards the place of each time: take out the `+ 1`, and a time is below its own bound.
    #[test]
    fn a_call_is_counted_below_the_first_bound_that_is_longer() {
        let bound = |at| CallUsage::below(at).unwrap().as_micros() as u64;
        assert_eq!((bound(0), bound(1), bound(TIMES - 2)), (16, 32, 16 << 20));
        assert_eq!([0, 1, 15].map(place), [0; 3]);
        for at in 0..TIMES - 1 {
            assert_eq!((place(bound(at) - 1), place(bound(at))), (at, at + 1));
        }
        assert_eq!((place(u64::MAX), CallUsage::below(TIMES - 1)), (TIMES - 1, None));
    }
}
