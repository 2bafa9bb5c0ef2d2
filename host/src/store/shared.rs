//! What the handles, the leases and the writer share: the file, what is in memory of it, and how
//! the store is.
//!
//! Whoever waits for something waits on a channel in here. Never writes to the file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread::{self, ThreadId};

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};

use super::Config;
use super::ages::Ages;
use super::bell::Bell;
use super::damage::Damages;
use super::error::{Error, Failure};
use super::file::File;
use super::gate::Gate;
use super::ids::IdIndex;
use super::ids::terms::Terms;
use super::index::Index;
use super::kind::{PerKind, WorkKind};
use super::log::low_water::LowWater;
use super::log::reader::LogReader;
use super::owed::Owed;
use super::owed::backlog::{Backlog, OrderKeys};
use super::owed::decoded::Decoded;
use super::owed::recent::Recent;
use super::owed::undone::Undone;
use super::owed::works::Stored;
use super::state::{AllUsed, Quotas};
use super::syncs::Syncs;
use super::time::StoreClock;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;

/// What the handles, the leases and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) file: File,
    pub(super) log: LogReader,
    pub(super) order_keys: OrderKeys,
    /// How long the ids are known that come now.
    pub(super) terms: ArcSwap<Terms>,
    /// How much handlers may remember from now on.
    pub(super) quotas: ArcSwap<Quotas>,
    /// What the state of each handler takes.
    pub(super) used: ArcSwap<AllUsed>,
    /// What runs that are not committed were promised beside it.
    pub(super) promised: Mutex<AllUsed>,
    /// When a sweep looked last for what has expired of it, by handler.
    states_swept: Mutex<BTreeMap<Name, Timestamp>>,
    pub(super) clock: StoreClock,
    pub(super) owed: Arc<Owed>,
    pub(super) index: Index,
    /// Held by the upkeep of the index at work.
    pub(super) indexing: tokio::sync::Mutex<()>,
    /// Keeps commits and readings of what is owed apart.
    pub(super) gate: Gate,
    /// The kinds of which lanes are being read.
    pub(super) readings: PerKind<AtomicBool>,
    /// The kinds of which the last reading of lanes has failed.
    pub(super) failed_readings: PerKind<AtomicBool>,
    /// Which event ids are known. Only the writer changes it, once that holds.
    ids: RwLock<IdIndex>,
    /// Where lists have found nothing done.
    pub(super) undone: Undone,
    /// Changed by the writer; lists ask it what is open that has no row.
    low_water: Mutex<LowWater>,
    recent: Mutex<Recent>,
    decoded: Mutex<Decoded>,
    /// Records that can't be read.
    pub(super) damages: Arc<Damages>,
    /// The first failure; after it nothing is written.
    failed: OnceLock<Error>,
    /// The one thread that writes, once it does.
    writer: OnceLock<ThreadId>,
    /// Why the file can't be written for now.
    pub(super) outage: watch::Sender<Option<Error>>,
    /// Bytes of the log on disk that came since it was packed.
    pub(super) unpacked: watch::Sender<usize>,
    /// With fewer of them nobody wants to hear it.
    pub(super) unpacked_wanted: AtomicUsize,
    /// Held by the sweep at work, and by its step until that is in place or refused.
    pub(super) sweeping: Arc<tokio::sync::Mutex<()>>,
    /// Held by the backup that is being made: there is one at a time. And by an erasure that
    /// overwrites free pages, of which a backup keeps some.
    pub(super) backing_up: Arc<tokio::sync::Mutex<()>>,
    pub(super) queued: AtomicUsize,
    pub(super) commits: AtomicU64,
    /// Receipts that were stored since the start.
    pub(super) receipts: AtomicU64,
    pub(super) end: AtomicU64,
    /// How old what stands before it is.
    ages: Mutex<Ages>,
    pub(super) syncs: Syncs,
    /// Changes with every commit, once what it added can be read.
    pub(super) grown: Bell,
    /// Rings when an erasure begins.
    pub(super) erasures_begun: Bell,
    /// Before this position of the log no start looks for event ids, whatever happens now.
    pub(super) id_mark: AtomicU64,
    /// Whether all dead letters are found by a reason of the closed list, as a sweep has seen.
    pub(super) have_letters_reasons: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        file: File,
        order_keys: OrderKeys,
        clock: StoreClock,
        config: &Config,
        damages: Arc<Damages>,
        (backlog, low_water, ids): (Backlog, LowWater, IdIndex),
        (used, index): (AllUsed, Index),
    ) -> Self {
        Self {
            log: LogReader::new(file.tag),
            file,
            order_keys,
            terms: ArcSwap::from_pointee(config.terms.clone()),
            quotas: ArcSwap::from_pointee(config.quotas.clone()),
            used: ArcSwap::from_pointee(used),
            promised: Mutex::default(),
            states_swept: Mutex::default(),
            clock,
            owed: Arc::new(Owed::new(backlog)),
            index,
            indexing: tokio::sync::Mutex::default(),
            gate: Gate::default(),
            readings: PerKind::default(),
            failed_readings: PerKind::default(),
            ids: RwLock::new(ids),
            undone: Undone::default(),
            low_water: Mutex::new(low_water),
            recent: Mutex::new(Recent::new(config.recent_bytes)),
            decoded: Mutex::new(Decoded::new(config.recent_bytes)),
            damages,
            failed: OnceLock::new(),
            writer: OnceLock::new(),
            outage: watch::Sender::default(),
            unpacked: watch::Sender::default(),
            unpacked_wanted: AtomicUsize::new(usize::MAX),
            sweeping: Arc::default(),
            backing_up: Arc::default(),
            queued: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            end: AtomicU64::new(0),
            ages: Mutex::default(),
            syncs: Syncs::default(),
            grown: Bell::default(),
            erasures_begun: Bell::default(),
            id_mark: AtomicU64::new(0),
            have_letters_reasons: AtomicBool::new(false),
        }
    }

    pub(super) fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.owed.backlog()
    }

    pub(super) fn ids(&self) -> RwLockReadGuard<'_, IdIndex> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ids_mut(&self) -> RwLockWriteGuard<'_, IdIndex> {
        self.ids.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ages(&self) -> MutexGuard<'_, Ages> {
        lock(&self.ages)
    }

    pub(super) fn low_water(&self) -> MutexGuard<'_, LowWater> {
        lock(&self.low_water)
    }

    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        lock(&self.recent)
    }

    pub(super) fn states_swept(&self) -> MutexGuard<'_, BTreeMap<Name, Timestamp>> {
        lock(&self.states_swept)
    }

    pub(super) fn decoded(&self) -> MutexGuard<'_, Decoded> {
        lock(&self.decoded)
    }

    /// What stands at each of these positions, as far as that is in memory.
    pub(super) fn in_memory(&self, positions: impl Iterator<Item = u64>) -> Vec<Option<Stored>> {
        let recent = self.recent();
        let decoded = self.decoded();
        let find = |position| recent.get(position).or_else(|| decoded.get(position));
        positions.map(find).collect()
    }

    /// Forgets what was read in the log: it has changed behind that.
    pub(super) fn forget_read(&self) {
        self.log.clear();
        self.decoded().clear();
    }

    /// The failure, if the store has failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The store has failed: from now on nothing is written.
    pub(super) fn fail(&self, error: Error) {
        // Only the first failure says what was wrong.
        drop(self.failed.set(error));
        WorkKind::ALL.into_iter().for_each(|kind| self.wake(kind));
    }

    /// From now on this thread writes.
    pub(super) fn written_here(&self) {
        _ = self.writer.set(thread::current().id());
    }

    /// If this is the thread that writes, and it panics, the store has failed. To be called before
    /// anything is dropped that others wait for: what goes back then, nobody takes.
    pub(super) fn fail_in_panic(&self) {
        let is_writer = || self.writer.get() == Some(&thread::current().id());
        if thread::panicking() && is_writer() && self.check().is_ok() {
            self.fail(Failure::Panicked.into());
        }
    }

    pub(super) fn is_away(&self) -> bool {
        self.outage.borrow().is_some()
    }

    /// The file can't be written for now.
    pub(super) fn go_away(&self, error: &Error) {
        self.outage.send_replace(Some(error.clone()));
    }

    /// The file can be written.
    pub(super) fn come_back(&self) {
        if self.outage.send_if_modified(|outage| outage.take().is_some()) {
            WorkKind::ALL.into_iter().for_each(|kind| self.wake(kind));
        }
    }

    /// The writer drops what it can't answer: then it has failed or is closed.
    pub(super) async fn answered<T>(
        &self,
        answer: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        self.told(answer.await)
    }

    /// The same of what the writer said.
    pub(super) fn told<T>(
        &self,
        answer: Result<Result<T, Error>, oneshot::error::RecvError>,
    ) -> Result<T, Error> {
        answer.unwrap_or_else(|_| Err(self.check().err().unwrap_or(Error::Closed)))
    }

    pub(super) fn committed(&self, end: u64, log_bytes: usize) {
        self.unpacked.send_if_modified(|unpacked| {
            *unpacked += log_bytes;
            *unpacked >= self.unpacked_wanted.load(Ordering::Relaxed)
        });
        self.commits.fetch_add(1, Ordering::Relaxed);
        // Whoever sees it sees what was committed.
        self.end.store(end, Ordering::Release);
        self.grown.ring();
    }

    pub(super) fn wake(&self, kind: WorkKind) {
        self.owed.wake(kind);
    }

    pub(super) fn enqueued(&self) {
        self.queued.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn dequeued(&self) {
        // Whoever waits for idleness waits for the last.
        if self.queued.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.owed.stir();
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        // In an outage no replay goes on.
        let replays = || !self.is_away() && self.owed.is_replaying();
        let is_done = self.queued.load(Ordering::Acquire) == 0
            && !replays()
            && self.backlog().is_idle(self.clock.waited());
        // A work that has ended since the first look may have let a replay go on.
        is_done && !replays()
    }
}
