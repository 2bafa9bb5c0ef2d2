//! The one door to secrets: where the operator keeps them, and what holds them in memory.
//!
//! The configuration says where a secret is; it is read at start and at every reload. A [`Secret`]
//! can't be printed, compared or serialised, and no error here repeats a content: only
//! `crate::signature`, `crate::signing`, [`crate::keys`], `crate::master_key`, an endpoint's
//! [credential](crate::endpoint::Credential),
//! `crate::egress` for the key of a client certificate, `crate::delivery` to hide what an endpoint
//! repeats, and whoever makes or sends a [token](crate::token) look inside.

mod plain;
mod redaction;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use plain::{is_plain, is_plain_path, is_plain_variable, shown};
pub(crate) use redaction::TOKEN_PREFIX;
pub use redaction::{HIDDEN, Redaction};

use crate::regular_file::{self, ReadError};

/// Largest secret in a file, in bytes; an RSA key in PEM has less than 4 KiB.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// A shorter secret is worth a warning, in bytes.
const BYTES_MIN: usize = 8;

/// A secret or a public key, as the operator wrote it. Never blank.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text as it is; `None` if it is empty or all whitespace.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.into()))
    }

    /// The text itself, for whoever computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Puts this secret wherever `mark` stands in a text that is about to be sent.
    pub fn put_into(&self, text: &mut String, mark: &str) {
        if text.contains(mark) {
            *text = text.replace(mark, &self.0);
        }
    }

    /// The same where `mark` stands in strings of JSON.
    pub fn put_into_json(&self, text: &mut String, mark: &str) {
        if text.contains(mark) {
            let quoted = serde_json::Value::from(&*self.0).to_string();
            *text = text.replace(mark, &quoted[1..quoted.len() - 1]);
        }
    }

    /// Puts `mark` wherever this secret stands in a text that is about to be shown.
    pub fn take_out_of(&self, text: &mut String, mark: &str) {
        if text.contains(&*self.0) {
            *text = text.replace(&*self.0, mark);
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a secret is: `{ env = "NAME" }`, `{ file = "path" }` or `{ value = "text" }`.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// In a variable of the environment.
    Env(String),
    /// In a file, relative to the configuration's folder.
    File(PathBuf),
    /// In the configuration itself.
    Value(Secret),
}

/// A secret as it is used, and what was odd about the text that it was read from.
#[derive(Debug)]
pub struct Found {
    /// Without a byte order mark, blanks, line ends or quotes around it.
    pub secret: Secret,
    /// For the operator; never quotes the secret.
    pub oddity: Option<&'static str>,
}

/// Why a secret can't be had. Never says what is there, and says where it should be only if that
/// can't be the secret itself, in the wrong place.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is missing.
    #[error("{0} is not set")]
    Unset(String),
    /// The variable or the file holds something else than text.
    #[error("{0} is not UTF-8{1}")]
    NotText(String, &'static str),
    /// Nothing but whitespace and quotes.
    #[error("{0} is empty")]
    Blank(String),
    /// The file can't be read.
    #[error("failed to read {place}")]
    Unreadable {
        /// The file.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file can't be a secret.
    #[error("{0} is larger than 64 KiB")]
    TooLarge(String),
}

impl SecretRef {
    /// Reads the secret. `base` is the folder of the configuration.
    pub fn resolve(&self, base: &Path) -> Result<Found, SecretError> {
        match self {
            Self::Value(secret) => {
                let found = found(secret.expose());
                found.ok_or_else(|| SecretError::Blank("the secret".to_owned()))
            }
            Self::Env(name) => {
                let place = match is_plain_variable(name) {
                    true => format!("environment variable `{name}`"),
                    false => "the environment variable that this `env` names".to_owned(),
                };
                match std::env::var_os(name) {
                    Some(text) => check(text.into_encoded_bytes(), place),
                    None => Err(SecretError::Unset(place)),
                }
            }
            Self::File(path) => {
                let place = match is_plain_path(path) {
                    true => format!("secret file {}", base.join(path).display()),
                    false => {
                        format!("the secret file that this `file` names, in {}", base.display())
                    }
                };
                check(read(&base.join(path), &place)?, place)
            }
        }
    }
}

fn read(path: &Path, place: &str) -> Result<Vec<u8>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { place: place.to_owned(), source };
    regular_file::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        ReadError::TooLarge { .. } => SecretError::TooLarge(place.to_owned()),
        ReadError::Io(error) => unreadable(error),
        ReadError::NotRegular(_) => unreadable(io::Error::other(error)),
    })
}

fn check(bytes: Vec<u8>, place: String) -> Result<Found, SecretError> {
    let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let Ok(text) = String::from_utf8(bytes) else {
        let hint = if is_utf_16 { " but UTF-16: save the file as UTF-8" } else { "" };
        return Err(SecretError::NotText(place, hint));
    };
    found(&text).ok_or(SecretError::Blank(place))
}

/// The secret in a text. What no scheme can mean is taken off around it: a byte order mark, blanks,
/// line ends, and a pair of quotes, as `docker --env-file` leaves them.
fn found(text: &str) -> Option<Found> {
    let secret = Secret::new(bare(text))?;
    let is_pem = secret.expose().starts_with("-----BEGIN ");
    let oddity = if secret.expose().len() < text.trim_end_matches(['\r', '\n']).len() {
        Some("the gateway ignores the byte order mark, blanks or quotes around the secret")
    } else if secret.expose().contains(is_invisible) && !is_pem {
        Some("the secret contains a line end or another invisible character")
    } else if secret.expose().len() < BYTES_MIN {
        Some(
            "the secret has less than 8 bytes: it can be guessed, and the gateway hides the same \
             bytes within words of answers and log lines",
        )
    } else {
        None
    };
    Some(Found { secret, oddity })
}

fn bare(text: &str) -> &str {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    for quote in ['"', '\''] {
        let inner = trimmed.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            return bare(inner);
        }
    }
    trimmed
}

/// Control characters, byte order marks and what else has no width; a space can be seen.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c != ' ' && c.is_whitespace())
        || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Found {
        SecretRef::Value(Secret::new(text).unwrap()).resolve(Path::new("")).unwrap()
    }

    fn in_file(content: &[u8]) -> Result<Found, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), content).unwrap();
        SecretRef::File("secret".into()).resolve(folder.path())
    }

    #[test]
    fn a_secret_is_where_the_configuration_says() {
        let env = SecretRef::Env("PATH".to_owned()).resolve(Path::new("")).unwrap();
        let file = in_file(b"one line\r\n\n").unwrap();

        assert_eq!(value("whsec_abc").secret.expose(), "whsec_abc");
        assert_eq!(env.secret.expose(), std::env::var("PATH").unwrap());
        assert_eq!((file.secret.expose(), file.oddity), ("one line", None));
    }

    #[test]
    fn a_secret_never_shows() {
        let reference = SecretRef::Value(Secret::new("whsec_abc").unwrap());
        assert_eq!(format!("{reference:?}"), "Value(Secret(..))");
        assert!(!format!("{:?}", value("whsec_abc")).contains("whsec_abc"));
    }

    #[test]
    fn what_no_scheme_can_mean_is_taken_off_around_a_secret_and_said() {
        for text in [
            "\u{feff}whsec_abc",
            " whsec_abc",
            "whsec_abc \n",
            "\"whsec_abc\"\n",
            "'whsec_abc'",
            "\u{feff}\" whsec_abc\u{a0}\" \r\n",
        ] {
            for found in [value(text), in_file(text.as_bytes()).unwrap()] {
                assert_eq!(found.secret.expose(), "whsec_abc", "{text:?}");
                assert!(found.oddity.is_some_and(|oddity| oddity.contains("ignores")), "{text:?}");
            }
        }
        for text in ["it's alpha", "\"alpha\"beta\"", "alpha beta", "'alphabeta", "\"half of it"] {
            assert_eq!((value(text).secret.expose(), value(text).oddity), (text, None));
        }
        let pem = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----";
        assert_eq!((value(pem).secret.expose(), value(pem).oddity), (pem, None));
        for text in ["two\nlines", "a\u{200b}b"] {
            assert!(value(text).oddity.is_some_and(|oddity| oddity.contains("invisible")));
        }
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_worth_a_warning() {
        assert!(value("1234567").oddity.is_some_and(|oddity| oddity.contains("guessed")));
        assert_eq!(value("12345678").oddity, None);
    }

    #[test]
    fn what_is_missing_is_named_unless_it_may_be_the_secret() {
        let unset = |name: &str| {
            SecretRef::Env(name.to_owned()).resolve(Path::new("")).unwrap_err().to_string()
        };
        let missing = |path: &str| {
            SecretRef::File(path.into()).resolve(Path::new("/nowhere")).unwrap_err().to_string()
        };

        let name = "HOOKGATE_SURELY_UNSET";
        assert_eq!(unset(name), format!("environment variable `{name}` is not set"));
        assert_eq!(unset("whsec_X1"), "the environment variable that this `env` names is not set");
        assert_eq!(missing("gone"), "failed to read secret file /nowhere/gone");
        let hidden = "failed to read the secret file that this `file` names, in /nowhere";
        assert_eq!(missing("whsec_X1"), hidden);
    }

    #[test]
    fn what_can_be_no_secret_is_refused() {
        assert!(matches!(in_file(b" \n"), Err(SecretError::Blank(_))));
        assert!(matches!(in_file(b"\xef\xbb\xbf\"\""), Err(SecretError::Blank(_))));
        assert!(matches!(in_file(b"\xc3\x28"), Err(SecretError::NotText(_, ""))));
        let utf_16 = in_file(b"\xff\xfea\0").unwrap_err().to_string();
        assert!(utf_16.ends_with("is not UTF-8 but UTF-16: save the file as UTF-8"));
        assert!(matches!(in_file(&[b'a'; 64 * 1024 + 1]), Err(SecretError::TooLarge(_))));
        assert!(in_file(&[b'a'; 64 * 1024]).is_ok());
    }
}
