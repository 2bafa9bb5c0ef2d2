//! Xendit: the callback token, sent along; newer events in an envelope, and the invoice callback.
//!
//! The token binds nothing of the body: who has seen one request can send any. It is all there is, so
//! confirm what moves money over the API. The header `webhook-id` tells retries from news. Amounts are
//! JSON numbers in major units.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderToken, Json, Members, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, id, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Xendit;

const TOKEN: HeaderToken = HeaderToken::new("x-callback-token");

impl Provider for Xendit {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("xendit", version, canonical::TYPES, &[ProofKind::Token])
            .with_scheme("the callback token, `x-callback-token`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        Ok(Claims::new(TOKEN.evidence(request)?, [event_id(request)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let event = match envelope.name("/event") {
            Some(own) => newer(body, &envelope, &own)?,
            None => invoice(body, &envelope)?,
        };
        Ok(vec![Event { id: event_id(request), ..event }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        TOKEN.sign(request, digests)
    }
}

/// Xendit's own, else what a retry repeats.
fn event_id(request: &Request) -> String {
    let own = request.id_header("webhook-id");
    own.map_or_else(|| id::derived(&[&request.body]), ToOwned::to_owned)
}

fn newer(body: Json<'_>, envelope: &Members<'_>, own: &str) -> Result<Event, Failure> {
    let object = envelope.object("/data");
    let canonical = canonical::event_type(own, &object.word("/status").unwrap_or_default());
    let method = object.word("/payment_method/type").or_else(|| object.word("/channel_code"));
    let network = object.word("/payment_method/card/card_information/network");
    let data = envelope.at("/data").unwrap_or(body);
    Ok(Event {
        // The request that a payment, its captures and its refunds belong to.
        subject: object.name("/payment_request_id").or_else(|| object.name("/id")),
        time: envelope.rfc3339("/created").or_else(|| object.rfc3339("/updated")),
        money: object.major("/amount", "/currency")?,
        labels: labels([
            ("country", object.name("/country")),
            ("method", method),
            ("card_brand", network),
            ("decline_code", object.name("/failure_code")),
        ]),
        ..Event::new("", event_type(canonical, "xendit", own)?, data.raw())
    })
}

/// The callback of an invoice has no name, only a status.
fn invoice(body: Json<'_>, object: &Members<'_>) -> Result<Event, Failure> {
    let status = object.required("/status")?.to_lowercase();
    let own = format!("invoice.{status}");
    let canonical = matches!(&*status, "paid" | "settled").then_some("invoice.paid");
    let paid = object.major("/paid_amount", "/currency")?;
    let happened = object.rfc3339("/paid_at").or_else(|| object.rfc3339("/updated"));
    Ok(Event {
        subject: object.name("/id"),
        time: happened.or_else(|| object.rfc3339("/created")),
        money: if paid.is_some() { paid } else { object.major("/amount", "/currency")? },
        labels: labels([("method", object.word("/payment_method"))]),
        ..Event::new("", event_type(canonical, "xendit", &own)?, body.raw())
    })
}

hookgate_sdk::export!(provider: Xendit);
