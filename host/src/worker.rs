//! The one loop that works through what the store owes: parses, runs, deliveries.
//!
//! Written once, so that its subtle parts exist once. It never keeps work to itself: what it has
//! not taken stays in the store, and what it has taken is finished. A piece that makes the host
//! panic ends nothing but its own try. A piece keeps its slot until its try has ended, and a worker
//! that is stopped ends when the outcomes of all are on disk. Of pieces that are done it hears
//! nothing by itself.

mod ends;
mod slots;

use std::fmt;
use std::future::{Future, ready};

use rustc_hash::FxHashMap;
use tokio::task::{self, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::ends::{Begun, Ends};
use self::slots::Slots;
pub(crate) use self::slots::{Slot, on_disk};
use crate::causes::words;
use crate::clock::Clock;
use crate::ids::Id;
use crate::retry::{Outcome, RetryPolicy, Verdict};
use crate::store;

/// With so many pieces in flight, or on their way to the disk, a worker lets others run before it
/// looks for more.
const MANY: usize = 8;

/// A kind of work: where it comes from and how one piece of it is done.
pub(crate) trait Work: Clone + Send + 'static {
    /// One piece of it, leased.
    type Item: Send + 'static;

    /// Takes at most `room` pieces that are due.
    fn take(
        &self,
        room: usize,
    ) -> impl Future<Output = Result<Vec<Self::Item>, store::Error>> + Send;

    /// Resolves when [`Work::take`] may give more than before.
    fn ready(&self) -> impl Future<Output = ()> + Send;

    /// What a piece is known by, taken once or again.
    fn id(item: &Self::Item) -> Id;

    /// Does it and commits how it ended, or leaves that to be committed. If the store is
    /// unavailable, it is taken again; if reading the store panicked, that is its own panic; any
    /// other error means that the store is broken.
    fn perform(
        self,
        item: Self::Item,
        slot: Slot,
    ) -> impl Future<Output = Result<(), store::Error>> + Send;

    /// Commits a try of it as one that broke for this reason, and does nothing else: an earlier
    /// [`Work::perform`] of this piece panicked.
    fn crash(
        self,
        item: Self::Item,
        reason: String,
        slot: Slot,
    ) -> impl Future<Output = Result<(), store::Error>> + Send;

    /// Resolves when all outcomes are on disk that pieces have left to be committed. Where each
    /// waits for its own, there are none.
    fn settled(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// What follows a try that ended just now: the one place where time and chance get into a verdict.
/// `tries_before` does not count it in.
pub(crate) fn judge(
    clock: &Clock,
    policy: &RetryPolicy,
    tries_before: u32,
    outcome: &Outcome,
) -> Verdict {
    policy.verdict(tries_before + 1, outcome, clock.now(), fastrand::f64())
}

/// A work's try was committed, or is dropped: the work is no longer this worker's.
pub(crate) fn committed<T>(id: Id, held: &Result<T, impl fmt::Display>) {
    if let Err(refused) = held {
        warn!(work.id = %id, "the store refused the result of a work: {refused}");
    }
}

/// Takes due work and performs it, in at most `limit` slots at a time, until cancelled; then
/// finishes what it has taken.
///
/// While the store is unavailable it waits. An error means that the store is broken: the caller
/// ends the gateway, and a restart continues.
pub(crate) async fn work<W: Work>(
    work: W,
    limit: usize,
    cancel: CancellationToken,
) -> Result<(), store::Error> {
    let mut pieces = Pieces::new(work.clone());
    let slots = Slots::new(limit);
    while !cancel.is_cancelled() {
        if pieces.in_flight.len() >= MANY {
            // More of them may be about to end, and to look once for all costs as much as for one.
            task::yield_now().await;
        }
        // Armed before looking: what is stored in between must not be missed.
        let ready = work.ready();
        // Before taking more: a piece that panicked is due again, and must be known when it comes.
        pieces.all_ended().await?;
        let room = slots.free();
        let items = if_available(work.take(room).await)?.unwrap_or_default();
        // Then more may be due already, of which nobody is told: it goes on with the next slot that
        // is free, also if it became free meanwhile.
        let is_filled = items.len() >= room;
        for item in items {
            pieces.begin(item, slots.take());
        }
        // What follows from a piece that is done was told by its commit, and to look again costs as
        // much as all else here. One that is not done may be due again, and nobody tells that.
        tokio::select! {
            () = cancel.cancelled() => (),
            () = ready, if !is_filled => (),
            () = slots.freed(), if is_filled => (),
            () = pieces.ends.heard() => (),
        }
    }
    while let Some(ended) = pieces.in_flight.join_next_with_id().await {
        pieces.ended(ended)?;
    }
    work.settled().await;
    Ok(())
}

/// What is being performed, and what has panicked.
///
/// A piece that panics gives its lease back while its stack unwinds, and so it is the first that is
/// taken again: then it is not performed but committed as a crash. Should even that panic, it is
/// set aside, lease and all, until the gateway starts again.
struct Pieces<W: Work> {
    work: W,
    /// Also those that have ended and are not put away.
    in_flight: JoinSet<Result<(), store::Error>>,
    ends: Ends,
    ids: FxHashMap<task::Id, (Id, Panicked)>,
    panicked: FxHashMap<Id, Panicked>,
    aside: Vec<W::Item>,
}

/// How a piece panicked, or would if it does.
enum Panicked {
    /// When it was performed, with these words.
    Performing(String),
    /// When that was to be committed.
    Crashing,
}

impl<W: Work> Pieces<W> {
    fn new(work: W) -> Self {
        Self {
            work,
            in_flight: JoinSet::new(),
            ends: Ends::default(),
            ids: FxHashMap::default(),
            panicked: FxHashMap::default(),
            aside: Vec::new(),
        }
    }

    fn begin(&mut self, item: W::Item, slot: Slot) {
        let id = W::id(&item);
        let (work, begun) = (self.work.clone(), self.ends.begin());
        let (task, would) = match self.panicked.get(&id) {
            None => {
                let performing = heard(begun, move || work.perform(item, slot));
                (self.in_flight.spawn(performing), Panicked::Performing(String::new()))
            }
            Some(Panicked::Performing(words)) => {
                let reason = format!("the gateway panicked: {words}");
                let crashing = heard(begun, move || work.crash(item, reason, slot));
                (self.in_flight.spawn(crashing), Panicked::Crashing)
            }
            Some(Panicked::Crashing) => {
                error!(%id, "the gateway panicked twice and skips this work until a restart");
                begun.done();
                return self.aside.push(item);
            }
        };
        self.ids.insert(task.id(), (id, would));
    }

    /// Puts away all pieces that have ended. One that was not done and is about to end is waited
    /// for: what it leaves undone may be taken again at once.
    async fn all_ended(&mut self) -> Result<(), store::Error> {
        self.ends.looks();
        while let Some(ended) = self.in_flight.try_join_next_with_id() {
            self.ended(ended)?;
        }
        while self.ends.has_undone()
            && let Some(ended) = self.in_flight.join_next_with_id().await
        {
            self.ended(ended)?;
        }
        Ok(())
    }

    /// Puts a piece away that has ended.
    fn ended(
        &mut self,
        ended: Result<(task::Id, Result<(), store::Error>), JoinError>,
    ) -> Result<(), store::Error> {
        if !matches!(ended, Ok((_, Ok(())))) {
            self.ends.put_undone_away();
        }
        let (task, words) = match ended {
            // It panicked where it read the store, on a thread that may wait for the disk.
            Ok((task, Err(store::Error::Panicked(words)))) => (task, words.to_string()),
            Ok((task, ended)) => {
                if let (Some((id, _)), Ok(())) = (self.ids.remove(&task), &ended) {
                    self.panicked.remove(&id);
                }
                return if_available(ended).map(drop);
            }
            Err(error) => {
                let task = error.id();
                // Nobody aborts a task but the end of the runtime.
                let Ok(panic) = error.try_into_panic() else { return Ok(()) };
                (task, words(&*panic))
            }
        };
        let Some((id, would)) = self.ids.remove(&task) else { return Ok(()) };
        error!(%id, "the gateway panicked: {words}");
        let panicked = match would {
            Panicked::Performing(_) => Panicked::Performing(words),
            Panicked::Crashing => Panicked::Crashing,
        };
        self.panicked.insert(id, panicked);
        Ok(())
    }
}

/// A piece to its end, of which the worker hears if the piece is not done. Made in here, so that
/// its task has room for it once.
async fn heard<F>(begun: Begun, piece: impl FnOnce() -> F) -> Result<(), store::Error>
where
    F: Future<Output = Result<(), store::Error>>,
{
    let ended = piece().await;
    if ended.is_ok() {
        begun.done();
    }
    ended
}

/// An outage ends no worker: `ready` resolves at its end.
fn if_available<T>(result: Result<T, store::Error>) -> Result<Option<T>, store::Error> {
    match result {
        Err(store::Error::Unavailable(_)) => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests;
