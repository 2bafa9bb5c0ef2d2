//! Who issues the certificates that peers must show, and how peers are asked for one.
//!
//! Every peer of the port is asked, and may have none: which of them need one, and of whom, is
//! decided for each request. So a handshake proves only that the key is the peer's; whether an
//! issuer vouches for the certificate is a question of its own. Never fetches anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use crate::event::Timestamp;

/// Most certificates that a peer may show: with more, there are too many paths to try.
const CHAIN_MAX: usize = 5;

/// Authorities that vouch for peers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Issuers(Arc<dyn ClientCertVerifier>);

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuers(..)")
    }
}

/// Why no issuer vouches for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    #[error("the peer showed no client certificate")]
    Unknown,
    #[error("the client certificate has expired, or is not valid yet")]
    Untimely,
    #[error("no certificate of `client_ca` leads to the client certificate")]
    Untrusted,
}

impl Issuers {
    /// From a file in PEM; nothing if it has no certificates, or has some that can't be read.
    pub(crate) fn of_pem(pem: &[u8]) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.ok()?).ok()?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
        verifier.build().ok().map(Self)
    }

    /// Whether one of them vouches for a peer that showed these certificates, its own first.
    pub(crate) fn vouch(
        &self,
        shown: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), Stranger> {
        let (own, above) = shown.split_first().ok_or(Stranger::Unknown)?;
        if shown.len() > CHAIN_MAX {
            return Err(Stranger::Untrusted);
        }
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let vouched = self.0.verify_client_cert(own, above, now);
        vouched.map(drop).map_err(|error| match error {
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Stranger::Untimely,
            _ => Stranger::Untrusted,
        })
    }

    fn subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }
}

/// Asks every peer for a certificate, if it has one of these issuers.
#[derive(Debug)]
pub(super) struct Asking {
    subjects: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Asking {
    pub(super) fn for_one_of(issuers: &[Issuers]) -> Self {
        let mut subjects: Vec<_> = issuers.iter().flat_map(Issuers::subjects).cloned().collect();
        subjects.dedup_by(|one, other| one.as_ref() == other.as_ref());
        Self { subjects, algorithms: provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
