//! A master key: 32 bytes that the operator gives, how one seals a secret, and the keys for other
//! purposes that follow from it.
//!
//! Each secret has a key and a nonce of its own, which follow from the master key and a random
//! salt: so no nonce is used twice, however many secrets there are. Never shows more of a key than
//! its id.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use crate::endpoint::{Sealed, SecretKind, SecretPlace};
use crate::secrets::Secret;
use crate::signature;

/// Bytes of a master key.
const KEY_BYTES: usize = 32;

const KEY_ID: &[u8] = b"hookgate master key 1\0";
const FINGERPRINT: &[u8] = b"hookgate secret fingerprint 1\0";

/// What the bytes that follow from a master key and a salt are for.
const SECRET_KEY: &[u8] = b"hookgate secret key 1";
const SECRET_NONCE: &[u8] = b"hookgate secret nonce 1";
const SECRET_MARK: &[u8] = b"hookgate secret mark 1";
const PSEUDONYMS: &[u8] = b"hookgate pseudonyms 1";
const WRAPPING_KEY: &[u8] = b"hookgate wrapping key 1";
const WRAPPING_NONCE: &[u8] = b"hookgate wrapping nonce 1";

/// A key that seals secrets for the store.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    id: [u8; 8],
    bytes: [u8; KEY_BYTES],
}

/// A key of something large that a master key has sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    /// The id of that master key.
    pub(crate) by: [u8; 8],
    salt: [u8; 32],
    /// The key, and behind it what tells that it was not changed.
    sealed: [u8; KEY_BYTES + 16],
}

impl WrappedKey {
    pub(crate) const BYTES: usize = 8 + 32 + KEY_BYTES + 16;

    pub(crate) fn write(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.by);
        bytes[8..40].copy_from_slice(&self.salt);
        bytes[40..].copy_from_slice(&self.sealed);
        bytes
    }

    pub(crate) fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let (mut by, mut salt, mut sealed) = ([0; 8], [0; 32], [0; KEY_BYTES + 16]);
        by.copy_from_slice(&bytes[..8]);
        salt.copy_from_slice(&bytes[8..40]);
        sealed.copy_from_slice(&bytes[40..]);
        Self { by, salt, sealed }
    }
}

/// A text that is no master key. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a master key has 32 bytes, in base64 or as 64 hexadecimal digits: `openssl rand -base64 32` \
     makes one"
)]
pub struct InvalidMasterKey;

impl MasterKey {
    /// Reads a key as the operator wrote it.
    pub fn parse(secret: &Secret) -> Result<Self, InvalidMasterKey> {
        let text = secret.expose();
        // Such digits are base64 of 48 bytes too.
        let bytes = match text.len() == 2 * KEY_BYTES {
            true => hex::decode(text).ok(),
            false => signature::key::base64(text),
        };
        let bytes = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        let bytes = bytes.ok_or(InvalidMasterKey)?;
        Ok(Self { id: first_of_hash(KEY_ID, &bytes), bytes })
    }

    /// Tells it from others, and says nothing of it.
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    /// Seals a secret for its place; `None` if the system has no randomness to give.
    pub(crate) fn seal(&self, at: SecretPlace, secret: &Secret) -> Option<Sealed> {
        let mut salt = [0; 32];
        SystemRandom::new().fill(&mut salt).ok()?;
        let from = self.with(&salt);
        let mut bytes = secret.expose().as_bytes().to_vec();
        let (key, nonce) = (key_of(&from, SECRET_KEY), nonce_of(&from, SECRET_NONCE));
        let sealed = key.seal_in_place_append_tag(nonce, aad(at), &mut bytes);
        sealed.expect("a secret is shorter than the 256 GiB that the cipher seals");
        // Everybody may compute the one; of a password that would help to guess it.
        let fingerprint = match at.kind.signs() {
            true => fingerprint(secret),
            false => expand(&from, SECRET_MARK),
        };
        Some(Sealed { key: self.id, salt, bytes, fingerprint })
    }

    /// Opens what it sealed for this place; `None` if that is anything else.
    pub(crate) fn open(&self, at: SecretPlace, sealed: &Sealed) -> Option<Secret> {
        let from = self.with(&sealed.salt);
        let mut bytes = sealed.bytes.clone();
        let (key, nonce) = (key_of(&from, SECRET_KEY), nonce_of(&from, SECRET_NONCE));
        let text = key.open_in_place(nonce, aad(at), &mut bytes).ok()?;
        Secret::new(str::from_utf8(text).ok()?)
    }

    /// Seals a key for its place; `None` if the system has no randomness to give.
    pub(crate) fn wrap(&self, place: &[u8], key: &[u8; KEY_BYTES]) -> Option<WrappedKey> {
        let mut salt = [0; 32];
        SystemRandom::new().fill(&mut salt).ok()?;
        let from = self.with(&salt);
        let mut bytes = key.to_vec();
        let (key, nonce) = (key_of(&from, WRAPPING_KEY), nonce_of(&from, WRAPPING_NONCE));
        let sealed = key.seal_in_place_append_tag(nonce, Aad::from(place), &mut bytes);
        sealed.expect("a key is shorter than the 256 GiB that the cipher seals");
        let sealed = bytes.try_into().expect("a key, and 16 bytes behind it");
        Some(WrappedKey { by: self.id, salt, sealed })
    }

    /// Opens a key that it sealed for this place; `None` if that is anything else.
    pub(crate) fn unwrapped(&self, place: &[u8], wrapped: &WrappedKey) -> Option<[u8; KEY_BYTES]> {
        let from = self.with(&wrapped.salt);
        let mut bytes = wrapped.sealed;
        let (key, nonce) = (key_of(&from, WRAPPING_KEY), nonce_of(&from, WRAPPING_NONCE));
        let key = key.open_in_place(nonce, Aad::from(place), &mut bytes).ok()?;
        <[u8; KEY_BYTES]>::try_from(&*key).ok()
    }

    /// A key for the pseudonyms of one scope: those of another can't be told by it.
    pub(crate) fn for_pseudonyms(&self, scope: &str) -> [u8; KEY_BYTES] {
        let from = Salt::new(HKDF_SHA256, PSEUDONYMS).extract(&self.bytes);
        let mut key = [0; KEY_BYTES];
        let scope = [scope.as_bytes()];
        let expanded = from.expand(&scope, Bytes(KEY_BYTES)).and_then(|okm| okm.fill(&mut key));
        expanded.expect("HKDF-SHA256 gives up to 8,160 bytes");
        key
    }

    /// What the key and the nonce of one secret follow from.
    fn with(&self, salt: &[u8; 32]) -> Prk {
        Salt::new(HKDF_SHA256, salt).extract(&self.bytes)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, ..)", hex::encode(self.id))
    }
}

/// Tells the secrets that sign apart. Whoever has one can compute it.
pub fn fingerprint(secret: &Secret) -> [u8; 8] {
    first_of_hash(FINGERPRINT, secret.expose().as_bytes())
}

/// A new secret of a kind that signs; `None` if another kind was meant, or the system has no
/// randomness to give.
pub fn fresh(kind: SecretKind) -> Option<Secret> {
    let prefix = match kind {
        SecretKind::Whsec => "whsec_",
        SecretKind::Whsk => "whsk_",
        _ => return None,
    };
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Secret::new(&format!("{prefix}{}", BASE64.encode(bytes)))
}

/// What is sealed along: for another endpoint, number or kind it does not open.
fn aad(at: SecretPlace) -> Aad<[u8; 13]> {
    let mut bytes = [0; 13];
    bytes[..8].copy_from_slice(&at.endpoint.to_be_bytes());
    bytes[8..12].copy_from_slice(&at.number.to_be_bytes());
    bytes[12] = at.kind.number();
    Aad::from(bytes)
}

fn key_of(from: &Prk, purpose: &[u8]) -> LessSafeKey {
    let bytes: [u8; 32] = expand(from, purpose);
    let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
    LessSafeKey::new(key.expect("the cipher's keys have 32 bytes"))
}

fn nonce_of(from: &Prk, purpose: &[u8]) -> Nonce {
    let bytes: [u8; NONCE_LEN] = expand(from, purpose);
    Nonce::assume_unique_for_key(bytes)
}

/// How many bytes are wanted.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(from: &Prk, purpose: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let expanded = from.expand(&[purpose], Bytes(N)).and_then(|okm| okm.fill(&mut bytes));
    expanded.expect("HKDF-SHA256 gives up to 8,160 bytes");
    bytes
}

fn first_of_hash(purpose: &[u8], of: &[u8]) -> [u8; 8] {
    let hash: [u8; 32] = Sha256::new_with_prefix(purpose).chain_update(of).finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<MasterKey, InvalidMasterKey> {
        MasterKey::parse(&Secret::new(text).unwrap())
    }

    #[test]
    fn a_master_key_is_32_bytes_however_they_are_written() {
        let hex = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
        let base64 = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";
        let read = key(hex).unwrap();
        for text in [base64, base64.trim_end_matches('='), &hex.to_uppercase()] {
            assert_eq!(key(text).unwrap(), read, "{text}");
        }
        for wrong in [&hex[2..], &base64[4..], "a password that somebody made up", "x", ""] {
            let Some(secret) = Secret::new(wrong) else { continue };
            assert_eq!(MasterKey::parse(&secret).unwrap_err(), InvalidMasterKey, "{wrong}");
        }
        let other = hex.replace("01", "02");
        assert!(key(&other).unwrap().id() != read.id());
    }

    /// As `printf 'hookgate master key 1\0...' | sha256sum` says it: rows of the store have it.
    #[test]
    fn the_id_of_a_key_and_the_fingerprint_of_a_secret_stay() {
        let zeros = key(&"00".repeat(32)).unwrap();
        let shown = format!("{zeros:?}");
        assert_eq!(shown, "MasterKey(2a760f1742820e6f, ..)");
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(hex::encode(fingerprint(&secret)), "250299b9267553db");
    }

    /// Made by another implementation of RFC 5869 and RFC 8439: a store of today opens for good.
    #[test]
    fn what_was_sealed_once_opens() {
        let key = key("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20").unwrap();
        let at = SecretPlace { endpoint: 7, number: 1, kind: SecretKind::Bearer };
        let bytes = hex::decode("8cf8370167348a271f1e49560a4422de21e904b84200").unwrap();
        let sealed = Sealed { key: key.id(), salt: [9; 32], bytes, fingerprint: [0; 8] };
        assert_eq!(key.open(at, &sealed).unwrap().expose(), "sesame");
    }

    /// Made by another implementation of RFC 5869: equal values keep their pseudonyms for good.
    #[test]
    fn the_key_of_a_scope_s_pseudonyms_stays_and_is_that_of_no_other_scope() {
        let zeros = key(&"00".repeat(32)).unwrap();
        let expected = "4d014409f809bfe41c72c1d95b0b78518ea9a5e7941c0575d9b08b930203886c";
        assert_eq!(hex::encode(zeros.for_pseudonyms("operator")), expected);
        assert_ne!(zeros.for_pseudonyms("tenant acme"), zeros.for_pseudonyms("source acme"));
    }

    #[test]
    fn a_wrapped_key_opens_by_its_master_key_at_its_place_only() {
        let (one, other) = (key(&"01".repeat(32)).unwrap(), key(&"02".repeat(32)).unwrap());
        let wrapped = one.wrap(b"here", &[7; 32]).unwrap();
        let read = WrappedKey::read(&wrapped.write());
        assert_eq!((&read, read.by), (&wrapped, one.id()));
        assert_eq!(one.unwrapped(b"here", &read), Some([7; 32]));
        assert_eq!(one.unwrapped(b"there", &read), None);
        assert_eq!(other.unwrapped(b"here", &read), None);
        assert!(one.wrap(b"here", &[7; 32]).unwrap() != wrapped, "other bytes each time");
    }

    #[test]
    fn a_fresh_secret_is_random_and_signs() {
        for kind in [SecretKind::Whsec, SecretKind::Whsk] {
            let (one, other) = (fresh(kind).unwrap(), fresh(kind).unwrap());
            assert!(one.expose() != other.expose());
            assert!(crate::signing::SigningKey::parse(&one).is_ok(), "{kind:?}");
        }
        assert!(fresh(SecretKind::Basic).is_none());
    }
}
