//! Interlace v3: an envelope around `resource`, which is JSON in a string.
//!
//! Interlace does not publish its signature scheme. A card programme on the same platform documents
//! `Signature` as the base64 of an HMAC-SHA256 over the text of `resource`, which leaves the name
//! and the id of the event unsigned. The operator must ask Interlace whether it signs that text or
//! the whole body, and set `signed`; until then the source accepts no request. If the whole body is
//! signed, the event has Interlace's own id. If only the resource is signed, the id is derived from
//! the name and the resource, so that nobody can send a request again with another id. The older
//! envelopes v1 and v2 carry a `sign` whose computation is unknown: `parse` reads them, but they
//! are never verified.

use hookgate_sdk::{
    Answer, Claims, Envelope, Event, Failure, HeaderMac, Json, Members, Money, Piece, ProofKind,
    Provider, ProviderInfo, Refusal, Request, Setting, Timestamp, Worth, event_type, id, json,
    labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Interlace;

/// The source's `config` table. There is no default: without it the source accepts no request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    signed: Signed,
}

/// What the signature covers, as Interlace told the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Signed {
    /// The text of `resource`, and neither the event's name nor its id.
    Resource,
    /// The whole body.
    Body,
}

const SIGNATURE: HeaderMac = HeaderMac::base64("signature");
const METHOD: &str = "signature-method";
const TIME: &str = "timestamp";

/// Places of the receiver's own reference.
const REFERENCES: &[&str] = &["/referenceId", "/clientTransactionId", "/idempotencyKey"];
/// Members that the event repeats, those that hold its object, and the older proof.
const AROUND: [&str; 6] = ["eventType", "businessType", "createTime", "resource", "data", "sign"];

/// The event types that this provider may return.
const TYPES: &[&str] = &["transaction.*", "card.*", "customer.*", "account.*", "interlace.*"];

impl Provider for Interlace {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("interlace", version, TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of `resource` or the body, as set, `Signature`")
            // The text of `resource` is signed without the event's name and id.
            .or_worth(ProofKind::Mac, Worth::Unbound)
            .with_reply(Answer::json(r#"{"received": true}"#))
            .with_settings([Setting::choice(
                "signed",
                &["resource", "body"],
                "what the signature covers; ask Interlace what it signs",
            )
            .required()])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let signed = Self::settings().signed;
        let message = match signed {
            Signed::Body => Piece::Body,
            Signed::Resource => Piece::from(resource(&request.body).unwrap_or_default()),
        };
        if request.the_header(METHOD)? != "HMAC-SHA256" {
            return Err(Refusal::new(format!("header `{METHOD}` is not HMAC-SHA256")));
        }
        let mac = SIGNATURE.evidence(request, vec![message])?;
        let mac = match signed {
            Signed::Body => mac,
            Signed::Resource => mac.worth(Worth::Unbound),
        };
        Ok(Claims::new(mac, [event_id(request, signed)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let signed = Self::settings().signed;
        let body = request.json()?;
        let envelope = body.members();
        let own =
            envelope.required("/eventType").or_else(|_| envelope.required("/businessType"))?;
        let resource = resource(&request.body).unwrap_or_default();
        // If the resource is not JSON, the event's data is the body.
        let written = Json::parse(resource.as_bytes()).ok().or_else(|| envelope.at("/data"));
        let object = written.map(Json::members).unwrap_or_default();
        let around = Envelope::of(&envelope, &AROUND).around(written, body);
        let canonical = canonical(&own);
        Ok(vec![Event {
            // Never the card of a transaction: its id may look like a card number, and the gateway
            // logs subjects.
            subject: object.name("/id"),
            time: envelope.unix_ms("/createTime"),
            money: money(&object),
            labels: labels([
                ("country", object.name("/merchantCountry")),
                ("account", object.first_label(&["/accountId", "/account_id"])),
                ("reference", object.first_label(REFERENCES)),
            ]),
            ..Event::new(
                event_id(request, signed),
                event_type(canonical.as_deref(), "interlace", &own.to_lowercase()),
                around,
            )
        }])
    }

    fn sign(
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        if Self::settings().signed == Signed::Resource && resource(&request.body).is_none() {
            return Err("the body has no text `resource`, which must be signed".to_owned());
        }
        request.set_header(METHOD, "HMAC-SHA256");
        request.set_header(TIME, signed_at.to_string());
        SIGNATURE.sign(request, digests)
    }
}

/// The text of `resource`. An empty text proves nothing and counts as missing.
fn resource(body: &[u8]) -> Option<String> {
    json::peek(body, "/resource").filter(|resource| !resource.is_empty()).map(String::from)
}

fn event_id(request: &Request, signed: Signed) -> String {
    let named = |pointer: &str| json::peek_scalar(&request.body, pointer);
    match (signed, named("/eventType"), resource(&request.body)) {
        (Signed::Body, _, _) => request.event_id(named("/id").map(String::from)),
        (Signed::Resource, Some(own), Some(resource)) => {
            id::derived(&[own.as_bytes(), resource.as_bytes()])
        }
        _ => request.event_id(None),
    }
}

/// `CARD_TRANSACTION.CREATED` is `transaction.created`.
fn canonical(own: &str) -> Option<String> {
    let (object, what) = own.split_once('.')?;
    let family = match object {
        "CARD_TRANSACTION" => "transaction",
        "CARD" => "card",
        "CARDHOLDER" => "customer",
        _ => return None,
    };
    Some(format!("{family}.{}", what.to_lowercase()))
}

fn money(object: &Members<'_>) -> Option<Money> {
    object.first_major(&[
        ("/transactionAmount", "/transactionCurrency"),
        ("/billingAmount", "/billingCurrency"),
    ])
}

hookgate_sdk::export!(provider: Interlace);
