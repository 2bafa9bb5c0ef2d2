//! Plaid: a JSON Web Token in a header, signed with ES256, that holds a hash of the body.
//!
//! The token names its key. The gateway fetches the key from Plaid and adds the source's secret to
//! the look-up. A token with a hash of another body is refused before any look-up. Plaid gives no
//! event ids. If the body has a time, the id is derived from the body. Plaid repeats other bodies
//! whenever there is more to fetch, so their id is derived from the token's time too. That time is
//! new for every retry: such an event may arrive twice, but none is lost.

mod token;

use hookgate_sdk::{
    Claims, ClockRule, Event, Evidence, Failure, JwsAlgorithm, KeyField, KeyLookup, KeyPlace,
    KeySource, ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, Timestamp, event_type,
    id, json, labels, time,
};
use serde::Deserialize;

use crate::token::Token;

/// The plugin.
#[derive(Debug)]
pub struct Plaid;

/// The source's `config` table. Nothing in it is secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The client id that Plaid gave together with the source's secret.
    client_id: String,
    environment: Environment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Environment {
    Production,
    Sandbox,
}

impl Environment {
    /// The URL of its keys.
    fn keys(self) -> &'static str {
        match self {
            Self::Production => "https://production.plaid.com/webhook_verification_key/get",
            Self::Sandbox => "https://sandbox.plaid.com/webhook_verification_key/get",
        }
    }
}

const TYPES: &[&str] = &["payment.*", "plaid.*"];

/// The age that Plaid allows for a token.
const TOLERANCE_MS: u64 = 300_000;

/// Places of the entity that an event is about.
const SUBJECTS: [&str; 16] = [
    "/payment_id",
    "/consent_id",
    "/item_id",
    "/transfer_id",
    "/recurring_transfer_id",
    "/transaction_id",
    "/account_id",
    "/asset_report_id",
    "/identity_verification_id",
    "/screening_id",
    "/entity_screening_id",
    "/beacon_report_id",
    "/beacon_user_id",
    "/link_session_id",
    "/link_delivery_session_id",
    "/user_id",
];

/// Places of the receiver's own reference of a payment or a user.
const REFERENCES: &[&str] = &["/original_reference", "/client_transaction_id", "/client_user_id"];

impl Provider for Plaid {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        let places = [Environment::Production, Environment::Sandbox];
        ProviderInfo::new("plaid", version, TYPES, &[ProofKind::Jws])
            .with_scheme(
                "ES256 (JWT) of a hash of the body, `Plaid-Verification`, with a fetched key",
            )
            .with_tolerance(ClockRule::Both, TOLERANCE_MS)
            .with_keys_at(places.map(|environment| KeyPlace::jwk(environment.keys())))
            .with_settings([
                Setting::text(
                    "client_id",
                    "5a9c3f1e8b7d2c0012ab34cd",
                    "the client id that Plaid gave with the secret",
                )
                .required(),
                Setting::choice("environment", &["production", "sandbox"], "Plaid's environment")
                    .with_default("production"),
            ])
    }

    fn check(settings: &Settings) -> Result<(), String> {
        if (1..=64).contains(&settings.client_id.len()) {
            Ok(())
        } else {
            Err("`client_id` must have 1 to 64 bytes: Plaid gave it with the secret".to_owned())
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Self::settings();
        let token = Token::of(request)?;
        let lookup = KeyLookup::post(
            settings.environment.keys(),
            &[
                ("client_id", settings.client_id.as_str().into()),
                ("secret", KeyField::Secret),
                ("key_id", token.key_id.as_str().into()),
            ],
        );
        let proof = token.signed.proof(JwsAlgorithm::Es256, KeySource::Fetched(lookup));
        let claims = Claims::new(Evidence::from(proof), [token.event_id(request)]);
        Ok(claims.with_signing_time(token.issued_at))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let token = Token::of(request)?;
        let settings = Self::settings();
        let body = request.json()?;
        let envelope = body.members();
        let kind = envelope.required("/webhook_type")?;
        let code = envelope.name("/webhook_code").unwrap_or_default();
        let live = envelope
            .is_live("/environment")
            .unwrap_or(settings.environment == Environment::Production);
        let before = envelope.name("/old_payment_status").unwrap_or_default();
        let now = envelope.name("/new_payment_status").unwrap_or_default();
        let own = format!("{kind}.{code}").to_lowercase();
        let named = event_type(canonical(&own, &before, &now), "plaid", &own);
        Ok(vec![Event {
            subject: envelope.first_name(&SUBJECTS),
            time: envelope.rfc3339("/timestamp").or(Some(token.issued_at)),
            labels: labels([
                ("error_code", envelope.name("/error/error_code")),
                ("livemode", Some(live.to_string())),
                ("reference", envelope.first_label(REFERENCES)),
            ]),
            ..Event::new(token.event_id(request), named, body.raw())
        }])
    }

    fn sign(
        mut request: Request,
        signed_at: Timestamp,
        signatures: &[Vec<u8>],
    ) -> Result<Request, String> {
        let token = token::write(&request.body, time::to_unix(signed_at), signatures)?;
        request.set_header(token::HEADER, token);
        Ok(request)
    }
}

/// The canonical type, if there is one. A payment of Payment Initiation is authorized when its bank
/// has accepted it, and succeeds when its bank has executed it. Some banks report only that the
/// money has arrived (`SETTLED`); from other banks that state repeats the success, and keeps
/// Plaid's own name.
fn canonical(own: &str, before: &str, now: &str) -> Option<&'static str> {
    if own != "payment_initiation.payment_status_update" {
        return None;
    }
    Some(match now.strip_prefix("PAYMENT_STATUS_")? {
        "INITIATED" => "payment.authorized",
        "EXECUTED" => "payment.succeeded",
        "SETTLED" if before != "PAYMENT_STATUS_EXECUTED" => "payment.succeeded",
        "REJECTED" | "FAILED" | "BLOCKED" | "INSUFFICIENT_FUNDS" => "payment.failed",
        "CANCELLED" => "payment.canceled",
        _ => return None,
    })
}

impl Token<'_> {
    fn event_id(&self, request: &Request) -> String {
        if json::peek(&request.body, "/timestamp").is_some() {
            return id::derived(&[&request.body]);
        }
        id::derived(&[&request.body, &self.issued_at.to_be_bytes()])
    }
}

hookgate_sdk::export!(provider: Plaid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_goes_through_once() {
        let type_of = |before: &str, now: &str| {
            let state = |name: &str| format!("PAYMENT_STATUS_{name}");
            canonical("payment_initiation.payment_status_update", &state(before), &state(now))
        };
        assert_eq!(type_of("AUTHORISING", "INITIATED"), Some("payment.authorized"));
        assert_eq!(type_of("INITIATED", "EXECUTED"), Some("payment.succeeded"));
        assert_eq!(type_of("EXECUTED", "SETTLED"), None);
        assert_eq!(type_of("INITIATED", "SETTLED"), Some("payment.succeeded"));
        assert_eq!(type_of("INPUT_NEEDED", "AUTHORISING"), None);
    }
}
