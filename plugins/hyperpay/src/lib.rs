//! HyperPay, on the platform OPPWA: the body is encrypted with AES-256-GCM, which also proves it.
//!
//! The nonce and the tag are in headers, the ciphertext is the body in hexadecimal, alone or as
//! `encryptedBody` of an object. HyperPay gives no event ids, and may encrypt each try anew, so an
//! id is derived from what the body decrypts to. A result code that is not known never gets a
//! canonical type by guess.

use hookgate_sdk::{
    Claims, Encrypted, Envelope, Event, Failure, KeyEncoding, Members, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, hex, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct HyperPay;

const NONCE: &str = "x-initialization-vector";
const TAG: &str = "x-authentication-tag";
/// Bytes of a tag. A shorter one is easier to guess.
const TAG_BYTES: usize = 16;

impl Provider for HyperPay {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["payment.*", "refund.*", "dispute.opened", "hyperpay.*"];
        ProviderInfo::new("hyperpay", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Decrypted])
            .with_scheme("AES-256-GCM of the body, `X-Authentication-Tag`; the key is hex")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let body = request.content();
        let wrapped = json::peek(body, "/encryptedBody");
        let text = wrapped.as_deref().or(str::from_utf8(body).ok()).unwrap_or_default();
        let ciphertext = hex::decode(text.trim_ascii()).filter(|bytes| !bytes.is_empty());
        let ciphertext = ciphertext.ok_or_else(|| Refusal::new("the body is not hexadecimal"))?;
        let nonce = bytes(request, NONCE, &[12, 16])?;
        let tag = bytes(request, TAG, &[TAG_BYTES])?;
        Ok(Claims::encrypted(Encrypted::aes_gcm(KeyEncoding::Hex, nonce, ciphertext, tag)))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let kind = envelope.required("/type")?;
        let object = envelope.object("/payload");
        let is_payment = kind.eq_ignore_ascii_case("payment");
        let canonical = is_payment.then(|| canonical(&object)).flatten();
        let action = envelope.name("/action").or_else(|| object.name("/paymentType"));
        let own = format!("{kind}.{}", action.unwrap_or_default()).to_lowercase();
        let failed = canonical.is_some_and(|canonical| canonical.ends_with(".failed"));
        let is_card = object.at("/card").is_some();
        let brand = object.word("/paymentBrand");
        let around = Envelope::of(&envelope, &["type", "payload"]);
        Ok(vec![Event {
            // The payment, if this is a capture or a refund of one.
            subject: object.first_name(&["/referencedId", "/id"]),
            time: object.rfc3339("/timestamp"),
            money: object.major("/amount", "/currency"),
            labels: labels([
                ("country", object.name("/billing/country")),
                ("method", if is_card { Some("card".to_owned()) } else { brand.clone() }),
                ("card_brand", brand.filter(|_| is_card)),
                ("decline_code", object.name("/result/code").filter(|_| failed)),
                ("account", object.first_label(&["/authentication/entityId"])),
                ("reference", reference(&object)),
            ]),
            ..Event::new(
                request.event_id(None),
                event_type(canonical, "hyperpay", &own),
                around.around(envelope.at("/payload"), body),
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let sealed = match digests {
            [] => [&request.body[..], &[0; TAG_BYTES]].concat(),
            [sealed] => sealed.clone(),
            _ => return Err("there is only one encrypted body".to_owned()),
        };
        let sealed = sealed.split_last_chunk::<TAG_BYTES>();
        let (text, tag) = sealed.ok_or("the encrypted body has no tag")?;
        request.body = hex::encode(text).into_bytes();
        request.set_header(NONCE, "00".repeat(12));
        request.set_header(TAG, hex::encode(tag));
        Ok(request)
    }
}

/// The bytes of a header in hexadecimal, of one of these lengths.
fn bytes(request: &Request, name: &str, lengths: &[usize]) -> Result<Vec<u8>, Refusal> {
    let bytes = hex::decode(request.the_header(name)?);
    let bytes = bytes.filter(|bytes| lengths.contains(&bytes.len()));
    bytes.ok_or_else(|| Refusal::new(format!("header `{name}` has another form or length")))
}

/// The canonical type of a payment, if there is one.
fn canonical(payment: &Members<'_>) -> Option<&'static str> {
    let code = payment.text("/result/code")?;
    let begins = |beginnings: &[&str]| beginnings.iter().any(|it| code.starts_with(*it));
    // It waits for the payer or the bank.
    let pending = begins(&["000.200.", "800.400.5", "100.400.500"]);
    let canceled = begins(&["100.396."]);
    let failed = begins(&["100.", "800."]) && !pending && !canceled;
    let succeeded = begins(&["000.000.", "000.100.1", "000.3", "000.6"]);
    Some(match &*payment.text("/paymentType")? {
        "PA" if succeeded => "payment.authorized",
        "DB" | "CP" if succeeded => "payment.succeeded",
        "PA" | "DB" | "CP" if failed => "payment.failed",
        "PA" | "DB" | "CP" if canceled => "payment.canceled",
        "RV" if succeeded => "payment.canceled",
        "RF" if succeeded => "refund.succeeded",
        "RF" if failed => "refund.failed",
        "CB" => "dispute.opened",
        _ => return None,
    })
}

/// The merchant's own id of the payment or its invoice, or an id in custom data.
fn reference(object: &Members<'_>) -> Option<String> {
    let own = object.first_label(&["/merchantTransactionId", "/merchantInvoiceId"]);
    own.or_else(|| object.custom("/customParameters"))
}

hookgate_sdk::export!(provider: HyperPay);
