//! The store: everything accepted, everything owed, and what became of it.
//!
//! Every step of the path ends here. One writer thread adds all that waits to the log in one synced
//! frame (group commit), and only then changes memory and answers: accepted is durable, a run and
//! its effects are one. What is owed is in memory, rebuilt from the log at every start; where much
//! is owed, what comes next of it is, and all else is in rows of the file. This is the one door to
//! redb. It never judges and never looks at what it keeps: verdicts and routes come with what is
//! committed.
//!
//! Its rooms, each of which imports only those before it: `log` spells what happened, `file` holds
//! it in volumes and tables, `ids` tells duplicates, `index` knows where what is listed stands,
//! `owed` knows what is left to do, `read` answers, `write` commits, and `keep` removes and packs.
//! `facts` and `report` are what goes in and comes out, `state` is what handlers remember, `time`
//! and `ages` are how old things are, `marks` says when too much is open, and `reasons` says why a
//! try failed. `accept` takes requests in, `take` hands works out, `tries` takes in what became of
//! them, `refill` brings more into memory, and the `gate` keeps who reads what is owed between two
//! commits. `check` looks at all of it while no gateway runs, `repair` makes the tables anew from
//! the volumes, and `backup` copies all of it, also while it goes on.

mod accept;
mod access;
mod ages;
mod aside;
mod backup;
mod bell;
mod canaries;
mod check;
mod committing;
mod damage;
mod endpoints;
mod erasures;
mod error;
mod facts;
mod file;
mod gate;
mod handlers;
mod ids;
mod index;
mod keep;
mod kind;
mod log;
mod marks;
mod offline;
mod owed;
mod promise;
mod read;
mod reasons;
mod refill;
mod repair;
mod report;
mod rows;
mod shared;
mod state;
mod stats;
mod syncs;
mod take;
mod time;
mod tries;
mod volume_keys;
mod write;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::accept::Recalled;
pub use self::access::answers::{KeptAnswer, Once, OnceKey};
pub use self::access::audit::{AuditChecked, AuditEntry, AuditFault, AuditFilter, Deed};
pub use self::access::tokens::{Token, Tokens};
pub use self::backup::{Backup, backup_folder, check_backup, restore};
pub use self::canaries::{CanaryRow, CanaryVerdict, Tally as CanaryTally};
pub use self::check::{Checked, Fault, check, check_counting};
pub use self::committing::{Committing, Heard};
pub use self::endpoints::health::{BUCKETS, EndpointNote, Health, StatsHour};
pub use self::endpoints::{EndpointChange, EndpointRows, NewEndpoint, StoredEndpoint, Tombstone};
pub use self::erasures::{ERASURES_OPEN_MAX, Erasure, ErasureState};
pub use self::error::{Damaged, Error, Failure};
pub use self::facts::{
    Appended, NewEvent, NewReceipt, PluginStamp, Receipt, Routes, StoredEvent, StoredParcel,
};
pub use self::file::OpenError;
pub use self::file::backend::{Ahead, Backend, Medium};
pub use self::file::backup::{
    BackupCounts, BackupError, BackupFault, BackupMade, RestoreError, Restored,
};
pub(crate) use self::file::{draft_in, file_in};
pub use self::handlers::{HANDLERS_MAX, HandlerRow};
pub use self::ids::terms::Terms;
pub use self::keep::retention::Retention;
pub use self::keep::sweep::Swept;
pub use self::kind::WorkKind;
pub(crate) use self::offline::may_have_tokens;
pub use self::offline::{check_audit, record, reset_tokens};
pub use self::owed::backlog::{Allowance, Windows};
pub use self::owed::lease::{DeliveryWork, Lease, ParseWork, Payload, RunWork};
pub use self::owed::tally::{Marks, Open, OpenWorks, Reached};
pub use self::promise::Promise;
pub use self::read::cursor::Cursor;
pub use self::read::filter::{
    DeadFilter, DeliveryFilter, EventFilter, NewReplay, ReceiptFilter, ReplayFilter, StreamFilter,
};
pub use self::read::hours::{EventCount, HOURS_MAX, Hour, TryCount};
pub use self::read::past::{Past, PastEnd, PastItem, PastTry, Recorded};
pub use self::read::replays::{EndpointMatches, Preview, Replay, Replayed, Sample};
pub use self::read::snapshot::{Following, Gap, Growth, Listing, News, PAGE_ITEMS_MAX, Page, Part};
pub use self::read::view::{
    AttemptView, DamagedItem, DeadGroup, DeadLetter, DeadReasons, DeliverySummary, DeliveryView,
    EventBody, EventSummary, EventView, LastAttempt, Of, OutcomeView, Progressed, ReceiptSummary,
    ReceiptView, RunView, State, StreamedEvent, TimesView, TryView, VerdictView,
};
pub use self::repair::{LostState, Repaired, Undecided, repair, repair_anyway, repair_with};
pub use self::report::{Attempt, Effects, Parsed, Refused, Try};
pub use self::state::{Quota, Quotas};
pub use self::stats::{KindStats, Stats};
pub use self::volume_keys::VolumeKeys;
pub use self::write::audit::AuditPage;
pub use self::write::commit::{RunRefused, StateFull};
pub use self::write::discard::Discarded;
pub use self::write::ending::{EndOwed, Ended};
pub use self::write::replay::by_filter::ReplayChange;

use self::aside::{aside, in_background};
use self::damage::Damages;
use self::file::failure::unbroken;
use self::file::volumes::VOLUME_BYTES;
use self::file::{CHECKPOINT_BYTES, File, Sizes};
use self::ids::Shape;
use self::index::{BLOCK_ITEMS, Index, Tail};
use self::log::low_water::LAG;
use self::owed::backlog::OrderKeys;
use self::owed::recovery::{Known, Recovered, recover};
use self::owed::upgrade::upgrade;
use self::read::replays::open_replays;
use self::shared::Shared;
use self::write::file_place::FilePlace;
use self::write::op::{Check, Operation, Reply};
use self::write::queue::Message;
use self::write::writer::{COMPANY_WAIT, Writer};
use crate::clock::Clock;
use crate::endpoint::Order;
use crate::ids::Name;

/// What the index has in memory, as a start finds it.
fn index_tail(file: &File, items: usize, damages: &Damages) -> Result<Tail, Error> {
    Ok(index::rebuild::tail(&file.read()?, items, (file.tag, damages))?)
}

/// Where the store is and how much it may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder; made if it is not there.
    pub path: PathBuf,
    /// Writes that may wait for the writer; more are [`Error::Full`].
    pub queue: usize,
    /// Memory for what was stored last, and as much again for what was read again.
    pub recent_bytes: usize,
    /// Event ids that are in memory and in the log only; more are written to sorted runs.
    pub fresh_ids: usize,
    /// Receipts and events that the index has in memory and in the log only; more are written to
    /// a block of it.
    pub index_items: usize,
    /// How long event ids are known.
    pub terms: Terms,
    /// How much handlers may remember.
    pub quotas: Quotas,
    /// A volume of the log is full when it has this many bytes.
    pub volume_bytes: u64,
    /// A checkpoint is due when the log has grown by this many bytes, or after a second.
    pub checkpoint_bytes: u64,
    /// How much of what is owed is in memory.
    pub windows: Windows,
    /// Which deliveries wait for each other, of those to each endpoint that the store does not
    /// keep: a start would give them out in another order before that is said.
    pub ordered: BTreeMap<Name, Order>,
    /// Room for so many outcomes of each kind that are on their way to the disk, beside the works
    /// in slots; one takes more for each 64 KiB. What a crash repeats at most is that and those.
    pub uncommitted: usize,
    /// Works that end within this time take no rows, as long as a start reads all that came since
    /// at once.
    pub lag: Duration,
    /// How long outcomes that nobody waits for wait for company, so that more share a sync.
    pub company: Duration,
    /// What seals the volumes of the log, if anything does.
    pub keys: VolumeKeys,
}

impl Config {
    /// The defaults, in this folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let fresh_ids = Shape::DEFAULT.fresh_ids;
        let (path, terms, quotas) = (path.into(), Terms::default(), Quotas::default());
        Self {
            path,
            queue: 4096,
            recent_bytes: 16 << 20,
            fresh_ids,
            index_items: BLOCK_ITEMS,
            terms,
            quotas,
            volume_bytes: VOLUME_BYTES,
            checkpoint_bytes: CHECKPOINT_BYTES,
            windows: Windows::default(),
            ordered: BTreeMap::new(),
            uncommitted: 1024,
            lag: LAG,
            company: COMPANY_WAIT,
            keys: VolumeKeys::default(),
        }
    }

    fn opening(&self) -> (Sizes, &VolumeKeys) {
        let Self { volume_bytes, checkpoint_bytes, .. } = *self;
        (Sizes { volume_bytes, checkpoint_bytes }, &self.keys)
    }
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
    queue: Option<mpsc::Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(writer) = self.writer.take() else { return };
        // What it has answered may be nobody's any more, and hold the last: then it ends by itself.
        if writer.thread().id() == std::thread::current().id() {
            return;
        }
        if writer.join().is_err() {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Store {
    /// Opens the store in a folder, or makes it, and finds what is owed.
    #[expect(clippy::needless_pass_by_value, reason = "a store keeps a clock of its own")]
    pub fn open(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let damages = Arc::<Damages>::default();
        let file = File::open(&config.path, config.opening(), Arc::clone(&damages))?;
        Self::start(file, config, &clock, damages)
    }

    /// Opens the store that a medium holds.
    #[expect(clippy::needless_pass_by_value, reason = "a store keeps a clock of its own")]
    pub fn open_on(medium: impl Medium, config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let damages = Arc::<Damages>::default();
        let (path, opening) = (&config.path, config.opening());
        let file = File::open_on(medium, path, opening, Arc::clone(&damages))?;
        Self::start(file, config, &clock, damages)
    }

    fn start(
        file: File,
        config: &Config,
        clock: &Clock,
        damages: Arc<Damages>,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::because(&config.path, source);
        file.check_unlocked().map_err(|source| failed(source.into()))?;
        let order_keys = OrderKeys::default();
        order_keys.learn(config.ordered.clone());
        let shape = Shape { fresh_ids: config.fresh_ids.max(1), ..Shape::DEFAULT };
        let unfinished = |source| OpenError::Unfinished { path: config.path.clone(), source };
        let upgraded = file.asked(|| upgrade(&file, &damages));
        upgraded.map_err(|why| if file.is_damaged() { failed(why) } else { unfinished(why) })?;
        let known = Known { keys: &order_keys, terms: &config.terms, damages: &damages };
        let sizes = (shape, config.windows, config.lag);
        let found = || -> Result<_, Error> {
            order_keys.learn(endpoints::orders(&file)?);
            let recovered = recover(&file, known, sizes, clock.clone())?;
            let replays = open_replays(&file, &damages)?;
            Ok((recovered, index_tail(&file, config.index_items, &damages)?, replays))
        };
        let recovered = file.asked(|| unbroken(found));
        let (recovered, tail, replays) = match recovered {
            Ok(recovered) => recovered,
            Err(error) => {
                // Where a file contradicts itself, even to let it go may fail.
                drop(unbroken(|| {
                    drop(file);
                    Ok(())
                }));
                return Err(failed(error));
            }
        };
        let Recovered { mut backlog, low_water, ids, end, clock, line, used, ages } = recovered;
        backlog.set_uncommitted(config.uncommitted);
        let index = Index::new(tail, config.index_items);
        let (id_mark, owed) = (ids.mark(), (backlog, low_water, ids));
        let shared = Shared::new(file, order_keys, clock, config, damages, owed, (used, index));
        shared.end.store(end, Ordering::Relaxed);
        *shared.ages() = ages;
        shared.ages().grown(end, shared.clock.times().counted);
        shared.id_mark.store(id_mark, Ordering::Relaxed);
        shared.owed.replays.send_replace(replays);
        let shared = Arc::new(shared);
        let (queue, waiting) = mpsc::channel(config.queue.max(1));
        let place = FilePlace::new(Arc::clone(&shared), shape);
        let writer = Writer::new(Arc::clone(&shared), place, line, end, config.company);
        let pauses = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let pauses = pauses.map_err(|source| OpenError::Thread { source })?;
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(waiting, &pauses))
            .map_err(|source| OpenError::Thread { source })?;
        Ok(Self { handle: Arc::new(Handle { queue: Some(queue), writer: Some(writer), shared }) })
    }

    /// The bytes that a handler remembers, and how many it may remember.
    pub fn remembered(&self, handler: &Name) -> (u64, u64) {
        let shared = &self.handle.shared;
        let used = shared.used.load().get(handler).map_or(0, |used| used.bytes);
        (used, shared.quotas.load().quota(handler).bytes)
    }

    /// Resolves when a take of this kind may give something that it did not give before this call,
    /// also by the passing of time. Counts from the call, not from the first poll.
    pub fn ready(&self, kind: WorkKind) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.handle.shared);
        let woken = shared.owed.woken(kind);
        let mut crossed = shared.owed.tallies.crossings();
        async move {
            let due = shared.backlog().next_due(kind).filter(|_| !shared.is_away());
            tokio::select! {
                () = woken => (),
                // The sender is in `shared`: this is a wake and no end.
                _ = crossed.changed() => (),
                () = shared.clock.reached(due) => (),
            }
        }
    }

    /// Resolves when nothing is queued, in flight, or to be taken now. What waits for a later
    /// time, behind such a work, for an endpoint that is switched off, or as a replay for a
    /// high-water mark does not count, nor do replays that are held.
    pub async fn idle(&self) {
        let shared = &self.handle.shared;
        let mut moved = shared.owed.moved();
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

    /// Why the files can't be written for now, if so.
    pub fn outage(&self) -> Option<Error> {
        self.handle.shared.outage.borrow().clone()
    }

    /// Resolves when the file no longer lies where it was opened: whoever stops then has nothing to
    /// wait for. Looks at the file's place when it is first asked; after that a write has to fail.
    pub async fn displaced(&self) {
        let shared = &self.handle.shared;
        if shared.file.glance().is_err_and(|error| error.is_displaced()) {
            return;
        }
        let mut outage = shared.outage.subscribe();
        // The sender is in `shared`.
        drop(outage.wait_for(|outage| outage.as_ref().is_some_and(Error::is_displaced)).await);
    }

    /// No try waits longer than this, also of those that were put off before: a clock that was
    /// ahead when that was said must not strand them.
    pub fn bound_delays(&self, longest: Duration) {
        self.handle.shared.backlog().bound_delays(longest);
    }

    /// Ids that come from now on are known for as long as this says of their sources; those that
    /// came before for as long as was said then.
    pub fn know_ids_for(&self, terms: Terms) {
        self.handle.shared.terms.store(Arc::new(terms));
    }

    /// Handlers may remember so much from now on. What they remember beyond it stays.
    pub fn bound_state(&self, quotas: Quotas) {
        self.handle.shared.quotas.store(Arc::new(quotas));
    }

    /// Why nothing can be stored: the store has failed or is closed, the file can't be written for
    /// now, or something else stands in its place. Looks at the file's place, now.
    pub fn trouble(&self) -> Option<Error> {
        let shared = &self.handle.shared;
        let known = shared.check().err().or_else(|| self.outage());
        let closed = || self.queue().is_closed().then_some(Error::Closed);
        known.or_else(closed).or_else(|| shared.file.glance().err())
    }

    /// Finishes what is queued, then lets the file go: it may be opened again. What clones of this
    /// store are asked afterwards is [`Error::Closed`].
    pub async fn close(self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let (reply, answer) = Reply::new();
        if self.queue().send(Message::close(reply, shared)).await.is_err() {
            return Ok(());
        }
        match shared.answered(answer).await {
            Ok(()) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits for room in the queue, then for the answer.
    async fn ask<T, O: Operation + 'static>(
        &self,
        op: impl FnOnce(Reply<T>) -> O,
    ) -> Result<T, Error> {
        let (reply, answer) = Reply::new();
        self.send(op(reply)).await?;
        self.handle.shared.answered(answer).await
    }

    /// Waits for room in the queue.
    async fn send(&self, op: impl Operation + 'static) -> Result<(), Error> {
        let message = Message::perform(op, &self.handle.shared);
        self.queue().send(message).await.map_err(|_| Error::Closed)
    }

    /// Asks what is shared, on a thread that may wait for the disk.
    async fn aside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.handle.shared);
        self.noting(aside(move || ask(&shared)).await)
    }

    /// The same where nobody waits for the answer.
    async fn in_background<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.handle.shared);
        self.noting(in_background(move || ask(&shared)).await)
    }

    /// If the file could not be read, the writer looks after it.
    fn noting<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ Error::Unavailable(_)) = &result {
            let shared = &self.handle.shared;
            // In an outage the writer looks after it already, and knows the cause.
            if shared.is_away() {
                return result;
            }
            shared.go_away(error);
            // If the queue is full, the writer comes to the file by itself.
            drop(self.queue().try_send(Message::perform(Check, shared)));
        }
        result
    }

    fn queue(&self) -> &mpsc::Sender<Message> {
        self.handle.queue.as_ref().expect("the queue lives as long as the handle")
    }
}
