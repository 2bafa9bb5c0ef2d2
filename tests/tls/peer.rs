//! A peer that speaks TLS with a gateway, as a test wants it to.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Authority, Identity};

/// How a peer speaks TLS.
#[derive(Clone)]
pub(super) struct Peer(ClientConfig);

impl Peer {
    /// One that trusts these, and asks for no protocol.
    pub(super) fn trusting(authorities: &[&Authority]) -> Self {
        Self::speaking(rustls::ALL_VERSIONS, authorities, None)
    }

    /// The same, with a certificate of its own.
    pub(super) fn known_by(identity: &Identity, authorities: &[&Authority]) -> Self {
        Self::speaking(rustls::ALL_VERSIONS, authorities, Some(identity))
    }

    /// The same in these versions only.
    pub(super) fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        authorities: &[&Authority],
        identity: Option<&Identity>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            let root = CertificateDer::from(authority.der().to_vec());
            roots.add(root).expect("it is a certificate");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("there are ciphers for them")
            .with_root_certificates(roots);
        let Some(identity) = identity else { return Self(config.with_no_client_auth()) };
        let chain = vec![CertificateDer::from(identity.certificate.clone())];
        let key = PrivatePkcs8KeyDer::from(identity.key.clone()).into();
        Self(config.with_client_auth_cert(chain, key).expect("they belong together"))
    }

    /// One that asks for these protocols.
    pub(super) fn asking_for(mut self, protocols: &[&str]) -> Self {
        self.0.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// One that agrees on everything anew with each connection, and resumes nothing.
    pub(super) fn anew(mut self) -> Self {
        self.0.resumption = Resumption::disabled();
        self
    }

    /// The same as a client with a pool.
    pub(super) fn client(&self) -> reqwest::Client {
        let client = reqwest::Client::builder().tls_backend_preconfigured(self.0.clone());
        client.no_proxy().build().expect("it is a client")
    }

    /// Connects to a port, whatever scheme its URL has, and agrees on TLS.
    pub(super) async fn connect(&self, url: &str) -> io::Result<TlsStream<TcpStream>> {
        self.agree(TcpStream::connect(address(url)).await?).await
    }

    /// Agrees on TLS over what is open already.
    pub(super) async fn agree(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").expect("it is a name");
        TlsConnector::from(Arc::new(self.0.clone())).connect(name, stream).await
    }
}

/// The address in the URL of a port.
pub(super) fn address(url: &str) -> &str {
    url.split_once("://").expect("it is a URL").1
}

/// The certificate of the other side.
pub(super) fn certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let (_, session) = stream.get_ref();
    session.peer_certificates().expect("a server has one")[0].to_vec()
}
