//! Who goes on with the replays by filter: one slice after the other, of each replay in turn.
//!
//! A task of the gateway beside the path of events, so that a replay needs nobody who waits for it,
//! and goes on after a start. Near a high-water mark, and while enough is open that was opened
//! again, it opens nothing. Between its slices a replay rests: by its rate, or at the [`Pace`] that
//! what comes live can bear. A slice that fails is told and tried again, and the other replays go
//! on meanwhile; it never ends the gateway.

mod pace;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use self::pace::Pace;
use crate::causes::chain;
use crate::disk::Disk;
use crate::ids::Id;
use crate::store::{self, Replay, Replayed, Store};

/// Until a slice is tried again that failed.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks whether enough of the disk is free: as often as somebody looks at that.
const DISK_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Replaying {
    pub(super) store: Store,
    pub(super) disk: Arc<Disk>,
}

impl Replaying {
    /// Goes on with replays until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.replay() => (),
        }
    }

    async fn replay(&self) {
        let Self { store, disk } = self;
        let mut last = None;
        let mut resting: HashMap<Id, Instant> = HashMap::new();
        let mut pace = Pace::default();
        loop {
            let moved = store.replays_moved();
            resting.retain(|_, until| *until > Instant::now());
            let Some(id) = next(|after| store.next_replay(after), last, &resting) else {
                // For one that begins.
                store.hold_replays(false);
                tokio::select! {
                    () = moved => (),
                    () = first_of(&resting) => (),
                }
                let over = resting.values().min().map(Instant::elapsed);
                if let Some(late) = over.filter(|late| !late.is_zero()) {
                    pace.woke(late);
                }
                continue;
            };
            let is_low = disk.is_low();
            store.hold_replays(is_low);
            if is_low {
                sleep(DISK_PAUSE).await;
                continue;
            }
            last = Some(id);
            let until = self.advance(id, &pace).await;
            if until > Instant::now() {
                resting.insert(id, until);
            }
        }
    }

    /// Does a slice of a replay. When the next may begin.
    async fn advance(&self, id: Id, pace: &Pace) -> Instant {
        let began = Instant::now();
        match self.store.advance_replay(id).await {
            Ok(Some(replay)) => {
                tell(&replay);
                began + replay.rest().unwrap_or(pace.rest())
            }
            Ok(None) => began + TROUBLE_PAUSE,
            Err(store::Error::Unavailable(_)) => {
                self.store.available().await;
                began
            }
            // Others end the gateway for that.
            Err(store::Error::Closed | store::Error::Failed(_)) => pending().await,
            Err(error) => {
                let reason = chain(&error);
                error!("failed to go on with {id}; the gateway will try again: {reason}");
                Instant::now() + TROUBLE_PAUSE
            }
        }
    }
}

/// The replay whose turn is next, behind the last one, among those that do not rest.
fn next(
    behind: impl Fn(Option<Id>) -> Option<Id>,
    last: Option<Id>,
    resting: &HashMap<Id, Instant>,
) -> Option<Id> {
    let mut id = last;
    // Behind as many as rest, and as the turns go round, there is one that does not or there is
    // none.
    for _ in 0..=resting.len() {
        id = behind(id);
        if id.is_none_or(|id| !resting.contains_key(&id)) {
            return id;
        }
    }
    None
}

/// Resolves when the first rest is over; never if none rests.
async fn first_of(resting: &HashMap<Id, Instant>) {
    match resting.values().min() {
        Some(until) => sleep_until(*until).await,
        None => pending().await,
    }
}

/// Logs what a replay came to, when it is at its end.
fn tell(replay: &Replay) {
    let Replay { id, finished_at, replayed, .. } = replay;
    let Replayed { reopened, hastened, unchanged, damaged } = replayed;
    if finished_at.is_some() {
        info!(
            reopened,
            hastened,
            unchanged,
            damaged,
            "{id} is finished: it reopened {reopened} works and hastened {hastened}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdKind;

    #[test]
    fn the_others_take_their_turns_while_replays_rest() {
        let ids = [1, 2, 3].map(|position| Id { kind: IdKind::Replay, position, tag: 7 });
        let behind = |after: Option<Id>| {
            let later = ids.into_iter().find(|id| Some(*id) > after);
            later.or(Some(ids[0]))
        };
        let until = Instant::now();
        let next = |last: Option<Id>, resting: &[usize]| {
            let resting = resting.iter().map(|place| (ids[*place], until)).collect();
            next(behind, last, &resting)
        };

        assert_eq!(next(None, &[0]), Some(ids[1]));
        assert_eq!(next(Some(ids[1]), &[2]), Some(ids[0]));
        assert_eq!(next(Some(ids[2]), &[0, 1]), Some(ids[2]));
        assert_eq!(next(Some(ids[2]), &[0, 1, 2]), None);
    }
}
