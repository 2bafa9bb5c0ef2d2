//! When the store is swept: now and then, and its log packed whenever it has grown by much.
//!
//! A task of the gateway beside the path of events. Removes nothing by itself: what goes is the
//! retention's to say and the store's to do. A sweep that fails is told and counted and tried
//! again; it never ends the gateway.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::causes::chain;
use crate::clock::{Clock, Moment};
use crate::metrics::Metrics;
use crate::store::{self, Retention, Store, Swept};

/// Before the first sweep: a start has better things to do, and a gateway that is often restarted
/// must come to it too.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// When the log has grown by so much, it is packed without waiting for the next sweep.
const PACK_BYTES: usize = 16 << 20;

/// Between the first two times that the same failure is told; then twice as long each time.
const TELL_PAUSE: Duration = Duration::from_secs(60 * 60);
const TELL_PAUSE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Sweeping {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    pub(super) retention: Arc<ArcSwap<Retention>>,
}

/// A failure that lasts.
struct Trouble {
    reason: String,
    /// When to tell it again.
    tell_at: Moment,
    pause: Duration,
}

impl Sweeping {
    /// Sweeps until cancelled. While the store is unavailable it waits.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.sweep() => (),
        }
    }

    async fn sweep(&self) {
        let Self { store, clock, retention, .. } = self;
        let mut trouble = None;
        let mut due = clock.moment(FIRST_PAUSE);
        loop {
            let swept = tokio::select! {
                () = clock.comes(Some(due)) => {
                    due = clock.moment(PAUSE);
                    store.sweep(&retention.load()).await
                }
                () = store.has_grown(PACK_BYTES) => store.pack(&retention.load()).await,
            };
            match swept {
                Ok(swept) => self.succeeded(swept, &mut trouble),
                Err(store::Error::Unavailable(_)) => store.available().await,
                Err(error) => self.failed(&error, &mut trouble),
            }
        }
    }

    fn succeeded(&self, swept: Swept, trouble: &mut Option<Trouble>) {
        self.metrics.swept(self.clock.now());
        debug!(?swept, "swept the store");
        if trouble.take().is_some() {
            info!("the sweep of the store works again");
        }
    }

    fn failed(&self, error: &store::Error, trouble: &mut Option<Trouble>) {
        self.metrics.sweep_failed();
        let reason = chain(error);
        let pause = match trouble {
            Some(known) if known.reason == reason => {
                if !self.clock.has_come(known.tell_at) {
                    return;
                }
                (known.pause * 2).min(TELL_PAUSE_MAX)
            }
            _ => TELL_PAUSE,
        };
        error!("failed to sweep the store; the gateway will try again: {reason}");
        *trouble = Some(Trouble { reason, tell_at: self.clock.moment(pause), pause });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    #[test]
    fn a_failure_is_told_once_counted_each_time_and_told_again_at_growing_pauses() {
        let folder = tempfile::tempdir().unwrap();
        let began = Timestamp(1_700_000_000_000);
        let clock = Clock::manual(began);
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let metrics = Metrics::new();
        let retention = Arc::default();
        let sweeping = Sweeping { store, clock, metrics, retention };
        let failure = store::Error::Panicked("one".into());
        let mut trouble = None;
        let mut told = Vec::new();
        for number in 0..60 {
            if number == 1 {
                // Somebody sets the clock back: that makes no failure quiet.
                sweeping.clock.set(Timestamp(began.0 / 2));
            }
            sweeping.failed(&failure, &mut trouble);
            told.extend(trouble.as_ref().map(|trouble| trouble.tell_at));
            sweeping.clock.advance(PAUSE);
        }
        told.dedup();
        assert_eq!(told.len(), 4, "at the first, and 1, 3 and 7 hours after it");

        sweeping.failed(&store::Error::Panicked("another".into()), &mut trouble);
        assert_eq!(trouble.as_ref().map(|trouble| trouble.pause), Some(TELL_PAUSE));
        sweeping.succeeded(Swept::default(), &mut trouble);
        assert!(trouble.is_none());
        let text = sweeping.metrics.render();
        assert!(text.contains("hookgate_sweep_failures_total 61"), "{text}");
        let last = format!("timestamp_seconds {}", sweeping.clock.now().seconds());
        assert!(text.contains(&last), "{text}");
    }
}
