//! Stripe: snapshot events and thin v2 events, signed with `Stripe-Signature`.
//!
//! `claim` reads the header and the event's id and nothing else. `canonical` maps events to
//! canonical types; `object` and `labels` read the event's object.

mod canonical;
mod labels;
mod object;

use hookgate_sdk::{
    Claims, ClockRule, Envelope, Event, Failure, HeaderMac, Members, ProofKind, Provider,
    ProviderInfo, Refusal, Request, TimedMac, Timestamp, json, labels, words,
};

use crate::object::Object;

/// The plugin.
#[derive(Debug)]
pub struct Stripe;

/// `t=1700000000,v1=<hex>`, with a `v1` for every active secret. The key is the whole secret, with
/// its prefix `whsec_`.
const SIGNATURE: TimedMac = TimedMac::new(HeaderMac::hex("stripe-signature"));

/// Members that the event repeats, the member with its object, and one that changes with each
/// delivery.
const AROUND: [&str; 6] = ["id", "object", "type", "created", "data", "pending_webhooks"];

/// The tolerance of Stripe's own libraries.
const TOLERANCE_MS: u64 = 300_000;

impl Provider for Stripe {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("stripe", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `Stripe-Signature`")
            // A time in the future passes, as in Stripe's libraries: clocks differ, and whoever can
            // sign a future time can sign the present one too.
            .with_tolerance(ClockRule::Past, TOLERANCE_MS)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let [envelope, data, object] = body.objects(["", "/data", "/data/object"]);
        let own_type = words(&envelope.required("/type")?);
        let id = request.event_id(envelope.name("/id"));
        let is_thin = envelope.text("/object").as_deref() == Some("v2.core.event");
        let event = match data.at("/object").filter(|_| !is_thin) {
            Some(written) => {
                let object = Object::new(object, &data, &own_type);
                let around = Envelope::of(&envelope, &AROUND).and(&data, &["object"]);
                let account = envelope.name("/account");
                Event {
                    subject: object.subject(account),
                    money: object.money(),
                    labels: object.labels(&envelope),
                    ..Event::new(
                        id,
                        words(&object.event_type()),
                        around.around(Some(written), body),
                    )
                }
            }
            // A thin event has only a reference to its object, so the data is the whole body.
            None => Event {
                subject: envelope.name("/related_object/id"),
                labels: labels([
                    ("account", envelope.first_label(&["/context", "/account"])),
                    ("livemode", envelope.flag("/livemode").map(|live| live.to_string())),
                ]),
                ..Event::new(id, words(&canonical::own(&own_type)), body.raw())
            },
        };
        Ok(vec![Event { time: created(&envelope), ..event }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// The time: Unix seconds in a snapshot event, RFC 3339 in a thin one.
fn created(envelope: &Members<'_>) -> Option<Timestamp> {
    envelope.unix("/created").or_else(|| envelope.rfc3339("/created"))
}

hookgate_sdk::export!(provider: Stripe);
