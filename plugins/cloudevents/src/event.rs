//! Events in each content mode.
//!
//! An id is unique within the event's own source only, and many may post here, so both make the id.

use std::borrow::Cow;

use hookgate_sdk::{Event, Failure, Json, Request, id, is_event_type, json, time};

/// Whether the attributes are headers.
pub(crate) fn is_binary(request: &Request) -> bool {
    request.headers.iter().any(|header| header.name.to_ascii_lowercase().starts_with("ce-"))
}

/// The events in the request.
pub(crate) fn read(request: &Request) -> Result<Vec<Event>, Failure> {
    if is_binary(request) {
        return of_headers(request).map(|event| vec![event]);
    }
    let body = request.json()?;
    if body.raw().starts_with('[') {
        return body.items("").into_iter().map(structured).collect();
    }
    structured(body).map(|event| vec![event])
}

fn structured(written: Json<'_>) -> Result<Event, Failure> {
    let members = written.members();
    let event = event(|name| members.text(&format!("/{name}")))?;
    // Bytes that are no JSON stay in base64, as a text.
    let data = members.at("/data").or_else(|| members.at("/data_base64"));
    Ok(Event { data: data.map_or("null", Json::raw).to_owned(), ..event })
}

fn of_headers(request: &Request) -> Result<Event, Failure> {
    let attribute = |name: &str| request.header(&format!("ce-{name}")).map(Cow::Borrowed);
    let event = event(attribute)?;
    let content_type = request.header("content-type").unwrap_or("application/json");
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let data = if media.ends_with("/json") || media.ends_with("+json") {
        request.json()?.raw().to_owned()
    } else {
        json::quoted(&String::from_utf8_lossy(&request.body))
    };
    Ok(Event { data, ..event })
}

/// The event of these attributes, still without data.
fn event<'a>(attribute: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<Event, Failure> {
    let given = |name: &str| attribute(name).filter(|value| !value.is_empty());
    let required = |name: &str| {
        given(name).ok_or_else(|| Failure::permanent(format!("event has no attribute `{name}`")))
    };
    let version = required("specversion")?;
    if version != "1.0" {
        return Err(Failure::permanent(format!("CloudEvents {version} is not known")));
    }
    let (own_id, source, own) = (required("id")?, required("source")?, required("type")?);
    if !is_event_type(&own) {
        return Err(Failure::permanent(format!("`{own}` can't be an event type")));
    }
    Ok(Event {
        subject: given("subject").filter(|subject| id::fits(subject)).map(Cow::into_owned),
        time: given("time").and_then(|text| time::from_rfc3339(&text)),
        ..Event::new(id::of(format!("{source}#{own_id}")), own, "null")
    })
}
