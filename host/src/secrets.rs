//! The one door to secrets: where the operator keeps them, and what holds them in memory.
//!
//! The configuration says where a secret is; it is read at start and at every reload. A [`Secret`]
//! can't be printed, compared or serialised, and no error here repeats a content: only
//! [`crate::signature`], [`crate::outbound`] and [`crate::keys`] look inside.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

/// Largest secret in a file, in bytes; an RSA key in PEM has less than 4 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

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
    /// In a file, relative to the configuration's folder; newlines at its end are not part of it.
    File(PathBuf),
    /// In the configuration itself.
    Value(Secret),
}

/// Why a secret can't be had. Names where it should be, never what is there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is missing.
    #[error("environment variable `{0}` is not set")]
    Unset(String),
    /// The variable or the file holds something else than text.
    #[error("secret in {0} is not UTF-8")]
    NotText(String),
    /// Nothing but whitespace.
    #[error("secret in {0} is empty")]
    Blank(String),
    /// The file can't be read.
    #[error("failed to read secret from {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can't be a secret.
    #[error("secret in {0} is larger than 64 KiB")]
    TooLarge(PathBuf),
}

impl SecretRef {
    /// Reads the secret. `base` is the folder of the configuration.
    pub fn resolve(&self, base: &Path) -> Result<Secret, SecretError> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::Env(name) => {
                let text =
                    std::env::var_os(name).ok_or_else(|| SecretError::Unset(name.clone()))?;
                let place = format!("environment variable `{name}`");
                check(text.into_encoded_bytes(), place)
            }
            Self::File(path) => {
                let path = base.join(path);
                let mut bytes = read(&path)?;
                while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    bytes.pop();
                }
                check(bytes, path.display().to_string())
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

fn check(bytes: Vec<u8>, place: String) -> Result<Secret, SecretError> {
    let Ok(text) = String::from_utf8(bytes) else { return Err(SecretError::NotText(place)) };
    Secret::new(&text).ok_or(SecretError::Blank(place))
}

/// What stands in the configuration, before it is known to be exactly one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    env: Option<String>,
    file: Option<PathBuf>,
    value: Option<String>,
}

const EXPECTED: &str = "a secret is exactly one of { env = \"NAME\" }, { file = \"path\" } and \
                        { value = \"text\" }, and not empty";

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde's own errors quote what they found, and that may be the secret.
        let refused = || serde::de::Error::custom(EXPECTED);
        let fields = Fields::deserialize(deserializer).map_err(|_| refused())?;
        match fields {
            Fields { env: Some(name), file: None, value: None } if !name.is_empty() => {
                Ok(Self::Env(name))
            }
            Fields { env: None, file: Some(path), value: None } => Ok(Self::File(path)),
            Fields { env: None, file: None, value: Some(text) } => {
                Secret::new(&text).map(Self::Value).ok_or_else(refused)
            }
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<SecretRef, String> {
        serde_json::from_str(json).map_err(|err| err.to_string())
    }

    fn in_file(content: &[u8]) -> Result<Secret, SecretError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), content).unwrap();
        SecretRef::File("secret".into()).resolve(folder.path())
    }

    #[test]
    fn a_secret_is_where_the_configuration_says() {
        let value = parse(r#"{"value": "whsec_abc"}"#).unwrap().resolve(Path::new("")).unwrap();
        let env = parse(r#"{"env": "PATH"}"#).unwrap().resolve(Path::new("")).unwrap();
        let file = in_file(b"two\nlines\r\n\n").unwrap();

        assert_eq!(value.expose(), "whsec_abc");
        assert_eq!(env.expose(), std::env::var("PATH").unwrap());
        assert_eq!(file.expose(), "two\nlines");
    }

    #[test]
    fn a_secret_never_shows() {
        let reference = parse(r#"{"value": "whsec_abc"}"#).unwrap();
        assert_eq!(format!("{reference:?}"), "Value(Secret(..))");
    }

    #[test]
    fn a_reference_is_exactly_one_of_three_and_its_error_does_not_quote_it() {
        for json in [
            r#""hunter2""#,
            r#"{"value": 1234567}"#,
            r#"{"value": " "}"#,
            r#"{"hunter2": "hunter2"}"#,
            r#"{"value": "hunter2", "env": "X"}"#,
            r#"{"env": ""}"#,
            "{}",
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.starts_with(EXPECTED), "{json}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("1234567"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let unset = SecretRef::Env("HOOKGATE_SURELY_UNSET".into()).resolve(Path::new(""));
        let missing = SecretRef::File("gone".into()).resolve(Path::new("/nowhere"));

        let unset = unset.unwrap_err().to_string();
        assert_eq!(unset, "environment variable `HOOKGATE_SURELY_UNSET` is not set");
        let missing = missing.unwrap_err().to_string();
        assert_eq!(missing, "failed to read secret from /nowhere/gone");
    }

    #[test]
    fn what_can_be_no_secret_is_refused() {
        assert!(matches!(in_file(b" \n"), Err(SecretError::Blank(_))));
        assert!(matches!(in_file(b"\xff\xfe"), Err(SecretError::NotText(_))));
        assert!(matches!(in_file(&[b'a'; 64 * 1024 + 1]), Err(SecretError::TooLarge(_))));
        assert!(in_file(&[b'a'; 64 * 1024]).is_ok());
    }
}
