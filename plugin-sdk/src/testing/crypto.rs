//! Hashes, HMACs, ciphers and signatures, by the names of the contract.
//!
//! For tests only: it does not always take the same time, and the gateway has code of its own.
//! Knows no claims and no secrets, only bytes.

use aes_gcm::aes::cipher::consts::{U12, U16};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut, AesGcm, Nonce, Tag};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt};
use hmac::{Mac, SimpleHmac};
use p521::ecdsa::signature::Verifier;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::claims::{Cipher, Encrypted, Hash, PublicKey};

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// The HMAC of a message.
pub(super) fn mac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    fn compute<M: Mac + hmac::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = <M as hmac::KeyInit>::new_from_slice(key).expect("an HMAC accepts any key");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
    match hash {
        Hash::Md5 => compute::<hmac::Hmac<md5::Md5>>(key, message),
        Hash::Sha1 => compute::<hmac::Hmac<sha1::Sha1>>(key, message),
        Hash::Sha256 => compute::<hmac::Hmac<sha2::Sha256>>(key, message),
        Hash::Sha384 => compute::<hmac::Hmac<sha2::Sha384>>(key, message),
        Hash::Sha512 => compute::<hmac::Hmac<sha2::Sha512>>(key, message),
        Hash::Sha3 => compute::<SimpleHmac<sha3::Sha3_256>>(key, message),
    }
}

/// The hash of a message.
pub(super) fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    fn compute<D: sha2::Digest>(message: &[u8]) -> Vec<u8> {
        D::digest(message).to_vec()
    }
    match hash {
        Hash::Md5 => compute::<md5::Md5>(message),
        Hash::Sha1 => compute::<sha1::Sha1>(message),
        Hash::Sha256 => compute::<sha2::Sha256>(message),
        Hash::Sha384 => compute::<sha2::Sha384>(message),
        Hash::Sha512 => compute::<sha2::Sha512>(message),
        Hash::Sha3 => compute::<sha3::Sha3_256>(message),
    }
}

/// Whether the padding of a shorter message ends at the end of a block of this one: somebody who
/// knew the hash of that message, but not its secret, may have extended it.
pub(super) fn is_extended(hash: Hash, message: &[u8]) -> bool {
    let (block, digits) = match hash {
        Hash::Md5 | Hash::Sha1 | Hash::Sha256 => (64, 8),
        Hash::Sha512 => (128, 16),
        // A hash of these does not tell the whole state, so nobody can extend it.
        Hash::Sha384 | Hash::Sha3 => return false,
    };
    let number = |bits: u128, byte: &u8| bits << 8 | u128::from(*byte);
    (block..=message.len()).step_by(block).any(|end| {
        let (before, length) = message[..end].split_at(end - digits);
        let bits = match hash {
            Hash::Md5 => length.iter().rev().fold(0, number),
            _ => length.iter().fold(0, number),
        };
        let shorter = usize::try_from(bits / 8).ok().filter(|_| bits % 8 == 0);
        let padding = shorter.and_then(|shorter| before.get(shorter..)).unwrap_or_default();
        (1..=block).contains(&padding.len())
            && padding[0] == 0x80
            && padding[1..].iter().all(|byte| *byte == 0)
    })
}

/// Takes the cipher that fits a key and a nonce of these sizes.
macro_rules! by_size {
    ($sizes:expr, $gcm:ident, $cbc:ident) => {
        match $sizes {
            (Cipher::AesGcm, 16, 12) => $gcm!(Aes128, U12),
            (Cipher::AesGcm, 24, 12) => $gcm!(Aes192, U12),
            (Cipher::AesGcm, 32, 12) => $gcm!(Aes256, U12),
            (Cipher::AesGcm, 16, 16) => $gcm!(Aes128, U16),
            (Cipher::AesGcm, 24, 16) => $gcm!(Aes192, U16),
            (Cipher::AesGcm, 32, 16) => $gcm!(Aes256, U16),
            (Cipher::AesCbc, 16, 16) => $cbc!(Aes128),
            (Cipher::AesCbc, 24, 16) => $cbc!(Aes192),
            (Cipher::AesCbc, 32, 16) => $cbc!(Aes256),
            _ => None,
        }
    };
}

/// Decrypts a text; `None` if the key, the nonce, the tag or the padding does not fit.
pub(super) fn decrypt(encrypted: &Encrypted, key: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
    let Encrypted { cipher, nonce, tag, associated_data, .. } = encrypted;
    macro_rules! gcm {
        ($aes:ty, $size:ty) => {{
            let cipher = <AesGcm<$aes, $size> as aes_gcm::KeyInit>::new_from_slice(key).ok()?;
            let nonce = Nonce::<$size>::try_from(nonce.as_slice()).ok()?;
            let tag = Tag::<U16>::try_from(tag.as_slice()).ok()?;
            let inout = text.as_mut_slice().into();
            cipher.decrypt_inout_detached(&nonce, associated_data, inout, &tag).ok()?;
            Some(text)
        }};
    }
    macro_rules! cbc {
        ($aes:ty) => {{
            let cipher =
                <cbc::Decryptor<$aes> as cbc::cipher::KeyIvInit>::new_from_slices(key, nonce);
            Some(cipher.ok()?.decrypt_padded::<Pkcs7>(&mut text).ok()?.to_vec())
        }};
    }
    by_size!((cipher, key.len(), nonce.len()), gcm, cbc)
}

/// Encrypts a text, as a provider does; behind it stands the tag of AES-GCM. `None` if the key or
/// the nonce does not fit.
pub(super) fn encrypt(encrypted: &Encrypted, key: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
    let Encrypted { cipher, nonce, associated_data, .. } = encrypted;
    macro_rules! gcm {
        ($aes:ty, $size:ty) => {{
            let cipher = <AesGcm<$aes, $size> as aes_gcm::KeyInit>::new_from_slice(key).ok()?;
            let nonce = Nonce::<$size>::try_from(nonce.as_slice()).ok()?;
            let inout = text.as_mut_slice().into();
            let tag = cipher.encrypt_inout_detached(&nonce, associated_data, inout).ok()?;
            text.extend_from_slice(&tag);
            Some(text)
        }};
    }
    macro_rules! cbc {
        ($aes:ty) => {{
            let cipher =
                <cbc::Encryptor<$aes> as cbc::cipher::KeyIvInit>::new_from_slices(key, nonce);
            let length = text.len();
            text.resize(length + BLOCK, 0);
            Some(cipher.ok()?.encrypt_padded::<Pkcs7>(&mut text, length).ok()?.to_vec())
        }};
    }
    by_size!((cipher, key.len(), nonce.len()), gcm, cbc)
}

/// Whether a public key verifies a signature of a message.
pub(super) fn verifies(algorithm: PublicKey, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
        PublicKey::Ed25519 => &signature::ED25519,
        PublicKey::EcdsaP256 => &signature::ECDSA_P256_SHA256_FIXED,
        PublicKey::EcdsaP256Der => &signature::ECDSA_P256_SHA256_ASN1,
        PublicKey::EcdsaP384 => &signature::ECDSA_P384_SHA384_FIXED,
        PublicKey::EcdsaP384Der => &signature::ECDSA_P384_SHA384_ASN1,
        PublicKey::EcdsaP521 | PublicKey::EcdsaP521Der => {
            return verifies_p521(algorithm, key, message, signature).is_some();
        }
        PublicKey::RsaSha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        PublicKey::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        PublicKey::RsaSha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        PublicKey::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
    };
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

fn verifies_p521(algorithm: PublicKey, key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    use p521::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = match algorithm {
        PublicKey::EcdsaP521Der => Signature::from_der(signature),
        _ => Signature::from_slice(signature),
    };
    key.verify(message, &signature.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::KeyEncoding;
    use crate::hex;

    #[test]
    fn the_published_digests_of_abc_are_computed() {
        for (hash, expected) in [
            (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Hash::Sha3, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        ] {
            assert_eq!(hex::encode(&digest(hash, b"abc")), expected, "{hash:?}");
        }
        let mac = mac(Hash::Md5, b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex::encode(&mac), "750c783e6ab0b503eaa86e310a5db738");
    }

    #[test]
    fn an_extended_message_is_found() {
        let mut message = b"secret and body".to_vec();
        assert!(!is_extended(Hash::Sha256, &message));
        message.push(0x80);
        message.resize(56, 0);
        message.extend(120_u64.to_be_bytes());
        message.extend(b"&amount=9999");
        assert!(is_extended(Hash::Sha256, &message) && !is_extended(Hash::Sha384, &message));
    }

    #[test]
    fn the_published_examples_of_both_ciphers_are_decrypted_and_encrypted() {
        let bytes = |text: &str| hex::decode(text).unwrap();
        let form = |cipher, nonce: &str, tag: &str| {
            let (nonce, tag) = (bytes(nonce), bytes(tag));
            let (ciphertext, associated_data) = (Vec::new(), Vec::new());
            let key = KeyEncoding::Hex.into();
            Encrypted { cipher, key, nonce, ciphertext, tag, associated_data }
        };
        let open = |cipher, key: &str, nonce: &str, text: &str, tag: &str| {
            let plain = decrypt(&form(cipher, nonce, tag), &bytes(key), bytes(text));
            plain.map(|plain| hex::encode(&plain))
        };
        let seal = |cipher, key: &str, nonce: &str, plain: &str| {
            let text = encrypt(&form(cipher, nonce, ""), &bytes(key), bytes(plain));
            text.map(|text| hex::encode(&text))
        };
        // NIST SP 800-38A, one block, and the padding behind it.
        let (key, nonce) = ("2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f");
        let text = "7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c";
        let plain = "6bc1bee22e409f96e93d7e117393172a";
        assert_eq!(open(Cipher::AesCbc, key, nonce, text, "").as_deref(), Some(plain));
        assert_eq!(open(Cipher::AesCbc, key, nonce, &text[..32], ""), None);
        assert_eq!(seal(Cipher::AesCbc, key, nonce, plain).as_deref(), Some(text));
        assert_eq!(seal(Cipher::AesCbc, key, "00", plain), None);
        // The second example of the specification of GCM.
        let (key, nonce) = ("00".repeat(16), "00".repeat(12));
        let (text, tag) = ("0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf");
        let plain = "00".repeat(16);
        assert_eq!(seal(Cipher::AesGcm, &key, &nonce, &plain), Some(format!("{text}{tag}")));
        assert_eq!(open(Cipher::AesGcm, &key, &nonce, text, tag), Some(plain));
        assert_eq!(open(Cipher::AesGcm, &key, &nonce, text, &"00".repeat(16)), None);
    }
}
