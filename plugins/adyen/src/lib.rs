//! Adyen: payment notifications, signed item by item, and platform webhooks, signed as a whole.
//!
//! Which of the two a request is, is decided by what proves it and nothing else: a request with the
//! header `HmacSignature` must be proven by it, whatever is inside; without it every item must
//! prove itself. Taking the header away leaves items that must hold by themselves, adding one
//! leaves a header that does not hold, so neither talks this plugin into less. Nor does a signature
//! of one scheme serve in the other: what an item signs is no JSON document, and what reads like a
//! platform webhook's body has no amount, event code and success where `item` wants them. Only JSON
//! is taken: a notification as a form or in SOAP, which an older endpoint may still ask Adyen for,
//! is refused.

mod batch;
mod canonical;
mod item;
mod platform;
mod settings;

use hookgate_sdk::{
    Claims, Configured, Event, Failure, HeaderMac, KeyEncoding, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Reply, Request, Timestamp,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Adyen;

/// The header that signs a platform webhook.
const HEADER: &str = "hmacsignature";
/// What signs a webhook as a whole, and how an item's digest is written.
const SIGNATURE: HeaderMac = HeaderMac::base64(HEADER).with_key(KeyEncoding::Hex);

impl Provider for Adyen {
    fn describe() -> ProviderInfo {
        ProviderInfo {
            // Older endpoints of Adyen wait for this text and take nothing else as an answer.
            reply: Some(Reply {
                status: 200,
                content_type: "text/plain".to_owned(),
                body: b"[accepted]".to_vec(),
            }),
            ..ProviderInfo::new(
                "adyen",
                env!("CARGO_PKG_VERSION"),
                canonical::TYPES,
                &[ProofKind::Mac],
            )
            .with_scheme(
                "HMAC-SHA256 of each item, or of the body in `HmacSignature`; the key is hex",
            )
        }
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.header(HEADER).is_none() {
            return batch::claim(request.content(), &Settings::read().map_err(Refusal::new)?);
        }
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, platform::event_id(&request.body)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        if body.at("/notificationItems").is_some() {
            batch::parse(request.content(), &Settings::read().map_err(Failure::permanent)?)
        } else {
            platform::parse(body, &request.body).map(|event| vec![event])
        }
    }

    fn sign(
        mut request: Request,
        _signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        request.remove_header(HEADER);
        if let Some(body) = batch::sign(request.content(), digests)? {
            request.body = body;
            return Ok(request);
        }
        request.set_header("protocol", "HmacSHA256");
        SIGNATURE.sign(request, digests)
    }
}

hookgate_sdk::export!(provider: Adyen);
