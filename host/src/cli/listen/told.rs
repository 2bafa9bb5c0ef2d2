//! An event as the stream tells it, for whoever signs and posts it.
//!
//! A value. Its data stays the text that came, digit for digit. Never sends anything.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Event, Money, Timestamp};
use crate::ids::Name;
use crate::json_text::JsonText;

/// An event that came.
#[derive(Debug)]
pub(super) struct Told {
    /// `evt_`: under which it goes out each time.
    pub(super) id: String,
    pub(super) recorded_at: Timestamp,
    /// It came before, and somebody replayed it.
    pub(super) is_replay: bool,
    pub(super) event: Event,
}

#[derive(Deserialize)]
struct Streamed<'a> {
    id: String,
    recorded_at: Timestamp,
    #[serde(borrow)]
    event: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    id: String,
    source: Name,
    r#type: String,
    subject: Option<String>,
    time: Timestamp,
    money: Option<Money>,
    labels: BTreeMap<String, String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Told {
    /// Reads what the stream says.
    pub(super) fn read(text: &str, is_replay: bool) -> anyhow::Result<Self> {
        let Streamed { id, recorded_at, event } = serde_json::from_str(text)
            .context("the gateway sent an event that this program can't read")?;
        let event = Event {
            source: event.source,
            id: event.id,
            event_type: event.r#type,
            subject: event.subject,
            time: event.time,
            money: event.money,
            labels: event.labels.into_iter().collect(),
            data: JsonText::new(event.data.get())?,
        };
        Ok(Self { id, recorded_at, is_replay, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_an_event_stays_as_it_came() {
        let text = r#"{"id":"evt_1","recorded_at":"2023-11-14T22:13:20.000Z","state":"done",
            "event":{"id":"ch_1","source":"stripe","type":"payment.failed","subject":null,
            "time":"2023-11-14T22:13:20.000Z","money":{"amount":"1.10","currency":"USD"},
            "labels":{"country":"DE"},"data":{"n": 1.10e2}}}"#;
        let told = Told::read(text, true).unwrap();
        assert_eq!((told.id.as_str(), told.is_replay), ("evt_1", true));
        assert_eq!(told.event.data.as_str(), r#"{"n": 1.10e2}"#);
        assert_eq!(told.event.labels, [("country".to_owned(), "DE".to_owned())]);
        assert!(Told::read(r#"{"id":"evt_1"}"#, false).is_err());
    }
}
