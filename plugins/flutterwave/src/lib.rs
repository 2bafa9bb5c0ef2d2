//! Flutterwave: v4, signed over the body, and v3, which sends the secret hash itself.
//!
//! Which of the two a source takes is a setting. Without it the proof that is there must hold, and
//! where both are, both: taking one away leaves the other, which only who knows the secret can make.
//! A v3 hash can be read by whoever sees one request, so a source that is all v4 should say so.

mod canonical;
mod settings;

use hookgate_sdk::{
    Claims, Configured, Event, Failure, HeaderMac, HeaderToken, InvalidMoney, Members, Money,
    Piece, ProofKind, Provider, ProviderInfo, Refusal, Request, Timestamp, event_type, id, json,
    labels,
};

use crate::settings::{Settings, Version};

/// The plugin.
#[derive(Debug)]
pub struct Flutterwave;

const TOKEN_NAME: &str = "verif-hash";
const TOKEN: HeaderToken = HeaderToken::new(TOKEN_NAME);
const SIGNATURE_NAME: &str = "flutterwave-signature";
const SIGNATURE: HeaderMac = HeaderMac::base64(SIGNATURE_NAME);

impl Provider for Flutterwave {
    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("flutterwave", env!("CARGO_PKG_VERSION"), canonical::TYPES, proofs)
            .with_scheme("HMAC-SHA256 of the body (v4), or the secret hash (v3)")
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let version = Settings::read().map_err(Refusal::new)?.version;
        let has = |name| version.is_none() && request.header(name).is_some();
        let mut evidence = Vec::new();
        if version == Some(Version::V3) || has(TOKEN_NAME) {
            evidence.push(TOKEN.evidence(request)?);
        }
        if version == Some(Version::V4) || has(SIGNATURE_NAME) {
            evidence.push(SIGNATURE.evidence(request, vec![Piece::Body])?);
        }
        if evidence.is_empty() {
            return Err(Refusal::new(format!("neither `{SIGNATURE_NAME}` nor `{TOKEN_NAME}`")));
        }
        Ok(Claims {
            evidence,
            signed_at: None,
            event_ids: vec![event_id(&request.body)],
            handshake: None,
            reply: None,
        })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event").or_else(|_| envelope.required("/type"))?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object.word("/status").unwrap_or_default());
        let data = envelope.at("/data").unwrap_or(body);
        let time = ["/created_at", "/created_datetime", "/disburse_datetime"];
        Ok(vec![Event {
            subject: subject(&object),
            time: time.into_iter().find_map(|pointer| object.rfc3339(pointer)),
            money: money(&object)?,
            labels: labels([
                ("country", object.name("/card/country")),
                (
                    "method",
                    object.word("/payment_type").or_else(|| object.word("/payment_method/type")),
                ),
                (
                    "card_brand",
                    object
                        .word("/card/type")
                        .or_else(|| object.word("/payment_method/card/network")),
                ),
                ("decline_code", declined(&object)),
            ]),
            ..Event::new(
                event_id(&request.body),
                event_type(canonical, "flutterwave", &own)?,
                data.raw(),
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        request.remove_header(TOKEN_NAME);
        request.remove_header(SIGNATURE_NAME);
        match Settings::read()?.version {
            Some(Version::V3) => TOKEN.sign(request, digests),
            Some(Version::V4) | None => SIGNATURE.sign(request, digests),
        }
    }
}

/// Flutterwave's own in v4, else what a retry repeats: the event, the object and the state it is in.
fn event_id(body: &[u8]) -> String {
    let pointers = ["/webhook_id", "/id", "/event", "/type", "/data/id", "/data/status"];
    let named = json::peek_all(body, pointers).map(|name| name.filter(|name| !name.is_empty()));
    let [webhook, own, event, kind, object, status] = named;
    if let Some(own) = webhook.or(own) {
        return id::of(own.into_owned());
    }
    match (event.or(kind), object, status) {
        (Some(event), Some(object), Some(status)) => id::of(format!("{event}:{object}:{status}")),
        _ => id::derived(&[body]),
    }
}

/// The charge, under Flutterwave's own id, which is what refunds and chargebacks name.
fn subject(object: &Members<'_>) -> Option<String> {
    object.first_name(&["/charge_id", "/tx_id", "/id", "/tx_ref", "/reference"])
}

/// A transfer may be from one currency into another, and then its amount could be of either.
fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    let (from, into) = (object.name("/source_currency"), object.name("/destination_currency"));
    let currency = if from == into { "/source_currency" } else { "/currency" };
    for (amount, currency) in
        [("/amount", "/currency"), ("/amount", currency), ("/amount_refunded", "/currency")]
    {
        if let Some(money) = object.major(amount, currency)? {
            return Ok(Some(money));
        }
    }
    Ok(None)
}

/// A text in v3, a code in v4; of what failed.
fn declined(object: &Members<'_>) -> Option<String> {
    let failed = object.word("/status").is_some_and(|status| status == "failed");
    let named = ["/processor_response/code", "/processor_response", "/provider_response/code"];
    failed.then(|| object.first_name(&named)).flatten()
}

hookgate_sdk::export!(provider: Flutterwave);
