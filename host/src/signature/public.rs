//! Public-key signatures: which library verifies which scheme.
//!
//! Keys come as their family's own bytes. Nothing here is secret, so nothing takes care of time.

use p521::ecdsa::signature::Verifier;
use ring::signature::{self as public, UnparsedPublicKey, VerificationAlgorithm};

use crate::provider::PublicKey;

/// Whether a key verifies a signature of a message.
pub(super) fn verifies(scheme: PublicKey, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match scheme {
        PublicKey::Ed25519 => &public::ED25519,
        PublicKey::EcdsaP256 => &public::ECDSA_P256_SHA256_FIXED,
        PublicKey::EcdsaP256Der => &public::ECDSA_P256_SHA256_ASN1,
        PublicKey::EcdsaP384 => &public::ECDSA_P384_SHA384_FIXED,
        PublicKey::EcdsaP384Der => &public::ECDSA_P384_SHA384_ASN1,
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => {
            return verifies_p521(scheme, key, message, signature).is_some();
        }
        PublicKey::RsaSha1 => &public::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        PublicKey::RsaSha256 => &public::RSA_PKCS1_2048_8192_SHA256,
        PublicKey::RsaSha512 => &public::RSA_PKCS1_2048_8192_SHA512,
        PublicKey::RsaPssSha256 => &public::RSA_PSS_2048_8192_SHA256,
    };
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

fn verifies_p521(scheme: PublicKey, key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    use p521::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = match scheme {
        PublicKey::EcdsaP521Der => Signature::from_der(signature),
        _ => Signature::from_slice(signature),
    };
    key.verify(message, &signature.ok()?).ok()
}

#[cfg(test)]
mod tests;
