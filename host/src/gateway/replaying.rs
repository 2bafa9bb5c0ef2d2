//! Who goes on with the replays by filter: one slice after the other, of each replay in turn.
//!
//! A task of the gateway beside the path of events, so that a replay needs nobody who waits for it,
//! and goes on after a start. Near a high-water mark, and while enough is open that was opened
//! again, it opens nothing. Between its slices a replay rests, by its rate or at the [`Pace`] that
//! what comes live can bear. A slice that fails is told and tried again, and the other replays go
//! on meanwhile; it never ends the gateway.

mod pace;

use std::collections::HashMap;
use std::future::pending;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use self::pace::{Pace, Turn};
use crate::causes::chain;
use crate::disk::Disk;
use crate::ids::Id;
use crate::store::{self, Replay, Replayed, Store};

/// Until a slice is tried again that failed.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// Of a replay whose turn came so long ago nobody knows any more how fast it goes.
const FORGOTTEN: Duration = Duration::from_secs(1);
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
        let mut turns: HashMap<Id, Turn> = HashMap::new();
        let mut pace = Pace::new(available_parallelism().map_or(1, NonZero::get));
        loop {
            let moved = store.replays_moved();
            let now = Instant::now();
            pace.look(store.receipts_stored(), now);
            turns.retain(|_, turn| turn.at + FORGOTTEN > now);
            let rests = |id: Id| turns.get(&id).is_some_and(|turn| turn.at > now);
            let Some(id) = next(|after| store.next_replay(after), last, (turns.len(), rests))
            else {
                // For one that begins.
                store.hold_replays(false);
                let first = turns.values().map(|turn| turn.at).filter(|at| *at > now).min();
                tokio::select! {
                    () = moved => (),
                    () = until(first) => (),
                }
                let over = first.map(|at| at.elapsed());
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
            let free = turns.values().filter(|turn| turn.rate.is_none()).count();
            match self.advance(id, &pace, (turns.get(&id).copied(), free)).await {
                Some(turn) => turns.insert(id, turn),
                None => turns.remove(&id),
            };
        }
    }

    /// Does a slice of a replay, where so many have no rate. When it goes on; `None` at its end.
    async fn advance(
        &self,
        id: Id,
        pace: &Pace,
        (turn, free): (Option<Turn>, usize),
    ) -> Option<Turn> {
        let began = Instant::now();
        let slice = pace.begin(turn, free, began);
        let rate = turn.and_then(|turn| turn.rate);
        match self.store.advance_replay(id, slice.most as usize).await {
            Ok(Some(replay)) => {
                tell(&replay);
                let goes_on = replay.finished_at.is_none();
                goes_on.then(|| pace.behind(slice, replay.rate, free, began))
            }
            Ok(None) => Some(Turn { at: began + TROUBLE_PAUSE, rate }),
            Err(store::Error::Unavailable(_)) => {
                self.store.available().await;
                Some(Turn { at: began, rate })
            }
            // Others end the gateway for that.
            Err(store::Error::Closed | store::Error::Failed(_)) => pending().await,
            Err(error) => {
                let reason = chain(&error);
                error!("failed to go on with {id}; the gateway will try again: {reason}");
                Some(Turn { at: Instant::now() + TROUBLE_PAUSE, rate })
            }
        }
    }
}

/// The replay whose turn is next, behind the last one, among those that do not rest; no more do
/// than are counted.
fn next(
    behind: impl Fn(Option<Id>) -> Option<Id>,
    last: Option<Id>,
    (count, rests): (usize, impl Fn(Id) -> bool),
) -> Option<Id> {
    let mut id = last;
    // Behind as many as rest, and as the turns go round, there is one that does not or there is
    // none.
    for _ in 0..=count {
        id = behind(id);
        if id.is_none_or(|id| !rests(id)) {
            return id;
        }
    }
    None
}

/// Resolves when a time has come; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
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
        let next = |last: Option<Id>, resting: &[usize]| {
            let rests = |id: Id| resting.iter().any(|place| ids[*place] == id);
            next(behind, last, (resting.len(), rests))
        };

        assert_eq!(next(None, &[0]), Some(ids[1]));
        assert_eq!(next(Some(ids[1]), &[2]), Some(ids[0]));
        assert_eq!(next(Some(ids[2]), &[0, 1]), Some(ids[2]));
        assert_eq!(next(Some(ids[2]), &[0, 1, 2]), None);
    }
}
