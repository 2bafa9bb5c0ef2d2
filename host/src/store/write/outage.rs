//! An outage: the file can't be written for now, because of the world and not of what is in it.
//!
//! A full disk, a device that fails, a file system that became read-only, a file that was removed
//! or replaced while it was open. What a caller can ask for again is refused at once; the outcomes
//! of works that were done are kept and committed when the file can be written again, so that no
//! run takes effect twice and no delivery is made again. The file is opened anew with growing
//! pauses. Never gives up by itself.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::group::{Drafted, GroupCommit, Turn};
use super::place::Place;
use super::queue::{Closing, Message, Queued};
use crate::causes;
use crate::clock::Moment;
use crate::store::error::Error;

/// Between the first failure and the first try.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// No pause is longer.
pub(in crate::store) const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What waits for the end of an outage.
pub(super) struct Outage<'w, P> {
    group: &'w mut GroupCommit<P>,
    /// Who waits for the end of the store.
    closing: &'w mut Vec<Closing>,
    /// In the order in which they are to be committed.
    kept: Vec<Queued>,
    /// The transaction that may be in the file, and its operations.
    unsure: Option<(Drafted, Vec<Queued>)>,
    pause: Duration,
    due: Moment,
    error: Error,
}

impl<'w, P: Place> Outage<'w, P> {
    /// An outage that begins with this batch.
    pub(super) fn new(
        group: &'w mut GroupCommit<P>,
        closing: &'w mut Vec<Closing>,
        batch: Vec<Queued>,
        unsure: Option<Drafted>,
        error: Error,
    ) -> Self {
        let due = group.shared.clock.moment(PAUSE_MIN);
        let pause = PAUSE_MIN;
        let kept = Vec::new();
        let mut outage = Self { group, closing, kept, unsure: None, pause, due, error };
        outage.begin(batch, unsure);
        outage
    }

    /// Waits until the file can be written again, or nobody wants to wait any longer.
    pub(super) fn endure(mut self, queue: &mut mpsc::Receiver<Message>, pauses: &Runtime) {
        let cause = self.error.source().map(causes::chain).unwrap_or_default();
        tracing::error!("{}, and tries again: {cause}", self.error);
        loop {
            let last = self.pause(queue, pauses);
            match self.recover() {
                Ok(()) => {
                    self.group.shared.come_back();
                    return tracing::info!("the gateway can write the store again");
                }
                Err(error @ Error::Unavailable(_)) => {
                    // The cause may be another one by now: who looks is told the last.
                    self.group.shared.go_away(&error);
                    self.error = error;
                }
                Err(error) => return self.group.shared.fail(error),
            }
            if last {
                return self.give_up();
            }
            self.pause = (self.pause * 2).min(PAUSE_MAX);
            self.due = self.group.shared.clock.moment(self.pause);
        }
    }

    fn begin(&mut self, mut batch: Vec<Queued>, unsure: Option<Drafted>) {
        self.group.shared.go_away(&self.error);
        match unsure {
            // If it is in the file, all of it took place, also what is refused here.
            Some(drafted) => {
                let refused = batch.iter_mut().filter(|queued| !queued.op.is_outcome());
                refused.for_each(|queued| queued.op.refuse(&self.error));
                self.unsure = Some((drafted, batch));
            }
            None => self.keep(batch),
        }
    }

    /// Refuses what can be asked for again, and keeps the rest.
    fn keep(&mut self, batch: impl IntoIterator<Item = Queued>) {
        for mut queued in batch {
            if queued.op.is_outcome() {
                self.kept.push(queued);
            } else {
                queued.op.refuse(&self.error);
            }
        }
    }

    /// Waits for the next try; true if it is the last one.
    fn pause(&mut self, queue: &mut mpsc::Receiver<Message>, pauses: &Runtime) -> bool {
        let shared = Arc::clone(&self.group.shared);
        pauses.block_on(async {
            let due = shared.clock.comes(self.due);
            tokio::pin!(due);
            while self.closing.is_empty() {
                tokio::select! {
                    () = &mut due => return false,
                    message = queue.recv() => match message {
                        None => return true,
                        Some(Message::Close(closing)) => self.closing.push(closing),
                        Some(Message::Perform(queued)) => self.keep([queued]),
                    },
                }
            }
            true
        })
    }

    /// Begins anew, finds out what holds, and commits what was kept.
    fn recover(&mut self) -> Result<(), Error> {
        self.group.place.recover()?;
        self.group.line.doubt();
        if let Some((drafted, batch)) = self.unsure.take() {
            match self.group.holds() {
                Err(error) => {
                    self.unsure = Some((drafted, batch));
                    return Err(error);
                }
                Ok(Some(held)) => self.group.apply(batch, drafted, held),
                Ok(None) => {
                    self.group.never_was();
                    let later = std::mem::take(&mut self.kept);
                    self.keep(batch);
                    self.kept.extend(later);
                }
            }
        }
        match self.group.write(&mut self.kept) {
            Turn::Nothing => {
                // What was taken in another life is refused, and leaves nothing to commit.
                self.kept.drain(..).for_each(|mut queued| queued.op.tell());
                self.group.place.probe()
            }
            Turn::Committed(drafted, held) => {
                self.group.apply(std::mem::take(&mut self.kept), drafted, held);
                Ok(())
            }
            Turn::Failed(error) => Err(error),
            Turn::Unsure(drafted, error) => {
                self.unsure = Some((drafted, std::mem::take(&mut self.kept)));
                Err(error)
            }
        }
    }

    /// Tells those who still wait: their works are done again after the next start.
    fn give_up(self) {
        let unsure = self.unsure.into_iter().flat_map(|(_, batch)| batch);
        for mut queued in unsure.chain(self.kept) {
            queued.op.refuse(&self.error);
        }
    }
}
