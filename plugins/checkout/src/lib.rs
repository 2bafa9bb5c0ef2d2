//! Checkout.com: an HMAC over the body.
//!
//! A workflow can also send a header `Authorization`. It proves less, so this plugin never reads
//! it. `canonical` maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Json, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, decimals, event_type, json, known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Checkout;

const SIGNATURE: HeaderMac = HeaderMac::hex("cko-signature");

impl Provider for Checkout {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("checkout", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `Cko-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let object = envelope.object("/data");
        // The subject of a dispute or a report of fraud is its payment, so that everything about a
        // payment has one subject.
        let subject = object.first_name(&["/payment_id", "/payment/id", "/id"]);
        let declined = own.ends_with("declined").then(|| object.name("/response_code")).flatten();
        let canonical = canonical::event_type(&own);
        let around = Envelope::of(&envelope, &["id", "type", "created_on", "timestamp", "data"]);
        let data = around.around(envelope.at("/data"), body);
        Ok(vec![Event {
            subject,
            // A dispute has `timestamp`.
            time: envelope.rfc3339("/created_on").or_else(|| envelope.rfc3339("/timestamp")),
            money: money(&object),
            labels: labels([
                ("country", object.name("/source/issuer_country")),
                ("method", object.word("/source/type")),
                (
                    "card_brand",
                    object.word("/source/scheme").or_else(|| object.word("/payment_method")),
                ),
                ("decline_code", declined),
                ("risk", object.name("/risk/score")),
                ("reason", object.word("/category")),
                ("account", account(&envelope, &object)),
                ("livemode", livemode(&body).map(|live| live.to_string())),
                (
                    "reference",
                    object.first_label(&["/reference", "/payment/reference", "/payment_reference"]),
                ),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical, "checkout", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The entity of the merchant or of a platform's seller; in older events the channel that processed
/// the payment.
fn account(envelope: &Members<'_>, object: &Members<'_>) -> Option<String> {
    let named = ["/entity_id", "/sub_entity_id", "/processing_channel_id", "/channel_id"];
    object.first_label(&named).or_else(|| envelope.first_label(&["/entity_id", "/account_id"]))
}

/// Reads the environment from the host of the event's links: the sandbox has hosts of its own.
fn livemode(body: &Json<'_>) -> Option<bool> {
    let links = ["/_links/self/href", "/_links/webhook/href", "/_links/subject/href"];
    let link = links.into_iter().find_map(|pointer| body.text(pointer))?;
    let host = link.strip_prefix("https://")?.split('/').next()?;
    let sandbox = host.split('.').any(|label| label == "sandbox");
    let known = host.ends_with(".checkout.com");
    known.then_some(!sandbox)
}

/// The amount. Checkout.com gives the Chilean peso two decimals, and the unit CLF none.
fn money(object: &Members<'_>) -> Option<Money> {
    let units = object.name("/amount")?;
    let currency = object.name("/currency")?;
    let decimals = match currency.as_str() {
        "CLP" => 2,
        "CLF" => 0,
        _ => decimals(&currency),
    };
    known_money(Money::from_minor_with(decimals, &units, &currency))
}

hookgate_sdk::export!(provider: Checkout);
