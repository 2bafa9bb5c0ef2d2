//! The body of a delivery: the event in the endpoint's format.
//!
//! Pure: made from the event, or from the receipt that it came in by. The event's data goes out as
//! the very text that came in, so that no number loses a digit. Nothing here signs or sends.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::endpoint::Format;
use crate::event::{Event, Request, Timestamp};

/// A body and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// Fit for a header.
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

const JSON: &str = "application/json";

/// What stands around the data takes about as much.
const ENVELOPE_BYTES: usize = 256;

/// The content of a delivery. `receipt` is the request that the event came in by, if there is one.
pub(crate) fn content(format: Format, event: &Event, receipt: Option<&Request>) -> Content {
    let (content_type, body) = match (format, receipt) {
        (Format::Standard, _) => (JSON.to_owned(), json(event, &Standard::new(event))),
        (Format::CloudEvents, _) => {
            let content_type = "application/cloudevents+json".to_owned();
            (content_type, json(event, &CloudEvent::new(event)))
        }
        (Format::Raw, Some(receipt)) => (content_type_of(receipt), receipt.body.clone()),
        (Format::Raw, None) => (JSON.to_owned(), event.data.as_str().to_owned().into()),
    };
    Content { content_type, body }
}

/// The body that an event is in, written to where there is room for its data.
fn json(event: &Event, body: &impl Serialize) -> Bytes {
    let mut text = Vec::with_capacity(ENVELOPE_BYTES + event.data.as_raw().get().len());
    serde_json::to_writer(&mut text, body).expect("texts and JSON always serialise");
    text.into()
}

/// What the sender called it, unless that can't be sent on.
fn content_type_of(receipt: &Request) -> String {
    let sendable = |text: &&str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let known = receipt.header("content-type").filter(sendable);
    known.unwrap_or("application/octet-stream").to_owned()
}

#[derive(Serialize)]
struct Standard<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: &'a RawValue,
}

impl<'a> Standard<'a> {
    fn new(event: &'a Event) -> Self {
        Self { r#type: &event.event_type, timestamp: event.time, data: event.data.as_raw() }
    }
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    data: &'a RawValue,
}

impl<'a> CloudEvent<'a> {
    fn new(event: &'a Event) -> Self {
        Self {
            specversion: "1.0",
            id: &event.id,
            source: event.source.as_str(),
            r#type: &event.event_type,
            // CloudEvents knows no empty subject.
            subject: event.subject.as_deref().filter(|subject| !subject.is_empty()),
            time: event.time,
            datacontenttype: JSON,
            amount: event.money.as_ref().map(|money| money.amount.as_str()),
            currency: event.money.as_ref().map(|money| money.currency.as_str()),
            data: event.data.as_raw(),
        }
    }
}

#[cfg(test)]
mod tests;
