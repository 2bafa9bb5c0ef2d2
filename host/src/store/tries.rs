//! What a worker brings back: what became of the works that it took.
//!
//! A try ends when its outcome is queued. The work takes no slot from then on, as far as there is
//! room for outcomes that are on their way to the disk, and another is taken in its place; the work
//! itself nobody gets before the commit, and neither the next of its subject. Never judges.

use std::sync::Arc;

use super::Store;
use super::committing::Committing;
use super::error::Error;
use super::facts::NewEvent;
use super::kind::WorkKind;
use super::owed::lease::{DeliveryWork, ParseWork, RunWork};
use super::promise::Promise;
use super::report::{Attempt, Effects, Refused, Try};
use super::write::commit::{CommitParse, CommitRun, RecordAttempt, RunRefused};
use super::write::op::{Operation, Reply};
use crate::ids::Id;

impl Store {
    /// Commits a try to parse a receipt. If it is done, so are these events: those whose ids no
    /// other receipt brought, each once. Gives their ids; or why the try is refused, as a value.
    pub async fn commit_parse(
        &self,
        work: ParseWork,
        report: Try,
        events: Vec<NewEvent>,
    ) -> Result<Result<Vec<Id>, Refused>, Error> {
        self.queue_parse(work, report, events).await?.await
    }

    /// The same in two steps: resolves when the commit is queued.
    pub async fn queue_parse(
        &self,
        work: ParseWork,
        report: Try,
        events: Vec<NewEvent>,
    ) -> Result<Committing<Result<Vec<Id>, Refused>>, Error> {
        self.tell(|reply| CommitParse { work, report, events, reply }).await
    }

    /// Commits a try of a run. If it is done, its effects take place with it, or neither does.
    pub async fn commit_run(
        &self,
        work: RunWork,
        report: Try,
        effects: Effects,
    ) -> Result<Result<(), RunRefused>, Error> {
        self.queue_run(work, report, effects).await?.await
    }

    /// The same in two steps: resolves when the commit is queued.
    pub async fn queue_run(
        &self,
        work: RunWork,
        report: Try,
        effects: Effects,
    ) -> Result<Committing<Result<(), RunRefused>>, Error> {
        self.tell(|reply| CommitRun::new(work, report, effects, reply)).await
    }

    /// Leaves a try of a run to the next commit, as [`Store::leave_attempt`] does: there was
    /// promised room for what it sets.
    pub async fn leave_run(
        &self,
        work: RunWork,
        report: Try,
        effects: Effects,
        promise: Promise,
    ) -> Result<Option<Committing<Result<(), RunRefused>>>, Error> {
        let run = CommitRun::left(work, report, effects, promise);
        self.leave(run, |run, reply| run.reply = Some(reply)).await
    }

    /// Commits an attempt of a delivery.
    pub async fn record_attempt(
        &self,
        work: DeliveryWork,
        attempt: Attempt,
    ) -> Result<Result<(), Refused>, Error> {
        self.queue_attempt(work, attempt).await?.await
    }

    /// The same in two steps: resolves when the commit is queued.
    pub async fn queue_attempt(
        &self,
        work: DeliveryWork,
        attempt: Attempt,
    ) -> Result<Committing<Result<(), Refused>>, Error> {
        self.tell(|reply| RecordAttempt::new(work, attempt, Some(reply))).await
    }

    /// Leaves an attempt of a delivery to the next commit, and resolves when it is queued. If the
    /// work frees its slots by that, nobody need wait for the commit: [`Store::settled`] waits for
    /// all of these. Else gives what resolves when it is on disk.
    pub async fn leave_attempt(
        &self,
        work: DeliveryWork,
        attempt: Attempt,
    ) -> Result<Option<Committing<Result<(), Refused>>>, Error> {
        let attempted = RecordAttempt::new(work, attempt, None);
        self.leave(attempted, |attempted, reply| attempted.reply = Some(reply)).await
    }

    /// Resolves when no outcome of this kind is on its way to the disk whose work has freed its
    /// slots, or when the store has failed.
    pub fn settled(&self, kind: WorkKind) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.handle.shared);
        async move {
            let mut moved = shared.owed.moved();
            while shared.check().is_ok() && shared.backlog().has_uncommitted(kind) {
                if moved.changed().await.is_err() {
                    return;
                }
            }
        }
    }

    /// Queues what became of a try, and waits for room there. If the work frees its slots, nobody
    /// is told of the commit; else `ask` says who.
    async fn leave<T, O: Operation + 'static>(
        &self,
        mut op: O,
        ask: impl FnOnce(&mut O, Reply<T>),
    ) -> Result<Option<Committing<T>>, Error> {
        let committing = if op.end_try() {
            None
        } else {
            let (reply, answer) = Reply::new();
            ask(&mut op, reply);
            Some(Committing::new(answer, &self.handle.shared, false))
        };
        self.send(op).await?;
        Ok(committing)
    }

    /// Queues what became of a try, and waits for room there.
    async fn tell<T, O: Operation + 'static>(
        &self,
        op: impl FnOnce(Reply<T>) -> O,
    ) -> Result<Committing<T>, Error> {
        let (reply, answer) = Reply::new();
        let mut op = op(reply);
        let frees_slot = op.end_try();
        self.send(op).await?;
        Ok(Committing::new(answer, &self.handle.shared, frees_slot))
    }
}
