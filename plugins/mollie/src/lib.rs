//! Mollie: next-generation webhooks, signed over the body, and legacy calls, which are unsigned.
//!
//! A signature may lack its prefix, and there may be a header for every active secret. A legacy
//! call is the form `id=tr_..` and nothing else: it names an object that changed, which the
//! receiver then fetches from Mollie. It carries no proof, so a source accepts it only with the
//! setting `legacy = true` and with `verify = "none"`. `canonical` maps events to canonical types.

mod canonical;
mod legacy;

use hookgate_sdk::limits::DIGESTS_MAX;
use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, Members, Money, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Setting, Timestamp, event_type, json, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Mollie;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether the source accepts legacy calls, which are unsigned.
    legacy: bool,
}

const HEADER: &str = "x-mollie-signature";
const PREFIX: &str = "sha256=";
/// Members that the event repeats, those that hold its entity, and links to both.
const AROUND: [&str; 7] =
    ["resource", "id", "type", "entityId", "createdAt", "_embedded", "_links"];
const SIGNATURE: HeaderMac = HeaderMac::hex(HEADER).with_prefix(PREFIX);

impl Provider for Mollie {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("mollie", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-Mollie-Signature`; legacy calls are unsigned")
            .with_settings([Setting::boolean(
                "legacy",
                true,
                "whether the source accepts legacy calls, which are unsigned: it also needs \
                 `verify = \"none\"`",
            )
            .with_default(false)])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.header(HEADER).is_none() && Self::settings().legacy {
            return Ok(Claims::all([], legacy::event(request).map(|event| event.id)));
        }
        let written = request.headers(HEADER).map(|text| text.strip_prefix(PREFIX).unwrap_or(text));
        let digests: Vec<_> = written.filter_map(|text| SIGNATURE.digest(text)).collect();
        if !(1..=DIGESTS_MAX).contains(&digests.len()) {
            return Err(Refusal::new(format!(
                "the request has {} headers `{HEADER}` with a digest, not 1 to {DIGESTS_MAX}",
                digests.len()
            )));
        }
        let mac = SIGNATURE.evidence_of(vec![Piece::Body], digests);
        Ok(Claims::new(mac, json::peek(&request.body, "/id")))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        if let Some(event) = legacy::event(request) {
            let taken = Self::settings().legacy;
            let refused = || Failure::permanent("a legacy call needs the setting legacy = true");
            return taken.then(|| vec![event]).ok_or_else(refused);
        }
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let embedded = envelope.object("/_embedded");
        let around = Envelope::of(&envelope, &AROUND).and(&embedded, &["entity"]);
        let data = around.around(embedded.at("/entity"), body);
        let members = envelope.object("/_embedded/entity");
        let canonical = canonical::event_type(&own);
        Ok(vec![Event {
            // The payment, if the entity belongs to one, so that everything about a payment has one
            // subject.
            subject: members.name("/paymentId").or_else(|| envelope.name("/entityId")),
            time: envelope.rfc3339("/createdAt"),
            money: money(&members),
            labels: labels([
                ("country", members.name("/countryCode")),
                ("method", members.word("/method")),
                ("card_brand", members.word("/details/cardLabel")),
                ("decline_code", declined(&members)),
                ("account", members.first_label(&["/profileId", "/organizationId"])),
                ("livemode", livemode(&envelope, &members).map(|live| live.to_string())),
                ("reference", reference(&members)),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical, "mollie", &own),
                data,
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

fn livemode(envelope: &Members<'_>, entity: &Members<'_>) -> Option<bool> {
    let test = envelope.flag("/testmode").or_else(|| entity.flag("/testmode"));
    entity.is_live("/mode").or(test.map(|test| !test))
}

/// The merchant's own metadata, else the number of an order or an invoice.
fn reference(entity: &Members<'_>) -> Option<String> {
    let numbered = ["/orderNumber", "/reference", "/recipientIdentifier", "/invoiceNumber"];
    entity.custom("/metadata").or_else(|| entity.first_label(&numbered))
}

/// Why a payment failed: the card's own reason, else Mollie's.
fn declined(entity: &Members<'_>) -> Option<String> {
    entity.name("/details/failureReason").or_else(|| entity.name("/statusReason/code"))
}

fn money(entity: &Members<'_>) -> Option<Money> {
    entity.first_major(&[
        ("/amount/value", "/amount/currency"),
        ("/totalAmount/value", "/totalAmount/currency"),
        ("/resultAmount/value", "/resultAmount/currency"),
    ])
}

hookgate_sdk::export!(provider: Mollie);
