//! TLS on a port: its certificate and key, and how a peer agrees on it.
//!
//! TLS 1.2 and 1.3 and nothing older, without data before the handshake, which anybody who has
//! recorded it could send again. Where the contents of the files are from is not known here. Never
//! says anything of a key.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::stream::Stream;

/// The certificate of a port, and the key that belongs to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// What is wrong with a certificate or with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsError {
    /// There is none, or it can't be read.
    #[error(
        "must name a file with certificates in PEM: first that of this port, then those that \
         issued it"
    )]
    Certificate,
    /// There is none, or it is encrypted.
    #[error("must name a file with a private key in PEM, not encrypted")]
    NoKey,
    /// It can't be read, or is of another kind.
    #[error(
        "names a file with a key that the gateway can't use: make one for RSA with 2048 to 8192 \
         bits, ECDSA with P-256 or P-384, or Ed25519"
    )]
    Key,
    /// Two that do not belong together.
    #[error("names a file with a key that does not belong to `certificate`")]
    Mismatch,
}

impl TlsError {
    /// Whether the key is what is wrong, and not the certificate.
    pub(crate) fn is_about_key(self) -> bool {
        self != Self::Certificate
    }
}

impl Tls {
    /// From two files in PEM. A file may have both, and anything else.
    pub(crate) fn new(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has ciphers for both")
            .with_no_client_auth();
        let config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
            rustls::Error::InvalidCertificate(_) => TlsError::Certificate,
            _ => TlsError::Key,
        })?;
        Ok(Self::of(config))
    }

    fn of(mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    /// Agrees on TLS with the peer. Waits for it for as long as it takes.
    pub(super) async fn accept(&self, stream: Stream) -> io::Result<TlsStream<Stream>> {
        TlsAcceptor::from(Arc::clone(&self.0)).accept(stream).await
    }
}
