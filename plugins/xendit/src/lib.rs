//! Xendit: the callback token, sent along; events that have a name, and older callbacks without
//! one.
//!
//! The token binds nothing of the body: who has seen one request can send any. It is all there is,
//! so confirm what moves money over the API. Amounts are JSON numbers in major units. Which
//! canonical event an event is stands in `canonical`, what has no name in `unnamed`.

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
/// Tells retries from news. Without it a retry is known by what it is about: the envelope says when
/// it was sent.
const EVENT_ID: &str = "webhook-id";

/// What names an entity: first the request, or the charge, that a payment, its captures and its
/// refunds belong to.
const SUBJECTS: [&str; 7] = [
    "/payment_request_id",
    "/charge_id",
    "/payment_id",
    "/id",
    "/payout_id",
    "/payment_session_id",
    "/payment_token_id",
];

/// The business, or of older callbacks its user.
pub(crate) const ACCOUNTS: &[&str] = &["/business_id", "/user_id", "/owner_id"];
/// What the merchant called it.
pub(crate) const REFERENCES: &[&str] =
    &["/reference_id", "/external_id", "/qr_code/external_id", "/payment_detail/reference_id"];

/// Where an amount may be, and its currency: of the third version of payments it is what was
/// requested, of wallets what was captured, of a dispute what it began with, of the third version
/// of payouts what arrives.
const AMOUNTS: [(&str, &str); 6] = [
    ("/amount", "/currency"),
    ("/request_amount", "/currency"),
    ("/capture_amount", "/currency"),
    ("/charge_amount", "/currency"),
    ("/amount/initial", "/currency"),
    ("/destination_amount", "/destination_currency"),
];

impl Provider for Xendit {
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

/// An event with a name: in an envelope, or, of older products, all in one.
fn named(body: Json<'_>, envelope: &Members<'_>, own: &str) -> Event {
    let data = envelope.at("/data").filter(|data| data.raw() != "null").unwrap_or(body);
    // A refund is shown in an envelope within the envelope.
    let data = data.at("/data").unwrap_or(data);
    let object = data.members();
    let canonical = canonical::event_type(own, &object.word("/status").unwrap_or_default());
    let method = object.word("/payment_method/type").or_else(|| object.word("/channel_code"));
    let network = object.word("/payment_method/card/card_information/network");
    let updated = object.rfc3339("/updated").or_else(|| object.rfc3339("/updated_at"));
    // Not of when it was sent, which the envelope says.
    let id = id::derived(&[own.as_bytes(), data.raw().as_bytes()]);
    let around = Envelope::of(envelope, &["event", "data"]);
    let around = if data == body { Envelope::default() } else { around };
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

/// What was captured, if in one piece, else what was asked for.
fn money(object: &Members<'_>) -> Option<Money> {
    let is_one = object.items("/captures").len() == 1;
    let captured = is_one.then_some(("/captures/0/capture_amount", "/currency"));
    object.first_major(&captured.into_iter().chain(AMOUNTS).collect::<Vec<_>>())
}

hookgate_sdk::export!(provider: Xendit);
