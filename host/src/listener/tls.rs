//! TLS on a port: its certificate and key, and how a peer agrees on it.
//!
//! TLS 1.2 and 1.3 and nothing older, without data before the handshake, which anybody who has
//! recorded it could send again. Where the contents of the files are from is not known here. Never
//! says anything of a key.

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::issuers::{Asking, Issuers};
use super::stream::Stream;

/// What is spoken where the peer chooses nothing, and what else it may choose.
const HTTP_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";

/// The certificate of a port, and the key that belongs to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    http2: Option<NonZeroU32>,
}

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
    /// From two files in PEM. A file may have both, and anything else. Peers are asked for a
    /// certificate of one of these issuers, if there are any. Over HTTP/2 a connection may have so
    /// many requests at a time; without a number there is no HTTP/2.
    pub(crate) fn new(
        certificate: &[u8],
        key: &[u8],
        issuers: &[Issuers],
        http2: Option<NonZeroU32>,
    ) -> Result<Self, TlsError> {
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has ciphers for both");
        let builder = match issuers {
            [] => builder.with_no_client_auth(),
            _ => builder.with_client_cert_verifier(Arc::new(Asking::for_one_of(issuers))),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
            rustls::Error::InvalidCertificate(_) => TlsError::Certificate,
            _ => TlsError::Key,
        })?;
        let protocols = http2.map(|_| HTTP_2).into_iter().chain([HTTP_1]);
        config.alpn_protocols = protocols.map(<[u8]>::to_vec).collect();
        Ok(Self { config: Arc::new(config), http2 })
    }

    /// Agrees on TLS with the peer. Waits for it for as long as it takes.
    pub(super) async fn accept(&self, stream: Stream) -> io::Result<Box<TlsStream<Stream>>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await.map(Box::new)
    }

    /// How many requests a connection may have at a time over HTTP/2, if the peer chose that.
    pub(super) fn http2(&self, stream: &TlsStream<Stream>) -> Option<NonZeroU32> {
        let (_, session) = stream.get_ref();
        self.http2.filter(|_| session.alpn_protocol() == Some(HTTP_2))
    }
}
