//! Stripe: snapshot events and thin v2 events, signed with `Stripe-Signature`.
//!
//! `claim` reads the header and the event's id and nothing else. Which canonical event a Stripe
//! event is stands in `canonical`, what is read off its object in `object` and `told`.

mod canonical;
mod object;
mod told;

use hookgate_sdk::{
    Claims, ClockRule, Event, Failure, Json, Members, ProofKind, Provider, ProviderInfo, Refusal,
    Request, TimedMac, Timestamp, is_event_type, json,
};

use crate::object::Object;

/// The plugin.
#[derive(Debug)]
pub struct Stripe;

/// `t=1700000000,v1=<hex>`, with a `v1` for every active secret. The whole secret is the key, `whsec_`
/// and all.
const SIGNATURE: TimedMac =
    TimedMac { name: "stripe-signature", separator: ',', time: "t", digest: "v1", joint: "." };

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
            .with_scheme("HMAC-SHA256 of time and body, `Stripe-Signature`")
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let (id, written) = (envelope.required("/id")?, envelope.required("/type")?);
        let own_type = canonical::in_words(&written);
        if !is_event_type(&canonical::own(&own_type)) {
            return Err(Failure::permanent(format!("`{written}` can't be an event type")));
        }
        let is_thin = envelope.text("/object").as_deref() == Some("v2.core.event");
        let data = envelope.at("/data").filter(|_| !is_thin).map(Json::members);
        let event = match data.as_ref().and_then(|data| Some((data, data.at("/object")?))) {
            Some((data, written)) => {
                let object = Object::new(written, data, &own_type);
                Event {
                    subject: object.subject(),
                    money: object.money()?,
                    labels: object.labels(),
                    ..Event::new(id, object.event_type(), written.raw())
                }
            }
            // A thin event carries no object, only a reference to it: what there is, is passed on.
            None => Event {
                subject: envelope.name("/related_object/id"),
                ..Event::new(id, canonical::own(&own_type), body.raw())
            },
        };
        Ok(vec![Event { time: created(&envelope), ..event }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// Unix seconds in a snapshot event, RFC 3339 in a thin one.
fn created(envelope: &Members<'_>) -> Option<Timestamp> {
    envelope.unix("/created").or_else(|| envelope.rfc3339("/created"))
}

hookgate_sdk::export!(provider: Stripe);
