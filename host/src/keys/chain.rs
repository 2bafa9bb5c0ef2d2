//! Certificates that came with a request, and whether a root vouches for them.
//!
//! A pinned root is one that the plugin or the operator names, so that no sender can bring its own;
//! what the certificates are for is said by the extensions that they must have. Anybody can send a
//! chain, so it must be one: where each certificate names the next, and no two have one name, there
//! is one path to try, and not thousands. Never fetches anything: a certificate that is missing in
//! the chain makes it one that leads nowhere.

use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::KeyError;
use super::certificate::Trust;
use crate::event::Timestamp;
use crate::provider::{Chain, Extension, Root};
use crate::signature::der::Certificate;

/// A root that the operator pins: a text that is a certificate in PEM.
pub(super) fn root(text: &str) -> Option<Vec<u8>> {
    let is_certificate = text.trim_start().starts_with("-----BEGIN CERTIFICATE");
    let read = is_certificate.then(|| CertificateDer::from_pem_slice(text.as_bytes()).ok());
    read.flatten().map(|root| root.to_vec())
}

/// The `SubjectPublicKeyInfo` of the first certificate, if one of the roots vouches for it, or the
/// platform does. Without a platform the roots stand in for it.
pub(super) fn check(
    chain: &Chain,
    roots: &[Vec<u8>],
    platform: Option<&Trust>,
    now: Timestamp,
) -> Result<Vec<u8>, KeyError> {
    let certificates = chain.certificates.iter();
    let certificates: Vec<_> =
        certificates.map(|der| CertificateDer::from(der.as_slice())).collect();
    let (leaf, above) =
        certificates.split_first().ok_or_else(|| untrusted("the chain is empty"))?;
    let read = in_order(&certificates)?;
    // Nobody signs in the future.
    let at = chain.valid_at.map_or(now, |at| at.min(now));
    let name = match &chain.root {
        Root::Pinned => None,
        Root::Platform(name) => {
            let name = ServerName::try_from(name.as_str());
            Some(name.map_err(|_| untrusted("the plugin names no DNS name"))?)
        }
    };
    let last = match (name, platform) {
        (Some(name), Some(trust)) => {
            trust.check(leaf, above, &name, at)?;
            // Which of the others it needed is not known.
            0
        }
        (name, _) => leads_to_root(leaf, above, roots, name.as_ref(), at)?,
    };
    for Extension { certificate: place, oid } in &chain.extensions {
        let is_root = chain.certificates.get(*place).is_some_and(|der| roots.contains(der));
        let is_marked = read.get(*place).is_some_and(|read| read.has_extension(oid));
        if !is_marked || !(*place <= last || is_root) {
            return Err(untrusted("it does not have an extension that it must have"));
        }
    }
    Ok(read[0].key.to_vec())
}

/// Reads certificates that each name the next one as their issuer, and each another subject: then
/// there is one path to a root. Of those that all have one name there are thousands, and to look
/// for one that leads to a root would take minutes.
fn in_order<'a>(certificates: &'a [CertificateDer<'_>]) -> Result<Vec<Certificate<'a>>, KeyError> {
    let read: Option<Vec<_>> = certificates.iter().map(|der| Certificate::read(der)).collect();
    let read = read.ok_or_else(|| untrusted("it is not X.509"))?;
    let is_next = |pair: &[Certificate<'_>]| pair[0].issuer == pair[1].subject;
    let is_new = |at: usize| read[..at].iter().all(|before| before.subject != read[at].subject);
    if read.windows(2).all(is_next) && (0..read.len()).all(is_new) {
        Ok(read)
    } else {
        Err(untrusted("the certificates are not in the order in which they were issued"))
    }
}

/// The place of the last certificate on the path to a root.
fn leads_to_root(
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    roots: &[Vec<u8>],
    name: Option<&ServerName<'_>>,
    at: Timestamp,
) -> Result<usize, KeyError> {
    let roots: Vec<_> = roots.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let anchors = roots.iter().filter_map(|root| webpki::anchor_from_trusted_cert(root).ok());
    let anchors: Vec<TrustAnchor<'_>> = anchors.collect();
    let refused = |error: webpki::Error| KeyError::Untrusted(error.to_string());
    let end = EndEntityCert::try_from(leaf).map_err(refused)?;
    let time = UnixTime::since_unix_epoch(Duration::from_millis(at.0));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let path = end
        .verify_for_usage(algorithms, &anchors, above, time, AnyUsage, None, None)
        .map_err(refused)?;
    if let Some(name) = name {
        end.verify_is_valid_for_subject_name(name).map_err(refused)?;
    }
    // No two have one name, so these are the first of those above the leaf.
    Ok(path.intermediate_certificates().count())
}

fn untrusted(why: &str) -> KeyError {
    KeyError::Untrusted(why.to_owned())
}

/// Certificates that sign webhooks are for no usage that others know: their extensions say what
/// they are for.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::der;

    /// 2026, when the certificates of the tests count.
    const NOW: Timestamp = Timestamp(1_767_225_600_000);
    const ROOT: &str = include_str!("fixtures/root.pem");
    const LEAF: &str = include_str!("fixtures/leaf.pem");
    const ALTERNATIVE_NAMES: &str = "2.5.29.17";

    fn chain() -> Chain {
        Chain {
            certificates: vec![root(LEAF).unwrap()],
            root: Root::Pinned,
            extensions: Vec::new(),
            valid_at: None,
        }
    }

    fn pinned(chain: &Chain) -> Result<Vec<u8>, KeyError> {
        check(chain, &[root(ROOT).unwrap()], None, NOW)
    }

    fn extension(certificate: usize, oid: &str) -> Vec<Extension> {
        vec![Extension { certificate, oid: der::oid(oid).unwrap() }]
    }

    #[test]
    fn a_chain_to_a_pinned_root_gives_the_key_of_its_first_certificate() {
        let key = pinned(&chain()).unwrap();
        assert_eq!(key, Certificate::read(&root(LEAF).unwrap()).unwrap().key);
        let with_root =
            Chain { certificates: vec![root(LEAF).unwrap(), root(ROOT).unwrap()], ..chain() };
        assert_eq!(pinned(&with_root), Ok(key.clone()));
        let marked = Chain { extensions: extension(0, ALTERNATIVE_NAMES), ..chain() };
        assert_eq!(pinned(&marked), Ok(key.clone()));
        let named = Chain { root: Root::Platform("certs.pay.example".to_owned()), ..chain() };
        assert_eq!(pinned(&named), Ok(key));
    }

    #[test]
    fn a_chain_that_leads_elsewhere_gives_no_key() {
        let is_refused = |chain: &Chain, roots: &[Vec<u8>], now: Timestamp| {
            matches!(check(chain, roots, None, now), Err(KeyError::Untrusted(_)))
        };
        let roots = [root(ROOT).unwrap()];
        assert!(is_refused(&chain(), &[], NOW), "no root");
        assert!(is_refused(&chain(), &[root(LEAF).unwrap()], NOW), "another root");
        assert!(is_refused(&chain(), &[b"root".to_vec()], NOW), "a root that is none");
        let years = |years: u64| Timestamp(NOW.0 + years * 366 * 86_400_000);
        assert!(is_refused(&chain(), &roots, years(20)), "expired");
        assert!(is_refused(&chain(), &roots, Timestamp(0)), "not valid yet");
        let changed = |change: &dyn Fn(&mut Chain)| {
            let mut chain = chain();
            change(&mut chain);
            is_refused(&chain, &roots, NOW)
        };
        assert!(changed(&|it| it.certificates.clear()), "no certificate");
        assert!(changed(&|it| it.certificates = vec![root(ROOT).unwrap()]), "the root alone");
        assert!(changed(&|it| it.certificates[0].truncate(100)), "half a certificate");
        assert!(changed(&|it| *it.certificates[0].last_mut().unwrap() ^= 1), "another signature");
        assert!(changed(&|it| it.certificates[0][60] ^= 1), "another name");
        assert!(
            changed(&|it| it.extensions = extension(0, "1.2.840.113635.100.6.11.1")),
            "no mark"
        );
        assert!(changed(&|it| it.extensions = extension(1, ALTERNATIVE_NAMES)), "no such place");
        let other = || Root::Platform("pay.example".to_owned());
        assert!(changed(&|it| it.root = other()), "another name");
        assert!(changed(&|it| it.root = Root::Platform("a b".to_owned())), "no name");
    }

    /// The certificates of `chains.pem`, all of elliptic curves: a root, two that it issued to
    /// issuers of which only the first has the mark, a leaf of each of these three, and a
    /// certificate that somebody made with the name of the root and the mark.
    fn made() -> [Vec<u8>; 7] {
        let pem = include_bytes!("fixtures/chains.pem");
        let read = CertificateDer::pem_slice_iter(pem).map(|der| der.unwrap().to_vec());
        read.collect::<Vec<_>>().try_into().unwrap()
    }

    /// Apple's mark of who may issue certificates for receipts.
    const MARK: &str = "1.2.840.113635.100.6.2.1";

    #[test]
    fn an_extension_counts_on_the_path_alone() {
        let [root, marked, plain, of_marked, of_plain, of_root, impostor] = made();
        let judged = |certificates: &[&Vec<u8>], root: &Vec<u8>| {
            let certificates = certificates.iter().map(|der| (*der).clone()).collect();
            let chain = Chain { certificates, extensions: extension(1, MARK), ..chain() };
            check(&chain, std::slice::from_ref(root), None, NOW)
        };
        assert!(judged(&[&of_marked, &marked, &root], &root).is_ok());
        assert!(judged(&[&of_marked, &marked], &root).is_ok());
        assert!(judged(&[&of_marked, &marked], &marked).is_ok(), "it is pinned itself");
        let is_refused = |certificates: &[&Vec<u8>]| {
            matches!(judged(certificates, &root), Err(KeyError::Untrusted(_)))
        };
        assert!(is_refused(&[&of_plain, &plain, &root]), "nobody on the path has it");
        assert!(is_refused(&[&of_plain, &marked, &plain]), "one beside the path has it");
        assert!(is_refused(&[&of_root, &impostor]), "one that nobody trusts has it");
        assert!(is_refused(&[&of_marked, &plain, &marked]), "one takes the place of another");
    }

    #[test]
    fn a_chain_of_certificates_with_one_name_is_refused_before_paths_are_tried() {
        let [root, marked, plain, of_marked, ..] = made();
        // A forger would have every order of them tried.
        let twice = vec![of_marked.clone(), marked.clone(), marked.clone()];
        let roots = vec![of_marked.clone(), marked.clone(), root.clone(), root.clone()];
        let above_itself = vec![marked.clone(), of_marked.clone()];
        let with_another = vec![of_marked, plain, marked, root.clone()];
        for certificates in [twice, roots, above_itself, with_another] {
            let chain = Chain { certificates, ..chain() };
            let refused = check(&chain, std::slice::from_ref(&root), None, NOW).unwrap_err();
            let reason = "the certificates are not in the order in which they were issued";
            assert_eq!(refused, KeyError::Untrusted(reason.to_owned()));
        }
    }

    #[test]
    fn the_time_of_a_chain_is_the_requests_or_an_earlier_one() {
        let at = |valid_at: u64, now: Timestamp| {
            let chain = Chain { valid_at: Some(Timestamp(valid_at)), ..chain() };
            check(&chain, &[root(ROOT).unwrap()], None, now).is_ok()
        };
        let much_later = Timestamp(NOW.0 + 20 * 366 * 86_400_000);
        assert!(at(NOW.0, much_later), "it was valid then");
        assert!(!at(much_later.0, much_later));
        assert!(at(much_later.0, NOW), "a time to come counts as now");
    }

    #[test]
    fn only_a_certificate_in_pem_is_a_root() {
        assert!(root(&format!("\n{ROOT}")).is_some());
        for text in ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nAA==", "text"]
        {
            assert_eq!(root(text), None, "{text}");
        }
    }
}
