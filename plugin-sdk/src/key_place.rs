//! Where a provider publishes its public keys, and how the gateway requests one of them.
//!
//! A plugin never fetches a key: the gateway does, from places that `describe` declares and the
//! operator allows.

use crate::claims::{KeyField, KeyFormat, KeyLookup, KeyPlace};

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

    /// Whether a URL is in this place. The gateway checks this again, more strictly.
    pub fn holds(&self, url: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:-_.".contains(&byte);
        let below = self.url.ends_with('/') && url.starts_with(&self.url) && !url.contains("..");
        url == self.url || (below && url.bytes().all(plain))
    }
}

impl KeyLookup {
    /// Requests the key by GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), post: None }
    }

    /// Requests the key by POST of a JSON object with these members.
    pub fn post(url: impl Into<String>, fields: &[(&str, KeyField)]) -> Self {
        let fields = fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone()));
        Self { url: url.into(), post: Some(fields.collect()) }
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
        assert!(KeyPlace::jwk("https://a.example/get").holds("https://a.example/get"));
        assert!(!KeyPlace::jwk("https://a.example/get").holds("https://a.example/get/x"));
    }
}
