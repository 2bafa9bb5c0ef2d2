//! Paystack: an HMAC-SHA512 over the body; the key is the API's secret key itself.
//!
//! There are no event ids. What happens once to one thing has an id of the two, so that a retry that
//! was written anew is known; what may happen again, such as a reminder, is told apart by all of its
//! body. Which canonical event an event is stands in `canonical`.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Hmac, InvalidMoney, Members, Money, Piece, ProofKind,
    Provider, ProviderInfo, Refusal, Request, Timestamp, event_type, id, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Paystack;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-paystack-signature").with_algorithm(Hmac::Sha512);

/// Paystack counts every currency in hundredths, also the CFA franc.
const DECIMALS: usize = 2;

impl Provider for Paystack {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("paystack", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA512 of the body, `x-paystack-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, [event_id(&request.body)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event")?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object);
        let failed = own.ends_with("failed").then(|| object.name("/gateway_response")).flatten();
        let data = envelope.at("/data").unwrap_or(body);
        Ok(vec![Event {
            subject: subject(&object),
            time: time(&own, &object),
            money: money(&object)?,
            labels: labels([
                ("country", object.name("/authorization/country_code")),
                (
                    "method",
                    object.word("/channel").or_else(|| object.word("/authorization/channel")),
                ),
                ("card_brand", object.word("/authorization/brand")),
                ("decline_code", failed),
            ]),
            ..Event::new(
                event_id(&request.body),
                event_type(canonical, "paystack", &own)?,
                data.raw(),
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

fn event_id(body: &[u8]) -> String {
    let own = json::peek(body, "/event").filter(|own| canonical::is_once(own));
    let object = json::peek_scalar(body, "/data/id").filter(|object| !object.is_empty());
    match (own, object) {
        (Some(own), Some(object)) => id::of(format!("{own}:{object}")),
        _ => id::derived(&[body]),
    }
}

/// The reference of the payment of what belongs to one, so that everything about a payment has one
/// subject; else the code that Paystack gives to a thing.
fn subject(object: &Members<'_>) -> Option<String> {
    object.first_name(&[
        "/transaction_reference",
        "/subscription_code",
        "/invoice_code",
        "/request_code",
        "/transfer_code",
        "/transaction/reference",
        "/reference",
        "/customer_code",
        "/customer/customer_code",
        "/id",
    ])
}

/// When a subscription ends, it still only says when it began.
fn time(own: &str, object: &Members<'_>) -> Option<Timestamp> {
    if matches!(own, "subscription.disable" | "subscription.not_renew") {
        return None;
    }
    let happened = ["/resolvedAt", "/paid_at", "/paidAt", "/updated_at", "/updatedAt"];
    let times = happened.into_iter().chain(["/created_at", "/createdAt"]);
    times.into_iter().find_map(|pointer| object.rfc3339(pointer))
}

/// A dispute names what is to be given back; a subscription's currency is that of its plan, an
/// invoice's that of its transaction.
fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    let currency = object.first_name(&["/currency", "/plan/currency", "/transaction/currency"]);
    let units = object.name("/amount").or_else(|| object.name("/refund_amount"));
    let (Some(units), Some(currency)) = (units, currency) else { return Ok(None) };
    Money::from_minor_with(DECIMALS, &units, &currency).map(Some)
}

hookgate_sdk::export!(provider: Paystack);
