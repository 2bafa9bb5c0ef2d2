//! Plaid: a JSON Web Token in a header, signed with ES256, that holds a hash of the body.
//!
//! The key is named in the token and fetched from Plaid with the source's secret, which the gateway
//! puts in. Nothing but ES256 is looked at, and no key is asked for where the hash is another. There
//! are no event ids, and Plaid says the same words again when there is more to fetch, so the time of
//! the token is a part of the id: an event may come twice, but none is lost.

mod settings;
mod token;

use hookgate_sdk::{
    Claims, ClockRule, Event, Evidence, Failure, KeyField, KeyLookup, KeyPlace, Piece, Proof,
    ProofKind, Provider, ProviderInfo, PublicKey, Refusal, Request, Timestamp, event_type, id,
    labels, time,
};

use crate::settings::{Environment, Settings};
use crate::token::Token;

/// The plugin.
#[derive(Debug)]
pub struct Plaid;

const TYPES: &[&str] = &["payment.succeeded", "payment.failed", "payment.canceled", "plaid.*"];

/// How old Plaid lets a token be.
const TOLERANCE_MS: u64 = 300_000;

/// Where the entity that an event is about may be named.
const SUBJECTS: [&str; 7] = [
    "/payment_id",
    "/item_id",
    "/transfer_id",
    "/recurring_transfer_id",
    "/transaction_id",
    "/link_session_id",
    "/user_id",
];

impl Provider for Plaid {
    fn describe() -> ProviderInfo {
        let (version, proofs) = (env!("CARGO_PKG_VERSION"), &[ProofKind::Signature]);
        let places = [Environment::Production, Environment::Sandbox];
        ProviderInfo {
            clock: ClockRule::Both,
            tolerance_ms: Some(TOLERANCE_MS),
            ..ProviderInfo::new("plaid", version, TYPES, proofs)
                .with_scheme("ES256 (JWT) of a hash of the body, `Plaid-Verification`, with a key that is fetched")
                .with_keys_at(places.map(|environment| KeyPlace::jwk(environment.keys())))
        }
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let settings = Settings::read().map_err(Refusal::new)?;
        let token = Token::of(request)?;
        let lookup = KeyLookup::post(
            settings.environment.keys(),
            &[
                ("client_id", settings.client_id.as_str().into()),
                ("secret", KeyField::Secret),
                ("key_id", token.key_id.as_str().into()),
            ],
        );
        let (scheme, message) = (PublicKey::EcdsaP256, vec![Piece::from(token.signed.as_str())]);
        let proof = Proof::fetched_key(scheme, lookup, message, vec![token.signature.clone()]);
        let claims = Claims::new(Evidence::from(proof), [token.event_id(request)]);
        Ok(Claims { signed_at: Some(token.issued_at), ..claims })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let token = Token::of(request).map_err(|refusal| Failure::permanent(refusal.reason))?;
        let body = request.json()?;
        let envelope = body.members();
        let (kind, code) =
            (envelope.required("/webhook_type")?, envelope.required("/webhook_code")?);
        let state = envelope.name("/new_payment_status").unwrap_or_default();
        let own = format!("{kind}.{code}").to_lowercase();
        let named = event_type(canonical(&own, &state), "plaid", &own)?;
        Ok(vec![Event {
            subject: SUBJECTS.into_iter().find_map(|pointer| envelope.name(pointer)),
            time: envelope.rfc3339("/timestamp").or(Some(token.issued_at)),
            labels: labels([("error_code", envelope.name("/error/error_code"))]),
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

/// A payment of Payment Initiation has gone through when its bank has executed it; that the money has
/// arrived as well is told under Plaid's own name.
fn canonical(own: &str, state: &str) -> Option<&'static str> {
    if own != "payment_initiation.payment_status_update" {
        return None;
    }
    Some(match state.strip_prefix("PAYMENT_STATUS_")? {
        "EXECUTED" => "payment.succeeded",
        "REJECTED" | "FAILED" | "BLOCKED" | "INSUFFICIENT_FUNDS" => "payment.failed",
        "CANCELLED" => "payment.canceled",
        _ => return None,
    })
}

impl Token {
    fn event_id(&self, request: &Request) -> String {
        id::derived(&[&request.body, &self.issued_at.to_be_bytes()])
    }
}

hookgate_sdk::export!(provider: Plaid);
