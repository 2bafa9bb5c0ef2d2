//! Works come into memory from the disk, where little of their lanes is left there.
//!
//! In the background, one reading of a kind at a time: whoever takes works starts it, and its end
//! wakes who waits for some. Where readings fail one after the other, it pauses. Never holds up a
//! take, and a commit only while it opens a view.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::Store;
use super::error::{Error, Failure};
use super::file::failure::unbroken;
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

/// Behind two readings that failed, one after the other, though the file can be written. Each has
/// the writer look at the file, and until it has, nothing is taken in.
const PAUSE: Duration = Duration::from_secs(1);

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
    fn run(self) {
        // Where a file contradicts itself, somebody is told: what lies there can't be done.
        let read = unbroken(|| self.shared.read_lanes(self.kind));
        self.ended(read);
    }

    /// A reading has ended. If it was one, something may be taken.
    fn ended(mut self, read: Result<bool, Error>) {
        let (shared, kind) = (Arc::clone(&self.shared), self.kind);
        match read {
            Ok(wakes) => {
                self.wakes = wakes;
                shared.failed_readings[kind].store(false, Ordering::Relaxed);
            }
            Err(error) => {
                let has_met_it = self.failed(error);
                if has_met_it && shared.failed_readings[kind].swap(true, Ordering::Relaxed) {
                    self.pause();
                }
            }
        }
    }

    /// Takes care of what is wrong with the file, unless it is being opened anew or closed. Whether
    /// it can't be read for now, and nobody knew.
    fn failed(&self, error: Error) -> bool {
        let Some(queue) = self.queue.upgrade() else { return false };
        let shared = &self.shared;
        if shared.is_away() || shared.gate.pass(|| ()).is_none() {
            return false;
        }
        match error {
            Error::Unavailable(_) => {
                shared.go_away(&error);
                // If the queue is full, the writer comes to the file by itself.
                drop(queue.try_send(Message::perform(Check, shared)));
                true
            }
            Error::Failed(_) => {
                shared.fail(error);
                false
            }
            _ => false,
        }
    }

    /// Until the pause is over, the kind counts as being read.
    fn pause(mut self) {
        self.wakes = true;
        let over = self.shared.clock.moment(PAUSE);
        drop(Handle::current().spawn(async move {
            self.shared.clock.comes(over).await;
            drop(self);
        }));
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::clock::Clock;
    use crate::event::Timestamp;
    use crate::store::Config;

    #[tokio::test]
    async fn a_reading_that_fails_again_and_again_is_begun_again_after_a_pause() {
        let (folder, clock) = (TempDir::new().unwrap(), Clock::manual(Timestamp(1_000)));
        let store = Store::open(&Config::at(folder.path()), clock.clone()).unwrap();
        let (shared, kind) = (Arc::clone(&store.handle.shared), WorkKind::Delivery);
        let mut moved = shared.owed.moved();
        let is_read = || shared.readings[kind].load(Ordering::Acquire);
        let fail = || {
            shared.readings[kind].store(true, Ordering::Release);
            let (shared, queue) = (Arc::clone(&shared), store.queue().downgrade());
            let refill = Refill { shared, queue, kind, wakes: false };
            refill.ended(Err(Error::Unavailable(Arc::new(Failure::Closed))));
        };

        fail();
        assert!(!is_read(), "the writer wakes who waits when it has looked at the file");
        store.available().await;

        fail();
        store.available().await;
        assert!(is_read());
        clock.advance(PAUSE);
        while is_read() {
            moved.changed().await.unwrap();
        }
    }
}
