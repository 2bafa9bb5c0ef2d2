//! Twilio: an HMAC-SHA1 over the URL and the sorted fields of a form. For JSON it covers only the
//! URL, whose `bodySHA256` is the hash of the body.
//!
//! The URL is a setting, without its query, which comes from the request. Twilio may sign the URL
//! with or without its port, so both are accepted. JSON is refused if its hash is not in the query,
//! because the signature would not cover it. Twilio signs the names and values of a form without
//! separators. So whoever has a genuine request can move the boundary between a name and a value,
//! and no receiver can notice. If the URL has a query, the values can also move into it, and one of
//! them may be the hash of another body: JSON is bound only if its hash is the whole query.
//!
//! The reply to an incoming call or message is an empty `<Response/>`, so that Twilio does nothing
//! more; the reply to any other request is 204. This plugin reads no callbacks by GET: choose POST
//! for every URL in Twilio's console.

mod answer;
mod event;
mod settings;
mod signed;

use hookgate_sdk::{
    Answer, Claims, Event, Evidence, Failure, Hash, HeaderMac, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Setting, Timestamp, Worth,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Twilio;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-twilio-signature").with_algorithm(Hash::Sha1);

impl Provider for Twilio {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        ProviderInfo::new("twilio", env!("CARGO_PKG_VERSION"), &["twilio.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA1 of URL and form, `X-Twilio-Signature`; POST only")
            // Nothing separates the signed fields of a form from each other and from the query.
            .or_worth(ProofKind::Mac, Worth::Unbound)
            .with_reply(Answer::no_content())
            .with_settings([Setting::url(
                "url",
                "https://pay.example/in/twilio",
                "the URL that Twilio calls, without its query",
            )
            .required()])
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
        let evidence = Evidence::any(proofs);
        let covered = signed::covers_body(request);
        let evidence = if covered { evidence } else { evidence.worth(Worth::Unbound) };
        let claims = Claims::new(evidence, event::id_of_form(request));
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
