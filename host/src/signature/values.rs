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

/// A part of a value hides a secret only if it has so many bytes. Fewer can be guessed.
const HIDDEN_BYTES_MIN: usize = 16;

/// A value as it was made.
#[derive(Debug, Clone)]
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
    /// Whether there is anything in it, beside the secret if other pieces stand there too.
    says_something: bool,
}

impl Message<'_> {
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &**piece)
    }

    /// All of it.
    pub(super) fn whole(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// Whether it can be what somebody signed: something, and made of what is sound. Only here it
    /// is known that a text decrypted to nothing.
    pub(super) fn is_meant(&self) -> Choice {
        self.sound & Choice::from(u8::from(self.says_something))
    }
}

/// Makes the values that are `wanted` with a secret, or those that need none. Those that are
/// `known` were made without any.
pub(super) fn make(
    values: &[Value],
    wanted: &[bool],
    known: &[Option<Made>],
    secret: Option<&Secret>,
    body: &[u8],
) -> Values {
    let mut made = Values::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let materials = Materials { secret, body, values: &made };
        let next = match (known.get(index), value) {
            (Some(Some(known)), _) => Some(known.clone()),
            _ if wanted.get(index) != Some(&true) => None,
            (_, Value::Digest(digest)) => materials.digest(digest),
            (_, Value::Decrypted(encrypted)) => materials.decrypted(encrypted),
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
        let is_secret = |piece: &Piece| matches!(piece, Piece::Secret(_));
        let mut message = Message {
            pieces: Vec::with_capacity(pieces.len()),
            sound: Choice::from(1),
            // A secret alone is the same in every request, and worth as much.
            says_something: !pieces.is_empty() && pieces.iter().all(is_secret),
        };
        for piece in pieces {
            let bytes = match piece {
                Piece::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
                Piece::Body => Cow::Borrowed(self.body),
                Piece::Secret(form) => Cow::Owned(key::shared(form, self.secret?)?),
                Piece::Value(part) => {
                    let made = self.values.get(part.index)?.as_ref()?;
                    message.sound &= made.sound;
                    Cow::Owned(written(part, &made.bytes)?)
                }
            };
            message.says_something |= !is_secret(piece) && !bytes.is_empty();
            message.pieces.push(bytes);
        }
        Some(message)
    }

    /// A hash or an HMAC.
    pub(super) fn digest(&self, digest: &Digest) -> Option<Made> {
        let message = self.message(&digest.message)?;
        let mut sound = message.is_meant();
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

/// How many bytes of each value nobody can know without a secret: all or none.
pub(super) fn keyed(values: &[Value]) -> Vec<usize> {
    let mut keyed = Vec::with_capacity(values.len());
    for value in values {
        let bytes = match value {
            Value::Digest(it) if it.key.is_some() || has_secret(&it.message, &keyed) => {
                digest::length(it.hash)
            }
            // Who overheard what is decrypted knows what it says.
            Value::Digest(_) | Value::Decrypted(_) => 0,
        };
        keyed.push(bytes);
    }
    keyed
}

/// Whether nobody can know a message who does not know a secret.
pub(super) fn has_secret(message: &[Piece], keyed: &[usize]) -> bool {
    message.iter().any(|piece| match piece {
        Piece::Secret(_) => true,
        Piece::Value(part) => {
            let all = keyed.get(part.index).copied().unwrap_or_default();
            let end = part.end.map_or(all, |end| end.min(all));
            end.saturating_sub(part.start) >= HIDDEN_BYTES_MIN
        }
        Piece::Bytes(_) | Piece::Body => false,
    })
}

/// Whether making any of those that are `wanted` takes a secret.
pub(super) fn need_secret(values: &[Value], wanted: &[bool]) -> bool {
    let needs = |value: &Value| match value {
        Value::Digest(digest) => {
            digest.key.is_some()
                || digest.message.iter().any(|piece| matches!(piece, Piece::Secret(_)))
        }
        Value::Decrypted(_) => true,
    };
    values.iter().zip(wanted).any(|(value, wanted)| *wanted && needs(value))
}

/// Which values the evidence is made of.
pub(super) fn used(claims: &Claims) -> Vec<bool> {
    let mut marks = Marks::none(&claims.values);
    for proof in claims.proofs() {
        match proof {
            Proof::Mac { digest, .. } => marks.message(&digest.message),
            Proof::Signature { message, .. } => marks.message(message),
            Proof::Jws(jws) => marks.message(jws.payload.as_deref().unwrap_or_default()),
            Proof::Decrypted(decryption) => {
                marks.value(decryption.index);
                marks.message(decryption.plain.as_deref().unwrap_or_default());
            }
            Proof::Token(_) => (),
        }
    }
    marks.and_before(&claims.values)
}

/// Which values these pieces are made of.
pub(super) fn named(values: &[Value], pieces: &[Piece]) -> Vec<bool> {
    let mut marks = Marks::none(values);
    marks.message(pieces);
    marks.and_before(values)
}

/// Some of the values.
struct Marks(Vec<bool>);

impl Marks {
    fn none(values: &[Value]) -> Self {
        Self(vec![false; values.len()])
    }

    fn value(&mut self, index: usize) {
        if let Some(mark) = self.0.get_mut(index) {
            *mark = true;
        }
    }

    fn message(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            if let Piece::Value(part) = piece {
                self.value(part.index);
            }
        }
    }

    /// With those that these are made of: a value names only values before it.
    fn and_before(mut self, values: &[Value]) -> Vec<bool> {
        for (index, value) in values.iter().enumerate().rev() {
            if let (true, Value::Digest(digest)) = (self.0[index], value) {
                self.message(&digest.message);
            }
        }
        self.0
    }
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
        let wanted = vec![true; values.len()];
        let made = make(values, &wanted, &[], secret.as_ref(), b"body");
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
        assert_eq!(keyed(&values), [32, 32]);
        assert!(need_secret(&values, &[true, false]) && !need_secret(&values, &[false, true]));
        assert_eq!(keyed(&[hashed(vec![Piece::Body])]), [0]);
        let encrypted = Value::Decrypted(Encrypted {
            cipher: Cipher::AesCbc,
            key: KeyEncoding::Md5.into(),
            nonce: vec![0; 16],
            ciphertext: vec![Piece::Body],
            tag: Vec::new(),
            associated_data: Vec::new(),
        });
        let values = [encrypted, hashed(vec![whole(0, DigestText::Raw)])];
        assert_eq!(keyed(&values), [0, 0], "who overheard it knows what it says");
        assert!(need_secret(&values, &[true, false]));
    }

    #[test]
    fn a_part_that_can_be_guessed_hides_nothing() {
        let hides = |start, end| has_secret(&[part(0, DigestText::Hex, start, end)], &[32]);
        assert!(hides(0, None) && hides(0, Some(16)) && hides(16, None) && hides(4, Some(99)));
        assert!(!hides(0, Some(0)) && !hides(0, Some(15)) && !hides(17, None) && !hides(40, None));
        assert!(!has_secret(&[whole(0, DigestText::Raw)], &[0]));
    }

    #[test]
    fn a_value_is_made_where_it_is_wanted_and_only_once() {
        let values = [
            hashed(vec![Piece::Body]),
            hashed(vec![Piece::Secret(KeyEncoding::Text.into()), Piece::Body]),
            hashed(vec![whole(0, DigestText::Raw)]),
        ];
        let wanted = named(&values, &[whole(2, DigestText::Hex)]);
        assert_eq!(wanted, [true, false, true]);
        let open = make(&values, &wanted, &[], None, b"body");
        assert_eq!(open.iter().map(Option::is_some).collect::<Vec<_>>(), wanted);
        let secret = Secret::new("key").unwrap();
        // Of another body they would be others, were they made again.
        let keyed = make(&values, &[true; 3], &open, Some(&secret), b"another body");
        let bytes = |made: &Option<Made>| made.as_ref().map(|made| made.bytes.clone());
        assert_eq!((bytes(&keyed[0]), bytes(&keyed[2])), (bytes(&open[0]), bytes(&open[2])));
        assert!(keyed[1].is_some());
    }

    #[test]
    fn a_digest_of_a_text_that_decrypted_to_nothing_is_not_sound() {
        let secret = Secret::new("secret").unwrap();
        let is_sound = |text: &[u8]| {
            let values = [Some(Made { bytes: text.to_vec(), sound: Choice::from(1) })];
            let materials = Materials { secret: Some(&secret), body: b"", values: &values };
            let message = vec![whole(0, DigestText::Raw), Piece::Body];
            let key = Some(KeyEncoding::Text.into());
            let made = materials.digest(&Digest { hash: Hash::Sha256, key, message });
            bool::from(made.unwrap().sound)
        };
        assert!(is_sound(b"a") && !is_sound(b""));
    }

    #[test]
    fn a_hash_of_an_empty_body_and_the_secret_is_not_sound() {
        let secret = Secret::new("secret").unwrap();
        let is_sound = |body: &[u8], message: Vec<Piece>| {
            let materials = Materials { secret: Some(&secret), body, values: &[] };
            let made = materials.digest(&Digest { hash: Hash::Sha256, key: None, message });
            bool::from(made.unwrap().sound)
        };
        let piece = || Piece::Secret(KeyEncoding::Text.into());
        assert!(is_sound(b"a", vec![Piece::Body, piece()]));
        assert!(!is_sound(b"", vec![Piece::Body, piece()]));
        assert!(!is_sound(b"", vec![piece(), Piece::Bytes(Vec::new()), Piece::Body]));
        assert!(is_sound(b"", vec![piece()]), "it is meant, and weak");
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
