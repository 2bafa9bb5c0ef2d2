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
    operator_client_of(Trust::System, None)
}

/// Whose certificates count for an operator's client.
#[derive(Debug, Clone)]
pub(crate) enum Trust<'p> {
    /// Those that the system trusts.
    System,
    /// And the server that has the first certificate of this text in PEM, if it has one.
    Pinned(&'p [u8]),
    /// And those of these authorities.
    Besides(Authorities),
}

/// The same, with this trust, and over this socket in the file system.
pub(crate) fn operator_client_of(
    trust: Trust<'_>,
    socket: Option<&Path>,
) -> Result<reqwest::Client, SetupError> {
    let tls = match trust {
        Trust::System => trusting(Authorities::default()),
        Trust::Besides(authorities) => trusting(authorities),
        Trust::Pinned(pem) => match CertificateDer::from_pem_slice(pem) {
            Ok(certificate) => pinned(certificate),
            Err(_) => trusting(Authorities::default()),
        },
    }?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    let client = match socket {
        Some(path) => client.unix_socket(path),
        None => client,
    };
    Ok(client.build()?)
}

/// The same, for the URL that somebody forwards events to: it follows no redirect.
pub(crate) fn forwarding_client() -> Result<reqwest::Client, SetupError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(trusting(Authorities::default())?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
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
