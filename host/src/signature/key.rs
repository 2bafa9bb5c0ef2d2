//! How a configured secret becomes key bytes.
//!
//! A secret that does not fit gives no key, and is passed over. A public key never becomes the key
//! of an HMAC, a token or a part of a message: everybody knows it, so everybody could sign with it.
//! Nothing here computes a signature.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::Digest;

use super::der::{self, BIT_STRING, SEQUENCE};
use crate::provider::{KeyEncoding, KeyFamily, SecretForm};
use crate::secrets::Secret;

const INDIFFERENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Standard base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT);
/// Shortest `SubjectPublicKeyInfo` in base64, about that of Ed25519.
const INFO_CHARS_MIN: usize = 56;
/// URL-safe base64, padded or not.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT);

/// The bytes of a shared secret, at least one: the key of an HMAC or a cipher, or a part of a
/// message.
pub(crate) fn shared(form: &SecretForm, secret: &Secret) -> Option<Vec<u8>> {
    let text = without_prefix(form, shared_text(secret)?);
    if text.is_empty() {
        // Its hash would be a key that everybody knows.
        return None;
    }
    let key = match form.encoding {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Hex => hex::decode(text).ok()?,
        KeyEncoding::Base64 => base64(text)?,
        KeyEncoding::Base64Url => base64_url(text)?,
        KeyEncoding::Urlencoded => urlencoded(text).into_bytes(),
        KeyEncoding::Whsec => base64(text.strip_prefix("whsec_").unwrap_or(text))?,
        KeyEncoding::Md5 => md5::Md5::digest(text).to_vec(),
        KeyEncoding::Sha1 => sha1::Sha1::digest(text).to_vec(),
        KeyEncoding::Sha256 => sha2::Sha256::digest(text).to_vec(),
        KeyEncoding::Whpk | KeyEncoding::Pem | KeyEncoding::Spki => return None,
    };
    (!key.is_empty()).then_some(key)
}

/// The text of a secret that both sides keep to themselves; `None` for a public key or a
/// certificate.
pub(super) fn shared_text(secret: &Secret) -> Option<&str> {
    let text = secret.expose();
    (!is_public(text)).then_some(text)
}

/// Whether a text says of itself that it is a public key or a certificate, or something else that
/// is no shared secret. Bare bytes say nothing.
pub(super) fn is_public(text: &str) -> bool {
    text.starts_with("whpk_") || text.trim_start().starts_with("-----BEGIN ") || is_info(text)
}

/// Whether a text is a `SubjectPublicKeyInfo` in base64, of whatever family.
fn is_info(text: &str) -> bool {
    // A sequence begins with an `M`: hardly any other secret has to be decoded to tell.
    text.len() >= INFO_CHARS_MIN
        && text.starts_with('M')
        && base64(text).is_some_and(|der| info(&der).is_some())
}

fn without_prefix<'a>(form: &SecretForm, text: &'a str) -> &'a str {
    let prefix = form.prefix.as_deref().unwrap_or_default();
    text.strip_prefix(prefix).unwrap_or(text)
}

/// As `application/x-www-form-urlencoded` writes a value.
fn urlencoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                written.push(char::from(byte));
            }
            b' ' => written.push('+'),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// The public key as the family's own bytes: 32 of Ed25519, an uncompressed point of a curve, the
/// DER of an `RSAPublicKey`.
pub(super) fn public_key(family: KeyFamily, form: &SecretForm, secret: &Secret) -> Option<Vec<u8>> {
    let text = without_prefix(form, secret.expose());
    let key = match form.encoding {
        KeyEncoding::Hex => hex::decode(text).ok()?,
        KeyEncoding::Base64 => base64(text)?,
        KeyEncoding::Base64Url => base64_url(text)?,
        KeyEncoding::Whpk => base64(text.strip_prefix("whpk_")?)?,
        KeyEncoding::Pem => subject_public_key(family, &pem(text)?)?.to_vec(),
        KeyEncoding::Spki => subject_public_key(family, &base64(text)?)?.to_vec(),
        KeyEncoding::Text
        | KeyEncoding::Urlencoded
        | KeyEncoding::Whsec
        | KeyEncoding::Md5
        | KeyEncoding::Sha1
        | KeyEncoding::Sha256 => return None,
    };
    fits(family, &key).then_some(key)
}

/// The public key in a `SubjectPublicKeyInfo`, as of a certificate.
pub(crate) fn public_key_of_info(family: KeyFamily, der: &[u8]) -> Option<Vec<u8>> {
    let key = subject_public_key(family, der)?;
    fits(family, key).then(|| key.to_vec())
}

fn fits(family: KeyFamily, key: &[u8]) -> bool {
    let is_point = |bytes: usize| key.len() == 1 + 2 * bytes && key[0] == 4;
    match family {
        KeyFamily::Ed25519 => key.len() == 32,
        KeyFamily::P256 => is_point(32),
        KeyFamily::P384 => is_point(48),
        KeyFamily::P521 => is_point(66),
        KeyFamily::Rsa => !key.is_empty(),
    }
}

/// Decodes standard base64, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Decodes URL-safe base64, padded or not.
pub(crate) fn base64_url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL.decode(text).ok()
}

pub(crate) fn pem(text: &str) -> Option<Vec<u8>> {
    let lines = text
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")?
        .strip_suffix("-----END PUBLIC KEY-----")?;
    base64(&lines.split_ascii_whitespace().collect::<String>())
}

/// Reads a `SubjectPublicKeyInfo`, which must name this very family.
fn subject_public_key(family: KeyFamily, der: &[u8]) -> Option<&[u8]> {
    let (algorithm, key) = info(der)?;
    (algorithm == algorithm_identifier(family)).then_some(key)
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280): the content of its algorithm, and the key.
fn info(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, rest) = der::element(SEQUENCE, der)?;
    let (algorithm, info) = der::element(SEQUENCE, info)?;
    let (bits, tail) = der::element(BIT_STRING, info)?;
    let (unused_bits, key) = bits.split_first()?;
    let is_whole = rest.is_empty() && tail.is_empty() && *unused_bits == 0;
    is_whole.then_some((algorithm, key))
}

/// The content of the `AlgorithmIdentifier`, in DER.
fn algorithm_identifier(family: KeyFamily) -> &'static [u8] {
    match family {
        // 1.3.101.112
        KeyFamily::Ed25519 => b"\x06\x03\x2b\x65\x70",
        // 1.2.840.10045.2.1 with 1.2.840.10045.3.1.7
        KeyFamily::P256 => {
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
        }
        // ... with 1.3.132.0.34
        KeyFamily::P384 => b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        // ... with 1.3.132.0.35
        KeyFamily::P521 => b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23",
        // 1.2.840.113549.1.1.1 with NULL
        KeyFamily::Rsa => b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
    }
}

#[cfg(test)]
mod tests;
