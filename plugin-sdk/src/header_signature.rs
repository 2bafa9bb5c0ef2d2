//! A public-key signature in a header, in base64: `X-Signature-SHA256: <base64>`.
//!
//! It declares once, for `claim` and `sign` alike, where the signature stands. The caller says what
//! was signed. Nothing here verifies a signature.

use crate::base64;
use crate::claims::{Evidence, KeyEncoding, KeyLookup, Piece, Proof, PublicKey, Refusal};
use crate::request::Request;

/// A header that carries a signature in base64.
///
/// ```
/// use hookgate_sdk::{HeaderSignature, Piece, PublicKey, Request};
///
/// const SIGNATURE: HeaderSignature =
///     HeaderSignature::new("x-acme-signature", PublicKey::RsaSha256);
///
/// let signed = SIGNATURE.sign(Request::post("/in/acme", "{}"), &[vec![7; 256]]).unwrap();
/// assert!(SIGNATURE.evidence(&signed, vec![Piece::Body]).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderSignature<'a> {
    name: &'a str,
    algorithm: PublicKey,
    key: KeyEncoding,
}

impl<'a> HeaderSignature<'a> {
    /// A signature under this header's name; the source's secrets are public keys in PEM.
    pub const fn new(name: &'a str, algorithm: PublicKey) -> Self {
        Self { name, algorithm, key: KeyEncoding::Pem }
    }

    /// With another encoding of the public keys.
    #[must_use]
    pub const fn with_key(self, key: KeyEncoding) -> Self {
        Self { key, ..self }
    }

    /// The evidence in the request that this message was signed. Refuses a header that is missing,
    /// repeated or not base64.
    pub fn evidence(&self, request: &Request, message: Vec<Piece>) -> Result<Evidence, Refusal> {
        let signatures = vec![self.read(request)?];
        Ok(Proof::public_key(self.algorithm, self.key, message, signatures).into())
    }

    /// The same evidence with a public key that the gateway fetches.
    pub fn fetched_evidence(
        &self,
        request: &Request,
        lookup: KeyLookup,
        message: Vec<Piece>,
    ) -> Result<Evidence, Refusal> {
        let signatures = vec![self.read(request)?];
        Ok(Proof::fetched_key(self.algorithm, lookup, message, signatures).into())
    }

    fn read(&self, request: &Request) -> Result<Vec<u8>, Refusal> {
        let name = self.name;
        base64::decode(request.the_header(name)?)
            .filter(|signature| !signature.is_empty())
            .ok_or_else(|| Refusal::new(format!("header `{name}` is not base64")))
    }

    /// The request with the signature in its header. Without a signature the header gets zeros,
    /// which [`evidence`](Self::evidence) can read.
    pub fn sign(&self, mut request: Request, signatures: &[Vec<u8>]) -> Result<Request, String> {
        let signature = match signatures {
            [] => base64::encode(&vec![0; length(self.algorithm)]),
            [signature] => base64::encode(signature),
            _ => return Err(format!("header `{}` carries only one signature", self.name)),
        };
        request.set_header(self.name, signature);
        Ok(request)
    }
}

/// Bytes of a signature; of RSA with a key of 2,048 bits.
fn length(algorithm: PublicKey) -> usize {
    match algorithm {
        PublicKey::RsaSha1
        | PublicKey::RsaSha256
        | PublicKey::RsaSha512
        | PublicKey::RsaPssSha256 => 256,
        PublicKey::EcdsaP256 | PublicKey::EcdsaP256Der | PublicKey::Ed25519 => 64,
        PublicKey::EcdsaP384 | PublicKey::EcdsaP384Der => 96,
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => 132,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: HeaderSignature =
        HeaderSignature::new("x-signature", PublicKey::Ed25519).with_key(KeyEncoding::Whpk);

    #[test]
    fn what_is_signed_reads_back() {
        for signatures in [vec![], vec![vec![7; 64]]] {
            let signed = SIGNATURE.sign(Request::post("/", ""), &signatures).unwrap();
            let bytes = signatures.first().cloned().unwrap_or_else(|| vec![0; 64]);
            let body = || vec![Piece::Body];
            let proof =
                Proof::public_key(PublicKey::Ed25519, KeyEncoding::Whpk, body(), vec![bytes]);
            assert_eq!(SIGNATURE.evidence(&signed, body()), Ok(Evidence::from(proof)));
        }
        assert!(SIGNATURE.sign(Request::post("/", ""), &[vec![], vec![]]).is_err());
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let mut request = Request::post("/", "");
        assert!(SIGNATURE.evidence(&request, vec![]).is_err());
        for value in ["", "%", "AA", " AAAA"] {
            request.set_header("x-signature", value);
            assert!(SIGNATURE.evidence(&request, vec![]).is_err(), "{value}");
        }
    }
}
