//! Where a plugin says that keys are, held against the contract.
//!
//! Fetches nothing: whether a look-up lies in a place that was declared, and whether the operator
//! allows it, is asked where keys are fetched.

use url::Url;

use super::super::bindings::exports::hookgate::plugin::provider;
use super::super::violation::{self, Violation, violation};
use super::{message, timestamp};
use crate::provider::{
    Chain, Extension, KeyField, KeyFormat, KeyLookup, KeyPlace, KeySource, Root,
};
use crate::signature::der;

/// Most places that a provider may name.
const PLACES_MAX: usize = 16;
/// Longest URL of a key.
const URL_BYTES_MAX: usize = 512;
/// Most members of the object that is posted for a key.
const FIELDS_MAX: usize = 16;
/// Longest of their names and texts, in bytes.
const FIELD_BYTES_MAX: usize = 256;
/// Most certificates in a request, and the largest of them.
const CERTIFICATES_MAX: usize = 8;
const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// Most extensions that they must have.
const EXTENSIONS_MAX: usize = 8;
/// Longest name of a host, in bytes.
const HOST_BYTES_MAX: usize = 253;

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
            provider::KeyFormat::LeafCertificate => KeyFormat::LeafCertificate,
            provider::KeyFormat::Pem => KeyFormat::Pem,
            provider::KeyFormat::Jwk => KeyFormat::Jwk,
            provider::KeyFormat::Jwks => KeyFormat::Jwks,
        },
        url,
    };
    let host = place.url.domain().unwrap_or_default();
    // A place that does not hold a URL of its own has a query, or somebody's name in it.
    let mut own = place.url.clone();
    let is_own = own.set_host(Some(&host.replace('*', "a"))).is_ok() && place.holds(&own);
    if host.is_empty() || place.url.scheme() != "https" || !is_own {
        let reason = "must be https:// with a host name and a path, and no more";
        return Err(violation("key-place.url", reason));
    }
    if host.contains('*') && !stands_for_one_label(host) {
        let reason = "may have `*` for one whole label of the host name, before the last two";
        return Err(violation("key-place.url", reason));
    }
    Ok(place)
}

/// Whether the one `*` of a host name is a label of its own, and names the owner of none.
fn stands_for_one_label(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let stars = labels.iter().filter(|label| label.contains('*')).count();
    let owners = labels.len().saturating_sub(2);
    stars == 1 && labels[..owners].contains(&"*")
}

/// Where a proof's key comes from.
pub(super) fn source(source: provider::KeySource) -> Result<KeySource, Violation> {
    Ok(match source {
        provider::KeySource::Configured(form) => {
            KeySource::Configured(message::secret_form("key-source.configured", form)?)
        }
        provider::KeySource::Fetched(it) => KeySource::Fetched(lookup(it)?),
        provider::KeySource::Chain(it) => KeySource::Chain(chain(it)?),
    })
}

fn lookup(lookup: provider::KeyLookup) -> Result<KeyLookup, Violation> {
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
    let id = |id| violation::text("key-lookup.id", id, FIELD_BYTES_MAX);
    Ok(KeyLookup {
        url: url("key-lookup.url", lookup.url)?,
        post: lookup.post.map(fields).transpose()?,
        id: lookup.id.map(id).transpose()?,
    })
}

fn chain(chain: provider::Chain) -> Result<Chain, Violation> {
    let field = "chain.certificates";
    let certificates = violation::at_most(field, chain.certificates, CERTIFICATES_MAX)?;
    let is_large = |der: &Vec<u8>| !(1..=CERTIFICATE_BYTES_MAX).contains(&der.len());
    if certificates.is_empty() || certificates.iter().any(is_large) {
        let reason = "must be 1 to 8 certificates of 1 byte to 16 KiB each";
        return Err(violation(field, reason));
    }
    let extensions = violation::at_most("chain.extensions", chain.extensions, EXTENSIONS_MAX)?;
    let extension = |extension: provider::Extension| {
        let oid = der::oid(&extension.oid);
        let wrong = || violation("extension.oid", "is not an object identifier such as 1.2.840");
        let certificate = extension.certificate as usize;
        Ok(Extension { certificate, oid: oid.ok_or_else(wrong)? })
    };
    let extensions =
        extensions.into_iter().map(extension).collect::<Result<Vec<_>, Violation>>()?;
    let name = |name| violation::text("chain.root", name, HOST_BYTES_MAX);
    let root = match chain.root {
        provider::Root::Platform(it) => Root::Platform(name(it)?),
        provider::Root::Pinned => Root::Pinned,
    };
    let is_platform = matches!(root, Root::Platform(_));
    if is_platform && extensions.iter().any(|extension| extension.certificate > 0) {
        let reason = "must be 0, the certificate of the key, with a root of the platform";
        return Err(violation("extension.certificate", reason));
    }
    Ok(Chain {
        certificates,
        root,
        extensions,
        valid_at: chain.valid_at.map(|at| timestamp("chain.valid-at", at)).transpose()?,
    })
}

fn url(field: &'static str, text: String) -> Result<Url, Violation> {
    let text = violation::text(field, text, URL_BYTES_MAX)?;
    Url::parse(&text).map_err(|error| violation(field, format!("is not a URL: {error}")))
}

#[cfg(test)]
mod tests;
