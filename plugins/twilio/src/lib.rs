//! Twilio: an HMAC-SHA1 over the URL and the sorted fields of a form; of JSON, over the URL alone, in
//! which `bodySHA256` stands for the body.
//!
//! The URL that Twilio knows is a setting, up to its query, which is the request's own. Twilio may have
//! signed it with or without its port, so either will do. JSON whose hash is not in the query is bound
//! by nothing and refused. The names and values of a form are signed with nothing between them, so
//! who holds a genuine request can move where one ends and the next begins; no plugin can tell.

mod event;
mod settings;
mod signed;

use hookgate_sdk::{
    Claims, Configured, Event, Evidence, Failure, HeaderMac, Hmac, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Twilio;

const SIGNATURE: HeaderMac = HeaderMac::base64("x-twilio-signature").with_algorithm(Hmac::Sha1);

impl Provider for Twilio {
    fn describe() -> ProviderInfo {
        ProviderInfo::new("twilio", env!("CARGO_PKG_VERSION"), &["twilio.*"], &[ProofKind::Mac])
            .with_scheme("HMAC-SHA1 of URL and form, `X-Twilio-Signature`")
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Settings::read().map_err(Refusal::new)?;
        let mut proofs = Vec::new();
        for message in signed::messages(request, &settings)? {
            proofs.extend(SIGNATURE.evidence(request, vec![Piece::from(message)])?.proofs);
        }
        Ok(Claims::new(Evidence::any(proofs), event::id_of_form(request)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        event::parse(request)
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(signed::bound(request), digests)
    }
}

hookgate_sdk::export!(provider: Twilio);
