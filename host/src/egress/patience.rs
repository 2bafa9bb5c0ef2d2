//! How long a request is waited for, and who hears in between that it is late.
//!
//! Has one timer at a time, and none for what is there at once: most answers come long before
//! either moment. Never ends anything by itself: whoever waits is told that the time is up.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// A time for something, counted from when this was made.
#[derive(Debug)]
pub(crate) struct Patience<L = fn()> {
    timeout: Duration,
    deadline: Instant,
    /// When it is late, and what is to be done then.
    late: Option<(Instant, L)>,
}

impl Patience {
    pub(crate) fn of(timeout: Duration) -> Self {
        Self { timeout, deadline: Instant::now() + timeout, late: None }
    }

    /// Does this once if there is no end after so much of the time.
    pub(crate) fn or_late<L: FnOnce()>(self, after: Duration, late: L) -> Patience<L> {
        let Self { timeout, deadline, .. } = self;
        let late = (after < timeout).then(|| (deadline - (timeout - after), late));
        Patience { timeout, deadline, late }
    }
}

impl<L: FnOnce()> Patience<L> {
    /// All of the time.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What comes, or `None` if the time is up before.
    pub(super) async fn wait<T>(&mut self, awaited: impl Future<Output = T>) -> Option<T> {
        self.wait_until(self.deadline, awaited).await
    }

    /// The same where the time may be up earlier.
    pub(super) async fn wait_until<T>(
        &mut self,
        end: Instant,
        awaited: impl Future<Output = T>,
    ) -> Option<T> {
        let mut awaited = pin!(awaited);
        let end = end.min(self.deadline);
        if let Some((moment, late)) = self.late.take_if(|(moment, _)| *moment < end) {
            if let Ok(come) = timeout_at(moment, awaited.as_mut()).await {
                self.late = Some((moment, late));
                return Some(come);
            }
            late();
        }
        timeout_at(end, awaited).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use super::*;

    const LATE: Duration = Duration::from_millis(1);
    const TIMEOUT: Duration = Duration::from_millis(2);

    #[tokio::test]
    async fn what_is_late_is_said_once_and_waited_for_on() {
        let said = Cell::new(0);
        let mut patience = Patience::of(TIMEOUT).or_late(LATE, || said.set(said.get() + 1));
        assert_eq!(patience.wait(ready(7)).await, Some(7));
        assert_eq!(said.get(), 0);
        assert_eq!(patience.wait(pending::<()>()).await, None);
        assert_eq!(said.get(), 1);
        // Also when no time is left: what is there has come.
        assert_eq!(patience.wait(ready(7)).await, Some(7));
        assert_eq!(patience.wait(pending::<()>()).await, None);
        assert_eq!(said.get(), 1);
    }

    #[tokio::test]
    async fn whoever_gives_up_before_does_not_hear_that_it_is_late() {
        let mut patience = Patience::of(LATE).or_late(TIMEOUT, || panic!("it was given up"));
        assert_eq!(patience.wait(pending::<()>()).await, None);
        let mut patience = Patience::of(TIMEOUT * 10_000).or_late(TIMEOUT * 9_000, || {
            panic!("only a part was given up");
        });
        let end = Instant::now() + LATE;
        assert_eq!(patience.wait_until(end, pending::<()>()).await, None);
    }
}
