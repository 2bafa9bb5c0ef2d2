//! Encrypted bodies: where the ciphertext, the nonce and the tag are.
//!
//! The gateway decrypts with a secret that no plugin sees. Nothing here decrypts.

use crate::claims::{
    Cipher, Claims, Decryption, DigestText, Encrypted, Evidence, Piece, Proof, SecretForm, Value,
};

impl Encrypted {
    /// AES-GCM, which also proves who wrote the text. The nonce has 12 or 16 bytes, the tag 16.
    pub fn aes_gcm(
        key: impl Into<SecretForm>,
        nonce: Vec<u8>,
        ciphertext: impl Into<Piece>,
        tag: Vec<u8>,
    ) -> Self {
        Self {
            cipher: Cipher::AesGcm,
            key: key.into(),
            nonce,
            ciphertext: vec![ciphertext.into()],
            tag,
            associated_data: Vec::new(),
        }
    }

    /// AES-CBC, which proves nothing by itself: declare it as [`Worth::Weak`]. The nonce has 16
    /// bytes.
    ///
    /// [`Worth::Weak`]: crate::Worth::Weak
    pub fn aes_cbc(
        key: impl Into<SecretForm>,
        nonce: Vec<u8>,
        ciphertext: impl Into<Piece>,
    ) -> Self {
        Self { cipher: Cipher::AesCbc, ..Self::aes_gcm(key, nonce, ciphertext, Vec::new()) }
    }
}

impl Claims {
    /// Claims of a request whose body is encrypted: the secret must decrypt it, and `parse` gets
    /// what it says. Such claims have no event ids, so the gateway detects duplicates after
    /// `parse`.
    ///
    /// ```
    /// use hookgate_sdk::{Claims, Encrypted, KeyEncoding, ProofKind};
    ///
    /// let (nonce, ciphertext, tag) = (vec![0; 12], vec![7; 40], vec![0; 16]);
    /// let text = Encrypted::aes_gcm(KeyEncoding::Hex, nonce, ciphertext, tag);
    /// let claims = Claims::encrypted(text);
    /// assert_eq!(claims.evidence[0].proofs[0].kind(), ProofKind::Decrypted);
    /// ```
    pub fn encrypted(body: Encrypted) -> Self {
        let proof = Proof::Decrypted(Decryption { index: 0, plain: None });
        Self::new(Evidence::from(proof), None::<String>)
            .with_values([Value::Decrypted(body)])
            .with_plain_body([Piece::of_value(0, DigestText::Raw)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::KeyEncoding;

    #[test]
    fn an_encrypted_body_is_what_parse_gets() {
        let text = Encrypted::aes_cbc(KeyEncoding::Text, vec![0; 16], Piece::Body);
        assert_eq!((text.cipher, text.tag.len()), (Cipher::AesCbc, 0));
        let claims = Claims::encrypted(text.clone());
        assert_eq!(claims.values, [Value::Decrypted(text)]);
        assert_eq!(claims.plain_body, Some(vec![Piece::of_value(0, DigestText::Raw)]));
    }
}
