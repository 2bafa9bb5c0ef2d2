//! What a run adds: its emissions and alerts as events, and how many there may be.
//!
//! A handler needs no grant to emit, so what comes of one receipt is bounded: in how many runs may
//! lie between an event and its receipt, in number, and in bytes. What may still be emitted goes
//! along with each event and is divided where runs and events branch, so that it holds for the tree
//! as a whole without anybody counting it. Never decides where an event goes.

use crate::effect::{Alert, Allowance, Asked, Effect, Emission, Parcel, Severity, StateHash};
use crate::event::{ALERT_TYPE, Event, Timestamp};
use crate::store::RunWork;

/// An event that came of an event that came of an event, and so on: no longer than this.
const DEPTH_MAX: u8 = 8;

/// What may be emitted below each event of a receipt, however many there are in it; and below one
/// that a run emitted before events had allowances.
const LEAST: Allowance = Allowance { events: 16, bytes: 256 << 10 };

/// What a run asks for, sorted.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Also those that its alerts are.
    pub(super) emissions: Vec<Emission>,
    pub(super) parcels: Vec<Parcel>,
    pub(super) alerts: Vec<Alert>,
    pub(super) state: Vec<(String, Option<bytes::Bytes>)>,
    /// Of what it read of the state before.
    pub(super) state_read: Option<StateHash>,
    /// What may be emitted below each of its emissions.
    pub(super) left: Option<Allowance>,
}

/// Of a receipt of so many events, what may be emitted below each; `None` is all of it. It is said
/// of every event that has a tenant or a span: the store keeps these beside it alone.
pub(super) fn allowance(whole: Allowance, events: usize, has_more: bool) -> Option<Allowance> {
    match events {
        0 | 1 => has_more.then_some(whole),
        _ => Some(whole.share(events).at_least(LEAST)),
    }
}

impl Wishes {
    /// Sorts what a run asks for. An error is why it may not have that.
    pub(super) fn of(work: &RunWork, asked: Asked, whole: Allowance) -> Result<Self, String> {
        let mut wishes = Self { state_read: asked.state_read, ..Self::default() };
        for effect in asked.effects {
            match effect {
                Effect::Emit(emission) => wishes.emissions.push(emission),
                Effect::Send(parcel) => wishes.parcels.push(parcel),
                Effect::SetState { key, value } => wishes.state.push((key, value)),
                Effect::Alert(alert) => {
                    wishes.emissions.push(alert_emission(work, &alert));
                    wishes.alerts.push(alert);
                }
            }
        }
        wishes.left = wishes.within(work, whole)?;
        Ok(wishes)
    }

    fn within(&self, work: &RunWork, whole: Allowance) -> Result<Option<Allowance>, String> {
        if self.emissions.is_empty() {
            return Ok(None);
        }
        let event = &work.event;
        if event.depth >= DEPTH_MAX {
            return Err(format!("the chain of emitted events is longer than {DEPTH_MAX}"));
        }
        let unsaid = if event.depth == 0 { whole } else { LEAST };
        let mine = event.allowance.unwrap_or(unsaid).share(event.routes.handlers.len());
        let count = self.emissions.len();
        let bytes = self.emissions.iter().map(Emission::bytes).sum();
        let left = mine.after(count, bytes).ok_or_else(|| {
            format!(
                "the run emits {count} events of {bytes} bytes together, but its share of the \
                 receipt's allowance is {} events of {} bytes (limits.emitted_events = {}, \
                 limits.emitted_bytes = {})",
                mine.events, mine.bytes, whole.events, whole.bytes
            )
        })?;
        Ok(Some(left.share(count)))
    }
}

/// An event that a run adds: its id is the same on every try. What a replay adds has other ids,
/// which the store makes of these, because it knows how often the run was replayed.
pub(super) fn event(work: &RunWork, number: usize, emission: Emission, now: Timestamp) -> Event {
    Event {
        source: work.handler.clone(),
        id: format!("{}.{number}", work.id),
        event_type: emission.event_type,
        subject: emission.subject,
        time: now,
        money: emission.money,
        labels: emission.labels,
        data: emission.data,
    }
}

fn alert_emission(work: &RunWork, alert: &Alert) -> Emission {
    let severity = match alert.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let data = serde_json::json!({
        "severity": severity,
        "message": alert.message,
        "event": work.event.id,
        "run": work.id,
    });
    Emission {
        event_type: ALERT_TYPE.to_owned(),
        subject: work.event.event.subject.clone(),
        money: None,
        labels: vec![("severity".to_owned(), severity.to_owned())],
        data: data.into(),
        // It is for the operator, whoever the event belongs to.
        tenant: None,
    }
}
