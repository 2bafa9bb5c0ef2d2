//! CloudEvents of the team's own services, proven by an HMAC over the body or by a bearer token.
//!
//! An event may be the whole body (structured mode), one of several in the body (batched mode), or
//! the body as data with the attributes in headers `ce-*` (binary mode). A digest over the body
//! does not cover headers, so with `proof = "hmac"` the binary mode is refused. A sender may first
//! ask for permission to post, by OPTIONS. Types pass as they are, canonical ones too: a service
//! may report its own payments.

mod event;
mod settings;

use hookgate_sdk::{
    Claims, Event, Failure, Handshake, Piece, ProofKind, Provider, ProviderInfo, Refusal, Request,
    Timestamp,
};

use crate::settings::{Proof, Settings};

/// The plugin.
#[derive(Debug)]
pub struct CloudEvents;

impl Provider for CloudEvents {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("cloudevents", env!("CARGO_PKG_VERSION"), &["*"], proofs)
            .with_scheme("HMAC-SHA256 of the body, or a bearer token")
            .asking_by("OPTIONS")
            .with_settings(Settings::declared())
    }

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Self::settings();
        if request.method == "OPTIONS" {
            return permission(request, settings);
        }
        let evidence = match settings.proof {
            Proof::Bearer => settings::BEARER.evidence(request)?,
            Proof::Hmac => settings.mac().evidence(request, vec![Piece::Body])?,
        };
        if settings.proof == Proof::Hmac && event::is_binary(request) {
            return Err(Refusal::new("the digest does not cover the attributes in headers `ce-*`"));
        }
        Ok(Claims::new(evidence, event::ids(request)?))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        event::read(request)
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let settings = Self::settings();
        match settings.proof {
            Proof::Bearer => settings::BEARER.sign(request, digests),
            Proof::Hmac if event::is_binary(&request) => {
                Err("the digest does not cover the attributes in headers `ce-*`".to_owned())
            }
            Proof::Hmac => settings.mac().sign(request, digests),
        }
    }
}

/// The abuse protection of "HTTP 1.1 Web Hooks for Event Delivery": who may post, and how often.
/// Every posted request must still be verified.
fn permission(request: &Request, settings: &Settings) -> Result<Claims, Refusal> {
    let origin = request.the_header("webhook-request-origin")?;
    if !settings.allows(origin) {
        return Err(Refusal::new("the source does not allow this origin"));
    }
    let yes = Handshake::text([]).with_header("webhook-allowed-origin", origin);
    Ok(Claims::asking(yes.with_header("webhook-allowed-rate", "*").with_header("allow", "POST")))
}

hookgate_sdk::export!(provider: CloudEvents);
