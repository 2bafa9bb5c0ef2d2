//! Why TLS was not agreed on, in words that operators look up.
//!
//! Stands behind the host and port in an error. Never repeats the words of the library, which are
//! names of its code.

use std::borrow::Cow;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription as Alert, CertificateError, Error};

use crate::event::Timestamp;

/// Most names of a certificate that are said; it may have hundreds.
const NAMES_SAID: usize = 3;

/// What the library says of a certificate of an authority in the place of a server's; it has no
/// case for it.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// What is wrong.
pub(super) fn reason(error: &Error) -> String {
    let plain = match error {
        Error::InvalidCertificate(certificate) => {
            return about_certificate(certificate).into_owned();
        }
        Error::NoCertificatesPresented => "the peer sent no certificate",
        Error::InvalidMessage(_) => "the peer does not speak TLS",
        Error::PeerIncompatible(_) => NOTHING_IN_COMMON,
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => "the peer broke the TLS protocol",
        Error::AlertReceived(alert) => return about_alert(*alert),
        _ => "TLS failed within the gateway",
    };
    plain.to_owned()
}

const NOTHING_IN_COMMON: &str =
    "the peer supports neither TLS 1.2 nor TLS 1.3 with a cipher that the gateway supports";

fn about_certificate(error: &CertificateError) -> Cow<'static, str> {
    use CertificateError as Certificate;

    match error {
        Certificate::ExpiredContext { not_after, .. } => {
            format!("the certificate has expired (since {})", moment(*not_after)).into()
        }
        Certificate::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid yet (not before {})", moment(*not_before)).into()
        }
        Certificate::NotValidForNameContext { expected, presented } => {
            about_names(expected, presented).into()
        }
        plain => about_plainly(plain).into(),
    }
}

fn moment(time: UnixTime) -> Timestamp {
    Timestamp(time.as_secs().saturating_mul(1_000))
}

fn about_names(expected: &ServerName<'_>, presented: &[String]) -> String {
    // The library says what kind of name each is: `DnsName("a.example")`.
    let bare = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        format!("`{}`", inner.unwrap_or(name).trim_matches('"'))
    };
    let mut names: Vec<String> = presented.iter().take(NAMES_SAID).map(bare).collect();
    match presented.len() - names.len() {
        0 => (),
        more => names.push(format!("{more} more")),
    }
    let names = if names.is_empty() { "no host name".to_owned() } else { names.join(", ") };
    format!("the certificate is for {names}, not for `{}`", expected.to_str())
}

fn about_plainly(error: &CertificateError) -> &'static str {
    use CertificateError as Certificate;

    match error {
        Certificate::Expired => "the certificate has expired",
        Certificate::NotValidYet => "the certificate is not valid yet",
        Certificate::NotValidForName => "the certificate is for another host name",
        Certificate::UnknownIssuer => {
            "this system does not know the issuer of the certificate (the certificate is \
             self-signed, or the peer does not send the intermediate certificates)"
        }
        Certificate::Other(other) if other.to_string() == CA_AS_SERVER => {
            "the certificate is that of a certificate authority, not of a server"
        }
        Certificate::Revoked => "the issuer has revoked the certificate",
        Certificate::UnknownRevocationStatus
        | Certificate::ExpiredRevocationList
        | Certificate::ExpiredRevocationListContext { .. }
        | Certificate::InvalidOcspResponse => "the revocation status of the certificate is unknown",
        Certificate::BadSignature => "the signature of the certificate is wrong",
        Certificate::UnsupportedSignatureAlgorithmContext { .. }
        | Certificate::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is signed with an algorithm that the gateway does not support"
        }
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            "the certificate is not for servers"
        }
        Certificate::UnhandledCriticalExtension => {
            "the certificate has a critical extension that the gateway does not support"
        }
        Certificate::BadEncoding => "the certificate is malformed",
        _ => "the certificate is not valid",
    }
}

fn about_alert(alert: Alert) -> String {
    let plain = match alert {
        Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => {
            NOTHING_IN_COMMON
        }
        Alert::UnrecognisedName => "the peer does not know this host name",
        Alert::CertificateRequired | Alert::NoCertificate => {
            "the peer asks for a client certificate, and the gateway has none"
        }
        Alert::AccessDenied => "the peer denies access",
        Alert::InternalError => "the peer has an internal error",
        other => return format!("the peer refused with TLS alert {}", u8::from(other)),
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{OtherError, PeerIncompatible, PeerMisbehaved};

    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_plainly() {
        let said = |error| reason(&Error::InvalidCertificate(error));
        assert_eq!(said(CertificateError::Expired), "the certificate has expired");
        let other = "the certificate is for another host name";
        assert_eq!(said(CertificateError::NotValidForName), other);
        let unknown = "this system does not know the issuer of the certificate (";
        assert!(said(CertificateError::UnknownIssuer).starts_with(unknown));
        let authority = OtherError(Arc::new(std::io::Error::other(CA_AS_SERVER)));
        assert_eq!(
            said(CertificateError::Other(authority)),
            "the certificate is that of a certificate authority, not of a server"
        );
    }

    #[test]
    fn a_certificate_is_named_with_its_times_and_names() {
        let said = |error| reason(&Error::InvalidCertificate(error));
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let (time, not_after, not_before) =
            (at(1_800_000_000), at(1_700_000_000), at(1_900_000_000));
        let expired = said(CertificateError::ExpiredContext { time, not_after });
        assert_eq!(expired, "the certificate has expired (since 2023-11-14T22:13:20.000Z)");
        let early = said(CertificateError::NotValidYetContext { time, not_before });
        assert_eq!(early, "the certificate is not valid yet (not before 2030-03-17T17:46:40.000Z)");

        let named = |names: &[&str]| {
            let expected = ServerName::try_from("b.example").unwrap().to_owned();
            let presented = names.iter().map(|name| (*name).to_owned()).collect();
            said(CertificateError::NotValidForNameContext { expected, presented })
        };
        let expected = "the certificate is for `a.example`, not for `b.example`";
        assert_eq!(named(&["DnsName(\"a.example\")"]), expected);
        assert_eq!(named(&[]), "the certificate is for no host name, not for `b.example`");
        let expected = "the certificate is for `a`, `192.0.2.1`, `c`, 2 more, not for `b.example`";
        assert_eq!(named(&["a", "IpAddress(192.0.2.1)", "c", "d", "e"]), expected);
    }

    #[test]
    fn no_reason_is_in_the_words_of_the_library() {
        let other = || OtherError(Arc::new(std::io::Error::other("InnerDetail")));
        let errors = [
            Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
            Error::InvalidCertificate(CertificateError::Other(other())),
            Error::Other(other()),
            Error::General("InnerDetail".to_owned()),
            Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
            Error::PeerMisbehaved(PeerMisbehaved::UnsolicitedEchExtension),
            Error::AlertReceived(Alert::HandshakeFailure),
            Error::AlertReceived(Alert::UnknownCA),
            Error::DecryptError,
        ];
        for error in errors {
            let said = reason(&error);
            let is_of_code = |word: &str| {
                let inner = word.get(1..).unwrap_or_default();
                inner.contains(char::is_uppercase) && word.contains(char::is_lowercase)
            };
            assert!(!said.split_whitespace().any(is_of_code), "{error:?}: {said}");
        }
        let alert = reason(&Error::AlertReceived(Alert::UnknownCA));
        assert_eq!(alert, "the peer refused with TLS alert 48");
    }
}
