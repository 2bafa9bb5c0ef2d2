//! The headers of a transmission: the text that PayPal signed, and its certificate.
//!
//! PayPal signs `{id}|{time}|{webhook id}|{CRC-32 of the body}`. A part that contains a `|` could
//! pass for two parts, so each part is accepted only in its own alphabet.

use hookgate_sdk::{Refusal, Request, Timestamp, base64, time};

use crate::crc32::crc32;
use crate::settings::{Environment, Settings};

const ID: &str = "paypal-transmission-id";
const TIME: &str = "paypal-transmission-time";
const SIGNATURE: &str = "paypal-transmission-sig";
const CERTIFICATE: &str = "paypal-cert-url";
const ALGORITHM: &str = "paypal-auth-algo";

const RSA_SHA256: &str = "SHA256withRSA";
/// Longest id of a transmission.
const ID_BYTES_MAX: usize = 64;
/// The length with a key of 2048 bits, for a placeholder of zeros.
const SIGNATURE_BYTES: usize = 256;

pub(crate) struct Transmission {
    pub(crate) message: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) certificate: String,
    pub(crate) at: Timestamp,
}

impl Transmission {
    pub(crate) fn of(request: &Request, settings: &Settings) -> Result<Self, Refusal> {
        let wrong = |name: &str, what: &str| Refusal::new(format!("header `{name}` {what}"));
        if request.the_header(ALGORITHM)? != RSA_SHA256 {
            return Err(wrong(ALGORITHM, "is not SHA256withRSA"));
        }
        let id = request.the_header(ID)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=ID_BYTES_MAX).contains(&id.len()) || !id.bytes().all(known) {
            return Err(wrong(ID, "is not an id"));
        }
        let written = request.the_header(TIME)?;
        let at = time::from_rfc3339(written)
            .filter(|_| !written.contains('|'))
            .ok_or_else(|| wrong(TIME, "is not a time"))?;
        let certificate = request.the_header(CERTIFICATE)?;
        if !settings.environment.places().iter().any(|place| place.holds(certificate)) {
            return Err(wrong(CERTIFICATE, "is not a URL of PayPal's certificates"));
        }
        let signature = base64::decode(request.the_header(SIGNATURE)?)
            .filter(|signature| !signature.is_empty())
            .ok_or_else(|| wrong(SIGNATURE, "is not base64"))?;
        let webhook = &settings.webhook_id;
        let checksum = crc32(&request.body);
        let message = format!("{id}|{written}|{webhook}|{checksum}");
        Ok(Self { message, signature, certificate: certificate.to_owned(), at })
    }
}

/// The request as PayPal would send it, with the signature or with zeros.
pub(crate) fn sign(
    mut request: Request,
    settings: &Settings,
    at: Timestamp,
    signatures: &[Vec<u8>],
) -> Result<Request, String> {
    let signature = match signatures {
        [] => base64::encode(&[0; SIGNATURE_BYTES]),
        [signature] => base64::encode(signature),
        _ => return Err(format!("header `{SIGNATURE}` carries only one signature")),
    };
    let place = match settings.environment {
        Environment::Live => "https://api.paypal.com/v1/notifications/certs/CERT-hookgate",
        Environment::Sandbox => {
            "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-hookgate"
        }
    };
    request.set_header(ALGORITHM, RSA_SHA256);
    request.set_header(ID, "00000000-0000-0000-0000-000000000001");
    request.set_header(TIME, time::to_rfc3339(time::to_unix(at) * 1000));
    request.set_header(CERTIFICATE, place);
    request.set_header(SIGNATURE, signature);
    Ok(request)
}
