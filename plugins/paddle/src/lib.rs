//! Paddle Billing: `Paddle-Signature: ts=..;h1=..`, over the time and the body.
//!
//! While a secret is rotated, the header has an `h1` for every active secret, and one of them must
//! hold. `canonical` maps events to canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, ClockRule, Envelope, Event, Failure, HeaderMac, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, TimedMac, Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Paddle;

/// The key is the whole secret, with its prefix `pdl_ntfset_`.
const SIGNATURE: TimedMac = TimedMac::new(HeaderMac::hex("paddle-signature"))
    .named("ts", &["h1"])
    .separated_by(';')
    .with_joint(":");

/// Paddle's libraries allow 5 s. With that, a clock that is slightly wrong or a proxy that queues
/// would make the gateway refuse payments.
const TOLERANCE_MS: u64 = 60_000;

/// Places of the receiver's own reference besides the custom data: the number of an invoice, the
/// reference of a payout.
const REFERENCES: &[&str] = &["/invoice_number", "/remittance_reference"];

impl Provider for Paddle {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("paddle", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of time and body, `Paddle-Signature`")
            // A time in the future passes, as in Paddle's libraries.
            .with_tolerance(ClockRule::Past, TOLERANCE_MS)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/event_id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event_type")?;
        let object = envelope.object("/data");
        let canonical = canonical::event_type(&own, &object);
        // The newest attempt to pay is first.
        let payment = object.object("/payments/0");
        let around = ["event_id", "event_type", "occurred_at", "data"];
        let data = Envelope::of(&envelope, &around).around(envelope.at("/data"), body);
        let simulated = is_simulated(&envelope).then(|| "false".to_owned());
        Ok(vec![Event {
            // The subject of an adjustment is its transaction, so that everything about a payment
            // has one subject.
            subject: adjusted(&own, &object).or_else(|| object.name("/id")),
            time: envelope.rfc3339("/occurred_at"),
            money: money(&object),
            labels: labels([
                ("method", payment.word("/method_details/type")),
                ("card_brand", payment.word("/method_details/card/type")),
                ("decline_code", payment.name("/error_code")),
                ("livemode", simulated),
                (
                    "reference",
                    object.custom("/custom_data").or_else(|| object.first_label(REFERENCES)),
                ),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/event_id")),
                event_type(canonical, "paddle", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, at: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, at, digests)
    }
}

/// Whether the event is simulated, for a test of the endpoint: its ids say so. Events of the
/// sandbox differ from others only by the secret that signs them.
fn is_simulated(envelope: &Members<'_>) -> bool {
    let is =
        |pointer: &str, mark: &str| envelope.text(pointer).is_some_and(|id| id.starts_with(mark));
    is("/notification_id", "ntfsimntf_") || is("/event_id", "ntfsimevt_")
}

fn adjusted(own: &str, object: &Members<'_>) -> Option<String> {
    own.starts_with("adjustment.").then(|| object.name("/transaction_id")).flatten()
}

/// The amount of a transaction, an adjustment or a payout.
fn money(object: &Members<'_>) -> Option<Money> {
    let amounts = ["/details/totals/grand_total", "/totals/total", "/amount"];
    object.first_minor(&amounts.map(|amount| (amount, "/currency_code")))
}

hookgate_sdk::export!(provider: Paddle);
