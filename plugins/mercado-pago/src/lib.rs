//! Mercado Pago: an HMAC over the id of the object, of the request and the time, and never the
//! body.
//!
//! What is signed is `id:{data.id};request-id:{x-request-id};ts:{ts};`, without the parts that the
//! request lacks. The id is in the query, and Mercado Pago signs it as it stands there or in lower
//! case. The time is in seconds or in milliseconds. Nothing of the body is proven, and it says
//! neither the state nor the amount: a handler asks the API for the object, by the event's subject.
//! The body must be about the object that was signed. Notifications of QR codes are unsigned.

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, Hash, HeaderMac, HeaderParts, KeyEncoding, Live, Outline,
    Piece, Proof, ProofKind, Provider, ProviderInfo, Refusal, Request, SignedFields, Timestamp,
    When, Worth, form, json, time,
};

/// The plugin.
#[derive(Debug)]
pub struct MercadoPago;

const PARTS: HeaderParts = HeaderParts::new("x-signature").spaced();
const DIGEST: HeaderMac = HeaderMac::hex("x-signature");
const MANIFEST: SignedFields = SignedFields::assigned_by(":").joined_by(";").closed().apart();
const REQUEST_ID: &str = "x-request-id";
/// Times of more digits are in milliseconds.
const SECONDS_DIGITS_MAX: usize = 10;

/// The types stay Mercado Pago's own: only the API tells what became of a payment.
const EVENT: Outline = Outline::new("mercado-pago", &["/action"])
    .typed(&[("payment.created", "payment.created")])
    .identified_by("/id")
    .subject(&["/data/id"])
    .at(&[("/date_created", When::Rfc3339)])
    .account(&["/user_id"])
    .live(Live::Flag("/live_mode"));

impl Provider for MercadoPago {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["payment.created", "mercado-pago.*"];
        ProviderInfo::new("mercado-pago", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .worth(ProofKind::Mac, Worth::Unbound)
            .with_scheme("HMAC-SHA256 of the object's id, the request's id and the time")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let parts = PARTS.read(request)?;
        let written = parts.the("ts")?;
        let at = if written.len() > SECONDS_DIGITS_MAX {
            time::from_unix_ms(written)
        } else {
            time::from_unix(written)
        };
        let at = at.ok_or_else(|| Refusal::new("`ts` is not a time"))?;
        let digest = DIGEST.digest(parts.the("v1")?);
        let digest = digest.ok_or_else(|| Refusal::new("`v1` is not a digest"))?;
        let id = signed_id(request)?;
        let lower = id.as_ref().map(|id| id.to_lowercase());
        let mut spellings = vec![id, lower];
        spellings.dedup();
        let mut proofs = Vec::new();
        for id in spellings {
            let message = vec![Piece::from(manifest(request, id.as_deref(), written)?)];
            let digests = vec![digest.clone()];
            proofs.push(Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, digests));
        }
        let claims = Claims::new(Evidence::any(proofs), [EVENT.event_id(request)]);
        Ok(claims.with_signing_time(at))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        // Notifications of older kinds have no action.
        let action = json::peek(&request.body, "/action");
        let has_action = action.is_some_and(|action| !action.is_empty());
        let outline = if has_action { EVENT } else { EVENT.named(&["/type"]) };
        Ok(vec![outline.event(request)?])
    }

    fn sign(
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        if form::peek(query(&request).as_bytes(), "data.id").is_none() {
            let id = json::peek_scalar(&request.body, "/data/id").unwrap_or_default().into_owned();
            let field = form::with_field(query(&request).as_bytes(), "data.id", &id);
            let path = request.url.split('?').next().unwrap_or_default();
            request.url = format!("{path}?{}", String::from_utf8_lossy(&field));
        }
        let digest = DIGEST.written(digests)?;
        let ts = signed_at.to_string();
        Ok(PARTS.write(request, &[("ts", ts.as_str()), ("v1", digest.as_str())]))
    }
}

fn query(request: &Request) -> String {
    request.url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default()
}

/// The id in the query, which is signed. Refuses a body about another object.
fn signed_id(request: &Request) -> Result<Option<String>, Refusal> {
    let id = form::peek(query(request).as_bytes(), "data.id").filter(|id| !id.is_empty());
    let said = json::peek_scalar(&request.body, "/data/id");
    let differs = |said: &str| id.as_deref().is_none_or(|id| !said.eq_ignore_ascii_case(id));
    if said.as_deref().is_some_and(differs) {
        return Err(Refusal::new("the body is about another object than the query"));
    }
    Ok(id)
}

/// The signed text: what the request lacks is left out.
fn manifest(request: &Request, id: Option<&str>, ts: &str) -> Result<String, Refusal> {
    let request_id = match request.header(REQUEST_ID) {
        Some(_) => Some(request.the_header(REQUEST_ID)?),
        None => None,
    };
    let all = [("id", id), ("request-id", request_id), ("ts", Some(ts))];
    let there: Vec<(&str, &str)> =
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    MANIFEST.text(&there)
}

hookgate_sdk::export!(provider: MercadoPago);
