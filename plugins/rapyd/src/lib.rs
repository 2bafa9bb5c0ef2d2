//! Rapyd: an HMAC over URL, salt, time, access key, secret and body, with nothing between them. The
//! key is the secret too, and the signature is the base64 of the digest in hexadecimal.
//!
//! The URL is a setting, because behind a proxy a request does not have it; it must be byte for
//! byte the URL that is registered with Rapyd. The access key is a header, which some proxies drop,
//! so it may be a setting too. Rapyd prescribes no tolerance; a source may set one.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, KeyEncoding, Members, Money, Piece, ProofKind,
    Provider, ProviderInfo, Refusal, Request, Setting, Timestamp, base64, event_type, json, labels,
    time,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Rapyd;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The URL of the webhooks, byte for byte as it is registered with Rapyd.
    url: String,
    /// Without it, the header of each request has it. The signature covers it in either case.
    access_key: Option<String>,
}

const SIGNATURE: &str = "signature";
const SALT: &str = "salt";
const TIME: &str = "timestamp";
const ACCESS_KEY: &str = "access_key";
/// The digest within the base64 of the signature.
const DIGEST: HeaderMac = HeaderMac::hex(SIGNATURE);

/// What the settings do.
const URL: &str = "the URL of the webhooks, byte for byte as it is registered with Rapyd";
const KEY: &str = "the access key; without it, the header `access_key` of each request has it";

const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "subscription.*", "invoice.*", "payout.*", "rapyd.*"];
/// Places of the payment, so that everything about a payment has one subject; else of the object.
const SUBJECTS: &[&str] = &["/payment", "/original_transaction_id", "/id"];

impl Provider for Rapyd {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let url = Setting::url("url", "https://pay.example/in/rapyd", URL);
        let key = Setting::text(ACCESS_KEY, "rak_A1B2C3D4E5F6", KEY);
        ProviderInfo::new("rapyd", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of URL, salt, time, access key, secret and body, `signature`")
            .with_settings([url.required(), key])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let Settings { url, access_key } = Self::settings();
        let access_key = match access_key {
            Some(known) => known.as_str(),
            None => request.the_header(ACCESS_KEY)?,
        };
        let (written, at) = request.the_time(TIME)?;
        let salt = request.the_header(SALT)?;
        let digest = digest(request.the_header(SIGNATURE)?)
            .ok_or_else(|| Refusal::new(format!("header `{SIGNATURE}` is not a valid digest")))?;
        let lead = format!("{url}{salt}{written}{access_key}");
        let message = vec![Piece::from(lead), Piece::secret(KeyEncoding::Text), Piece::Body];
        let mac = DIGEST.evidence_of(message, vec![digest]);
        Ok(Claims::new(mac, json::peek(&request.body, "/id")).with_signing_time(at))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let object = envelope.object("/data");
        let around = Envelope::of(&envelope, &["id", "type", "created_at", "data"]);
        let canonical = canonical(&own, &object);
        Ok(vec![Event {
            subject: object.first_name(SUBJECTS),
            time: envelope.unix("/created_at"),
            money: money(&object),
            labels: labels([
                ("country", object.name("/country_code")),
                ("method", object.word("/payment_method_type")),
                ("decline_code", object.name("/failure_code")),
                ("account", envelope.first_label(&["/organization_id"])),
                ("reference", object.first_label(&["/merchant_reference_id"])),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical.as_deref(), "rapyd", &own),
                around.around(envelope.at("/data"), body),
            )
        }])
    }

    fn sign(mut request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let known = Self::settings().access_key.as_deref();
        request.set_header(ACCESS_KEY, known.unwrap_or("rak_hookgate"));
        request.set_header(SALT, "hookgate");
        request.set_header(TIME, time::to_unix(at).to_string());
        request.set_header(SIGNATURE, base64::encode(DIGEST.written(digests)?.as_bytes()));
        Ok(request)
    }
}

/// The digest in a signature.
fn digest(signature: &str) -> Option<Vec<u8>> {
    let hexadecimal = base64::decode(signature)?;
    DIGEST.digest(str::from_utf8(&hexadecimal).ok()?)
}

/// The canonical type, if there is one. `PAYMENT_SUCCEEDED` reports again what the answer of
/// Rapyd's API and `PAYMENT_COMPLETED` report.
fn canonical(own: &str, object: &Members<'_>) -> Option<String> {
    let known = match own {
        "PAYMENT_COMPLETED" => "payment.succeeded",
        "PAYMENT_FAILED" => "payment.failed",
        "PAYMENT_CANCELED" | "PAYMENT_EXPIRED" => "payment.canceled",
        "REFUND_COMPLETED" => "refund.succeeded",
        "PAYMENT_REFUND_FAILED" | "PAYMENT_REFUND_REJECTED" => "refund.failed",
        "PAYMENT_DISPUTE_CREATED" => "dispute.opened",
        "PAYMENT_DISPUTE_UPDATED" => match &*object.text("/status").unwrap_or_default() {
            "WIN" => "dispute.won",
            "LOS" => "dispute.lost",
            _ => return None,
        },
        "CUSTOMER_SUBSCRIPTION_CREATED" => "subscription.created",
        "CUSTOMER_SUBSCRIPTION_UPDATED" => "subscription.updated",
        "CUSTOMER_SUBSCRIPTION_CANCELED" => "subscription.canceled",
        "INVOICE_PAYMENT_SUCCEEDED" => "invoice.paid",
        "INVOICE_PAYMENT_FAILED" => "invoice.failed",
        "PAYOUT_COMPLETED" => "payout.paid",
        _ => return Some(format!("payout.{}", own.strip_prefix("PAYOUT_")?.to_lowercase())),
    };
    Some(known.to_owned())
}

/// The amount; of a payment that is not paid the one that was requested, because `amount` is 0.
fn money(object: &Members<'_>) -> Option<Money> {
    const REQUESTED: (&str, &str) = ("/original_amount", "/currency_code");
    let requested = (object.flag("/paid") == Some(false)).then_some(REQUESTED);
    let amounts = [("/amount", "/currency_code"), ("/amount", "/currency")];
    object.first_major(&requested.into_iter().chain(amounts).collect::<Vec<_>>())
}

hookgate_sdk::export!(provider: Rapyd);
