//! What is computed before the evidence is checked, and the messages that are made of it.
//!
//! Each value is made of those before it, so nothing here is recursive. Whatever depends on a
//! secret is made anew for each of them. A value that can't be what its maker meant (a forged
//! ciphertext, an extended hash) is made all the same and is not *sound*, which only the last
//! comparison tells: the time that it takes tells nothing.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use subtle::Choice;

use super::{cipher, digest, key};
use crate::provider::{Claims, Digest, DigestText, Encrypted, Piece, Proof, Value, ValuePart};
use crate::secrets::Secret;

/// A value as it was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) sound: Choice,
}

/// The values of a request, made with one secret or with none; `None` is one that could not be.
pub(super) type Values = Vec<Option<Made>>;

/// What messages are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Materials<'a> {
    pub(super) secret: Option<&'a Secret>,
    pub(super) body: &'a [u8],
    pub(super) values: &'a [Option<Made>],
}

/// A message, piece by piece.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pieces: Vec<Cow<'a, [u8]>>,
    /// Whether all values in it are.
    pub(super) sound: Choice,
}

impl Message<'_> {
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &**piece)
    }

    /// All of it.
    pub(super) fn whole(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

/// Makes all values with a secret, or those that need none.
pub(super) fn make(values: &[Value], secret: Option<&Secret>, body: &[u8]) -> Values {
    let mut made = Values::with_capacity(values.len());
    for value in values {
        let materials = Materials { secret, body, values: &made };
        let next = match value {
            Value::Digest(digest) => materials.digest(digest),
            Value::Decrypted(encrypted) => materials.decrypted(encrypted),
        };
        made.push(next);
    }
    made
}

impl<'a> Materials<'a> {
    /// The message of these pieces, if the secret and the values fit.
    pub(super) fn message<'m>(&self, pieces: &'m [Piece]) -> Option<Message<'m>>
    where
        'a: 'm,
    {
        let mut message =
            Message { pieces: Vec::with_capacity(pieces.len()), sound: Choice::from(1) };
        for piece in pieces {
            message.pieces.push(match piece {
                Piece::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
                Piece::Body => Cow::Borrowed(self.body),
                Piece::Secret(form) => Cow::Owned(key::shared(form, self.secret?)?),
                Piece::Value(part) => {
                    let made = self.values.get(part.index)?.as_ref()?;
                    message.sound &= made.sound;
                    Cow::Owned(written(part, &made.bytes)?)
                }
            });
        }
        Some(message)
    }

    /// A hash or an HMAC.
    pub(super) fn digest(&self, digest: &Digest) -> Option<Made> {
        let message = self.message(&digest.message)?;
        let mut sound = message.sound;
        let bytes = match &digest.key {
            Some(form) => {
                let key = key::shared(form, self.secret?)?;
                digest::mac(digest.hash, &key, message.pieces())
            }
            None => {
                if digest.message.iter().any(hides) {
                    let is_extended = digest::is_extended(digest.hash, &message.whole());
                    sound &= Choice::from(u8::from(!is_extended));
                }
                digest::plain(digest.hash, message.pieces())
            }
        };
        Some(Made { bytes, sound })
    }

    fn decrypted(&self, encrypted: &Encrypted) -> Option<Made> {
        let key = key::shared(&encrypted.key, self.secret?)?;
        let text = self.message(&encrypted.ciphertext)?.whole();
        let (bytes, sound) = cipher::decrypt(encrypted, &key, text)?;
        Some(Made { bytes, sound })
    }
}

/// Whether a piece may be something that the sender of a request does not know.
fn hides(piece: &Piece) -> bool {
    matches!(piece, Piece::Secret(_) | Piece::Value(_))
}

fn written(part: &ValuePart, bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = bytes.get(part.start..part.end.unwrap_or(bytes.len()))?;
    Some(match part.written {
        DigestText::Raw => bytes.to_vec(),
        DigestText::Hex => hex::encode(bytes).into_bytes(),
        DigestText::HexUpper => hex::encode_upper(bytes).into_bytes(),
        DigestText::Base64 => STANDARD.encode(bytes).into_bytes(),
        DigestText::Base64Url => URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
    })
}

/// Whether a secret is needed to make a value, each by those before it.
pub(super) fn keyed(values: &[Value]) -> Vec<bool> {
    let mut keyed = Vec::with_capacity(values.len());
    for value in values {
        let is_keyed = match value {
            Value::Digest(digest) => digest.key.is_some() || has_secret(&digest.message, &keyed),
            // Who overheard it knows what it says.
            Value::Decrypted(_) => false,
        };
        keyed.push(is_keyed);
    }
    keyed
}

/// Whether nobody can know a message who does not know a secret.
pub(super) fn has_secret(message: &[Piece], keyed: &[bool]) -> bool {
    message.iter().any(|piece| match piece {
        Piece::Secret(_) => true,
        Piece::Value(part) => keyed.get(part.index).is_some_and(|keyed| *keyed),
        Piece::Bytes(_) | Piece::Body => false,
    })
}

/// Whether making any of them takes a secret.
pub(super) fn need_secret(values: &[Value]) -> bool {
    values.iter().any(|value| match value {
        Value::Digest(digest) => {
            digest.key.is_some()
                || digest.message.iter().any(|piece| matches!(piece, Piece::Secret(_)))
        }
        Value::Decrypted(_) => true,
    })
}

/// How many bytes a message has, about as many as the pieces of values are long.
pub(super) fn length(message: &[Piece], values: &[Value], body: &[u8]) -> usize {
    let mut sizes = Vec::with_capacity(values.len());
    for value in values {
        let size = match value {
            Value::Digest(digest) => digest::length(digest.hash),
            Value::Decrypted(encrypted) => sum(&encrypted.ciphertext, &sizes, body),
        };
        sizes.push(size);
    }
    sum(message, &sizes, body)
}

fn sum(message: &[Piece], sizes: &[usize], body: &[u8]) -> usize {
    let size = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Body => body.len(),
        // A secret is never empty.
        Piece::Secret(_) => 1,
        Piece::Value(part) => {
            let whole = sizes.get(part.index).copied().unwrap_or_default();
            let size = part.end.unwrap_or(whole).saturating_sub(part.start);
            if part.written == DigestText::Raw { size } else { size.saturating_mul(2) }
        }
    };
    message.iter().map(size).fold(0, usize::saturating_add)
}

/// Which values the evidence is made of.
pub(super) fn used(claims: &Claims) -> Vec<bool> {
    let mut used = vec![false; claims.values.len()];
    let mut mark = |pieces: &[Piece]| {
        for piece in pieces {
            if let Piece::Value(part) = piece
                && let Some(used) = used.get_mut(part.index)
            {
                *used = true;
            }
        }
    };
    let mut decrypted = Vec::new();
    for proof in claims.proofs() {
        match proof {
            Proof::Mac { digest, .. } => mark(&digest.message),
            Proof::Signature { message, .. } => mark(message),
            Proof::Jws(jws) => mark(jws.payload.as_deref().unwrap_or_default()),
            Proof::Decrypted(decryption) => {
                decrypted.push(decryption.index);
                mark(decryption.plain.as_deref().unwrap_or_default());
            }
            Proof::Token(_) => (),
        }
    }
    for index in decrypted {
        if let Some(used) = used.get_mut(index) {
            *used = true;
        }
    }
    // A value names only those before it.
    for (index, value) in claims.values.iter().enumerate().rev() {
        if let (true, Value::Digest(digest)) = (used[index], value) {
            for piece in &digest.message {
                if let Piece::Value(part) = piece
                    && let Some(used) = used.get_mut(part.index)
                {
                    *used = true;
                }
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Cipher, Hash, KeyEncoding};

    fn part(index: usize, written: DigestText, start: usize, end: Option<usize>) -> Piece {
        Piece::Value(ValuePart { index, written, start, end })
    }

    fn whole(index: usize, written: DigestText) -> Piece {
        part(index, written, 0, None)
    }

    fn hashed(message: Vec<Piece>) -> Value {
        Value::Digest(Digest { hash: Hash::Sha256, key: None, message })
    }

    fn made(values: &[Value], secret: Option<&str>) -> Vec<Option<String>> {
        let secret = secret.map(|text| Secret::new(text).unwrap());
        let made = make(values, secret.as_ref(), b"body");
        made.into_iter().map(|made| made.map(|made| hex::encode(made.bytes))).collect()
    }

    #[test]
    fn a_value_is_made_of_those_before_it() {
        let values = [
            hashed(vec![Piece::Bytes(b"1.".into()), Piece::Body]),
            hashed(vec![whole(0, DigestText::Hex)]),
            hashed(vec![part(0, DigestText::Raw, 0, Some(4)), Piece::Bytes(b"!".into())]),
            // Not before it, and out of its reach.
            hashed(vec![whole(4, DigestText::Raw)]),
            hashed(vec![part(0, DigestText::Raw, 0, Some(33))]),
            hashed(vec![part(0, DigestText::Raw, 5, Some(4))]),
        ];
        let sha256 = |bytes: &[u8]| digest::plain(Hash::Sha256, [bytes].into_iter());
        let first = sha256(b"1.body");
        let second = sha256(hex::encode(&first).as_bytes());
        let third = sha256(&[&first[..4], b"!"].concat());
        let expected = [first, second, third].map(|bytes| Some(hex::encode(bytes)));
        let made = made(&values, None);
        assert_eq!(made[..3], expected);
        assert_eq!(made[3..], [None, None, None]);
    }

    #[test]
    fn bytes_are_written_in_every_way() {
        let write = |written_as| {
            let part = ValuePart { index: 0, written: written_as, start: 0, end: None };
            String::from_utf8(written(&part, b"\xfb\xef~").unwrap()).unwrap_or_default()
        };
        assert_eq!(write(DigestText::Hex), "fbef7e");
        assert_eq!(write(DigestText::HexUpper), "FBEF7E");
        assert_eq!(write(DigestText::Base64), "++9+");
        assert_eq!(write(DigestText::Base64Url), "--9-");
        assert_eq!(write(DigestText::Raw), "", "it is no text");
    }

    #[test]
    fn what_takes_a_secret_is_made_with_one() {
        let secret = Piece::Secret(KeyEncoding::Text.into());
        let values = [hashed(vec![secret, Piece::Body]), hashed(vec![whole(0, DigestText::Raw)])];
        assert_eq!(made(&values, None), [None, None]);
        assert!(made(&values, Some("key")).iter().all(Option::is_some));
        assert_ne!(made(&values, Some("key")), made(&values, Some("other")));
        assert_eq!(keyed(&values), [true, true]);
        assert!(need_secret(&values));
        assert_eq!(keyed(&[hashed(vec![Piece::Body])]), [false]);
        let encrypted = Value::Decrypted(Encrypted {
            cipher: Cipher::AesCbc,
            key: KeyEncoding::Md5.into(),
            nonce: vec![0; 16],
            ciphertext: vec![Piece::Body],
            tag: Vec::new(),
            associated_data: Vec::new(),
        });
        let values = [encrypted, hashed(vec![whole(0, DigestText::Raw)])];
        assert_eq!(keyed(&values), [false, false], "who overheard it knows what it says");
        assert!(need_secret(&values));
    }

    #[test]
    fn an_extended_hash_is_made_and_not_sound() {
        let genuine = b"key=1&amount=10";
        let secret = Secret::new("secret").unwrap();
        let digest = |message: &[u8]| {
            let secret_piece = Piece::Secret(KeyEncoding::Text.into());
            let message = vec![secret_piece, Piece::Bytes(message.to_vec())];
            let digest = Digest { hash: Hash::Sha256, key: None, message };
            let materials = Materials { secret: Some(&secret), body: b"", values: &[] };
            bool::from(materials.digest(&digest).unwrap().sound)
        };
        assert!(digest(genuine));
        let mut extended = genuine.to_vec();
        extended.push(0x80);
        extended.resize(64 - 6 - 8, 0);
        extended.extend((8 * (6 + genuine.len() as u64)).to_be_bytes());
        assert!(!digest(&extended));
        extended.extend(b"&amount=9999");
        assert!(!digest(&extended));
    }
}
