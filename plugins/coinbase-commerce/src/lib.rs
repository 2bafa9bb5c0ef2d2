//! Coinbase Commerce: an HMAC over the body, whose member `event` is about a charge or an invoice.
//!
//! A charge succeeds when it is confirmed on its chain, or when the merchant resolves a late or
//! inexact payment. A `pending` payment was seen on the chain and may still fail, so it never
//! counts as paid. Coinbase's newer products have another signature (`X-Hook0-Signature`) and are
//! not supported.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct CoinbaseCommerce;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-cc-webhook-signature");

impl Provider for CoinbaseCommerce {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["payment.*", "invoice.paid", "coinbase-commerce.*"];
        ProviderInfo::new("coinbase-commerce", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-CC-Webhook-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/event/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let event = body.members().object("/event");
        let own = event.required("/type")?;
        let object = event.object("/data");
        let canonical = match &*own {
            "charge:created" => Some("payment.created"),
            "charge:confirmed" | "charge:resolved" => Some("payment.succeeded"),
            "charge:failed" => Some("payment.failed"),
            "invoice:paid" => Some("invoice.paid"),
            _ => None,
        };
        let failed = canonical == Some("payment.failed");
        // The outer members are about the delivery; a retry changes those that are left out.
        let inner = ["id", "type", "created_at", "data", "resource"];
        let outer = ["event", "attempt_number", "scheduled_for", "id"];
        let around = Envelope::of(&event, &inner).and(&body.members(), &outer);
        let data = around.around(event.at("/data"), body);
        Ok(vec![Event {
            subject: object.name("/code").or_else(|| object.name("/id")),
            time: event.rfc3339("/created_at"),
            money: money(&object),
            labels: labels([
                ("method", object.word("/payments/0/network")),
                ("decline_code", failed.then(|| last(&object)).flatten()),
                (
                    "account",
                    object.first_label(&["/organization_name", "/merchant_id", "/business_name"]),
                ),
                (
                    "reference",
                    object.custom("/metadata").or_else(|| object.first_label(&["/memo"])),
                ),
            ]),
            ..Event::new(
                request.event_id(event.name("/id")),
                event_type(canonical, "coinbase-commerce", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The price. A charge without a price, such as a donation, has the amount of its only payment.
fn money(object: &Members<'_>) -> Option<Money> {
    let price = ("/pricing/local/amount", "/pricing/local/currency");
    let paid = ("/payments/0/value/local/amount", "/payments/0/value/local/currency");
    match object.items("/payments").len() {
        1 => object.first_major(&[price, paid]),
        _ => object.first_major(&[price]),
    }
}

/// The last state of a charge: `EXPIRED`.
fn last(object: &Members<'_>) -> Option<String> {
    let timeline = object.items("/timeline");
    let last = timeline.last()?.members();
    last.name("/context").or_else(|| last.name("/status"))
}

hookgate_sdk::export!(provider: CoinbaseCommerce);
