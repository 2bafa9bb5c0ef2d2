//! The values of a request's claims, and the messages that are made of them.
//!
//! For tests only: the gateway has code of its own. Each value is made of those before it.

use super::{crypto, key};
use crate::claims::{Digest, DigestText, Encrypted, Hash, Piece, SecretForm, Value, ValuePart};
use crate::{base64, hex};

/// The least number of bytes of a digest that nobody can guess.
const HIDDEN_BYTES_MIN: u32 = 16;

/// What messages are made of: one secret or none, the body, and the values that they give. `None`
/// is a value that can't be made, or that nobody with the secret meant: an extended hash, a text
/// that does not decrypt.
pub(super) struct Materials<'a> {
    secret: Option<&'a str>,
    body: &'a [u8],
    values: Vec<Option<Vec<u8>>>,
}

impl<'a> Materials<'a> {
    /// Makes all values with a secret, or those that need none.
    pub(super) fn new(values: &[Value], secret: Option<&'a str>, body: &'a [u8]) -> Self {
        Self::make(values, secret, body, |before, encrypted| before.decrypted(encrypted))
    }

    /// The same for a request that nobody has encrypted yet: a plain text stands where the
    /// encrypted one will.
    pub(super) fn of_draft(values: &[Value], secret: Option<&'a str>, body: &'a [u8]) -> Self {
        Self::make(values, secret, body, |before, encrypted| before.message(&encrypted.ciphertext))
    }

    fn make(
        values: &[Value],
        secret: Option<&'a str>,
        body: &'a [u8],
        open: impl Fn(&Self, &Encrypted) -> Option<Vec<u8>>,
    ) -> Self {
        let mut materials = Self { secret, body, values: Vec::with_capacity(values.len()) };
        for value in values {
            let made = match value {
                Value::Digest(digest) => materials.digest(digest),
                Value::Decrypted(encrypted) => open(&materials, encrypted),
            };
            materials.values.push(made);
        }
        materials
    }

    /// The message of these pieces, if the secret and the values fit.
    pub(super) fn message(&self, pieces: &[Piece]) -> Option<Vec<u8>> {
        let mut message = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => message.extend_from_slice(text.as_bytes()),
                Piece::Bytes(bytes) => message.extend_from_slice(bytes),
                Piece::Body => message.extend_from_slice(self.body),
                Piece::Secret(form) => message.extend(self.shared(form)?),
                Piece::Value(part) => message.extend(written(part, self.value(part.index)?)?),
            }
        }
        Some(message)
    }

    /// The value at this place.
    pub(super) fn value(&self, index: u32) -> Option<&[u8]> {
        self.values.get(usize::try_from(index).ok()?)?.as_deref()
    }

    /// A hash or an HMAC.
    pub(super) fn digest(&self, digest: &Digest) -> Option<Vec<u8>> {
        let message = self.message(&digest.message)?;
        if let Some(form) = &digest.key {
            return Some(crypto::mac(digest.hash, &self.shared(form)?, &message));
        }
        let hides = |piece: &Piece| matches!(piece, Piece::Secret(_) | Piece::Value(_));
        if digest.message.iter().any(hides) && crypto::is_extended(digest.hash, &message) {
            return None;
        }
        Some(crypto::digest(digest.hash, &message))
    }

    /// Whether the message of these pieces is something, beside the secret if other pieces stand
    /// there too.
    pub(super) fn says_something(&self, pieces: &[Piece]) -> bool {
        let is_other = |piece: &&Piece| !matches!(piece, Piece::Secret(_));
        let others: Vec<Piece> = pieces.iter().filter(is_other).cloned().collect();
        let told = if others.is_empty() { pieces } else { &others };
        self.message(told).is_some_and(|message| !message.is_empty())
    }

    /// The secret as the key of an HMAC or a cipher.
    pub(super) fn shared(&self, form: &SecretForm) -> Option<Vec<u8>> {
        key::shared(form, self.secret?)
    }

    fn decrypted(&self, encrypted: &Encrypted) -> Option<Vec<u8>> {
        let text = self.message(&encrypted.ciphertext)?;
        crypto::decrypt(encrypted, &self.shared(&encrypted.key)?, text)
    }
}

fn written(part: &ValuePart, value: &[u8]) -> Option<Vec<u8>> {
    let start = usize::try_from(part.start).ok()?;
    let end = match part.end {
        Some(end) => usize::try_from(end).ok()?,
        None => value.len(),
    };
    let bytes = value.get(start..end)?;
    Some(match part.written {
        DigestText::Raw => bytes.to_vec(),
        DigestText::Hex => hex::encode(bytes).into_bytes(),
        DigestText::HexUpper => hex::encode(bytes).to_uppercase().into_bytes(),
        DigestText::Base64 => base64::encode(bytes).into_bytes(),
        DigestText::Base64url => base64::encode_url(bytes).into_bytes(),
    })
}

/// Whether nobody can know a message who does not know a secret: it has the secret in it, or enough
/// of a digest that has.
pub(super) fn has_secret(message: &[Piece], values: &[Value]) -> bool {
    // How many bytes of each value nobody knows.
    let mut keyed: Vec<u32> = Vec::with_capacity(values.len());
    let hides = |message: &[Piece], keyed: &[u32]| {
        message.iter().any(|piece| match piece {
            Piece::Secret(_) => true,
            Piece::Value(part) => {
                let at = usize::try_from(part.index).ok();
                let all = at.and_then(|at| keyed.get(at)).copied().unwrap_or_default();
                let end = part.end.map_or(all, |end| end.min(all));
                end.saturating_sub(part.start) >= HIDDEN_BYTES_MIN
            }
            Piece::Text(_) | Piece::Bytes(_) | Piece::Body => false,
        })
    };
    for value in values {
        keyed.push(match value {
            Value::Digest(it) if it.key.is_some() || hides(&it.message, &keyed) => length(it.hash),
            // Who overheard the request knows what is decrypted.
            Value::Digest(_) | Value::Decrypted(_) => 0,
        });
    }
    hides(message, &keyed)
}

/// The bytes of a digest.
fn length(hash: Hash) -> u32 {
    match hash {
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
    use crate::claims::KeyEncoding;

    fn hashed(message: Vec<Piece>) -> Value {
        Value::Digest(Digest { hash: Hash::Sha256, key: None, message })
    }

    #[test]
    fn a_value_is_made_of_those_before_it() {
        let values = [
            hashed(vec!["1.".into(), Piece::Body]),
            hashed(vec![Piece::of_value(0, DigestText::Hex)]),
            hashed(vec![Piece::of_value(2, DigestText::Hex)]),
            hashed(vec![Piece::secret(KeyEncoding::Text)]),
        ];
        let materials = Materials::new(&values, None, b"body");
        let first = crypto::digest(Hash::Sha256, b"1.body");
        let second = crypto::digest(Hash::Sha256, hex::encode(&first).as_bytes());
        assert_eq!(materials.value(0), Some(&*first));
        assert_eq!(materials.value(1), Some(&*second));
        assert_eq!(
            (materials.value(2), materials.value(3), materials.value(4)),
            (None, None, None)
        );
        assert!(Materials::new(&values, Some("key"), b"body").value(3).is_some());
    }

    #[test]
    fn a_message_says_something_beside_the_secret() {
        let secret = || Piece::secret(KeyEncoding::Text);
        let says = |message: &[Piece], body: &[u8]| {
            Materials::new(&[], Some("key"), body).says_something(message)
        };
        assert!(says(&[secret(), Piece::Body], b"body") && says(&[secret()], b""));
        assert!(!says(&[secret(), Piece::Body], b"") && !says(&[Piece::Body], b""));
        assert!(!says(&[], b"body"));
    }

    #[test]
    fn a_message_hides_what_only_a_secret_gives() {
        let values = [
            hashed(vec![Piece::Body]),
            hashed(vec![Piece::secret(KeyEncoding::Text), Piece::Body]),
            hashed(vec![Piece::of_value(1, DigestText::Hex)]),
        ];
        let hides = |index| has_secret(&[Piece::of_value(index, DigestText::Hex)], &values);
        assert_eq!([0, 1, 2, 3].map(hides), [false, true, true, false]);
        assert!(!has_secret(&[Piece::Body], &values));
        let part = |start, end| {
            let written = DigestText::Raw;
            Piece::Value(ValuePart { index: 1, written, start, end: Some(end) })
        };
        assert!(has_secret(&[part(8, 24)], &values) && !has_secret(&[part(8, 23)], &values));
    }
}
