//! Flutterwave: v4, signed over the body, and v3, which sends the secret hash itself.
//!
//! The setting `version` says which of the two a source accepts. Without it, every proof that the
//! request carries must hold, and at least one must be there: if an attacker removes one, the other
//! must still hold. Whoever sees one v3 request knows its hash, which also signs v4. So an event is
//! worth more than the hash only with `version = "v4"`: set it if a source gets only v4.
//!
//! Accounts from before v3 still get flat bodies with that hash. There the charge is the body
//! itself, with the members `event.type` and `txRef`, or a transfer is the member `transfer`.

mod canonical;

use std::borrow::Cow;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, HeaderToken, Json, Members, Money, Piece,
    ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, Timestamp, Worth, event_type,
    json, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Flutterwave;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Without it, each proof that a request carries must hold.
    version: Option<Version>,
}

/// A version of webhooks, which decides the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Version {
    /// The secret hash in `verif-hash`.
    V3,
    /// An HMAC in `flutterwave-signature`.
    V4,
}

const TOKEN_NAME: &str = "verif-hash";
const TOKEN: HeaderToken = HeaderToken::new(TOKEN_NAME);
const SIGNATURE_NAME: &str = "flutterwave-signature";
const SIGNATURE: HeaderMac = HeaderMac::base64(SIGNATURE_NAME);

/// Places of the time, in all versions.
const TIMES: [&str; 5] =
    ["/created_at", "/created_datetime", "/disburse_datetime", "/createdAt", "/date_created"];
/// Places of the merchant's account; in flat bodies it is a member of the customer.
const ACCOUNTS: &[&str] = &["/account_id", "/AccountId", "/customer/AccountId"];
/// Places of the merchant's own reference.
const REFERENCES: &[&str] = &["/tx_ref", "/txRef", "/reference", "/orderRef"];

impl Provider for Flutterwave {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("flutterwave", env!("CARGO_PKG_VERSION"), canonical::TYPES, proofs)
            .or_worth(ProofKind::Mac, Worth::Weak)
            .with_scheme("HMAC-SHA256 of the body (v4), or the secret hash (v3)")
            .with_settings([Setting::choice(
                "version",
                &["v4", "v3"],
                "the version of webhooks that the source accepts; without it, each proof that a \
                 request carries must hold, and every event has the label `proof`",
            )])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let version = Self::settings().version;
        let has = |name| version.is_none() && request.header(name).is_some();
        let mut evidence = Vec::new();
        if version == Some(Version::V3) || has(TOKEN_NAME) {
            evidence.push(TOKEN.evidence(request)?);
        }
        if version == Some(Version::V4) || has(SIGNATURE_NAME) {
            let signed = SIGNATURE.evidence(request, vec![Piece::Body])?;
            // Whoever overheard the hash, where it is accepted too, can sign with it.
            evidence.push(if version.is_some() { signed } else { signed.worth(Worth::Weak) });
        }
        if evidence.is_empty() {
            return Err(Refusal::new(format!(
                "the request has neither header `{SIGNATURE_NAME}` nor `{TOKEN_NAME}`"
            )));
        }
        Ok(Claims::all(evidence, [event_id(request)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let Notification { own, known_as, object: written } = notification(body, &envelope)?;
        let object = written.map(Json::members).unwrap_or_default();
        let status = object.word("/status").unwrap_or_default();
        let canonical = canonical::event_type(&known_as, &status);
        let around = ["event", "type", "event.type", "data", "transfer", "webhook_id", "id"];
        let is_flat = written == Some(body);
        let around = if is_flat { Envelope::default() } else { Envelope::of(&envelope, &around) };
        let data = around.around(written, body);
        Ok(vec![Event {
            subject: subject(&object),
            time: TIMES.iter().find_map(|pointer| object.rfc3339(pointer)),
            money: money(&object),
            labels: labels([
                ("country", object.name("/card/country")),
                (
                    "method",
                    object
                        .word("/payment_type")
                        .or_else(|| object.word("/payment_method/type"))
                        .or_else(|| flat_method(&envelope)),
                ),
                (
                    "card_brand",
                    object
                        .word("/card/type")
                        .or_else(|| object.word("/payment_method/card/network")),
                ),
                ("decline_code", declined(&object)),
                ("account", object.first_label(ACCOUNTS)),
                ("livemode", is_mock(&object).then(|| "false".to_owned())),
                ("reference", object.first_label(REFERENCES).or_else(|| object.custom("/meta"))),
            ]),
            ..Event::new(event_id(request), event_type(canonical, "flutterwave", &own), data)
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        request.remove_header(TOKEN_NAME);
        request.remove_header(SIGNATURE_NAME);
        match Self::settings().version {
            Some(Version::V3) => TOKEN.sign(request, digests),
            Some(Version::V4) | None => SIGNATURE.sign(request, digests),
        }
    }
}

/// The names and the object of a body, in any version.
struct Notification<'a> {
    /// Flutterwave's name of the event.
    own: String,
    /// The name in v3 for the same event, by which the canonical type is found.
    known_as: String,
    object: Option<Json<'a>>,
}

fn notification<'a>(body: Json<'a>, envelope: &Members<'a>) -> Result<Notification<'a>, Failure> {
    let named = envelope.first_name(&["/event", "/type"]);
    if let Some(own) = named.filter(|_| !is_flat(envelope)) {
        return Ok(Notification { known_as: own.clone(), own, object: envelope.at("/data") });
    }
    if !is_flat(envelope) {
        return Err(Failure::permanent(
            "the body names no event, and is not a flat charge or transfer",
        ));
    }
    let transfer = envelope.at("/transfer").filter(|transfer| transfer.raw() != "null");
    let otherwise = if transfer.is_some() { "transfer" } else { "charge" };
    let own = envelope.word("/event.type").unwrap_or_else(|| otherwise.to_owned());
    let known_as = if transfer.is_some() {
        "transfer.completed".to_owned()
    } else if own == "charge" || own.ends_with("_transaction") {
        "charge.completed".to_owned()
    } else {
        own.clone()
    };
    Ok(Notification { own, known_as, object: Some(transfer.unwrap_or(body)) })
}

/// Whether the object is the body itself, or its `transfer`.
fn is_flat(envelope: &Members<'_>) -> bool {
    let marks = ["/event.type", "/txRef", "/flwRef", "/transfer"];
    let marked = marks.iter().any(|pointer| envelope.at(pointer).is_some());
    marked && envelope.at("/data").is_none()
}

/// The payment method of a flat body: `CARD_TRANSACTION`.
fn flat_method(envelope: &Members<'_>) -> Option<String> {
    let own = envelope.word("/event.type").filter(|_| is_flat(envelope))?;
    own.strip_suffix("_transaction").map(ToOwned::to_owned)
}

/// Whether it is a test: only Flutterwave's test mode gives such references.
fn is_mock(object: &Members<'_>) -> bool {
    let reference = object.first_name(&["/flw_ref", "/flwRef"]);
    reference.is_some_and(|reference| reference.starts_with("FLW-MOCK"))
}

/// Flutterwave's own id in v4, else one derived from the whole body. The id in a flat body is the
/// charge's.
fn event_id(request: &Request) -> String {
    let pointers = ["/webhook_id", "/id", "/type"];
    let [webhook, own, kind] = json::peek_all(&request.body, pointers);
    request.event_id(webhook.or(own.filter(|_| kind.is_some())).map(Cow::into_owned))
}

/// The charge, by Flutterwave's own id, which refunds and chargebacks also name.
fn subject(object: &Members<'_>) -> Option<String> {
    object.first_name(&["/charge_id", "/tx_id", "/id", "/tx_ref", "/reference"])
}

/// The amount. A transfer between two currencies without a `currency` of its own has none, because
/// the amount could be in either.
fn money(object: &Members<'_>) -> Option<Money> {
    let from = object.name("/source_currency");
    let into = object.name("/destination_currency");
    let currency = if from == into { "/source_currency" } else { "/currency" };
    object.first_major(&[
        ("/amount", "/currency"),
        ("/amount", currency),
        ("/amount_refunded", "/currency"),
    ])
}

/// The reason of a failure: a text in v3, a code in v4.
fn declined(object: &Members<'_>) -> Option<String> {
    let failed = object.word("/status").is_some_and(|status| status == "failed");
    let named = ["/processor_response/code", "/processor_response", "/provider_response/code"];
    failed.then(|| object.first_name(&named)).flatten()
}

hookgate_sdk::export!(provider: Flutterwave);
