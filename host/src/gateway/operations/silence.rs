//! Sources that bring less than the operator expects of them.
//!
//! Pure: is given what has come of each so far, and how much time has passed. Counts from the start
//! of the gateway, and tells each silence once. Never says why a source is silent.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::Name;
use crate::ingest::{Expected, Source};

/// What was seen of a source is kept for so many parts of its time.
const PARTS: u32 = 64;

/// What was seen of each source that is expected to bring something.
#[derive(Debug, Default)]
pub(super) struct Silence(BTreeMap<Name, Watched>);

#[derive(Debug)]
struct Watched {
    expected: Expected,
    /// When it was looked at, and what had come by then; the first is that which counts.
    seen: VecDeque<(Duration, u64)>,
    is_silent: bool,
}

/// A source of which too little has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) source: Name,
    pub(super) expected: Expected,
    pub(super) came: u64,
}

impl Silence {
    /// Those that have become silent since the last look.
    pub(super) fn look(
        &mut self,
        sources: &BTreeMap<Name, Source>,
        now: Duration,
        accepted: impl Fn(&Name) -> u64,
    ) -> Vec<Silent> {
        let mut silent = Vec::new();
        let expected = |name: &Name| sources.get(name).and_then(|source| source.expected);
        self.0.retain(|name, watched| expected(name) == Some(watched.expected));
        for (source, expected) in sources.keys().filter_map(|it| Some((it, expected(it)?))) {
            let new = || Watched { expected, seen: VecDeque::new(), is_silent: false };
            let watched = self.0.entry(source.clone()).or_insert_with(new);
            let too_little = watched.look(now, accepted(source));
            if let Some(came) = too_little.filter(|_| !watched.is_silent) {
                silent.push(Silent { source: source.clone(), expected, came });
            }
            watched.is_silent = too_little.is_some();
        }
        silent
    }
}

impl Watched {
    /// What has come within the last span, if that is too little.
    fn look(&mut self, now: Duration, accepted: u64) -> Option<u64> {
        let Expected { requests, within } = self.expected;
        let age = |(at, _): &(Duration, u64)| now.saturating_sub(*at);
        if self.seen.back().is_none_or(|last| age(last) >= within / PARTS) {
            self.seen.push_back((now, accepted));
        }
        while self.seen.get(1).is_some_and(|second| age(second) >= within) {
            self.seen.pop_front();
        }
        let first = self.seen.front()?;
        let came = accepted.saturating_sub(first.1);
        (age(first) >= within && came < u64::from(requests)).then_some(came)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// At which of these looks, a minute apart, one in three minutes was missed for the first time.
    fn told(accepted: &[u64]) -> Vec<u32> {
        let expected = Expected { requests: 1, within: 3 * MINUTE };
        let mut watched = Watched { expected, seen: VecDeque::new(), is_silent: false };
        let mut told = Vec::new();
        for (number, accepted) in (0..).zip(accepted) {
            let is_silent = watched.look(number * MINUTE, *accepted).is_some();
            if is_silent && !watched.is_silent {
                told.push(number);
            }
            watched.is_silent = is_silent;
        }
        told
    }

    #[test]
    fn a_source_is_silent_when_too_little_came_within_the_time_and_not_before_it_is_over() {
        assert_eq!(told(&[0, 0, 0]), [0_u32; 0], "it had no three minutes yet");
        assert_eq!(told(&[0, 0, 0, 0, 0]), [3], "and it is told once");
        assert_eq!(told(&[0, 0, 1, 1, 1, 1, 1]), [5]);
        assert_eq!(told(&[0, 0, 0, 0, 1, 1, 1, 1, 1]), [3, 7]);
        assert_eq!(told(&[7, 8, 9, 10, 11, 12]), [0_u32; 0]);
    }
}
