//! Wise: an RSA signature over the body. Wise publishes a key for each of its environments.
//!
//! Set that key, in PEM, as the source's secret. Wise signs for all its customers with it, and each
//! of them may subscribe your URL to events of an account that is not yours. So list your own
//! subscriptions in the setting `subscriptions`, or compare the label `account`. The header with
//! the delivery's id is not signed, so an event's id is derived from signed members: the name and
//! the data. Several subscriptions may report the same event, so the subscription is not part of
//! the id. A retry may have another sending time, so that time is part of the id only if the data
//! has no time of its own. An unsigned header marks tests, in which no money moved. Such an event
//! has a type `wise.test.*`, and never the id of another event. `canonical` maps events to
//! canonical types.

mod canonical;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderSignature, Json, Members, Money, Piece, ProofKind,
    Provider, ProviderInfo, PublicKey, Refusal, Request, Setting, Timestamp, event_type, id,
    labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Wise;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The only subscriptions whose notifications the source accepts.
    subscriptions: Option<Vec<String>>,
}

const SIGNATURE: HeaderSignature = HeaderSignature::new("x-signature-sha256", PublicKey::RsaSha256);
/// The header that is `true` if the notification only tests the endpoint.
const TEST: &str = "x-test-notification";

/// Places of the subject: a card's transaction or the card, the transfer of a credit or a payout,
/// and for most events the resource.
const SUBJECTS: &[&str] =
    &["/transaction_id", "/resource/card_token", "/transfer_id", "/action/id", "/resource/id"];
/// Places of the state, or of the direction of an entry.
const STATES: &[&str] = &["/current_state", "/transaction_state", "/transaction_type"];
/// Places of the event's own time.
const TIMES: &[&str] = &["/occurred_at", "/occurredAt"];
/// Places of the reason of a decline.
const DECLINES: &[&str] = &["/failure_reason_code", "/decline_reason"];

/// Places of the profile, personal or of a business, whose event it is.
const ACCOUNTS: &[&str] =
    &["/resource/profile_id", "/profile_id", "/action/profile_id", "/profileId"];
/// Places of the payer's reference.
const REFERENCES: &[&str] =
    &["/transfer_reference", "/resource/reference", "/reference", "/customer_transaction_id"];

impl Provider for Wise {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        let example = ["5f1d2a10-0000-4000-8000-000000000001"];
        let help = "the ids of your subscriptions; without it, the source also accepts what Wise \
                    signs for other customers";
        ProviderInfo::new("wise", version, canonical::TYPES, &[ProofKind::Signature])
            .with_scheme("RSA-SHA256 of the body, `X-Signature-SHA256`, with Wise's published key")
            .with_settings([Setting::texts("subscriptions", &example, help)])
    }

    fn check(Settings { subscriptions }: &Settings) -> Result<(), String> {
        if subscriptions.as_ref().is_some_and(Vec::is_empty) {
            return Err("`subscriptions` must list the id of one subscription at least".to_owned());
        }
        Ok(())
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let proof = SIGNATURE.evidence(request, vec![Piece::Body])?;
        // `parse` reports a body that can't be read.
        let body = request.json().ok().map(Json::members);
        if let Some(own) = &Self::settings().subscriptions {
            let named = body.as_ref().and_then(|body| body.text("/subscription_id"));
            if !own.iter().any(|id| named.as_deref() == Some(id.as_str())) {
                return Err(Refusal::new("the subscription is not in `subscriptions`"));
            }
        }
        Ok(Claims::new(proof, body.map(|body| event_id(request, &body))))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let written = envelope.required("/event_type")?;
        let test = is_test(request);
        let data = envelope.object("/data");
        let state = data.first_name(STATES).unwrap_or_default();
        let canonical = canonical::event_type(&written, &state).filter(|_| !test);
        let own = if test { format!("test.{written}") } else { written };
        let happened = TIMES.iter().find_map(|place| data.rfc3339(place));
        let around = Envelope::of(&envelope, &["event_type", "data"]);
        let about = around.around(envelope.at("/data"), body);
        Ok(vec![Event {
            subject: data.first_name(SUBJECTS),
            time: happened.or_else(|| envelope.rfc3339("/sent_at")),
            money: money(&data),
            labels: labels([
                ("decline_code", data.first_name(DECLINES)),
                ("account", data.first_label(ACCOUNTS)),
                ("livemode", test.then(|| "false".to_owned())),
                ("reference", data.first_label(REFERENCES)),
            ]),
            ..Event::new(event_id(request, &envelope), event_type(canonical, "wise", &own), about)
        }])
    }

    fn sign(request: Request, _: Timestamp, signatures: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, signatures)
    }
}

/// The amount of a balance's entry, a transfer or a card's transaction.
fn money(data: &Members<'_>) -> Option<Money> {
    data.first_major(&[
        ("/amount", "/currency"),
        ("/resource/refund_amount", "/resource/refund_currency"),
        ("/resource/settled_amount/value", "/resource/settled_amount/currency"),
        ("/transfer/amount", "/transfer/currency"),
        ("/transaction_amount/value", "/transaction_amount/currency"),
    ])
}

/// Whether Wise only tests the endpoint. The header is not signed. Whoever removes it must have a
/// test notification, whose resources belong to nobody.
fn is_test(request: &Request) -> bool {
    request.header(TEST).is_some_and(|test| test.eq_ignore_ascii_case("true"))
}

/// Derived from the members that a retry repeats, and from whether it is a test, so that a test
/// never makes a genuine event a duplicate.
fn event_id(request: &Request, envelope: &Members<'_>) -> String {
    let test = if is_test(request) { "test" } else { "" };
    let (Some(own), Some(data)) = (envelope.name("/event_type"), envelope.at("/data")) else {
        return id::derived(&[&request.body, test.as_bytes()]);
    };
    let dated = TIMES.iter().any(|place| data.text(place).is_some());
    let sent = envelope.name("/sent_at").filter(|_| !dated).unwrap_or_default();
    let own = if test.is_empty() { own } else { format!("{test}.{own}") };
    id::derived(&[own.as_bytes(), data.raw().as_bytes(), sent.as_bytes()])
}

hookgate_sdk::export!(provider: Wise);
