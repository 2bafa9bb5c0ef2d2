//! CloudEvents of the team's own services, proven by an HMAC over the body or by a bearer token.
//!
//! An event may be the body (structured), one of several in it (batched), or the body's data with its
//! attributes in headers `ce-*` (binary). A digest over the body covers no headers, so under a digest
//! an event in headers is refused. Types pass as they are, canonical ones too: a service may tell of
//! its own payments.

mod event;
mod settings;

use hookgate_sdk::{
    Claims, Event, Failure, Piece, ProofKind, Provider, ProviderInfo, Refusal, Request, Timestamp,
};

use crate::settings::{Proof, Settings};

/// The plugin.
#[derive(Debug)]
pub struct CloudEvents;

impl Provider for CloudEvents {
    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Token];
        ProviderInfo::new("cloudevents", env!("CARGO_PKG_VERSION"), &["*"], proofs)
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Settings::read().map_err(Refusal::new)?;
        let evidence = match settings.proof {
            Proof::Bearer => settings::BEARER.evidence(request)?,
            Proof::Hmac => settings.mac().evidence(request, vec![Piece::Body])?,
        };
        if settings.proof == Proof::Hmac && event::is_binary(request) {
            return Err(Refusal::new("no digest covers the attributes in `ce-*` headers"));
        }
        // What can't be read is for parse to say.
        let events = event::read(request).unwrap_or_default();
        Ok(Claims::new(evidence, events.into_iter().map(|event| event.id)))
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

hookgate_sdk::export!(provider: CloudEvents);
