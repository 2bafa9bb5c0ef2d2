//! What checks put into a store: short receipts, events and tries.
//!
//! Values. Never asks a store anything.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Event, Request, Timestamp};
use crate::failure::AttemptDetail;
use crate::ids::{Id, IdKind, Name};
use crate::json_text::JsonText;
use crate::provider::Proven;
use crate::retry::{Outcome, Verdict};
use crate::store::facts::StoredEvent;
use crate::store::{Attempt, NewEvent, NewReceipt, PluginStamp, Routes, Try};

/// When everything happens, unless somebody moves the clock.
pub(in crate::store) const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(in crate::store) fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

pub(in crate::store) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(in crate::store) fn receipt(event_ids: &[&str]) -> NewReceipt {
    NewReceipt {
        source: name("stripe"),
        request: Arc::new(Request {
            method: "POST".into(),
            url: "/in/stripe".into(),
            headers: [("content-type", "application/json")].into_iter().collect(),
            body: format!("{event_ids:?}").into(),
            received_at: NOW,
        }),
        event_ids: event_ids.iter().map(|&id| id.to_owned()).collect(),
        proven: Some(Proven::Bound),
        plugin: None,
        trace: None,
    }
}

/// An event that goes nowhere.
pub(in crate::store) fn event(id: &str, subject: &str) -> NewEvent {
    let event = Event {
        source: name("stripe"),
        id: id.into(),
        event_type: "payment.failed".into(),
        subject: (!subject.is_empty()).then(|| subject.into()),
        time: NOW,
        money: None,
        labels: vec![("country".into(), "DE".into())],
        data: JsonText::new(r#"{"amount":1099}"#).unwrap(),
    };
    let (event, routes) = (Arc::new(event), Arc::default());
    NewEvent { event, routes, allowance: None, tenant: None, trace: None }
}

impl NewEvent {
    /// The same, to these handlers and endpoints.
    pub(in crate::store) fn to(mut self, handlers: &[&str], endpoints: &[&str]) -> Self {
        let handlers = handlers.iter().map(|text| name(text)).collect();
        let endpoints = endpoints.iter().map(|text| name(text)).collect();
        self.routes = Arc::new(Routes { handlers, endpoints });
        self
    }

    /// As a store with the tag zero keeps it at this position, with nothing that it comes from.
    pub(in crate::store) fn stored(self, position: u64) -> StoredEvent {
        StoredEvent {
            id: Id { kind: IdKind::Event, position, tag: 0 },
            event: self.event,
            receipt: None,
            cause: None,
            depth: 0,
            allowance: self.allowance,
            root_source: None,
            tenant: self.tenant,
            trace: self.trace,
            recorded_at: NOW,
            routes: self.routes,
        }
    }
}

pub(in crate::store) fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Done => Outcome::Success,
        Verdict::RetryAt(_) => Outcome::transient("busy"),
        Verdict::Dead => Outcome::permanent("it makes no sense"),
    }
}

pub(in crate::store) fn tried(verdict: Verdict) -> Try {
    let plugin = PluginStamp { name: name("logic"), version: "1".into(), digest: "d1".into() };
    let duration = Duration::from_millis(7);
    let (plugin, outcome, log) = (Some(plugin), outcome(verdict), Vec::new());
    Try { at: NOW, duration, plugin, outcome, verdict, log, reason: None }
}

pub(in crate::store) fn attempt(verdict: Verdict) -> Attempt {
    let duration = Duration::from_millis(9);
    let (outcome, answer, detail) = (outcome(verdict), "ok".into(), AttemptDetail::default());
    Attempt { at: NOW, duration, status: Some(200), answer, outcome, verdict, detail }
}

pub(in crate::store) fn in_minutes(minutes: u64) -> Timestamp {
    NOW.after(Duration::from_secs(60 * minutes))
}
