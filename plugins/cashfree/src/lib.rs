//! Cashfree's payment gateway: an HMAC over the time and the body, with nothing between them.
//!
//! The documentation's `$timestamp.$payload` is PHP for that. The time is in milliseconds and nobody
//! prescribes how old it may be; a source may set a tolerance. The header `x-idempotency-key` is not
//! signed, so no id is made of it: whoever saw a request could send it again under another. Amounts
//! are JSON numbers in major units, of which every zero was signed. Which canonical event an event is
//! stands in `canonical`.

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
        SIGNATURE.claim(request, [event_id(&request.body)])
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
                ("reason", object.name("/dispute/reason_code")),
            ]),
            ..Event::new(
                event_id(&request.body),
                event_type(canonical, "cashfree", &own)?,
                data.raw(),
            )
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// The event, what it is about and the state that this is in; else all of the body.
fn event_id(body: &[u8]) -> String {
    let named = |pointer: &str| json::peek_scalar(body, pointer).filter(|name| !name.is_empty());
    let known = [
        ("/data/payment/cf_payment_id", "/data/payment/payment_status"),
        ("/data/refund/cf_refund_id", "/data/refund/refund_status"),
        ("/data/auto_refund/cf_refund_id", "/data/auto_refund/refund_status"),
    ]
    .into_iter()
    .find_map(|(about, state)| {
        Some(format!("{}:{}:{}", named("/type")?, named(about)?, named(state)?))
    });
    known.map_or_else(|| id::derived(&[body]), id::of)
}

/// The merchant's order, which several tries and what follows them share; else what there is.
fn subject(object: &Members<'_>) -> Option<String> {
    object.first_name(&[
        "/order/order_id",
        "/refund/order_id",
        "/auto_refund/order_id",
        "/order_details/order_id",
        "/settlement/cf_settlement_id",
        "/settlement/settlement_id",
        "/subscription_details/subscription_id",
        "/subscription_id",
    ])
}

fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    for (amount, currency) in [
        ("/payment/payment_amount", "/payment/payment_currency"),
        ("/refund/refund_amount", "/refund/refund_currency"),
        ("/auto_refund/refund_amount", "/auto_refund/refund_currency"),
        ("/dispute/dispute_amount", "/dispute/dispute_amount_currency"),
        ("/dispute/dispute_amount", "/order_details/payment_currency"),
        ("/dispute/dispute_amount", "/order_details/order_currency"),
        ("/settlement/settlement_amount", "/settlement/settlement_currency"),
        // Of a subscription, without an object around them.
        ("/payment_amount", "/payment_currency"),
        ("/refund_amount", "/refund_currency"),
    ] {
        if let Some(money) = object.major(amount, currency)? {
            return Ok(Some(money));
        }
    }
    Ok(None)
}

fn declined(object: &Members<'_>) -> Option<String> {
    let named = [
        "/error_details/error_reason",
        "/error_details/error_code",
        "/failure_details/failure_reason",
    ];
    object.first_name(&named)
}

hookgate_sdk::export!(provider: Cashfree);
