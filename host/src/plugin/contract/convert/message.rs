//! Pieces, values and the forms of secrets, held against the contract.
//!
//! A piece may name a value only by an index that is there, and within a value only one before it:
//! so whoever computes them later never has to look for circles. Nothing is computed here.

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::violation::{self, Violation, violation};
use crate::provider::{
    Cipher, Digest, DigestText, Encrypted, Hash, KeyEncoding, Piece, SecretForm, Value, ValuePart,
};

/// Most values in one request.
const VALUES_MAX: usize = 16;
/// Most pieces in one message.
const PIECES_MAX: usize = 256;
/// Longest text before a secret, in bytes.
const PREFIX_BYTES_MAX: usize = 64;
/// Largest text that is authenticated beside an encrypted one.
const DATA_BYTES_MAX: usize = 4 << 10;

/// Where pieces stand, and the values that they may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) field: &'static str,
    pub(super) values: &'a [Value],
}

impl Given<'_> {
    pub(super) fn pieces(self, pieces: Vec<provider::Piece>) -> Result<Vec<Piece>, Violation> {
        let pieces = violation::at_most(self.field, pieces, PIECES_MAX)?;
        pieces.into_iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(self, piece: provider::Piece) -> Result<Piece, Violation> {
        Ok(match piece {
            provider::Piece::Text(text) => Piece::Bytes(text.into_bytes()),
            provider::Piece::Bytes(bytes) => Piece::Bytes(bytes),
            provider::Piece::Body => Piece::Body,
            provider::Piece::Secret(form) => Piece::Secret(secret_form(self.field, form)?),
            provider::Piece::Value(part) => Piece::Value(self.part(part)?),
        })
    }

    fn part(self, part: provider::ValuePart) -> Result<ValuePart, Violation> {
        let written = match part.written {
            provider::DigestText::Raw => DigestText::Raw,
            provider::DigestText::Hex => DigestText::Hex,
            provider::DigestText::HexUpper => DigestText::HexUpper,
            provider::DigestText::Base64 => DigestText::Base64,
            provider::DigestText::Base64url => DigestText::Base64Url,
        };
        Ok(ValuePart {
            index: self.index(part.index)?,
            written,
            start: part.start as usize,
            end: part.end.map(|end| end as usize),
        })
    }

    /// The index of a value that is there.
    pub(super) fn index(self, index: u32) -> Result<usize, Violation> {
        let place = index as usize;
        if place < self.values.len() {
            Ok(place)
        } else {
            Err(violation(self.field, format!("names value {index}, which is not before it")))
        }
    }

    pub(super) fn digest(self, digest: provider::Digest) -> Result<Digest, Violation> {
        let key = digest.key.map(|form| secret_form("digest.key", form)).transpose()?;
        Ok(Digest { hash: hash(digest.hash), key, message: self.pieces(digest.message)? })
    }
}

/// What is computed before the evidence is checked.
pub(super) fn values(given: Vec<provider::Value>) -> Result<Vec<Value>, Violation> {
    let given = violation::at_most("claims.values", given, VALUES_MAX)?;
    let mut values = Vec::with_capacity(given.len());
    for value in given {
        let before = Given { field: "digest.message", values: &values };
        let value = match value {
            provider::Value::Digest(digest) => Value::Digest(before.digest(digest)?),
            provider::Value::Decrypted(text) => Value::Decrypted(encrypted(text)?),
        };
        values.push(value);
    }
    Ok(values)
}

fn encrypted(text: provider::Encrypted) -> Result<Encrypted, Violation> {
    let field = "encrypted.ciphertext";
    let ciphertext = Given { field, values: &[] }.pieces(text.ciphertext)?;
    if ciphertext.iter().any(|piece| matches!(piece, Piece::Secret(_))) {
        return Err(violation(field, "may have texts, bytes and the body only"));
    }
    let data = text.associated_data;
    if data.len() > DATA_BYTES_MAX {
        let reason = format!("has {} bytes; the limit is {DATA_BYTES_MAX}", data.len());
        return Err(violation("encrypted.associated-data", reason));
    }
    let cipher = match text.cipher {
        provider::Cipher::AesGcm => Cipher::AesGcm,
        provider::Cipher::AesCbc if !text.tag.is_empty() || !data.is_empty() => {
            return Err(violation("encrypted.tag", "must be empty, and so the associated data"));
        }
        provider::Cipher::AesCbc => Cipher::AesCbc,
    };
    Ok(Encrypted {
        cipher,
        key: secret_form("encrypted.key", text.key)?,
        nonce: text.nonce,
        ciphertext,
        tag: text.tag,
        associated_data: data,
    })
}

/// How many bytes of the message of a value the plugin gave.
pub(super) fn given(value: &Value) -> usize {
    let pieces = match value {
        Value::Digest(digest) => &digest.message,
        Value::Decrypted(encrypted) => &encrypted.ciphertext,
    };
    let bytes = |piece: &Piece| if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 };
    pieces.iter().map(bytes).sum()
}

/// What a secret stands for.
pub(super) fn secret_form(
    field: &'static str,
    form: provider::SecretForm,
) -> Result<SecretForm, Violation> {
    let prefix = form.prefix.map(|prefix| violation::text(field, prefix, PREFIX_BYTES_MAX));
    let encoding = match form.encoding {
        provider::KeyEncoding::Text => KeyEncoding::Text,
        provider::KeyEncoding::Hex => KeyEncoding::Hex,
        provider::KeyEncoding::Base64 => KeyEncoding::Base64,
        provider::KeyEncoding::Base64url => KeyEncoding::Base64Url,
        provider::KeyEncoding::Urlencoded => KeyEncoding::Urlencoded,
        provider::KeyEncoding::Whsec => KeyEncoding::Whsec,
        provider::KeyEncoding::Whpk => KeyEncoding::Whpk,
        provider::KeyEncoding::Pem => KeyEncoding::Pem,
        provider::KeyEncoding::Spki => KeyEncoding::Spki,
        provider::KeyEncoding::Md5 => KeyEncoding::Md5,
        provider::KeyEncoding::Sha1 => KeyEncoding::Sha1,
        provider::KeyEncoding::Sha256 => KeyEncoding::Sha256,
    };
    Ok(SecretForm { encoding, prefix: prefix.transpose()? })
}

fn hash(hash: provider::Hash) -> Hash {
    match hash {
        provider::Hash::Md5 => Hash::Md5,
        provider::Hash::Sha1 => Hash::Sha1,
        provider::Hash::Sha256 => Hash::Sha256,
        provider::Hash::Sha384 => Hash::Sha384,
        provider::Hash::Sha512 => Hash::Sha512,
        provider::Hash::Sha3 => Hash::Sha3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(prefix: Option<&str>) -> provider::SecretForm {
        let prefix = prefix.map(str::to_owned);
        provider::SecretForm { encoding: provider::KeyEncoding::Text, prefix }
    }

    fn part(index: u32) -> provider::Piece {
        provider::Piece::Value(provider::ValuePart {
            index,
            written: provider::DigestText::Raw,
            start: 0,
            end: None,
        })
    }

    fn digest(message: Vec<provider::Piece>) -> provider::Value {
        provider::Value::Digest(provider::Digest {
            hash: provider::Hash::Sha256,
            key: None,
            message,
        })
    }

    fn cipher(change: impl FnOnce(&mut provider::Encrypted)) -> provider::Value {
        let mut text = provider::Encrypted {
            cipher: provider::Cipher::AesCbc,
            key: form(None),
            nonce: vec![0; 16],
            ciphertext: vec![provider::Piece::Body],
            tag: Vec::new(),
            associated_data: Vec::new(),
        };
        change(&mut text);
        provider::Value::Decrypted(text)
    }

    #[track_caller]
    fn lies(given: Vec<provider::Value>, field: &str) {
        assert_eq!(values(given).unwrap_err().field, field);
    }

    #[test]
    fn a_value_names_only_values_before_it() {
        let body = || digest(vec![provider::Piece::Body]);
        assert_eq!(values(vec![body(), digest(vec![part(0)])]).unwrap().len(), 2);
        lies(vec![digest(vec![part(0)])], "digest.message");
        lies(vec![body(), digest(vec![part(1)])], "digest.message");
        lies(vec![digest(vec![part(1)]), body()], "digest.message");
        lies((0..17).map(|_| body()).collect(), "claims.values");
        lies(vec![digest((0..257).map(|_| provider::Piece::Body).collect())], "digest.message");
    }

    #[test]
    fn an_encrypted_text_is_of_its_cipher() {
        assert!(values(vec![cipher(|_| ())]).is_ok());
        lies(vec![cipher(|it| it.tag = vec![0; 16])], "encrypted.tag");
        lies(vec![cipher(|it| it.associated_data = vec![0])], "encrypted.tag");
        lies(vec![cipher(|it| it.associated_data = vec![0; 4_097])], "encrypted.associated-data");
        let secret = || provider::Piece::Secret(form(None));
        lies(vec![cipher(|it| it.ciphertext = vec![secret()])], "encrypted.ciphertext");
        lies(vec![cipher(|it| it.ciphertext = vec![part(0)])], "encrypted.ciphertext");
        lies(vec![cipher(|it| it.key = form(Some("")))], "encrypted.key");
        lies(vec![cipher(|it| it.key = form(Some(&"x".repeat(65))))], "encrypted.key");
    }
}
