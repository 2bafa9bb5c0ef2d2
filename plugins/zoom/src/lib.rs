//! Zoom: an HMAC over `v0:{time}:{body}`.
//!
//! Zoom prescribes no tolerance; a source may set one. Zoom gives no event ids, so an id is derived
//! from the body, which a retry repeats. The validation challenge (`endpoint.url_validation`) is
//! signed like any other request, and its answer is a digest of its token. No text that could be a
//! signed request is ever digested for an answer.

use hookgate_sdk::{
    AnswerPiece, Claims, Envelope, Event, Failure, Handshake, Hash, HeaderMac, KeyEncoding,
    ProofKind, Provider, ProviderInfo, Refusal, Request, StampedMac, Timestamp, event_type, id,
    json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Zoom;

const SIGNATURE: StampedMac =
    StampedMac::new(HeaderMac::hex("x-zm-signature").with_prefix("v0="), "x-zm-request-timestamp")
        .with_lead("v0:")
        .with_joint(":");

/// Places of the app's own reference of a participant.
const REFERENCES: &[&str] = &[
    "/object/participant/customer_key",
    "/object/registrant/customer_key",
    "/object/customer_key",
];

/// The event that is a validation challenge.
const VALIDATION: &str = "endpoint.url_validation";

impl Provider for Zoom {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("zoom", env!("CARGO_PKG_VERSION"), &["zoom.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `x-zm-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let own = json::peek(&request.body, "/event").filter(|own| own != VALIDATION);
        let claims = SIGNATURE.claim(request, own.map(|_| id::derived(&[&request.body])))?;
        Ok(claims.with_handshake(validation(&request.body)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event")?;
        if own == VALIDATION {
            return Ok(Vec::new());
        }
        let around = Envelope::of(&envelope, &["event", "event_ts", "payload"]);
        let data = around.around(envelope.at("/payload"), body);
        let payload = envelope.object("/payload");
        Ok(vec![Event {
            subject: payload.first_name(&["/object/id", "/object/uuid"]),
            time: envelope.unix_ms("/event_ts"),
            labels: labels([
                ("account", payload.first_label(&["/account_id", "/object/account_id"])),
                ("reference", payload.first_label(REFERENCES)),
            ]),
            ..Event::new(request.event_id(None), event_type(None, "zoom", &own), data)
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// The answer to a validation challenge; `None` for any other request.
fn validation(body: &[u8]) -> Option<Handshake> {
    json::peek(body, "/event").filter(|own| own == VALIDATION)?;
    let token = json::peek(body, "/payload/plainToken")?;
    // Signed texts begin like this: a digest of one would be a valid signature.
    if token.starts_with("v0:") {
        return None;
    }
    let plain = format!(r#"{{"plainToken":{},"encryptedToken":""#, json::quoted(&token));
    let digest = AnswerPiece::hex_hmac(Hash::Sha256, KeyEncoding::Text, token);
    Some(Handshake::json([plain.into(), digest, "\"}".into()]))
}

hookgate_sdk::export!(provider: Zoom);
