//! Bridge: an RSA signature over a hash of time and body, with a public key for each endpoint.
//!
//! Set that key, in PEM, as the source's secret. What Bridge signs is the SHA-256 of
//! `{time}.{body}`, 32 bytes, which RSA-SHA256 hashes once more. Bridge signs a retry anew, with a
//! new time and the same event id. The state of an object decides the type only where Bridge
//! reports a change of the state, because a later update has the same state. A posted card
//! transaction repeats a settled one, and keeps its own name.

use std::borrow::Cow;

use hookgate_sdk::{
    Claims, ClockRule, Digest, DigestText, Envelope, Event, Evidence, Failure, Hash, HeaderParts,
    KeyEncoding, Piece, Proof, ProofKind, Provider, ProviderInfo, PublicKey, Refusal, Request,
    Timestamp, Value, base64, event_type, json, labels, time,
};

/// The plugin.
#[derive(Debug)]
pub struct Bridge;

const SIGNATURE: HeaderParts = HeaderParts::new("x-webhook-signature");
/// Bytes of a signature by a key of 2,048 bits.
const SIGNATURE_BYTES: usize = 256;
/// The age that Bridge advises to allow.
const TOLERANCE_MS: u64 = 600_000;

const TYPES: &[&str] = &["payout.*", "transaction.*", "customer.*", "card.*", "bridge.*"];
/// Places of the object's state.
const STATES: &[&str] = &["/event_object_status", "/event_object/state", "/event_object/status"];
/// Members that hold the object, and those that the event repeats.
const AROUND: [&str; 5] =
    ["event_id", "event_type", "event_object_id", "event_object", "event_created_at"];

impl Provider for Bridge {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("bridge", version, TYPES, &[ProofKind::Signature])
            .with_scheme("RSA-SHA256 of a SHA-256 of time and body, `X-Webhook-Signature`")
            .with_tolerance(ClockRule::Both, TOLERANCE_MS)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let parts = SIGNATURE.read(request)?;
        let written = parts.the("t")?;
        let at = time::from_unix_ms(written)
            .ok_or_else(|| Refusal::new("`t` of the signature is not a time in milliseconds"))?;
        let signature = base64::decode(parts.the("v0")?)
            .filter(|signature| !signature.is_empty())
            .ok_or_else(|| Refusal::new("`v0` of the signature is not base64"))?;
        let message = vec![Piece::from(format!("{written}.")), Piece::Body];
        let hashed = Value::Digest(Digest { hash: Hash::Sha256, key: None, message });
        let signed = vec![Piece::of_value(0, DigestText::Raw)];
        let (scheme, key) = (PublicKey::RsaSha256, KeyEncoding::Pem);
        let proof = Proof::public_key(scheme, key, signed, vec![signature]);
        let id = json::peek_scalar(&request.body, "/event_id").map(Cow::into_owned);
        let claims = Claims::new(Evidence::from(proof), [request.event_id(id)]);
        Ok(claims.with_values([hashed]).with_signing_time(at))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let written = envelope.required("/event_type")?;
        let category = envelope.name("/event_category").unwrap_or_default();
        // Bridge documents `transfer.created` and, for the same event, `created`.
        let within = written.strip_prefix(&*category).and_then(|rest| rest.strip_prefix('.'));
        let change = within.unwrap_or(&written);
        let object = envelope.object("/event_object");
        let state = envelope.first_name(STATES).unwrap_or_default();
        let canonical = canonical(&category, change, &state);
        let own = format!("{category}.{change}");
        let customer = (category == "kyc_link").then(|| object.name("/customer_id")).flatten();
        let declined = (state == "denied").then(|| object.name("/status_reason")).flatten();
        let data = Envelope::of(&envelope, &AROUND).around(envelope.at("/event_object"), body);
        Ok(vec![Event {
            subject: customer
                .or_else(|| envelope.first_name(&["/event_object_id", "/event_object/id"])),
            time: envelope.rfc3339("/event_created_at"),
            money: object.major("/amount", "/currency"),
            labels: labels([
                ("decline_code", declined),
                ("account", envelope.first_label(&["/event_developer_id"])),
                ("reference", object.first_label(&["/client_reference_id"])),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/event_id")),
                event_type(canonical.as_deref(), "bridge", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, at: Timestamp, signatures: &[Vec<u8>]) -> Result<Request, String> {
        let signature = match signatures {
            [] => base64::encode(&[0; SIGNATURE_BYTES]),
            [signature] => base64::encode(signature),
            _ => return Err("the header carries only one signature".to_owned()),
        };
        let written = at.to_string();
        Ok(SIGNATURE.write(request, &[("t", written.as_str()), ("v0", signature.as_str())]))
    }
}

/// The canonical type, if there is one. A transfer and the drain of a liquidation address send
/// money on, so they are payouts.
fn canonical(category: &str, change: &str, state: &str) -> Option<String> {
    let family = match category {
        "transfer" | "liquidation_address.drain" => "payout",
        "card_transaction" | "virtual_account.activity" | "static_memo.activity" => "transaction",
        "customer" => "customer",
        "card_account" => "card",
        // A link serves to verify a customer, who has events of its own when created or deleted.
        "kyc_link" => return Some("customer.updated".to_owned()),
        _ => return None,
    };
    let plain = change.split('.').next().unwrap_or_default();
    let news = match (family, state) {
        _ if change == "updated" => plain,
        ("payout", "payment_processed") => "paid",
        ("payout", "undeliverable" | "returned") => "failed",
        ("payout", "refunded") => "refunded",
        ("payout", "canceled") | ("transaction", "reversed" | "expired") => "canceled",
        ("transaction", "settled") => "completed",
        ("transaction", "denied") => "declined",
        _ => plain,
    };
    Some(format!("{family}.{news}"))
}

hookgate_sdk::export!(provider: Bridge);
