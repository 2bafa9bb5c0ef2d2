//! Cashfree's payment gateway: an HMAC over the time and the body, with nothing between them.
//!
//! The documentation's `$timestamp.$payload` is PHP for that. The time is in milliseconds and nobody
//! prescribes how old it may be; a source may set a tolerance. Amounts are JSON numbers in major
//! units, of which every zero was signed. Which canonical event an event is stands in `canonical`.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, InvalidMoney, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, StampedMac, Timestamp, event_type, id, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Cashfree;

const SIGNATURE: StampedMac =
    StampedMac::new(HeaderMac::base64("x-webhook-signature"), "x-webhook-timestamp")
        .in_milliseconds();

impl Provider for Cashfree {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("cashfree", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `x-webhook-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [event_id(request)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object);
        let payment = object.object("/payment");
        let card = payment.object("/payment_method/card");
        let data = envelope.at("/data").unwrap_or(body);
        let own = own.to_lowercase();
        Ok(vec![Event {
            subject: subject(&object),
            time: envelope.rfc3339("/event_time"),
            money: money(&object)?,
            labels: labels([
                ("country", card.name("/card_country")),
                ("method", payment.word("/payment_group")),
                ("card_brand", card.word("/card_network")),
                ("decline_code", declined(&object)),
            ]),
            ..Event::new(event_id(request), event_type(canonical, "cashfree", &own)?, data.raw())
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// Cashfree's own, else the event and what it is about, else all of it.
fn event_id(request: &Request) -> String {
    let named = ["x-idempotency-key", "x-idempotency-header"];
    if let Some(own) = named.into_iter().find_map(|name| request.id_header(name)) {
        return own.to_owned();
    }
    let event = json::peek(&request.body, "/type");
    let payment = json::peek_scalar(&request.body, "/data/payment/cf_payment_id");
    match (event, payment) {
        (Some(event), Some(payment)) => id::of(format!("{event}:{payment}")),
        _ => id::derived(&[&request.body]),
    }
}

/// The merchant's order, which several tries and what follows them share; else what there is.
fn subject(object: &Members<'_>) -> Option<String> {
    [
        "/order/order_id",
        "/refund/order_id",
        "/auto_refund/order_id",
        "/order_details/order_id",
        "/settlement/cf_settlement_id",
        "/subscription_details/subscription_id",
        "/subscription_id",
    ]
    .into_iter()
    .find_map(|pointer| object.name(pointer))
}

fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    for (amount, currency) in [
        ("/payment/payment_amount", "/payment/payment_currency"),
        ("/refund/refund_amount", "/refund/refund_currency"),
        ("/auto_refund/refund_amount", "/auto_refund/refund_currency"),
        ("/dispute/dispute_amount", "/dispute/dispute_amount_currency"),
        ("/dispute/dispute_amount", "/order_details/payment_currency"),
        ("/settlement/settlement_amount", "/settlement/settlement_currency"),
    ] {
        if let Some(money) = object.major(amount, currency)? {
            return Ok(Some(money));
        }
    }
    Ok(None)
}

fn declined(object: &Members<'_>) -> Option<String> {
    let reason = object.name("/error_details/error_reason");
    reason.or_else(|| object.name("/error_details/error_code"))
}

hookgate_sdk::export!(provider: Cashfree);
