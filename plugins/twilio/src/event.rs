//! Reads the events in a request: a message, a call or a recording in a form, or a stream of events
//! in JSON.
//!
//! Never reads the headers, except for the id of a form.

use std::borrow::Cow;

use hookgate_sdk::{Envelope, Event, Failure, Json, Request, event_type, form, id, labels};

use crate::signed::is_json;

/// The kinds of forms: the field with the id, the field with the status, and the name in the type.
const KINDS: [(&str, &str, &str); 4] = [
    ("RecordingSid", "RecordingStatus", "recording"),
    ("MessageSid", "MessageStatus", "message"),
    ("SmsSid", "SmsStatus", "message"),
    ("CallSid", "CallStatus", "call"),
];

/// Places of the account, in JSON.
const ACCOUNTS: &[&str] = &["/accountSid", "/AccountSid", "/account_sid"];

/// The id of a form's event: Twilio's own, or else one derived from the body. `None` for JSON,
/// whose events have ids of their own.
pub(crate) fn id_of_form(request: &Request) -> Option<String> {
    if is_json(request) {
        return None;
    }
    let own = request.id_header("i-twilio-idempotency-token");
    Some(own.map_or_else(|| id::derived(&[&request.body]), ToOwned::to_owned))
}

pub(crate) fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
    match id_of_form(request) {
        Some(id) => of_form(id, &request.body).map(|event| vec![event]),
        None => of_json(request),
    }
}

fn of_form(id: String, body: &[u8]) -> Result<Event, Failure> {
    let fields = form::parse(body);
    let value = |name: &str| form::value(&fields, name).filter(|value| !value.is_empty());
    if fields.is_empty() {
        return Err(Failure::permanent("the body is an empty form"));
    }
    let found =
        KINDS.iter().find_map(|(id, status, kind)| Some((value(id)?, value(status)?, *kind)));
    let (subject, own) = match found {
        Some((subject, status, kind)) => (Some(subject), Cow::Owned(format!("{kind}.{status}"))),
        None => (value("MessageSid").or_else(|| value("CallSid")), Cow::Borrowed("notification")),
    };
    let country = value("FromCountry").map(ToOwned::to_owned);
    Ok(Event {
        subject: subject.filter(|subject| id::fits(subject)).map(ToOwned::to_owned),
        labels: labels([
            ("country", country),
            ("decline_code", value("ErrorCode").map(ToOwned::to_owned)),
            ("account", value("AccountSid").map(ToOwned::to_owned)),
        ]),
        ..Event::new(id, event_type(None, "twilio", &own), form::to_json(&fields))
    })
}

/// Reads a stream, an array of CloudEvents: `com.twilio.messaging.message.sent`.
fn of_json(request: &Request) -> Result<Vec<Event>, Failure> {
    let body = request.json()?;
    if !body.raw().starts_with('[') {
        let own = body.text("/EventType").or_else(|| body.text("/type"));
        let named = event_type(None, "twilio", own.as_deref().unwrap_or("notification"));
        let account = body.members().first_label(ACCOUNTS);
        return Ok(vec![Event {
            labels: labels([("account", account)]),
            ..Event::new(request.event_id(None), named, body.raw())
        }]);
    }
    Ok(body.items("").into_iter().map(of_stream).collect())
}

/// One event of a stream. A missing member is left out and does not fail the other events.
fn of_stream(written: Json<'_>) -> Event {
    let event = written.members();
    let id = event.name("/id").unwrap_or_else(|| id::derived(&[written.raw().as_bytes()]));
    let named = event.name("/type").unwrap_or_default();
    let own = named.strip_prefix("com.twilio.").unwrap_or(&named);
    let data = event.object("/data");
    let around =
        Envelope::of(&event, &["specversion", "id", "type", "time", "datacontenttype", "data"]);
    Event {
        subject: data.first_name(&["/messageSid", "/callSid", "/resourceSid"]),
        time: event.rfc3339("/time"),
        labels: labels([(
            "account",
            data.first_label(ACCOUNTS).or_else(|| event.first_label(ACCOUNTS)),
        )]),
        ..Event::new(id, event_type(None, "twilio", own), around.around(event.at("/data"), written))
    }
}
