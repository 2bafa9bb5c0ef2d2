//! Twilio: an HMAC-SHA1 over the URL and the sorted fields of a form; of JSON, over the URL alone,
//! in which `bodySHA256` stands for the body.
//!
//! The URL that Twilio knows is a setting, up to its query, which is the request's own. Twilio may
//! have signed it with or without its port, so either will do. JSON whose hash is not in the query
//! is bound by nothing and refused. The names and values of a form are signed with nothing between
//! them, so who holds a genuine request can move where one ends and the next begins; no plugin can
//! tell.
//!
//! A call or a message that comes in is answered with an empty `<Response/>`, so that Twilio does
//! nothing more; anything else with 204. Callbacks by GET are refused: choose POST for every URL in
//! Twilio's console, since a GET is never stored.

mod answer;
mod event;
mod settings;
mod signed;

use hookgate_sdk::{
    Claims, Configured, Event, Evidence, Failure, HeaderMac, Hmac, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Reply, Request, Timestamp,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Twilio;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-twilio-signature").with_algorithm(Hmac::Sha1);

impl Provider for Twilio {
    fn describe() -> ProviderInfo {
        ProviderInfo::new("twilio", env!("CARGO_PKG_VERSION"), &["twilio.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA1 of URL and form, `X-Twilio-Signature`; POST only")
            .with_reply(Reply::no_content())
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Settings::read().map_err(Refusal::new)?;
        let mut proofs = Vec::new();
        let (messages, fields) = signed::messages(request, &settings)?;
        for message in messages {
            proofs.extend(SIGNATURE.evidence(request, vec![Piece::from(message)])?.proofs);
        }
        let claims = Claims::new(Evidence::any(proofs), event::id_of_form(request));
        Ok(Claims { reply: answer::to(&fields), ..claims })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        event::parse(request)
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(signed::bound(request), digests)
    }
}

hookgate_sdk::export!(provider: Twilio);
