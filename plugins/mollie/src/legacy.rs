//! A legacy call: the form `id=tr_..`.
//!
//! Mollie sends the same call for every change of a payment and for every retry, and nothing tells
//! the two apart. So each call is an event of its own, and a change is never lost. A receiver may
//! fetch an object from Mollie twice.

use hookgate_sdk::{Event, Request, form, id};

/// The event of a call; `None` if the request is not a legacy call.
pub(crate) fn event(request: &Request) -> Option<Event> {
    if !request.content().starts_with(b"id=") {
        return None;
    }
    let fields = form::parse(&request.body);
    let id = form::value(&fields, "id").filter(|id| id::fits(id))?;
    let object = match id.split_once('_').map(|(kind, _)| kind) {
        Some("tr") => "payment",
        Some("ord") => "order",
        Some("pl") => "payment-link",
        Some("sub") => "subscription",
        Some("re") => "refund",
        _ => "object",
    };
    Some(Event {
        subject: Some(id.to_owned()),
        ..Event::new(
            id::of(format!("{id}:{}", request.received_at)),
            format!("mollie.{object}.changed"),
            form::to_json(&fields),
        )
    })
}
