//! The gateway's checks of what a plugin returns: its description, its claims, its events and its
//! effects.
//!
//! They have the gateway's words and its order, so that a test shows what the operator would read.
//! They never correct a value.

mod answer;
#[cfg(feature = "testing")]
mod claims;
mod description;
mod message;
mod setting;

use serde_json::value::RawValue;

#[cfg(feature = "testing")]
pub(crate) use self::claims::claims;
pub(crate) use self::description::{handler, provider};

use crate::event::{Event, is_event_type};
use crate::json::{InvalidJson, Json};
use crate::limits;
use crate::money::Money;
use crate::outbox::Emission;
use crate::time;

/// What the types of the gateway's own events begin with.
const OWN_TYPES: &str = "hookgate.";
/// The type of the event that an alert becomes: the one of these that a plugin may use too.
pub(crate) const ALERT_TYPE: &str = "hookgate.alert";

/// Checks the events that a provider returns for a request whose body has this many bytes.
#[cfg(feature = "testing")]
pub(crate) fn events(events: &[Event], body_bytes: usize) -> Result<(), String> {
    at_most("events", events.len(), limits::EVENTS_MAX)?;
    let most = limits::YIELD_BYTES_MAX + body_bytes;
    let size = |event: &Event| {
        event.id.len() + event.type_.len() + event.data.len() + labels_bytes(&event.labels)
    };
    let bytes: usize = events.iter().map(size).sum();
    if bytes > most {
        return Err(format!("`events` have {bytes} bytes; the limit is {most}"));
    }
    let is_proof = |(name, _): &(String, String)| name == "proof";
    if events.iter().any(|event| event.labels.iter().any(is_proof)) {
        return Err("`event.labels` has `proof`, which the gateway sets itself".to_owned());
    }
    events.iter().try_for_each(handled)
}

/// Checks an event as a handler gets it.
pub(crate) fn handled(event: &Event) -> Result<(), String> {
    text("event.id", &event.id, limits::ID_BYTES_MAX)?;
    named("event", &event.type_, event.subject.as_deref())?;
    if let Some(time) = event.time.filter(|time| *time > time::MAX) {
        return Err(format!("`event.time` is {time}, which is after the year 9999"));
    }
    described("event", event.money.as_ref(), &event.labels)?;
    json("event.data", &event.data)
}

/// Checks an event that a handler adds, which declares these types.
pub(crate) fn emission(event: &Emission, declared: Option<&[String]>) -> Result<(), String> {
    named("emission", &event.type_, event.subject.as_deref())?;
    described("emission", event.money.as_ref(), &event.labels)?;
    json("emission.data", &event.data)?;
    let is_of = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => event.type_.starts_with(beginning),
        None => event.type_ == *pattern,
    };
    if declared.is_none_or(|declared| declared.iter().any(is_of)) {
        Ok(())
    } else {
        Err(format!("`emission.type` is `{}`, which `emits` does not declare", event.type_))
    }
}

/// The bytes that an event counts for among the effects of a run.
pub(crate) fn emission_bytes(event: &Emission) -> usize {
    let money = event.money.as_ref().map_or(0, |it| it.amount.len() + it.currency.len());
    let subject = event.subject.as_ref().map_or(0, String::len);
    event.type_.len() + subject + money + labels_bytes(&event.labels) + event.data.len()
}

fn labels_bytes(labels: &[(String, String)]) -> usize {
    labels.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Checks a content type, so that it can stand in a header.
pub(crate) fn content_type(field: &str, value: &str) -> Result<(), String> {
    text(field, value, limits::CONTENT_TYPE_BYTES_MAX)?;
    if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(format!("`{field}` has characters that a header can't have"))
    }
}

/// Checks what an event is and what it is about.
fn named(of: &str, event_type: &str, subject: Option<&str>) -> Result<(), String> {
    if !is_event_type(event_type) {
        let shown = shortened(event_type, limits::TYPE_BYTES_MAX);
        return Err(format!("`{of}.type` is `{shown}`, not an event type such as payment.failed"));
    }
    if event_type.starts_with(OWN_TYPES) && event_type != ALERT_TYPE {
        return Err(format!("`{of}.type` is `{event_type}`, a type of the gateway's own events"));
    }
    let fits = |subject| text(&format!("{of}.subject"), subject, limits::SUBJECT_BYTES_MAX);
    subject.map_or(Ok(()), fits)
}

/// Checks how much it is about, and its labels.
fn described(of: &str, amount: Option<&Money>, labels: &[(String, String)]) -> Result<(), String> {
    amount
        .map_or(Ok(()), money)
        .map_err(|reason| format!("`{of}.money` {}", shortened(&reason, limits::TEXT_BYTES_MAX)))?;
    self::labels(&format!("{of}.labels"), labels)
}

fn at_most(field: &str, count: usize, most: usize) -> Result<(), String> {
    if count <= most {
        Ok(())
    } else {
        Err(format!("`{field}` has {count} items; the limit is {most}"))
    }
}

fn text(field: &str, text: &str, most: usize) -> Result<(), String> {
    if (1..=most).contains(&text.len()) {
        Ok(())
    } else {
        Err(format!("`{field}` has {} bytes, not 1 to {most}", text.len()))
    }
}

/// Checks a text that people see in a terminal.
fn line(field: &str, line: &str, most: usize) -> Result<(), String> {
    text(field, line, most)?;
    if line.chars().any(char::is_control) {
        Err(format!("`{field}` has control characters"))
    } else {
        Ok(())
    }
}

fn money(Money { amount, currency }: &Money) -> Result<(), String> {
    let number = amount.strip_prefix('-').unwrap_or(amount);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, limits::WHOLE_DIGITS_MAX) || !digits(decimals, limits::DECIMALS_MAX) {
        return Err(format!("amount `{amount}` is not a decimal number"));
    }
    let symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !(2..=12).contains(&currency.len()) || !currency.bytes().all(symbol) {
        return Err(format!("currency `{currency}` is not a code such as USD"));
    }
    Ok(())
}

fn labels(field: &str, labels: &[(String, String)]) -> Result<(), String> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    for (name, value) in labels {
        let fits = (1..=limits::LABEL_NAME_BYTES_MAX).contains(&name.len());
        if !fits || !name.bytes().all(known) {
            let shown = shortened(name, limits::LABEL_NAME_BYTES_MAX);
            return Err(format!("`{field}` has the name `{shown}`, not 1 to 64 of a-z 0-9 _ - ."));
        }
        if value.len() > limits::LABEL_VALUE_BYTES_MAX {
            return Err(format!("`{field}` has more than 1024 bytes under `{name}`"));
        }
    }
    at_most(field, labels.len(), limits::LABELS_MAX)
}

fn json(field: &str, text: &str) -> Result<(), String> {
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        return Err(format!("`{field}` is not JSON: {error}"));
    }
    match Json::parse(text.as_bytes()) {
        Err(InvalidJson::TooDeep(_)) => {
            Err(format!("`{field}` is nested more than {} levels deep", limits::JSON_DEPTH_MAX))
        }
        _ => Ok(()),
    }
}

/// A text as the gateway shows it: without control characters, and cut to `most` bytes.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for char in text.chars() {
        let length = shown.len();
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
        if shown.len() > most {
            shown.truncate(length);
            break;
        }
    }
    shown
}
