//! An outage: the file can't be written for now, because of the world and not of what is in it.
//!
//! A full disk, a device that fails, a file system that became read-only, a file that was removed
//! or replaced while it was open. What a caller can ask for again is refused at once; the outcomes
//! of works that were done are kept and committed when the file can be written again, so that no
//! run takes effect twice and no delivery is made again. The file is opened anew with growing
//! pauses. Never gives up by itself.

use std::error::Error as _;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::writer::{Drafted, Op, Queued, Writer, Written};
use crate::causes;
use crate::event::Timestamp;
use crate::store::error::Error;

/// Between the first failure and the first try.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// No pause is longer.
pub(in crate::store) const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What waits for the end of an outage.
pub(in crate::store) struct Outage<'w> {
    writer: &'w mut Writer,
    /// In the order in which they are to be committed.
    kept: Vec<Queued>,
    /// The transaction that may be in the file, and its operations.
    unsure: Option<(Drafted, Vec<Queued>)>,
    pause: Duration,
    due: Timestamp,
    error: Error,
}

impl<'w> Outage<'w> {
    /// An outage that begins with this batch.
    pub(in crate::store) fn new(
        writer: &'w mut Writer,
        batch: Vec<Queued>,
        unsure: Option<Drafted>,
        error: Error,
    ) -> Self {
        let due = writer.shared.clock.now().after(PAUSE_MIN);
        let pause = PAUSE_MIN;
        let mut outage = Self { writer, kept: Vec::new(), unsure: None, pause, due, error };
        outage.begin(batch, unsure);
        outage
    }

    /// Waits until the file can be written again, or nobody wants to wait any longer.
    pub(in crate::store) fn endure(mut self, queue: &mut mpsc::Receiver<Queued>, pauses: &Runtime) {
        let cause = self.error.source().map(causes::chain).unwrap_or_default();
        tracing::error!("{}, and tries again: {cause}", self.error);
        loop {
            let last = self.pause(queue, pauses);
            match self.recover() {
                Ok(()) => {
                    self.writer.shared.come_back();
                    return tracing::info!("the gateway can write the store again");
                }
                Err(error @ Error::Unavailable(_)) => {
                    // The cause may be another one by now: who looks is told the last.
                    self.writer.shared.go_away(&error);
                    self.error = error;
                }
                Err(error) => return self.writer.shared.fail(error),
            }
            if last {
                return self.give_up();
            }
            self.pause = (self.pause * 2).min(PAUSE_MAX);
            self.due = self.writer.shared.clock.now().after(self.pause);
        }
    }

    fn begin(&mut self, mut batch: Vec<Queued>, unsure: Option<Drafted>) {
        self.writer.shared.go_away(&self.error);
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
    fn pause(&mut self, queue: &mut mpsc::Receiver<Queued>, pauses: &Runtime) -> bool {
        let clock = self.writer.shared.clock.clone();
        pauses.block_on(async {
            let due = clock.reached(Some(self.due));
            tokio::pin!(due);
            while self.writer.closing.is_empty() {
                tokio::select! {
                    () = &mut due => return false,
                    queued = queue.recv() => match queued {
                        None => return true,
                        Some(queued) if matches!(queued.op, Op::Close { .. }) => {
                            self.writer.closing.push(queued);
                        }
                        Some(queued) => self.keep([queued]),
                    },
                }
            }
            true
        })
    }

    /// Opens the file anew, finds out what it holds, and commits what was kept.
    fn recover(&mut self) -> Result<(), Error> {
        // A file that was removed lives while it is open: it may be the only one.
        self.writer.shared.file.check_place()?;
        self.writer.shared.file.reopen()?;
        if let Some((drafted, batch)) = self.unsure.take() {
            match self.writer.is_in_file() {
                Err(error) => {
                    self.unsure = Some((drafted, batch));
                    return Err(error);
                }
                Ok(true) => self.writer.apply(batch, drafted),
                Ok(false) => {
                    let later = std::mem::take(&mut self.kept);
                    self.keep(batch);
                    self.kept.extend(later);
                }
            }
        }
        match self.writer.write(&mut self.kept) {
            Written::Nothing => self.writer.shared.file.probe(),
            Written::Committed(drafted) => {
                self.writer.apply(std::mem::take(&mut self.kept), drafted);
                Ok(())
            }
            Written::Failed(error) => Err(error),
            Written::Unsure(drafted, error) => {
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
