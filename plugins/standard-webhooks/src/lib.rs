//! Any sender that follows Standard Webhooks, under the headers `webhook-*` or Svix's `svix-*`.
//!
//! An HMAC (`v1`) and an Ed25519 signature (`v1a`) are alternatives: a sender that moves from one to
//! the other sends both. The event type is the sender's own.

mod settings;
mod signature;

use hookgate_sdk::{
    Claims, ClockRule, Configured, Event, Failure, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, time,
};

use crate::settings::Settings;
use crate::signature::Signed;

/// The plugin.
#[derive(Debug)]
pub struct StandardWebhooks;

/// What the specification's libraries allow, both ways.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for StandardWebhooks {
    fn describe() -> ProviderInfo {
        ProviderInfo {
            clock: ClockRule::Both,
            tolerance_ms: Some(TOLERANCE_MS),
            ..ProviderInfo::new(
                "standard-webhooks",
                env!("CARGO_PKG_VERSION"),
                &["*"],
                &[ProofKind::Mac, ProofKind::Signature],
            )
            .with_scheme("HMAC-SHA256 or Ed25519 of id, time and body")
        }
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let signed = Signed::read(request)?;
        Ok(Claims { signed_at: Some(signed.at), ..Claims::new(signed.evidence()?, [signed.id]) })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let signed = Signed::read(request).map_err(|refusal| Failure::permanent(refusal.reason))?;
        let settings = Settings::read().map_err(Failure::permanent)?;
        let body = request.json()?;
        let members = body.members();
        let event_type = members.required("/type")?;
        if !hookgate_sdk::is_event_type(&event_type) {
            return Err(Failure::permanent(format!("`{event_type}` can't be an event type")));
        }
        Ok(vec![Event {
            subject: members.name(settings.subject()),
            time: members.rfc3339("/timestamp"),
            ..Event::new(signed.id, event_type, members.at("/data").unwrap_or(body).raw())
        }])
    }

    fn sign(
        request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        signature::sign(request, time::to_unix(signed_at), digests)
    }
}

hookgate_sdk::export!(provider: StandardWebhooks);
