//! Xendit: the callback token, sent along, for events with a name and older callbacks without one.
//!
//! The token proves nothing about the body: whoever has seen one request can send any other. Xendit
//! offers no other proof, so confirm an event over its API before money moves. Amounts are JSON
//! numbers in major units. `canonical` maps events to canonical types; `unnamed` reads callbacks
//! without a name.

mod canonical;
mod unnamed;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderToken, Json, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, id, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Xendit;

const TOKEN: HeaderToken = HeaderToken::new("x-callback-token");
/// The header that detects retries. Without it the id of a named event is derived from the name and
/// the object, and not from the envelope, which has the sending time.
const EVENT_ID: &str = "webhook-id";

/// Places of the subject: first the payment request or the charge, which a payment, its captures
/// and its refunds share.
const SUBJECTS: [&str; 7] = [
    "/payment_request_id",
    "/charge_id",
    "/payment_id",
    "/id",
    "/payout_id",
    "/payment_session_id",
    "/payment_token_id",
];

/// Places of the business, or in older callbacks of its user.
pub(crate) const ACCOUNTS: &[&str] = &["/business_id", "/user_id", "/owner_id"];
/// Places of the merchant's own reference.
pub(crate) const REFERENCES: &[&str] =
    &["/reference_id", "/external_id", "/qr_code/external_id", "/payment_detail/reference_id"];

/// Places of an amount and its currency: in version 3 of payments the requested amount, in wallets
/// the captured one, in a dispute the initial one, in version 3 of payouts the amount that arrives.
const AMOUNTS: [(&str, &str); 6] = [
    ("/amount", "/currency"),
    ("/request_amount", "/currency"),
    ("/capture_amount", "/currency"),
    ("/charge_amount", "/currency"),
    ("/amount/initial", "/currency"),
    ("/destination_amount", "/destination_currency"),
];

impl Provider for Xendit {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("xendit", version, canonical::TYPES, &[ProofKind::Token])
            .with_scheme("the callback token, `x-callback-token`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        Ok(Claims::new(TOKEN.evidence(request)?, request.id_header(EVENT_ID)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let event = match envelope.name("/event") {
            Some(own) => named(body, &envelope, &own),
            None => unnamed::event(body, &envelope),
        };
        let id = request.id_header(EVENT_ID).map_or(event.id, ToOwned::to_owned);
        Ok(vec![Event { id, ..event }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        TOKEN.sign(request, digests)
    }
}

/// An event with a name, with its object in an envelope or, in older products, without one.
fn named(body: Json<'_>, envelope: &Members<'_>, own: &str) -> Event {
    let data = envelope.at("/data").filter(|data| data.raw() != "null").unwrap_or(body);
    // A refund has an envelope within the envelope.
    let data = data.at("/data").unwrap_or(data);
    let object = data.members();
    let canonical = canonical::event_type(own, &object.word("/status").unwrap_or_default());
    let method = object.word("/payment_method/type").or_else(|| object.word("/channel_code"));
    let network = object.word("/payment_method/card/card_information/network");
    let updated = object.rfc3339("/updated").or_else(|| object.rfc3339("/updated_at"));
    // Without the sending time, which is in the envelope.
    let id = id::derived(&[own.as_bytes(), data.raw().as_bytes()]);
    let around =
        if data == body { Envelope::default() } else { Envelope::of(envelope, &["event", "data"]) };
    Event {
        subject: object.first_name(&SUBJECTS),
        time: updated.or_else(|| envelope.rfc3339("/created")),
        money: money(&object),
        labels: labels([
            ("country", object.name("/country")),
            ("method", method),
            ("card_brand", network.or_else(|| object.word("/card_brands"))),
            ("decline_code", object.name("/failure_code")),
            ("account", envelope.first_label(ACCOUNTS).or_else(|| object.first_label(ACCOUNTS))),
            ("reference", object.first_label(REFERENCES)),
        ]),
        ..Event::new(id, event_type(canonical, "xendit", own), around.around(Some(data), body))
    }
}

/// The captured amount, if there is one capture, else the requested one.
fn money(object: &Members<'_>) -> Option<Money> {
    let is_one = object.items("/captures").len() == 1;
    let captured = is_one.then_some(("/captures/0/capture_amount", "/currency"));
    object.first_major(&captured.into_iter().chain(AMOUNTS).collect::<Vec<_>>())
}

hookgate_sdk::export!(provider: Xendit);
