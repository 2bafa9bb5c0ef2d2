//! Queries: one receipt or event with its history, and lists of events and dead letters.
//!
//! Each reads one unchanging view of the file and holds up no writer. A list reads for a bounded
//! time and says where to go on, so a page may be short and still not be the last. What is damaged
//! is named by its position, and all else is shown. They read on a thread that may wait for the
//! disk.

mod deliveries;
mod following;
mod letters;
mod lists;
mod pending;
mod reasons;
mod replaying;
mod times;
mod walk;

use std::borrow::Cow;
use std::cell::RefCell;
use std::iter::once;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(in crate::store) use self::following::events_gone;
pub use self::following::{Following, Gap, Growth, News};
pub(in crate::store) use self::letters::Unfiled;
pub(in crate::store) use self::replaying::{Bounds, Course, FoundWork};
pub(in crate::store) use self::times::{CLOCK_SLACK, TimedLog};
use super::cursor::{Cursor, List};
use super::filter::{DeadFilter, EventFilter, ReceiptFilter};
use super::view::{
    AttemptView, DamagedItem, DeadLetter, DeliveryView, EventSummary, EventView, Of, Progressed,
    ReceiptSummary, ReceiptView, RunView, State, TryView,
};
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::provider::Proven;
use crate::store::Store;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::facts::{PluginStamp, Receipt, StoredEvent, StoredParcel};
use crate::store::file::view::{Dead, Outcomes, Segments, View};
use crate::store::kind::WorkKind;
use crate::store::log::record::Record;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::owed::undone::Look;
use crate::store::owed::works::Stored;
use crate::store::reasons::Account;
use crate::store::shared::Shared;

/// Most items of a page.
pub const PAGE_ITEMS_MAX: usize = 1000;
/// A page that is not full by then says where to go on.
const LIST_TIME: Duration = Duration::from_secs(2);
/// Most records of one work's history that are shown; older ones are not.
const HISTORY_MAX: usize = 200;

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Where the last page of the same list said to go on; `None` at the newest.
    pub cursor: Option<Cursor>,
    /// Most items, up to [`PAGE_ITEMS_MAX`].
    pub limit: usize,
}

/// A part of a list, newest first.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// What belongs here and can't be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedItem>,
    /// Where to go on; `None` if this is the end.
    pub next: Option<Cursor>,
}

/// A part of all that is stored, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Receipts and events.
    pub ids: Vec<Id>,
    /// What lies among them and can't be read.
    pub damaged: Vec<DamagedItem>,
    /// The position where to go on; `None` if this is the end.
    pub next: Option<u64>,
}

impl Page {
    /// Whether it is a page of this list.
    fn check(self, list: List) -> Result<(), Error> {
        self.cursor.map_or(Ok(()), |cursor| cursor.check(list))
    }

    /// Before which position it begins.
    fn before(self) -> u64 {
        self.cursor.map_or(u64::MAX, Cursor::before)
    }
}

impl Store {
    /// A receipt with its history; `None` if there is no such receipt.
    pub async fn receipt(&self, id: Id) -> Result<Option<ReceiptView>, Error> {
        self.ask_view(move |snapshot| match snapshot.find(id)? {
            Some(Stored::Receipt(receipt)) => Ok(Some(snapshot.receipt(&receipt)?)),
            _ => Ok(None),
        })
        .await
    }

    /// An event with its runs and deliveries, by its own id or that of a run or delivery on it;
    /// `None` if there is no such event.
    pub async fn event(&self, id: Id) -> Result<Option<EventView>, Error> {
        self.ask_view(move |snapshot| {
            let found = match snapshot.find(id)? {
                Some(Stored::Parcel(parcel)) => snapshot.find(parcel.event)?,
                found => found,
            };
            match found {
                Some(Stored::Event(event)) => Ok(Some(snapshot.event(&event)?)),
                _ => Ok(None),
            }
        })
        .await
    }

    /// A run with its event; `None` if there is no such run.
    pub async fn run(&self, id: Id) -> Result<Option<Of<RunView>>, Error> {
        self.ask_view(move |snapshot| match snapshot.find(id)? {
            Some(Stored::Event(event)) if id.kind == IdKind::Run => snapshot.run(&event, id),
            _ => Ok(None),
        })
        .await
    }

    /// A delivery with its event; `None` if there is no such delivery.
    pub async fn delivery(&self, id: Id) -> Result<Option<Of<DeliveryView>>, Error> {
        self.ask_view(move |snapshot| match snapshot.find(id)? {
            Some(stored) if id.kind == IdKind::Delivery => snapshot.delivery_of(&stored, id),
            _ => Ok(None),
        })
        .await
    }

    /// The events that match, newest first.
    pub async fn events(
        &self,
        filter: &EventFilter,
        page: Page,
    ) -> Result<Listing<EventSummary>, Error> {
        page.check(filter.list())?;
        let filter = filter.clone();
        self.ask_view(move |snapshot| snapshot.events(&filter, page, LIST_TIME)).await
    }

    /// The receipts that match, newest first.
    pub async fn receipts(
        &self,
        filter: &ReceiptFilter,
        page: Page,
    ) -> Result<Listing<ReceiptSummary>, Error> {
        page.check(filter.list())?;
        let filter = filter.clone();
        self.ask_view(move |snapshot| snapshot.receipts(&filter, page, LIST_TIME)).await
    }

    /// All receipts and events from a position on, oldest first: about as many as `limit`.
    pub async fn stored_from(&self, position: u64, limit: usize) -> Result<Part, Error> {
        self.ask_view(move |snapshot| snapshot.stored_from(position, limit)).await
    }

    /// An accepted request as it is stored; `None` also if its body has expired. Reads no file for
    /// what was stored last, nor again for what was asked for a moment ago: it may go to many.
    pub async fn read_receipt(&self, id: Id) -> Result<Option<Arc<Receipt>>, Error> {
        let shared = &self.handle.shared;
        let in_memory = shared.in_memory(once(id.position)).pop().flatten();
        let found = match in_memory.filter(|it| it.id() == id) {
            None => {
                let age = shared.decoded().age();
                let read = self.ask_view(move |snapshot| snapshot.find(id)).await?;
                read.map(|stored| shared.decoded().keep(stored, age))
            }
            found => found,
        };
        match found {
            Some(Stored::Receipt(receipt)) if !receipt.body_expired => Ok(Some(receipt)),
            _ => Ok(None),
        }
    }

    /// The dead letters, those of the newest receipts, runs and deliveries first.
    pub async fn dead(&self, page: Page) -> Result<Listing<DeadLetter>, Error> {
        self.dead_matching(&DeadFilter::default(), page).await
    }

    /// The dead letters that match, in the same order.
    pub async fn dead_matching(
        &self,
        filter: &DeadFilter,
        page: Page,
    ) -> Result<Listing<DeadLetter>, Error> {
        page.check(filter.list())?;
        let filter = filter.clone();
        self.ask_view(move |snapshot| snapshot.letters(&filter, page, LIST_TIME)).await
    }

    /// Asks one unchanging view of the file.
    async fn ask_view<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Snapshot<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        self.aside(move |shared| Ok(ask(&shared.snapshot()?)?)).await
    }
}

/// One unchanging view of the file.
pub(in crate::store) struct Snapshot<'s> {
    shared: &'s Shared,
    /// Where nothing is done.
    undone: Look<'s>,
    view: View,
    log: Segments,
    outcomes: Outcomes,
    dead: Dead,
    /// What was found last: the next that is asked for may be on the same event.
    found: RefCell<Option<Stored>>,
}

/// What a work has behind it.
struct History {
    progress: Progressed,
    tries: Vec<TryView>,
    attempts: Vec<AttemptView>,
}

impl Shared {
    pub(in crate::store) fn snapshot(&self) -> Result<Snapshot<'_>, Error> {
        // Before the view: what has ended in that is in no stretch that is found in it.
        let undone = self.undone.look();
        let view = self.file.read()?;
        Ok(Snapshot {
            shared: self,
            undone,
            log: view.log()?,
            outcomes: view.outcomes()?,
            dead: view.dead()?,
            view,
            found: RefCell::default(),
        })
    }
}

impl Snapshot<'_> {
    fn tag(&self) -> u32 {
        self.shared.file.tag
    }

    fn find(&self, id: Id) -> Result<Option<Stored>, Failure> {
        if id.tag != self.tag() {
            return Ok(None);
        }
        let found = self.found.take().filter(|found| found.covers(id.position));
        let stored = match found {
            None => {
                let record = self.shared.log.record(&self.log, id.position);
                record.inspect_err(|failure| self.note(failure))?.and_then(Stored::of)
            }
            found => found,
        };
        self.found.borrow_mut().clone_from(&stored);
        Ok(stored.filter(|stored| stored.works_of(id, &self.shared.order_keys).is_some()))
    }

    fn note(&self, failure: &Failure) {
        if let Failure::Damaged(damaged) = failure {
            self.shared.damages.note(*damaged);
        }
    }

    fn standing(&self, position: u64) -> Result<Standing, Failure> {
        Standing::at(&self.outcomes, position)
    }

    /// The dead works from a position on, each with its kind.
    pub(in crate::store) fn dead_from(
        &self,
        position: u64,
    ) -> Result<impl Iterator<Item = Result<(u64, u8), Failure>>, Failure> {
        self.dead.within(position..)
    }

    /// The source of a receipt, and the plugin that tried last to parse it; `None` if it was none
    /// or was not tried.
    pub(in crate::store) fn parse_tried(
        &self,
        position: u64,
    ) -> Result<Option<(Name, Option<PluginStamp>)>, Failure> {
        let log = &self.shared.log;
        let Record::Receipt(receipt) = log.expect(&self.log, position)? else { return Ok(None) };
        let Some(last) = self.standing(position)?.last else { return Ok(None) };
        let Record::Try(tried) = log.expect(&self.log, last)? else { return Ok(None) };
        Ok(Some((receipt.source, tried.plugin.map(Cow::into_owned))))
    }

    /// The plugin that tried a run last, and why that try failed; `None` if it was none, or nobody
    /// tried it. Looks for no event: the plugin has the name of its handler.
    pub(in crate::store) fn run_tried(
        &self,
        position: u64,
    ) -> Result<Option<(PluginStamp, Reason)>, Failure> {
        let Some(last) = self.standing(position)?.last else { return Ok(None) };
        let record = self.shared.log.expect(&self.log, last)?;
        let Record::Try(tried) = record else { return Ok(None) };
        let reason = Account::from(&tried).reason(WorkKind::Run);
        Ok(tried.plugin.map(|plugin| (plugin.into_owned(), reason)))
    }

    fn receipt(&self, receipt: &Receipt) -> Result<ReceiptView, Failure> {
        let History { progress, tries, .. } = self.history(WorkKind::Parse, receipt.id.position)?;
        let request = &receipt.request;
        let text = std::str::from_utf8(&request.body).ok();
        Ok(ReceiptView {
            id: receipt.id,
            source: receipt.source.clone(),
            trace_id: receipt.trace.map(|of| of.trace),
            received_at: request.received_at,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            claimed_by: receipt.plugin.as_deref().cloned(),
            proof: receipt.proven.map(Proven::name),
            body_expired: receipt.body_expired,
            body: text.filter(|_| !receipt.body_expired).map(str::to_owned),
            body_base64: text.is_none().then(|| STANDARD.encode(&request.body)),
            progress,
            events: tries.iter().flat_map(|tried| tried.events.iter().copied()).collect(),
            tries,
        })
    }

    fn event(&self, stored: &StoredEvent) -> Result<EventView, Failure> {
        let mut runs = Vec::new();
        let mut deliveries = Vec::new();
        for work in stored.works(&self.shared.order_keys) {
            let id = work.id(self.tag());
            match work.kind {
                WorkKind::Delivery => deliveries.push(self.delivery(id, work.group, None)?),
                WorkKind::Parse | WorkKind::Run => {
                    let History { progress, tries, .. } = self.history(work.kind, id.position)?;
                    runs.push(RunView { id, handler: work.group, progress, tries });
                }
            }
        }
        let parcels = runs.iter().flat_map(|run| &run.tries).flat_map(|tried| &tried.parcels);
        let mut damaged = Vec::new();
        for id in parcels {
            let record = self.shared.log.record(&self.log, id.position);
            let Some(record) = self.shared.damages.pass(record)? else {
                damaged.push(DamagedItem { id: Some(*id), position: id.position });
                continue;
            };
            let Some(Record::Parcel(StoredParcel { parcel, run, .. })) = record else {
                continue; // It was kept long enough.
            };
            deliveries.push(self.delivery(*id, parcel.endpoint, Some(run))?);
        }
        let run_states = runs.iter().map(|run| run.progress.state);
        let states = run_states.chain(deliveries.iter().map(|delivery| delivery.progress.state));
        Ok(EventView {
            id: stored.id,
            event: stored.event.as_ref().into(),
            receipt: stored.receipt,
            cause: stored.cause,
            depth: stored.depth,
            trace_id: stored.trace.map(|of| of.trace),
            tenant: stored.tenant.clone(),
            recorded_at: stored.recorded_at,
            state: State::of_all(states),
            erased: stored.is_erased(),
            runs,
            deliveries,
            damaged,
        })
    }

    fn run(&self, event: &StoredEvent, id: Id) -> Result<Option<Of<RunView>>, Failure> {
        let works = event.works(&self.shared.order_keys);
        let work = works.into_iter().find(|work| work.id(self.tag()) == id);
        let Some(work) = work else { return Ok(None) };
        let History { progress, tries, .. } = self.history(WorkKind::Run, id.position)?;
        let run = RunView { id, handler: work.group, progress, tries };
        Ok(Some(Of::new(run, event.id, Some(event))))
    }

    fn delivery_of(&self, stored: &Stored, id: Id) -> Result<Option<Of<DeliveryView>>, Failure> {
        match stored {
            Stored::Receipt(_) => Ok(None),
            Stored::Event(event) => {
                let mut works = stored.works(&self.shared.order_keys).into_iter();
                let work = works.find(|work| work.id(self.tag()) == id);
                let Some(work) = work else { return Ok(None) };
                let delivery = self.delivery(id, work.group, None)?;
                Ok(Some(Of::new(delivery, event.id, Some(event))))
            }
            Stored::Parcel(parcel) => {
                let endpoint = parcel.parcel.endpoint.clone();
                let delivery = self.delivery(id, endpoint, Some(parcel.run))?;
                // The event may be gone, or can't be read: the delivery is what was asked for.
                let event = self.shared.damages.pass(self.find(parcel.event))?.flatten();
                let Some(Stored::Event(event)) = event else {
                    return Ok(Some(Of::new(delivery, parcel.event, None)));
                };
                Ok(Some(Of::new(delivery, event.id, Some(&event))))
            }
        }
    }

    fn delivery(&self, id: Id, endpoint: Name, run: Option<Id>) -> Result<DeliveryView, Failure> {
        let History { progress, attempts, .. } = self.history(WorkKind::Delivery, id.position)?;
        Ok(DeliveryView { id, endpoint, run, progress, attempts })
    }

    /// Follows a work's history back from its latest record, and gives it oldest first: as far as
    /// it is there and can be read.
    fn history(&self, kind: WorkKind, position: u64) -> Result<History, Failure> {
        let damages = &self.shared.damages;
        let mut damaged_at = None;
        let standing = damages.pass(self.standing(position))?.unwrap_or_else(|| {
            damaged_at = Some(position);
            Standing::default()
        });
        let mut tries = Vec::new();
        let mut attempts = Vec::new();
        let mut reopened_at = Vec::new();
        let mut next = standing.last;
        for _ in 0..HISTORY_MAX {
            let Some(position) = next else { break };
            let Some(record) = damages.pass(self.shared.log.record(&self.log, position))? else {
                damaged_at = Some(position);
                break;
            };
            // What is older may be gone.
            let Some(record) = record else { break };
            next = match record {
                Record::Try(record) => {
                    let previous = record.previous;
                    tries.push(TryView::new(record, kind, self.tag()));
                    previous
                }
                Record::Attempt(record) => {
                    let previous = record.previous;
                    attempts.push(AttemptView::from(record));
                    previous
                }
                Record::Reopening(record) => {
                    reopened_at.push(record.at);
                    record.previous
                }
                Record::Gap => break,
                Record::Receipt(_) | Record::Event(_) | Record::Parcel(_) => {
                    damages.note(Damaged { position });
                    damaged_at = Some(position);
                    break;
                }
            };
        }
        tries.reverse();
        attempts.reverse();
        reopened_at.reverse();
        let retry_at = match standing.progress {
            Progress::RetryAt(due) => Some(due),
            Progress::Ready | Progress::Done | Progress::Dead => None,
        };
        let progress = Progressed {
            state: State::of(standing),
            tries_made: standing.tries_made,
            retry_at,
            reopened_at,
            damaged_at,
        };
        Ok(History { progress, tries, attempts })
    }
}
