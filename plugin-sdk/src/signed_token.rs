//! A JSON Web Signature in its compact form, as a request carries it: taken apart for reading, and
//! written for tests.
//!
//! It says what the token says, never whether that is genuine: the gateway verifies the signature,
//! and rejects a token whose header names another algorithm than the proof.

use crate::claims::{Chain, Extension, Jws, JwsAlgorithm, KeySource, Piece, Proof, Refusal, Root};
use crate::json::{InvalidJson, Json};
use crate::{base64, limits};

/// Stands for a signature that is still to be made.
const BLANK: &[u8] = &[0; 64];

/// A token: a header, a payload and a signature in URL-safe base64, joined by dots. The payload of
/// a detached token is empty.
///
/// ```
/// use hookgate_sdk::{JwsAlgorithm, KeyEncoding, KeySource, Proof, SignedToken};
///
/// let text = SignedToken::write(r#"{"alg":"HS256"}"#, r#"{"id":"evt_1"}"#, &[]).unwrap();
/// let token = SignedToken::read(&text).unwrap();
/// assert_eq!(token.payload().unwrap().text("/id").unwrap(), "evt_1");
/// let key = KeySource::Configured(KeyEncoding::Text.into());
/// assert!(matches!(token.proof(JwsAlgorithm::Hs256, key), Proof::Jws(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedToken<'a> {
    text: &'a str,
    header: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> SignedToken<'a> {
    /// Takes a token apart. Refuses a text that is longer than the gateway accepts, or not three
    /// parts in base64, of which only the payload may be empty.
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > limits::JWS_BYTES_MAX {
            return Err(Refusal::new("the token is longer than the gateway accepts"));
        }
        let mut parts = text.split('.').map(base64::decode_url);
        match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some(Some(header)), Some(Some(payload)), Some(Some(signature)), None]
                if !header.is_empty() && !signature.is_empty() =>
            {
                Ok(Self { text, header, payload })
            }
            _ => Err(Refusal::new("the token is not three parts in URL-safe base64")),
        }
    }

    /// The header. It may name the key (`kid`, `jku`) or bring its certificates (`x5c`).
    pub fn header(&self) -> Result<Json<'_>, InvalidJson> {
        Json::parse(&self.header)
    }

    /// The payload of a token that is not detached.
    pub fn payload(&self) -> Result<Json<'_>, InvalidJson> {
        Json::parse(&self.payload)
    }

    /// The bytes of the payload, for a token that another one carries.
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// The chain of the certificates that the header brings along (`x5c`), to a root that
    /// `describe` pins. The certificate at each place must have the extension of this object
    /// identifier. Refuses more or larger certificates than the gateway accepts.
    pub fn pinned_chain(&self, extensions: &[&str]) -> Result<Chain, Refusal> {
        let fits = |der: &Vec<u8>| (1..=limits::CERTIFICATE_BYTES_MAX).contains(&der.len());
        let der = |item: Json<'_>| base64::decode(&item.text("")?).filter(fits);
        let items = self.header()?.items("/x5c");
        let is_bounded = (1..=limits::CERTIFICATES_MAX).contains(&items.len());
        let certificates: Option<Vec<_>> = items.into_iter().map(der).collect();
        let extension = |(certificate, oid): (u32, &&str)| {
            let oid = (*oid).to_owned();
            Extension { certificate, oid }
        };
        Ok(Chain {
            certificates: certificates
                .filter(|_| is_bounded)
                .ok_or_else(|| Refusal::new("the token does not bring its certificates"))?,
            root: Root::Pinned,
            extensions: (0..).zip(extensions).map(extension).collect(),
            valid_at: None,
        })
    }

    /// The proof that the token is signed.
    pub fn proof(&self, algorithm: JwsAlgorithm, key: KeySource) -> Proof {
        self.jws(algorithm, key, None)
    }

    /// The proof that the token, which is detached, signs this payload.
    pub fn detached_proof(
        &self,
        algorithm: JwsAlgorithm,
        key: KeySource,
        payload: Vec<Piece>,
    ) -> Proof {
        self.jws(algorithm, key, Some(payload))
    }

    fn jws(&self, algorithm: JwsAlgorithm, key: KeySource, payload: Option<Vec<Piece>>) -> Proof {
        Proof::Jws(Jws { token: self.text.to_owned(), algorithm, key, payload, rules: Vec::new() })
    }

    /// Writes a token of this header and payload, both JSON, for [`Provider::sign`]. Without a
    /// signature the token gets zeros, which [`read`](Self::read) accepts.
    ///
    /// [`Provider::sign`]: crate::Provider::sign
    pub fn write(header: &str, payload: &str, signatures: &[Vec<u8>]) -> Result<String, String> {
        let signature: &[u8] = match signatures {
            [] => BLANK,
            [signature] => signature,
            _ => return Err("a token carries only one signature".to_owned()),
        };
        let parts = [header.as_bytes(), payload.as_bytes(), signature];
        Ok(parts.map(base64::encode_url).join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for signatures in [vec![], vec![vec![7; 132]]] {
            let text = SignedToken::write(r#"{"kid":"a"}"#, r#"{"id":7}"#, &signatures).unwrap();
            let token = SignedToken::read(&text).unwrap();
            assert_eq!(token.header().unwrap().text("/kid").as_deref(), Some("a"));
            assert_eq!(token.payload().unwrap().number("/id"), Some("7"));
        }
        assert!(SignedToken::write("{}", "{}", &[vec![], vec![]]).is_err());
    }

    #[test]
    fn a_detached_token_has_no_payload_to_read() {
        let text = SignedToken::write("{}", "", &[]).unwrap();
        let token = SignedToken::read(&text).unwrap();
        assert!(token.payload().is_err());
    }

    #[test]
    fn a_token_brings_as_many_certificates_as_the_gateway_accepts() {
        let chain = |x5c: &str| {
            let text = SignedToken::write(&format!(r#"{{"x5c":{x5c}}}"#), "{}", &[]).unwrap();
            SignedToken::read(&text).unwrap().pinned_chain(&["1.2", "1.3"])
        };
        let brought = chain(r#"["AQI=","Aw=="]"#).unwrap();
        assert_eq!(brought.certificates, [vec![1, 2], vec![3]]);
        let marks = brought.extensions.iter().map(|it| (it.certificate, it.oid.as_str()));
        assert_eq!(marks.collect::<Vec<_>>(), [(0, "1.2"), (1, "1.3")]);
        let many = format!("[{}]", [r#""AQ==""#; 9].join(","));
        let large = format!(r#"["{}"]"#, base64::encode(&[1; (16 << 10) + 1]));
        for x5c in ["[]", "{}", r#"[""]"#, r#"["AQI"]"#, r#"["AQ==",1]"#, &many, &large] {
            assert!(chain(x5c).is_err(), "{x5c}");
        }
    }

    #[test]
    fn a_token_has_three_parts() {
        for text in ["", ".", "..", "a.b.c.d", "e30.e30", "e30.e30.", ".e30.AA", "e30.e30.AA=="] {
            assert!(SignedToken::read(text).is_err(), "{text}");
        }
        let long = format!("e30.{}.AA", "A".repeat(limits::JWS_BYTES_MAX));
        assert!(SignedToken::read(&long).is_err());
    }
}
