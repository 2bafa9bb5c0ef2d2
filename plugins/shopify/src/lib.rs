//! Shopify: an HMAC over the body, under the headers `X-Shopify-*` or the newer `shopify-*`.
//!
//! If the newer signature header is there, it counts, and the older one is never read. The
//! signature does not cover the header with the topic. So a topic about money gets a canonical type
//! only if the body confirms it, and a request about an unpaid order never becomes a payment. One
//! change may arrive under several topics and for several objects with the same event id, which is
//! not signed either; so an event's id consists of all three. The shop is also an unsigned header,
//! and becomes a label. `canonical` maps topics to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Json, Members, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, id, json, labels, time,
};

/// The plugin.
#[derive(Debug)]
pub struct Shopify;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-shopify-hmac-sha256");
/// The proof of Shopify's newer Events.
const NEWER: HeaderMac = HeaderMac::base64(NEWER_NAME);
const NEWER_NAME: &str = "shopify-hmac-sha256";

impl Provider for Shopify {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("shopify", version, canonical::TYPES, &[ProofKind::Mac]).with_scheme(
            "HMAC-SHA256 of the body, `X-Shopify-Hmac-Sha256` or `shopify-hmac-sha256`",
        )
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let signature = if request.header(NEWER_NAME).is_some() { NEWER } else { SIGNATURE };
        signature.claim(request, [event_id(request)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let topic = topic(request)
            .ok_or_else(|| Failure::permanent("header `x-shopify-topic` is missing"))?;
        let body = request.json()?;
        let object = body.members();
        let canonical = canonical::event_type(&topic, &object);
        // A refund with one transaction has its amount; of several transactions none has the sum.
        let transactions = object.items("/transactions");
        let paid = match transactions.as_slice() {
            [only] => only.members(),
            _ => object.clone(),
        };
        let amount = match transactions.len() {
            1 => ("/transactions/0/amount", "/transactions/0/currency"),
            _ => ("/amount", "/currency"),
        };
        let triggered = header(request, "triggered-at").and_then(time::from_rfc3339);
        let happened = || object.rfc3339("/updated_at").or_else(|| object.rfc3339("/created_at"));
        Ok(vec![Event {
            subject: subject(&object),
            time: triggered.or_else(happened),
            money: object.first_major(&[("/total_price", "/currency"), amount]),
            labels: labels([
                ("country", object.first_name(COUNTRIES)),
                (
                    "method",
                    paid.word("/gateway").or_else(|| object.word("/payment_gateway_names/0")),
                ),
                ("card_brand", paid.word("/payment_details/credit_card_company")),
                ("decline_code", object.name("/error_code")),
                ("risk", object.word("/risk_level")),
                ("account", header(request, "shop-domain").map(ToOwned::to_owned)),
                ("livemode", livemode(request, &object).map(|live| live.to_string())),
                ("reference", reference(&object)),
            ]),
            ..Event::new(event_id(request), event_type(canonical, "shopify", &topic), body.raw())
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        request.remove_header(NEWER_NAME);
        if topic(&request).is_none() {
            let guessed = topic_of(&request);
            request.set_header("x-shopify-topic", guessed);
        }
        SIGNATURE.sign(request, digests)
    }
}

/// Places of the country, of an order or a customer.
const COUNTRIES: &[&str] = &[
    "/billing_address/country_code",
    "/shipping_address/country_code",
    "/default_address/country_code",
];

/// Whether it is about real money. An order that a test gateway paid says so, and so does a
/// notification that only tests the endpoint.
fn livemode(request: &Request, object: &Members<'_>) -> Option<bool> {
    let tried = header(request, "test").is_some_and(|test| test.eq_ignore_ascii_case("true"));
    let test = if tried { Some(true) } else { object.flag("/test") };
    test.map(|test| !test)
}

/// The number of an order, as the shop and its customers know it, else a number from the shop's
/// other systems.
fn reference(object: &Members<'_>) -> Option<String> {
    let numbered = object.first_label(&["/order_number", "/po_number", "/source_identifier"]);
    // The name of an order is its number with the shop's prefix and suffix. Other objects have a
    // name too.
    let named = || object.at("/line_items").and_then(|_| object.first_label(&["/name"]));
    numbered.or_else(named)
}

/// The order, or the subscription that makes orders; else the object. The newer Events have the
/// object's id in the variables of their query.
fn subject(object: &Members<'_>) -> Option<String> {
    let own = ["/order_id", "/subscription_contract_id", "/id", "/admin_graphql_api_id"];
    let asked = || object.object("/query_variables").iter().next()?.1.text("").map(String::from);
    object.first_name(&own).or_else(asked).filter(|id| id::fits(id))
}

/// `orders/paid`. The newer Events have the topic `Order` and the action `update`: `order/update`.
fn topic(request: &Request) -> Option<String> {
    let topic = header(request, "topic")?;
    Some(match header(request, "action") {
        Some(action) if !topic.contains('/') => format!("{}/{action}", topic.to_lowercase()),
        _ => topic.to_owned(),
    })
}

/// Guesses the topic from a body, for a request without the header.
fn topic_of(request: &Request) -> &'static str {
    let object = request.json().map(Json::members).unwrap_or_default();
    let has = |pointer: &str| object.at(pointer).is_some();
    if has("/kind") {
        "order_transactions/create"
    } else if has("/transactions") {
        "refunds/create"
    } else if object.text("/financial_status").as_deref() == Some("paid") {
        "orders/paid"
    } else if has("/line_items") {
        "orders/create"
    } else if has("/reason") {
        "disputes/create"
    } else if has("/email") {
        "customers/update"
    } else {
        "products/update"
    }
}

/// The id: the change, the topic and the object, which a retry repeats and no other event has.
fn event_id(request: &Request) -> String {
    let change = header(request, "event-id").or_else(|| header(request, "webhook-id"));
    let topic = topic(request).unwrap_or_default();
    match (change, json::peek_scalar(&request.body, "/id")) {
        (Some(change), Some(object)) => id::of(format!("{change}:{topic}:{object}")),
        (Some(change), None) => id::of(format!("{change}:{topic}")),
        (None, _) => id::derived(&[topic.as_bytes(), &request.body]),
    }
}

/// The value of a header in either family.
fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let newer = request.header(&format!("shopify-{name}"));
    let header = newer.or_else(|| request.header(&format!("x-shopify-{name}")));
    header.filter(|value| !value.is_empty())
}

hookgate_sdk::export!(provider: Shopify);
