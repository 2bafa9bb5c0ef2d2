//! Worldline Connect and Direct: an HMAC over the body, with a key that a header names.
//!
//! The header `X-GCS-KeyId` must be there once, as in Worldline's libraries, but is not signed and so
//! decides nothing: every active key of the source is tried. The products' documentation differs in how
//! many decimals an amount has where its currency has not two: then there is money only if the settings
//! say `decimals`. Before it posts, Worldline asks by GET whether the endpoint is ours, and reads its
//! own text back. Which canonical event an event is stands in `canonical`.

mod canonical;
mod settings;

use hookgate_sdk::{
    Claims, Event, Failure, Handshake, HeaderMac, InvalidMoney, Members, Money, Piece, ProofKind,
    Provider, ProviderInfo, Refusal, Request, Timestamp, decimals, event_type, json, labels,
};

use crate::settings::{Decimals, Settings};

/// The plugin.
#[derive(Debug)]
pub struct Worldline;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-gcs-signature");
const KEY_ID: &str = "x-gcs-keyid";
const VERIFICATION: &str = "x-gcs-webhooks-endpoint-verification";

/// Longest text that is given back.
const VERIFICATION_BYTES_MAX: usize = 256;

impl Provider for Worldline {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("worldline", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-GCS-Signature`")
            .asking_by("GET")
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.method == "GET" {
            return verification(request);
        }
        request.the_header(KEY_ID)?;
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, json::peek(&request.body, "/id")))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let settings = Settings::read().map_err(Failure::permanent)?;
        let body = request.json()?;
        let envelope = body.members();
        let (id, own) = (envelope.required("/id")?, envelope.required("/type")?);
        // An event about a `payment` carries it under that name, and its amounts in its output.
        let kind = own.split('.').next().unwrap_or_default();
        let object = envelope.object(&format!("/{kind}"));
        let output = output(&object, kind);
        let method = output.name("/paymentMethod");
        let canonical = canonical::event_type(&own, method.as_deref().unwrap_or_default());
        let failed = canonical.is_some_and(|canonical| canonical.ends_with(".failed"));
        let code = failed.then(|| declined(&object)).flatten();
        let data = envelope.at(&format!("/{kind}")).unwrap_or(body);
        Ok(vec![Event {
            subject: object.name("/id"),
            time: envelope.rfc3339("/created"),
            money: money(&output.object("/amountOfMoney"), settings.decimals)?,
            labels: labels([("method", method), ("decline_code", code)]),
            ..Event::new(id, event_type(canonical, "worldline", &own)?, data.raw())
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        if request.header(KEY_ID).is_none() {
            request.set_header(KEY_ID, "hookgate");
        }
        SIGNATURE.sign(request, digests)
    }
}

/// Gives back what was asked with.
fn verification(request: &Request) -> Result<Claims, Refusal> {
    let text = request.the_header(VERIFICATION)?;
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.len() > VERIFICATION_BYTES_MAX || !text.bytes().all(plain) {
        return Err(Refusal::new(format!("header `{VERIFICATION}` is too long or no plain text")));
    }
    Ok(Claims::asking(Handshake::text([text.into()])))
}

fn output<'a>(object: &Members<'a>, kind: &str) -> Members<'a> {
    object.object(&format!("/{kind}Output"))
}

fn money(amount: &Members<'_>, known: Option<Decimals>) -> Result<Option<Money>, InvalidMoney> {
    let (Some(units), Some(currency)) = (amount.name("/amount"), amount.name("/currencyCode"))
    else {
        return Ok(None);
    };
    let decimals = match (known, decimals(&currency)) {
        (Some(Decimals::Two), _) => 2,
        (Some(Decimals::Iso), decimals) => decimals,
        (None, 2) => 2,
        // A guess would be wrong by a factor of ten or a hundred.
        (None, _) => return Ok(None),
    };
    Money::from_minor_with(decimals, &units, &currency).map(Some)
}

/// Connect calls it a code, Direct an error code.
fn declined(object: &Members<'_>) -> Option<String> {
    let error = object.object("/statusOutput/errors/0");
    error.name("/errorCode").or_else(|| error.name("/code"))
}

hookgate_sdk::export!(provider: Worldline);
