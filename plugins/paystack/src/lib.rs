//! Paystack: an HMAC-SHA512 over the body; the key is the API's secret key itself.
//!
//! Paystack gives no event ids, so an id is derived from the whole body and never from a part: the
//! same may happen again, as a reminder does, or with another amount. `canonical` maps events to
//! canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, Hash, HeaderMac, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Paystack;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-paystack-signature").with_algorithm(Hash::Sha512);

/// Paystack gives every currency two decimals, even the CFA franc.
const DECIMALS: usize = 2;

/// Places of the merchant's own reference of a payment, a transfer or a payment request.
const REFERENCES: &[&str] = &[
    "/reference",
    "/transaction_reference",
    "/transaction/reference",
    "/offline_reference",
    "/order_id",
    "/invoice_number",
];

impl Provider for Paystack {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("paystack", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA512 of the body, `x-paystack-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [request.event_id(None)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event")?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object);
        let failed = own.ends_with("failed").then(|| object.name("/gateway_response")).flatten();
        let around = Envelope::of(&envelope, &["event", "data"]);
        let data = around.around(envelope.at("/data"), body);
        Ok(vec![Event {
            subject: subject(&object),
            time: time(&own, &object),
            money: money(&object),
            labels: labels([
                ("country", object.name("/authorization/country_code")),
                (
                    "method",
                    object.word("/channel").or_else(|| object.word("/authorization/channel")),
                ),
                ("card_brand", object.word("/authorization/brand")),
                ("decline_code", failed),
                ("account", object.first_label(&["/integration/id", "/integration"])),
                ("livemode", livemode(&object).map(|live| live.to_string())),
                (
                    "reference",
                    object.first_label(REFERENCES).or_else(|| object.custom("/metadata")),
                ),
            ]),
            ..Event::new(request.event_id(None), event_type(canonical, "paystack", &own), data)
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The reference of the payment, if the object belongs to one, so that everything about a payment
/// has one subject; else the object's code at Paystack.
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

/// The time of the event. The events of a subscription's end have only the time when it began, so
/// they get none.
fn time(own: &str, object: &Members<'_>) -> Option<Timestamp> {
    if matches!(own, "subscription.disable" | "subscription.not_renew") {
        return None;
    }
    let happened = ["/resolvedAt", "/paid_at", "/paidAt", "/updated_at", "/updatedAt"];
    let times = happened.into_iter().chain(["/created_at", "/createdAt"]);
    times.into_iter().find_map(|pointer| object.rfc3339(pointer))
}

/// The amount. A dispute has it as the amount to refund. A subscription has the currency of its
/// plan, an invoice that of its transaction.
fn money(object: &Members<'_>) -> Option<Money> {
    let currency = object.first_name(&["/currency", "/plan/currency", "/transaction/currency"])?;
    // The first that is there counts, even if it can't be read: the other means something else.
    let is_there = |pointer: &&str| object.at(pointer).is_some_and(|value| value.raw() != "null");
    let units = object.name(["/amount", "/refund_amount"].into_iter().find(is_there)?)?;
    known_money(Money::from_minor_with(DECIMALS, &units, &currency))
}

/// Whether it is about real money: a domain is `live` or `test`. An object without a domain may
/// belong to another that has one.
fn livemode(object: &Members<'_>) -> Option<bool> {
    let domains = ["/domain", "/transaction/domain", "/subscription/domain", "/customer/domain"];
    let known = domains.into_iter().find_map(|domain| object.is_live(domain));
    known.or_else(|| object.flag("/integration/is_live"))
}

hookgate_sdk::export!(provider: Paystack);
