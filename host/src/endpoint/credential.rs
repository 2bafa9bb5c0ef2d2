//! What an endpoint wants to see of whoever calls it, beside a signature: a password, a token, or
//! a header of its own.
//!
//! Pure: whether one can be sent, how it is kept, and the header that it becomes. Never quotes a
//! secret in an error.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderName;
use http::header::AUTHORIZATION;
use serde::Deserialize;

use super::secret::SecretKind;
use super::settings::{Invalid, OWN_HEADERS};
use crate::secrets::Secret;

const FIELD: &str = "credential";
const USERNAME_BYTES_MAX: usize = 256;
const SECRET_BYTES_MAX: usize = 4096;

/// A credential that nobody has checked, as JSON writes it: `{"bearer": "..."}`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RawCredential {
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password; may be empty.
        password: String,
    },
    /// A bearer token.
    Bearer(String),
    /// Another header.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

impl fmt::Debug for RawCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawCredential(..)")
    }
}

/// What goes with each delivery to one endpoint, as proof of who sends it.
#[derive(Debug, Clone)]
pub struct Credential {
    kind: SecretKind,
    /// With the user, or with the name of the header, before it and a colon between them.
    secret: Secret,
}

impl RawCredential {
    /// The credential, if it can be sent.
    pub fn check(&self) -> Result<Credential, Invalid> {
        let wrong = |detail: &str| Err(Invalid::new(FIELD, detail));
        let (kind, text) = match self {
            Self::Basic { username, password } => {
                let is_user = (1..=USERNAME_BYTES_MAX).contains(&username.len());
                if !is_user || username.contains(|c: char| c == ':' || c.is_control()) {
                    return wrong("`username` must have 1 to 256 bytes, without a colon");
                }
                if password.len() > SECRET_BYTES_MAX || password.contains(char::is_control) {
                    return wrong("`password` must have at most 4096 bytes, all of them visible");
                }
                (SecretKind::Basic, format!("{username}:{password}"))
            }
            Self::Bearer(token) => {
                if !is_visible(token) || token.contains(' ') {
                    return wrong("`bearer` must have 1 to 4096 bytes of visible ASCII, no space");
                }
                (SecretKind::Bearer, token.clone())
            }
            Self::Header { name, value } => {
                let Some(name) = header_of(name) else {
                    return wrong("`name` must be the name of a header that the endpoint reads");
                };
                if !is_visible(value) {
                    return wrong("`value` must have 1 to 4096 bytes of visible ASCII");
                }
                (SecretKind::Header, format!("{name}:{value}"))
            }
        };
        let secret = Secret::new(&text).ok_or(Invalid::new(FIELD, "must not be blank"))?;
        Ok(Credential { kind, secret })
    }
}

impl Credential {
    /// That of a secret as it is kept; `None` if its kind is none of a credential.
    pub fn of(kind: SecretKind, secret: Secret) -> Option<Self> {
        kind.is_credential().then_some(Self { kind, secret })
    }

    /// How it is kept.
    pub fn kept(&self) -> (SecretKind, &Secret) {
        (self.kind, &self.secret)
    }

    /// What is secret of it, and not what stands before that.
    pub fn secret(&self) -> Option<Secret> {
        match self.kind {
            SecretKind::Bearer => Some(self.secret.clone()),
            _ => Secret::new(self.secret.expose().split_once(':')?.1),
        }
    }

    /// The header that it becomes; `None` if it was kept by somebody who checked nothing.
    pub fn header(&self) -> Option<(HeaderName, String)> {
        let text = self.secret.expose();
        match self.kind {
            SecretKind::Basic => Some((AUTHORIZATION, format!("Basic {}", BASE64.encode(text)))),
            SecretKind::Bearer => Some((AUTHORIZATION, format!("Bearer {text}"))),
            _ => {
                let (name, value) = text.split_once(':')?;
                Some((header_of(name)?, value.to_owned()))
            }
        }
    }
}

/// A header that may be a credential: any but those that the gateway needs itself.
fn header_of(name: &str) -> Option<HeaderName> {
    let name: HeaderName = name.parse().ok()?;
    let is_own = OWN_HEADERS.contains(&name.as_str()) || name.as_str().starts_with("webhook-");
    (name == AUTHORIZATION || !is_own).then_some(name)
}

fn is_visible(text: &str) -> bool {
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    (1..=SECRET_BYTES_MAX).contains(&text.len()) && text.bytes().all(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Credential, Invalid> {
        serde_json::from_str::<RawCredential>(json).unwrap().check()
    }

    #[track_caller]
    fn check(json: &str, name: &str, value: &str, secret: Option<&str>) {
        let credential = read(json).unwrap();
        let (kind, kept) = credential.kept();
        let again = Credential::of(kind, kept.clone()).unwrap();
        for credential in [credential, again] {
            let (header, text) = credential.header().unwrap();
            assert_eq!((header.as_str(), text.as_str()), (name, value));
            assert_eq!(credential.secret().as_ref().map(Secret::expose), secret);
        }
    }

    /// The first is the example of RFC 7617.
    #[test]
    fn a_credential_becomes_its_header_also_after_it_was_kept() {
        check(
            r#"{"basic": {"username": "Aladdin", "password": "open sesame"}}"#,
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            Some("open sesame"),
        );
        let colons = r#"{"basic": {"username": "a", "password": "b:c"}}"#;
        check(colons, "authorization", "Basic YTpiOmM=", Some("b:c"));
        let empty = r#"{"basic": {"username": "key", "password": ""}}"#;
        check(empty, "authorization", "Basic a2V5Og==", None);
        check(r#"{"bearer": "abc.d:e"}"#, "authorization", "Bearer abc.d:e", Some("abc.d:e"));
        let header = r#"{"header": {"name": "X-Api-Key", "value": "a: b"}}"#;
        check(header, "x-api-key", "a: b", Some("a: b"));
        let own = r#"{"header": {"name": "Authorization", "value": "Token abc"}}"#;
        check(own, "authorization", "Token abc", Some("Token abc"));
    }

    #[test]
    fn what_can_not_be_sent_is_refused_and_not_repeated() {
        for json in [
            r#"{"basic": {"username": "a:b", "password": "Hunter2"}}"#,
            r#"{"basic": {"username": "", "password": "Hunter2"}}"#,
            r#"{"basic": {"username": "a", "password": "Hunter2\n"}}"#,
            r#"{"bearer": "Hunter2 Hunter2"}"#,
            r#"{"bearer": ""}"#,
            r#"{"bearer": "Hünter2"}"#,
            r#"{"header": {"name": "Host", "value": "Hunter2"}}"#,
            r#"{"header": {"name": "Webhook-Id", "value": "Hunter2"}}"#,
            r#"{"header": {"name": "Hunter2 ", "value": "a"}}"#,
            r#"{"header": {"name": "x", "value": "Hunter2\r\nX-Other: 1"}}"#,
        ] {
            let invalid = read(json).unwrap_err();
            assert_eq!(invalid.field, "credential", "{json}");
            assert!(!invalid.to_string().contains("unter2"), "{json}: {invalid}");
        }
        let long = format!(r#"{{"bearer": "{}"}}"#, "a".repeat(4097));
        assert!(read(&long).is_err());
        let raw: RawCredential = serde_json::from_str(r#"{"bearer": "Hunter2"}"#).unwrap();
        assert!(!format!("{raw:?}{:?}", raw.check()).contains("Hunter2"));
        let unknown = r#"{"basic": {"username": "a", "password": "b", "realm": "c"}}"#;
        assert!(serde_json::from_str::<RawCredential>(unknown).is_err());
    }

    #[test]
    fn a_secret_that_signs_is_no_credential() {
        let secret = Secret::new("whsec_abc").unwrap();
        assert!(Credential::of(SecretKind::Whsec, secret.clone()).is_none());
        // Of a newer Hookgate, or of somebody who wrote into the store.
        let odd = Credential::of(SecretKind::Header, secret).unwrap();
        assert!(odd.header().is_none() && odd.secret().is_none());
    }
}
