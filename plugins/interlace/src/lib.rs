//! Interlace v3: an envelope around `resource`, which is JSON in a text.
//!
//! How it is signed is not published where everybody can read it. A card programme on the same
//! platform documents `Signature` as the base64 of an HMAC-SHA256 over the text of `resource`,
//! which leaves the event's name and id unsigned; whether that holds for Interlace, or the whole
//! body is signed, the operator must find out and say in the settings. Until then nothing is taken.
//! Where the whole body is signed, the id is Interlace's own; where the resource alone is, one of
//! the name and the resource, so that a request can't be sent again under another id. The older
//! envelopes v1 and v2 carry a `sign` whose computation is unknown: they can be parsed, and are
//! never proven.

mod settings;

use hookgate_sdk::{
    Claims, Configured, Envelope, Event, Failure, HeaderMac, Json, Members, Money, Piece,
    ProofKind, Provider, ProviderInfo, Refusal, Reply, Request, Timestamp, event_type, id, json,
    labels,
};

use crate::settings::{Settings, Signed};

/// The plugin.
#[derive(Debug)]
pub struct Interlace;

const SIGNATURE: HeaderMac = HeaderMac::base64("signature");
const METHOD: &str = "signature-method";
const TIME: &str = "timestamp";

/// What the receiver called it.
const REFERENCES: &[&str] = &["/referenceId", "/clientTransactionId", "/idempotencyKey"];
/// What the event says of itself, where its object is, and the older proof.
const AROUND: [&str; 6] = ["eventType", "businessType", "createTime", "resource", "data", "sign"];

/// What this provider may yield, for people.
const TYPES: &[&str] = &["transaction.*", "card.*", "customer.*", "account.*", "interlace.*"];

impl Provider for Interlace {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo {
            reply: Some(Reply {
                status: 200,
                content_type: "application/json".to_owned(),
                body: br#"{"received": true}"#.to_vec(),
            }),
            ..ProviderInfo::new("interlace", version, TYPES, &[ProofKind::Mac])
                .with_scheme("HMAC-SHA256 of what the operator has confirmed, `Signature`")
        }
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let signed = Settings::read().map_err(Refusal::new)?.signed;
        let message = match signed {
            Signed::Body => Piece::Body,
            Signed::Resource => Piece::from(resource(&request.body).unwrap_or_default()),
        };
        if request.the_header(METHOD)? != "HMAC-SHA256" {
            return Err(Refusal::new(format!("header `{METHOD}` is not HMAC-SHA256")));
        }
        let mac = SIGNATURE.evidence(request, vec![message])?;
        Ok(Claims::new(mac, [event_id(request, signed)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let signed = Settings::read().map_err(Failure::permanent)?.signed;
        let body = request.json()?;
        let envelope = body.members();
        let own =
            envelope.required("/eventType").or_else(|_| envelope.required("/businessType"))?;
        let resource = resource(&request.body).unwrap_or_default();
        // A resource that is no JSON stays in the body.
        let written = Json::parse(resource.as_bytes()).ok().or_else(|| envelope.at("/data"));
        let object = written.map(Json::members).unwrap_or_default();
        let around = Envelope::of(&envelope, &AROUND).around(written, body);
        let canonical = canonical(&own);
        Ok(vec![Event {
            // Not the card of a transaction: its id may read like a card number, and subjects are
            // logged.
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
        if Settings::read()?.signed == Signed::Resource && resource(&request.body).is_none() {
            return Err("body has no text `resource`, which is what is signed".to_owned());
        }
        request.set_header(METHOD, "HMAC-SHA256");
        request.set_header(TIME, signed_at.to_string());
        SIGNATURE.sign(request, digests)
    }
}

/// The text that may be signed; an empty one proves nothing.
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
