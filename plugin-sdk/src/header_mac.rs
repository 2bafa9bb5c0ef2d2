//! A digest in a header, the proof of most providers: `X-Signature: sha256=<hex>`.
//!
//! It declares once, for `claim` and `sign` alike, where the digest stands and how it is written.
//! The caller says what was signed. Nothing here computes or compares a digest.

use crate::claims::{Claims, DigestText, Evidence, Hash, KeyEncoding, Piece, Proof, Refusal};
use crate::limits::DIGESTS_MAX;
use crate::request::Request;
use crate::{base64, hex};

/// A header that carries an HMAC.
///
/// ```
/// use hookgate_sdk::{HeaderMac, Hash, Request};
///
/// const SIGNATURE: HeaderMac = HeaderMac::hex("x-acme-signature").with_algorithm(Hash::Sha512);
///
/// let signed = SIGNATURE.sign(Request::post("/in/acme", "{}"), &[vec![7; 64]]).unwrap();
/// let claims = SIGNATURE.claim(&signed, ["evt_1"]).unwrap();
/// assert_eq!(claims.event_ids, ["evt_1"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderMac<'a> {
    pub(crate) name: &'a str,
    prefix: &'a str,
    separator: Option<char>,
    text: DigestText,
    algorithm: Hash,
    key: KeyEncoding,
}

impl<'a> HeaderMac<'a> {
    /// HMAC-SHA256 in hexadecimal under this header's name; the key is the whole text of the
    /// secret.
    pub const fn hex(name: &'a str) -> Self {
        Self::new(name, DigestText::Hex)
    }

    /// HMAC-SHA256 in base64 under this header's name; the key is the whole text of the secret.
    pub const fn base64(name: &'a str) -> Self {
        Self::new(name, DigestText::Base64)
    }

    /// HMAC-SHA256, written as `text` says; the key is the whole text of the secret.
    pub const fn new(name: &'a str, text: DigestText) -> Self {
        Self {
            name,
            prefix: "",
            separator: None,
            text,
            algorithm: Hash::Sha256,
            key: KeyEncoding::Text,
        }
    }

    /// With a text that must stand before the digest: `sha256=`.
    #[must_use]
    pub const fn with_prefix(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// With several digests in the header, and this character between them: `v1=<hex>,v1=<hex>`.
    /// Each has the prefix. Texts without it, and texts that can't be a digest, are ignored.
    #[must_use]
    pub const fn listed(self, separator: char) -> Self {
        Self { separator: Some(separator), ..self }
    }

    /// With another hash than SHA-256.
    #[must_use]
    pub const fn with_algorithm(self, algorithm: Hash) -> Self {
        Self { algorithm, ..self }
    }

    /// With another encoding of the key in the secret.
    #[must_use]
    pub const fn with_key(self, key: KeyEncoding) -> Self {
        Self { key, ..self }
    }

    /// The claims of a request whose body was signed.
    pub fn claim(
        &self,
        request: &Request,
        event_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Claims, Refusal> {
        Ok(Claims::new(self.evidence(request, vec![Piece::Body])?, event_ids))
    }

    /// The evidence in the request that this message was signed. Refuses a header that is missing,
    /// repeated, or holds no digest of the right length.
    pub fn evidence(&self, request: &Request, message: Vec<Piece>) -> Result<Evidence, Refusal> {
        let name = self.name;
        let written = request.the_header(name)?;
        let digest = |text: &str| self.digest(text.strip_prefix(self.prefix)?);
        let digests: Vec<_> = match self.separator {
            Some(separator) => written.split(separator).filter_map(digest).collect(),
            None => digest(written).into_iter().collect(),
        };
        match digests.len() {
            0 => Err(Refusal::new(format!("header `{name}` is not a valid digest"))),
            1..=DIGESTS_MAX => Ok(self.evidence_of(message, digests)),
            more => Err(Refusal::new(format!(
                "header `{name}` has {more} digests; the limit is {DIGESTS_MAX}"
            ))),
        }
    }

    /// The same evidence for digests that the plugin found elsewhere in the request.
    pub fn evidence_of(&self, message: Vec<Piece>, digests: Vec<Vec<u8>>) -> Evidence {
        Evidence::from(Proof::hmac(self.algorithm, self.key, message, digests))
    }

    /// Decodes a digest, given without its prefix; `None` for another length or alphabet.
    pub fn digest(&self, text: &str) -> Option<Vec<u8>> {
        let digest = match self.text {
            DigestText::Raw => Some(text.as_bytes().to_vec()),
            DigestText::Hex => hex::decode_lower(text),
            DigestText::HexUpper => {
                let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
                is_upper.then(|| hex::decode(text)).flatten()
            }
            DigestText::Base64 => base64::decode(text),
            DigestText::Base64url => base64::decode_url(text),
        };
        digest.filter(|digest| digest.len() == length(self.algorithm))
    }

    /// The request with the digest in its header. Without a digest the header gets zeros, which
    /// [`evidence`](Self::evidence) can read.
    pub fn sign(&self, mut request: Request, digests: &[Vec<u8>]) -> Result<Request, String> {
        let text = self.written(digests)?;
        request.set_header(self.name, format!("{}{text}", self.prefix));
        Ok(request)
    }

    /// The digest as the header has it, without its prefix, for a provider that puts it elsewhere;
    /// zeros without a digest.
    pub fn written(&self, digests: &[Vec<u8>]) -> Result<String, String> {
        let digest = match digests {
            [] => vec![0; length(self.algorithm)],
            [digest] => digest.clone(),
            _ => return Err(format!("header `{}` carries only one digest", self.name)),
        };
        Ok(match self.text {
            DigestText::Raw => String::from_utf8_lossy(&digest).into_owned(),
            DigestText::Hex => hex::encode(&digest),
            DigestText::HexUpper => hex::encode(&digest).to_uppercase(),
            DigestText::Base64 => base64::encode(&digest),
            DigestText::Base64url => base64::encode_url(&digest),
        })
    }
}

/// Bytes of a digest.
pub(crate) fn length(algorithm: Hash) -> usize {
    match algorithm {
        Hash::Md5 => 16,
        Hash::Sha1 => 20,
        Hash::Sha256 | Hash::Sha3 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: HeaderMac = HeaderMac::hex("x-signature").with_prefix("v0=");

    fn request(value: &str) -> Request {
        let mut request = Request::post("/", "{}");
        request.set_header("x-signature", value);
        request
    }

    fn proven(digests: Vec<Vec<u8>>) -> Evidence {
        Proof::hmac(Hash::Sha256, KeyEncoding::Text, vec![Piece::Body], digests).into()
    }

    #[test]
    fn a_digest_is_found_behind_its_prefix() {
        let request = request(&format!("v0={}", "0a".repeat(32)));
        let evidence = SIGNATURE.evidence(&request, vec![Piece::Body]).unwrap();
        let expected = vec![vec![10; 32]];
        assert_eq!(evidence, proven(expected));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for value in [
            String::new(),
            "v0=".to_owned(),
            "0a".repeat(32),
            format!("v1={}", "0a".repeat(32)),
            format!("v0={}", "0A".repeat(32)),
            format!("v0={}", "0a".repeat(31)),
            format!("v0= {}", "0a".repeat(32)),
        ] {
            assert!(SIGNATURE.evidence(&request(&value), vec![]).is_err(), "{value}");
        }
    }

    #[test]
    fn a_list_has_a_digest_for_each_secret() {
        let listed = HeaderMac::hex("x-signature").with_prefix("v1=").listed(',');
        let a = "0a".repeat(32);
        let b = "0b".repeat(32);
        let evidence = |value: &str| listed.evidence(&request(value), vec![Piece::Body]);
        let both = proven(vec![vec![10; 32], vec![11; 32]]);
        assert_eq!(evidence(&format!("v1={a},v0=00,v1=zz,,v1={b}")), Ok(both));
        for value in [String::new(), format!("v0={a}"), a.clone(), format!("v1={a}").repeat(2)] {
            assert!(evidence(&value).is_err(), "{value}");
        }
        assert!(evidence(&format!("v1={a},").repeat(16)).is_ok());
        assert!(evidence(&format!("v1={a},").repeat(17)).is_err());
    }

    #[test]
    fn what_is_signed_reads_back() {
        for mac in [
            HeaderMac::hex("a"),
            HeaderMac::base64("a").with_algorithm(Hash::Sha1),
            HeaderMac::new("a", DigestText::HexUpper).with_algorithm(Hash::Sha3),
            HeaderMac::new("a", DigestText::Base64url).with_algorithm(Hash::Sha384),
            HeaderMac::hex("a").with_algorithm(Hash::Sha512).with_key(KeyEncoding::Hex),
        ] {
            let bytes = vec![3; length(mac.algorithm)];
            for digests in [vec![], vec![bytes]] {
                let signed = mac.sign(Request::post("/", "{}"), &digests).unwrap();
                assert!(mac.evidence(&signed, vec![Piece::Body]).is_ok());
            }
            assert!(mac.sign(Request::post("/", ""), &[vec![], vec![]]).is_err());
        }
    }
}
