//! Chains of certificates in requests, and whether a root vouches for them.
//!
//! For tests only: the gateway has code of its own. A test has no platform, so its roots stand in
//! for those of the platform.

use std::time::Duration;

use pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::der;
use crate::claims::{Chain, Root};
use crate::event::Timestamp;
use crate::provider::ProviderInfo;

/// The roots of a provider, and those that the operator pins: secrets that are certificates.
pub(super) fn roots(info: &ProviderInfo, secrets: &[&str]) -> Vec<Vec<u8>> {
    let pinned = secrets.iter().filter_map(|secret| der::pem(secret, "CERTIFICATE"));
    info.roots.iter().cloned().chain(pinned).collect()
}

/// The public key of the first certificate, if the chain leads to a root and has its extensions.
pub(super) fn key(chain: &Chain, roots: &[Vec<u8>], now: Timestamp) -> Option<Vec<u8>> {
    let certificates: Vec<CertificateDer<'_>> =
        chain.certificates.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let (leaf, above) = certificates.split_first()?;
    if !is_in_order(&chain.certificates) {
        return None;
    }
    let trusted: Vec<CertificateDer<'_>> =
        roots.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let anchors: Vec<TrustAnchor<'_>> =
        trusted.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok()).collect();
    let end = EndEntityCert::try_from(leaf).ok()?;
    let time =
        UnixTime::since_unix_epoch(Duration::from_millis(chain.valid_at.unwrap_or(now).min(now)));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let path =
        end.verify_for_usage(algorithms, &anchors, above, time, AnyUsage, None, None).ok()?;
    if let Root::Platform(name) = &chain.root {
        let name = ServerName::try_from(name.as_str()).ok()?;
        end.verify_is_valid_for_subject_name(&name).ok()?;
    }
    let last = path.intermediate_certificates().count();
    for extension in &chain.extensions {
        let place = usize::try_from(extension.certificate).ok()?;
        let certificate = chain.certificates.get(place)?;
        let is_on_path = place <= last || roots.contains(certificate);
        if !is_on_path || !der::has_extension(certificate, &extension.oid) {
            return None;
        }
    }
    der::key_of_certificate(leaf)
}

/// Whether each certificate is followed by that of its issuer, and no two have one subject.
fn is_in_order(certificates: &[Vec<u8>]) -> bool {
    let names = certificates.iter().map(|der| der::names_of_certificate(der));
    let Some(names) = names.collect::<Option<Vec<_>>>() else { return false };
    let mut subjects: Vec<&[u8]> = names.iter().map(|(_, subject)| *subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    names.windows(2).all(|pair| pair[0].0 == pair[1].1) && subjects.len() == names.len()
}

/// Certificates that sign webhooks are for no usage that others know.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
