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
    /// How far there are bytes. Beyond all when there will be no more zeros.
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
        let ahead = of.clamp(AHEAD_MIN, AHEAD_MAX);
        let is_full = of >= limit;
        if is_full || self.reached.load(Ordering::Relaxed) >= limit.min(of + ahead / 2) {
            return;
        }
        if let Some(orders) = &self.orders {
            // If one waits already, the next frame asks again.
            drop(orders.try_send(limit.min(of + ahead)));
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
