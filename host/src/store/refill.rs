//! Works come into memory from the disk, where little of their lanes is left there.
//!
//! In the background, one reading of a kind at a time: whoever takes works starts it, and its end
//! wakes who waits for some. Never holds up a take, and a commit only while it opens a view.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::Store;
use super::error::{Error, Failure};
use super::kind::WorkKind;
use super::owed::Owed;
use super::owed::backlog::{LaneRead, Most, Wanted};
use super::owed::reading::LaneReader;
use super::shared::Shared;
use super::write::op::Check;
use super::write::queue::Message;

/// What one reading takes at most: so much that its view does not live long, and the first of it
/// need not wait long for the last.
const MOST: Most = Most { lanes: 64, works: 16_384 };

impl Store {
    /// Has works of this kind read, if that is wanted and nobody does it.
    pub(super) fn refill(&self, kind: WorkKind) {
        let shared = &self.handle.shared;
        let is_wanted = !shared.is_away() && shared.backlog().is_low(kind);
        if is_wanted && !shared.readings[kind].swap(true, Ordering::AcqRel) {
            let (shared, queue) = (Arc::clone(shared), self.queue().downgrade());
            let refill = Refill { shared, queue, kind, wakes: false };
            drop(spawn_blocking(move || refill.run()));
        }
    }
}

/// A reading of a kind. Holds no store: the last of those may be dropped meanwhile.
struct Refill {
    shared: Arc<Shared>,
    queue: mpsc::WeakSender<Message>,
    kind: WorkKind,
    /// Whether something may be taken that could not be before.
    wakes: bool,
}

impl Refill {
    fn run(mut self) {
        match self.shared.read_lanes(self.kind) {
            Ok(wakes) => self.wakes = wakes,
            Err(error) => self.failed(error),
        }
    }

    /// Takes care of what is wrong with the file, unless it is being opened anew or closed.
    fn failed(&self, error: Error) {
        let Some(queue) = self.queue.upgrade() else { return };
        let shared = &self.shared;
        if shared.is_away() || shared.gate.pass(|| ()).is_none() {
            return;
        }
        match error {
            Error::Unavailable(_) => {
                shared.go_away(&error);
                // If the queue is full, the writer comes to the file by itself.
                drop(queue.try_send(Message::perform(Check, shared)));
            }
            Error::Failed(_) => shared.fail(error),
            _ => (),
        }
    }
}

impl Drop for Refill {
    fn drop(&mut self) {
        self.shared.readings[self.kind].store(false, Ordering::Release);
        // Behind that: who is woken may want the next.
        if self.wakes {
            self.shared.wake(self.kind);
        } else {
            self.shared.owed.stir();
        }
    }
}

impl Shared {
    /// Reads some of the lanes of which little is in memory; whether that could be done now.
    fn read_lanes(&self, kind: WorkKind) -> Result<bool, Error> {
        let begun = self.gate.pass(|| -> Result<_, Failure> {
            let view = self.file.read()?;
            let wanted = self.backlog().begin_read(kind, MOST);
            Ok((view, Begun { owed: &self.owed, kind, wanted }))
        });
        let Some(begun) = begun else { return Ok(false) };
        let (view, begun) = begun?;
        let Self { order_keys: keys, damages, clock, .. } = self;
        let reader = LaneReader { view: &view, tag: self.file.tag, keys, damages, clock };
        begun.fill(reader.read(kind, &begun.wanted)?);
        Ok(true)
    }
}

/// Lanes that count as being read until they are filled, or nothing comes of it.
struct Begun<'o> {
    owed: &'o Owed,
    kind: WorkKind,
    wanted: Vec<Wanted>,
}

impl Begun<'_> {
    fn fill(&self, read: Vec<LaneRead>) {
        // Not all under one lock: others take works meanwhile.
        read.into_iter().for_each(|lane| self.owed.backlog().fill(self.kind, lane));
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut backlog = self.owed.backlog();
        // Nothing, of those that were filled.
        for Wanted { number, .. } in &self.wanted {
            backlog.give_up_read(self.kind, *number);
        }
    }
}
