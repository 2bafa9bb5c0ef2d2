//! Where a plugin says that keys are, held against the contract.
//!
//! Fetches nothing: whether a look-up lies in a place that was declared, and whether the operator
//! allows it, is asked where keys are fetched.

use url::Url;

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::violation::{self, Violation, violation};
use crate::provider::{KeyField, KeyFormat, KeyLookup, KeyPlace, KeySource};

/// Most places that a provider may name.
const PLACES_MAX: usize = 16;
/// Longest URL of a key.
const URL_BYTES_MAX: usize = 512;
/// Most members of the object that is posted for a key.
const FIELDS_MAX: usize = 16;
/// Longest of their names and texts, in bytes.
const FIELD_BYTES_MAX: usize = 256;

/// The places that a provider names.
pub(super) fn places(places: Vec<provider::KeyPlace>) -> Result<Vec<KeyPlace>, Violation> {
    let places = violation::at_most("provider-info.key-places", places, PLACES_MAX)?;
    places.into_iter().map(place).collect()
}

fn place(place: provider::KeyPlace) -> Result<KeyPlace, Violation> {
    let url = url("key-place.url", place.url)?;
    let place = KeyPlace {
        format: match place.format {
            provider::KeyFormat::Certificate(name) => {
                KeyFormat::Certificate(violation::text("key-place.format", name, FIELD_BYTES_MAX)?)
            }
            provider::KeyFormat::Jwk => KeyFormat::Jwk,
        },
        url,
    };
    // A place that does not hold its own URL has a query, or somebody's name in it.
    if place.url.scheme() != "https" || place.url.domain().is_none() || !place.holds(&place.url) {
        let reason = "must be https:// with a host name and a path, and no more";
        return Err(violation("key-place.url", reason));
    }
    Ok(place)
}

/// Where a proof's public key comes from.
pub(super) fn source(source: provider::KeySource) -> Result<KeySource, Violation> {
    let lookup = match source {
        provider::KeySource::Configured(encoding) => {
            return Ok(KeySource::Configured(super::key_encoding(encoding)));
        }
        provider::KeySource::Fetched(lookup) => lookup,
    };
    let field = |(name, field)| {
        let text = |text| violation::text("key-lookup.post", text, FIELD_BYTES_MAX);
        let field = match field {
            provider::KeyField::Text(value) => KeyField::Text(text(value)?),
            provider::KeyField::Secret => KeyField::Secret,
        };
        Ok((text(name)?, field))
    };
    let fields = |fields| {
        let fields = violation::at_most("key-lookup.post", fields, FIELDS_MAX)?;
        fields.into_iter().map(field).collect::<Result<Vec<_>, Violation>>()
    };
    Ok(KeySource::Fetched(KeyLookup {
        url: url("key-lookup.url", lookup.url)?,
        post: lookup.post.map(fields).transpose()?,
    }))
}

fn url(field: &'static str, text: String) -> Result<Url, Violation> {
    let text = violation::text(field, text, URL_BYTES_MAX)?;
    Url::parse(&text).map_err(|error| violation(field, format!("is not a URL: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(url: &str) -> Result<KeyPlace, Violation> {
        place(provider::KeyPlace { url: url.to_owned(), format: provider::KeyFormat::Jwk })
    }

    #[test]
    fn a_place_is_a_path_of_a_named_host_under_tls() {
        assert!(declared("https://api.paypal.com/v1/notifications/certs/").is_ok());
        for url in [
            "http://api.paypal.com/",
            "https://127.0.0.1/keys/",
            "https://[::1]/keys/",
            "https://a@api.paypal.com/",
            "https://api.paypal.com/?a=b",
            "https://api.paypal.com/#a",
            "data:,x",
            "/v1/",
            "",
        ] {
            assert!(declared(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_place_holds_what_lies_below_it_and_nothing_else() {
        let place = declared("https://api.paypal.com/v1/certs/").unwrap();
        let holds = |url: &str| place.holds(&url.parse().unwrap());
        assert!(holds("https://api.paypal.com/v1/certs/CERT-1"));
        assert!(holds("https://API.PayPal.com:443/v1/certs/CERT-1"));
        for url in [
            "http://api.paypal.com/v1/certs/CERT-1",
            "https://api.paypal.com:8443/v1/certs/CERT-1",
            "https://api.paypal.com.evil.example/v1/certs/CERT-1",
            "https://api.paypal.com@evil.example/v1/certs/CERT-1",
            "https://evil.example@api.paypal.com/v1/certs/CERT-1",
            "https://api.paypal.com/v1/certs/../other",
            "https://api.paypal.com/v1/certs/%2e%2e/other",
            "https://api.paypal.com/v1/certs/..%2fother",
            "https://api.paypal.com/v1/certs/..\\other",
            "https://api.paypal.com/v1/certs",
            "https://api.paypal.com/v1/certs/CERT-1?x=1",
            "https://api.paypal.com/v1/certs/CERT-1#x",
        ] {
            assert!(!holds(url), "{url}");
        }
        let exact = declared("https://production.plaid.com/get").unwrap();
        assert!(exact.holds(&"https://production.plaid.com/get".parse().unwrap()));
        assert!(!exact.holds(&"https://production.plaid.com/get/more".parse().unwrap()));
    }
}
