//! Stripe: snapshot events and thin v2 events, signed with `Stripe-Signature`.
//!
//! `claim` reads the header and the event's id and nothing else. Which canonical event a Stripe
//! event is stands in `canonical`, what is read off its object in `object`.

mod canonical;
mod object;
mod signature;

use hookgate_sdk::{
    Claims, ClockRule, Event, Evidence, Failure, Json, KeyEncoding, Members, Piece, ProofKind,
    Provider, ProviderInfo, Refusal, Request, Timestamp, json, time,
};

use crate::object::Object;
use crate::signature::{HEADER, Signed};

/// The plugin.
#[derive(Debug)]
pub struct Stripe;

/// What Stripe's own libraries allow.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for Stripe {
    fn describe() -> ProviderInfo {
        ProviderInfo {
            // A time in the future passes, as in Stripe's libraries: clocks differ, and who can sign
            // for the future can sign.
            clock: ClockRule::Past,
            tolerance_ms: Some(TOLERANCE_MS),
            ..ProviderInfo::new(
                "stripe",
                env!("CARGO_PKG_VERSION"),
                canonical::TYPES,
                &[ProofKind::Mac],
            )
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let signed = Signed::parse(request.the_header(HEADER)?)?;
        let message = vec![Piece::from(format!("{}.", signed.time)), Piece::Body];
        // The whole secret is the key, `whsec_` and all.
        let mac = Evidence::hmac_sha256(KeyEncoding::Text, message, signed.digests);
        let id = json::peek(&request.body, "/id");
        Ok(Claims {
            evidence: vec![mac],
            signed_at: Some(signed.at),
            event_ids: id.into_iter().map(String::from).collect(),
        })
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let required = |pointer: &str| {
            let text = envelope.text(pointer).filter(|text| !text.is_empty());
            text.ok_or_else(|| Failure::permanent(format!("event has no text at {pointer}")))
        };
        let (id, own_type) = (required("/id")?, required("/type")?);
        if !hookgate_sdk::is_event_type(&own_type) {
            return Err(Failure::permanent(format!("`{own_type}` can't be an event type")));
        }
        let is_thin = envelope.text("/object").as_deref() == Some("v2.core.event");
        let data = envelope.at("/data").filter(|_| !is_thin).map(Json::members);
        let event = match data.as_ref().and_then(|data| Some((data, data.at("/object")?))) {
            Some((data, written)) => {
                let object = Object::new(written, data, &own_type);
                Event {
                    subject: object.subject(),
                    money: object.money().map_err(Failure::permanent)?,
                    labels: object.labels(),
                    ..Event::new(id, object.event_type(), written.raw())
                }
            }
            // A thin event carries no object, only a reference to it: what there is, is passed on.
            None => Event {
                subject: envelope.text("/related_object/id").map(String::from),
                ..Event::new(id, canonical::own(&own_type), body.raw())
            },
        };
        Ok(vec![Event { time: created(&envelope), ..event }])
    }

    fn sign(
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        request.set_header(HEADER, signature::header(time::to_unix(signed_at), digests)?);
        Ok(request)
    }
}

/// Unix seconds in a snapshot event, RFC 3339 in a thin one.
fn created(envelope: &Members<'_>) -> Option<Timestamp> {
    match envelope.number("/created") {
        Some(seconds) => time::from_unix(seconds),
        None => time::from_rfc3339(&envelope.text("/created")?),
    }
}

hookgate_sdk::export!(provider: Stripe);
