//! A client for what the operator asks on the command line, which may go anywhere.
//!
//! It trusts whom the system trusts, and the gateway beside it by its very certificate. No delivery
//! goes through it, and it never reads a file.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::SetupError;
use super::identity::{Authorities, trusting};
use super::pinned::Pinned;

/// A client for what the operator asks on the command line, which may go anywhere. No delivery goes
/// through it.
pub fn operator_client() -> Result<reqwest::Client, SetupError> {
    operator_client_of(None, None)
}

/// The same, which also trusts the server that has the first certificate of this text in PEM, and
/// goes over this socket in the file system.
pub(crate) fn operator_client_of(
    pem: Option<&[u8]>,
    socket: Option<&Path>,
) -> Result<reqwest::Client, SetupError> {
    let certificate = pem.and_then(|pem| CertificateDer::from_pem_slice(pem).ok());
    let tls = certificate.map_or_else(|| trusting(Authorities::default()), pinned)?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    let client = match socket {
        Some(path) => client.unix_socket(path),
        None => client,
    };
    Ok(client.build()?)
}

/// TLS with a server that has this certificate, or one that the system trusts.
fn pinned(certificate: CertificateDer<'static>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pinned = Pinned::new(certificate, Arc::clone(&provider))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned))
        .with_no_client_auth())
}
