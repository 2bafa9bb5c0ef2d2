//! Deliveries that come of no payload, known by their ids: how many have arrived, and how often.
//!
//! For what a store has from before anything is sent. Never keeps what they say.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How often each has arrived, by its id.
#[derive(Debug, Default)]
pub(crate) struct Others {
    seen: Mutex<HashMap<String, usize>>,
    more: Condvar,
}

impl Others {
    pub(crate) fn note(&self, id: &str) {
        let mut seen = self.lock();
        match seen.get_mut(id) {
            Some(times) => *times += 1,
            None => {
                seen.insert(id.to_owned(), 1);
                self.more.notify_all();
            }
        }
    }

    /// How many ids have arrived.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// How many arrivals were not the first of their id.
    pub(crate) fn repeated(&self) -> usize {
        self.lock().values().map(|times| times - 1).sum()
    }

    /// How many of these have not arrived.
    pub(crate) fn missing(&self, ids: &[String]) -> usize {
        let seen = self.lock();
        ids.iter().filter(|id| !seen.contains_key(*id)).count()
    }

    /// Waits until so many ids have arrived, at most for `time`; whether they have.
    pub(crate) fn wait(&self, count: usize, time: Duration) -> bool {
        let fewer = |seen: &mut HashMap<String, usize>| seen.len() < count;
        let waited = self.more.wait_timeout_while(self.lock(), time, fewer);
        !waited.expect("no holder panics").1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.seen.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_twice_is_one_that_was_repeated() {
        let others = Others::default();
        ["dlv_1", "dlv_2", "dlv_1"].into_iter().for_each(|id| others.note(id));
        assert_eq!((others.count(), others.repeated()), (2, 1));
        assert_eq!(others.missing(&["dlv_2".to_owned(), "dlv_3".to_owned()]), 1);
        assert!(others.wait(2, Duration::from_secs(60)));
        assert!(!others.wait(3, Duration::from_millis(1)));
    }
}
