//! Writes zeros behind the newest log volume before their place is needed, on a thread of its own.
//!
//! A sync of bytes that take the place of zeros writes these bytes and nothing else; where a file
//! grows, its new length has to be written too. Only ever adds at the end, so whoever writes to the
//! volume need not know how far it has come, and never waits for it. If it fails, the volume grows
//! as it is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use crate::store::file::backend::Ahead;

/// Zeros that are written and synced at a time: a commit's sync may have to write as many.
const STEP_BYTES: u64 = 1 << 20;
/// How far ahead they reach, at least and at most: as far again as the volume is filled.
const AHEAD_MIN: u64 = 1 << 20;
const AHEAD_MAX: u64 = 8 << 20;

/// The zeros behind one volume.
#[derive(Debug)]
pub(super) struct Zeros {
    /// How many bytes the volume had at the last look; `u64::MAX` when there will be no more zeros.
    reached: Arc<AtomicU64>,
    /// How far zeros are ordered. `None` only while it is dropped.
    orders: Option<SyncSender<u64>>,
    stops: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Zeros {
    /// For a volume with this many bytes.
    pub(super) fn behind(end: Box<dyn Ahead>, size: u64) -> io::Result<Self> {
        let (orders, ordered) = mpsc::sync_channel(1);
        let (reached, stops) = (Arc::new(AtomicU64::new(size)), Arc::new(AtomicBool::new(false)));
        let worker =
            Worker { end, ordered, reached: Arc::clone(&reached), stops: Arc::clone(&stops) };
        let thread =
            thread::Builder::new().name("store-zeros".into()).spawn(move || worker.run())?;
        Ok(Self { reached, orders: Some(orders), stops, thread: Some(thread) })
    }

    /// Sees to it that there are zeros behind this place, up to a limit. Waits for nothing.
    pub(super) fn keep_ahead(&self, of: u64, limit: u64) {
        let until = due(of, self.reached.load(Ordering::Relaxed), limit);
        if let (Some(orders), Some(until)) = (&self.orders, until) {
            match orders.try_send(until) {
                // If one waits already, the next frame asks again.
                Ok(()) | Err(_) => (),
            }
        }
    }
}

impl Drop for Zeros {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        drop(self.orders.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that lengthens the store's log panicked");
        }
    }
}

/// How far there should be zeros ahead of this place, if they do not reach far enough.
fn due(of: u64, reached: u64, limit: u64) -> Option<u64> {
    let ahead = of.clamp(AHEAD_MIN, AHEAD_MAX);
    let are_few = reached < limit.min(of + ahead / 2);
    (of < limit && are_few).then(|| limit.min(of + ahead))
}

/// What the thread has.
struct Worker {
    end: Box<dyn Ahead>,
    ordered: Receiver<u64>,
    reached: Arc<AtomicU64>,
    stops: Arc<AtomicBool>,
}

impl Worker {
    fn run(self) {
        for until in &self.ordered {
            if let Err(error) = self.lengthen(until) {
                tracing::debug!("the gateway can't lengthen the store's log ahead: {error}");
                self.reached.store(u64::MAX, Ordering::Relaxed);
                return;
            }
        }
    }

    fn lengthen(&self, until: u64) -> io::Result<()> {
        loop {
            let reached = self.reached.load(Ordering::Relaxed);
            if reached >= until || self.stops.load(Ordering::Relaxed) {
                return Ok(());
            }
            let zeros = STEP_BYTES.min(until - reached);
            let reached = self.end.lengthen(zeros as usize)?;
            self.reached.store(reached, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LIMIT: u64 = 256 * MIB;

    /// An end that says how long it is before it becomes longer, waits until it may, and fails when
    /// it would be longer than it can be.
    #[derive(Debug)]
    struct Slow {
        size: AtomicU64,
        most: u64,
        begun: mpsc::Sender<u64>,
        may: Receiver<()>,
    }

    impl Ahead for Slow {
        fn lengthen(&self, zeros: usize) -> io::Result<u64> {
            let size = self.size.load(Ordering::Relaxed);
            self.begun.send(size).expect("the test listens");
            self.may.recv().expect("the test lets it");
            let longer = size + zeros as u64;
            if longer > self.most {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.size.store(longer, Ordering::Relaxed);
            Ok(longer)
        }
    }

    /// Zeros behind a volume of four MiB, how long it is at each step, and what lets a step go on.
    fn zeros(most: u64) -> (Zeros, Receiver<u64>, mpsc::Sender<()>) {
        let ((begun, steps), (go, may)) = (mpsc::channel(), mpsc::channel());
        let end = Slow { size: AtomicU64::new(4 * MIB), most, begun, may };
        let zeros = Zeros::behind(Box::new(end), 4 * MIB).expect("a thread can be started");
        (zeros, steps, go)
    }

    #[test]
    fn zeros_reach_as_far_ahead_as_the_volume_is_filled_within_bounds() {
        assert_eq!(due(48, 48, LIMIT), Some(48 + MIB));
        assert_eq!(due(48, 48 + MIB, LIMIT), None);
        assert_eq!(due(3 * MIB, 5 * MIB, LIMIT), None);
        assert_eq!(due(4 * MIB, 5 * MIB, LIMIT), Some(8 * MIB));
        assert_eq!(due(100 * MIB, 100 * MIB, LIMIT), Some(108 * MIB));
        assert_eq!(due(253 * MIB, 254 * MIB, LIMIT), Some(LIMIT));
        assert_eq!(due(253 * MIB, LIMIT, LIMIT), None);
        assert_eq!(due(LIMIT + 5, 254 * MIB, LIMIT), None, "nothing goes there any more");
        assert_eq!(due(100 * MIB, u64::MAX, LIMIT), None, "there will be no more");
    }

    #[test]
    fn zeros_are_written_in_steps_while_nobody_waits() {
        let (zeros, steps, go) = zeros(LIMIT);
        zeros.keep_ahead(4 * MIB, LIMIT);
        for step in 4..8 {
            assert_eq!(steps.recv().unwrap(), step * MIB);
            // Comes back although none is written yet.
            zeros.keep_ahead(4 * MIB, LIMIT);
            go.send(()).unwrap();
        }
        drop(go);
        drop(zeros);
        assert_eq!(steps.iter().next(), None, "there are enough");
    }

    #[test]
    fn a_thread_that_fails_leaves_the_volume_as_it_is() {
        let (zeros, steps, go) = zeros(5 * MIB);
        zeros.keep_ahead(4 * MIB, LIMIT);
        go.send(()).unwrap();
        go.send(()).unwrap();
        assert_eq!(steps.iter().collect::<Vec<_>>(), [4 * MIB, 5 * MIB], "the second one fails");
        assert_eq!(zeros.reached.load(Ordering::Relaxed), u64::MAX);
        zeros.keep_ahead(100 * MIB, LIMIT);
    }

    #[test]
    fn whoever_drops_them_waits_for_one_step_at_most() {
        let (zeros, steps, go) = zeros(LIMIT);
        zeros.keep_ahead(4 * MIB, LIMIT);
        assert_eq!(steps.recv().unwrap(), 4 * MIB);
        zeros.stops.store(true, Ordering::Relaxed);
        go.send(()).unwrap();
        drop(go);
        drop(zeros);
        assert_eq!(steps.iter().next(), None, "no other step was begun");
    }
}
