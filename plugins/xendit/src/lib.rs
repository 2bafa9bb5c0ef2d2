//! Xendit: the callback token, sent along; events that have a name, and older callbacks without one.
//!
//! The token binds nothing of the body: who has seen one request can send any. It is all there is, so
//! confirm what moves money over the API. The header `webhook-id` tells retries from news. Amounts are
//! JSON numbers in major units. Which canonical event an event is stands in `canonical`, what has no
//! name in `unnamed`.

mod canonical;
mod unnamed;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderToken, InvalidMoney, Json, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, id, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Xendit;

const TOKEN: HeaderToken = HeaderToken::new("x-callback-token");

/// What names an entity: first the request, or the charge, that a payment, its captures and its
/// refunds belong to.
const SUBJECTS: [&str; 6] = [
    "/payment_request_id",
    "/charge_id",
    "/payment_id",
    "/id",
    "/payment_session_id",
    "/payment_token_id",
];

/// Where an amount may be: of the third version of payments it is what was requested, of wallets
/// what was captured, of a dispute what it began with.
const AMOUNTS: [&str; 5] =
    ["/amount", "/request_amount", "/capture_amount", "/charge_amount", "/amount/initial"];

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
            Some(own) => named(body, &envelope, &own)?,
            None => unnamed::event(body, &envelope)?,
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

/// An event with a name: in an envelope, or, of older products, all in one.
fn named(body: Json<'_>, envelope: &Members<'_>, own: &str) -> Result<Event, Failure> {
    let data = envelope.at("/data").unwrap_or(body);
    let object = data.members();
    let canonical = canonical::event_type(own, &object.word("/status").unwrap_or_default());
    let method = object.word("/payment_method/type").or_else(|| object.word("/channel_code"));
    let network = object.word("/payment_method/card/card_information/network");
    let updated = || object.rfc3339("/updated").or_else(|| object.rfc3339("/updated_at"));
    Ok(Event {
        subject: SUBJECTS.into_iter().find_map(|pointer| object.name(pointer)),
        time: envelope.rfc3339("/created").or_else(updated),
        money: money(&object)?,
        labels: labels([
            ("country", object.name("/country")),
            ("method", method),
            ("card_brand", network.or_else(|| object.word("/card_brands"))),
            ("decline_code", object.name("/failure_code")),
        ]),
        ..Event::new("", event_type(canonical, "xendit", own)?, data.raw())
    })
}

/// What was captured, if in one piece, else what was asked for.
fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    let captured = match object.items("/captures")[..] {
        [capture] => capture.members().name("/capture_amount"),
        _ => None,
    };
    let amount = captured.or_else(|| AMOUNTS.into_iter().find_map(|amount| object.name(amount)));
    let (Some(amount), Some(currency)) = (amount, object.name("/currency")) else {
        return Ok(None);
    };
    Money::from_major(&amount, &currency).map(Some)
}

hookgate_sdk::export!(provider: Xendit);
