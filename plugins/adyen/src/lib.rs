//! Adyen: payment notifications, signed item by item, and platform webhooks, signed as a whole.
//!
//! The proof alone decides which of the two a request is. If the header `HmacSignature` is there,
//! it must prove the request, whatever the body is; otherwise every item must prove itself. If an
//! attacker removes the header, the items must still hold; if an attacker adds one, it does not
//! hold. A signature of one scheme never serves in the other: the text that Adyen signs for an item
//! is not a JSON document, and the body of a platform webhook has no amount, event code and success
//! at the places where `item` requires them. Only JSON is accepted. An older endpoint may still be
//! set to forms or SOAP at Adyen: this plugin refuses both.

mod batch;
mod canonical;
mod item;
mod platform;
mod settings;

use hookgate_sdk::{
    Answer, Claims, Event, Failure, HeaderMac, KeyEncoding, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, Worth,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Adyen;

/// The header that signs a platform webhook.
const HEADER: &str = "hmacsignature";
/// The proof of a platform webhook; an item's digest is written in the same way.
const SIGNATURE: HeaderMac = HeaderMac::base64(HEADER).with_key(KeyEncoding::Hex);

impl Provider for Adyen {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("adyen", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme(
                "HMAC-SHA256 of each item, or of the body (`HmacSignature`); the key is hex",
            )
            // The signature of an item covers only some of its values.
            .or_worth(ProofKind::Mac, Worth::Unbound)
            // Older endpoints of Adyen accept no other answer than this text.
            .with_reply(Answer::new("text/plain", "[accepted]"))
            .with_settings(Settings::declared())
    }

    fn check(settings: &Settings) -> Result<(), String> {
        match settings.merchant_account.as_deref() {
            Some("") => Err("`merchant_account` is empty".to_owned()),
            Some(account) if account.contains(':') => {
                Err("`merchant_account` must not contain a colon".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.header(HEADER).is_none() {
            return batch::claim(request.content(), Self::settings());
        }
        SIGNATURE.claim(request, platform::event_id(&request.body))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        if body.at("/notificationItems").is_some() {
            batch::parse(request.content(), Self::settings())
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
