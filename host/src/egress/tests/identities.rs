//! Whom a connection trusts and as whom it shows itself, against a server with a certificate of an
//! authority that no system knows.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::secrets::Secret;

const CA: &str = include_str!("../fixtures/ca.pem");
const OTHER_CA: &str = include_str!("../fixtures/other.pem");
const SERVER: &str = include_str!("../fixtures/server.pem");
const SERVER_KEY: &str = include_str!("../fixtures/server.key");
const CLIENT: &str = include_str!("../fixtures/client.pem");
const CLIENT_KEY: &str = include_str!("../fixtures/client.key");

/// TLS as the server of `localhost`, which asks for a certificate and does without one, and speaks
/// the first of these protocols that the other side does.
pub(super) fn acceptor(protocols: &[&[u8]]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CA.as_bytes()).unwrap()).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).unwrap();
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.allow_unauthenticated().build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(tls))
}

/// A listener, and the URL that leads to it over TLS.
pub(super) async fn secure_listener() -> (TcpListener, Url) {
    let (listener, mut url) = listener().await;
    url.set_scheme("https").unwrap();
    (listener, url)
}

/// Answers every request over HTTP/1.1 with who asks, and counts the connections.
async fn serve(listener: TcpListener, connections: Arc<AtomicUsize>) {
    let acceptor = acceptor(&[]);
    let mut serving = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, Ordering::SeqCst);
        let acceptor = acceptor.clone();
        serving.spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let is_known = stream.get_ref().1.peer_certificates().is_some();
            let who = if is_known { "shop" } else { "none" };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{who}");
            loop {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n{}") {
                    match stream.read_buf(&mut request).await {
                        Ok(read) if read > 0 => (),
                        _ => return,
                    }
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}

/// Posts as somebody.
pub(super) async fn post_as(identity: &Identity, egress: &Egress, url: &Url) -> Attempted {
    let connect_timeout = PATIENCE;
    let terms = Terms { identity, connect_timeout, body_excerpt: EXCERPT_BYTES_MAX };
    let target = Target::new(url.clone());
    egress.post(&target, terms, Vec::new(), "{}".into(), Patience::of(PATIENCE)).await
}

/// What the server says, or as what the request failed.
async fn said(identity: &Identity, egress: &Egress, url: &Url) -> String {
    match post_as(identity, egress, url).await.ended {
        Ok(answer) => answer.excerpt,
        Err(error) => error.label().to_owned(),
    }
}

pub(super) fn trusting_ca() -> Identity {
    Identity::new(CA.as_bytes(), None).unwrap()
}

/// Take out `set_certificate_verifier` in `Own::tls`: nobody trusts the server.
#[tokio::test]
async fn an_endpoint_with_an_authority_trusts_it_and_nobody_else() {
    let (listener, url) = secure_listener().await;
    let mut server = JoinSet::new();
    server.spawn(serve(listener, Arc::default()));
    let egress = to_loopback();

    assert_eq!(said(&Identity::system(), &egress, &url).await, "tls");
    assert_eq!(said(&trusting_ca(), &egress, &url).await, "none");
    let other = Identity::new(OTHER_CA.as_bytes(), None).unwrap();
    assert_eq!(said(&other, &egress, &url).await, "tls");
}

/// Give `trusting` no authorities in `Way::new`: nobody trusts the server.
#[tokio::test]
async fn an_authority_of_the_operator_counts_for_all_until_it_is_taken_away() {
    let (listener, url) = secure_listener().await;
    let mut server = JoinSet::new();
    server.spawn(serve(listener, Arc::default()));
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let mut ca = Authorities::default();
    ca.add(CA.as_bytes()).unwrap();
    let config = Config { allow: allow.clone(), ca, ..Config::default() };
    let egress = Egress::new(config, Clock::manual(NOW)).unwrap();

    assert_eq!(said(&Identity::system(), &egress, &url).await, "none");
    let client = Secret::new(CLIENT_KEY).unwrap();
    let shop = Identity::new(b"", Some((CLIENT.as_bytes(), &client))).unwrap();
    assert_eq!(said(&shop, &egress, &url).await, "shop");
    let other = Identity::new(OTHER_CA.as_bytes(), None).unwrap();
    assert_eq!(said(&other, &egress, &url).await, "tls", "it has its own");

    egress.reload(Config { allow, ..Config::default() }).unwrap();
    assert_eq!(said(&Identity::system(), &egress, &url).await, "tls");
    assert_eq!(said(&shop, &egress, &url).await, "tls", "also for who made its TLS before");
}

/// Have all identities be equal: the second is taken for the first.
#[tokio::test]
async fn an_endpoint_sends_over_no_connection_with_the_certificate_of_another() {
    let (listener, url) = secure_listener().await;
    let connections = Arc::<AtomicUsize>::default();
    let mut server = JoinSet::new();
    server.spawn(serve(listener, Arc::clone(&connections)));
    let egress = to_loopback();
    let key = Secret::new(CLIENT_KEY).unwrap();
    let shop = Identity::new(CA.as_bytes(), Some((CLIENT.as_bytes(), &key))).unwrap();
    let nobody = trusting_ca();

    for _ in 0..3 {
        assert_eq!(said(&shop, &egress, &url).await, "shop");
        assert_eq!(said(&nobody, &egress, &url).await, "none");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2, "each has one, and uses it again");
}

#[test]
fn what_is_wrong_with_certificates_and_keys_is_said_and_no_key_is_shown() {
    let wrong = |ca: &str, client: Option<(&str, &str)>| {
        let client = client.map(|(chain, key)| (chain, Secret::new(key).unwrap()));
        let client = client.as_ref().map(|(chain, key)| (chain.as_bytes(), key));
        Identity::new(ca.as_bytes(), client).unwrap_err()
    };
    assert_eq!(wrong("text", None), "no certificates in PEM");
    assert_eq!(wrong(SERVER_KEY, None), "no certificates in PEM");
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(wrong(empty, None), "a certificate that can't be an authority's");
    assert_eq!(wrong("", Some((CLIENT, "text"))), "no private key in PEM");
    let other = "a key that is not that of the certificate";
    assert_eq!(wrong("", Some((CLIENT, SERVER_KEY))), other);
    assert_eq!(Identity::new(b"", None).unwrap(), Identity::system());
    let key = Secret::new(CLIENT_KEY).unwrap();
    let shop = Identity::new(b"", Some((CLIENT.as_bytes(), &key))).unwrap();
    assert_eq!(format!("{shop:?}"), "Identity(own)");
    assert_eq!(shop, shop.clone());
    assert_ne!(shop, Identity::new(b"", Some((CLIENT.as_bytes(), &key))).unwrap());
}
