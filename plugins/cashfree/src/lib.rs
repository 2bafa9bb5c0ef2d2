//! Cashfree's payment gateway: an HMAC over the time and the body, with nothing between them.
//!
//! The documentation's `$timestamp.$payload` is PHP for that. The time is in milliseconds. Cashfree
//! prescribes no tolerance; a source may set one. The header `x-idempotency-key` is not signed, so
//! it is never an event's id: whoever saw a request could send it again with another key. The id is
//! derived from the whole body, because Cashfree may report a state again with other details.
//! Amounts are JSON numbers in major units. `canonical` maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, StampedMac, Timestamp, event_type, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Cashfree;

/// Places of the merchant's id.
const ACCOUNTS: &[&str] = &["/merchant/merchant_id", "/merchant_id"];

/// Places of the merchant's own ids: of an order, a link, a subscription.
const REFERENCES: &[&str] = &[
    "/order/order_id",
    "/refund/order_id",
    "/auto_refund/order_id",
    "/order_details/order_id",
    "/link/link_id",
    "/subscription_details/subscription_id",
    "/subscription_id",
];

const SIGNATURE: StampedMac =
    StampedMac::new(HeaderMac::base64("x-webhook-signature"), "x-webhook-timestamp")
        .in_milliseconds();

impl Provider for Cashfree {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("cashfree", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `x-webhook-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [request.event_id(None)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object);
        let payment = object.object("/payment");
        let card = payment.object("/payment_method/card");
        let around = Envelope::of(&envelope, &["type", "event_time", "data"]);
        let data = around.around(envelope.at("/data"), body);
        let own = own.to_lowercase();
        Ok(vec![Event {
            subject: subject(&object),
            time: envelope.rfc3339("/event_time"),
            money: money(&object),
            labels: labels([
                ("country", card.name("/card_country")),
                ("method", payment.word("/payment_group")),
                ("card_brand", card.word("/card_network")),
                ("decline_code", declined(&object)),
                ("reason", object.name("/dispute/reason_code")),
                ("account", object.first_label(ACCOUNTS)),
                ("reference", object.first_label(REFERENCES)),
            ]),
            ..Event::new(request.event_id(None), event_type(canonical, "cashfree", &own), data)
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// The merchant's order, which all attempts to pay and their refunds share; else another entity.
fn subject(object: &Members<'_>) -> Option<String> {
    object.first_name(&[
        "/order/order_id",
        "/refund/order_id",
        "/auto_refund/order_id",
        "/order_details/order_id",
        "/link/link_id",
        "/settlement/cf_settlement_id",
        "/settlement/settlement_id",
        "/subscription_details/subscription_id",
        "/subscription_id",
    ])
}

fn money(object: &Members<'_>) -> Option<Money> {
    object.first_major(&[
        ("/payment/payment_amount", "/payment/payment_currency"),
        ("/refund/refund_amount", "/refund/refund_currency"),
        ("/auto_refund/refund_amount", "/auto_refund/refund_currency"),
        ("/dispute/dispute_amount", "/dispute/dispute_amount_currency"),
        ("/dispute/dispute_amount", "/order_details/payment_currency"),
        ("/dispute/dispute_amount", "/order_details/order_currency"),
        ("/settlement/settlement_amount", "/settlement/settlement_currency"),
        // A subscription has these without an object around them.
        ("/payment_amount", "/payment_currency"),
        ("/refund_amount", "/refund_currency"),
    ])
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
