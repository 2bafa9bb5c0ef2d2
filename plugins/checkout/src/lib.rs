//! Checkout.com: an HMAC over the body.
//!
//! The header `Authorization` that a workflow may be told to send proves less and is not looked at.
//! Which canonical event an event is stands in `canonical`.

mod canonical;

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, InvalidMoney, Members, Money, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, decimals, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Checkout;

const SIGNATURE: HeaderMac = HeaderMac::hex("cko-signature");

impl Provider for Checkout {
    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("checkout", version, canonical::TYPES, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `Cko-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, json::peek(&request.body, "/id")))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let (id, own) = (envelope.required("/id")?, envelope.required("/type")?);
        let object = envelope.object("/data");
        // A dispute or a report of fraud names its payment, so that everything about a payment has one
        // subject.
        let subject = object.first_name(&["/payment_id", "/payment/id", "/id"]);
        let declined = own.ends_with("declined").then(|| object.name("/response_code")).flatten();
        let canonical = canonical::event_type(&own);
        let data = envelope.at("/data").unwrap_or(body);
        Ok(vec![Event {
            subject,
            // Of a dispute it is called otherwise.
            time: envelope.rfc3339("/created_on").or_else(|| envelope.rfc3339("/timestamp")),
            money: money(&object)?,
            labels: labels([
                ("country", object.name("/source/issuer_country")),
                ("method", object.word("/source/type")),
                (
                    "card_brand",
                    object.word("/source/scheme").or_else(|| object.word("/payment_method")),
                ),
                ("decline_code", declined),
                ("risk", object.name("/risk/score")),
                ("reason", object.word("/category")),
            ]),
            ..Event::new(id, event_type(canonical, "checkout", &own)?, data.raw())
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// Checkout.com counts the Chilean peso in hundredths, and its unit of account whole.
fn money(object: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    let (Some(units), Some(currency)) = (object.name("/amount"), object.name("/currency")) else {
        return Ok(None);
    };
    let decimals = match currency.as_str() {
        "CLP" => 2,
        "CLF" => 0,
        _ => decimals(&currency),
    };
    Money::from_minor_with(decimals, &units, &currency).map(Some)
}

hookgate_sdk::export!(provider: Checkout);
