//! PayU in Latin America: the confirmation of a transaction, a form with an MD5 of some of its
//! fields behind the API key.
//!
//! The hash covers merchant, reference, amount, currency and state, so every event has the label
//! `proof`: whoever overhears a request can send it again with another transaction. PayU signs an
//! amount with two decimals without the second if that is zero. PayU gives no event ids, so an id
//! is derived from all fields but the hash. The page that the payer's browser loads has other
//! fields, and the source refuses it.

use hookgate_sdk::{
    Claims, Event, Evidence, Failure, Hash, HeaderMac, KeyEncoding, Money, Piece, Proof, ProofKind,
    Provider, ProviderInfo, Refusal, Request, SignedFields, Timestamp, Worth, event_type, form, id,
    known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct PayuLatam;

/// The field with the hash.
const SIGN: &str = "sign";
const DIGEST: HeaderMac = HeaderMac::hex(SIGN).with_algorithm(Hash::Md5);
/// The fields that are signed, in this order, each with the joint before it.
const FIELDS: [&str; 5] = ["merchant_id", "reference_sale", "value", "currency", "state_pol"];
const JOINT: &str = "~";
const SIGNED: SignedFields = SignedFields::values().joined_by(JOINT);
/// What the text may contain the joint in and still have one meaning: the receiver's own reference.
const FREE: &[&str] = &["reference_sale"];

const TYPES: &[&str] = &["payment.*", "payu-latam.*"];

impl Provider for PayuLatam {
    type Settings = ();

    fn describe() -> ProviderInfo {
        ProviderInfo::new("payu-latam", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Hash])
            .with_scheme("MD5 of the API key and five fields of the form, `sign`")
            .worth(ProofKind::Hash, Worth::Weak)
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let fields = form::fields(&request.body)?;
        let written = form::value(&fields, SIGN).unwrap_or_default().to_lowercase();
        let digest = DIGEST
            .digest(&written)
            .ok_or_else(|| Refusal::new(format!("field `{SIGN}` is missing or not a digest")))?;
        let message = vec![Piece::secret(KeyEncoding::Text), Piece::from(signed(&fields)?)];
        let evidence = Evidence::from(Proof::hash(Hash::Md5, message, vec![digest]));
        Ok(Claims::new(evidence, [event_id(&fields)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let fields = form::parse(&request.body);
        let value = |name: &str| {
            form::value(&fields, name).filter(|value| !value.is_empty()).map(ToOwned::to_owned)
        };
        let state = value("state_pol").unwrap_or_default();
        let livemode = match value("test").as_deref() {
            Some("0") => Some("true".to_owned()),
            Some("1") => Some("false".to_owned()),
            _ => None,
        };
        let money = value("value").zip(value("currency"));
        let data = content(&fields);
        Ok(vec![Event {
            subject: value("transaction_id").filter(|subject| id::fits(subject)),
            money: money.and_then(|(of, currency)| known_money(Money::from_major(&of, &currency))),
            labels: labels([
                ("decline_code", value("response_message_pol").filter(|_| state == "6")),
                ("account", value("merchant_id")),
                ("livemode", livemode),
                ("reference", value("reference_sale")),
            ]),
            ..Event::new(
                event_id(&fields),
                event_type(canonical(&state), "payu-latam", &format!("state.{state}")),
                data,
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        signed(&form::parse(&request.body)).map_err(|refusal| refusal.reason)?;
        request.body = form::with_field(&request.body, SIGN, &DIGEST.written(digests)?);
        Ok(request)
    }
}

/// What is signed behind the API key.
fn signed(fields: &[(String, String)]) -> Result<String, Refusal> {
    let the = |name: &'static str| match form::value(fields, name) {
        Some(value) if name == "value" => Ok((name, rounded(value))),
        Some(value) => Ok((name, value)),
        None => Err(Refusal::new(format!("field `{name}` is missing"))),
    };
    let signed = FIELDS.into_iter().map(the).collect::<Result<Vec<_>, _>>()?;
    SIGNED.apart().without(FREE).text(&signed)?;
    Ok(format!("{JOINT}{}", SIGNED.text(&signed)?))
}

/// An amount as it is signed: 150.00 as 150.0, and 150.26 as it is.
fn rounded(value: &str) -> &str {
    match value.split_once('.') {
        Some((_, decimals)) if decimals.len() == 2 => value.strip_suffix('0').unwrap_or(value),
        _ => value,
    }
}

/// The fields without their hash, which is the data of the event.
fn content(fields: &[(String, String)]) -> String {
    let content: Vec<_> = fields.iter().filter(|(name, _)| name != SIGN).cloned().collect();
    form::to_json(&content)
}

/// Derived from the same fields. A retry repeats them.
fn event_id(fields: &[(String, String)]) -> String {
    let content = fields.iter().filter(|(name, _)| name != SIGN);
    let parts = content.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    id::derived(&parts.collect::<Vec<_>>())
}

/// The canonical type of a transaction's state, if there is one.
fn canonical(state: &str) -> Option<&'static str> {
    Some(match state {
        "4" => "payment.succeeded",
        "5" => "payment.canceled",
        "6" => "payment.failed",
        "7" => "payment.created",
        _ => return None,
    })
}

hookgate_sdk::export!(provider: PayuLatam);
