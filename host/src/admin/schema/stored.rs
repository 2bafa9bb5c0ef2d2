//! The schemas of what the store shows: receipts, events, works, lists.
//!
//! Of texts with a form of their own, the form; of all else, its members. Never says what the
//! gateway shows of itself, nor what a try is, nor what an endpoint is to a delivery.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::object::Members;
use super::{Described, Schemas, one_of, text};
use crate::event::{Money, Timestamp};
use crate::failure::Reason;
use crate::headers::Headers;
use crate::ids::{Id, Name};
use crate::route::Pattern;
use crate::store::{
    Cursor, DamagedItem, DeadGroup, DeadLetter, DeadReasons, EventBody, EventCount, EventSummary,
    Hour, Listing, Of, PluginStamp, Progressed, ReceiptSummary, ReceiptView, RunView, State,
    TryCount, TryView, WorkKind,
};
use crate::tenant::Tenant;
use crate::trace_context::TraceId;

impl Described for Id {
    fn schema(_: &mut Schemas) -> Value {
        let said = "A receipt, event, run, delivery, replay or endpoint of this store.";
        text("^(rcp|evt|run|dlv|rpl|ep)_[0-9a-hjkmnp-tv-z]{18}$", said)
    }
}

impl Described for Name {
    fn schema(_: &mut Schemas) -> Value {
        text("^[a-z0-9][a-z0-9-]{0,62}$", "A name that an operator gave.")
    }
}

impl Described for Tenant {
    fn schema(_: &mut Schemas) -> Value {
        text("^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$", "Whom something belongs to.")
    }
}

impl Described for TraceId {
    fn schema(_: &mut Schemas) -> Value {
        text("^[0-9a-f]{32}$", "The id of a trace, as `traceparent` has it.")
    }
}

impl Described for Timestamp {
    fn schema(_: &mut Schemas) -> Value {
        let said = "A time in UTC, to the millisecond.";
        json!({ "type": "string", "format": "date-time", "description": said })
    }
}

impl Described for Pattern {
    fn schema(_: &mut Schemas) -> Value {
        let words = "[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*";
        let said = "An event type, all types below a prefix, or all.";
        let mut schema = text(&format!("^(\\*|{words}(\\.\\*)?)$"), said);
        schema["maxLength"] = json!(130);
        schema
    }
}

impl Described for Cursor {
    fn schema(_: &mut Schemas) -> Value {
        text("^v1\\.[A-Za-z0-9_-]{22}$", "Where a list goes on.")
    }
}

impl Described for State {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&["pending", "done", "dead"])
    }
}

impl Described for WorkKind {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&["parse", "run", "delivery"])
    }
}

impl Described for Headers {
    fn schema(_: &mut Schemas) -> Value {
        json!({
            "type": "array",
            "description": "Pairs of a name, in lower case, and a value.",
            "items": {
                "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2,
            },
        })
    }
}

impl Described for Box<RawValue> {
    fn schema(_: &mut Schemas) -> Value {
        json!({})
    }
}

impl<T: Described> Described for Listing<T> {
    fn name() -> Option<String> {
        T::name().map(|name| format!("{name}List"))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add::<Vec<T>>(schemas, "items", "In the order of the list.", "");
        let said = "What belongs here and can't be read.";
        members.add::<Vec<DamagedItem>>(schemas, "damaged", said, "maybe");
        let said = "The `cursor` of the next page; null at the end.";
        members.add::<Option<Cursor>>(schemas, "next", said, "");
        members.into_schema("A page of a list.")
    }
}

impl<T: Described> Described for Of<T> {
    fn name() -> Option<String> {
        T::name().map(|name| format!("{name}OfEvent"))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add::<T>(schemas, "work", "", "flat");
        members.add::<Id>(schemas, "event_id", "The event that it is about.", "");
        members.add::<Option<EventBody>>(schemas, "event", "That event, if it is kept.", "");
        members.add::<Option<Id>>(schemas, "receipt_id", "The receipt that it goes back to.", "");
        members.add::<Option<Tenant>>(schemas, "tenant", "Whose event that is.", "maybe");
        members.into_schema("A work, and the event that it is about.")
    }
}

object! {
    /// Something that can't be read.
    DamagedItem {
        /// What it is, if that is known.
        [maybe] id: Option<Id>,
        /// Where the log is damaged.
        position: u64,
    }
}

object! {
    /// How far a work has come.
    Progressed {
        state: State,
        /// Tries since it was opened or reopened.
        tries_made: u32,
        /// Not tried again before this time.
        [maybe] retry_at: Option<Timestamp>,
        /// When it was replayed, oldest first.
        [maybe] reopened_at: Vec<Timestamp>,
        /// Where its history is damaged: what is older is not shown.
        [maybe] damaged_at: Option<u64>,
    }
}

object! {
    /// An event in a list.
    EventSummary {
        id: Id,
        /// The source, or the handler that emitted it.
        source: Name,
        /// The id that is unique within the source.
        event_id: String,
        event_type as "type": String,
        /// The business entity that it is about.
        subject: Option<String>,
        /// When it happened.
        time: Timestamp,
        /// When the gateway stored it.
        recorded_at: Timestamp,
        /// The receipt that it goes back to.
        receipt: Option<Id>,
        /// Whose it is.
        [maybe] tenant: Option<Tenant>,
        /// Of its own runs and deliveries.
        state: State,
    }
}

object! {
    /// An accepted request in a list.
    ReceiptSummary {
        id: Id,
        source: Name,
        received_at: Timestamp,
        /// Whether body and headers were kept long enough and are gone.
        [maybe] body_expired: bool,
        /// How far its parse has come.
        state: State,
        /// Tries to parse it since it was opened or reopened.
        tries_made: u32,
    }
}

object! {
    /// The newest dead letters, by kind and reason.
    DeadReasons {
        /// Whether there may be more: the gateway counts 10,000 letters at most, for about 50 ms.
        at_least: bool,
        /// Those with the most letters first.
        groups: Vec<DeadGroup>,
    }
}

object! {
    /// Dead letters of one kind with one reason.
    DeadGroup {
        kind: WorkKind,
        /// Why the last tries failed.
        reason: Reason,
        /// Their number.
        count: u64,
        /// The money of the events that they are about, exact, one sum for each currency.
        money: Vec<Money>,
        /// The one of the newest receipt, run or delivery.
        newest: DeadLetter,
    }
}

object! {
    /// A receipt, a run or a delivery that is not tried again by itself.
    DeadLetter {
        id: Id,
        kind: WorkKind,
        /// The source, handler or endpoint.
        name: Name,
        /// Why the last try failed.
        reason: Reason,
        /// The same in words.
        detail: String,
        /// Whether no try was left; if not, another one would not have changed anything.
        schedule_ended: bool,
        /// When the last try ended.
        died_at: Timestamp,
        /// Tries since it was opened or reopened.
        tries_made: u32,
        /// The receipt that it goes back to.
        receipt: Option<Id>,
        /// The event that it is about.
        event: Option<Id>,
    }
}

object! {
    /// An accepted request, its parse, and what resulted from it.
    ReceiptView {
        id: Id,
        source: Name,
        /// The trace that it is in, if it came in while traces were on.
        [maybe] trace_id: Option<TraceId>,
        received_at: Timestamp,
        /// In upper case.
        method: String,
        /// Path and query.
        url: String,
        /// In the order of arrival, without credentials.
        headers: Headers,
        /// The plugin that said what the request proves; not there if an earlier Hookgate accepted
        /// it.
        [maybe] claimed_by: Option<PluginStamp>,
        /// What the request proved: `bound`, `unbound`, `weak`, or `none` where its source accepts
        /// everything; not there if an earlier Hookgate accepted it.
        [maybe] proof: Option<&'static str>,
        /// Whether body and headers were kept long enough and are gone.
        [maybe] body_expired: bool,
        /// The body, if it is UTF-8.
        [maybe] body: Option<String>,
        /// The body in base64, if it is not.
        [maybe] body_base64: Option<String>,
        [flat] progress: Progressed,
        /// The tries to parse it, oldest first.
        tries: Vec<TryView>,
        /// The events that it brought.
        events: Vec<Id>,
    }
}

object! {
    /// The CloudEvents attributes of an event, and its data.
    EventBody {
        /// Unique within the source.
        id: String,
        source: Name,
        event_type as "type": String,
        /// The business entity that it is about.
        subject: Option<String>,
        /// When it happened.
        time: Timestamp,
        /// How much it is about.
        money: Option<Money>,
        labels: BTreeMap<String, String>,
        /// As the plugin gave it, digit for digit.
        data: Box<RawValue>,
    }
}

object! {
    /// An exact amount.
    Money {
        /// Decimal, in major units: 10.99.
        amount: String,
        /// Such as USD.
        currency: String,
    }
}

object! {
    /// A handler's work on an event.
    RunView {
        id: Id,
        handler: Name,
        [flat] progress: Progressed,
        /// Oldest first.
        tries: Vec<TryView>,
    }
}

object! {
    /// What came in an hour.
    Hour {
        /// When it begins.
        hour: Timestamp,
        /// Accepted requests, by source.
        receipts: BTreeMap<String, u64>,
        /// By source or handler, and by type.
        events: Vec<EventCount>,
        /// By kind of work and verdict.
        tries: Vec<TryCount>,
    }
}

object! {
    /// The number of events of a source and type.
    EventCount {
        source: String,
        event_type as "type": String,
        count: u64,
    }
}

object! {
    /// The number of tries of a kind of work, with the same verdict.
    TryCount {
        kind: WorkKind,
        /// `done`, `retry` or `dead`.
        verdict: &'static str,
        count: u64,
    }
}
