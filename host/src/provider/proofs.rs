//! What can be verified, and what it is made of: values, pieces, keys.
//!
//! Pure values, mirrors of `wit/provider.wit`; their sizes and counts were checked where they came
//! in. Nothing here is computed: that is [`crate::signature`]'s.

use url::Url;

use super::{ProofKind, Worth};
use crate::event::Timestamp;

/// One or several ways to prove the same: it holds if any of its proofs does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The proofs, of which one must hold.
    pub proofs: Vec<Proof>,
    /// The most that they are worth, as the plugin says of this request.
    pub worth: Option<Worth>,
}

impl From<Vec<Proof>> for Evidence {
    fn from(proofs: Vec<Proof>) -> Self {
        Self { proofs, worth: None }
    }
}

/// Something that can be checked with a secret or a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An HMAC or a plain hash.
    Mac {
        /// What the gateway computes.
        digest: Digest,
        /// The digests, of which one must match.
        digests: Vec<Vec<u8>>,
    },
    /// A public-key signature.
    Signature {
        /// The scheme of the signature.
        algorithm: PublicKey,
        /// Where the public key comes from.
        key: KeySource,
        /// What was signed, in order.
        message: Vec<Piece>,
        /// The signatures, of which one must match.
        signatures: Vec<Vec<u8>>,
    },
    /// A JSON Web Signature.
    Jws(Jws),
    /// The secret itself, sent along.
    Token(String),
    /// What only the secret decrypts.
    Decrypted(Decryption),
}

impl Proof {
    /// The kind of this proof.
    pub fn kind(&self) -> ProofKind {
        match self {
            Self::Mac { digest, .. } if digest.key.is_none() => ProofKind::Hash,
            Self::Mac { .. } => ProofKind::Mac,
            Self::Signature { .. } => ProofKind::Signature,
            Self::Jws(_) => ProofKind::Jws,
            Self::Token(_) => ProofKind::Token,
            Self::Decrypted(_) => ProofKind::Decrypted,
        }
    }

    /// The scheme of its public key, and where that comes from.
    pub fn public_key(&self) -> Option<(PublicKey, &KeySource)> {
        match self {
            Self::Signature { algorithm, key, .. } => Some((*algorithm, key)),
            Self::Jws(jws) => Some((jws.algorithm.public_key()?, &jws.key)),
            Self::Mac { .. } | Self::Token(_) | Self::Decrypted(_) => None,
        }
    }
}

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// MD5, 16 bytes.
    Md5,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
    /// SHA3-256, 32 bytes.
    Sha3,
}

/// A hash of a message, or an HMAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The hash function, also of an HMAC.
    pub hash: Hash,
    /// How a secret becomes the key of an HMAC; none is the plain hash.
    pub key: Option<SecretForm>,
    /// The message, as pieces in their order.
    pub message: Vec<Piece>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that the plugin gives.
    Bytes(Vec<u8>),
    /// The request's body.
    Body,
    /// A secret of the source.
    Secret(SecretForm),
    /// A part of a value.
    Value(ValuePart),
}

/// A part of a value, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValuePart {
    /// The place of the value among the values of the claims.
    pub index: usize,
    /// How the part is written.
    pub written: DigestText,
    /// The first byte of the part.
    pub start: usize,
    /// The byte behind the part; none is the end of the value.
    pub end: Option<usize>,
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestText {
    /// As they are.
    Raw,
    /// Hexadecimal in lower case.
    Hex,
    /// Hexadecimal in upper case.
    HexUpper,
    /// Standard base64, padded.
    Base64,
    /// URL-safe base64, not padded.
    Base64Url,
}

/// What is computed before the evidence is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A hash or an HMAC.
    Digest(Digest),
    /// The plain bytes of an encrypted text.
    Decrypted(Encrypted),
}

/// How a message is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// AES-GCM with a tag of 16 bytes.
    AesGcm,
    /// AES-CBC with padding, and nothing that tells whether somebody changed it.
    AesCbc,
}

/// An encrypted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// How the text is encrypted.
    pub cipher: Cipher,
    /// How a secret becomes the key.
    pub key: SecretForm,
    /// The nonce, or the initialization vector.
    pub nonce: Vec<u8>,
    /// The text, as pieces in their order.
    pub ciphertext: Vec<Piece>,
    /// The tag of AES-GCM.
    pub tag: Vec<u8>,
    /// What AES-GCM authenticates beside the text.
    pub associated_data: Vec<u8>,
}

/// A text that only the secret decrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decryption {
    /// The place of the decrypted value among the values of the claims.
    pub index: usize,
    /// What the plain bytes must be, if the provider encrypts a checksum.
    pub plain: Option<Vec<Piece>>,
}

/// A scheme of public-key signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519, RFC 8032; 64 bytes.
    Ed25519,
    /// P-256 with SHA-256; r and s, 64 bytes.
    EcdsaP256,
    /// The same in DER.
    EcdsaP256Der,
    /// P-384 with SHA-384; r and s, 96 bytes.
    EcdsaP384,
    /// The same in DER.
    EcdsaP384Der,
    /// P-521 with SHA-512; r and s, 132 bytes.
    EcdsaP521,
    /// The same in DER.
    EcdsaP521Der,
    /// PKCS #1 v1.5 with SHA-1.
    RsaSha1,
    /// PKCS #1 v1.5 with SHA-256.
    RsaSha256,
    /// PKCS #1 v1.5 with SHA-512.
    RsaSha512,
    /// PSS with SHA-256.
    RsaPssSha256,
}

/// What a public key is a key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFamily {
    /// A point of Ed25519, 32 bytes.
    Ed25519,
    /// An uncompressed point of P-256.
    P256,
    /// An uncompressed point of P-384.
    P384,
    /// An uncompressed point of P-521.
    P521,
    /// The DER of an `RSAPublicKey`.
    Rsa,
}

impl PublicKey {
    /// The keys that verify this scheme.
    pub fn family(self) -> KeyFamily {
        match self {
            Self::Ed25519 => KeyFamily::Ed25519,
            Self::EcdsaP256 | Self::EcdsaP256Der => KeyFamily::P256,
            Self::EcdsaP384 | Self::EcdsaP384Der => KeyFamily::P384,
            Self::EcdsaP521 | Self::EcdsaP521Der => KeyFamily::P521,
            Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha512 | Self::RsaPssSha256 => {
                KeyFamily::Rsa
            }
        }
    }
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The source's secrets are keys, written like this.
    Configured(SecretForm),
    /// The gateway fetches the key.
    Fetched(KeyLookup),
    /// The request brings the certificate of the key.
    Chain(Chain),
}

/// A request for a public key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyLookup {
    /// The URL of the key.
    pub url: Url,
    /// The members of a JSON object that is posted; none is a GET.
    pub post: Option<Vec<(String, KeyField)>>,
    /// The id of the key in a set.
    pub id: Option<String>,
}

/// A member of the object that is posted for a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyField {
    /// A text that the plugin gives.
    Text(String),
    /// The source's first secret.
    Secret,
}

/// Certificates that lead to a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The certificates in DER, that of the key first.
    pub certificates: Vec<Vec<u8>>,
    /// The root that the chain must lead to.
    pub root: Root,
    /// The extensions that the certificates must have.
    pub extensions: Vec<Extension>,
    /// When the certificates must be valid; none is the time of the request.
    pub valid_at: Option<Timestamp>,
}

/// Which root a chain must lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// One of the platform's, and the first certificate is made out to this DNS name.
    Platform(String),
    /// One that the plugin or the operator pins.
    Pinned,
}

/// An extension that a certificate must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The place of the certificate in the chain.
    pub certificate: usize,
    /// The object identifier of the extension, as DER writes the content.
    pub oid: Vec<u8>,
}

/// A JSON Web Signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jws {
    /// The token in its compact form.
    pub token: String,
    /// The algorithm that the header must name.
    pub algorithm: JwsAlgorithm,
    /// Where the key comes from.
    pub key: KeySource,
    /// The payload of a detached one.
    pub payload: Option<Vec<Piece>>,
    /// What the payload must say.
    pub rules: Vec<JwsRule>,
}

/// The algorithm of a JSON Web Signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// An HMAC.
    Hmac(Hash),
    /// A public-key signature.
    PublicKey(PublicKey),
}

impl JwsAlgorithm {
    /// The scheme, if it takes a public key.
    pub fn public_key(self) -> Option<PublicKey> {
        match self {
            Self::PublicKey(scheme) => Some(scheme),
            Self::Hmac(_) => None,
        }
    }

    /// Its names in a header.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Hmac(Hash::Sha256) => &["HS256"],
            Self::Hmac(Hash::Sha384) => &["HS384"],
            Self::Hmac(Hash::Sha512) => &["HS512"],
            Self::PublicKey(PublicKey::RsaSha256) => &["RS256"],
            Self::PublicKey(PublicKey::RsaSha512) => &["RS512"],
            Self::PublicKey(PublicKey::RsaPssSha256) => &["PS256"],
            Self::PublicKey(PublicKey::EcdsaP256) => &["ES256"],
            Self::PublicKey(PublicKey::EcdsaP384) => &["ES384"],
            Self::PublicKey(PublicKey::EcdsaP521) => &["ES512"],
            Self::PublicKey(PublicKey::Ed25519) => &["EdDSA", "Ed25519"],
            // The contract has no others.
            Self::Hmac(_) | Self::PublicKey(_) => &[],
        }
    }
}

/// What a JSON Web Signature must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwsRule {
    /// A member has one of these values.
    Member {
        /// The name of the member.
        name: String,
        /// The values, one of which it must have.
        values: Vec<String>,
    },
    /// `exp` is there, and not over.
    Expires,
    /// `iat` is there, and within the tolerance.
    Issued,
}

/// What a configured secret stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretForm {
    /// How the secret is written.
    pub encoding: KeyEncoding,
    /// A text that may stand before it.
    pub prefix: Option<String>,
}

impl From<KeyEncoding> for SecretForm {
    fn from(encoding: KeyEncoding) -> Self {
        Self { encoding, prefix: None }
    }
}

/// How a configured secret becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEncoding {
    /// The UTF-8 of the secret.
    Text,
    /// Hexadecimal in either case.
    Hex,
    /// Standard base64.
    Base64,
    /// URL-safe base64.
    Base64Url,
    /// The secret as in a form.
    Urlencoded,
    /// `whsec_`, which may be missing, and base64.
    Whsec,
    /// `whpk_` and base64.
    Whpk,
    /// A public key in PEM.
    Pem,
    /// The content of such a PEM.
    Spki,
    /// The MD5 of its UTF-8.
    Md5,
    /// The SHA-1 of its UTF-8.
    Sha1,
    /// The SHA-256 of its UTF-8.
    Sha256,
}
