//! Razorpay: an HMAC over the body, whose `payload` has the entities that the event is about.
//!
//! The event's id is in the header `x-razorpay-event-id`, which the signature does not cover: it
//! serves only to detect retries. After a rotation, Razorpay signs retries of older events with the
//! older secret for a day. `canonical` maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, Timestamp, event_type, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Razorpay;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-razorpay-signature");

impl Provider for Razorpay {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("razorpay", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-Razorpay-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [event_id(request)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event")?;
        let canonical = canonical::event_type(&own);
        let payload = envelope.object("/payload");
        let first = envelope.name("/contains/0").unwrap_or_default();
        let entities = Entities { payload, own: &own, first: &first };
        let payment = entities.get("payment");
        let around = ["entity", "event", "contains", "payload", "created_at"];
        let data = Envelope::of(&envelope, &around).around(envelope.at("/payload"), body);
        Ok(vec![Event {
            subject: entities.subject(),
            time: envelope.unix("/created_at"),
            money: entities.money(),
            labels: labels([
                ("method", payment.word("/method")),
                ("card_brand", payment.word("/card/network")),
                ("country", payment.name("/card/country")),
                (
                    "decline_code",
                    payment.name("/error_reason").or_else(|| payment.name("/error_code")),
                ),
                ("account", envelope.first_label(&["/account_id"])),
                ("reference", entities.reference()),
            ]),
            ..Event::new(event_id(request), event_type(canonical, "razorpay", &own), data)
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// Razorpay's own id, or else an id derived from the body.
fn event_id(request: &Request) -> String {
    request.event_id(request.header("x-razorpay-event-id").map(ToOwned::to_owned))
}

/// The entities of an event, each at `payload.{name}.entity`.
struct Entities<'a> {
    payload: Members<'a>,
    /// Razorpay's name of the event.
    own: &'a str,
    /// The name of the first entity in the payload.
    first: &'a str,
}

impl<'a> Entities<'a> {
    fn get(&self, name: &str) -> Members<'a> {
        self.payload.object(&format!("/{name}/entity"))
    }

    /// The name of the entity that the event is about: `dispute` of `payment.dispute.created`, but
    /// `payment.downtime` of `payment.downtime.started`.
    fn main(&self) -> &'a str {
        let words = self.own.rsplit_once('.').map_or(self.own, |(words, _)| words);
        let last = words.rsplit_once('.').map_or(words, |(_, last)| last);
        if self.payload.at(&format!("/{last}")).is_some() { last } else { self.first }
    }

    /// The payment of a refund or a dispute, so that everything about a payment has one subject;
    /// else the entity itself.
    fn subject(&self) -> Option<String> {
        let main = self.get(self.main());
        let of_payment = matches!(self.main(), "refund" | "dispute");
        let payment = of_payment.then(|| main.name("/payment_id")).flatten();
        payment.or_else(|| main.name("/id"))
    }

    /// The merchant's own reference of the entity, else of another entity in the payload, else the
    /// reference in the notes.
    fn reference(&self) -> Option<String> {
        let all = [self.main(), "order", "invoice", "payment_link", "refund", "payment"];
        let called = |name: &&str| self.get(name).first_label(&["/receipt", "/reference_id"]);
        let noted = |name: &&str| self.get(name).custom("/notes");
        all.iter().find_map(called).or_else(|| all.iter().find_map(noted))
    }

    fn money(&self) -> Option<Money> {
        let main = self.get(self.main());
        if self.own == "subscription.charged" {
            return self.get("payment").minor("/amount", "/currency");
        }
        // The customer may have paid less than the full amount.
        let paid = self.own.ends_with(".paid") && main.name("/amount_paid").is_some();
        main.minor(if paid { "/amount_paid" } else { "/amount" }, "/currency")
    }
}

hookgate_sdk::export!(provider: Razorpay);
