//! When the files were last seen to be the store's, so that those who ask at the same time share
//! one look.
//!
//! What was seen holds for a millisecond: whoever removes a file within that might as well have
//! come behind the answer. A look that finds something wrong is shared with nobody. Never looks
//! itself.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// How long others go by a look.
const HOLDS: Duration = Duration::from_millis(1);

/// When the files were last seen to be the store's, if nothing was wrong.
#[derive(Debug, Default)]
pub(super) struct Glances(Mutex<Option<Instant>>);

impl Glances {
    /// Looks, unless somebody has just done so.
    pub(super) fn share<E>(&self, look: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.share_at(Instant::now(), look)
    }

    fn share_at<E>(&self, now: Instant, look: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let seen = *lock(&self.0);
        if seen.is_some_and(|seen| now.saturating_duration_since(seen) < HOLDS) {
            return Ok(());
        }
        let looked = look();
        *lock(&self.0) = looked.is_ok().then_some(now);
        looked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_shared_for_a_millisecond_and_only_if_nothing_was_wrong() {
        let (glances, start) = (Glances::default(), Instant::now());
        let share = |micros: u64, found: Result<(), &'static str>| {
            let mut has_looked = false;
            let said = glances.share_at(start + Duration::from_micros(micros), || {
                has_looked = true;
                found
            });
            (has_looked, said)
        };
        assert_eq!(share(0, Err("gone")), (true, Err("gone")));
        assert_eq!(share(1, Ok(())), (true, Ok(())), "nobody goes by what was wrong");
        assert_eq!(share(1_000, Err("gone")), (false, Ok(())));
        assert_eq!(share(1_001, Err("gone")), (true, Err("gone")));
        assert_eq!(share(1_002, Ok(())), (true, Ok(())));
    }
}
