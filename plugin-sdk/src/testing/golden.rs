//! The expected events of a sample, in a file beside it that a person reviewed.
//!
//! The file is JSON. It has an event's data as a pointer into the sample if the data is a part of
//! the sample, and in full otherwise: so the file is short, and a changed value is seen. A test
//! never writes it unless asked to.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::event::Event;
use crate::json::Json;
use crate::time;

/// If this variable is set, tests write the files before they check them.
const WRITE: &str = "HOOKGATE_WRITE_SAMPLES";

/// Checks a sample's events against the file beside it.
///
/// # Panics
///
/// If the events differ from the file, or there is no file.
pub(super) fn check(sample: &Path, body: &[u8], events: &[Event]) {
    let path = sample.with_extension("events.json");
    let seen = written(body, events);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &seen).expect("the events of a sample can be written");
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        seen,
        reviewed,
        "the events of the sample differ from {}; {WRITE}=1 writes that file, for review",
        path.display()
    );
}

fn written(body: &[u8], events: &[Event]) -> String {
    let events: Vec<Value> =
        events.iter().map(|event| Value::Object(summary(body, event))).collect();
    let mut text = serde_json::to_string_pretty(&events).expect("events are JSON");
    text.push('\n');
    text
}

fn summary(body: &[u8], event: &Event) -> Map<String, Value> {
    let mut summary = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        summary.insert(name.to_owned(), value.map_or(Value::Null, Value::String))
    };
    add("id", Some(event.id.clone()));
    add("type", Some(event.type_.clone()));
    add("subject", event.subject.clone());
    add("time", event.time.map(time::to_rfc3339));
    add("money", event.money.as_ref().map(|money| format!("{} {}", money.amount, money.currency)));
    let labels = event.labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    summary.insert("labels".to_owned(), Value::Object(labels.collect()));
    let whole = || serde_json::from_str(&event.data).expect("data is JSON");
    let (object, envelope) = opened(&event.data);
    let data = placed(body, &event.data).or_else(|| placed(body, &object)).unwrap_or_else(whole);
    if data.is_string() && placed(body, &event.data).is_none() {
        summary.insert("envelope".to_owned(), envelope);
    }
    summary.insert("data".to_owned(), data);
    summary
}

/// The object in an event's data, and the envelope in it.
fn opened(data: &str) -> (String, Value) {
    let envelope = Json::parse(data.as_bytes()).ok().and_then(|data| data.at("/envelope"));
    let Some(envelope) = envelope.map(Json::raw) else { return (data.to_owned(), Value::Null) };
    let without = data.strip_suffix(&format!("\"envelope\":{envelope}}}")).unwrap_or_default();
    let object = format!("{}}}", without.strip_suffix(',').unwrap_or(without));
    (object, serde_json::from_str(envelope).expect("an envelope is JSON"))
}

/// The place of the data in the sample, in words for a person who reviews the file.
fn placed(body: &[u8], data: &str) -> Option<Value> {
    let pointer = place(Json::parse(body).ok()?, data, String::new())?;
    Some(if pointer.is_empty() {
        "the sample".into()
    } else {
        format!("the sample at {pointer}").into()
    })
}

/// The pointer to the first value that is written exactly like the data.
fn place(value: Json<'_>, data: &str, pointer: String) -> Option<String> {
    // An object with an envelope has lost the blanks before its last bracket.
    let alike = |raw: &str| {
        let inner = raw.strip_suffix('}').map(str::trim_ascii_end);
        inner.is_some() && inner == data.strip_suffix('}')
    };
    if value.raw() == data || alike(value.raw()) {
        return Some(pointer);
    }
    let members = value.members();
    let named =
        members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value));
    let items = value.items("").into_iter().enumerate();
    let numbered = items.map(|(index, value)| (index.to_string(), value));
    named.chain(numbered).find_map(|(name, value)| place(value, data, format!("{pointer}/{name}")))
}
