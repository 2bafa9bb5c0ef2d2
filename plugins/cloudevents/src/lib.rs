//! CloudEvents of the team's own services, proven by an HMAC over the body or by a bearer token.
//!
//! An event may be the body (structured), one of several in it (batched), or the body's data with
//! its attributes in headers `ce-*` (binary). A digest over the body covers no headers, so under a
//! digest an event in headers is refused. A sender that asks by OPTIONS whether it may post is told
//! so. Types pass as they are, canonical ones too: a service may tell of its own payments.

mod event;
mod settings;

use hookgate_sdk::{
    Claims, Configured, Event, Failure, Handshake, Piece, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp,
};

use crate::settings::{Proof, Settings};

/// The plugin.
#[derive(Debug)]
pub struct CloudEvents;

impl Provider for CloudEvents {
    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("cloudevents", env!("CARGO_PKG_VERSION"), &["*"], proofs)
            .with_scheme("HMAC-SHA256 of the body, or a bearer token")
            .asking_by("OPTIONS")
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Settings::read().map_err(Refusal::new)?;
        if request.method == "OPTIONS" {
            return permission(request, &settings);
        }
        let evidence = match settings.proof {
            Proof::Bearer => settings::BEARER.evidence(request)?,
            Proof::Hmac => settings.mac().evidence(request, vec![Piece::Body])?,
        };
        if settings.proof == Proof::Hmac && event::is_binary(request) {
            return Err(Refusal::new("no digest covers the attributes in `ce-*` headers"));
        }
        Ok(Claims::new(evidence, event::ids(request)?))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        event::read(request)
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let settings = Settings::read()?;
        match settings.proof {
            Proof::Bearer => settings::BEARER.sign(request, digests),
            Proof::Hmac if event::is_binary(&request) => {
                Err("no digest covers the attributes in `ce-*` headers".to_owned())
            }
            Proof::Hmac => settings.mac().sign(request, digests),
        }
    }
}

/// "HTTP 1.1 Web Hooks for Event Delivery", the abuse protection: who may post, and how often. What
/// is posted has to be proven all the same.
fn permission(request: &Request, settings: &Settings) -> Result<Claims, Refusal> {
    let origin = request.the_header("webhook-request-origin")?;
    if !settings.allows(origin) {
        return Err(Refusal::new("the operator did not allow this origin"));
    }
    let yes = Handshake::text([]).with_header("webhook-allowed-origin", origin);
    Ok(Claims::asking(yes.with_header("webhook-allowed-rate", "*").with_header("allow", "POST")))
}

hookgate_sdk::export!(provider: CloudEvents);
