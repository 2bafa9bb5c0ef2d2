//! The three headers of Standard Webhooks, which sign `{id}.{timestamp}.{body}`.
//!
//! A signature is `v1,<base64>` or `v1a,<base64>`, and there may be several. Other versions, and
//! values that can't be a signature, are ignored. The two families of headers are never mixed.

use hookgate_sdk::{
    Evidence, Hmac, KeyEncoding, Piece, Proof, PublicKey, Refusal, Request, Timestamp, base64, id,
};

/// The two families of header names. If both are there, those of the specification count.
const FAMILIES: [&str; 2] = ["webhook", "svix"];

/// Most signatures that the gateway tries.
const SIGNATURES_MAX: usize = 16;
/// Bytes of HMAC-SHA256.
const DIGEST_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// The values of the headers.
#[derive(Debug)]
pub(crate) struct Signed<'r> {
    pub(crate) id: &'r str,
    /// The time as it is written, which is what the sender signed.
    time: &'r str,
    pub(crate) at: Timestamp,
    signatures: &'r str,
}

impl<'r> Signed<'r> {
    pub(crate) fn read(request: &'r Request) -> Result<Self, Refusal> {
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

    /// The event's id: the sender's, or one derived from it if it is too long.
    pub(crate) fn event_id(&self) -> String {
        id::of(self.id.to_owned())
    }

    /// One piece of evidence, which holds if any of the signatures does.
    pub(crate) fn evidence(&self) -> Result<Evidence, Refusal> {
        let macs = self.all("v1", DIGEST_BYTES);
        let signatures = self.all("v1a", SIGNATURE_BYTES);
        let message = || vec![Piece::from(format!("{}.{}.", self.id, self.time)), Piece::Body];
        let mut proofs = Vec::new();
        if !macs.is_empty() {
            proofs.push(Proof::hmac(Hmac::Sha256, KeyEncoding::Whsec, message(), macs));
        }
        if !signatures.is_empty() {
            let scheme = PublicKey::Ed25519;
            proofs.push(Proof::public_key(scheme, KeyEncoding::Whpk, message(), signatures));
        }
        if self.signatures.split(' ').count() > SIGNATURES_MAX {
            return Err(Refusal::new(format!("there are more than {SIGNATURES_MAX} signatures")));
        }
        if proofs.is_empty() {
            return Err(Refusal::new("there is no valid signature of version v1 or v1a"));
        }
        Ok(Evidence::any(proofs))
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

/// The request with the three headers, in the family of the headers that it has. Without an id it
/// gets one derived from its body, so that the second call gives the same id.
pub(crate) fn sign(
    mut request: Request,
    seconds: u64,
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
    request.set_header(&name("timestamp"), seconds.to_string());
    request.set_header(&name("signature"), format!("v1,{digest}"));
    Ok(request)
}

fn family(request: &Request) -> &'static str {
    let has = |family: &&str| {
        let parts = ["id", "timestamp", "signature"];
        parts.iter().any(|part| request.header(&format!("{family}-{part}")).is_some())
    };
    FAMILIES.into_iter().find(has).unwrap_or(FAMILIES[0])
}
