//! Lemon Squeezy: an HMAC over the body.
//!
//! Lemon Squeezy gives no event ids, so an id is derived from the whole body: an object may change
//! twice within one second, and its time has whole seconds. Numbers are unique only within a kind
//! of object, so the subject has both: `orders:1`. If an order is refunded in parts, each event has
//! the sum of all refunds so far; the single refund is never reported.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, event_type, id, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct LemonSqueezy;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-signature");

/// The event types that this provider may return.
const TYPES: &[&str] = &["payment.*", "refund.*", "subscription.*", "invoice.*", "lemonsqueezy.*"];

impl Provider for LemonSqueezy {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("lemonsqueezy", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [request.event_id(None)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/meta/event_name")?;
        let meta = envelope.object("/meta");
        let object = envelope.object("/data/attributes");
        let refunded = own.ends_with("_refunded").then_some(("/refunded_amount", "/currency"));
        let amounts: Vec<_> = refunded.into_iter().chain([("/total", "/currency")]).collect();
        let canonical = canonical(&own, &object);
        let around = Envelope::of(&meta, &["event_name"]).and(&envelope, &["meta", "data"]);
        let data = around.around(envelope.at("/data"), body);
        let test = meta.flag("/test_mode").or_else(|| object.flag("/test_mode"));
        let numbered = || object.first_label(&["/order_number", "/order_id"]);
        Ok(vec![Event {
            subject: subject(&envelope),
            time: object.rfc3339("/updated_at").or_else(|| object.rfc3339("/created_at")),
            money: object.first_minor(&amounts),
            labels: labels([
                ("card_brand", object.word("/card_brand")),
                ("account", object.first_label(&["/store_id"])),
                ("livemode", test.map(|test| (!test).to_string())),
                ("reference", meta.custom("/custom_data").or_else(numbered)),
            ]),
            ..Event::new(request.event_id(None), event_type(canonical, "lemonsqueezy", &own), data)
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The object, by its kind and its number.
fn subject(envelope: &Members<'_>) -> Option<String> {
    let number = envelope.name("/data/id")?;
    let kind = envelope.name("/data/type");
    let named = kind.map_or_else(|| number.clone(), |kind| format!("{kind}:{number}"));
    Some(named).filter(|named| id::fits(named))
}

/// The canonical type, if there is one. One fact is one canonical event: a paused subscription is
/// reported as paused and as updated, and the update counts.
fn canonical(own: &str, object: &Members<'_>) -> Option<&'static str> {
    Some(match own {
        "order_created" => match &*object.text("/status").unwrap_or_default() {
            "paid" => "payment.succeeded",
            "pending" => "payment.created",
            "failed" => "payment.failed",
            _ => return None,
        },
        "order_refunded" | "subscription_payment_refunded" => "refund.succeeded",
        "subscription_created" => "subscription.created",
        "subscription_updated" => "subscription.updated",
        "subscription_cancelled" => "subscription.canceled",
        // It expired without payment. If it was cancelled before, that was reported already.
        "subscription_expired" if is(object, "/cancelled", "false") => "subscription.canceled",
        "subscription_payment_success" => "invoice.paid",
        "subscription_payment_failed" => "invoice.failed",
        _ => return None,
    })
}

fn is(object: &Members<'_>, pointer: &str, value: &str) -> bool {
    object.at(pointer).is_some_and(|known| known.raw() == value)
}

hookgate_sdk::export!(provider: LemonSqueezy);
