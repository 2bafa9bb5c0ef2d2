//! Signatures of files in the formats of minisign: keys, signatures, and whether one holds.
//!
//! Both of minisign's algorithms verify. What is signed here has the newer one, Ed25519 over the
//! BLAKE2b-512 of the file, so that minisign verifies it too. Reads and writes no file. Never makes
//! a key of a password, and never quotes a secret key.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::{Blake2b256, Blake2b512, Digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Most bytes of a file with a key or a signature; minisign's own comments have less than 9 KiB.
pub const FILE_BYTES_MAX: usize = 16 << 10;

/// How the first line of each file begins.
const COMMENT: &str = "untrusted comment:";
/// How the line begins whose rest is signed with the signature.
const TRUSTED_COMMENT: &str = "trusted comment: ";

/// Which algorithm a key is for, and the older form of a signature: over the file itself.
const PLAIN: [u8; 2] = *b"Ed";
/// The form of a signature over the hash of the file.
const HASHED: [u8; 2] = *b"ED";
/// The checksum of a secret key, and what a key without a password has in place of its derivation.
const CHECKSUM: [u8; 2] = *b"B2";
const NO_PASSWORD: [u8; 2] = [0; 2];
/// What a password would be mixed with.
const DERIVATION_BYTES: usize = 48;

const ID_BYTES: usize = 8;
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const CHECKSUM_BYTES: usize = 32;

/// Where minisign looks for the signature of a file: `a.wasm.minisig` beside `a.wasm`.
pub fn signature_of(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

/// What tells one key from another for people: 16 hexadecimal digits. Two keys may have the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A key that verifies. Written as the one line that minisign takes: `RWQ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: [u8; KEY_BYTES],
}

/// A text that is not the key that it should be. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a public key.
    #[error(
        "it is not a public key of minisign: a line of 56 characters that begins with RW, or the \
         whole file with it"
    )]
    NotPublic,
    /// Not a secret key.
    #[error("it is not a secret key of minisign")]
    NotSecret,
    /// A secret key that only a password opens.
    #[error(
        "a password protects the secret key, and Hookgate reads only keys without one: sign with \
         minisign, or remove the password (`minisign -C -W -s FILE`)"
    )]
    Password,
    /// Its parts do not belong together.
    #[error("the secret key is damaged: its parts do not belong together")]
    Damaged,
}

impl PublicKey {
    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The whole text of a file with it.
    pub fn file(&self) -> String {
        format!("{COMMENT} minisign public key {}\n{self}\n", self.id)
    }

    fn has_signed(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode([&PLAIN[..], &self.id.0, &self.key].concat()))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads the one line, or a whole file.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let read = |text| {
            let bytes = BASE64.decode(only_line(text)?).ok()?;
            let (algorithm, rest) = split::<2>(&bytes)?;
            let (id, rest) = split(rest)?;
            let (key, rest) = split(rest)?;
            (algorithm == PLAIN && rest.is_empty()).then_some(Self { id: KeyId(id), key })
        };
        read(text).ok_or(KeyError::NotPublic)
    }
}

/// A key that signs, without a password.
pub struct SecretKey {
    id: KeyId,
    seed: [u8; KEY_BYTES],
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// A new one; none if the system has no random bytes.
    pub fn fresh() -> Option<Self> {
        let (mut id, mut seed) = ([0; ID_BYTES], [0; KEY_BYTES]);
        let random = SystemRandom::new();
        random.fill(&mut id).ok()?;
        random.fill(&mut seed).ok()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        Some(Self { id: KeyId(id), seed, pair })
    }

    /// Reads a file that minisign or [`SecretKey::file`] made.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let parts = |text| {
            let bytes = BASE64.decode(only_line(text)?).ok()?;
            let (algorithm, rest) = split::<2>(&bytes)?;
            let (derivation, rest) = split::<2>(rest)?;
            let (checked_by, rest) = split::<2>(rest)?;
            let (_, rest) = split::<DERIVATION_BYTES>(rest)?;
            let (id, rest) = split(rest)?;
            let (seed, rest) = split::<KEY_BYTES>(rest)?;
            let (public, rest) = split::<KEY_BYTES>(rest)?;
            let (checksum, rest) = split::<CHECKSUM_BYTES>(rest)?;
            let is_one = algorithm == PLAIN && checked_by == CHECKSUM && rest.is_empty();
            is_one.then_some((derivation, KeyId(id), seed, public, checksum))
        };
        let (derivation, id, seed, public, checksum) = parts(text).ok_or(KeyError::NotSecret)?;
        if derivation != NO_PASSWORD {
            return Err(KeyError::Password);
        }
        let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public);
        let key = Self { id, seed, pair: pair.map_err(|_| KeyError::Damaged)? };
        // Where there is no password, minisign writes zeros and looks at none.
        if checksum != [0; CHECKSUM_BYTES] && checksum != key.checksum() {
            return Err(KeyError::Damaged);
        }
        Ok(key)
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey { id: self.id, key: self.public_bytes() }
    }

    /// The whole text of a file with it: the secret itself.
    pub fn file(&self) -> String {
        let head = [PLAIN, NO_PASSWORD, CHECKSUM].concat();
        let public = self.public_bytes();
        let key = [&self.id.0[..], &self.seed, &public, &self.checksum()].concat();
        let bytes = [head, vec![0; DERIVATION_BYTES], key].concat();
        format!("{COMMENT} minisign secret key {}\n{}\n", self.id, BASE64.encode(bytes))
    }

    /// The whole text of a signature of these bytes, and of a comment in one line.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> String {
        let comment = comment.replace(['\n', '\r'], " ");
        let signature = self.pair.sign(&Blake2b512::digest(bytes));
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let signature = BASE64.encode([&HASHED[..], &self.id.0, signature.as_ref()].concat());
        let global = BASE64.encode(global);
        let id = self.id;
        format!(
            "{COMMENT} signature by the key {id}\n{signature}\n{TRUSTED_COMMENT}{comment}\n\
             {global}\n"
        )
    }

    fn public_bytes(&self) -> [u8; KEY_BYTES] {
        let mut public = [0; KEY_BYTES];
        public.copy_from_slice(self.pair.public_key().as_ref());
        public
    }

    fn checksum(&self) -> [u8; CHECKSUM_BYTES] {
        let key = [&PLAIN[..], &self.id.0, &self.seed, &self.public_bytes()].concat();
        Blake2b256::digest(key).into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, ..)", self.id)
    }
}

/// A signature of a file, which may hold or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whether it is over the hash of the file.
    is_hashed: bool,
    key: KeyId,
    signature: [u8; SIGNATURE_BYTES],
    comment: String,
    /// Over the signature and the comment.
    global: [u8; SIGNATURE_BYTES],
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is something else.
    #[error(
        "it is not a signature of minisign: four lines, of which the first begins with `untrusted \
         comment:` and the third with `trusted comment:`"
    )]
    Malformed,
    /// Another key made it than those that are trusted.
    #[error("it is by the key {0}, which is not a trusted one")]
    UnknownKey(KeyId),
    /// It is of other bytes, or only says that it is by this key.
    #[error("the key {0} has not signed these bytes")]
    OtherBytes(KeyId),
    /// Its comment is not the one that was signed.
    #[error("its trusted comment is not the one that the key {0} has signed")]
    OtherComment(KeyId),
}

/// Who has signed, and what they wrote beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// One of the keys that are trusted.
    pub key: PublicKey,
    /// In one line, harmless to a terminal.
    pub comment: String,
}

impl Signature {
    /// The key that it says it is by.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// Whether one of these keys has signed these bytes, and the comment.
    pub fn verify(&self, bytes: &[u8], keys: &[PublicKey]) -> Result<Verified, SignatureError> {
        let message: Cow<'_, [u8]> = match self.is_hashed {
            true => Blake2b512::digest(bytes).to_vec().into(),
            false => bytes.into(),
        };
        let with_comment = [&self.signature[..], self.comment.as_bytes()].concat();
        let mut wrong = SignatureError::UnknownKey(self.key);
        for key in keys.iter().filter(|key| key.id == self.key) {
            if !key.has_signed(&message, &self.signature) {
                wrong = SignatureError::OtherBytes(self.key);
            } else if !key.has_signed(&with_comment, &self.global) {
                wrong = SignatureError::OtherComment(self.key);
            } else {
                let comment = self.comment.replace(char::is_control, " ");
                return Ok(Verified { key: *key, comment });
            }
        }
        Err(wrong)
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let read = |text: &str| {
            let mut lines = text.lines();
            let mut line = || lines.next();
            line()?.strip_prefix(COMMENT)?;
            let bytes = BASE64.decode(line()?).ok()?;
            let comment = line()?.strip_prefix(TRUSTED_COMMENT)?.to_owned();
            let global: [u8; SIGNATURE_BYTES] = BASE64.decode(line()?).ok()?.try_into().ok()?;
            let is_all = lines.all(str::is_empty);
            let (algorithm, rest) = split::<2>(&bytes)?;
            let (id, rest) = split(rest)?;
            let (signature, rest) = split(rest)?;
            let is_hashed = algorithm == HASHED;
            let is_one = (is_hashed || algorithm == PLAIN) && rest.is_empty() && is_all;
            is_one.then_some(Self { is_hashed, key: KeyId(id), signature, comment, global })
        };
        read(text).ok_or(SignatureError::Malformed)
    }
}

/// The one line of a text that is not a comment before it.
fn only_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next()?;
    let line = if first.starts_with(COMMENT) { lines.next()? } else { first };
    lines.next().is_none().then_some(line)
}

fn split<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests;
