//! The digests that a provider puts into its requests, made for tests.
//!
//! Made with the secret of a source, or with a private key of the test's own. Nothing is verified
//! here.

use super::jws::{self, Scheme, Token};
use super::message::Materials;
use super::{crypto, key};
use crate::claims::{Claims, Decryption, Jws, KeySource, Proof, Value};
use crate::request::Request;

/// The digests for [`crate::Provider::sign`], one for each piece of evidence, computed with this
/// secret as the gateway does. If the secret is a private key, they are the provider's signatures.
/// The digest of an encrypted text is what the request has in its place, encrypted, or what its
/// [`Decryption`] says; behind it stands the tag of AES-GCM. `None` if the secret is not a key of
/// the encoding in the claims.
pub fn digests(claims: &Claims, request: &Request, secret: &str) -> Option<Vec<Vec<u8>>> {
    let materials = Materials::new(&claims.values, Some(secret), &request.body);
    let digest = |proof: &Proof| match proof {
        Proof::Mac(mac) => materials.digest(&mac.digest),
        Proof::Token(_) => Some(secret.as_bytes().to_vec()),
        Proof::Signature(signed) => {
            key::sign(signed.algorithm, &materials.message(&signed.message)?, secret)
        }
        Proof::Jws(jws) => sign_jws(jws, &materials, secret),
        Proof::Decrypted(decryption) => encrypted(decryption, claims, request, secret),
    };
    claims.evidence.iter().map(|evidence| evidence.proofs.iter().find_map(digest)).collect()
}

/// The text that a draft of a request has in the place of an encrypted one, encrypted.
fn encrypted(
    decryption: &Decryption,
    claims: &Claims,
    request: &Request,
    secret: &str,
) -> Option<Vec<u8>> {
    let draft = Materials::of_draft(&claims.values, Some(secret), &request.body);
    let value = claims.values.get(usize::try_from(decryption.index).ok()?)?;
    let Value::Decrypted(encrypted) = value else { return None };
    let plain = match &decryption.plain {
        Some(pieces) => draft.message(pieces)?,
        None => draft.value(decryption.index)?.to_vec(),
    };
    crypto::encrypt(encrypted, &draft.shared(&encrypted.key)?, plain)
}

fn sign_jws(jws: &Jws, materials: &Materials<'_>, secret: &str) -> Option<Vec<u8>> {
    let payload = match &jws.payload {
        Some(pieces) => Some(materials.message(pieces)?),
        None => None,
    };
    let message = Token::read(jws)?.signed(payload.as_deref());
    match (jws::scheme(jws.algorithm), &jws.key) {
        (Scheme::PublicKey(algorithm), _) => key::sign(algorithm, &message, secret),
        (Scheme::Hmac(hash), KeySource::Configured(form)) => {
            Some(crypto::mac(hash, &materials.shared(form)?, &message))
        }
        (Scheme::Hmac(_), KeySource::Fetched(_) | KeySource::Chain(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{
        Cipher, Digest, DigestText, Encrypted, Evidence, Hash, KeyEncoding, Piece, ProofKind,
        ValuePart, Worth,
    };
    use crate::provider::ProviderInfo;
    use crate::testing::{Tolerance, Unproven, verify};

    const KEY: &str = "0123456789abcdef";

    /// Claims with this checksum, which is the encrypted hash of the body and of a salt behind it.
    fn claims(checksum: Vec<u8>) -> Claims {
        let written = DigestText::Raw;
        let salt = || Piece::Value(ValuePart { index: 0, written, start: 64, end: None });
        let encrypted = Encrypted {
            cipher: Cipher::AesCbc,
            key: KeyEncoding::Text.into(),
            nonce: vec![0; 16],
            ciphertext: vec![checksum.into()],
            tag: Vec::new(),
            associated_data: Vec::new(),
        };
        let message = vec![Piece::Body, salt()];
        let digest = Digest { hash: Hash::Sha256, key: None, message };
        let plain = Some(vec![Piece::of_value(1, DigestText::Hex), salt()]);
        let proof = Proof::Decrypted(Decryption { index: 0, plain });
        Claims::new(Evidence::from(proof), None::<String>)
            .with_values([Value::Decrypted(encrypted), Value::Digest(digest)])
    }

    fn proven(claims: &Claims, body: &str) -> Result<(), Unproven> {
        let info = ProviderInfo::new("acme", "1.0.0", &["acme.*"], &[ProofKind::Decrypted])
            .worth(ProofKind::Decrypted, Worth::Weak);
        let request = Request::post("/in/acme", body);
        verify(&info, claims, &request, &["other", KEY], 0, Tolerance::Provider)
    }

    #[test]
    fn a_checksum_is_encrypted_and_decrypted() {
        let blank = claims([&[b'0'; 64][..], b"salt"].concat());
        let request = Request::post("/in/acme", "body");
        let signed = claims(digests(&blank, &request, KEY).unwrap().remove(0));
        assert_eq!(proven(&signed, "body"), Ok(()));
        assert_eq!(proven(&signed, "bodies"), Err(Unproven::Mismatch));
        assert_eq!(proven(&blank, "body"), Err(Unproven::Mismatch));
        assert_eq!(digests(&blank, &request, "short"), None);
    }
}
