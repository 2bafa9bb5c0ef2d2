//! Refills the windows of lanes: reads works in the rows of the file when few of their lane are in
//! memory.
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
            let refill = Refill { shared, queue, kind };
            drop(spawn_blocking(move || refill.run()));
        }
    }
}

/// A reading of a kind. Holds no store: the last of those may be dropped meanwhile.
struct Refill {
    shared: Arc<Shared>,
    queue: mpsc::WeakSender<Message>,
    kind: WorkKind,
}

impl Refill {
    fn run(self) {
        // Where a file contradicts itself, somebody is told: what lies there can't be done.
        let read = unbroken(|| self.shared.read_lanes(self.kind));
        self.ended(read);
    }

    /// The next may begin now, or after a pause.
    fn ended(self, read: Result<(), Error>) {
        let failed_before = &self.shared.failed_readings[self.kind];
        let is_again = match read {
            Ok(()) => {
                failed_before.store(false, Ordering::Relaxed);
                false
            }
            Err(error) => self.failed(error) && failed_before.swap(true, Ordering::Relaxed),
        };
        if is_again {
            self.pause();
        }
    }

    /// Takes care of what is wrong with the file, unless it is being opened anew or closed. Whether
    /// the next reading may begin, and meet the same.
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
            _ => true,
        }
    }

    /// Until the pause is over, the kind counts as being read.
    fn pause(self) {
        let over = self.shared.clock.moment(PAUSE);
        drop(Handle::current().spawn(async move {
            self.shared.clock.comes(over).await;
            drop(self);
        }));
    }
}

impl Drop for Refill {
    fn drop(&mut self) {
        let Self { shared, kind, .. } = self;
        shared.readings[*kind].store(false, Ordering::Release);
        // Behind that: who is woken may want the next. That is so too where nothing was read: an
        // outage may be over, and whoever was woken by that has found this one still at work. Who
        // is woken in an outage would find nothing.
        if shared.is_away() || !shared.gate.is_sure() {
            shared.owed.stir();
        } else {
            shared.wake(*kind);
        }
    }
}

impl Shared {
    /// Reads some of the lanes of which little is in memory, if that can be done now.
    fn read_lanes(&self, kind: WorkKind) -> Result<(), Error> {
        let begun = self.gate.pass(|| -> Result<_, Failure> {
            let view = self.file.read()?;
            let wanted = self.backlog().begin_read(kind, MOST);
            Ok((view, Begun { owed: &self.owed, kind, wanted }))
        });
        let Some(begun) = begun else { return Ok(()) };
        let (view, begun) = begun?;
        let Self { order_keys: keys, damages, clock, .. } = self;
        let reader = LaneReader { view: &view, tag: self.file.tag, keys, damages, clock };
        begun.fill(reader.read(kind, &begun.wanted)?);
        Ok(())
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

    const KIND: WorkKind = WorkKind::Delivery;

    fn open(folder: &TempDir) -> (Store, Clock) {
        let clock = Clock::manual(Timestamp(1_000));
        (Store::open(&Config::at(folder.path()), clock.clone()).unwrap(), clock)
    }

    /// A reading that has begun.
    fn begun(store: &Store) -> Refill {
        let shared = Arc::clone(&store.handle.shared);
        assert!(!shared.readings[KIND].swap(true, Ordering::AcqRel), "one at a time");
        Refill { shared, queue: store.queue().downgrade(), kind: KIND }
    }

    fn unavailable() -> Error {
        Error::Unavailable(Arc::new(Failure::Closed))
    }

    #[tokio::test]
    async fn a_reading_that_fails_twice_is_followed_by_another_after_a_pause() {
        let folder = TempDir::new().unwrap();
        let (store, clock) = open(&folder);
        let shared = &store.handle.shared;
        let mut moved = shared.owed.moved();
        let is_read = || shared.readings[KIND].load(Ordering::Acquire);

        begun(&store).ended(Err(unavailable()));
        assert!(!is_read());
        // The writer has looked at the file.
        store.available().await;

        begun(&store).ended(Err(unavailable()));
        store.available().await;
        assert!(is_read());
        clock.advance(PAUSE);
        while is_read() {
            moved.changed().await.unwrap();
        }
    }

    #[tokio::test]
    async fn whoever_found_a_reading_at_work_is_woken_at_its_end_though_nothing_was_read() {
        let folder = TempDir::new().unwrap();
        let (store, _) = open(&folder);
        let shared = &store.handle.shared;
        let refill = begun(&store);
        shared.go_away(&unavailable());
        assert!(!refill.failed(unavailable()), "the writer knows");
        shared.come_back();

        let ready = store.ready(KIND);
        drop(refill);

        tokio::select! {
            biased;
            () = ready => (),
            () = std::future::ready(()) => panic!("nobody is woken"),
        }
    }
}
