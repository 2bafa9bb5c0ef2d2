//! Any sender that follows Standard Webhooks, under the headers `webhook-*` or Svix's `svix-*`.
//!
//! An HMAC (`v1`) and an Ed25519 signature (`v1a`) are alternatives: a sender that moves from one
//! to the other sends both. The event has the sender's own type. If that is not an event type, its
//! characters are replaced, and the label `type` has the original. A body without a type becomes
//! `standard-webhooks.unnamed`, and is never refused for that.

mod settings;

use hookgate_sdk::{
    Claims, ClockRule, Envelope, Event, Failure, ProofKind, Provider, ProviderInfo, Refusal,
    Request, StandardSignature, Timestamp, labels, words,
};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct StandardWebhooks;

const SIGNATURE: StandardSignature = StandardSignature::new().or_ed25519();

/// Places of the type: first that of the specification, then those of older senders.
const TYPES: [&str; 4] = ["/type", "/event_type", "/eventType", "/event"];
/// The type of an event without a name.
const UNNAMED: &str = "standard-webhooks.unnamed";

/// The tolerance of the specification's libraries, before and after.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for StandardWebhooks {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let proofs = &[ProofKind::Mac, ProofKind::Signature];
        ProviderInfo::new("standard-webhooks", env!("CARGO_PKG_VERSION"), &["*"], proofs)
            .with_scheme("HMAC-SHA256 or Ed25519 of id, time and body")
            .with_tolerance(ClockRule::Both, TOLERANCE_MS)
            .with_settings(Settings::declared())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request)
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let id = SIGNATURE.event_id(request)?;
        let settings = Self::settings();
        let body = request.json()?;
        let members = body.members();
        let own = members.first_label(&TYPES).unwrap_or_else(|| UNNAMED.to_owned());
        let event_type = words(&own);
        let around = Envelope::of(&members, &["type", "timestamp", "data"]);
        Ok(vec![Event {
            subject: members.name(&settings.subject),
            time: members.rfc3339("/timestamp"),
            labels: labels([
                ("account", settings.account.as_deref().and_then(|at| members.first_label(&[at]))),
                ("livemode", settings.livemode(&members).map(|live| live.to_string())),
                (
                    "reference",
                    settings.reference.as_deref().and_then(|at| members.first_label(&[at])),
                ),
                ("type", (event_type != own).then_some(own)),
            ]),
            ..Event::new(id, event_type, around.around(members.at("/data"), body))
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

hookgate_sdk::export!(provider: StandardWebhooks);
