//! Klarna's Network webhooks: an HMAC over the body, with a key that a header names.
//!
//! The header `Klarna-Signing-Key-Id` is not signed, so it never decides anything: the gateway
//! tries every secret of the source. Klarna expects the status 400 for an invalid signature. The
//! older callbacks of Klarna Payments and Checkout are not signed and not supported. `canonical`
//! maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Klarna;

const SIGNATURE: HeaderMac = HeaderMac::hex("klarna-signature");

/// Places of the merchant's own reference of a payment, a capture, a refund or an order.
const REFERENCES: &[&str] = &[
    "/payment_reference",
    "/payment_request_reference",
    "/payment_transaction_reference",
    "/merchant_reference",
    "/merchant_reference1",
    "/reference",
    "/supplementary_purchase_data/purchase_reference",
];

impl Provider for Klarna {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("klarna", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `Klarna-Signature`")
            .refusing_with(400)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/metadata/event_id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let metadata = envelope.object("/metadata");
        // Some events repeat these outside of `metadata`; older ones have them only there.
        let own = metadata.required("/event_type").or_else(|_| envelope.required("/event_type"))?;
        let id = metadata.name("/event_id").or_else(|| envelope.name("/event_id"));
        let payload = envelope.object("/payload");
        let canonical = canonical::event_type(&own, &payload);
        let failed = canonical == Some("payment.failed");
        let declined = failed.then(|| payload.name("/state_reason")).flatten();
        let left_out = ["event_type", "event_id", "occurred_at", "metadata", "payload"];
        let around = Envelope::of(&metadata, &left_out).and(&envelope, &left_out);
        let data = around.around(envelope.at("/payload"), body);
        let happened = metadata.rfc3339("/occurred_at");
        Ok(vec![Event {
            subject: subject(&payload),
            time: happened.or_else(|| envelope.rfc3339("/occurred_at")),
            money: money(&payload),
            labels: labels([
                ("method", Some("klarna".to_owned())),
                ("decline_code", declined),
                ("account", account(&metadata, &payload)),
                ("livemode", metadata.flag("/live").map(|live| live.to_string())),
                ("reference", payload.first_label(REFERENCES)),
            ]),
            ..Event::new(request.event_id(id), event_type(canonical, "klarna", &own), data)
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The account that the event is about, if a partner has several, else the merchant.
fn account(metadata: &Members<'_>, payload: &Members<'_>) -> Option<String> {
    let partner =
        payload.first_label(&["/account_id"]).or_else(|| metadata.first_label(&["/account_id"]));
    partner.or_else(|| metadata.first_label(&["/merchant_id"]))
}

/// The subject of a capture or a dispute is its transaction, so that everything about a payment has
/// one subject.
fn subject(payload: &Members<'_>) -> Option<String> {
    payload.first_name(&[
        "/payment_transaction_id",
        "/payment_request_id",
        "/payment_dispute_id",
        "/account_id",
    ])
}

/// The disputed amount, or else the amount of the payment.
fn money(payload: &Members<'_>) -> Option<Money> {
    payload.first_minor(&[
        ("/dispute_details/dispute_amount", "/dispute_details/currency"),
        ("/payment_amount", "/currency"),
    ])
}

hookgate_sdk::export!(provider: Klarna);
