//! The store: everything accepted, everything owed, and what became of it.
//!
//! Every step of the path ends here. One writer thread commits all that waits in one synced
//! transaction (group commit), and only then changes memory and answers: accepted is durable, a run
//! and its effects are one. What is owed is in memory, rebuilt from the log at every start. This is
//! the one door to redb. It never judges and never looks at what it keeps: verdicts and routes come
//! with what is committed.

mod append;
mod backlog;
mod claim;
mod draft;
mod file;
mod frontier;
mod known_ids;
mod log;
mod outage;
mod owed;
mod pack;
mod query;
mod recent;
mod record;
mod recovery;
mod replay;
mod retention;
mod segment;
mod standing;
mod state;
mod stats;
mod stored;
mod sweep;
mod tried;
mod tries;
mod view;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot, watch};

pub use self::claim::{Cargo, DeliveryWork, Lease, ParseWork, RunWork};
pub use self::file::OpenError;
pub(crate) use self::file::file_in;
pub use self::query::{EventFilter, Listing, PAGE_ITEMS_MAX, Page};
pub use self::replay::Replayed;
pub use self::retention::Retention;
pub use self::segment::Damaged;
pub use self::standing::WorkKind;
pub use self::stats::{KindStats, Stats};
pub use self::stored::{
    Appended, NewEvent, NewReceipt, Receipt, Routes, StoredEvent, StoredParcel,
};
pub use self::sweep::Swept;
pub use self::tried::{Attempt, Committed, PluginStamp, Try};
pub use self::view::{
    AttemptView, DeadLetter, DeliveryView, EventSummary, EventView, Progressed, ReceiptView,
    RunView, State, TryView, VerdictView,
};

use self::backlog::{Backlog, LaneKeys};
use self::file::File;
use self::known_ids::Shape;
use self::log::LogReader;
use self::recent::Recent;
use self::recovery::{Recovered, recover};
use self::writer::{Op, Queued, Reply, Writer};
use crate::clock::Clock;
use crate::ids::Id;

/// Where the store is and how much it may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder; made if it is not there.
    pub path: PathBuf,
    /// Writes that may wait for the writer; more are [`Error::Full`].
    pub queue: usize,
    /// Memory for what was stored last.
    pub recent_bytes: usize,
    /// Event ids that are in memory and in the log only; more are written to sorted runs.
    pub fresh_ids: usize,
}

impl Config {
    /// The defaults, in this folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let fresh_ids = Shape::DEFAULT.fresh_ids;
        Self { path: path.into(), queue: 4096, recent_bytes: 32 << 20, fresh_ids }
    }
}

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// More waits to be written than may. Nothing was stored; later may be better.
    #[error("the store's queue is full")]
    Full,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// These stand for nothing in this store.
    #[error("unknown to this store: {}", list(.0))]
    Unknown(Vec<Id>),
    /// The file can't be read or written for now: a full disk, or one that fails. Nothing was stored
    /// as far as is known; the store goes on by itself when it can.
    #[error("the store can't be read or written")]
    Unavailable(#[source] Arc<Failure>),
    /// The file is damaged. The store takes nothing any more.
    #[error("the store has failed")]
    Failed(#[source] Arc<Failure>),
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be read or written.
    #[error("failed to read or write the store's file")]
    Access(#[source] redb::Error),
    /// It holds what no Hookgate wrote.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The known event ids can't be read.
    #[error("the event ids are damaged in run {run}")]
    DamagedRun {
        /// Its number; zero if it is what belongs to none.
        run: u64,
    },
    /// It was replaced by that of another store.
    #[error("the store's file is that of another store now")]
    Replaced,
}

macro_rules! access_failure {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Access(error.into())
            }
        }
    )*};
}
access_failure!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    std::io::Error
);

impl Failure {
    /// Whether it is the world's doing, and may pass.
    fn is_passing(&self) -> bool {
        match self {
            Self::Access(error) => matches!(
                error,
                redb::Error::Io(_)
                    | redb::Error::PreviousIo
                    | redb::Error::DatabaseAlreadyOpen
                    // What was being read while the file was opened anew.
                    | redb::Error::DatabaseClosed
            ),
            Self::Damaged(_) | Self::DamagedRun { .. } | Self::Replaced => false,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        if failure.is_passing() {
            Self::Unavailable(Arc::new(failure))
        } else {
            Self::Failed(Arc::new(failure))
        }
    }
}

fn list(ids: &[Id]) -> String {
    ids.iter().map(Id::to_string).collect::<Vec<_>>().join(", ")
}

/// The store. Clones are the same store.
///
/// When the last is dropped, the writer finishes what is queued and lets the file go; the drop
/// waits for that. [`Store::close`] does the same without blocking a thread.
#[derive(Debug, Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Queued>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(Err(_)) = self.writer.take().map(JoinHandle::join) {
            tracing::error!("the store's writer has panicked");
        }
    }
}

/// What the handles, the leases and the writer share.
#[derive(Debug)]
struct Shared {
    file: File,
    log: LogReader,
    lanes: LaneKeys,
    clock: Clock,
    backlog: Mutex<Backlog>,
    recent: Mutex<Recent>,
    /// The first failure; after it nothing is written.
    failed: OnceLock<Error>,
    /// Why the file can't be written for now.
    outage: watch::Sender<Option<Error>>,
    /// Bytes of the log on disk that came since it was packed.
    unpacked: watch::Sender<usize>,
    /// Held by the sweep at work.
    sweeping: tokio::sync::Mutex<()>,
    queued: AtomicUsize,
    commits: AtomicU64,
    end: AtomicU64,
    /// One for each kind of work: something may be claimed that could not be before.
    wakes: [watch::Sender<()>; 3],
    /// Something was claimed, given back, committed or answered.
    moved: watch::Sender<()>,
}

impl Store {
    /// Opens the store in a folder, or makes it, and finds what is owed.
    pub fn open(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        Self::start(File::open(&config.path)?, config, clock)
    }

    /// Opens the store that a backend holds. Clones of it must hold the same: after a failure of
    /// one another is opened.
    pub fn open_on(
        backend: impl redb::StorageBackend + Clone,
        config: &Config,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::start(File::open_on(backend, &config.path)?, config, clock)
    }

    fn start(file: File, config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Failed { path: config.path.clone(), source };
        let lanes = LaneKeys::default();
        let shape = Shape { fresh_ids: config.fresh_ids.max(1), ..Shape::DEFAULT };
        let recovered = recover(&file, &lanes, shape).map_err(failed)?;
        let Recovered { backlog, frontier, ids, end } = recovered;
        let shared = Arc::new(Shared {
            log: LogReader::new(file.tag),
            file,
            lanes,
            clock,
            backlog: Mutex::new(backlog),
            recent: Mutex::new(Recent::new(config.recent_bytes)),
            failed: OnceLock::new(),
            outage: watch::Sender::default(),
            unpacked: watch::Sender::default(),
            sweeping: tokio::sync::Mutex::default(),
            queued: AtomicUsize::new(0),
            commits: AtomicU64::new(0),
            end: AtomicU64::new(end),
            wakes: Default::default(),
            moved: watch::Sender::default(),
        });
        let (queue, waiting) = mpsc::channel(config.queue.max(1));
        let writer = Writer::new(Arc::clone(&shared), frontier, ids, end);
        let pauses = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let pauses = pauses.map_err(|source| OpenError::Thread { source })?;
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(waiting, &pauses))
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { handle: Arc::new(Handle { queue: Some(queue), writer: Some(writer), shared }) })
    }

    /// Stores a receipt, unless all its event ids are known; returns when it is on disk.
    ///
    /// Does not wait for room in the queue, then it is [`Error::Full`], nor for the end of an
    /// outage, then it is [`Error::Unavailable`].
    pub async fn append(&self, receipt: NewReceipt) -> Result<Appended, Error> {
        if let Some(error) = self.outage() {
            return Err(error);
        }
        let (reply, answer) = Reply::new();
        let keys = receipt.keys();
        let op = Queued::new(Op::Append { receipt, keys, reply }, &self.handle.shared);
        self.queue().try_send(op).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Full,
            mpsc::error::TrySendError::Closed(_) => Error::Closed,
        })?;
        self.handle.shared.answered(answer).await
    }

    /// Commits a try to parse a receipt. If it is done, so are these events: those whose ids no
    /// other receipt brought, each once. Gives their ids.
    pub async fn commit_parse(
        &self,
        work: ParseWork,
        tried: Try,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Id>, Error> {
        self.queue_parse(work, tried, events).await?.await
    }

    /// The same in two steps: resolves when the commit is queued, to what resolves when it is on
    /// disk. Commits take place in the order in which they are queued.
    pub async fn queue_parse(
        &self,
        work: ParseWork,
        tried: Try,
        events: Vec<NewEvent>,
    ) -> Result<impl Future<Output = Result<Vec<Id>, Error>>, Error> {
        let (reply, answer) = Reply::new();
        let op = Op::Parse { work, tried, events, reply };
        let op = Queued::new(op, &self.handle.shared);
        self.queue().send(op).await.map_err(|_| Error::Closed)?;
        Ok(self.handle.shared.answered(answer))
    }

    /// Commits a try of a run. If it is done, its effects take place with it, or neither does.
    pub async fn commit_run(
        &self,
        work: RunWork,
        tried: Try,
        effects: Committed,
    ) -> Result<(), Error> {
        self.ask(|reply| Op::Run { work, tried, effects, reply }).await
    }

    /// Commits an attempt of a delivery.
    pub async fn record_attempt(&self, work: DeliveryWork, attempt: Attempt) -> Result<(), Error> {
        self.ask(|reply| Op::Attempt { work, attempt, reply }).await
    }

    /// Resolves when a claim of this kind may give something that it did not give before this call,
    /// also by the passing of time. Counts from the call, not from the first poll.
    pub fn ready(&self, kind: WorkKind) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.handle.shared);
        let mut woken = shared.wakes[kind as usize].subscribe();
        async move {
            let due = shared.backlog().next_due(kind).filter(|_| !shared.is_away());
            tokio::select! {
                // The sender is in `shared`: this is a wake and no end.
                _ = woken.changed() => (),
                () = shared.clock.reached(due) => (),
            }
        }
    }

    /// Resolves when nothing is queued, in flight, or to be claimed now. What waits for a later
    /// time, behind such a work, or for an endpoint that is switched off does not count.
    pub async fn idle(&self) {
        let shared = &self.handle.shared;
        let mut moved = shared.moved.subscribe();
        while !shared.is_idle() {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }

    /// Resolves when the file can be written, at once if it can be now. What is being committed
    /// meanwhile waits for that by itself.
    pub async fn available(&self) {
        let mut outage = self.handle.shared.outage.subscribe();
        // The sender is in `shared`.
        drop(outage.wait_for(Option::is_none).await);
    }

    /// Why the file can't be written for now, if so.
    pub fn outage(&self) -> Option<Error> {
        self.handle.shared.outage.borrow().clone()
    }

    /// The store at a glance.
    pub fn stats(&self) -> Stats {
        let shared = &self.handle.shared;
        Stats {
            works: shared.backlog().stats(),
            queued: shared.queued.load(Ordering::Relaxed),
            commits: shared.commits.load(Ordering::Relaxed),
            end: shared.end.load(Ordering::Relaxed),
        }
    }

    /// Finishes what is queued, then lets the file go: it may be opened again. What clones of this
    /// store are asked afterwards is [`Error::Closed`].
    pub async fn close(self) -> Result<(), Error> {
        match self.ask(|reply| Op::Close { reply }).await {
            Ok(()) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for room in the queue, then for the answer.
    async fn ask<T>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Result<T, Error> {
        let (reply, answer) = Reply::new();
        let op = Queued::new(op(reply), &self.handle.shared);
        self.queue().send(op).await.map_err(|_| Error::Closed)?;
        self.handle.shared.answered(answer).await
    }

    /// If the file could not be read, the writer looks after it.
    fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ Error::Unavailable(_)) = &result {
            let shared = &self.handle.shared;
            shared.go_away(error);
            // If the queue is full, the writer comes to the file by itself.
            drop(self.queue().try_send(Queued::new(Op::Check, shared)));
        }
        result
    }

    fn queue(&self) -> &mpsc::Sender<Queued> {
        self.handle.queue.as_ref().expect("the queue lives as long as the handle")
    }
}

impl Shared {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failure, if the store has failed.
    fn check(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The store has failed: from now on nothing is written.
    fn fail(&self, error: Error) {
        // Only the first failure says what was wrong.
        drop(self.failed.set(error));
        WorkKind::ALL.into_iter().for_each(|kind| self.wake(kind));
    }

    fn is_away(&self) -> bool {
        self.outage.borrow().is_some()
    }

    /// The file can't be written for now.
    fn go_away(&self, error: &Error) {
        self.outage.send_replace(Some(error.clone()));
    }

    /// The file can be written.
    fn come_back(&self) {
        if self.outage.send_if_modified(|outage| outage.take().is_some()) {
            WorkKind::ALL.into_iter().for_each(|kind| self.wake(kind));
        }
    }

    /// The writer drops what it can't answer: then it has failed or is closed.
    async fn answered<T>(&self, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(self.check().err().unwrap_or(Error::Closed)),
        }
    }

    fn committed(&self, end: u64, log_bytes: usize) {
        self.unpacked.send_modify(|unpacked| *unpacked += log_bytes);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    fn wake(&self, kind: WorkKind) {
        self.wakes[kind as usize].send_replace(());
        self.moved.send_replace(());
    }

    fn enqueued(&self) {
        self.queued.fetch_add(1, Ordering::AcqRel);
    }

    fn dequeued(&self) {
        self.queued.fetch_sub(1, Ordering::AcqRel);
        self.moved.send_replace(());
    }

    fn is_idle(&self) -> bool {
        self.queued.load(Ordering::Acquire) == 0 && self.backlog().is_idle(self.clock.now())
    }
}
