//! Square: an HMAC over the URL that Square knows and the body, with nothing between them.
//!
//! The URL is a setting, because behind a proxy a request does not have it; it must be byte for
//! byte the URL that is registered with Square. Square updates a payment or a refund several times
//! after it is completed, and one that needs no approval may be complete when it is created. So the
//! completion is an event of its own, whose id is made of the payment, its state and its amount,
//! and which never counts twice. The creation or update is a second event, because it may say more.
//! `canonical` maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Json, Members, Money, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Setting, Timestamp, event_type, json, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Square;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The notification URL, byte for byte as it is registered with Square. It is never derived
    /// from a request.
    url: String,
}

const SIGNATURE: HeaderMac = HeaderMac::base64("x-square-hmacsha256-signature");

/// Places of the seller's own reference of a payment, an order, a customer or an invoice.
const REFERENCES: &[&str] = &["/reference_id", "/invoice_number"];

impl Provider for Square {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("square", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of URL and body, `x-square-hmacsha256-signature`")
            .with_settings([Setting::url(
                "url",
                "https://pay.example/in/square",
                "the notification URL, byte for byte as it is registered with Square",
            )
            .required()])
    }

    fn check(Settings { url }: &Settings) -> Result<(), String> {
        if url.starts_with("https://") || url.starts_with("http://") {
            Ok(())
        } else {
            Err("`url` must be the whole URL that is registered with Square".to_owned())
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let url = Piece::from(&*Self::settings().url);
        let mac = SIGNATURE.evidence(request, vec![url, Piece::Body])?;
        // An event that may report a state has ids that only the whole body gives.
        let own = json::peek(&request.body, "/type").filter(|own| !canonical::tells_state(own));
        Ok(Claims::new(mac, own.and_then(|_| json::peek(&request.body, "/event_id"))))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let id = request.event_id(envelope.name("/event_id"));
        // `data.object` has one member, which is named after its kind.
        let named = envelope.object("/data/object");
        let written = named.iter().next().map(|(_, object)| object);
        let object = written.map(Json::members).unwrap_or_default();
        let canonical = canonical::event_type(&own, &object);
        let around = Envelope::of(&envelope, &["event_id", "type", "created_at", "data"])
            .and(&envelope.object("/data"), &["object", "id", "type"]);
        let money = money(&object);
        let event = |id: &str, canonical: Option<&str>| Event {
            subject: subject(&object).or_else(|| envelope.name("/data/id")),
            time: envelope.rfc3339("/created_at"),
            money: money.clone(),
            labels: labels_of(request, &envelope, &object),
            ..Event::new(
                id,
                event_type(canonical, "square", &own),
                around.around(written.or_else(|| envelope.at("/data")), body),
            )
        };
        let Some((reached, of_state)) = canonical::reached(&own, &object, money.as_ref()) else {
            return Ok(vec![event(&id, canonical)]);
        };
        let fact = event(&of_state, Some(reached));
        Ok(if own.ends_with(".created") {
            vec![event(&id, canonical), fact]
        } else {
            // If the state was reported before, only this second event is new.
            vec![fact, event(&id, None)]
        })
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// Whether it is about real money, from an unsigned header that never decides anything else.
fn livemode(request: &Request) -> Option<bool> {
    match request.header("square-environment")?.to_ascii_lowercase().as_str() {
        "production" => Some(true),
        "sandbox" => Some(false),
        _ => None,
    }
}

/// The payment, if the object belongs to one, so that everything about a payment has one subject;
/// else the object itself.
fn subject(object: &Members<'_>) -> Option<String> {
    let payment = object.name("/disputed_payment/payment_id");
    payment.or_else(|| object.name("/payment_id")).or_else(|| object.name("/id"))
}

fn money(object: &Members<'_>) -> Option<Money> {
    // An invoice with one request has the paid amount; of several requests none has the sum.
    const PAID: (&str, &str) = (
        "/payment_requests/0/total_completed_amount_money/amount",
        "/payment_requests/0/total_completed_amount_money/currency",
    );
    let is_one = object.items("/payment_requests").len() == 1;
    let of_itself = [
        ("/amount_money/amount", "/amount_money/currency"),
        // A payout has its currency here.
        ("/amount_money/amount", "/amount_money/currency_code"),
    ];
    object.first_minor(&is_one.then_some(PAID).into_iter().chain(of_itself).collect::<Vec<_>>())
}

fn labels_of(
    request: &Request,
    envelope: &Members<'_>,
    object: &Members<'_>,
) -> Vec<(String, String)> {
    let brand = object.word("/card_details/card/card_brand");
    labels([
        (
            "country",
            object.name("/billing_address/country").or_else(|| object.name("/address/country")),
        ),
        ("method", object.word("/source_type")),
        ("card_brand", brand.or_else(|| object.word("/card_brand"))),
        ("decline_code", object.name("/card_details/errors/0/code")),
        ("risk", object.word("/risk_evaluation/risk_level")),
        ("account", envelope.first_label(&["/merchant_id"])),
        ("livemode", livemode(request).map(|live| live.to_string())),
        ("reference", object.first_label(REFERENCES)),
    ])
}

hookgate_sdk::export!(provider: Square);
