//! A public key in a certificate, and who vouches for it.
//!
//! The same roots and the same checks as for TLS, at a time that is given. Knows no provider: the
//! name that a certificate must be made out to is the plugin's to declare.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls_platform_verifier::Verifier;

use super::KeyError;
use crate::event::Timestamp;
use crate::provider::PublicKey;
use crate::signature::der::Certificate;
use crate::signature::key;

/// Most certificates in one answer.
const CERTIFICATES_MAX: usize = 8;

#[derive(Clone)]
pub(super) struct Trust(Arc<dyn ServerCertVerifier>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// Whether a certificate leads to a root, and is made out to this name, at this time.
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let checked = self.0.verify_server_cert(leaf, above, name, &[], now);
        checked.map(drop).map_err(|error| KeyError::Untrusted(error.to_string()))
    }

    /// The roots of the platform.
    pub(super) fn platform() -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Self(Arc::new(Verifier::new(provider)?)))
    }

    #[cfg(test)]
    pub(super) fn with_root(pem: &str) -> Self {
        let root = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self(Arc::new(Verifier::new_with_extra_roots([root], provider).unwrap()))
    }
}

/// A certificate that is made out to a name, and what leads from it to a root.
#[derive(Debug, Clone)]
pub(super) struct NamedCertificate {
    leaf: CertificateDer<'static>,
    above: Arc<[CertificateDer<'static>]>,
    name: ServerName<'static>,
    /// The `SubjectPublicKeyInfo` of the leaf.
    key: Arc<[u8]>,
}

impl NamedCertificate {
    /// Reads certificates in PEM, that of the key first.
    pub(super) fn read(pem: &[u8], name: &str) -> Result<Self, KeyError> {
        let unreadable = |what: &str| KeyError::Unreadable(what.to_owned());
        let mut certificates = CertificateDer::pem_slice_iter(pem)
            .take(CERTIFICATES_MAX)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unreadable("the answer is not PEM"))?;
        if certificates.is_empty() {
            return Err(unreadable("the answer has no certificate"));
        }
        let leaf = certificates.remove(0);
        let parsed = ParsedCertificate::try_from(&leaf)
            .map_err(|_| unreadable("the certificate is not X.509"))?;
        let key = parsed.subject_public_key_info().as_ref().into();
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| unreadable("the plugin names no DNS name"))?;
        Ok(Self { leaf, above: certificates.as_slice().into(), name, key })
    }

    /// Whether it leads to a root, is made out to its name, and counts at this time.
    pub(super) fn check(&self, trust: &Trust, now: Timestamp) -> Result<(), KeyError> {
        trust.check(&self.leaf, &self.above, &self.name, now)
    }

    pub(super) fn key(&self, scheme: PublicKey) -> Option<Vec<u8>> {
        key::public_key_of_info(scheme.family(), &self.key)
    }
}

/// A certificate for which only the TLS of its place vouches.
#[derive(Debug, Clone)]
pub(super) struct LeafCertificate(CertificateDer<'static>);

impl LeafCertificate {
    /// Reads the first certificate in PEM.
    pub(super) fn read(pem: &[u8]) -> Result<Self, KeyError> {
        let unreadable = |what: &str| KeyError::Unreadable(what.to_owned());
        let leaf = CertificateDer::from_pem_slice(pem)
            .map_err(|_| unreadable("the answer is not a certificate in PEM"))?;
        let read = Certificate::read(&leaf);
        read.ok_or_else(|| unreadable("the certificate is not X.509"))?;
        Ok(Self(leaf))
    }

    /// Its key, if it is valid at this time.
    pub(super) fn key(
        &self,
        scheme: PublicKey,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, KeyError> {
        let read = Certificate::read(&self.0).filter(|read| read.is_valid_at(now));
        let key = read.ok_or(KeyError::Expired)?.key;
        Ok(key::public_key_of_info(scheme.family(), key))
    }
}
