//! How a configured secret becomes key bytes.
//!
//! A secret that does not fit gives no key, and is passed over. A public key never becomes the key
//! of an HMAC or a token: everybody knows it, so everybody could sign with it. Nothing here
//! computes a signature.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::Digest;

use crate::provider::{KeyEncoding, PublicKey};
use crate::secrets::Secret;

/// Standard base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key of an HMAC, at least one byte.
pub(crate) fn mac_key(encoding: KeyEncoding, secret: &Secret) -> Option<Vec<u8>> {
    let text = shared_text(secret)?;
    let key = match encoding {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text).ok()?,
        KeyEncoding::Base64 => base64(text)?,
        KeyEncoding::Whsec => base64(text.strip_prefix("whsec_").unwrap_or(text))?,
        KeyEncoding::Sha1 => sha1::Sha1::digest(text).to_vec(),
        KeyEncoding::Whpk | KeyEncoding::Pem => return None,
    };
    (!key.is_empty()).then_some(key)
}

/// The text of a secret that both sides keep to themselves; `None` for a public key.
pub(super) fn shared_text(secret: &Secret) -> Option<&str> {
    let text = secret.expose();
    let public = text.starts_with("whpk_") || text.trim_start().starts_with("-----BEGIN ");
    (!public).then_some(text)
}

/// The public key as the scheme's own bytes: 32 of Ed25519, an uncompressed point of P-256, the DER
/// of an `RSAPublicKey`.
pub(super) fn public_key(
    scheme: PublicKey,
    encoding: KeyEncoding,
    secret: &Secret,
) -> Option<Vec<u8>> {
    let text = secret.expose();
    let key = match encoding {
        KeyEncoding::Hex => hex::decode(text).ok()?,
        KeyEncoding::Base64 => base64(text)?,
        KeyEncoding::Whpk => base64(text.strip_prefix("whpk_")?)?,
        KeyEncoding::Pem => subject_public_key(scheme, &pem(text)?)?.to_vec(),
        KeyEncoding::Text | KeyEncoding::Whsec | KeyEncoding::Sha1 => return None,
    };
    fits(scheme, &key).then_some(key)
}

/// The public key in a `SubjectPublicKeyInfo`, as of a certificate.
pub(crate) fn public_key_of_info(scheme: PublicKey, der: &[u8]) -> Option<Vec<u8>> {
    let key = subject_public_key(scheme, der)?;
    fits(scheme, key).then(|| key.to_vec())
}

fn fits(scheme: PublicKey, key: &[u8]) -> bool {
    match scheme {
        PublicKey::Ed25519 => key.len() == 32,
        PublicKey::EcdsaP256 => key.len() == 65 && key[0] == 4,
        PublicKey::RsaSha256 => !key.is_empty(),
    }
}

/// Decodes standard base64, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

pub(crate) fn pem(text: &str) -> Option<Vec<u8>> {
    let lines = text
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .strip_suffix("-----END PUBLIC KEY-----")?;
    base64(&lines.split_ascii_whitespace().collect::<String>())
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280), which must name this very scheme.
fn subject_public_key(scheme: PublicKey, der: &[u8]) -> Option<&[u8]> {
    let (info, rest) = element(SEQUENCE, der)?;
    let (algorithm, info) = element(SEQUENCE, info)?;
    let (bits, tail) = element(BIT_STRING, info)?;
    let (unused_bits, key) = bits.split_first()?;
    let whole = rest.is_empty() && tail.is_empty() && *unused_bits == 0;
    (whole && algorithm == algorithm_identifier(scheme)).then_some(key)
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The content of the `AlgorithmIdentifier`, in DER.
fn algorithm_identifier(scheme: PublicKey) -> &'static [u8] {
    match scheme {
        // 1.3.101.112
        PublicKey::Ed25519 => b"\x06\x03\x2b\x65\x70",
        // 1.2.840.10045.2.1 with 1.2.840.10045.3.1.7
        PublicKey::EcdsaP256 => {
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
        }
        // 1.2.840.113549.1.1.1 with NULL
        PublicKey::RsaSha256 => b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
    }
}

/// Splits a DER element of this tag off the front: its content, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, der) = der.split_first()?;
    let (first, der) = der.split_first()?;
    let (length, der) = match *first {
        short @ ..=0x7f => (usize::from(short), der),
        // Lengths of more than two bytes are longer than any key.
        long @ (0x81 | 0x82) => {
            let (digits, der) = der.split_at_checked(usize::from(long - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), der)
        }
        _ => return None,
    };
    if *found != tag {
        return None;
    }
    der.split_at_checked(length)
}

#[cfg(test)]
mod tests;
