//! What the gateway says to the service manager that started it, such as systemd, if there is one:
//! that it is ready, reads its files again, stops, and is alive.
//!
//! The one door to `sd_notify`. Never waits for an answer, and never fails for want of one.

use std::io;
use std::time::Duration;

use sd_notify as service;
use service::NotifyState;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

/// No service manager hears more often than this that the gateway is alive.
const LEAST: Duration = Duration::from_millis(10);
/// A service manager that does not read holds nobody up for longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The turn of whoever says something: a message that waits for room keeps it.
static SAYING: Semaphore = Semaphore::const_new(1);

/// Both ports are open.
pub(super) async fn ready(status: String) {
    say(move || service::notify(&[NotifyState::Ready, NotifyState::Status(&status)])).await;
}

/// The gateway looks at its files again; [`ready`] follows.
pub(super) async fn reloading() {
    // Without the time, systemd takes it for no reload that it may wait for.
    say(|| service::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])).await;
}

/// The gateway finishes what is in flight, and ends.
pub(super) async fn stopping() {
    let status = NotifyState::Status("finishing the work in flight");
    say(move || service::notify(&[NotifyState::Stopping, status])).await;
}

/// Says again and again that the runtime goes on, twice as often as the service manager wants to
/// hear it. Where it does not, this ends at once.
pub(super) async fn stay_alive() {
    let Some(patience) = service::watchdog_enabled() else { return };
    let mut due = interval((patience / 2).max(LEAST));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        say(|| service::notify(&[NotifyState::Watchdog])).await;
    }
}

/// Says something on a thread that may wait until there is room for it.
async fn say(say: impl FnOnce() -> io::Result<()> + Send + 'static) {
    say_after(&SAYING, PATIENCE, say).await;
}

/// The same once whatever holds the turn is said: one after the other, on one thread, however long
/// nobody reads.
async fn say_after(
    turns: &'static Semaphore,
    patience: Duration,
    say: impl FnOnce() -> io::Result<()> + Send + 'static,
) {
    let saying = async {
        let turn = turns.acquire().await;
        let said = spawn_blocking(move || {
            let _turn = turn;
            say()
        });
        said.await
    };
    match timeout(patience, saying).await {
        Ok(Ok(Ok(()))) => (),
        Ok(Ok(Err(error))) => debug!(%error, "the service manager can't hear how the gateway is"),
        Ok(Err(_)) | Err(_) => debug!("the service manager does not hear how the gateway is"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    /// Take the turn out of [`say_after`], and each message that nobody reads keeps a thread.
    #[tokio::test]
    async fn messages_that_nobody_reads_keep_one_thread() {
        static TURNS: Semaphore = Semaphore::const_new(1);
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let (read, unread) = channel::<()>();
        say_after(&TURNS, Duration::ZERO, move || {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            assert!(unread.recv().is_err());
            Ok(())
        })
        .await;
        for _ in 0..3 {
            say_after(&TURNS, Duration::ZERO, || {
                BEGUN.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
            .await;
        }
        drop(read);

        say_after(&TURNS, Duration::MAX, || {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .await;
        assert_eq!(BEGUN.load(Ordering::SeqCst), 2, "the first, and the one that waited");
    }
}
