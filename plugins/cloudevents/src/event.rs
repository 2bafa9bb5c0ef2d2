//! Events in each content mode.
//!
//! A CloudEvents id is unique only within its own source, and many sources may post here, so the
//! event's id consists of both. If the content type says that the body is an event, headers `ce-*`
//! never count. Any text that is not empty becomes a type; if that changes it, the label `type` has
//! the original. The `source` and the attributes of extensions become labels with their names, but
//! for an attribute `proof`: only the gateway says what a request proved.

use std::borrow::Cow;

use hookgate_sdk::{
    Event, Failure, Json, Members, Refusal, Request, base64, hex, id, json, labels, time, words,
};

/// Attributes that do not become labels: they are in the event or its data, or describe the format.
/// The label `proof` is the gateway's own.
const PLACED: [&str; 10] = [
    "specversion",
    "id",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "data",
    "data_base64",
    "datacontentencoding",
    "proof",
];

/// Most attributes that become labels; the gateway accepts 64.
const LABELS_MAX: usize = 60;
/// Longest name of an attribute that becomes a label.
const NAME_BYTES_MAX: usize = 64;

/// Whether the attributes are headers.
pub(crate) fn is_binary(request: &Request) -> bool {
    let named = |name: &str| name.to_ascii_lowercase().starts_with("ce-");
    !media_type(request).starts_with("application/cloudevents")
        && request.headers.iter().any(|header| named(&header.name))
}

/// The content type without its parameters, in lower case; JSON if there is none.
fn media_type(request: &Request) -> String {
    let content_type = request.header("content-type").unwrap_or("application/json");
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The ids of the events in a request that is not verified yet, without reading the rest. If one
/// can't be read, there are no ids, and [`read`] reports the error. An array of too many events is
/// refused.
pub(crate) fn ids(request: &Request) -> Result<Vec<String>, Refusal> {
    if is_binary(request) {
        let attribute = |name: &str| request.header(&format!("ce-{name}")).map(unescaped);
        return Ok(known_id(attribute("source"), attribute("id")).into_iter().collect());
    }
    let id = |event: &[u8]| {
        let [source, own_id] = json::peek_all(event, ["/source", "/id"]);
        known_id(source, own_id)
    };
    if !request.content().trim_ascii_start().starts_with(b"[") {
        return Ok(id(request.content()).into_iter().collect());
    }
    let events = json::peek_events(&request.body, "")?;
    Ok(events.into_iter().map(id).collect::<Option<_>>().unwrap_or_default())
}

fn known_id(source: Option<Cow<'_, str>>, own_id: Option<Cow<'_, str>>) -> Option<String> {
    let source = source?;
    let own_id = own_id?;
    (!source.is_empty() && !own_id.is_empty()).then(|| event_id(&source, &own_id))
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
    let mut event = event(|name| members.text(&format!("/{name}")))?;
    label(&mut event, written_attributes(&members));
    // Binary data stays base64, in a string.
    let data = members.at("/data").or_else(|| members.at("/data_base64"));
    Ok(Event { data: data.map_or("null", Json::raw).to_owned(), ..event })
}

fn of_headers(request: &Request) -> Result<Event, Failure> {
    let attribute = |name: &str| request.header(&format!("ce-{name}")).map(unescaped);
    let mut event = event(attribute)?;
    let attributes = request.headers.iter().filter_map(|header| {
        let name = header.name.to_ascii_lowercase();
        Some((name.strip_prefix("ce-")?.to_owned(), unescaped(&header.value).into_owned()))
    });
    label(&mut event, attributes);
    let media = media_type(request);
    let data = match str::from_utf8(request.content()) {
        Ok("") => "null".to_owned(),
        _ if media.ends_with("/json") || media.ends_with("+json") => {
            request.json()?.raw().to_owned()
        }
        Ok(text) => json::quoted(text),
        // Binary data becomes base64, as in `data_base64`.
        Err(_) => json::quoted(&base64::encode(&request.body)),
    };
    Ok(Event { data, ..event })
}

/// Decodes an attribute in a header, where characters are percent-encoded.
fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = escaped.and_then(|digits| hex::decode(str::from_utf8(digits).ok()?));
        rest = if byte.is_some() { &after[2..] } else { after };
        bytes.extend(byte.unwrap_or_else(|| vec![*first]));
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The source and the id, joined by `#`. If one of them contains a `#`, the id is derived from both
/// instead, so that two pairs never have the same id.
fn event_id(source: &str, own_id: &str) -> String {
    if source.contains('#') || own_id.contains('#') {
        id::derived(&[source.as_bytes(), own_id.as_bytes()])
    } else {
        id::of(format!("{source}#{own_id}"))
    }
}

/// The event with these attributes, without its data.
fn event<'a>(attribute: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<Event, Failure> {
    let given = |name: &str| attribute(name).filter(|value| !value.is_empty());
    let required = |name: &str| {
        given(name)
            .ok_or_else(|| Failure::permanent(format!("the event has no attribute `{name}`")))
    };
    let version = required("specversion")?;
    if version != "1.0" {
        return Err(Failure::permanent(format!("`specversion` is `{version}`, not 1.0")));
    }
    let own_id = required("id")?;
    let source = required("source")?;
    let own = required("type")?;
    let event_type = words(&own);
    let changed = (event_type != own).then(|| own.into_owned());
    let id = event_id(&source, &own_id);
    Ok(Event {
        subject: given("subject").filter(|subject| id::fits(subject)).map(Cow::into_owned),
        time: given("time").and_then(|text| time::from_rfc3339(&text)),
        labels: labels([("type", changed)]),
        ..Event::new(id, event_type, "null")
    })
}

/// The attributes in a body: strings, numbers and booleans.
fn written_attributes<'a>(members: &'a Members<'_>) -> impl Iterator<Item = (String, String)> + 'a {
    let value = |value: Json<'_>| match value.raw() {
        known @ ("true" | "false") => Some(known.to_owned()),
        _ => value.scalar("").map(Cow::into_owned),
    };
    members.iter().filter_map(move |(name, written)| Some((name.to_owned(), value(written)?)))
}

/// Makes labels of the attributes that have no other place. An attribute whose name can't be that
/// of a label is left out.
fn label(event: &mut Event, attributes: impl Iterator<Item = (String, String)>) {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    let fits = |name: &str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(known)
            && !PLACED.contains(&name)
    };
    for (name, value) in attributes {
        if fits(&name) && event.labels.len() < LABELS_MAX && event.label(&name).is_none() {
            event.labels.extend(labels([(name.as_str(), Some(value))]));
        }
    }
}
