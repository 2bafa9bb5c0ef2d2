//! The headers of a transmission: the text that PayPal signed, and its certificate.
//!
//! PayPal signs `{id}|{time}|{webhook id}|{CRC-32 of the body}`. A part that contains a `|` could
//! pass for two parts, and is refused.

use hookgate_sdk::{HeaderSignature, PublicKey, Refusal, Request, SignedFields, Timestamp, time};

use crate::crc32::crc32;
use crate::settings::{Environment, Settings};

const ID: &str = "paypal-transmission-id";
const TIME: &str = "paypal-transmission-time";
const CERTIFICATE: &str = "paypal-cert-url";
const ALGORITHM: &str = "paypal-auth-algo";

const RSA_SHA256: &str = "SHA256withRSA";

pub(crate) const SIGNATURE: HeaderSignature =
    HeaderSignature::new("paypal-transmission-sig", PublicKey::RsaSha256);
const SIGNED: SignedFields = SignedFields::values().joined_by("|").apart();

pub(crate) struct Transmission {
    pub(crate) message: String,
    pub(crate) certificate: String,
    pub(crate) at: Timestamp,
}

impl Transmission {
    pub(crate) fn of(request: &Request, settings: &Settings) -> Result<Self, Refusal> {
        let wrong = |name: &str, what: &str| Refusal::new(format!("header `{name}` {what}"));
        if request.the_header(ALGORITHM)? != RSA_SHA256 {
            return Err(wrong(ALGORITHM, "is not SHA256withRSA"));
        }
        let written = request.the_header(TIME)?;
        let at = time::from_rfc3339(written).ok_or_else(|| wrong(TIME, "is not a time"))?;
        let certificate = request.the_header(CERTIFICATE)?;
        if !settings.environment.places().iter().any(|place| place.holds(certificate)) {
            return Err(wrong(CERTIFICATE, "is not a URL of PayPal's certificates"));
        }
        let message = SIGNED.text(&[
            (ID, request.the_header(ID)?),
            (TIME, written),
            ("webhook_id", settings.webhook_id.as_str()),
            ("body", crc32(&request.body).to_string().as_str()),
        ])?;
        Ok(Self { message, certificate: certificate.to_owned(), at })
    }
}

/// The request as PayPal would send it, with the signature or with zeros.
pub(crate) fn sign(
    mut request: Request,
    settings: &Settings,
    at: Timestamp,
    signatures: &[Vec<u8>],
) -> Result<Request, String> {
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
    SIGNATURE.sign(request, signatures)
}
