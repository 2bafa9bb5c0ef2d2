//! The three headers of Standard Webhooks, which sign `{id}.{timestamp}.{body}`.
//!
//! A signature is `v1,<base64>` or `v1a,<base64>`, and there may be several. Other versions, and
//! values that can't be a signature, are ignored. The two families of headers are never mixed.

use crate::claims::{Claims, Evidence, Hash, KeyEncoding, Piece, Proof, PublicKey, Refusal};
use crate::event::Timestamp;
use crate::limits::DIGESTS_MAX;
use crate::request::Request;
use crate::{base64, id, time};

/// The two families of header names. If both are there, those of the specification count.
const FAMILIES: [&str; 2] = ["webhook", "svix"];

/// Bytes of HMAC-SHA256.
const DIGEST_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// The headers `webhook-*` or Svix's `svix-*`, with an HMAC-SHA256 whose key is `whsec_` and
/// base64.
///
/// ```
/// use hookgate_sdk::{Request, StandardSignature};
///
/// const SIGNATURE: StandardSignature = StandardSignature::new();
///
/// let request = Request::post("/in/acme", "{}");
/// let signed = SIGNATURE.sign(request, 1_700_000_000_000, &[vec![7; 32]]).unwrap();
/// let claims = SIGNATURE.claim(&signed).unwrap();
/// assert_eq!(claims.event_ids[0], signed.header("webhook-id").unwrap());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardSignature {
    key: KeyEncoding,
    takes_ed25519: bool,
}

/// The values of the headers.
struct Signed<'r> {
    id: &'r str,
    /// The time as it is written, which is what the sender signed.
    time: &'r str,
    at: Timestamp,
    signatures: &'r str,
}

impl Default for StandardSignature {
    fn default() -> Self {
        Self::new()
    }
}

impl StandardSignature {
    /// An HMAC alone.
    pub const fn new() -> Self {
        Self { key: KeyEncoding::Whsec, takes_ed25519: false }
    }

    /// With another encoding of the key of the HMAC.
    #[must_use]
    pub const fn with_key(self, key: KeyEncoding) -> Self {
        Self { key, ..self }
    }

    /// With Ed25519 signatures (`v1a`) as an alternative: a sender that moves from one to the other
    /// sends both.
    #[must_use]
    pub const fn or_ed25519(self) -> Self {
        Self { takes_ed25519: true, ..self }
    }

    /// The claims of the request, with the id of its event.
    pub fn claim(&self, request: &Request) -> Result<Claims, Refusal> {
        let signed = Signed::read(request)?;
        let claims = Claims::new(self.evidence(&signed)?, [signed.event_id()]);
        Ok(claims.with_signing_time(signed.at))
    }

    /// The id of the request's event: the sender's, or one derived from it if it is too long.
    pub fn event_id(&self, request: &Request) -> Result<String, Refusal> {
        Ok(Signed::read(request)?.event_id())
    }

    /// One piece of evidence, which holds if any of the signatures does.
    fn evidence(&self, signed: &Signed<'_>) -> Result<Evidence, Refusal> {
        if signed.signatures.split(' ').count() > DIGESTS_MAX {
            return Err(Refusal::new(format!("there are more than {DIGESTS_MAX} signatures")));
        }
        let message = || vec![Piece::from(format!("{}.{}.", signed.id, signed.time)), Piece::Body];
        let mut proofs = Vec::new();
        let macs = signed.all("v1", DIGEST_BYTES);
        if !macs.is_empty() {
            proofs.push(Proof::hmac(Hash::Sha256, self.key, message(), macs));
        }
        let signatures = signed.all("v1a", SIGNATURE_BYTES);
        if self.takes_ed25519 && !signatures.is_empty() {
            let scheme = PublicKey::Ed25519;
            proofs.push(Proof::public_key(scheme, KeyEncoding::Whpk, message(), signatures));
        }
        if proofs.is_empty() {
            return Err(Refusal::new("there is no valid signature of a known version"));
        }
        Ok(Evidence::any(proofs))
    }

    /// The request with the three headers, in the family of the headers that it has. Without an id
    /// it gets one derived from its body, so that the second call gives the same id.
    pub fn sign(
        &self,
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        let digest = match digests {
            [] => base64::encode(&[0; DIGEST_BYTES]),
            [digest] => base64::encode(digest),
            _ => return Err("a request carries only one digest".to_owned()),
        };
        let family = family(&request);
        let name = |part: &str| format!("{family}-{part}");
        let known = request.header(&name("id")).filter(|id| !id.is_empty()).map(ToOwned::to_owned);
        let id = known.unwrap_or_else(|| format!("msg_{}", id::derived(&[&request.body])));
        request.set_header(&name("id"), id);
        request.set_header(&name("timestamp"), time::to_unix(signed_at).to_string());
        request.set_header(&name("signature"), format!("v1,{digest}"));
        Ok(request)
    }
}

impl<'r> Signed<'r> {
    fn read(request: &'r Request) -> Result<Self, Refusal> {
        let family = family(request);
        let header = |name: &str| request.the_header(&format!("{family}-{name}"));
        let id = header("id")?;
        let signatures = header("signature")?;
        let (time, at) = request.the_time(&format!("{family}-timestamp"))?;
        if id.is_empty() {
            return Err(Refusal::new(format!("header `{family}-id` is empty")));
        }
        Ok(Self { id, time, at, signatures })
    }

    fn event_id(&self) -> String {
        id::of(self.id.to_owned())
    }

    /// Every signature of a version with the right length.
    fn all(&self, version: &str, length: usize) -> Vec<Vec<u8>> {
        let of_version = |signature: &str| {
            let encoded = signature.strip_prefix(version)?.strip_prefix(',')?;
            base64::decode(encoded).filter(|bytes| bytes.len() == length)
        };
        self.signatures.split(' ').filter_map(of_version).collect()
    }
}

fn family(request: &Request) -> &'static str {
    let has = |family: &&str| {
        let parts = ["id", "timestamp", "signature"];
        parts.iter().any(|part| request.header(&format!("{family}-{part}")).is_some())
    };
    FAMILIES.into_iter().find(has).unwrap_or(FAMILIES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: StandardSignature = StandardSignature::new();

    fn signed(signatures: &str) -> Request {
        let mut request = Request::post("/", "{}");
        request.set_header("svix-id", "msg_1");
        request.set_header("svix-timestamp", "1700000000");
        request.set_header("svix-signature", signatures);
        request
    }

    #[test]
    fn either_kind_of_signature_proves_the_same_where_both_count() {
        let digest = base64::encode(&[7; 32]);
        let signature = base64::encode(&[8; 64]);
        let request = signed(&format!("v1,{digest} v1a,{signature} v2,x v1,{signature}"));
        let proofs =
            |scheme: StandardSignature| scheme.claim(&request).unwrap().evidence[0].proofs.len();
        assert_eq!((proofs(SIGNATURE), proofs(SIGNATURE.or_ed25519())), (1, 2));
        let only = signed(&format!("v1a,{signature}"));
        assert!(SIGNATURE.claim(&only).is_err());
        assert!(SIGNATURE.or_ed25519().claim(&only).is_ok());
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let digest = format!("v1,{} ", base64::encode(&[7; 32]));
        assert!(SIGNATURE.claim(&signed(digest.repeat(16).trim_end())).is_ok());
        for signatures in ["", "v1", "v1,", "v1,AAAA", digest.repeat(17).trim_end()] {
            assert!(SIGNATURE.claim(&signed(signatures)).is_err(), "{signatures}");
        }
        for name in ["id", "timestamp", "signature"] {
            let mut request = signed(digest.trim_end());
            request.set_header(&format!("svix-{name}"), "");
            assert!(SIGNATURE.claim(&request).is_err(), "{name}");
        }
    }
}
