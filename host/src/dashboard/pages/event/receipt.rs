//! A receipt: the beginning of a story, and a page of its own for what brought no event.
//!
//! Reads `/v1/receipts/{id}`, which leaves credentials out. A body that is long is cut, and whole
//! in a download. Never the raw request.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use serde::de::IgnoredAny;

use super::run::{self, Tried};
use super::story::{Act, Step, Teller, Trouble};
use super::view::Receipt;
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup, Mood};
use crate::dashboard::page::{download, page};
use crate::dashboard::{Dashboard, Failed, Visitor, figure, highlight, link};

/// Most bytes of a body that are shown laid out, and as it came.
const BODY_BYTES_MAX: usize = 64 << 10;
const RAW_BYTES_MAX: usize = 16 << 10;
/// Most headers, and bytes of one.
const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 512;
/// Most bytes of the path and query.
const URL_BYTES_MAX: usize = 256;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/receipts/{id}", get(show)).route("/receipts/{id}/body", get(body))
}

/// What was sent: headers and body.
pub(super) struct Sent {
    pub(super) size: String,
    /// Laid out, if it is JSON; else as it came.
    pub(super) shown: Option<Markup>,
    /// As it came, if it is laid out beside.
    pub(super) raw: Option<Markup>,
    /// Why there is nothing to see.
    pub(super) absent: Option<&'static str>,
    /// Where all of it is.
    pub(super) whole: Option<String>,
    pub(super) headers: Vec<Header>,
    pub(super) headers_said: String,
}

/// A header as it is shown.
pub(super) struct Header {
    pub(super) name: Markup,
    pub(super) value: Markup,
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    frame: Frame,
    id: String,
    source: String,
    state: Markup,
    at: Markup,
    is_live: bool,
    back: String,
    troubles: Vec<Trouble>,
    steps: Vec<Step>,
    sent: Option<Sent>,
}

async fn show(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let receipt: Receipt = visitor.get(&link::below("/v1/receipts", &id)).await?;
    let teller = Teller::of(&visitor, receipt.received_at);
    let mut steps = Vec::new();
    self::steps(&teller, &receipt, &mut steps);
    Ok(page(&ReceiptPage {
        frame: visitor.frame(Section::Events, format!("Receipt {}", receipt.id)),
        state: markup::state(&receipt.state),
        at: markup::when(teller.now, receipt.received_at),
        is_live: receipt.state == "pending",
        back: link::below("/receipts", &receipt.id),
        troubles: trouble(&receipt).into_iter().collect(),
        steps,
        sent: Some(Sent::of(&receipt)),
        id: receipt.id,
        source: receipt.source,
    }))
}

async fn body(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failed> {
    let receipt: Receipt = visitor.get(&link::below("/v1/receipts", &id)).await?;
    // What is not text is given as the API gives it: in base64.
    let kind = if receipt.body.is_some() { "txt" } else { "base64" };
    let body = receipt.body.or(receipt.body_base64).ok_or_else(Failed::no_such_page)?;
    Ok(download(&format!("{}.{kind}", receipt.id), body))
}

/// The steps from the request to what its parse brought.
pub(super) fn steps(teller: &Teller, receipt: &Receipt, story: &mut Vec<Step>) {
    let mut step = teller.step(receipt.received_at, Mood::Info, markup::text("Received"));
    let size = size(receipt).map(|bytes| format!(", {}", figure::bytes(bytes)));
    let said = [
        markup::text(&format!("{} ", receipt.method)),
        markup::long(&receipt.url, URL_BYTES_MAX),
        markup::text(&format!("{}, to the source ", size.unwrap_or_default())),
        markup::link(&link::below("/sources", &receipt.source), &receipt.source),
        markup::text(", as "),
        markup::code_link(&link::below("/receipts", &receipt.id), &receipt.id),
    ];
    step.lines.push(markup::joined(said));
    story.push(step);

    story.push(stored(teller, receipt));

    let tried = Tried {
        verb: "Parsed by",
        name: &receipt.source,
        id: &receipt.id,
        tries: &receipt.tries,
        is_damaged: receipt.damaged_at.is_some(),
    };
    let mut parses = run::tried_steps(teller, &tried);
    if receipt.state == "pending" {
        parses.push(teller.waiting(markup::text("Waiting for its parse"), receipt.retry_at));
    }
    if let Some(last) = parses.last_mut() {
        if receipt.events.is_empty() && receipt.state == "done" {
            last.say("The request has no event in it.");
        }
        last.acts.extend(again(teller, receipt));
    }
    story.append(&mut parses);
}

/// What the request proved before it was stored.
fn stored(teller: &Teller, receipt: &Receipt) -> Step {
    let by = receipt.claimed_by.as_ref().map_or_else(String::new, |plugin| {
        format!(" from what {} {} read of it", plugin.name, plugin.version)
    });
    let verified = format!("The gateway verified the request{by}");
    let (mood, title, said) = match receipt.proof.as_deref() {
        Some("none") => {
            let said = "The gateway verified nothing: the source accepts what proves nothing.";
            (Mood::Warn, "Stored without a proof", said.to_owned())
        }
        Some("weak") => {
            let said = format!("{verified}. Its proof is weak: who overhears it can forge others.");
            (Mood::Warn, "Proven and stored", said)
        }
        Some("unbound") => {
            let said = format!("{verified}. Its proof does not cover all that is read of it.");
            (Mood::Warn, "Proven and stored", said)
        }
        Some(_) => (Mood::Ok, "Proven and stored", format!("{verified}.")),
        None => {
            let said = "An earlier Hookgate stored it and did not note what it proved.";
            (Mood::Ok, "Stored", said.to_owned())
        }
    };
    let mut step = teller.step(receipt.received_at, mood, markup::text(title));
    step.say(&said);
    step.say("The gateway synced it to the disk, and answered then.");
    step
}

/// What is wrong with the parse, if something is.
pub(super) fn trouble(receipt: &Receipt) -> Option<Trouble> {
    let last = receipt.tries.last().filter(|last| last.outcome != "success")?;
    let class = if receipt.state == "dead" { "bad" } else { "warn" };
    let reason = last.reason.as_deref().unwrap_or("it failed").replace('_', " ");
    let next = match class {
        "bad" => "Once its plugin is mended, parse it again.",
        _ => "The gateway tries it again.",
    };
    let said = format!("The parse of the request failed: {reason}. {next}");
    Some(Trouble { class, said: markup::text(&said) })
}

fn again(teller: &Teller, receipt: &Receipt) -> Option<Act> {
    let action = format!("{}/replay", link::below("/receipts", &receipt.id));
    teller.may_replay.then_some(Act { action, label: "Parse again", is_page: false })
}

/// The bytes of the body, if it is kept.
fn size(receipt: &Receipt) -> Option<u64> {
    let of_base64 = |text: &String| {
        let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
        (text.len() / 4 * 3).saturating_sub(padding)
    };
    let text = receipt.body.as_ref().map(String::len);
    text.or(receipt.body_base64.as_ref().map(of_base64)).map(|bytes| bytes as u64)
}

impl Sent {
    /// What a receipt keeps of it.
    pub(super) fn of(receipt: &Receipt) -> Self {
        let text = receipt.body.as_deref().filter(|text| !text.is_empty());
        let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        let shown = text.map(|text| match is_json {
            true => highlight::json(text, BODY_BYTES_MAX),
            false => markup::long(text, BODY_BYTES_MAX),
        });
        let raw = text.filter(|_| is_json).map(|text| markup::long(text, RAW_BYTES_MAX));
        let absent = match (receipt.body_expired, &shown, &receipt.body_base64) {
            (true, ..) => {
                Some("Body and headers were kept as long as they are to be, and are gone.")
            }
            (_, None, Some(_)) => {
                Some("The body is not text: only the download has it, in base64.")
            }
            (_, None, None) => Some("The request had no body."),
            _ => None,
        };
        let is_there = text.is_some() || receipt.body_base64.is_some();
        let headers = receipt.headers.iter().take(HEADERS_MAX).map(|(name, value)| Header {
            name: markup::long(name, HEADER_BYTES_MAX),
            value: markup::long(value, HEADER_BYTES_MAX),
        });
        let many = figure::counted(receipt.headers.len() as u64, "header", "headers");
        Self {
            size: size(receipt).map(figure::bytes).unwrap_or_default(),
            shown,
            raw,
            absent,
            whole: is_there.then(|| format!("{}/body", link::below("/receipts", &receipt.id))),
            headers: headers.collect(),
            headers_said: match receipt.headers.len() > HEADERS_MAX {
                true => format!("The first {HEADERS_MAX} of {many}"),
                false => many,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::Timestamp;

    fn receipt(changed: &Value) -> Receipt {
        let mut receipt = json!({
            "id": "rcp_1", "source": "stripe", "received_at": "2026-11-28T17:42:08.214Z",
            "method": "POST", "url": "/in/stripe", "headers": [["a", "<b>"]], "state": "done",
            "tries_made": 1, "retry_at": null, "tries": [], "events": [],
        });
        for (name, value) in changed.as_object().unwrap() {
            receipt[name] = value.clone();
        }
        serde_json::from_value(receipt).unwrap()
    }

    /// Guards each arm of [`stored`]: nobody is told of a proof that there was not.
    #[test]
    fn what_a_request_proved_is_said_as_it_was() {
        let begin = Timestamp(1_700_000_000_000);
        let (may_replay, may_write, sees_state) = (false, false, false);
        let teller = Teller { now: begin, begin, may_replay, may_write, sees_state, most: 1 };
        let told = |proof: Option<&str>| {
            let step = stored(&teller, &receipt(&json!({ "proof": proof })));
            (step.dot, format!("{}: {}", step.title.0, step.lines[0].0))
        };
        let bound = "Proven and stored: The gateway verified the request.".to_owned();
        assert_eq!(told(Some("bound")), ("", bound));
        for (proof, part) in [("none", "verified nothing"), ("weak", "weak"), ("unbound", "cover")]
        {
            let (dot, said) = told(Some(proof));
            assert!(dot == "warn" && said.contains(part), "{said}");
        }
        let (_, unknown) = told(None);
        assert!(!unknown.contains("Proven") && !unknown.contains("verified"), "{unknown}");
    }

    /// Guards each arm of `absent`, and that what is no text is only a download.
    #[test]
    fn a_body_that_is_not_shown_says_why() {
        let sent = |changed| Sent::of(&receipt(&changed));
        let gone = sent(json!({ "body_expired": true }));
        assert!(gone.absent.unwrap().contains("are gone") && gone.whole.is_none());
        let binary = sent(json!({ "body_base64": "AAEC/w==" }));
        assert!(binary.absent.unwrap().contains("base64") && binary.shown.is_none());
        assert_eq!((binary.size.as_str(), binary.whole.is_some()), ("4 bytes", true));
        let empty = sent(json!({ "body": "" }));
        assert!(empty.absent.unwrap().contains("no body") && empty.whole.is_none());
        let shown = sent(json!({ "body": "{\"a\":1}" }));
        assert!(shown.absent.is_none() && shown.raw.is_some());
    }

    /// Guards the cuts of a body, laid out and as it came.
    #[test]
    fn a_long_body_is_cut() {
        let text = "x".repeat(1 << 20);
        let Sent { shown, raw, .. } = Sent::of(&receipt(&json!({ "body": text })));
        assert!(raw.is_none() && shown.unwrap().0.len() < BODY_BYTES_MAX + 100);
        let text = format!("[\"{text}\"]");
        let Sent { shown, raw, .. } = Sent::of(&receipt(&json!({ "body": text })));
        let (shown, raw) = (shown.unwrap().0, raw.unwrap().0);
        assert!(shown.len() < 8_192 && raw.len() < RAW_BYTES_MAX + 100);
    }
}
