//! Public keys that a provider keeps at a URL of its own: fetched, checked, and kept.
//!
//! For the schemes whose requests name their key (PayPal's certificates, Plaid's key ids) or bring
//! its certificate along (Apple's), which a root must vouch for. A key
//! comes only from a place that the plugin declared and a host that the operator allowed, through
//! `Egress`, and what comes back is checked before it is a key. What can't be had now is never
//! taken for a forgery: the sender is told to come again. Never runs a plugin, and never waits for
//! more than a few answers at a time.

mod bids;
mod budget;
mod certificate;
mod chain;
mod jwk;
mod fetch;
mod cache;
mod wanted;

use std::sync::Arc;

use self::certificate::{LeafCertificate, NamedCertificate, Trust};
use self::fetch::Fetcher;
use self::wanted::Wanted;
use crate::clock::Clock;
use crate::egress::Egress;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::provider::{Chain, KeyField, KeyLookup, KeyPlace, ProviderInfo, PublicKey};
use crate::secrets::Secret;
use crate::signature::key;

/// What a source may look up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission<'a> {
    /// What its plugin declares.
    pub(crate) info: &'a ProviderInfo,
    /// The hosts that the operator allows.
    pub(crate) hosts: &'a [String],
    /// Those of the source. The first is put in where a look-up needs one; those that are
    /// certificates are roots that the operator pins.
    pub(crate) secrets: &'a [Secret],
}

/// The keys of all sources. Clones share them.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Origin>);

#[derive(Debug)]
enum Origin {
    Fetched(Arc<Fetcher>),
    Recorded(Vec<String>),
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// The request names a place that is not the provider's.
    #[error("the request names a key at `{0}`, where the plugin declares no keys")]
    Elsewhere(String),
    /// The operator did not allow it.
    #[error("the request names a key at `{0}`, which keys_from of the source does not list")]
    NotAllowed(String),
    /// A look-up that needs a secret, of a source that has none.
    #[error("the look-up of the key needs a secret, and the source has none")]
    NoSecret,
    /// So many look-ups of keys that are not known for this source at a time, and in a minute, and
    /// no more. A set of keys is looked up once in a minute for those that are not in it.
    #[error("the source has reached its limit of key look-ups for now")]
    Busy,
    /// No answer came.
    #[error("failed to look up the key: {0}")]
    Unreachable(String),
    /// An answer that says neither yes nor no.
    #[error("failed to look up the key: `{host}` answered {status}")]
    Status { host: String, status: u16 },
    /// What was answered is no key.
    #[error("failed to look up the key: {0}")]
    Unreadable(String),
    /// The provider says that there is none.
    #[error("the provider knows no such key")]
    Unknown,
    /// It is not to be used any more.
    #[error("the key has expired")]
    Expired,
    /// Nobody vouches for it.
    #[error("the gateway does not trust the certificate of the key: {0}")]
    Untrusted(String),
    /// It is of another kind than the signature.
    #[error("the key does not fit the kind of the signature")]
    Unfit,
}

impl KeyError {
    /// Whether the same request may be genuine all the same: then its sender should come again.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::NotAllowed(_)
            | Self::NoSecret
            | Self::Busy
            | Self::Unreachable(_)
            | Self::Status { .. }
            | Self::Unreadable(_) => true,
            Self::Elsewhere(_)
            | Self::Unknown
            | Self::Expired
            | Self::Untrusted(_)
            | Self::Unfit => false,
        }
    }

    /// The case, for counting.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Elsewhere(_) => "key_elsewhere",
            Self::NotAllowed(_) => "key_not_allowed",
            Self::NoSecret => "key_no_secret",
            Self::Busy => "key_busy",
            Self::Unreachable(_) => "key_unreachable",
            Self::Status { .. } => "key_status",
            Self::Unreadable(_) => "key_unreadable",
            Self::Unknown => "key_unknown",
            Self::Expired => "key_expired",
            Self::Untrusted(_) => "key_untrusted",
            Self::Unfit => "key_unfit",
        }
    }
}

/// A key that was fetched, as it came.
#[derive(Debug, Clone)]
enum Key {
    Named(NamedCertificate),
    Leaf(LeafCertificate),
    /// A `SubjectPublicKeyInfo`.
    Info(Arc<[u8]>),
    Jwk(jwk::Jwk),
    Set(jwk::Set),
}

impl Keys {
    /// Keys that are fetched; none yet. Trusts the roots that the platform trusts.
    pub(crate) fn fetched(egress: Egress, clock: Clock) -> Result<Self, rustls::Error> {
        let fetcher = Fetcher::new(egress, clock, Trust::platform()?);
        Ok(Self(Arc::new(Origin::Fetched(Arc::new(fetcher)))))
    }

    /// Keys that were recorded with requests stand in for those at their places: certificates and
    /// public keys in PEM, JSON Web Keys. Nobody vouches for them. For `hookgate plugin test` and
    /// tests.
    pub fn recorded(texts: Vec<String>) -> Self {
        Self(Arc::new(Origin::Recorded(texts)))
    }

    /// The key for a scheme, as its own bytes: from the source's cache, or from its place.
    pub(crate) async fn find(
        &self,
        source: &Name,
        permission: Permission<'_>,
        scheme: PublicKey,
        lookup: &KeyLookup,
    ) -> Result<Vec<u8>, KeyError> {
        let place = allowed(permission, lookup)?;
        let id = lookup.id.as_deref();
        match &*self.0 {
            Origin::Fetched(fetcher) => {
                // All keys of a set are looked up as one.
                let lookup = KeyLookup { id: None, ..lookup.clone() };
                let wanted = Wanted { lookup, format: place.format.clone() };
                let secret = permission.secrets.first();
                let key = fetcher.find(source, secret, wanted, id).await?;
                key.bytes(scheme, id, fetcher.now())
            }
            Origin::Recorded(texts) => {
                let found = texts.iter().find_map(|text| recorded(text, scheme, lookup));
                found.ok_or(KeyError::Unknown)
            }
        }
    }

    /// The key of a certificate that came with a request, if a root vouches for it. Recorded
    /// certificates are roots too, and the only ones of the platform.
    pub(crate) fn vouch(
        &self,
        permission: Permission<'_>,
        scheme: PublicKey,
        chain: &Chain,
        now: Timestamp,
    ) -> Result<Vec<u8>, KeyError> {
        let secrets = permission.secrets.iter().map(Secret::expose);
        let mut roots = permission.info.roots.clone();
        roots.extend(secrets.filter_map(chain::root));
        let info = match &*self.0 {
            Origin::Fetched(fetcher) => chain::check(chain, &roots, Some(fetcher.trust()), now)?,
            Origin::Recorded(texts) => {
                roots.extend(texts.iter().filter_map(|text| chain::root(text)));
                chain::check(chain, &roots, None, now)?
            }
        };
        key::public_key_of_info(scheme.family(), &info).ok_or(KeyError::Unfit)
    }
}

impl Key {
    fn bytes(
        &self,
        scheme: PublicKey,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<u8>, KeyError> {
        let bytes = match self {
            Self::Named(certificate) => certificate.key(scheme),
            Self::Leaf(leaf) => leaf.key(scheme, now)?,
            Self::Info(der) => key::public_key_of_info(scheme.family(), der),
            Self::Jwk(key) => key.bytes(scheme),
            Self::Set(keys) => keys.bytes(id.ok_or(KeyError::Unknown)?, scheme)?,
        };
        bytes.ok_or(KeyError::Unfit)
    }
}

/// The place of a look-up, if the plugin declared it and the operator allows its host.
fn allowed<'a>(permission: Permission<'a>, lookup: &KeyLookup) -> Result<&'a KeyPlace, KeyError> {
    let place = permission.info.place(lookup).ok_or_else(|| KeyError::Elsewhere(host(lookup)))?;
    if permission.hosts.iter().any(|allowed| *allowed == host(lookup)) {
        Ok(place)
    } else {
        Err(KeyError::NotAllowed(host(lookup)))
    }
}

fn host(lookup: &KeyLookup) -> String {
    lookup.url.host_str().unwrap_or_default().to_owned()
}

/// The key that a text is, if it may be the one that is looked up: a JSON Web Key says its id.
fn recorded(text: &str, scheme: PublicKey, lookup: &KeyLookup) -> Option<Vec<u8>> {
    if text.trim_start().starts_with("-----BEGIN CERTIFICATE") {
        NamedCertificate::read(text.as_bytes(), "recorded.invalid").ok()?.key(scheme)
    } else if text.trim_start().starts_with('{') {
        let posted = lookup.post.iter().flatten().filter_map(|(_, field)| match field {
            KeyField::Text(text) => Some(text.as_str()),
            KeyField::Secret => None,
        });
        let mut ids = posted.chain(lookup.id.as_deref());
        if let Ok(set) = jwk::Set::read(text.as_bytes()) {
            return ids.find_map(|id| set.bytes(id, scheme).ok().flatten());
        }
        let key = jwk::Jwk::read(text.as_bytes()).ok()?;
        let named = key.id().is_some_and(|known| ids.any(|id| id == known));
        named.then(|| key.bytes(scheme)).flatten()
    } else {
        key::public_key_of_info(scheme.family(), &key::pem(text)?)
    }
}

#[cfg(test)]
mod tests;
