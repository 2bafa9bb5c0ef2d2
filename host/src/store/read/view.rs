//! What people see of the store: receipts, events, runs, deliveries and their history.
//!
//! Values with the field names of the JSON API. A receipt is shown as it came, with headers that
//! may carry a source's token: whoever hands it on hides those.

mod delivered;
mod tried;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::delivered::{DeliverySummary, LastAttempt};
pub use self::tried::{AttemptView, OutcomeView, TimesView, TryView, VerdictView};
use crate::event::{Event, Money, Timestamp};
use crate::failure::Reason;
use crate::headers::Headers;
use crate::ids::{Id, Name};
use crate::store::facts::{PluginStamp, StoredEvent};
use crate::store::kind::WorkKind;
use crate::store::owed::standing::{Progress, Standing};
use crate::tenant::Tenant;
use crate::trace_context::TraceId;

/// How far something has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Something is left to do.
    Pending,
    /// Nothing is left to do.
    Done,
    /// Something will not be tried again by itself.
    Dead,
}

/// A text that is no [`State`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not pending, done or dead")]
pub struct InvalidState(String);

impl std::str::FromStr for State {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        match text {
            "pending" => Ok(Self::Pending),
            "done" => Ok(Self::Done),
            "dead" => Ok(Self::Dead),
            _ => Err(InvalidState(text.to_owned())),
        }
    }
}

impl State {
    pub(in crate::store) fn of(standing: Standing) -> Self {
        match standing.progress {
            Progress::Ready | Progress::RetryAt(_) => Self::Pending,
            Progress::Done => Self::Done,
            Progress::Dead => Self::Dead,
        }
    }

    /// Of a whole whose parts are in these states.
    pub(crate) fn of_all(states: impl IntoIterator<Item = Self>) -> Self {
        states.into_iter().fold(Self::Done, |whole, part| match (whole, part) {
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            (Self::Dead, _) | (_, Self::Dead) => Self::Dead,
            (Self::Done, Self::Done) => Self::Done,
        })
    }
}

/// How a work stands.
#[derive(Debug, Clone, Serialize)]
pub struct Progressed {
    /// How far it has come.
    pub state: State,
    /// Tries since it was opened or reopened.
    pub tries_made: u32,
    /// Not tried again before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// When it was replayed, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reopened_at: Vec<Timestamp>,
    /// Where its history is damaged, if it is: what is older is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged_at: Option<u64>,
}

/// A receipt, its parse and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptView {
    /// `rcp_`
    pub id: Id,
    /// The source that it came in by.
    pub source: Name,
    /// The trace that it is in, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// When it was read.
    pub received_at: Timestamp,
    /// In upper case.
    pub method: String,
    /// Path and query.
    pub url: String,
    /// In the order of arrival.
    pub headers: Headers,
    /// The plugin that said what the request proves; not known of one that an earlier Hookgate
    /// accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<PluginStamp>,
    /// What the request proved: `bound`, `unbound`, `weak` or `none`; not known of one that an
    /// earlier Hookgate accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<&'static str>,
    /// Whether body and headers were kept long enough and are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub body_expired: bool,
    /// The body, if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body in base64, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// How its parse stands.
    #[serde(flatten)]
    pub progress: Progressed,
    /// The tries to parse it, oldest first.
    pub tries: Vec<TryView>,
    /// The events that it brought.
    pub events: Vec<Id>,
}

/// An event in a list.
#[derive(Debug, Clone, Serialize)]
pub struct EventSummary {
    /// `evt_`
    pub id: Id,
    /// The source or handler.
    pub source: Name,
    /// The id that is unique within the source.
    pub event_id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The business entity that it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Timestamp,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// The receipt that it goes back to.
    pub receipt: Option<Id>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// Of its own runs and deliveries; those of what its runs emitted or sent stand by themselves.
    pub state: State,
}

/// An event on a stream.
#[derive(Debug, Clone, Serialize)]
pub struct StreamedEvent {
    /// As it is in a list.
    #[serde(flatten)]
    pub summary: EventSummary,
    /// When finished work on it was opened again, if it comes because of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// The event itself, where the stream has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventBody>,
}

/// A receipt in a list.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptSummary {
    /// `rcp_`
    pub id: Id,
    /// The source that it came in by.
    pub source: Name,
    /// When it was read.
    pub received_at: Timestamp,
    /// Whether body and headers were kept long enough and are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub body_expired: bool,
    /// How far its parse has come.
    pub state: State,
    /// Tries to parse it since it was opened or reopened.
    pub tries_made: u32,
}

/// An event with its runs and deliveries; of endpoints it says what [`DeliveryView`] says.
#[derive(Debug, Clone, Serialize)]
pub struct EventView<E = Name> {
    /// `evt_`
    pub id: Id,
    /// The event itself.
    pub event: EventBody,
    /// The receipt that it goes back to.
    #[serde(rename = "receipt_id")]
    pub receipt: Option<Id>,
    /// The run that emitted it.
    pub cause: Option<Id>,
    /// How many runs lie between it and a receipt.
    pub depth: u8,
    /// The trace that it is in, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// Of all runs and deliveries shown here.
    pub state: State,
    /// Whether all that it said is erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// One for each handler.
    pub runs: Vec<RunView>,
    /// One for each endpoint that it was routed to, and one for each parcel that a run sent.
    pub deliveries: Vec<DeliveryView<E>>,
    /// Deliveries that can't be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<DamagedItem>,
}

impl EventView {
    /// The same, with this in the place of what its deliveries call their endpoints.
    pub fn to<E>(self, endpoint: impl Fn(Name) -> E) -> EventView<E> {
        EventView {
            id: self.id,
            event: self.event,
            receipt: self.receipt,
            cause: self.cause,
            depth: self.depth,
            trace_id: self.trace_id,
            tenant: self.tenant,
            recorded_at: self.recorded_at,
            state: self.state,
            erased: self.erased,
            runs: self.runs,
            deliveries: self.deliveries.into_iter().map(|it| it.to(&endpoint)).collect(),
            damaged: self.damaged,
        }
    }
}

/// A run or a delivery, and the event that it is about.
#[derive(Debug, Clone, Serialize)]
pub struct Of<T> {
    /// The run or delivery.
    #[serde(flatten)]
    pub work: T,
    /// The event's id.
    pub event_id: Id,
    /// The event itself, if it is still kept.
    pub event: Option<EventBody>,
    /// The receipt that it goes back to.
    pub receipt_id: Option<Id>,
    /// Whose event that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
}

impl<T> Of<T> {
    pub(in crate::store) fn new(work: T, event_id: Id, event: Option<&StoredEvent>) -> Self {
        let receipt_id = event.and_then(|event| event.receipt);
        let tenant = event.and_then(|event| event.tenant.clone());
        let event = event.map(|event| event.event.as_ref().into());
        Self { work, event_id, event, receipt_id, tenant }
    }

    /// The same of what becomes of the work.
    pub fn map<U>(self, work: impl FnOnce(T) -> U) -> Of<U> {
        let Self { work: it, event_id, event, receipt_id, tenant } = self;
        Of { work: work(it), event_id, event, receipt_id, tenant }
    }
}

/// An event as the API shows it: its CloudEvents attributes, and its data as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct EventBody {
    /// Unique within the source.
    pub id: String,
    /// The source that it came in by, or the handler that emitted it.
    pub source: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The business entity that it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Timestamp,
    /// How much it is about.
    pub money: Option<Money>,
    /// What analysis needs.
    pub labels: BTreeMap<String, String>,
    /// Digit for digit as the plugin gave it.
    pub data: Box<RawValue>,
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            source: event.source.clone(),
            event_type: event.event_type.clone(),
            // Of one that is erased it is empty.
            subject: event.subject.clone().filter(|subject| !subject.is_empty()),
            time: event.time,
            money: event.money.clone(),
            labels: event.labels.iter().cloned().collect(),
            data: event.data.as_raw().to_owned(),
        }
    }
}

/// Something in a list that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DamagedItem {
    /// What it is, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Where the log is damaged.
    pub position: u64,
}

/// A run.
#[derive(Debug, Clone, Serialize)]
pub struct RunView {
    /// `run_`
    pub id: Id,
    /// Whose run.
    pub handler: Name,
    /// How it stands.
    #[serde(flatten)]
    pub progress: Progressed,
    /// Its tries, oldest first.
    pub tries: Vec<TryView>,
}

/// A delivery. Of its endpoint it says what deliveries call it, until somebody knows more.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView<E = Name> {
    /// `dlv_`
    pub id: Id,
    /// Where it goes.
    pub endpoint: E,
    /// The run that asked for this delivery; none if the event itself is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Id>,
    /// How it stands.
    #[serde(flatten)]
    pub progress: Progressed,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

impl DeliveryView {
    /// The same, with this in the place of what it calls its endpoint.
    pub fn to<E>(self, endpoint: impl FnOnce(Name) -> E) -> DeliveryView<E> {
        let Self { id, endpoint: key, run, progress, attempts } = self;
        DeliveryView { id, endpoint: endpoint(key), run, progress, attempts }
    }
}

/// The dead letters by what was tried and why that failed.
#[derive(Debug, Clone, Serialize)]
pub struct DeadReasons {
    /// Whether there may be more: the gateway stopped counting at the newest.
    pub at_least: bool,
    /// Those with the most letters first.
    pub groups: Vec<DeadGroup>,
}

/// Dead letters of one kind with one reason.
#[derive(Debug, Clone, Serialize)]
pub struct DeadGroup {
    /// What was tried.
    pub kind: WorkKind,
    /// Why the last tries failed.
    pub reason: Reason,
    /// How many there are.
    pub count: u64,
    /// The money of the events that they are about, added up by currency.
    pub money: Vec<Money>,
    /// The one of the newest receipt, run or delivery.
    pub newest: DeadLetter,
}

/// A dead letter.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// `rcp_`, `run_` or `dlv_`
    pub id: Id,
    /// What was tried.
    pub kind: WorkKind,
    /// The source, handler or endpoint.
    pub name: Name,
    /// Why the last try failed.
    pub reason: Reason,
    /// The same in words, for the operator.
    pub detail: String,
    /// Whether there was no try left; if not, another one would not have changed anything.
    pub schedule_ended: bool,
    /// When the last try ended.
    pub died_at: Timestamp,
    /// Tries since it was opened or reopened.
    pub tries_made: u32,
    /// The receipt that it goes back to, if it was not a run that sent it.
    pub receipt: Option<Id>,
    /// The event that it is about.
    pub event: Option<Id>,
}
