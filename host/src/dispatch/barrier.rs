//! The barrier: requests wait for a moment until the receipts of their source are parsed, and are
//! parsed early then.
//!
//! What comes behind a receipt that is to be parsed is parsed later too, and so a busy source would
//! never be parsed early again. At the barrier all wait that come, so that nothing new is left to
//! parse, and the few receipts are soon done. Bounded in number and in time, and closed to a source
//! for a while whose requests have waited in vain. Never decides whether events come in their turn;
//! the store does.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::{Clock, Moment};
use crate::ids::Name;
use crate::lock::lock;

/// Nobody waits for more receipts: they take longer.
pub(super) const RECEIPTS_MAX: usize = 64;
/// Most requests of one source that wait.
const REQUESTS_MAX: usize = 512;
/// The longest that one waits.
const WAIT_MAX: Duration = Duration::from_millis(10);
/// Behind one that waited in vain none of its source waits for so long.
const REST: Duration = Duration::from_millis(200);

/// The requests that wait.
#[derive(Debug)]
pub(super) struct Barrier {
    wait_max: Duration,
    sources: Mutex<BTreeMap<Name, Waiting>>,
}

/// The requests of one source.
#[derive(Debug, Default)]
struct Waiting {
    requests: usize,
    rests_until: Option<Moment>,
}

/// One request, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits<'b> {
    barrier: &'b Barrier,
    source: &'b Name,
}

impl Default for Barrier {
    fn default() -> Self {
        Self::of(WAIT_MAX)
    }
}

impl Barrier {
    /// One at which nobody waits for longer than this.
    pub(super) fn of(wait_max: Duration) -> Self {
        Self { wait_max, sources: Mutex::default() }
    }

    /// One more request of a source waits, if there is room and it is worth it.
    pub(super) fn join<'b>(&'b self, source: &'b Name, clock: &Clock) -> Option<Waits<'b>> {
        let mut sources = lock(&self.sources);
        if let Some(Waiting { requests, rests_until }) = sources.get(source) {
            let rests = rests_until.is_some_and(|until| !clock.has_come(until));
            if rests || *requests >= REQUESTS_MAX {
                return None;
            }
        }
        sources.entry(source.clone()).or_default().requests += 1;
        Some(Waits { barrier: self, source })
    }
}

impl Waits<'_> {
    /// Waits until this resolves, or for too long.
    pub(super) async fn until(self, parsed: impl Future<Output = ()> + Send, clock: &Clock) {
        if timeout(self.barrier.wait_max, parsed).await.is_ok() {
            return;
        }
        if let Some(waiting) = lock(&self.barrier.sources).get_mut(self.source) {
            waiting.rests_until = Some(clock.moment(REST));
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut sources = lock(&self.barrier.sources);
        if let Some(waiting) = sources.get_mut(self.source) {
            waiting.requests -= 1;
            if waiting.requests == 0 && waiting.rests_until.is_none() {
                sources.remove(self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::event::Timestamp;

    #[tokio::test]
    async fn requests_wait_in_bounded_number_and_for_none_that_was_waited_for_in_vain() {
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let barrier = Barrier::of(Duration::from_millis(1));
        let (one, other): (Name, Name) = ("one".parse().unwrap(), "other".parse().unwrap());
        let join = |name| barrier.join(name, &clock);

        let mut waiting: Vec<Waits<'_>> = (0..REQUESTS_MAX).filter_map(|_| join(&one)).collect();
        assert_eq!(waiting.len(), REQUESTS_MAX);
        assert!(join(&one).is_none() && join(&other).is_some());
        waiting.pop().unwrap().until(ready(()), &clock).await;
        assert!(join(&one).is_some(), "one has gone on");
        drop(waiting);
        assert!(lock(&barrier.sources).is_empty());

        join(&one).unwrap().until(pending(), &clock).await;
        assert!(join(&one).is_none() && join(&other).is_some());
        clock.advance(REST);
        assert!(join(&one).is_some());
    }
}
