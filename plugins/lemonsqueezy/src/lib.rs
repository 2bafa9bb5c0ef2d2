//! Lemon Squeezy: an HMAC over the body.
//!
//! There are no event ids: one is made of the event's name, the object, and when the object was last
//! changed. Objects are numbered by their kind, so a subject names both: `orders:1`. Of an order that is
//! refunded in parts, each refund tells the sum so far: that is all there is.

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Members, Piece, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, id, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct LemonSqueezy;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-signature");

/// What this provider may yield, for people.
const TYPES: &[&str] = &["payment.*", "refund.*", "subscription.*", "invoice.*", "lemonsqueezy.*"];

impl Provider for LemonSqueezy {
    fn describe() -> ProviderInfo {
        ProviderInfo::new("lemonsqueezy", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, [event_id(&request.body)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/meta/event_name")?;
        let (kind, object_id) = (envelope.required("/data/type")?, envelope.name("/data/id"));
        let object = envelope.object("/data/attributes");
        let refunded = own.ends_with("_refunded").then_some("/refunded_amount");
        let amount = refunded.filter(|amount| object.number(amount).is_some());
        let canonical = canonical(&own, &object);
        let data = envelope.at("/data").unwrap_or(body);
        Ok(vec![Event {
            subject: object_id.map(|id| format!("{kind}:{id}")),
            time: object.rfc3339("/updated_at").or_else(|| object.rfc3339("/created_at")),
            money: object.minor(amount.unwrap_or("/total"), "/currency")?,
            labels: labels([("card_brand", object.word("/card_brand"))]),
            ..Event::new(
                event_id(&request.body),
                event_type(canonical, "lemonsqueezy", &own)?,
                data.raw(),
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

fn event_id(body: &[u8]) -> String {
    let pointers = ["/meta/event_name", "/data/type", "/data/id", "/data/attributes/updated_at"];
    let parts = pointers.map(|pointer| json::peek_scalar(body, pointer).unwrap_or_default());
    if parts[2].is_empty() || parts[3].is_empty() {
        return id::derived(&[body]);
    }
    id::derived(&parts.each_ref().map(|part| part.as_bytes()))
}

/// One fact is one canonical event: a subscription that is paused is also updated, and the update
/// counts.
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
        // For want of payment; what was cancelled before has been told already.
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
