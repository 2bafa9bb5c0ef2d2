//! Where a provider publishes its public keys, and how the gateway requests one of them.
//!
//! A plugin never fetches a key: the gateway does, from places that `describe` declares and the
//! operator allows.

use crate::claims::{KeyField, KeyFormat, KeyLookup, KeyPlace};
use crate::limits::KEY_URL_BYTES_MAX;

impl KeyPlace {
    /// Certificates in PEM that are issued to the DNS name `name`. If the URL ends in `/`, every
    /// URL below it is in this place; otherwise only this URL is.
    pub fn certificate(url: &str, name: &str) -> Self {
        Self { url: url.to_owned(), format: KeyFormat::Certificate(name.to_owned()) }
    }

    /// JSON Web Keys. If the URL ends in `/`, every URL below it is in this place; otherwise only
    /// this URL is.
    pub fn jwk(url: &str) -> Self {
        Self { url: url.to_owned(), format: KeyFormat::Jwk }
    }

    /// A set of JSON Web Keys at this URL.
    pub fn jwks(url: &str) -> Self {
        Self { url: url.to_owned(), format: KeyFormat::Jwks }
    }

    /// A public key in PEM. If the URL ends in `/`, every URL below it is in this place; otherwise
    /// only this URL is.
    pub fn pem(url: &str) -> Self {
        Self { url: url.to_owned(), format: KeyFormat::Pem }
    }

    /// Certificates in PEM for which only the TLS of their place vouches.
    pub fn leaf_certificate(url: &str) -> Self {
        Self { url: url.to_owned(), format: KeyFormat::LeafCertificate }
    }

    /// Whether a URL is in this place. The gateway checks this again, more strictly.
    pub fn holds(&self, url: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:-_.".contains(&byte);
        let is_plain = url.bytes().all(plain) && !url.contains("..");
        if url == self.url || !is_plain || url.len() > KEY_URL_BYTES_MAX {
            return url == self.url;
        }
        match self.url.split_once('*') {
            None => self.url.ends_with('/') && url.starts_with(&self.url),
            Some((before, after)) => {
                // One label of the host name, and what lies behind it as it is declared.
                let label = url.strip_prefix(before).and_then(|rest| {
                    let end = rest.find('.')?;
                    rest[end..].starts_with(after).then(|| (&rest[..end], &rest[end..]))
                });
                label.is_some_and(|(label, rest)| {
                    let whole = after.ends_with('/') || rest == after;
                    let known = |byte: u8| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                    };
                    whole && !label.is_empty() && label.bytes().all(known)
                })
            }
        }
    }
}

impl KeyLookup {
    /// Requests the key by GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), post: None, id: None }
    }

    /// Requests the key by POST of a JSON object with these members.
    pub fn post(url: impl Into<String>, fields: &[(&str, KeyField)]) -> Self {
        let fields = fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone()));
        Self { url: url.into(), post: Some(fields.collect()), id: None }
    }

    /// Of a set of keys: the key with this `kid`.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }
}

impl From<&str> for KeyField {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_holds_what_lies_below_it() {
        let place = KeyPlace::certificate("https://api.pay.example/certs/", "certs.pay.example");
        assert!(place.holds("https://api.pay.example/certs/CERT-1"));
        for url in [
            "http://api.pay.example/certs/CERT-1",
            "https://api.pay.example@evil.example/certs/CERT-1",
            "https://api.pay.example/certs/../CERT-1",
            "https://api.pay.example/certs/%2e%2e/CERT-1",
            "https://api.pay.example/certs/CERT-1?x",
            "https://api.pay.example/other",
        ] {
            assert!(!place.holds(url), "{url}");
        }
        let long = format!("https://api.pay.example/certs/{}", "a".repeat(KEY_URL_BYTES_MAX));
        assert!(place.holds(&long[..KEY_URL_BYTES_MAX]) && !place.holds(&long));
        let sns = KeyPlace::leaf_certificate("https://sns.*.amazonaws.com/");
        assert!(sns.holds("https://sns.us-west-2.amazonaws.com/a.pem"));
        for url in [
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://sns.amazonaws.com/a.pem",
            "https://sns.us-west-2.amazonaws.com.evil.example/a.pem",
        ] {
            assert!(!sns.holds(url), "{url}");
        }
        assert!(KeyPlace::jwk("https://a.example/get").holds("https://a.example/get"));
        assert!(!KeyPlace::jwk("https://a.example/get").holds("https://a.example/get/x"));
    }
}
