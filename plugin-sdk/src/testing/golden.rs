//! What a sample's events must be, in a file beside it that a person reviewed.
//!
//! The file is JSON. An event's data is written as the pointer to where it lies in the sample, whole
//! only where it is not a part of it: so a file is short, and data that was changed shows.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::event::Event;
use crate::json::Json;
use crate::time;

/// Set, it writes the files instead of checking them.
const WRITE: &str = "HOOKGATE_WRITE_SAMPLES";

/// Checks a sample's events against the file beside it.
///
/// # Panics
///
/// If they are not what the file says, or there is no file.
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
        "{} is not what the sample means now; {WRITE}=1 writes it, for review",
        path.display()
    );
}

fn written(body: &[u8], events: &[Event]) -> String {
    let events: Vec<Value> = events.iter().map(|event| Value::Object(told(body, event))).collect();
    let mut text = serde_json::to_string_pretty(&events).expect("events are JSON");
    text.push('\n');
    text
}

fn told(body: &[u8], event: &Event) -> Map<String, Value> {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Option<String>| {
        told.insert(name.to_owned(), value.map_or(Value::Null, Value::String))
    };
    tell("id", Some(event.id.clone()));
    tell("type", Some(event.type_.clone()));
    tell("subject", event.subject.clone());
    tell("time", event.time.map(time::to_rfc3339));
    tell("money", event.money.as_ref().map(|money| format!("{} {}", money.amount, money.currency)));
    let labels = event.labels.iter().map(|(name, value)| (name.clone(), value.clone().into()));
    told.insert("labels".to_owned(), Value::Object(labels.collect()));
    let place = Json::parse(body).ok().and_then(|body| place(body, &event.data, String::new()));
    let data = match place {
        Some(pointer) if pointer.is_empty() => "the sample".into(),
        Some(pointer) => format!("the sample at {pointer}").into(),
        None => serde_json::from_str(&event.data).expect("data is JSON"),
    };
    told.insert("data".to_owned(), data);
    told
}

/// The pointer to the first value that is written like this.
fn place(value: Json<'_>, data: &str, pointer: String) -> Option<String> {
    if value.raw() == data {
        return Some(pointer);
    }
    let members = value.members();
    let named =
        members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value));
    let items = value.items("").into_iter().enumerate();
    let numbered = items.map(|(index, value)| (index.to_string(), value));
    named.chain(numbered).find_map(|(name, value)| place(value, data, format!("{pointer}/{name}")))
}
