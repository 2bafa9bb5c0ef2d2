//! What a run asks for, held against what the recorded one was given: events, parcels, alerts,
//! state and log lines.
//!
//! Pure. Each is compared with its like: the first event of a type with the first of it, the first
//! parcel to an endpoint with the first to it. Of state the keys are named, and whether a value is
//! another one, and never a value.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::difference::{Differences, Fields, NOTHING};
use crate::effect::{Alert, Effect, Emission, LogLevel, LogLine, Parcel, Severity};
use crate::event::ALERT_TYPE;
use crate::store::{PastTry, Recorded, StoredEvent};

/// What there is of each name: recorded, and now.
type Pairs<'n, T> = BTreeMap<&'n str, (Vec<T>, Vec<T>)>;

/// Compares what a try added with what a run asks for.
pub(super) fn effects(
    found: &mut Differences,
    tried: &PastTry,
    recorded: &Recorded,
    now: &[Effect],
) {
    let mut emitted: Pairs<'_, Fields<'_>> = BTreeMap::new();
    let mut sent: Pairs<'_, &Parcel> = BTreeMap::new();
    let mut alerts: Vec<&Alert> = Vec::new();
    let mut state: BTreeMap<&str, (Option<Write<'_>>, Option<Write<'_>>)> = BTreeMap::new();
    // An alert is an event too, and is compared as what it is.
    for event in recorded.events.iter().filter(|it| it.event.event_type != ALERT_TYPE) {
        emitted.entry(&event.event.event_type).or_default().0.push(of_stored(event));
    }
    for stored in &recorded.parcels {
        sent.entry(stored.parcel.endpoint.as_str()).or_default().0.push(&stored.parcel);
    }
    for (key, value) in &tried.writes {
        state.entry(key).or_default().0 = Some(value.as_ref());
    }
    for effect in now {
        match effect {
            Effect::Emit(emission) => {
                emitted.entry(&emission.event_type).or_default().1.push(of_emission(emission));
            }
            Effect::Send(parcel) => {
                sent.entry(parcel.endpoint.as_str()).or_default().1.push(parcel);
            }
            Effect::Alert(alert) => alerts.push(alert),
            Effect::SetState { key, value } => {
                state.entry(key).or_default().1 = Some(value.as_ref());
            }
        }
    }
    for (event_type, (recorded, now)) in emitted {
        let of = format!("{event_type} ");
        let text = |fields: &Fields<'_>| fields.data.as_str().to_owned();
        each(
            found,
            event_type,
            (recorded.as_slice(), now.as_slice()),
            text,
            |found, recorded, now| {
                found.fields("effect_field", &of, recorded, now);
            },
        );
    }
    for (endpoint, (recorded, now)) in sent {
        let of = format!("send {endpoint}");
        let text = |parcel: &&Parcel| String::from_utf8_lossy(&parcel.body).into_owned();
        each(found, &of, (recorded.as_slice(), now.as_slice()), text, |found, recorded, now| {
            bodies(found, &of, recorded, now);
        });
    }
    compare_alerts(found, &tried.alerts, &alerts);
    for (key, (recorded, now)) in state {
        let (recorded, now) = shown(recorded, now);
        found.texts("state_key", key, Some(recorded), Some(now));
    }
}

/// Compares each with its like, and names those that have none.
fn each<T>(
    found: &mut Differences,
    name: &str,
    (recorded, now): (&[T], &[T]),
    text: impl Fn(&T) -> String,
    mut compare: impl FnMut(&mut Differences, &T, &T),
) {
    for (recorded, now) in recorded.iter().zip(now) {
        compare(found, recorded, now);
    }
    for missing in recorded.iter().skip(now.len()) {
        found.add("effect_missing", name, &text(missing), NOTHING);
    }
    for added in now.iter().skip(recorded.len()) {
        found.add("effect_added", name, NOTHING, &text(added));
    }
}

fn of_stored(stored: &StoredEvent) -> Fields<'_> {
    let fields = Fields::of_event(&stored.event);
    // An older Hookgate recorded no tenant, and no allowance beside which it would stand.
    let tenant = stored.allowance.map(|_| stored.tenant.as_ref());
    Fields { event_type: None, time: None, tenant, ..fields }
}

fn of_emission(emission: &Emission) -> Fields<'_> {
    let Emission { subject, money, labels, data, tenant, .. } = emission;
    Fields {
        event_type: None,
        time: None,
        subject: subject.as_deref(),
        money: money.as_ref(),
        labels,
        data,
        tenant: Some(tenant.as_ref()),
    }
}

fn bodies(found: &mut Differences, of: &str, recorded: &Parcel, now: &Parcel) {
    let types = (recorded.content_type.as_str(), now.content_type.as_str());
    found.texts("effect_field", &format!("{of} content_type"), Some(types.0), Some(types.1));
    if recorded.body != now.body {
        let text = |parcel: &Parcel| String::from_utf8_lossy(&parcel.body).into_owned();
        let field = format!("{of} body");
        let before = found.count();
        found.documents("effect_field", &field, &text(recorded), &text(now));
        if found.count() == before {
            // The same JSON, written in another way: whoever verifies a signature gets other bytes.
            found.add("effect_field", &field, &text(recorded), &text(now));
        }
    }
}

fn compare_alerts(found: &mut Differences, recorded: &[Alert], now: &[&Alert]) {
    for number in 0..recorded.len().max(now.len()) {
        let (recorded, now) = (recorded.get(number), now.get(number).copied());
        if recorded != now {
            let field = recorded.or(now).map_or("", |alert| severity(alert.severity));
            let line = |alert: &Alert| format!("{}: {}", severity(alert.severity), alert.message);
            let (recorded, now) = (recorded.map(line), now.map(line));
            found.texts("alert", field, recorded.as_deref(), now.as_deref());
        }
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// What a run did with a key: set it, or deleted it (`None`).
type Write<'v> = Option<&'v Bytes>;

/// What two runs did with a key, in words that tell no value.
fn shown(recorded: Option<Write<'_>>, now: Option<Write<'_>>) -> (&'static str, &'static str) {
    let word = |write: Option<Write<'_>>| match write {
        None => "left as it was",
        Some(None) => "deleted",
        Some(Some(_)) => "set",
    };
    match (recorded, now) {
        (Some(Some(recorded)), Some(Some(now))) if recorded != now => {
            ("set", "set to another value")
        }
        _ => (word(recorded), word(now)),
    }
}

/// Compares the first line of the log that is another one, or is not there.
pub(super) fn logs(found: &mut Differences, recorded: &[LogLine], now: &[LogLine]) {
    let most = recorded.len().max(now.len());
    let mut pairs = (0..most).map(|number| (recorded.get(number), now.get(number)));
    if let Some((recorded, now)) = pairs.find(|(recorded, now)| recorded != now) {
        let field = recorded.or(now).map_or("", |line| level(line.level));
        let text = |line: &LogLine| format!("{}: {}", level(line.level), line.message);
        let (recorded, now) = (recorded.map(text), now.map(text));
        found.texts("log", field, recorded.as_deref(), now.as_deref());
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
