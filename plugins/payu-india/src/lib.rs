//! PayU in India: the callback of a payment, a form with a SHA-512 of some of its fields behind the
//! salt.
//!
//! The hash covers the state, the amount and what the shop itself sent, but not PayU's id and the
//! method, so every event has the label `proof`: whoever overhears a request can send it again with
//! other values there. PayU gives no event ids, so an id is derived from all fields but the hash.
//! PayU can send its callbacks in JSON too; the source accepts forms only.

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, Hash, HeaderMac, KeyEncoding, Money, Piece, Proof, ProofKind,
    Provider, ProviderInfo, Refusal, Request, SignedFields, Timestamp, Worth, event_type, form, id,
    known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct PayuIndia;

/// The field with the hash.
const HASH: &str = "hash";
const DIGEST: HeaderMac = HeaderMac::hex(HASH).with_algorithm(Hash::Sha512);
/// The fields that are signed, in this order, each with the joint before it; a missing one is
/// empty.
const FIELDS: [&str; 17] = [
    "status",
    "udf10",
    "udf9",
    "udf8",
    "udf7",
    "udf6",
    "udf5",
    "udf4",
    "udf3",
    "udf2",
    "udf1",
    "email",
    "firstname",
    "productinfo",
    "amount",
    "txnid",
    "key",
];
const JOINT: &str = "|";
const SIGNED: SignedFields = SignedFields::values().joined_by(JOINT);
/// What the text may contain the joint in and still have one meaning: the shop's own text.
const FREE: &[&str] = &["productinfo"];

const TYPES: &[&str] = &["payment.*", "payu-india.*"];

impl Provider for PayuIndia {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("payu-india", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Hash])
            .with_scheme("SHA-512 of the salt and 17 fields of the form, `hash`")
            .worth(ProofKind::Hash, Worth::Unbound)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let fields = form::fields(&request.body)?;
        let digest = form::value(&fields, HASH)
            .and_then(|text| DIGEST.digest(text))
            .ok_or_else(|| Refusal::new(format!("field `{HASH}` is missing or not a digest")))?;
        // Charges that the payer bears are signed before the salt.
        let charges = form::value(&fields, "additionalCharges");
        let charges = charges.map(|charges| Piece::from(format!("{charges}{JOINT}")));
        let rest = [Piece::secret(KeyEncoding::Text), Piece::from(signed(&fields)?)];
        let message = charges.into_iter().chain(rest).collect();
        let evidence = Evidence::from(Proof::hash(Hash::Sha512, message, vec![digest]));
        Ok(Claims::new(evidence, [event_id(&fields)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let fields = form::parse(&request.body);
        let value = |name: &str| {
            form::value(&fields, name).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
        };
        let status = value("status").unwrap_or_default().to_lowercase();
        let canonical = canonical(&status);
        let has_failed = canonical == Some("payment.failed");
        let data = content(&fields);
        Ok(vec![Event {
            subject: value("mihpayid").filter(|subject| id::fits(subject)),
            // PayU in India settles in rupees alone.
            money: value("amount").and_then(|of| known_money(Money::from_major(&of, "INR"))),
            labels: labels([
                ("method", value("mode").map(|mode| mode.to_lowercase())),
                ("decline_code", value("error").filter(|_| has_failed)),
                ("account", value("key")),
                ("reference", value("txnid")),
            ]),
            ..Event::new(event_id(&fields), event_type(canonical, "payu-india", &status), data)
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        signed(&form::parse(&request.body)).map_err(|refusal| refusal.reason)?;
        request.body = form::with_field(&request.body, HASH, &DIGEST.written(digests)?);
        Ok(request)
    }
}

/// What is signed behind the salt.
fn signed(fields: &[(String, String)]) -> Result<String, Refusal> {
    let signed = FIELDS.map(|name| (name, form::value(fields, name).unwrap_or_default()));
    SIGNED.apart().without(FREE).text(&signed)?;
    Ok(format!("{JOINT}{}", SIGNED.text(&signed)?))
}

/// The fields without their hash, which is the data of the event.
fn content(fields: &[(String, String)]) -> String {
    let content: Vec<_> = fields.iter().filter(|(name, _)| name != HASH).cloned().collect();
    form::to_json(&content)
}

/// Derived from the same fields. A retry repeats them.
fn event_id(fields: &[(String, String)]) -> String {
    let content = fields.iter().filter(|(name, _)| name != HASH);
    let parts = content.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    id::derived(&parts.collect::<Vec<_>>())
}

/// The canonical type of a payment's state, if there is one.
fn canonical(status: &str) -> Option<&'static str> {
    Some(match status {
        "success" => "payment.succeeded",
        "failure" | "failed" => "payment.failed",
        "pending" => "payment.created",
        _ => return None,
    })
}

hookgate_sdk::export!(provider: PayuIndia);
