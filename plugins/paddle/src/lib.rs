//! Paddle Billing: `Paddle-Signature: ts=..;h1=..`, over the time and the body.
//!
//! There is an `h1` for every active secret while one is rolled; any will do. Which canonical event
//! an event is stands in `canonical`.

mod canonical;

use hookgate_sdk::{
    Claims, ClockRule, Envelope, Event, Failure, Members, Money, ProofKind, Provider, ProviderInfo,
    Refusal, Request, TimedMac, Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Paddle;

/// The whole secret is the key, `pdl_ntfset_` and all.
const SIGNATURE: TimedMac =
    TimedMac { name: "paddle-signature", separator: ';', time: "ts", digest: "h1", joint: ":" };

/// Paddle's libraries allow 5 s, which a clock that is a little off, or a proxy that queues, would
/// turn into refused payments.
const TOLERANCE_MS: u64 = 60_000;

/// What the receiver's records know besides custom data: invoices, payouts, customers' own numbers.
const REFERENCES: &[&str] = &["/invoice_number", "/remittance_reference"];

impl Provider for Paddle {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo {
            // As in Paddle's libraries, a time in the future passes.
            clock: ClockRule::Past,
            tolerance_ms: Some(TOLERANCE_MS),
            ..ProviderInfo::new("paddle", version, canonical::TYPES, &[ProofKind::Mac])
                .with_scheme("HMAC-SHA256 of time and body, `Paddle-Signature`")
        }
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
        // The newest try stands first.
        let payment = object.object("/payments/0");
        let around = ["event_id", "event_type", "occurred_at", "data"];
        let data = Envelope::of(&envelope, &around).around(envelope.at("/data"), body);
        let simulated = is_simulated(&envelope).then(|| "false".to_owned());
        Ok(vec![Event {
            // An adjustment is about its transaction, so that all about a payment has one subject.
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

/// Whether somebody plays an event to try an endpoint: its ids say so. Nothing tells events of a
/// sandbox from others but the secret that they are signed with.
fn is_simulated(envelope: &Members<'_>) -> bool {
    let is =
        |pointer: &str, mark: &str| envelope.text(pointer).is_some_and(|id| id.starts_with(mark));
    is("/notification_id", "ntfsimntf_") || is("/event_id", "ntfsimevt_")
}

fn adjusted(own: &str, object: &Members<'_>) -> Option<String> {
    own.starts_with("adjustment.").then(|| object.name("/transaction_id")).flatten()
}

/// Of a transaction, of an adjustment, of a payout.
fn money(object: &Members<'_>) -> Option<Money> {
    let amounts = ["/details/totals/grand_total", "/totals/total", "/amount"];
    object.first_minor(&amounts.map(|amount| (amount, "/currency_code")))
}

hookgate_sdk::export!(provider: Paddle);
