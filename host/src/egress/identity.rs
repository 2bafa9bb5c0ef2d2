//! Whom a connection trusts, and as whom it shows itself.
//!
//! Made once for an endpoint, and shared by all its connections. An endpoint with an authority of
//! its own trusts nobody else: whoever the system trusts besides can't stand in for it. Never opens
//! a connection, and never shows a key.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::lock::lock;
use crate::secrets::Secret;

/// Sessions that one identity may resume. It is for one endpoint, and there may be many.
const SESSIONS: usize = 8;

/// Which certificates count at the other side, and which the gateway shows there. Equal to its
/// clones, and to no other that was made of the same.
#[derive(Clone, Default)]
pub(crate) struct Identity(Option<Arc<Own>>);

/// What an identity has in place of the gateway's.
struct Own {
    trusts: Option<Arc<dyn ServerCertVerifier>>,
    shows: Option<Arc<dyn ResolvesClientCert>>,
    /// What TLS goes by, and that of the gateway that it was made of.
    made: Mutex<Option<(Arc<ClientConfig>, Arc<ClientConfig>)>>,
}

/// Those who issue certificates that count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Authorities(Vec<CertificateDer<'static>>);

impl Identity {
    /// The authorities that the gateway trusts, and nothing to show.
    pub(crate) fn system() -> Self {
        Self::default()
    }

    /// Trusts these authorities in place of the gateway's, where there are any, and shows this
    /// chain of certificates with its key; all in PEM. Or says what is wrong with them.
    pub(crate) fn new(ca: &[u8], client: Option<(&[u8], &Secret)>) -> Result<Self, String> {
        let provider = provider();
        let trusts = match ca {
            [] => None,
            pem => Some(only(pem, &provider)?),
        };
        let shows = client.map(|(chain, key)| shown(chain, key, &provider)).transpose()?;
        if trusts.is_none() && shows.is_none() {
            return Ok(Self::system());
        }
        Ok(Self(Some(Arc::new(Own { trusts, shows, made: Mutex::default() }))))
    }

    /// What TLS goes by, where the gateway's is this.
    pub(super) fn tls(&self, system: &Arc<ClientConfig>) -> Arc<ClientConfig> {
        match &self.0 {
            None => Arc::clone(system),
            Some(own) => own.tls(system),
        }
    }

    fn address(&self) -> usize {
        self.0.as_ref().map_or(0, |own| Arc::as_ptr(own).addr())
    }
}

impl Own {
    fn tls(&self, system: &Arc<ClientConfig>) -> Arc<ClientConfig> {
        let mut made = lock(&self.made);
        if let Some((of, tls)) = &*made
            && Arc::ptr_eq(of, system)
        {
            return Arc::clone(tls);
        }
        let mut tls = ClientConfig::clone(system);
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        if let Some(trusts) = &self.trusts {
            tls.dangerous().set_certificate_verifier(Arc::clone(trusts));
        }
        if let Some(shows) = &self.shows {
            tls.client_auth_cert_resolver = Arc::clone(shows);
        }
        let tls = Arc::new(tls);
        *made = Some((Arc::clone(system), Arc::clone(&tls)));
        tls
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.address() == other.address()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.address());
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Identity(own)" } else { "Identity(system)" })
    }
}

/// TLS that trusts whom the system trusts, and these authorities besides, and shows nothing.
pub(super) fn trusting(more: Authorities) -> Result<ClientConfig, Error> {
    let provider = provider();
    let verifier = Verifier::new_with_extra_roots(more.0, Arc::clone(&provider))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

impl Authorities {
    /// Adds those of a text in PEM, which has one at least.
    pub(crate) fn add(&mut self, pem: &[u8]) -> Result<(), String> {
        let read = chain(pem)?;
        let mut roots = RootCertStore::empty();
        for certificate in &read {
            let added = roots.add(certificate.clone());
            added.map_err(|_| "a certificate that can't be an authority's".to_owned())?;
        }
        self.0.extend(read);
        Ok(())
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(pem).collect();
    read.ok().filter(|read| !read.is_empty()).ok_or_else(|| "no certificates in PEM".to_owned())
}

/// Trusts the authorities in a text in PEM, and nobody else.
fn only(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let mut authorities = Authorities::default();
    authorities.add(pem)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.0);
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    match verifier {
        Ok(verifier) => Ok(verifier),
        Err(_) => Err("no certificates of authorities".to_owned()),
    }
}

fn shown(
    pem: &[u8],
    key: &Secret,
    provider: &CryptoProvider,
) -> Result<Arc<dyn ResolvesClientCert>, String> {
    let chain = chain(pem)?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| "no private key in PEM".to_owned())?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => "a key that is not that of the certificate".to_owned(),
        _ => "a certificate or a key that TLS can't use".to_owned(),
    })?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
