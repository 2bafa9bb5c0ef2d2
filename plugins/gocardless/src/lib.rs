//! GoCardless: an HMAC over a body with a list of events, which may be empty.
//!
//! An event has the ids of its objects and never an amount; the receiver fetches that from the API.
//! GoCardless expects the status 498 for an invalid signature. `canonical` maps events to canonical
//! types.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Json, Members, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, id, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct GoCardless;

const SIGNATURE: HeaderMac = HeaderMac::hex("webhook-signature");

impl Provider for GoCardless {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("gocardless", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `Webhook-Signature`")
            .refusing_with(498)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let events = json::peek_events(&request.body, "/events")?;
        let ids = events.into_iter().map(|event| json::peek(event, "/id"));
        SIGNATURE.claim(request, ids.collect::<Option<Vec<_>>>().unwrap_or_default())
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        if !body.at("/events").is_some_and(|events| events.raw().starts_with('[')) {
            return Err(Failure::permanent("the body has no list `events`"));
        }
        Ok(body.items("/events").into_iter().map(event).collect())
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// One event of the list. A missing member is left out and does not fail the other events.
fn event(written: Json<'_>) -> Event {
    let event = written.members();
    let id = event.name("/id").unwrap_or_else(|| id::derived(&[written.raw().as_bytes()]));
    let named = |pointer: &str| event.name(pointer).unwrap_or_default();
    let resource = named("/resource_type");
    let action = named("/action");
    let canonical = canonical::event_type(&resource, &action);
    let failed = matches!(
        &*action,
        "failed" | "charged_back" | "bounced" | "late_failure_settled" | "customer_approval_denied"
    );
    Event {
        subject: subject(&event, &resource),
        time: event.rfc3339("/created_at"),
        labels: labels([
            ("method", event.word("/details/scheme")),
            ("decline_code", failed.then(|| event.name("/details/cause")).flatten()),
            ("account", event.first_label(&["/links/organisation", "/links/creditor"])),
            ("reference", event.custom("/resource_metadata").or_else(|| event.custom("/metadata"))),
        ]),
        ..Event::new(
            id,
            event_type(canonical.as_deref(), "gocardless", &format!("{resource}.{action}")),
            written.raw(),
        )
    }
}

/// The subject of a refund is its payment, so that everything about a payment has one subject. Any
/// other event has the object that it is named after: the `mandate` of `mandates`.
fn subject(event: &Members<'_>, resource: &str) -> Option<String> {
    let has_payment = matches!(resource, "payments" | "refunds");
    let payment = has_payment.then(|| event.name("/links/payment")).flatten();
    let own = || event.name(&format!("/links/{}", resource.strip_suffix('s').unwrap_or(resource)));
    payment.or_else(own)
}

hookgate_sdk::export!(provider: GoCardless);
