//! Worldline Connect and Direct: an HMAC over the body, with a key that a header names.
//!
//! The header `X-GCS-KeyId` must be there once, as in Worldline's libraries. It is not signed, so
//! it never decides anything: the gateway tries every secret of the source. For a currency with
//! other than two decimals, the documentation of the two products differs about the unit of an
//! amount: such an event has money only if the setting `decimals` is there. Worldline first sends a
//! validation challenge by GET, and the answer is its own text. `canonical` maps events to
//! canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, Handshake, HeaderMac, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Setting, Timestamp, decimals, event_type, json, known_money,
    labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Worldline;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Without it an amount is never guessed.
    decimals: Option<Decimals>,
}

/// The number of decimals in an amount.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decimals {
    /// Always two, as Connect documents it: 1000 yen are 100000.
    Two,
    /// As many as ISO 4217 gives the currency: 1000 yen are 1000.
    Iso,
}

const SIGNATURE: HeaderMac = HeaderMac::base64("x-gcs-signature");
const KEY_ID: &str = "x-gcs-keyid";
const VERIFICATION: &str = "x-gcs-webhooks-endpoint-verification";

/// Places of the merchant's own reference, in the references of a payment or a refund.
const REFERENCES: &[&str] =
    &["/merchantReference", "/merchantOrderId", "/merchantParameters", "/operationGroupReference"];

/// Longest text of a challenge.
const VERIFICATION_BYTES_MAX: usize = 256;

impl Provider for Worldline {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("worldline", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-GCS-Signature`")
            .asking_by("GET")
            .with_settings([Setting::choice(
                "decimals",
                &["two", "iso"],
                "the decimals of an amount: always two (Connect), or those of ISO 4217; without \
                 it, no amount of a currency with other than two decimals is read",
            )])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.method == "GET" {
            return verification(request);
        }
        request.the_header(KEY_ID)?;
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        // An event about a `payment` carries it under that name, and its amounts in its output.
        let kind = own.split('.').next().unwrap_or_default();
        let object = envelope.object(&format!("/{kind}"));
        let output = output(&object, kind);
        let method = output.name("/paymentMethod");
        let card = output.object("/cardPaymentMethodSpecificOutput");
        let canonical = canonical::event_type(&own, method.as_deref().unwrap_or_default());
        let failed = canonical.is_some_and(|canonical| canonical.ends_with(".failed"));
        let code = failed.then(|| declined(&object)).flatten();
        let around = Envelope::of(&envelope, &["id", "type", "created", kind]);
        let data = around.around(envelope.at(&format!("/{kind}")), body);
        Ok(vec![Event {
            subject: subject(&object),
            time: envelope.rfc3339("/created"),
            money: money(&output.object("/amountOfMoney"), Self::settings().decimals),
            labels: labels([
                ("country", card.name("/card/countryCode")),
                ("method", method),
                ("card_brand", card.name("/paymentProductId").and_then(|id| brand(&id))),
                ("decline_code", code),
                ("risk", card.word("/fraudResults/fraudServiceResult")),
                ("account", envelope.first_label(&["/merchantId"])),
                ("reference", output.object("/references").first_label(REFERENCES)),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical, "worldline", &own),
                data,
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        if request.header(KEY_ID).is_none() {
            request.set_header(KEY_ID, "hookgate");
        }
        SIGNATURE.sign(request, digests)
    }
}

/// Answers a validation challenge with its own text.
fn verification(request: &Request) -> Result<Claims, Refusal> {
    let text = request.the_header(VERIFICATION)?;
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.len() > VERIFICATION_BYTES_MAX || !text.bytes().all(plain) {
        return Err(Refusal::new(format!(
            "header `{VERIFICATION}` is not plain ASCII of at most {VERIFICATION_BYTES_MAX} bytes"
        )));
    }
    Ok(Claims::asking(Handshake::text([text.into()])))
}

/// The payment of a dispute, else the object itself. Direct numbers the operations on a payment,
/// `3136405348_2`: their subject is the payment.
fn subject(object: &Members<'_>) -> Option<String> {
    let id = object.name("/paymentId").or_else(|| object.name("/id"))?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match id.split_once('_') {
        Some((payment, step)) if digits(payment) && digits(step) => Some(payment.to_owned()),
        _ => Some(id),
    }
}

/// The brand of a card, by Worldline's number of the payment product.
fn brand(product: &str) -> Option<String> {
    let brand = match product {
        "1" | "114" | "122" => "visa",
        "2" => "amex",
        "3" | "119" => "mastercard",
        "117" => "maestro",
        "125" => "jcb",
        "128" => "discover",
        "130" => "cartes_bancaires",
        "132" => "diners",
        _ => return None,
    };
    Some(brand.to_owned())
}

fn output<'a>(object: &Members<'a>, kind: &str) -> Members<'a> {
    object.object(&format!("/{kind}Output"))
}

fn money(amount: &Members<'_>, known: Option<Decimals>) -> Option<Money> {
    let units = amount.name("/amount")?;
    let currency = amount.name("/currencyCode")?;
    let decimals = match (known, decimals(&currency)) {
        (Some(Decimals::Two), _) => 2,
        (Some(Decimals::Iso), decimals) => decimals,
        (None, 2) => 2,
        // A wrong guess would change the amount by a factor of 10 or 100.
        (None, _) => return None,
    };
    known_money(Money::from_minor_with(decimals, &units, &currency))
}

/// The code of a decline: `code` in Connect, `errorCode` in Direct.
fn declined(object: &Members<'_>) -> Option<String> {
    let error = object.object("/statusOutput/errors/0");
    error.name("/errorCode").or_else(|| error.name("/code"))
}

hookgate_sdk::export!(provider: Worldline);
