//! Twilio: an HMAC-SHA1 over the URL and the sorted fields of a form. For JSON it covers only the
//! URL, whose `bodySHA256` is the hash of the body.
//!
//! The URL is a setting, without its query, which comes from the request. Twilio may sign the URL
//! with or without its port, so both are accepted. JSON is refused if its hash is not in the query,
//! because the signature would not cover it. Twilio signs the names and values of a form without
//! separators. So whoever has a genuine request can move the boundary between a name and a value,
//! and no receiver can notice.
//!
//! The reply to an incoming call or message is an empty `<Response/>`, so that Twilio does nothing
//! more; the reply to any other request is 204. The gateway refuses callbacks by GET, because it
//! never stores a GET: choose POST for every URL in Twilio's console.

mod answer;
mod event;
mod settings;
mod signed;

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, HeaderMac, Hmac, Piece, ProofKind, Provider, ProviderInfo,
    Refusal, Reply, Request, Timestamp,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Twilio;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-twilio-signature").with_algorithm(Hmac::Sha1);

impl Provider for Twilio {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        ProviderInfo::new("twilio", env!("CARGO_PKG_VERSION"), &["twilio.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA1 of URL and form, `X-Twilio-Signature`; POST only")
            .with_reply(Reply::no_content())
    }

    fn check(settings: &Settings) -> Result<(), String> {
        let urls = settings.urls().map(drop);
        urls.ok_or_else(|| "`url` must be the whole URL that Twilio calls".to_owned())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mut proofs = Vec::new();
        let (messages, fields) = signed::messages(request, Self::settings())?;
        for message in messages {
            proofs.extend(SIGNATURE.evidence(request, vec![Piece::from(message)])?.proofs);
        }
        let claims = Claims::new(Evidence::any(proofs), event::id_of_form(request));
        Ok(claims.with_reply(answer::to(&fields)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        event::parse(request)
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(signed::bound(request), digests)
    }
}

hookgate_sdk::export!(provider: Twilio);
